// SPDX-License-Identifier: Apache-2.0
#include "user/notary/record.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "user/base/hasher.h"
#include "user/notary/chain.h"
#include "user/notary/members.h"
#include "user/notary/salt.h"
#include "user/notary/view.h"

#define AT UINT64_C(1790000000123456789)

static struct chain fixed_chain(void)
{
	return (struct chain){
		.session_id = "11111111-2222-4333-8444-555555555555",
		.prev = CHAIN_GENESIS,
	};
}

static void members_are_in_code_point_order(void **state)
{
	for (unsigned i = 0; i < M_COUNT; i++) {
		struct span a = record_member_name(i), b;

		assert_int_equal(strlen(record_members[i].key), record_members[i].key_n);
		assert_true(record_members[i].key_n >= MEMBER_KEY_MIN);
		if (i + 1 == M_COUNT)
			break;
		b = record_member_name(i + 1);
		/* A name sorts before its own extensions, as '"' would not tell. */
		int d = memcmp(a.p, b.p, a.n < b.n ? a.n : b.n);
		assert_true(d < 0 || (d == 0 && a.n < b.n));
	}
}

/* The text and its hash were computed with Python's json and hashlib from the members. */
static void writes_the_canonical_line(void **state)
{
	static const char want[] =
		"{\"call_id\":null,\"detail\":null,\"durability\":\"ring\",\"effective_data_class\":null,"
		"\"entry_hash\":\"040c287edbe852fbdbabc623a1c6ca4c41c29cce2bfacecbf3c339fa8599aed7\","
		"\"entry_id\":\"11111111-2222-8333-8000-000000000000\",\"entry_type\":\"session_start\","
		"\"evidence_class\":\"hash-only\",\"external_execution_evidence\":null,\"latency_us\":null,"
		"\"policy_decision\":\"n/a\",\"policy_rule_matched\":null,\"prev_entry_hash\":\"genesis\","
		"\"request_payload_hash\":null,\"response_inspection_result\":\"n/a\","
		"\"response_payload_hash\":null,\"sequence_number\":0,\"server_identity\":null,"
		"\"session_id\":\"11111111-2222-4333-8444-555555555555\",\"session_sensitivity_after\":\"public\","
		"\"session_sensitivity_before\":null,\"timestamp_utc\":\"2026-09-21T14:13:20.123456+00:00\","
		"\"tool_name\":null,\"workflow_id\":null}";
	struct chain c = fixed_chain();
	struct record_writer *w;
	struct record_line line;
	struct record rec;

	assert_int_equal(record_writer_new(&w), 0);
	record_init(&rec, RECORD_SESSION_START, RECORD_NA);
	rec.sensitivity_after = SPAN("public");
	assert_int_equal(record_write(w, &rec, &c, AT, &line), 0);
	assert_int_equal(line.text.n, strlen(want));
	assert_memory_equal(line.text.p, want, line.text.n);
	assert_memory_equal(line.entry_hash, "040c287e", 8);
	record_writer_free(w);
}

static void every_member_comes_back(void **state)
{
	const struct span ids[] = { SPAN("a"), SPAN("b\"c") };
	const struct record_kv kv[] = { { "z", SPAN("last"), 0 }, { "a", { NULL, 0 }, -5 } };
	struct chain c = fixed_chain();
	struct record_writer *w;
	struct record_line line;
	struct record_view v;
	struct record rec;
	struct hasher *h;
	char *base = (char *)&rec;
	size_t at;

	assert_int_equal(record_writer_new(&w), 0);
	assert_int_equal(hasher_new(&h), 0);
	record_init(&rec, RECORD_TOOL_CALL, RECORD_STEP_UP);
	for (unsigned i = 0; i < M_COUNT; i++) {
		const struct member *m = &record_members[i];

		if (m->kind == MEMBER_TEXT)
			*(struct span *)(base + m->offset) = record_member_name(i);
		else if (m->kind == MEMBER_INT)
			*(int64_t *)(base + m->offset) = 1000 + i;
	}
	rec.judged_late = true;
	rec.policy_ids = ids;
	rec.policy_ids_n = 2;
	rec.detail = kv;
	rec.detail_n = 2;
	rec.durability = RECORD_SYNCED;
	assert_int_equal(record_write(w, &rec, &c, AT, &line), 0);
	assert_int_equal(record_view_parse(line.text, &v, &at), 0);
	assert_int_equal(record_view_hash(&v, h), 0);
	for (unsigned i = 0; i < M_COUNT; i++) {
		assert_non_null(v.m[i].p);
		if (record_members[i].kind == MEMBER_TEXT)
			assert_true(span_eq(record_view_text(&v, i), record_member_name(i)));
		else if (record_members[i].kind == MEMBER_INT)
			assert_int_equal(record_view_int(&v, i), 1000 + i);
	}
	assert_true(span_is(v.m[M_DETAIL], "{\"a\":-5,\"z\":\"last\"}"));
	assert_true(span_is(v.m[M_POLICY_IDS], "[\"a\",\"b\\\"c\"]"));
	assert_true(span_is(v.m[M_JUDGED_LATE], "true"));
	assert_true(span_is(v.m[M_DURABILITY], "\"synced\""));
	hasher_free(h);
	record_writer_free(w);
}

static void names_that_two_canonical_forms_would_write_differently(void **state)
{
	struct chain c = fixed_chain();
	struct record_writer *w;
	struct record_line line;
	struct record_view v;
	struct record rec;
	char shown[64];

	assert_int_equal(record_writer_new(&w), 0);
	record_init(&rec, RECORD_TOOL_CALL, RECORD_DENY);
	rec.tool_name = SPAN("l\xc3\xb6sch\x7f%\n\"\\\xff");
	assert_int_equal(record_write(w, &rec, &c, AT, &line), 0);
	assert_int_equal(record_view_parse(line.text, &v, NULL), 0);
	assert_true(span_is(record_view_text(&v, M_TOOL_NAME), "l%C3%B6sch%7F%25%0A\\\"\\\\%FF"));
	record_unescape(record_view_text(&v, M_TOOL_NAME), shown, sizeof(shown));
	assert_string_equal(shown, "l\xc3\xb6sch\x7f%\n\"\\\xff");
	for (size_t i = 0; i < line.text.n; i++)
		assert_true(line.text.p[i] >= 0x20 && line.text.p[i] < 0x7f);
	record_writer_free(w);
}

/* The escape as the format states it, one byte at a time. */
static size_t escaped(const char *p, size_t n, char *ret)
{
	size_t at = 0;

	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)p[i];

		if (c == '"' || c == '\\')
			at += (size_t)sprintf(ret + at, "\\%c", c);
		else if (c < 0x20 || c >= 0x7f || c == '%')
			at += (size_t)sprintf(ret + at, "%%%02X", c);
		else
			ret[at++] = (char)c;
	}
	return at;
}

static size_t plain(const char *p, size_t n)
{
	char one[4];
	size_t i = 0;

	while (i < n && escaped(p + i, 1, one) == 1)
		i++;
	return i;
}

/* Texts are looked at many bytes at a time: whatever byte, wherever it stands, in a text of whatever length. */
static void every_byte_is_escaped_wherever_it_stands(void **state)
{
	struct record_writer *w;
	char want[3 * 48];
	struct span is;

	assert_int_equal(record_writer_new(&w), 0);
	for (size_t n = 0; n < 40; n++) {
		char *exact = malloc(n ? n : 1); /* so that a read past the end is seen */

		assert_non_null(exact);
		for (size_t at = 0; at < n; at++)
			for (int c = 0; c < 256; c++) {
				memset(exact, 'a', n);
				exact[at] = (char)c;
				exact[n - 1 - at] ^= at % 3 ? 0 : 4; /* 'e', or a second change of the same */
				assert_int_equal(record_text(w, (struct span){ exact, n }, &is), 0);
				assert_int_equal(is.n, escaped(exact, n, want));
				assert_memory_equal(is.p, want, is.n);
				assert_int_equal(record_plain_run(exact, n), plain(exact, n));
			}
		free(exact);
	}
	record_writer_free(w);
}

static void long_names_end_in_their_digest(void **state)
{
	struct chain c = fixed_chain();
	struct record_writer *w;
	struct record_line line;
	struct record_view v;
	struct record rec;
	char *name = malloc(100000);
	struct span text, same;

	assert_non_null(name);
	memset(name, 'x', 100000);
	assert_int_equal(record_writer_new(&w), 0);
	record_init(&rec, RECORD_TOOL_CALL, RECORD_DENY);
	rec.tool_name = (struct span){ name, 100000 };
	assert_int_equal(record_write(w, &rec, &c, AT, &line), 0);
	assert_int_equal(record_view_parse(line.text, &v, NULL), 0);
	text = record_view_text(&v, M_TOOL_NAME);
	assert_int_equal(text.n, RECORD_STRING_KEEP + 1 + 7 + 64);
	char keep[256];
	memcpy(keep, text.p, text.n);
	assert_int_equal(record_text(w, rec.tool_name, &same), 0);
	assert_true(span_eq(same, (struct span){ keep, text.n }));
	/* A short name that looks like the shortened form is escaped, hence another text. */
	assert_int_equal(record_text(w, (struct span){ keep, text.n }, &same), 0);
	assert_false(span_eq(same, (struct span){ keep, text.n }));
	free(name);
	record_writer_free(w);
}

static void refuses_what_has_no_form(void **state)
{
	const struct record_kv twice[] = { { "a", SPAN("1"), 0 }, { "a", SPAN("2"), 0 } };
	const struct record_kv odd[] = { { "A b", SPAN("1"), 0 } };
	struct chain c = fixed_chain();
	struct record_writer *w;
	struct record_line line;
	struct record rec;

	assert_int_equal(record_writer_new(&w), 0);
	record_init(&rec, RECORD_TYPE_NONE, RECORD_DENY);
	assert_int_equal(record_write(w, &rec, &c, AT, &line), -EINVAL);
	record_init(&rec, RECORD_TOOL_CALL, RECORD_DENY);
	rec.latency_us = RECORD_INT_MAX + 1;
	assert_int_equal(record_write(w, &rec, &c, AT, &line), -EINVAL);
	rec.latency_us = RECORD_INT_MAX;
	assert_int_equal(record_write(w, &rec, &c, AT, &line), 0);
	rec.detail = twice;
	rec.detail_n = 2;
	assert_int_equal(record_write(w, &rec, &c, AT, &line), -EINVAL);
	rec.detail = odd;
	rec.detail_n = 1;
	assert_int_equal(record_write(w, &rec, &c, AT, &line), -EINVAL);
	record_writer_free(w);
}

/* All strings as long and as hostile as they can be still fit. */
static void the_largest_record_fits(void **state)
{
	struct record_kv kv[RECORD_DETAIL_MAX];
	char keys[RECORD_DETAIL_MAX][4];
	struct span ids[40];
	struct chain c = fixed_chain();
	struct record_writer *w;
	struct record_line line;
	struct record_view v;
	struct record rec;
	char worst[512], shorter[96];

	memset(worst, '\xff', sizeof(worst));
	memset(shorter, 'k', sizeof(shorter));
	assert_int_equal(record_writer_new(&w), 0);
	record_init(&rec, RECORD_TOOL_CALL, RECORD_DENY);
	for (unsigned i = 0; i < M_COUNT; i++)
		if (record_members[i].kind == MEMBER_TEXT)
			*(struct span *)((char *)&rec + record_members[i].offset) =
				(struct span){ worst, sizeof(worst) };
	for (unsigned i = 0; i < RECORD_DETAIL_MAX; i++) {
		(void)snprintf(keys[i], sizeof(keys[i]), "k%u", i);
		kv[i] = (struct record_kv){ keys[i], { shorter, sizeof(shorter) }, 0 };
	}
	for (unsigned i = 0; i < 40; i++)
		ids[i] = (struct span){ shorter, sizeof(shorter) };
	rec.detail = kv;
	rec.detail_n = RECORD_DETAIL_MAX;
	rec.policy_ids = ids;
	rec.policy_ids_n = 40;
	assert_int_equal(record_write(w, &rec, &c, AT, &line), 0);
	assert_int_equal(record_view_parse(line.text, &v, NULL), 0);
	/* Beyond the limit it is refused, not cut. */
	for (unsigned i = 0; i < RECORD_DETAIL_MAX; i++)
		kv[i].s = (struct span){ worst, sizeof(worst) };
	assert_int_equal(record_write(w, &rec, &c, AT, &line), -EMSGSIZE);
	record_writer_free(w);
}

static void a_chain_follows_and_time_never_runs_back(void **state)
{
	static const uint8_t key[SHA256_SIZE] = { 1 };
	struct record_writer *w;
	struct record_line a, b;
	struct record rec;
	struct record_view v;
	struct chain c;
	char hash[65];

	assert_int_equal(record_writer_new(&w), 0);
	assert_int_equal(chain_start(&c, key), 0);
	record_init(&rec, RECORD_SESSION_START, RECORD_NA);
	assert_int_equal(record_write(w, &rec, &c, AT, &a), 0);
	memcpy(hash, a.entry_hash, 65);
	chain_advance(&c, &a);
	record_init(&rec, RECORD_TOOL_CALL, RECORD_ALLOW);
	assert_int_equal(record_write(w, &rec, &c, AT - 1000000000, &b), 0);
	assert_int_equal(b.real_ns, AT);
	assert_int_equal(record_view_parse(b.text, &v, NULL), 0);
	assert_int_equal(v.sequence, 1);
	assert_true(span_is(v.prev, hash));
	assert_true(span_is(v.session_id, c.session_id));
	record_writer_free(w);
}

static void facts_become_detail(void **state)
{
	const struct record_facts f = {
		.policy_hash = SPAN("sha256:aa"), .mode = SPAN("enforcing"),
		.attestation_platform = SPAN("software-only"),
	};
	struct record_kv kv[RECORD_DETAIL_MAX];
	struct chain c = fixed_chain();
	struct record_writer *w;
	struct record_line line;
	struct record_view v;
	struct record rec;

	assert_int_equal(record_writer_new(&w), 0);
	record_init(&rec, RECORD_SESSION_START, RECORD_NA);
	rec.detail_n = record_facts_detail(&f, kv);
	rec.detail = kv;
	assert_int_equal(record_write(w, &rec, &c, AT, &line), 0);
	assert_int_equal(record_view_parse(line.text, &v, NULL), 0);
	assert_true(span_is(v.m[M_DETAIL],
			    "{\"attestation_platform\":\"software-only\",\"identity\":\"self-asserted\","
			    "\"mode\":\"enforcing\",\"payload_commitment\":\"sha256-salted-v1\","
			    "\"policy_hash\":\"sha256:aa\"}"));
	record_writer_free(w);
}

/* Computed with Python's hashlib from the definition in salt.h. */
static void salts_are_as_defined(void **state)
{
	uint8_t node[SALT_SIZE], inst[SALT_SIZE], sess[SALT_SIZE], salt[SALT_SIZE], d[SHA256_SIZE];
	char text[SHA256_PREFIXED_SIZE], again[SHA256_PREFIXED_SIZE];
	struct chain c = fixed_chain();

	for (int i = 0; i < SALT_SIZE; i++)
		node[i] = (uint8_t)i;
	salt_instance_key(node, SPAN("epoch-1"), inst);
	salt_session_key(inst, span_of(c.session_id), sess);
	salt_derive(sess, 7, SALT_REQUEST, salt);
	sha256("{}", 2, d);
	salt_commit(salt, d, text);
	assert_string_equal(text, "sha256:9b4328b6bd0ddc9fb00f2ee8b3a5baae6c0bdb8f4c5b0a19c51113e55fcbdd2e");
	memcpy(c.salt_key, sess, sizeof(sess));
	c.sequence = 7;
	salt_commit_next(&c, SALT_REQUEST, SPAN("{}"), again);
	assert_string_equal(text, again);
	salt_commit_next(&c, SALT_RESPONSE, SPAN("{}"), again);
	assert_string_not_equal(text, again);
	c.sequence = 8;
	salt_commit_next(&c, SALT_REQUEST, SPAN("{}"), again);
	assert_string_not_equal(text, again);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(members_are_in_code_point_order),
		cmocka_unit_test(writes_the_canonical_line),
		cmocka_unit_test(every_member_comes_back),
		cmocka_unit_test(names_that_two_canonical_forms_would_write_differently),
		cmocka_unit_test(every_byte_is_escaped_wherever_it_stands),
		cmocka_unit_test(long_names_end_in_their_digest),
		cmocka_unit_test(refuses_what_has_no_form),
		cmocka_unit_test(the_largest_record_fits),
		cmocka_unit_test(a_chain_follows_and_time_never_runs_back),
		cmocka_unit_test(facts_become_detail),
		cmocka_unit_test(salts_are_as_defined),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
