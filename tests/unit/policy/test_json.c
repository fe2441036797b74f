// SPDX-License-Identifier: Apache-2.0
/* The JSON reader by itself: what it takes, refuses, and how deep. */
#include "policy/json.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

#include "user/base/buf.h"

static int parse(struct span text, unsigned depth)
{
	_cleanup_(arena_done) struct arena mem = { 0 };
	struct cedar_error error = { 0 };
	struct json v;
	int r = json_parse_deep(&mem, text, depth, &error, &v);

	assert_int_equal(r < 0, *error.message != 0);
	return r;
}

static void takes_and_refuses(void **state)
{
	static const char *const good[] = {
		"{}", "[]", " [ ] ", "{ \"a\" : [ ] , \"b\" : { } }", "[[[]],{},[{}]]", "0", "-0", "true",
		"\"\\ud83d\\ude00\"", "{\"\":{\"\":null}}", "[1.5e3]", "{\"a\":1,\"\\u0000\":2}",
	};
	static const char *const bad[] = {
		"", " ", "[", "{", "]", "}", "[1", "[1,", "[1,]", "[,1]", "[1 2]", "{\"a\"}", "{\"a\":}",
		"{\"a\":1,}", "{,}", "{\"a\":1 \"b\":2}", "{a:1}", "[1}", "{\"a\":1]", "[] []", "01", "1.",
		"+1", "tru", "\"\\ud83d\"", "\"\\ude00\"", "\"\\x\"", "\"a", "{\"a\":1,\"a\":2}",
		"{\"a\":1,\"\\u0061\":2}", "[\"\t\"]", "{\"a\":{\"b\":1,\"b\":2}}",
	};

	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		if (parse(span_of(good[i]), 4) != 0)
			fail_msg("refused: %s", good[i]);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		if (parse(span_of(bad[i]), 4) != -EINVAL)
			fail_msg("taken: %s", bad[i]);
	}
}

static void places(void **state)
{
	_cleanup_(arena_done) struct arena mem = { 0 };
	struct cedar_error error;
	const struct json *inner;
	struct json v;

	assert_int_equal(json_parse(&mem, SPAN(" {\"a\": [1, {\"b\": true}], \"c\": \"x\"}"), &error, &v), 0);
	assert_int_equal(v.pos, 1);
	assert_int_equal(v.n, 2);
	inner = json_get(&v, "a");
	assert_int_equal(inner->pos, 7);
	assert_int_equal(inner->n, 2);
	assert_int_equal(inner->kid[1].pos, 11);
	assert_int_equal(json_get(&inner->kid[1], "b")->num, 1);
	assert_true(span_is(json_str(json_get(&v, "c")), "x"));
	assert_int_equal(json_parse(&mem, SPAN("[1,\n {\"k\":1, \"k\":2}]"), &error, &v), -EINVAL);
	assert_int_equal(error.line, 2);
	assert_int_equal(error.column, 2);
}

static void depth_is_what_was_asked(void **state)
{
	_cleanup_buf_ struct buf b = { 0 };
	enum { DEEP = 200000 };

	for (int i = 0; i < DEEP; i++)
		buf_append_str(&b, i % 2 ? "[" : "{\"a\":");
	buf_append_str(&b, "1");
	for (int i = DEEP; i > 0; i--)
		buf_append_str(&b, i % 2 ? "}" : "]");
	assert_int_equal(parse(buf_span(&b), DEEP), 0);
	assert_int_equal(parse(buf_span(&b), DEEP - 1), -EINVAL);
	assert_int_equal(parse(SPAN("[[]]"), 2), 0);
	assert_int_equal(parse(SPAN("[[]]"), 1), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_and_refuses),
		cmocka_unit_test(places),
		cmocka_unit_test(depth_is_what_was_asked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
