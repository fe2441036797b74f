// SPDX-License-Identifier: Apache-2.0
#include "user/base/buf.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static void appends_and_consumes(void **state)
{
	_cleanup_buf_ struct buf b = { 0 };

	assert_int_equal(buf_append_str(&b, "hello "), 0);
	assert_int_equal(buf_printf(&b, "%d", 42), 0);
	buf_consume(&b, 6);
	assert_true(span_is(buf_span(&b), "42"));
	assert_string_equal(buf_cstr(&b), "42");
	buf_consume(&b, 100);
	assert_int_equal(buf_len(&b), 0);
}

static void refuses_beyond_limit(void **state)
{
	_cleanup_buf_ struct buf b = { .limit = 4 };

	assert_int_equal(buf_append(&b, "abcde", 5), -EMSGSIZE);
	assert_int_equal(buf_append(&b, "abcd", 4), 0);
	assert_int_equal(buf_append(&b, "e", 1), -EMSGSIZE);
	assert_true(span_is(buf_span(&b), "abcd"));
}

static void reuses_front_room(void **state)
{
	_cleanup_buf_ struct buf b = { 0 };
	char chunk[200];

	memset(chunk, 'x', sizeof(chunk));
	for (int i = 0; i < 1000; i++) {
		assert_int_equal(buf_append(&b, chunk, sizeof(chunk)), 0);
		buf_consume(&b, sizeof(chunk));
	}
	assert_true(b.cap <= 1024);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(appends_and_consumes),
		cmocka_unit_test(refuses_beyond_limit),
		cmocka_unit_test(reuses_front_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
