// SPDX-License-Identifier: Apache-2.0
#include "user/mcp/listfilter.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#include "user/base/cleanup.h"
#include "user/mcp/message.h"

static const struct {
	const char *in, *drop, *out;
} cases[] = {
	{ "[1]", "x", "[]" },
	{ "[ 1 ]", "x", "[  ]" },
	{ "[1,2]", "x.", "[2]" },
	{ "[1,2]", ".x", "[1]" },
	{ "[1,2]", "xx", "[]" },
	{ "[1,2,3]", ".x.", "[1,3]" },
	{ "[1,2,3]", "x.x", "[2]" },
	{ "[1,2,3]", "xx.", "[3]" },
	{ "[1,2,3]", ".xx", "[1]" },
	{ "[ 1 , 2 ,\n 3 , 4 ]", ".x.x", "[ 1  ,\n 3  ]" },
	{ "[ 1 , 2 ,\n 3 , 4 ]", "x.x.", "[ 2  , 4 ]" },
	{ "[\"a,]\",{\"b\":[1,2]},[3,[4]],\"\\\"\"]", ".x..", "[\"a,]\",[3,[4]],\"\\\"\"]" },
	{ "[1,2,3]", ".", "[1]" }, /* no flag is no permission */
};

static void cuts_elements(void **state)
{
	struct tape t = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_buf_ struct buf b = { 0 };
		uint8_t drop[8];
		size_t n = strlen(cases[i].drop);

		for (size_t k = 0; k < n; k++)
			drop[k] = cases[i].drop[k] == 'x';
		assert_int_equal(tape_parse(&t, span_of(cases[i].in), NULL), 0);
		assert_int_equal(list_filter(&t, TAPE_NONE, 0, drop, n, false, &b), 1);
		assert_string_equal(buf_cstr(&b), cases[i].out);
	}
	tape_done(&t);
}

/* For every set of dropped elements: it parses, the kept elements are byte-identical and in order, and what is
 * around the array is untouched. */
static void every_subset(void **state)
{
	static const char head[] = "{\"id\":1.0e2, \"result\":{\"tools\":", tail[] = ",\"z\":\"\\u0041\"} }";
	static const char list[] = "[ {\"n\":1} ,\t\"two\",[3 ] , 4.0,\n{}]";
	static const char *const element[] = { "{\"n\":1}", "\"two\"", "[3 ]", "4.0", "{}" };
	struct tape t = { 0 }, u = { 0 };
	char text[256];

	snprintf(text, sizeof(text), "%s%s%s", head, list, tail);
	for (unsigned set = 0; set < 32; set++) {
		_cleanup_buf_ struct buf b = { 0 };
		uint8_t drop[5];
		uint32_t a, at;

		for (unsigned k = 0; k < 5; k++)
			drop[k] = set >> k & 1;
		assert_int_equal(tape_parse(&t, span_of(text), NULL), 0);
		a = tape_get(&t, tape_get(&t, 0, "result"), "tools");
		assert_int_equal(list_filter(&t, TAPE_NONE, a, drop, 5, false, &b), set ? 1 : 0);
		if (!set) {
			assert_int_equal(buf_len(&b), 0);
			continue;
		}
		assert_int_equal(tape_parse(&u, buf_span(&b), NULL), 0);
		assert_memory_equal(b.data, head, sizeof(head) - 1);
		assert_memory_equal(b.data + b.end - (sizeof(tail) - 1), tail, sizeof(tail) - 1);
		a = tape_get(&u, tape_get(&u, 0, "result"), "tools");
		at = tape_first(&u, a);
		for (unsigned k = 0; k < 5; k++) {
			if (drop[k])
				continue;
			assert_true(span_is(tape_raw(&u, at), element[k]));
			at = tape_next(&u, a, at);
		}
		assert_int_equal(at, TAPE_NONE);
	}
	tape_done(&t);
	tape_done(&u);
}

static void narrows_the_cache_scope(void **state)
{
	static const struct {
		const char *in, *out;
		bool force;
		uint8_t drop;
	} c[] = {
		{ "{\"result\":{\"cacheScope\":\"public\",\"tools\":[1,2]}}",
		  "{\"result\":{\"cacheScope\":\"private\",\"tools\":[2]}}", false, 1 },
		{ "{\"result\":{\"tools\":[1,2],\"ttlMs\":5,\"cacheScope\" : \"p\\u0075blic\"}}",
		  "{\"result\":{\"tools\":[2],\"ttlMs\":5,\"cacheScope\" : \"private\"}}", false, 1 },
		{ "{\"result\":{\"tools\":[1,2],\"cacheScope\":\"private\"}}",
		  "{\"result\":{\"tools\":[2],\"cacheScope\":\"private\"}}", false, 1 },
		{ "{\"result\":{\"tools\":[1,2],\"cacheScope\":\"public\"}}",
		  "{\"result\":{\"tools\":[1,2],\"cacheScope\":\"private\"}}", true, 0 },
		{ "{\"result\":{\"tools\":[1,2],\"cacheScope\":\"public\"}}", NULL, false, 0 },
		{ "{\"result\":{\"tools\":[1,2]}}", NULL, true, 0 },
	};
	struct tape t = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(c); i++) {
		_cleanup_buf_ struct buf b = { 0 };
		uint8_t drop[2] = { c[i].drop, 0 };
		uint32_t result;

		assert_int_equal(tape_parse(&t, span_of(c[i].in), NULL), 0);
		result = tape_get(&t, 0, "result");
		assert_int_equal(list_filter(&t, result, mcp_list_array(&t, result, MCP_TOOLS_LIST), drop, 2,
					     c[i].force, &b), c[i].out ? 1 : 0);
		if (c[i].out)
			assert_string_equal(buf_cstr(&b), c[i].out);
	}
	tape_done(&t);
}

static void refuses_nonsense(void **state)
{
	_cleanup_buf_ struct buf b = { .limit = 4 };
	uint8_t drop[2] = { 1, 0 };
	struct splice s = { 0 };
	struct tape t = { 0 };

	assert_int_equal(tape_parse(&t, SPAN("{\"a\":[10000,20000]}"), NULL), 0);
	assert_int_equal(list_filter(&t, 0, 0, drop, 2, false, &b), -EINVAL);
	assert_int_equal(list_filter(&t, 0, TAPE_NONE, drop, 2, false, &b), -EINVAL);
	assert_int_equal(list_filter(&t, 0, tape_get(&t, 0, "a"), drop, 2, false, &b), -EMSGSIZE);
	assert_int_equal(splice_add(&s, 2, 3, SPAN("")), 0);
	assert_int_equal(splice_add(&s, 0, 3, SPAN("")), 0);
	assert_int_equal(splice_apply(&s, SPAN("0123456"), &b), -EINVAL);
	splice_done(&s);
	assert_int_equal(splice_add(&s, 5, 3, SPAN("")), 0);
	assert_int_equal(splice_apply(&s, SPAN("0123456"), &b), -EINVAL);
	splice_done(&s);
	tape_done(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cuts_elements),
		cmocka_unit_test(every_subset),
		cmocka_unit_test(narrows_the_cache_scope),
		cmocka_unit_test(refuses_nonsense),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
