// SPDX-License-Identifier: Apache-2.0
/*
 * The TPM beside the log: co-signatures and the counter. Runs in the notary only. A TPM that fails stops no
 * record: the log goes on with its own signature, the failure is told, and a verifier sees what is missing.
 */
#include "user/notary/hardware.h"

#include <errno.h>
#include <inttypes.h>

#include "user/base/cleanup.h"
#include "user/base/clock.h"
#include "user/base/file.h"
#include "user/notary/segment.h"

/* TPMs wear out: the counter is raised at start and stop, and no oftener than this in between. */
#define RAISE_PERIOD_NS (600 * UINT64_C(1000000000))
/* A TPM may take a third of a second for a signature, and the notary waits for it: of its time it spends at
 * most one part in so many on that. */
#define COSIGN_SHARE 10

static void hw_failed(struct notary *n, const char *what, int r)
{
	if (!n->hw.failing)
		notary_alarm(n, -1, "tpm: %s: %s", what, strerrordesc_np(-r));
	n->hw.failing = true;
}

/* What the last checkpoint states of the counter. Whose it is has been checked before. */
static void read_stated(struct notary *n, struct checkpoint *ret)
{
	_cleanup_close_ int fd = segment_open(n->cfg.log_dirfd, STORE_FILE_CHECKPOINT);
	_cleanup_buf_ struct buf note = { 0 };
	struct checkpoint cp = { 0 };
	size_t text_n;

	if (fd < 0 || file_read_fd(fd, CHECKPOINT_MAX, &note) < 0 ||
	    checkpoint_parse(buf_span(&note), &cp, &text_n) < 0)
		cp = (struct checkpoint){ 0 };
	*ret = cp;
}

static int write_cosign_key(struct notary *n)
{
	_cleanup_buf_ struct buf b = { 0 };
	int r = cosign_key_text(&n->hw.cosign, &b);

	if (r == 0)
		r = buf_append(&b, "\n", 1);
	return r < 0 ? r : store_replace(n->store, STORE_FILE_COSIGN, buf_span(&b));
}

int notary_hw_begin(struct notary *n)
{
	struct checkpoint stated;
	int r;

	if (!n->cfg.tpm)
		return 0;
	r = cosign_key_of(n->origin, key_tpm_cosign_public(n->cfg.tpm), &n->hw.cosign);
	if (r == 0)
		r = write_cosign_key(n);
	if (r < 0)
		return r;
	r = key_tpm_counter(n->cfg.tpm, &n->hw.counter);
	if (r < 0) {
		hw_failed(n, "read the counter", r);
		return 0;
	}
	n->hw.counting = true;
	read_stated(n, &stated);
	n->hw.stated = stated.counter;
	/* One more than the TPM's is a crash between signing and raising. */
	n->hw.behind = stated.counted && stated.counter < n->hw.counter;
	n->hw.ahead = stated.counted && stated.counter > n->hw.counter + 1;
	return 0;
}

int notary_hw_report(struct notary *n)
{
	const struct record_kv kv[] = {
		{ "counter", { NULL, 0 }, (int64_t)(n->hw.counter & RECORD_INT_MAX) },
		{ "stated", { NULL, 0 }, (int64_t)(n->hw.stated & RECORD_INT_MAX) },
	};

	if (n->hw.behind) {
		notary_alarm(n, -1, "log: rolled back: its last checkpoint states counter %" PRIu64 ", the TPM has "
			     "%" PRIu64 "; records are missing: bring the newest copy of the log back, or keep this "
			     "one aside as evidence", n->hw.stated, n->hw.counter);
		return notary_append_fault(n, -1, "log_rolled_back",
					   "the TPM counted on after this log's last checkpoint: records are missing",
					   kv, 2);
	}
	if (n->hw.ahead) {
		notary_alarm(n, -1, "tpm: its counter is %" PRIu64 ", the log's last checkpoint states %" PRIu64
			     ": it was cleared, or is another TPM", n->hw.counter, n->hw.stated);
		return notary_append_fault(n, -1, "counter_reset",
					   "the TPM's counter is behind this log: it was cleared, or is another TPM",
					   kv, 2);
	}
	return 0;
}

void notary_hw_count(struct notary *n, struct checkpoint *cp, bool force)
{
	const uint64_t now = clock_mono_ns();

	if (!n->hw.counting)
		return;
	if (force || now - n->hw.raised_at >= RAISE_PERIOD_NS) {
		/* Stated before it is done: a crash in between leaves the log ahead of the TPM and not behind it. */
		n->hw.raising = true;
		n->hw.counter_size = cp->size;
	}
	cp->counted = n->hw.raising || n->hw.raised_at;
	cp->counter = n->hw.counter + n->hw.raising;
	cp->counter_size = n->hw.counter_size;
}

void notary_hw_cosign(struct notary *n, struct buf *note, bool force)
{
	const uint64_t now = clock_mono_ns();
	int r;

	if (!n->cfg.tpm || (!force && now - n->hw.cosigned_at < COSIGN_SHARE * n->hw.cosign_took))
		return;
	r = cosign_append(note, &n->hw.cosign, key_tpm_cosign, n->cfg.tpm);
	n->hw.cosigned_at = clock_mono_ns();
	n->hw.cosign_took = n->hw.cosigned_at - now;
	if (r < 0)
		hw_failed(n, "sign a checkpoint", r);
	else
		n->hw.failing = false;
}

void notary_hw_raise(struct notary *n, const struct checkpoint *cp)
{
	uint64_t v;
	int r;

	if (!n->hw.raising)
		return;
	r = key_tpm_counter_raise(n->cfg.tpm, &v);
	if (r < 0) { /* the next checkpoint states the same and tries again */
		hw_failed(n, "raise the counter", r);
		return;
	}
	if (v != cp->counter)
		notary_alarm(n, -1, "tpm: somebody else raised the counter: it is %" PRIu64 ", not %" PRIu64, v,
			     cp->counter);
	n->hw.counter = v;
	n->hw.raised_at = clock_mono_ns();
	n->hw.raising = false;
}
