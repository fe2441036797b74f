// SPDX-License-Identifier: Apache-2.0
#include "user/base/json_out.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static void writes_nested_values(void **state)
{
	_cleanup_buf_ struct buf b = { 0 };
	struct json_out j;

	json_out_init(&j, &b);
	json_out_object(&j);
	json_out_member_str(&j, "a", "x");
	json_out_key(&j, "b");
	json_out_array(&j);
	json_out_int(&j, -1);
	json_out_bool(&j, true);
	json_out_null(&j);
	json_out_array_end(&j);
	json_out_member_str(&j, "c", NULL);
	json_out_object_end(&j);
	assert_int_equal(json_out_end(&j), 0);
	assert_string_equal(buf_cstr(&b), "{\"a\":\"x\",\"b\":[-1,true,null],\"c\":null}");
}

static void escapes_like_python(void **state)
{
	_cleanup_buf_ struct buf b = { 0 };
	struct json_out j;

	json_out_init(&j, &b);
	json_out_string(&j, span_of("\b\t\n\f\r\"\\/\x01\x7f\xc3\xa9\xf0\x9f\x98\x80\xff"));
	assert_int_equal(json_out_end(&j), 0);
	assert_string_equal(buf_cstr(&b), "\"\\b\\t\\n\\f\\r\\\"\\\\/\\u0001\\u007f\\u00e9\\ud83d\\ude00\\ufffd\"");
}

static void reports_open_and_overfull(void **state)
{
	_cleanup_buf_ struct buf b = { .limit = 8 };
	struct json_out j;

	json_out_init(&j, &b);
	json_out_object(&j);
	assert_int_equal(json_out_end(&j), -EINVAL);
	json_out_init(&j, &b);
	json_out_string(&j, span_of("much too long"));
	assert_int_equal(json_out_end(&j), -EMSGSIZE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(writes_nested_values),
		cmocka_unit_test(escapes_like_python),
		cmocka_unit_test(reports_open_and_overfull),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
