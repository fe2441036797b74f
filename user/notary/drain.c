// SPDX-License-Identifier: Apache-2.0
/*
 * From the rings to the log. What a ring carries was written by a less trusted role: it is copied,
 * checked against the record form, its hash recomputed, its place in its session judged. Runs in the
 * notary. Never parses a payload, there is none.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "user/base/clock.h"
#include "user/notary/hardware.h"
#include "user/notary/notary_private.h"
#include "user/notary/receipt.h"
#include "user/notary/key_handover.h"
#include "user/notary/retention.h"

#define RING_QUOTA 256u /* records taken from one ring before the next one's turn */
#define CHECKPOINT_RECORDS_DEFAULT 4096u
#define PERIOD_DEFAULT UINT64_C(1000000000)
/* While records come, rings need not wake us: we look again this often, and only after a second
 * without any do we ask to be woken. */
#define NAP_NS UINT64_C(10000000)
#define AWAKE_NS UINT64_C(1000000000)
#define RETRY_NS UINT64_C(200000000) /* between two tries of failing storage */

void notary_alarm(struct notary *n, int ring, const char *fmt, ...)
{
	char text[640]; /* struct key_source's reasons fit */
	va_list ap;

	if (!n->cfg.alarm)
		return;
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	n->cfg.alarm(n->cfg.arg, ring, text);
}

static int append_line(struct notary *n, struct chain *c, struct record *rec)
{
	struct record_line line;
	int r;

	rec->durability = RECORD_WRITTEN;
	r = record_write(n->writer, rec, c, clock_real_ns(), &line);
	if (r == 0)
		r = store_append(n->store, line.text);
	if (r == 0)
		chain_advance(c, &line);
	return r;
}

int notary_append_own(struct notary *n, struct record *rec)
{
	return append_line(n, &n->own, rec);
}

int notary_append_end(struct notary *n, const struct session_next *s, const char *why)
{
	struct chain c = { .sequence = s->sequence };
	struct record rec;
	int r;

	memcpy(c.session_id, s->id, CHAIN_ID_SIZE - 1);
	memcpy(c.prev, s->prev, strnlen(s->prev, sizeof(c.prev) - 1));
	record_init(&rec, RECORD_SESSION_END, RECORD_NA);
	rec.reason = span_of(why);
	rec.reason_code = SPAN("closed_by_notary");
	r = append_line(n, &c, &rec);
	if (r == 0)
		sessions_end(n->sessions, s->id);
	return r;
}

int notary_append_fault(struct notary *n, int ring, const char *code, const char *reason,
			const struct record_kv *kv, unsigned kv_n)
{
	struct record_kv detail[RECORD_DETAIL_MAX];
	struct record rec;
	unsigned at = 0;

	record_init(&rec, RECORD_FAULT, RECORD_DECISION_FAULT);
	rec.reason = span_of(reason);
	rec.reason_code = span_of(code);
	if (ring >= 0) {
		detail[at++] = (struct record_kv){ "ring", { NULL, 0 }, ring };
		detail[at++] = (struct record_kv){ "producer", span_of(n->rings[ring].label), 0 };
	}
	for (unsigned i = 0; i < kv_n && at < RECORD_DETAIL_MAX; i++)
		detail[at++] = kv[i];
	rec.detail = detail;
	rec.detail_n = at;
	n->faults++;
	return notary_append_own(n, &rec);
}

/* The producer broke the rules. Told and recorded once until it is restarted; counted always. */
static int producer_fault(struct notary *n, int ring, const char *reason, struct span bytes)
{
	struct notary_ring *nr = &n->rings[ring];
	char digest[SHA256_PREFIXED_SIZE];
	uint8_t d[SHA256_SIZE];
	const struct record_kv kv[] = {
		{ "refused_bytes", { NULL, 0 }, (int64_t)bytes.n },
		{ "refused_sha256", { digest, sizeof(digest) - 1 }, 0 },
	};
	int r;

	n->rejected++;
	if (nr->fault_appended)
		return 0;
	hasher_sha256(n->hasher, &bytes, 1, d);
	sha256_prefixed(d, digest);
	r = notary_append_fault(n, ring, "producer_failed", reason, kv, 2);
	if (r < 0)
		return r;
	nr->fault_appended = true;
	if (nr->failed) /* told when the batch was tried before */
		return 0;
	nr->failed = true;
	ring_fail(nr->ring, -EBADMSG);
	notary_alarm(n, ring, "ring %d (%s): %s", ring, nr->label, reason);
	if (n->cfg.producer_failed)
		n->cfg.producer_failed(n->cfg.arg, ring);
	return 0;
}

/* The record is appended all the same: it may have been acted on, and hiding it would help nobody. The
 * verifier will name the break, this fault record says that the node saw it. */
static int chain_break(struct notary *n, int ring, const struct record_view *v,
		       const struct session_next *want)
{
	const struct record_kv kv[] = {
		{ "session_id", v->session_id, 0 },
		{ "sequence_expected", { NULL, 0 }, (int64_t)want->sequence },
		{ "sequence_found", { NULL, 0 }, (int64_t)v->sequence },
		{ "prev_expected", span_of(want->prev), 0 },
		{ "prev_found", v->prev, 0 },
		{ "entry_hash", v->entry_hash, 0 },
	};

	notary_alarm(n, ring, "session %.36s: record %" PRIu64 " where %" PRIu64 " had to follow", want->id,
		     v->sequence, want->sequence);
	return notary_append_fault(n, ring, "chain_break",
				   "a record does not follow its session's last one", kv, 6);
}

/* What verifiers take as the notary's word. */
static bool is_notarys_alone(const struct record_view *v)
{
	struct span code = record_view_text(v, M_REASON_CODE);

	return span_is(code, RETENTION_CODE) || span_is(code, HANDOVER_CODE) || span_is(code, HANDOVER_GAP_CODE);
}

static int accept_record(struct notary *n, int ring, struct span line)
{
	struct session_next want;
	struct record_view v;
	size_t at;
	int r;

	if (record_view_parse(line, &v, &at) < 0)
		return producer_fault(n, ring, "a record is not in canonical form", line);
	if (record_view_hash(&v, n->hasher) < 0)
		return producer_fault(n, ring, "a record's entry_hash is not its content's", line);
	if (ring_taken(n->rings[ring].ring) <= n->rings[ring].replay_to &&
	    notary_recent_has(&n->recent, v.entry_hash)) {
		n->replayed++;
		return 0;
	}
	if (is_notarys_alone(&v))
		return producer_fault(n, ring, "a record says what only the notary says", line);
	r = sessions_see(n->sessions, &v, ring, &want);
	if (r == SESSION_FOREIGN)
		return producer_fault(n, ring, "a record belongs to another producer's session", line);
	if (r == SESSION_TOO_MANY)
		return producer_fault(n, ring, "too many sessions are open", line);
	if (r == SESSION_BREAKS)
		r = chain_break(n, ring, &v, &want);
	return r < 0 ? r : store_append(n->store, line);
}

/* Up to quota records of one ring into the batch. Number taken or -errno. */
static int take_ring(struct notary *n, int ring, unsigned quota)
{
	struct notary_ring *nr = &n->rings[ring];
	unsigned taken = 0;

	while (taken < quota && !store_full(n->store) && !nr->deaf) {
		size_t len = 0;
		int r = ring_take(nr->ring, n->take, &len);

		if (r == -EAGAIN)
			break;
		if (r == -EBADMSG) {
			r = producer_fault(n, ring, "the ring's frames are not sound", SPAN(""));
			nr->deaf = r == 0;
			return r < 0 ? r : (int)taken;
		}
		nr->touched = true;
		r = accept_record(n, ring, (struct span){ n->take, len });
		if (r < 0)
			return r;
		taken++;
	}
	return (int)taken;
}

void notary_forget_batch(struct notary *n)
{
	store_forget(n->store);
	sessions_rollback(n->sessions);
	n->own = n->own_committed;
	for (int i = 0; i < n->rings_n; i++) {
		struct notary_ring *nr = &n->rings[i];

		if (nr->touched)
			ring_untake(nr->ring);
		nr->touched = false;
		nr->fault_appended = nr->fault_stored;
		nr->deaf &= nr->fault_stored;
	}
}

void notary_publish_error(struct notary *n, int error)
{
	if (n->error == error)
		return;
	if (error)
		notary_alarm(n, -1, "log: write records: %s", strerrordesc_np(-error));
	else
		notary_alarm(n, -1, "log: write records: works again");
	n->error = error;
	for (int i = 0; i < n->rings_n; i++)
		if (!n->rings[i].failed)
			ring_fail(n->rings[i].ring, error);
}

int notary_flush(struct notary *n)
{
	uint64_t before = store_size(n->store), now;
	int r = store_flush(n->store);

	if (r < 0) {
		notary_forget_batch(n);
		notary_publish_error(n, r);
		return r;
	}
	sessions_commit(n->sessions);
	n->own_committed = n->own;
	for (int i = 0; i < n->rings_n; i++) {
		n->rings[i].fault_stored = n->rings[i].fault_appended;
		if (n->rings[i].touched)
			ring_publish(n->rings[i].ring, ring_taken(n->rings[i].ring), RECORD_WRITTEN);
	}
	if (store_size(n->store) != before) {
		notary_claims_follow(n);
		now = clock_mono_ns();
		if (!n->unsigned_since)
			n->unsigned_since = now;
		if (!n->unsynced_since)
			n->unsynced_since = now;
	}
	return 0;
}

int notary_sync_now(struct notary *n)
{
	int r = store_sync(n->store);

	if (r < 0) {
		notary_publish_error(n, r);
		return r;
	}
	n->unsynced_since = 0;
	for (int i = 0; i < n->rings_n; i++)
		ring_publish(n->rings[i].ring, ring_taken(n->rings[i].ring), RECORD_SYNCED);
	return 0;
}

/* Without it there are no COSE receipts until the next checkpoint; nothing else is missing. */
static void sign_receipts(struct notary *n, const struct checkpoint *cp)
{
	_cleanup_buf_ struct buf text = { 0 };

	if (receipt_head_sign(cp, &n->vk, n->key, &text) == 0)
		(void)store_derive(n->store, RECEIPT_FILE_HEAD, buf_span(&text));
}

int notary_sign(struct notary *n, enum notary_signing how)
{
	_cleanup_buf_ struct buf note = { 0 };
	struct checkpoint cp = { .size = store_size(n->store) };
	int r = notary_sync_now(n); /* what is signed is on disk first */

	if (r < 0)
		return r;
	memcpy(cp.origin, n->origin, sizeof(cp.origin));
	tree_root(n->hasher, store_tree(n->store), cp.root);
	notary_hw_count(n, &cp, how == SIGN_RAISE);
	r = checkpoint_sign(&cp, n->key, &note);
	if (r == 0) {
		notary_hw_cosign(n, &note, how != SIGN_DUE);
		r = store_checkpoint(n->store, buf_span(&note));
	}
	if (r == 0)
		sign_receipts(n, &cp);
	if (r < 0) {
		if (!n->sign_failed)
			notary_alarm(n, -1, "log: write checkpoint: %s", strerrordesc_np(-r));
		n->sign_failed = true;
		return r;
	}
	n->sign_failed = false;
	n->signed_size = cp.size;
	memcpy(n->signed_root, cp.root, TREE_HASH);
	/* Claims and reports that still wait are made in the next period. */
	n->unsigned_since = notary_claims_pending(n) ? clock_mono_ns() : 0;
	n->checkpoints++;
	notary_hw_raise(n, &cp);
	return 0;
}

int notary_checkpoint(struct notary *n)
{
	return notary_sign(n, SIGN_ASKED);
}

static uint64_t or_default(uint64_t v, uint64_t d)
{
	return v ? v : d;
}

static int when_due(struct notary *n, bool want_sync)
{
	uint64_t now = clock_mono_ns();
	uint64_t unsigned_n = store_size(n->store) - n->signed_size;
	int r = 0;

	notary_claims_relieve(n, now);
	if ((!n->sign_failed && /* a failure waits for its time */
	     unsigned_n >= or_default(n->cfg.checkpoint_records, CHECKPOINT_RECORDS_DEFAULT)) ||
	    (n->unsigned_since &&
	     now - n->unsigned_since >= or_default(n->cfg.checkpoint_ns, PERIOD_DEFAULT))) {
		notary_claims_due(n);
		r = notary_sign(n, SIGN_DUE);
		if (r < 0 && n->error == 0) /* tried again after another period; records go on */
			n->unsigned_since = now;
		return n->error;
	}
	if (n->unsynced_since &&
	    (want_sync || now - n->unsynced_since >= or_default(n->cfg.sync_ns, PERIOD_DEFAULT)))
		r = notary_sync_now(n);
	return r;
}

/* After storage failed: before a ring may be used again the outage itself must be on file. */
static int try_again(struct notary *n)
{
	const struct record_kv kv[] = { { "errno", { NULL, 0 }, -n->error } };
	int r = notary_append_fault(n, -1, "storage_failed",
				    "records could not be written; calls were denied meanwhile", kv, 1);

	if (r == 0)
		r = notary_flush(n);
	if (r < 0) {
		notary_forget_batch(n);
		n->faults--;
		return r;
	}
	notary_publish_error(n, 0);
	return 0;
}

/* One batch from all rings in turn. *ret_sync: one of them waits for the disk. *ret_all: the rings were empty at its
 * end, and what has come since is the next round's: batches of one record each would cost two writes a record. */
static int take_batch(struct notary *n, unsigned max, bool *ret_sync, bool *ret_all)
{
	unsigned taken = 0;
	int idle = 0;

	for (int i = 0; i < n->rings_n; i++)
		n->rings[i].touched = false;
	while (taken < max && idle < n->rings_n && !store_full(n->store)) {
		int ring = n->next_ring, got;

		n->next_ring = (ring + 1) % n->rings_n;
		got = take_ring(n, ring, max - taken < RING_QUOTA ? max - taken : RING_QUOTA);
		if (got < 0)
			return got;
		idle = got ? 0 : idle + 1;
		taken += (unsigned)got;
		*ret_sync |= got && n->rings[ring].synced;
	}
	*ret_all = idle == n->rings_n;
	return (int)taken;
}

int notary_drain(struct notary *n, unsigned max)
{
	unsigned total = 0;
	bool sync = false, all = false;
	int r;

	if (n->error) {
		r = try_again(n);
		if (r < 0)
			return r;
	}
	do {
		int got = take_batch(n, max - total, &sync, &all);

		if (got < 0) {
			notary_forget_batch(n);
			notary_publish_error(n, got);
			return got;
		}
		if (got == 0 && store_pending(n->store) == 0)
			break;
		total += (unsigned)got;
		r = notary_flush(n);
		if (r < 0)
			return r;
	} while (total < max && !all);
	if (total)
		n->active_at = clock_mono_ns();
	r = when_due(n, sync);
	return r < 0 ? r : (int)total;
}

uint64_t notary_rest(struct notary *n)
{
	uint64_t now = clock_mono_ns(), wait = UINT64_MAX, due;
	bool active = n->active_at && now - n->active_at < AWAKE_NS;

	if (n->error)
		return RETRY_NS;
	for (int i = 0; i < n->rings_n; i++)
		if (!n->rings[i].deaf && ring_rest(n->rings[i].ring, active ? RING_NAP : RING_ASLEEP) < 0)
			wait = 0;
	if (active && wait > NAP_NS)
		wait = NAP_NS;
	if (n->unsigned_since) {
		due = n->unsigned_since + or_default(n->cfg.checkpoint_ns, PERIOD_DEFAULT);
		wait = due <= now ? 0 : due - now < wait ? due - now : wait;
	}
	if (n->unsynced_since) {
		due = n->unsynced_since + or_default(n->cfg.sync_ns, PERIOD_DEFAULT);
		wait = due <= now ? 0 : due - now < wait ? due - now : wait;
	}
	return wait;
}
