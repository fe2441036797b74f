// SPDX-License-Identifier: Apache-2.0
#include "user/mcp/canon.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#include "user/base/cleanup.h"

/* Right-hand sides were written by Python 3.11: json.dumps(json.loads(x), sort_keys=True,
 * separators=(",", ":"), ensure_ascii=True). */
static const struct {
	const char *in, *out;
} cases[] = {
	{ " { \"b\" : 1 , \"a\" : [ true , null , false ] } ", "{\"a\":[true,null,false],\"b\":1}" },
	{ "{}", "{}" },
	{ "[]", "[]" },
	{ "{\"a\":{\"z\":{},\"y\":[]},\"A\":1,\"\":2,\"aa\":3}", "{\"\":2,\"A\":1,\"a\":{\"y\":[],\"z\":{}},\"aa\":3}" },
	{ "\"\xc3\xa9\x7f\\/\\u00e9\xf0\x9f\x98\x80\\b\\f\\n\\r\\t\\u0001\\\"\\\\\"",
	  "\"\\u00e9\\u007f/\\u00e9\\ud83d\\ude00\\b\\f\\n\\r\\t\\u0001\\\"\\\\\"" },
	/* code points, not UTF-16 units: U+FFFF sorts before U+10000 */
	{ "{\"\xf0\x90\x80\x80\":1,\"\xef\xbf\xbf\":2}", "{\"\\uffff\":2,\"\\ud800\\udc00\":1}" },
	{ "{\"\\u0062\":1,\"\\u0061\":2}", "{\"a\":2,\"b\":1}" },
	{ "[0,-0,1,-1,123456789012345678901234567890]", "[0,0,1,-1,123456789012345678901234567890]" },
	{ "[1.0,-0.0,0.5,1.5e300,1e5,1E+2]", "[1.0,-0.0,0.5,1.5e+300,100000.0,100.0]" },
	{ "[1e15,1e16,1e17,123456789012345680.0,9007199254740993.0]",
	  "[1000000000000000.0,1e+16,1e+17,1.2345678901234568e+17,9007199254740992.0]" },
	{ "[0.0001,0.00001,1e-7,1.25e-7,0.1,0.30000000000000004]",
	  "[0.0001,1e-05,1e-07,1.25e-07,0.1,0.30000000000000004]" },
	{ "[5e-324,1.7976931348623157e308,2.2250738585072014e-308]",
	  "[5e-324,1.7976931348623157e+308,2.2250738585072014e-308]" },
	{ "[5.684341886080801486968994140625e-14,9.5367431640625e-07]", "[5.684341886080802e-14,9.5367431640625e-07]" },
	{ "[1e999,-1e999,1e-999]", "[Infinity,-Infinity,0.0]" },
	{ "[9.999999999999999e22,1e23,99999999999999990000000.0]", "[1e+23,1e+23,1e+23]" },
};

static void writes_form_c(void **state)
{
	_cleanup_buf_ struct buf b = { 0 };
	struct tape t = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		buf_clear(&b);
		assert_int_equal(tape_parse(&t, span_of(cases[i].in), NULL), 0);
		assert_int_equal(canon_write(&t, 0, &b), 0);
		assert_string_equal(buf_cstr(&b), cases[i].out);
	}
	assert_int_equal(canon_write(&t, 99, &b), -EINVAL);
	assert_int_equal(canon_write(&t, TAPE_NONE, &b), -EINVAL);
	tape_done(&t);
}

static void form_and_order_do_not_matter(void **state)
{
	_cleanup_buf_ struct buf b = { 0 };
	uint8_t x[SHA256_SIZE], y[SHA256_SIZE];
	struct tape t = { 0 };

	assert_int_equal(tape_parse(&t, SPAN("{\"a\":\"x\",\"b\":[1]}"), NULL), 0);
	assert_int_equal(canon_digest(&t, 0, &b, x), 0);
	assert_int_equal(tape_parse(&t, SPAN("{ \"b\":[ 1 ],\"\\u0061\":\"\\u0078\"}"), NULL), 0);
	assert_int_equal(canon_digest(&t, 0, &b, y), 0);
	assert_memory_equal(x, y, sizeof(x));
	assert_int_equal(tape_parse(&t, SPAN("{\"a\":\"x\",\"b\":[1.0]}"), NULL), 0);
	assert_int_equal(canon_digest(&t, 0, &b, y), 0);
	assert_memory_not_equal(x, y, sizeof(x));
	tape_done(&t);
}

static void is_limited(void **state)
{
	_cleanup_buf_ struct buf b = { .limit = 16 };
	_cleanup_buf_ struct buf text = { 0 };
	struct tape t = { 0 };

	assert_int_equal(tape_parse(&t, SPAN("[\"0123456789abcdef\"]"), NULL), 0);
	assert_int_equal(canon_write(&t, 0, &b), -EMSGSIZE);
	buf_append_str(&text, "1.");
	for (int i = 0; i < 2000; i++)
		buf_append_str(&text, "0");
	assert_int_equal(tape_parse(&t, buf_span(&text), NULL), 0);
	b.limit = 0;
	assert_int_equal(canon_write(&t, 0, &b), -EMSGSIZE);
	tape_done(&t);
}

static void prints_for_people(void **state)
{
	_cleanup_buf_ struct buf b = { 0 };
	struct tape t = { 0 };

	assert_int_equal(tape_parse(&t, SPAN("{\"b\":[1,{}],\"a\":{\"x\":1.50,\"\xc3\xa9\":\"\\u0061\"},\"c\":[]}"), NULL), 0);
	assert_int_equal(canon_pretty(&t, 0, 0, &b), 0);
	assert_string_equal(buf_cstr(&b), "{\n  \"b\": [\n    1,\n    {}\n  ],\n  \"a\": {\n    \"x\": 1.50,\n"
					  "    \"\xc3\xa9\": \"\\u0061\"\n  },\n  \"c\": []\n}");
	tape_done(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(writes_form_c),
		cmocka_unit_test(form_and_order_do_not_matter),
		cmocka_unit_test(is_limited),
		cmocka_unit_test(prints_for_people),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
