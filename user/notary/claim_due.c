// SPDX-License-Identifier: Apache-2.0
/*
 * The notary's part in claims: when they are made, with its key, and the record that says so. A claim is
 * signed after its records are on disk and before the checkpoint that covers the record of it.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "user/base/cleanup.h"
#include "user/base/clock.h"
#include "user/notary/notary_private.h"

#define CLAIMS_AT_ONCE 64 /* each is two signatures and a file: the rings wait meanwhile */
/* Hardware may take half a second for a report, and the notary waits for it: of its time it spends at most one part
 * in so many on that. */
#define REPORT_SHARE 4
#define REPORTS_AT_CLOSE 8 /* those of sessions that have just begun: after a start they are not asked for */

static int sign(void *arg, const void *p, size_t n, uint8_t ret[ED25519_SIGNATURE_SIZE])
{
	const struct notary *notary = arg; /* whose key changes: notary_claims_key() */

	return log_key_sign(notary->key, p, n, ret);
}

int notary_claims_open(struct notary *n)
{
	struct claims_config c = {
		.log_dirfd = n->cfg.log_dirfd, .origin = n->origin, .producer = n->cfg.claims_producer,
		.signer = { .sign = sign, .arg = n }, .report = n->cfg.report, .report_arg = n->cfg.arg,
	};

	if (!n->cfg.claims_producer)
		return 0;
	log_key_public(n->key, c.signer.public_key);
	return claims_new(&c, &n->claims);
}

void notary_claims_key(struct notary *n)
{
	if (n->claims)
		claims_key(n->claims, n->vk.pub);
}

void notary_claims_follow(struct notary *n)
{
	int r = n->claims ? claims_follow(n->claims) : 0;

	if (r < 0 && !n->claims_failed)
		notary_alarm(n, -1, "log: read records for claims: %s", strerrordesc_np(-r));
	n->claims_failed = r < 0;
}

/* In the batch, for notary_flush(). */
static int record_made(struct notary *n, const struct claim_made *m)
{
	const struct record_kv kv[] = {
		{ "claim_hash", span_of(m->hash), 0 },
		{ "claim_number", { NULL, 0 }, (int64_t)m->number },
		{ "claimed_durability", span_of(record_durability_text(m->weakest)), 0 },
		{ "claimed_length", { NULL, 0 }, (int64_t)m->length },
		{ "claimed_platform", span_of(m->platform), 0 },
		{ "claimed_root", span_of(m->root), 0 },
		{ "claimed_session", span_of(m->session), 0 },
		{ "claimed_tip", span_of(m->tip), 0 },
	};
	struct record rec;

	record_init(&rec, RECORD_NODE, RECORD_NA);
	rec.reason_code = SPAN(CLAIMS_CODE);
	rec.detail = kv;
	rec.detail_n = ARRAY_SIZE(kv);
	return notary_append_own(n, &rec);
}

static int record_refused(struct notary *n, const struct claim_made *m, const char *why)
{
	const struct record_kv kv[] = { { "session_id", span_of(m->session), 0 } };

	notary_alarm(n, -1, "session %.36s: make claim: %s", m->session, why);
	return notary_append_fault(n, -1, "claim_refused", why, kv, 1);
}

/* What came of one: recorded, or told. A failure of storage leaves the session waiting. */
static int settle(struct notary *n, int made, const struct claim_made *m, const char *why)
{
	int r = made == 0 ? record_made(n, m) : made == -EINVAL ? record_refused(n, m, why) : made;

	if (r < 0 && !n->claims_failed)
		notary_alarm(n, -1, "session %.36s: write claim: %s", m->session, strerrordesc_np(-r));
	n->claims_failed = r < 0;
	return r;
}

static int record_skipped(struct notary *n)
{
	uint64_t skipped = claims_skipped(n->claims);
	const struct record_kv kv[] = { { "sessions", { NULL, 0 }, (int64_t)skipped } };

	if (!skipped)
		return 0;
	notary_alarm(n, -1, "log: make claims: %" PRIu64 " sessions go without: too many ended at once", skipped);
	return notary_append_fault(n, -1, "claim_refused", "too many sessions ended at once", kv, 1);
}

/* One at a time; who goes without has claims that say so. */
static void report_due(struct notary *n)
{
	const uint64_t began = clock_mono_ns();
	uint64_t ended;
	int r;

	if (!claims_unreported(n->claims) || began < n->reports_rest_until)
		return;
	r = claims_report_next(n->claims);
	ended = clock_mono_ns();
	n->reports_rest_until = ended + (REPORT_SHARE - 1) * (ended - began);
	if (r < 0 && !n->reports_failed)
		notary_alarm(n, -1, "attestation: take a session's report: %s: its claims are software-only",
			     strerrordesc_np(-r));
	n->reports_failed = r < 0;
}

static void make_due(struct notary *n)
{
	struct claim_made m;
	const char *why;
	int r = record_skipped(n);

	if (r < 0)
		notary_forget_batch(n);
	if (r < 0 || !claims_waiting(n->claims) || notary_sync_now(n) < 0)
		return;
	for (int i = 0; i < CLAIMS_AT_ONCE && r == 0; i++) {
		r = claims_make_next(n->claims, clock_real_ns(), &m, &why);
		if (r == -ENOENT)
			break;
		r = settle(n, r, &m, why);
		if (r == 0)
			r = notary_flush(n); /* a session that goes on from this one stands on the record */
		else
			notary_forget_batch(n);
	}
	if (r < 0 && r != -ENOENT)
		claims_unmade(n->claims);
}

void notary_claims_due(struct notary *n)
{
	uint64_t began = clock_mono_ns(), ended;

	if (!n->claims || n->error)
		return;
	report_due(n);
	make_due(n);
	ended = clock_mono_ns();
	n->claims_rest_until = ended + (ended - began);
}

void notary_claims_relieve(struct notary *n, uint64_t now)
{
	if (n->claims && !n->error)
		report_due(n);
	if (n->claims && claims_waiting(n->claims) >= CLAIMS_AT_ONCE && now >= n->claims_rest_until)
		notary_claims_due(n);
}

void notary_claims_close(struct notary *n)
{
	for (int i = 0; n->claims && !n->error && i < REPORTS_AT_CLOSE && claims_unreported(n->claims); i++) {
		n->reports_rest_until = 0;
		report_due(n);
	}
	notary_claims_due(n);
}

bool notary_claims_pending(const struct notary *n)
{
	return n->claims && (claims_waiting(n->claims) || claims_unreported(n->claims));
}

int notary_claim(struct notary *n, const char *session_id, struct claim_made *ret)
{
	const char *why = NULL;
	int r;

	if (!n->claims)
		return -EOPNOTSUPP;
	while ((r = notary_drain(n, 4096)) > 0)
		;
	if (r == 0)
		r = notary_sync_now(n);
	notary_claims_due(n);
	if (r == 0)
		r = claims_make(n->claims, session_id, clock_real_ns(), ret, &why);
	if (r < 0)
		return r;
	r = record_made(n, ret);
	if (r < 0)
		notary_forget_batch(n);
	else
		r = notary_flush(n);
	if (r < 0)
		claims_unmade(n->claims);
	return r;
}
