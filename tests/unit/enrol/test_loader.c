// SPDX-License-Identifier: Apache-2.0
/* Command lines of loaders: which ones leave open what program will run. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "user/enrol/loader.h"

#define LINE(...) ((const char *[]){ "ld.so", __VA_ARGS__, NULL })

static bool seeks(const char *const *argv)
{
	char text[512];
	size_t n = 0;

	for (; *argv; argv++) {
		strcpy(text + n, *argv);
		n += strlen(*argv) + 1;
	}
	return loader_seeks(text, n);
}

static void named_by_path(void **state)
{
	assert_false(loader_seeks("ld.so", 6));
	assert_false(loader_seeks("", 0));
	assert_false(seeks(LINE("/bin/x", "agent")));
	assert_false(seeks(LINE("./x", "--", "agent")));
	assert_false(seeks(LINE("--argv0", "agent", "/bin/x")));
	assert_false(seeks(LINE("--library-path", "agent", "--inhibit-cache", "/bin/x", "y")));
	assert_false(seeks(LINE("--library-path=agent", "/bin/x")));
	assert_false(seeks(LINE("--verify", "/bin/x")));
	assert_false(seeks(LINE("--preload", "--", "/bin/x", "agent")));
	assert_false(seeks(LINE("--version")));
	assert_false(seeks(LINE("--", "/bin/x", "agent")));
}

static void sought(void **state)
{
	assert_true(seeks(LINE("agent")));
	assert_true(seeks(LINE("-agent")));
	assert_true(seeks(LINE("")));
	assert_true(seeks(LINE("--argv0", "/bin/x", "agent")));
	assert_true(seeks(LINE("--inhibit-cache", "agent")));
	assert_true(seeks(LINE("--library-path=/x", "agent")));
	assert_true(seeks(LINE("--", "agent")));
	assert_true(seeks(LINE("--", "--argv0", "/x")));
	/* What is not known may take a value, or none. */
	assert_true(seeks(LINE("--new-option", "agent", "/bin/x")));
	assert_true(seeks(LINE("--new-option", "/bin/x", "agent")));
}

static void cut_off(void **state)
{
	assert_true(loader_seeks("ld.so\0agent", 8));
	assert_true(loader_seeks("ld", 2));
	assert_false(loader_seeks("ld.so\0/bin/x\0age", 16));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(named_by_path),
		cmocka_unit_test(sought),
		cmocka_unit_test(cut_off),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
