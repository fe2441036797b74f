// SPDX-License-Identifier: Apache-2.0
/* Sessions go through a real notary; what it signs is judged by the verifier and against its own log. */
#include "user/notary/claims.h"

#include "attest/claim.h"
#include "attest/json_text.h"
#include "attest/provider.h"
#include "tests/unit/notary/log_fixture.h"
#include "user/base/clock.h"
#include "user/notary/notary_private.h"
#include "user/notary/recorder.h"
#include "user/notary/ring.h"
#include "user/notary/segment.h"
#include "user/notary/verify.h"

#define HASH(d) "sha256:" d d d d d d d d d d d d d d d d

struct bench {
	struct log_fixture *f;
	struct notary *n;
	int ring_fd;
	struct recorder *w;
	unsigned alarms;
	unsigned reports; /* that were asked for */
	int report_error;
	uint64_t age_s; /* of what it answers */
	bool no_hardware;
};

static void on_alarm(void *arg, int ring, const char *text)
{
	((struct bench *)arg)->alarms++;
}

/* Hardware that signs nothing: whether a claim stands on its report is what is tested here. */
static int take_report(void *arg, const uint8_t nonce[CLAIM_NONCE_SIZE], struct claim_report *ret)
{
	struct bench *b = arg;
	uint8_t report[1184] = { 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2 };
	struct buf *part;

	b->reports++;
	if (b->report_error)
		return b->report_error;
	report[0x34] = 1;
	memcpy(report + 0x50, nonce, CLAIM_NONCE_SIZE);
	*ret = (struct claim_report){ .platform = "sev-snp", .taken_s = clock_real_ns() / 1000000000u - b->age_s };
	memcpy(ret->nonce, nonce, CLAIM_NONCE_SIZE);
	part = attest_evidence_add(&ret->evidence, "report");
	assert_non_null(part);
	return buf_append(part, report, sizeof(report));
}

static void open_notary(struct bench *b)
{
	char key[128];
	const struct notary_config c = {
		.log_dirfd = b->f->dirfd, .key_path = key, .origin = "node.test", .producers_gone = true,
		.claims_producer = "tollgate/test", .checkpoint_records = 1,
		/* Claims that wait for their reports are made with the next checkpoint. */
		.checkpoint_ns = b->no_hardware ? UINT64_C(3600000000000) : 1000000, .alarm = on_alarm, .arg = b,
		.report = b->no_hardware ? NULL : take_report,
	};

	(void)snprintf(key, sizeof(key), "%s/log.key", b->f->dir);
	assert_int_equal(notary_open(&c, &b->n), 0);
	assert_int_equal(notary_add_ring(b->n, b->ring_fd, -1, false, "proxy"), 0);
}

static void attach(struct bench *b, enum record_durability d)
{
	static const uint8_t key[SHA256_SIZE] = { 3 };

	recorder_free(b->w);
	assert_int_equal(recorder_new(b->ring_fd, -1, d, key, &b->w), 0);
}

static int setup(void **state)
{
	struct bench *b = calloc(1, sizeof(*b));
	void *f;

	assert_non_null(b);
	assert_int_equal(fixture_setup(&f), 0);
	b->f = f;
	b->no_hardware = true;
	assert_int_equal(ring_create(RING_SIZE_MIN * 4, &b->ring_fd), 0);
	open_notary(b);
	attach(b, RECORD_RING);
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	struct bench *b = *state;
	char dir[128];
	void *f = b->f;

	notary_close(b->n);
	recorder_free(b->w);
	close(b->ring_fd);
	(void)snprintf(dir, sizeof(dir), "%s/" CLAIMS_DIR, b->f->dir);
	fixture_wipe(dir);
	(void)rmdir(dir);
	free(b);
	return fixture_teardown(&f);
}

static struct chain begin(struct bench *b, const char *policy, const char *continues)
{
	const struct record_kv kv[] = {
		{ "catalog_hash", SPAN(HASH("2222")), 0 }, { "mode", SPAN("enforcing"), 0 },
		{ "policy_hash", span_of(policy), 0 },	   { "program_hash", SPAN(HASH("3333")), 0 },
		{ "continues", span_of(continues), 0 },
	};
	struct record rec;
	struct chain c;
	uint64_t pos;

	record_init(&rec, RECORD_SESSION_START, RECORD_ALLOW);
	rec.agent = SPAN("coder");
	rec.detail = kv;
	rec.detail_n = continues ? 5 : 4;
	assert_int_equal(recorder_begin(b->w, &c, &rec, &pos), 0);
	return c;
}

static void put(struct bench *b, struct chain *c, enum record_type type, enum record_decision d, const char *tool)
{
	struct record rec;
	uint64_t pos;

	record_init(&rec, type, d);
	rec.agent = SPAN("coder");
	rec.tool_name = span_of(tool);
	assert_int_equal(recorder_put(b->w, c, &rec, &pos), 0);
}

static void end(struct bench *b, struct chain *c)
{
	put(b, c, RECORD_SESSION_END, RECORD_NA, NULL);
}

/* Until nothing is due any more. */
static void settle(struct bench *b)
{
	struct notary_status st = { 0 };

	do {
		assert_true(notary_drain(b->n, 10000) >= 0);
		notary_status(b->n, &st);
	} while (st.signed_size != st.size || (!b->no_hardware && notary_claims_pending(b->n)));
}

static json_t *read_claim(struct bench *b, const char *id, unsigned number)
{
	char path[256], error[JSON_TEXT_ERROR_SIZE];
	_cleanup_buf_ struct buf text = { 0 };
	json_t *v;

	(void)snprintf(path, sizeof(path), "%s/" CLAIMS_DIR "/%s-%u.json", b->f->dir, id, number);
	if (file_read(path, JSON_TEXT_MAX, &text) < 0)
		return NULL;
	assert_int_equal(json_text_read(buf_span(&text), &v, error), 0);
	return v;
}

/* The bundle as an auditor gets it: the session's records in the log, at most max, under the stored signature. */
static json_t *bundle_of(struct bench *b, const char *id, const json_t *file, unsigned max)
{
	json_t *bundle = json_pack("{s:s, s:O, s:[]}", "session_id", id, "bundle_signature",
				   json_object_get(file, "bundle_signature"), "entries");
	struct segment_reader *r;
	struct span line;

	assert_int_equal(segment_reader_open(b->f->dirfd, 0, &r), 0);
	while (segment_read(r, &line, NULL) == 0) {
		json_t *e = json_loadb(line.p, line.n, 0, NULL);

		assert_non_null(e);
		if (span_is(json_member_text(e, "session_id"), id) &&
		    json_array_size(json_object_get(bundle, "entries")) < max)
			json_array_append(json_object_get(bundle, "entries"), e);
		json_decref(e);
	}
	segment_reader_close(r);
	return bundle;
}

struct seen {
	enum attest_status claim, bundle, record;
	char code[ATTEST_CODE_SIZE]; /* of the bundle's first failure */
};

static struct seen judge(struct bench *b, const char *id, unsigned number, unsigned max, const json_t *previous)
{
	struct claim_expect expect = { .policy_hash = SPAN(HASH("1111")), .catalog_hash = SPAN(HASH("2222")),
				       .key = notary_key(b->n)->pub };
	_cleanup_json_ json_t *file = read_claim(b, id, number), *bundle = NULL;
	int64_t now = (int64_t)(clock_real_ns() / 1000000000u);
	const json_t *before = json_object_get(previous, "claim");
	struct attest_result res;
	struct seen seen = { 0 };

	assert_non_null(file);
	expect.previous = before;
	attest_result_init(&res, "claim", now);
	assert_int_equal(claim_verify(json_object_get(file, "claim"), &expect, &res), 0);
	seen.claim = attest_appraise(&res, NULL);
	for (unsigned i = 0; i < res.n_findings; i++)
		if (attest_blocks(&res.findings[i], NULL))
			assert_string_equal(res.findings[i].field, "claim.platform");
	attest_result_done(&res);
	attest_result_init(&res, "record", now);
	assert_int_equal(trust_record_verify(json_object_get(file, "trust_record"), &expect, &res), 0);
	seen.record = attest_appraise(&res, NULL);
	attest_result_done(&res);
	bundle = bundle_of(b, id, file, max);
	attest_result_init(&res, "bundle", now);
	assert_int_equal(bundle_verify(bundle, json_object_get(file, "claim"), &expect, &res), 0);
	seen.bundle = attest_appraise(&res, NULL);
	for (unsigned i = res.n_findings; i > 0; i--)
		if (res.findings[i - 1].verdict == ATTEST_FAIL)
			memcpy(seen.code, res.findings[i - 1].code, sizeof(seen.code));
	attest_result_done(&res);
	return seen;
}

static int64_t figure(const json_t *file, const char *path)
{
	return json_integer_value(json_path(json_object_get(file, "claim"), path));
}

static void a_session_has_its_claim(void **state)
{
	struct bench *b = *state;
	struct chain c = begin(b, HASH("1111"), NULL), other = begin(b, HASH("1111"), NULL);
	_cleanup_json_ json_t *file = NULL;
	struct seen seen;

	put(b, &c, RECORD_TOOL_CALL, RECORD_ALLOW, "echo");
	put(b, &other, RECORD_TOOL_CALL, RECORD_ALLOW, "not of this session");
	put(b, &c, RECORD_TOOL_CALL, RECORD_DENY, "wipe");
	put(b, &c, RECORD_TOOL_CALL, RECORD_STEP_UP, "pay \"%\\ \xc3\xa9\x7f");
	put(b, &c, RECORD_TOOL_CALL, RECORD_DECISION_FAULT, "echo");
	put(b, &c, RECORD_TOOL_CALL, RECORD_REDACT, "mail");
	end(b, &c);
	settle(b);
	seen = judge(b, c.session_id, 1, 1000, NULL);
	assert_int_equal(seen.claim, ATTEST_INCOMPLETE); /* software-only, and nothing else is open */
	assert_int_equal(seen.record, ATTEST_INCOMPLETE);
	assert_string_equal(seen.code, "");
	assert_int_not_equal(seen.bundle, ATTEST_REJECTED);
	file = read_claim(b, c.session_id, 1);
	assert_int_equal(figure(file, "gateway.audit_chain.length"), 7);
	assert_int_equal(figure(file, "gateway.call_summary.tool_calls_total"), 5);
	assert_int_equal(figure(file, "gateway.call_summary.tool_calls_allowed"), 2);
	assert_int_equal(figure(file, "gateway.call_summary.tool_calls_denied"), 2);
	assert_int_equal(figure(file, "gateway.call_summary.tool_calls_faulted"), 1);
	assert_int_equal(json_array_size(json_path(json_object_get(file, "claim"),
						   "gateway.call_summary.tools_invoked")), 2);
	assert_null(read_claim(b, other.session_id, 1)); /* still open */
	assert_int_equal(b->alarms, 0);
}

static void a_log_that_was_cut_contradicts(void **state)
{
	struct bench *b = *state;
	struct chain c = begin(b, HASH("1111"), NULL);
	struct seen seen;

	put(b, &c, RECORD_TOOL_CALL, RECORD_ALLOW, "echo");
	put(b, &c, RECORD_TOOL_CALL, RECORD_DENY, "wipe");
	end(b, &c);
	settle(b);
	for (unsigned left = 0; left < 4; left++) {
		seen = judge(b, c.session_id, 1, left, NULL);
		assert_int_equal(seen.bundle, ATTEST_REJECTED);
		assert_string_equal(seen.code, left ? "tip-of-claim" : "bundle-malformed");
	}
	assert_int_not_equal(judge(b, c.session_id, 1, 4, NULL).bundle, ATTEST_REJECTED);
}

static void a_reload_opens_the_next_in_line(void **state)
{
	struct bench *b = *state;
	struct chain first = begin(b, HASH("1111"), NULL), second;
	_cleanup_json_ json_t *before = NULL, *after = NULL;
	struct claim_expect expect = { 0 };
	struct attest_result res;

	put(b, &first, RECORD_TOOL_CALL, RECORD_ALLOW, "echo");
	second = begin(b, HASH("5555"), first.session_id);
	end(b, &first);
	put(b, &second, RECORD_TOOL_CALL, RECORD_DENY, "echo");
	end(b, &second);
	settle(b);
	before = read_claim(b, first.session_id, 1);
	after = read_claim(b, second.session_id, 2);
	assert_non_null(before);
	assert_non_null(after);
	assert_string_equal(json_string_value(json_path(json_object_get(before, "claim"),
							"trace.policy.bundle_hash")), HASH("1111"));
	assert_string_equal(json_string_value(json_path(json_object_get(after, "claim"),
							"trace.policy.bundle_hash")), HASH("5555"));
	expect.previous = json_object_get(before, "claim");
	attest_result_init(&res, "claim", (int64_t)(clock_real_ns() / 1000000000u));
	assert_int_equal(claim_verify(json_object_get(after, "claim"), &expect, &res), 0);
	assert_string_equal(attest_finding(&res, "claim.previous")->code, "previous-number");
	assert_int_equal(attest_appraise(&res, NULL), ATTEST_INCOMPLETE);
	attest_result_done(&res);
	expect.previous = json_object_get(after, "claim"); /* another than the one before it */
	attest_result_init(&res, "claim", (int64_t)(clock_real_ns() / 1000000000u));
	assert_int_equal(claim_verify(json_object_get(after, "claim"), &expect, &res), 0);
	assert_int_equal(attest_appraise(&res, NULL), ATTEST_REJECTED);
	attest_result_done(&res);
}

static void one_on_demand_and_one_at_the_end(void **state)
{
	struct bench *b = *state;
	struct chain c = begin(b, HASH("1111"), NULL);
	_cleanup_json_ json_t *early = NULL;
	struct claim_made made;

	put(b, &c, RECORD_TOOL_CALL, RECORD_ALLOW, "echo");
	assert_int_equal(notary_claim(b->n, c.session_id, &made), 0);
	assert_int_equal(made.number, 1);
	assert_int_equal(made.length, 2);
	assert_int_equal(made.weakest, RECORD_RING);
	early = read_claim(b, c.session_id, 1);
	assert_int_not_equal(judge(b, c.session_id, 1, 2, NULL).bundle, ATTEST_REJECTED);
	put(b, &c, RECORD_TOOL_CALL, RECORD_ALLOW, "echo");
	end(b, &c);
	settle(b);
	assert_int_not_equal(judge(b, c.session_id, 2, 4, early).bundle, ATTEST_REJECTED);
	assert_int_equal(notary_claim(b->n, c.session_id, &made), -ENOENT);
	assert_int_equal(notary_claim(b->n, "x", &made), -ENOENT);
}

static int keep(void *arg)
{
	return 0;
}

/* The key is another when the session ends than when it began. */
static void a_rotated_key_signs_what_follows(void **state)
{
	static const uint8_t seed[KEY_SIZE] = { 9 };
	struct bench *b = *state;
	struct chain c = begin(b, HASH("1111"), NULL);
	_cleanup_json_ json_t *early = NULL;
	struct log_key *next;
	struct claim_made made;
	struct seen seen;

	assert_int_equal(notary_claim(b->n, c.session_id, &made), 0);
	early = read_claim(b, c.session_id, 1);
	assert_int_equal(judge(b, c.session_id, 1, 1, NULL).claim, ATTEST_INCOMPLETE);
	assert_int_equal(log_key_of_seed(seed, &next), 0);
	assert_int_equal(notary_rotate(b->n, next, keep, NULL), 0);
	put(b, &c, RECORD_TOOL_CALL, RECORD_ALLOW, "echo");
	end(b, &c);
	settle(b);
	seen = judge(b, c.session_id, 2, 3, early);
	assert_int_equal(seen.claim, ATTEST_INCOMPLETE);
	assert_int_not_equal(seen.bundle, ATTEST_REJECTED);
}

/* --- hardware ------------------------------------------------------------------------------------- */

static int setup_hardware(void **state)
{
	struct bench *b;
	int r = setup(state);

	if (r < 0)
		return r;
	b = *state;
	notary_close(b->n);
	b->no_hardware = false;
	open_notary(b);
	return 0;
}

static const char *platform_of(const json_t *file)
{
	return json_string_value(json_path(json_object_get(file, "claim"), "trace.runtime.platform"));
}

/* What the claim's report is asked to cover, and whether it does. */
static bool stands_on_report(struct bench *b, const char *id, const json_t *file)
{
	struct span raw = json_member_text(json_path(json_object_get(file, "claim"), "gateway.attestation_evidence"),
					   "raw_evidence");
	struct span stated = json_member_text(json_path(json_object_get(file, "claim"), "trace.runtime"), "nonce");
	uint8_t report[1184], nonce[CLAIM_NONCE_SIZE], want[CLAIM_NONCE_SIZE];
	char hex[2 * KEY_SIZE + 1], name[CLAIMS_NAME_SIZE], path[256];
	const char *root = json_string_value(json_path(json_object_get(file, "claim"), "gateway.audit_chain.root"));

	hex_encode(notary_key(b->n)->pub, KEY_SIZE, hex);
	claims_report_name(id, hex, name);
	(void)snprintf(path, sizeof(path), "%s/%s", b->f->dir, name);
	return claim_nonce(notary_key(b->n)->pub, span_of(root), want) == 0 &&
	       base64url_decode(raw, report, sizeof(report)) == 0 && base64url_decode(stated, nonce, sizeof(nonce)) == 0 &&
	       memcmp(nonce, want, sizeof(want)) == 0 && memcmp(report + 0x50, want, sizeof(want)) == 0 &&
	       access(path, R_OK) == 0;
}

static void one_report_per_session(void **state)
{
	struct bench *b = *state;
	struct chain c = begin(b, HASH("1111"), NULL);
	_cleanup_json_ json_t *early = NULL, *last = NULL;
	struct claim_made made;

	settle(b);
	assert_int_equal(b->reports, 1); /* when it has begun */
	for (unsigned i = 0; i < 50; i++)
		put(b, &c, RECORD_TOOL_CALL, RECORD_ALLOW, "echo");
	assert_int_equal(notary_claim(b->n, c.session_id, &made), 0);
	assert_string_equal(made.platform, "amd-sev-snp");
	end(b, &c);
	settle(b);
	assert_int_equal(b->reports, 1); /* whatever it called, and however many claims */
	early = read_claim(b, c.session_id, 1);
	last = read_claim(b, c.session_id, 2);
	assert_string_equal(platform_of(early), "amd-sev-snp");
	assert_true(stands_on_report(b, c.session_id, early));
	assert_true(stands_on_report(b, c.session_id, last));
	assert_int_equal(b->alarms, 0);
}

static void hardware_that_fails_is_not_named(void **state)
{
	struct bench *b = *state;
	struct chain c = begin(b, HASH("1111"), NULL), d;
	_cleanup_json_ json_t *one = NULL, *two = NULL;
	_cleanup_buf_ struct buf log = { 0 };

	b->report_error = -EIO;
	end(b, &c);
	settle(b);
	one = read_claim(b, c.session_id, 1);
	assert_string_equal(platform_of(one), "software-only");
	assert_null(json_path(json_object_get(one, "claim"), "gateway.attestation_evidence"));
	assert_int_equal(b->alarms, 1);
	fixture_read(b->f, "0000000000000000.jsonl", &log);
	assert_non_null(memmem(buf_span(&log).p, buf_len(&log), "\"claimed_platform\":\"software-only\"", 34));
	b->report_error = 0; /* it answers again */
	d = begin(b, HASH("1111"), NULL);
	end(b, &d);
	settle(b);
	two = read_claim(b, d.session_id, 1);
	assert_true(stands_on_report(b, d.session_id, two));
}

/* What was begun before a restart has the report that was taken then, or none: the machine may have booted since. */
static void a_restart_takes_no_reports_of_old_sessions(void **state)
{
	struct bench *b = *state;
	struct chain with = begin(b, HASH("1111"), NULL), without;
	_cleanup_json_ json_t *one = NULL, *two = NULL;

	settle(b);
	b->report_error = -EIO;
	without = begin(b, HASH("1111"), NULL);
	settle(b);
	assert_int_equal(b->reports, 2);
	notary_close(b->n);
	b->report_error = 0;
	open_notary(b); /* and closes what was open */
	settle(b);
	assert_int_equal(b->reports, 2);
	one = read_claim(b, with.session_id, 1);
	two = read_claim(b, without.session_id, 1);
	assert_true(stands_on_report(b, with.session_id, one));
	assert_string_equal(platform_of(two), "software-only");
}

static void a_rotated_key_has_a_report_of_its_own(void **state)
{
	static const uint8_t seed[KEY_SIZE] = { 9 };
	struct bench *b = *state;
	struct chain c = begin(b, HASH("1111"), NULL);
	_cleanup_json_ json_t *early = NULL, *last = NULL;
	struct log_key *next;
	struct claim_made made;

	assert_int_equal(notary_claim(b->n, c.session_id, &made), 0);
	early = read_claim(b, c.session_id, 1);
	assert_true(stands_on_report(b, c.session_id, early));
	assert_int_equal(log_key_of_seed(seed, &next), 0);
	assert_int_equal(notary_rotate(b->n, next, keep, NULL), 0);
	assert_false(stands_on_report(b, c.session_id, early));
	end(b, &c);
	settle(b);
	last = read_claim(b, c.session_id, 2);
	assert_true(stands_on_report(b, c.session_id, last));
	assert_int_equal(b->reports, 2);
}

/* Sessions that end with the node: after its next start nobody could ask for them. */
static void the_last_sessions_have_theirs(void **state)
{
	struct bench *b = *state;
	struct chain c[5];

	for (unsigned i = 0; i < 5; i++) {
		c[i] = begin(b, HASH("1111"), NULL);
		end(b, &c[i]);
	}
	notary_close(b->n);
	assert_int_equal(b->reports, 5);
	open_notary(b);
	for (unsigned i = 0; i < 5; i++) {
		_cleanup_json_ json_t *file = read_claim(b, c[i].session_id, 1);

		assert_true(stands_on_report(b, c[i].session_id, file));
	}
}

/* A claim says how old its hardware's answer is; of one that would be stale before its day is over a new one is taken. */
static void a_long_session_is_asked_again(void **state)
{
	static const uint64_t ages[] = { 3600, 50000 };
	struct bench *b = *state;

	for (unsigned i = 0; i < 2; i++) {
		struct chain c = begin(b, HASH("1111"), NULL);
		_cleanup_json_ json_t *file = NULL;
		uint64_t attested = 0, made;

		b->age_s = ages[i];
		settle(b);
		b->reports = 0;
		b->age_s = 0;
		end(b, &c);
		settle(b);
		assert_int_equal(b->reports, i);
		file = read_claim(b, c.session_id, 1);
		made = (uint64_t)figure(file, "trace.iat");
		assert_int_equal(clock_parse_iso(json_string_value(json_path(json_object_get(file, "claim"),
				 "gateway.attestation_generated_at")), &attested), 0);
		assert_in_range(made - attested / 1000000000u, i ? 0 : 3600, i ? 60 : 3660);
	}
}

/* A file that is not the report of this session under this key is none. */
static void a_report_of_another_is_none(void **state)
{
	struct bench *b = *state;
	struct chain c = begin(b, HASH("1111"), NULL), d = begin(b, HASH("1111"), NULL);
	char hex[2 * KEY_SIZE + 1], from[CLAIMS_NAME_SIZE], to[CLAIMS_NAME_SIZE], command[600];
	_cleanup_json_ json_t *one = NULL, *two = NULL;

	settle(b);
	hex_encode(notary_key(b->n)->pub, KEY_SIZE, hex);
	claims_report_name(c.session_id, hex, from);
	claims_report_name(d.session_id, hex, to);
	(void)snprintf(command, sizeof(command), "cd %s && cp %s %s && echo nonsense >%s", b->f->dir, from, to, from);
	assert_int_equal(system(command), 0);
	end(b, &c);
	end(b, &d);
	settle(b);
	one = read_claim(b, c.session_id, 1);
	two = read_claim(b, d.session_id, 1);
	assert_string_equal(platform_of(one), "software-only");
	assert_string_equal(platform_of(two), "software-only");
}

static void begin_many(struct claims *c, const struct record_view *v, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		struct record_view other = *v;
		char id[CHAIN_ID_SIZE];

		(void)snprintf(id, sizeof(id), "00000000-0000-4000-8000-%012u", i);
		other.session_id = span_of(id);
		assert_int_equal(claims_seen(c, &other, false), 0);
	}
}

/* More sessions at once than may wait for their reports: the rest goes without, and memory does not grow. */
static void reports_wait_for_so_many(void **state)
{
	struct bench *b = *state;
	struct claims_config config = { .log_dirfd = b->f->dirfd, .origin = "node.test", .producer = "tollgate/test",
					.report = take_report, .report_arg = b };
	struct chain c = begin(b, HASH("1111"), NULL);
	struct segment_reader *r;
	struct record_view v;
	struct claims *claims;
	struct span line;

	settle(b);
	b->reports = 0;
	assert_int_equal(segment_reader_open(b->f->dirfd, 0, &r), 0);
	do {
		assert_int_equal(segment_read(r, &line, NULL), 0);
		assert_int_equal(record_view_parse(line, &v, NULL), 0);
	} while (!span_is(v.session_id, c.session_id));
	assert_int_equal(claims_new(&config, &claims), 0);
	claims_start(claims, 0, "own");
	begin_many(claims, &v, CLAIMS_REPORTS_MAX + 7);
	assert_int_equal(claims_unreported(claims), CLAIMS_REPORTS_MAX);
	assert_int_equal(claims_report_next(claims), 0);
	assert_int_equal(claims_unreported(claims), CLAIMS_REPORTS_MAX - 1);
	assert_int_equal(b->reports, 1);
	claims_free(claims);
	segment_reader_close(r);
}

/* A session that goes on from one whose end has not come yet must not begin a line of its own. */
static void no_claim_ahead_of_the_one_before(void **state)
{
	struct bench *b = *state;
	struct chain first = begin(b, HASH("1111"), NULL), second = begin(b, HASH("1111"), first.session_id);
	struct claim_made made;

	assert_int_equal(notary_claim(b->n, second.session_id, &made), -EAGAIN);
	end(b, &first);
	assert_int_equal(notary_claim(b->n, second.session_id, &made), 0);
	assert_int_equal(made.number, 2);
}

/* The notary ends between a session's end and its claim, or in the middle of the session. */
static void a_restart_makes_what_is_missing(void **state)
{
	struct bench *b = *state;
	struct chain done = begin(b, HASH("1111"), NULL), open = begin(b, HASH("1111"), NULL);
	struct claim_made made;
	_cleanup_json_ json_t *early = NULL;

	put(b, &done, RECORD_TOOL_CALL, RECORD_ALLOW, "echo");
	put(b, &open, RECORD_TOOL_CALL, RECORD_ALLOW, "echo");
	assert_int_equal(notary_claim(b->n, open.session_id, &made), 0);
	end(b, &done);
	assert_true(notary_drain(b->n, 10000) >= 0);
	notary_close(b->n);
	open_notary(b); /* and closes what was open: producers_gone */
	settle(b);
	assert_int_not_equal(judge(b, done.session_id, 1, 3, NULL).bundle, ATTEST_REJECTED);
	early = read_claim(b, open.session_id, 1);
	assert_int_not_equal(judge(b, open.session_id, 2, 3, early).bundle, ATTEST_REJECTED);
	assert_null(read_claim(b, done.session_id, 2)); /* one is enough */
}

static const char *durability_in(const json_t *file)
{
	return strstr(json_string_value(json_path(json_object_get(file, "claim"), "trace.tool_transcript.transcript_uri")),
		      "durability=");
}

static void the_weakest_durability_is_named(void **state)
{
	struct bench *b = *state;
	_cleanup_json_ json_t *one = NULL, *two = NULL;
	struct chain c, d;

	attach(b, RECORD_WRITTEN);
	c = begin(b, HASH("1111"), NULL);
	end(b, &c);
	d = begin(b, HASH("1111"), NULL);
	attach(b, RECORD_RING);
	put(b, &d, RECORD_TOOL_CALL, RECORD_ALLOW, "echo");
	attach(b, RECORD_SYNCED);
	end(b, &d);
	settle(b);
	one = read_claim(b, c.session_id, 1);
	two = read_claim(b, d.session_id, 1);
	assert_string_equal(durability_in(one), "durability=written");
	assert_string_equal(durability_in(two), "durability=ring");
}

static json_t *claim_of_manifest(struct bench *b, const char *policy)
{
	const struct record_kv kv[] = {
		{ "catalog_hash", SPAN(HASH("2222")), 0 }, { "mode", SPAN("enforcing"), 0 },
		{ "policy_hash", span_of(policy), 0 }, { "program_hash", SPAN(HASH("3333")), 0 },
		{ "manifest_agent_id", SPAN("spiffe://example.org/a"), 0 }, { "manifest_id", SPAN("m-1"), 0 },
		{ "manifest_issuer", SPAN("spiffe://example.org/i"), 0 }, { "manifest_key_id", SPAN("ab"), 0 },
		{ "manifest_policy_hash", SPAN(HASH("1111")), 0 },
		{ "manifest_catalog_hash", SPAN(HASH("2222")), 0 },
	};
	struct record rec;
	struct chain c;
	uint64_t pos;

	record_init(&rec, RECORD_SESSION_START, RECORD_ALLOW);
	rec.agent = SPAN("coder");
	rec.detail = kv;
	rec.detail_n = sizeof(kv) / sizeof(kv[0]);
	assert_int_equal(recorder_begin(b->w, &c, &rec, &pos), 0);
	end(b, &c);
	settle(b);
	return read_claim(b, c.session_id, 1);
}

/* The manifest is named in the claim when it is for the policy in force, and not otherwise. */
static void the_bound_manifest_is_named(void **state)
{
	_cleanup_json_ json_t *bound = claim_of_manifest(*state, HASH("1111")),
			      *other = claim_of_manifest(*state, HASH("5555"));
	const json_t *identity = json_path(json_object_get(bound, "claim"), "gateway.agent_identity");

	assert_true(span_is(json_member_text(identity, "manifest_id"), "m-1"));
	assert_true(span_is(json_member_text(identity, "authenticated_subject"), "spiffe://example.org/a"));
	assert_non_null(json_object_get(other, "claim"));
	assert_null(json_path(json_object_get(other, "claim"), "gateway.agent_identity"));
}

/* What the first record does not state, no claim states; and the log says that there is none. */
static void a_session_without_facts_has_none(void **state)
{
	struct bench *b = *state;
	_cleanup_buf_ struct buf log = { 0 };
	struct record rec;
	struct chain c;
	uint64_t pos;

	record_init(&rec, RECORD_SESSION_START, RECORD_ALLOW);
	rec.agent = SPAN("coder");
	assert_int_equal(recorder_begin(b->w, &c, &rec, &pos), 0);
	end(b, &c);
	settle(b);
	assert_null(read_claim(b, c.session_id, 1));
	assert_int_equal(b->alarms, 1);
	fixture_read(b->f, "0000000000000000.jsonl", &log);
	assert_non_null(memmem(buf_span(&log).p, buf_len(&log), "\"claim_refused\"", 15));
}

/* A record is missing: what follows cannot be vouched for, nor what came before as if it were all. */
static void a_broken_session_has_none(void **state)
{
	struct bench *b = *state;
	struct chain c = begin(b, HASH("1111"), NULL);
	struct claim_made made;

	put(b, &c, RECORD_TOOL_CALL, RECORD_ALLOW, "echo");
	c.sequence++;
	put(b, &c, RECORD_TOOL_CALL, RECORD_ALLOW, "echo");
	assert_int_equal(notary_claim(b->n, c.session_id, &made), -EINVAL);
	end(b, &c);
	settle(b);
	assert_null(read_claim(b, c.session_id, 1));
	assert_int_equal(b->alarms, 2); /* the break, and that there is no claim */
}

static unsigned claims_there(struct bench *b)
{
	char path[128];
	struct dirent *e;
	unsigned n = 0;
	DIR *d;

	(void)snprintf(path, sizeof(path), "%s/" CLAIMS_DIR, b->f->dir);
	d = opendir(path);
	while (d && (e = readdir(d)))
		n += strstr(e->d_name, "-1.json") != NULL;
	if (d)
		(void)closedir(d);
	return n;
}

/* More than are made with one checkpoint: the rest does not wait for the next one. */
static void many_sessions_end_at_once(void **state)
{
	struct bench *b = *state;

	for (unsigned i = 0; i < 200; i++) {
		struct chain c = begin(b, HASH("1111"), NULL);

		end(b, &c);
	}
	for (unsigned i = 0; i < 200000 && claims_there(b) < 150; i++)
		assert_true(notary_drain(b->n, 10000) >= 0);
	assert_true(claims_there(b) >= 150);
}

static void too_many_calls_are_counted_only(void **state)
{
	struct bench *b = *state;
	struct chain c = begin(b, HASH("1111"), NULL);
	_cleanup_json_ json_t *file = NULL;

	for (unsigned i = 0; i < CLAIM_CALLS_MAX + 5; i++) {
		put(b, &c, RECORD_TOOL_CALL, RECORD_ALLOW, "echo");
		if (i % 100 == 0)
			assert_true(notary_drain(b->n, 10000) >= 0);
	}
	end(b, &c);
	settle(b);
	file = read_claim(b, c.session_id, 1);
	assert_null(json_path(json_object_get(file, "claim"), "trace.tool_transcript.entries"));
	assert_int_equal(figure(file, "trace.tool_transcript.call_count"), CLAIM_CALLS_MAX + 5);
	assert_int_not_equal(judge(b, c.session_id, 1, 1u << 20, NULL).bundle, ATTEST_REJECTED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_session_has_its_claim, setup, teardown),
		cmocka_unit_test_setup_teardown(a_log_that_was_cut_contradicts, setup, teardown),
		cmocka_unit_test_setup_teardown(a_reload_opens_the_next_in_line, setup, teardown),
		cmocka_unit_test_setup_teardown(one_on_demand_and_one_at_the_end, setup, teardown),
		cmocka_unit_test_setup_teardown(a_rotated_key_signs_what_follows, setup, teardown),
		cmocka_unit_test_setup_teardown(one_report_per_session, setup_hardware, teardown),
		cmocka_unit_test_setup_teardown(hardware_that_fails_is_not_named, setup_hardware, teardown),
		cmocka_unit_test_setup_teardown(a_restart_takes_no_reports_of_old_sessions, setup_hardware, teardown),
		cmocka_unit_test_setup_teardown(a_rotated_key_has_a_report_of_its_own, setup_hardware, teardown),
		cmocka_unit_test_setup_teardown(the_last_sessions_have_theirs, setup_hardware, teardown),
		cmocka_unit_test_setup_teardown(a_long_session_is_asked_again, setup_hardware, teardown),
		cmocka_unit_test_setup_teardown(a_report_of_another_is_none, setup_hardware, teardown),
		cmocka_unit_test_setup_teardown(reports_wait_for_so_many, setup_hardware, teardown),
		cmocka_unit_test_setup_teardown(no_claim_ahead_of_the_one_before, setup, teardown),
		cmocka_unit_test_setup_teardown(a_restart_makes_what_is_missing, setup, teardown),
		cmocka_unit_test_setup_teardown(the_weakest_durability_is_named, setup, teardown),
		cmocka_unit_test_setup_teardown(the_bound_manifest_is_named, setup, teardown),
		cmocka_unit_test_setup_teardown(a_session_without_facts_has_none, setup, teardown),
		cmocka_unit_test_setup_teardown(a_broken_session_has_none, setup, teardown),
		cmocka_unit_test_setup_teardown(many_sessions_end_at_once, setup, teardown),
		cmocka_unit_test_setup_teardown(too_many_calls_are_counted_only, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
