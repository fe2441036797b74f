// SPDX-License-Identifier: Apache-2.0
#include "user/mcp/jsonrpc.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "user/base/cleanup.h"

static const struct {
	const char *text;
	enum jsonrpc_kind kind;
	int code;
	const char *id; /* "" none */
	bool answer;
} cases[] = {
	{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}", JSONRPC_REQUEST, 0, "1", true },
	{ "{\"method\":\"ping\",\"id\":\"a\\n\",\"params\":{},\"jsonrpc\":\"2.0\"}", JSONRPC_REQUEST, 0, "\"a\\n\"", true },
	{ "{\"\\u006asonrpc\":\"2.0\",\"id\":-5,\"method\":\"x\"}", JSONRPC_REQUEST, 0, "-5", true },
	{ "{\"jsonrpc\":\"2.0\",\"method\":\"n\"}", JSONRPC_NOTIFICATION, 0, "", true },
	{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}", JSONRPC_RESPONSE, 0, "1", false },
	{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":null}", JSONRPC_RESPONSE, 0, "1", false },
	{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":1,\"message\":\"m\"}}", JSONRPC_ERROR, 0, "1", false },
	{ "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":1,\"message\":\"m\"}}", JSONRPC_ERROR, 0, "", false },
	{ "{\"jsonrpc\":\"2.0\",\"error\":{\"code\":1,\"message\":\"m\"}}", JSONRPC_ERROR, 0, "", false },
	{ "[{\"jsonrpc\":\"2.0\",\"method\":\"n\"}]", JSONRPC_BATCH, 0, "", true },
	{ "[1]", JSONRPC_BATCH, 0, "", true },
	/* invalid, with the id that the answer carries */
	{ "[]", JSONRPC_INVALID, -32600, "", true },
	{ "1", JSONRPC_INVALID, -32600, "", true },
	{ "\"x\"", JSONRPC_INVALID, -32600, "", true },
	{ "null", JSONRPC_INVALID, -32600, "", true },
	{ "{}", JSONRPC_INVALID, -32600, "", true },
	{ "{\"id\":7,\"method\":\"x\"}", JSONRPC_INVALID, -32600, "7", true },
	{ "{\"jsonrpc\":2.0,\"id\":7,\"method\":\"x\"}", JSONRPC_INVALID, -32600, "7", true },
	{ "{\"jsonrpc\":\"1.0\",\"id\":7,\"method\":\"x\"}", JSONRPC_INVALID, -32600, "7", true },
	{ "{\"jsonrpc\":\"2.0\",\"id\":null,\"method\":\"x\"}", JSONRPC_INVALID, -32600, "", true },
	{ "{\"jsonrpc\":\"2.0\",\"id\":1.0,\"method\":\"x\"}", JSONRPC_INVALID, -32600, "", true },
	{ "{\"jsonrpc\":\"2.0\",\"id\":1e3,\"method\":\"x\"}", JSONRPC_INVALID, -32600, "", true },
	{ "{\"jsonrpc\":\"2.0\",\"id\":-0,\"method\":\"x\"}", JSONRPC_INVALID, -32600, "", true },
	{ "{\"jsonrpc\":\"2.0\",\"id\":true,\"method\":\"x\"}", JSONRPC_INVALID, -32600, "", true },
	{ "{\"jsonrpc\":\"2.0\",\"id\":[1],\"method\":\"x\"}", JSONRPC_INVALID, -32600, "", true },
	{ "{\"jsonrpc\":\"2.0\",\"id\":{},\"method\":\"x\"}", JSONRPC_INVALID, -32600, "", true },
	{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":5}", JSONRPC_INVALID, -32600, "1", true },
	{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":null}", JSONRPC_INVALID, -32600, "1", true },
	{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"x\",\"params\":[]}", JSONRPC_INVALID, -32600, "1", true },
	{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"x\",\"params\":null}", JSONRPC_INVALID, -32600, "1", true },
	{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"x\",\"result\":{}}", JSONRPC_INVALID, -32600, "1", true },
	{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"x\",\"error\":{}}", JSONRPC_INVALID, -32600, "1", true },
	{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{},\"error\":{}}", JSONRPC_INVALID, -32600, "1", false },
	{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":\"no\"}", JSONRPC_INVALID, -32600, "1", false },
	{ "{\"jsonrpc\":\"2.0\",\"result\":{}}", JSONRPC_INVALID, -32600, "", false },
	{ "{\"jsonrpc\":\"2.0\",\"id\":null,\"result\":{}}", JSONRPC_INVALID, -32600, "", false },
	{ "{\"jsonrpc\":\"2.0\",\"id\":1}", JSONRPC_INVALID, -32600, "1", true },
	/* look-alikes: one peer reads one, another the other */
	{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\",\"Method\":\"tools/call\"}", JSONRPC_INVALID, -32600, "1", true },
	{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\",\"PARAMS\":{}}", JSONRPC_INVALID, -32600, "1", true },
	{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\",\"param\xc5\xbf\":{}}", JSONRPC_INVALID, -32600, "1", true },
	{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\",\"Id\":2}", JSONRPC_INVALID, -32600, "1", true },
	/* does not parse */
	{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"", JSONRPC_INVALID, -32700, "", true },
	{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"id\":2,\"method\":\"ping\"}", JSONRPC_INVALID, -32700, "", true },
	{ "\xef\xbb\xbf{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}", JSONRPC_INVALID, -32700, "", true },
	{ "", JSONRPC_INVALID, -32700, "", true },
};

static void classifies(void **state)
{
	struct tape t = { 0 };
	struct jsonrpc_msg m;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_int_equal(jsonrpc_read(&t, span_of(cases[i].text), NULL, &m), 0);
		if (m.kind != cases[i].kind || m.code != cases[i].code ||
		    !span_is(m.id_raw, cases[i].id) || m.answer != cases[i].answer)
			fail_msg("%s: kind %d code %d id %.*s answer %d: %s", cases[i].text, m.kind, m.code,
				 (int)m.id_raw.n, m.id_raw.p, m.answer, m.reason ? m.reason : "");
		assert_true(m.kind != JSONRPC_INVALID || m.reason != NULL);
	}
	tape_done(&t);
}

static void over_the_limit_is_no_parse_error(void **state)
{
	struct tape_limits l = { .depth = 3 };
	struct tape t = { 0 };
	struct jsonrpc_msg m;

	assert_int_equal(jsonrpc_read(&t, SPAN("[[[[1]]]]"), &l, &m), 0);
	assert_int_equal(m.kind, JSONRPC_INVALID);
	assert_int_equal(m.code, JSONRPC_E_REQUEST);
	assert_string_equal(m.reason, "nested too deeply");
	tape_done(&t);
}

static void elements_of_a_batch(void **state)
{
	struct tape t = { 0 };
	struct jsonrpc_msg m, e;
	uint32_t i;

	assert_int_equal(jsonrpc_read(&t, SPAN("[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"a\"},[],"
					       "{\"jsonrpc\":\"2.0\",\"method\":\"b\"}]"), NULL, &m), 0);
	assert_int_equal(m.kind, JSONRPC_BATCH);
	i = tape_first(&t, m.root);
	jsonrpc_classify(&t, i, &e);
	assert_int_equal(e.kind, JSONRPC_REQUEST);
	assert_true(span_is(e.name, "a"));
	i = tape_next(&t, m.root, i);
	jsonrpc_classify(&t, i, &e);
	assert_int_equal(e.kind, JSONRPC_INVALID); /* an empty array; and a non-empty one would say BATCH */
	i = tape_next(&t, m.root, i);
	jsonrpc_classify(&t, i, &e);
	assert_int_equal(e.kind, JSONRPC_NOTIFICATION);
	assert_int_equal(tape_next(&t, m.root, i), TAPE_NONE);
	tape_done(&t);
}

static void compares_ids(void **state)
{
	char longest[JSONRPC_ID_MAX + 1];

	assert_true(jsonrpc_id_eq(SPAN("1"), SPAN("1")));
	assert_false(jsonrpc_id_eq(SPAN("1"), SPAN("\"1\"")));
	assert_false(jsonrpc_id_eq(SPAN("1"), SPAN("2")));
	assert_true(jsonrpc_id_eq(SPAN("\"a\""), SPAN("\"\\u0061\"")));
	assert_true(jsonrpc_id_hash(SPAN("\"a\"")) == jsonrpc_id_hash(SPAN("\"\\u0061\"")));
	assert_false(jsonrpc_id_eq(SPAN("null"), SPAN("null")));
	assert_false(jsonrpc_id_valid(SPAN("")));
	assert_false(jsonrpc_id_valid(SPAN("\"a")));
	assert_false(jsonrpc_id_valid(SPAN("\"a\"x")));
	assert_false(jsonrpc_id_valid(SPAN("\"a\"\"")));
	assert_false(jsonrpc_id_valid(SPAN("01")));
	assert_false(jsonrpc_id_valid(SPAN("-")));
	assert_false(jsonrpc_id_valid(SPAN("1 ")));
	memset(longest, '7', sizeof(longest));
	assert_true(jsonrpc_id_valid((struct span){ longest, JSONRPC_ID_MAX }));
	assert_false(jsonrpc_id_valid((struct span){ longest, JSONRPC_ID_MAX + 1 }));
}

static void writes_answers(void **state)
{
	_cleanup_buf_ struct buf b = { 0 };

	assert_int_equal(jsonrpc_error_write(&b, SPAN("\"\\u0061\""), -32001, "no \"way\"\n", SPAN("{\"a\":1}")), 0);
	assert_string_equal(buf_cstr(&b), "{\"jsonrpc\":\"2.0\",\"id\":\"\\u0061\",\"error\":{\"code\":-32001,"
					  "\"message\":\"no \\\"way\\\"\\n\",\"data\":{\"a\":1}}}");
	buf_clear(&b);
	assert_int_equal(jsonrpc_error_write(&b, (struct span){ NULL, 0 }, -32700, "x", (struct span){ NULL, 0 }), 0);
	assert_string_equal(buf_cstr(&b), "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32700,\"message\":\"x\"}}");
	buf_clear(&b);
	assert_int_equal(jsonrpc_result_write(&b, SPAN("3"), SPAN("{}")), 0);
	assert_string_equal(buf_cstr(&b), "{\"jsonrpc\":\"2.0\",\"id\":3,\"result\":{}}");
}

static const struct {
	const char *text;
	enum jsonrpc_peek peek;
} peeks[] = {
	{ "{\"jsonrpc\":\"2.0\",\"id\":1}", JSONRPC_PEEK_YES },
	{ " \r\n\n\t{ \"jsonrpc\" : \"2.0\" }", JSONRPC_PEEK_YES },
	{ "\xef\xbb\xbf{\"jsonrpc\":\"2.0\"}", JSONRPC_PEEK_YES },
	{ "[{\"jsonrpc\":\"2.0\"}]", JSONRPC_PEEK_YES },
	{ " [ {\"method\":\"x\",\"params\":{\"a\":[1]},\"id\":1} , {\"jsonrpc\":\"2.0\"}]", JSONRPC_PEEK_YES },
	{ "[1,\"x\",[{}],{\"jsonrpc\":\"2.0\"}]", JSONRPC_PEEK_YES },
	{ "{\"result\":{\"jsonrpc\":\"1.0\",\"x\":[{},\"}\\\"]\"]},\"id\":[1],\"z\":true,\"jsonrpc\":\"2.0\"}", JSONRPC_PEEK_YES },
	{ "{\"\\u006asonrpc\":\"2.0\"}", JSONRPC_PEEK_YES },
	{ "{\"jsonr\\u0070\\u0063\":\"\\u0032.0\"}", JSONRPC_PEEK_YES },
	{ "{\"JSONRPC\":\"2.0\"}", JSONRPC_PEEK_YES },
	{ "{\"j\xc5\xbfonrpc\":\"2.0\"}", JSONRPC_PEEK_YES },
	{ "{\"j\\u017Fonrpc\":\"2.0\"}", JSONRPC_PEEK_YES },
	{ "{\"jsonrpc\":\"1.0\",\"jsonrpc\":\"2.0\"}", JSONRPC_PEEK_YES },
	{ "{\"a\":\"\xff\",\"jsonrpc\":\"2.0\"}", JSONRPC_PEEK_YES },
	{ "{\"a\":NaN,\"jsonrpc\":\"2.0\"}", JSONRPC_PEEK_YES },
	{ "{\"very-long-name-that-is-none-of-ours\":1,\"jsonrpc\":\"2.0\"}", JSONRPC_PEEK_YES },
	{ "{\"jsonrpc\":\"2.0\"", JSONRPC_PEEK_YES },
	{ "hello", JSONRPC_PEEK_NO },
	{ "Content-Length: 5\r\n\r\n{\"jsonrpc\":\"2.0\"}", JSONRPC_PEEK_NO },
	{ "\xef\xbb{", JSONRPC_PEEK_NO },
	{ "{\"a\":1}", JSONRPC_PEEK_NO },
	{ "{}", JSONRPC_PEEK_NO },
	{ "[]", JSONRPC_PEEK_NO },
	{ "[1,2,3]", JSONRPC_PEEK_NO },
	{ "[[{\"jsonrpc\":\"2.0\"}]]", JSONRPC_PEEK_NO },
	{ "{\"a\":{\"jsonrpc\":\"2.0\"}}", JSONRPC_PEEK_NO },
	{ "{\"jsonrpc\":\"1.0\"}", JSONRPC_PEEK_NO },
	{ "{\"jsonrpc\":2.0}", JSONRPC_PEEK_NO },
	{ "{\"jsonrpc\":\"2.0.0\"}", JSONRPC_PEEK_NO },
	{ "{\"a\":\"\\\"jsonrpc\\\":\\\"2.0\\\"\"}", JSONRPC_PEEK_NO },
	{ "{\"jsonrpcx\":\"2.0\"}", JSONRPC_PEEK_NO },
	{ "{\"xjsonrpc\":\"2.0\"}", JSONRPC_PEEK_NO },
	{ "{ int main; }", JSONRPC_PEEK_NO },
	{ "{\n", JSONRPC_PEEK_NO },
	{ "{\"a\":1,\n\"jsonrpc\":\"2.0\"}", JSONRPC_PEEK_NO },
	{ "{\"a\" 1}", JSONRPC_PEEK_NO },
	{ "{\"\\uzzzz\":1}", JSONRPC_PEEK_NO },
	{ "", JSONRPC_PEEK_UNDECIDED },
	{ " \n ", JSONRPC_PEEK_UNDECIDED },
	{ "\xef\xbb", JSONRPC_PEEK_UNDECIDED },
	{ "{\"jsonrpc\":\"2.0", JSONRPC_PEEK_UNDECIDED },
	{ "{\"a\":[[[[", JSONRPC_PEEK_UNDECIDED },
	{ "[1,2", JSONRPC_PEEK_UNDECIDED },
};

/* A decision, once made at some split, is the decision of every longer prefix. */
static void peeks_at_every_split(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(peeks); i++) {
		size_t n = strlen(peeks[i].text);
		enum jsonrpc_peek last = JSONRPC_PEEK_UNDECIDED;

		for (size_t cut = 0; cut <= n; cut++) {
			char *copy = malloc(cut + !cut);
			enum jsonrpc_peek now;

			memcpy(copy, peeks[i].text, cut);
			now = jsonrpc_peek((struct span){ copy, cut });
			free(copy);
			if (last != JSONRPC_PEEK_UNDECIDED && now != last)
				fail_msg("%s: changed its mind at %zu", peeks[i].text, cut);
			last = now;
		}
		if (last != peeks[i].peek)
			fail_msg("%s: %d", peeks[i].text, last);
	}
}

static void a_body_may_have_lines(void **state)
{
	assert_true(jsonrpc_looks(SPAN("{\n  \"id\": 1,\n  \"jsonrpc\": \"2.0\"\n}\n")));
	assert_true(jsonrpc_looks(SPAN("[\n{\"jsonrpc\":\"2.0\"}]")));
	assert_false(jsonrpc_looks(SPAN("{\n\"a\":{\"jsonrpc\":\"2.0\"}}")));
	assert_false(jsonrpc_looks(SPAN("a=b\n{\"jsonrpc\":\"2.0\"}")));
	assert_false(jsonrpc_looks(SPAN("")));
}

static const struct {
	const char *text, *id;
	bool method, answer;
} ids[] = {
	{ "{\"jsonrpc\":\"2.0\",\"id\":42,\"method\":\"tools/call\",\"params\":{}}", "42", true, false },
	{ "{\"method\":\"x\",\"params\":{\"id\":1,\"a\":[{\"id\":2}]},\"id\":\"q\\\"}\"}", "\"q\\\"}\"", true, false },
	{ "{\"result\":{\"id\":9},\"id\" : -3 }", "-3", false, true },
	{ "{\"\\u0069d\":5,\"error\":{}}", "5", false, true },
	{ "{\"id\":null,\"method\":\"x\"}", "", true, false },
	{ "{\"id\":1.5}", "", false, false },
	{ "{\"id\":{\"id\":3}}", "", false, false },
	{ "{\"id\":1,\"id\":2}", "", false, false },
	{ "{\"id\":1,\"ID\":2}", "", false, false },
	{ "{\"params\":{\"id\":1}}", "", false, false },
	{ "[{\"id\":1}]", "", false, false },
	{ "{\"id\":\"\xff\"}", "", false, false },
	{ "{\"id\":", "", false, false },
	{ "garbage \"id\":1", "", false, false },
};

static void finds_the_id_of_a_discarded_line(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(ids); i++) {
		struct jsonrpc_scan s;
		size_t n = strlen(ids[i].text);

		for (size_t step = 1; step <= n; step++) {
			jsonrpc_scan_init(&s);
			for (size_t at = 0; at < n; at += step)
				jsonrpc_scan_feed(&s, (struct span){ ids[i].text + at, n - at < step ? n - at : step });
			if (!span_is(jsonrpc_scan_id(&s), ids[i].id) || s.has_method != ids[i].method ||
			    s.has_answer != ids[i].answer)
				fail_msg("%s by %zu: id %.*s", ids[i].text, step, s.id_n, s.id);
		}
	}
}

static void an_endless_id_is_no_id(void **state)
{
	struct jsonrpc_scan s;

	jsonrpc_scan_init(&s);
	jsonrpc_scan_feed(&s, SPAN("{\"method\":\"x\",\"id\":\""));
	for (int i = 0; i < 1000; i++)
		assert_int_equal(jsonrpc_scan_feed(&s, SPAN("aaaaaaaa")), 8);
	jsonrpc_scan_feed(&s, SPAN("\"}"));
	assert_true(s.ended);
	assert_int_equal(jsonrpc_scan_id(&s).n, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(classifies),
		cmocka_unit_test(over_the_limit_is_no_parse_error),
		cmocka_unit_test(elements_of_a_batch),
		cmocka_unit_test(compares_ids),
		cmocka_unit_test(writes_answers),
		cmocka_unit_test(peeks_at_every_split),
		cmocka_unit_test(a_body_may_have_lines),
		cmocka_unit_test(finds_the_id_of_a_discarded_line),
		cmocka_unit_test(an_endless_id_is_no_id),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
