// SPDX-License-Identifier: Apache-2.0
#include "user/base/base64.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <string.h>

/* RFC 4648 section 10. */
static const struct {
	const char *plain, *text;
} known[] = {
	{ "", "" }, { "f", "Zg==" }, { "fo", "Zm8=" }, { "foo", "Zm9v" }, { "foob", "Zm9vYg==" },
	{ "fooba", "Zm9vYmE=" }, { "foobar", "Zm9vYmFy" }, { "\xff\xfe\xfd", "//79" },
};

static void known_answers(void **state)
{
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		_cleanup_buf_ struct buf b = { 0 };
		char back[16];
		size_t n;

		assert_int_equal(base64_append(&b, known[i].plain, strlen(known[i].plain)), 0);
		assert_string_equal(buf_cstr(&b), known[i].text);
		assert_int_equal(base64_decode(buf_span(&b), back, sizeof(back), &n), 0);
		assert_int_equal(n, strlen(known[i].plain));
		assert_memory_equal(back, known[i].plain, n);
	}
}

static void refuses_every_other_text_of_a_value(void **state)
{
	static const char *const bad[] = {
		"Z", "Zg", "Zg=", "Zh==", "Zm9=", "Zg==\n", " Zg==", "Zg==Zg==", "====", "Z===", "Zm-v", "Zm_v",
		"Zm9v=", "=m9v", "Z=9v", "\xff\xff\xff\xff",
	};
	char back[16];
	size_t n;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(base64_decode(span_of(bad[i]), back, sizeof(back), &n), -EINVAL);
	assert_int_equal(base64_decode(SPAN("Zm9vYmFy"), back, 5, &n), -EMSGSIZE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_answers),
		cmocka_unit_test(refuses_every_other_text_of_a_value),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
