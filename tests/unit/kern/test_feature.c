// SPDX-License-Identifier: Apache-2.0
/* What doctor says of the kernel must be what loading the real programs shows. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "user/base/cleanup.h"
#include "user/kern/feature.h"
#include "user/kern/kern.h"

#define ROWS_MAX 64

static const struct kern_feature *row(const struct kern_feature *all, unsigned n, const char *id)
{
	for (unsigned i = 0; i < n; i++)
		if (strcmp(all[i].id, id) == 0)
			return &all[i];
	fail_msg("no row %s", id);
	return NULL;
}

static void says_all_of_each(void **state)
{
	struct kern_feature all[ROWS_MAX];
	unsigned n = kern_features(all, ROWS_MAX);

	assert_in_range(n, 1, ROWS_MAX);
	for (unsigned i = 0; i < n; i++) {
		assert_non_null(all[i].part);
		assert_true(all[i].without || !all[i].required);
		assert_int_equal(all[i].is == KERN_FEATURE_LOADS, all[i].error == 0);
		for (unsigned k = 0; k < i; k++)
			assert_string_not_equal(all[i].id, all[k].id);
	}
	assert_int_equal(kern_features(NULL, 0), n);
}

/* The same question asked by those who load the daemon's programs. */
static void agrees_with_what_loads(void **state)
{
	struct kern_feature all[ROWS_MAX];
	unsigned n = kern_features(all, ROWS_MAX);
	const char *why = "";

	if (geteuid() != 0)
		skip();
	assert_int_equal(row(all, n, "cgroup/connect4")->is == KERN_FEATURE_LOADS, kern_supported(&why) == 0);
	if (kern_supported(&why) < 0)
		skip();
	for (unsigned i = 0; i < n; i++)
		if (all[i].required && all[i].is != KERN_FEATURE_LOADS)
			fail_msg("%s is required and refused: %d", all[i].id, all[i].error);
}

static void an_ordinary_user_has_not_seen(void **state)
{
	pid_t pid;
	int status;

	if (geteuid() != 0)
		skip();
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		struct kern_feature all[ROWS_MAX];
		unsigned n;

		if (setgid(65534) < 0 || setuid(65534) < 0)
			_exit(2);
		n = kern_features(all, ROWS_MAX);
		for (unsigned i = 0; i < n; i++)
			if (all[i].is == KERN_FEATURE_REFUSED && all[i].required)
				_exit(1);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(says_all_of_each),
		cmocka_unit_test(agrees_with_what_loads),
		cmocka_unit_test(an_ordinary_user_has_not_seen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
