// SPDX-License-Identifier: Apache-2.0
/* The cgroup hierarchy as files; the parts that make cgroups need root. */
#include "user/kern/cgroup.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

static void finds_the_hierarchy(void **state)
{
	char root[PATH_MAX], own[PATH_MAX];

	assert_int_equal(cgroup_root(root), 0);
	assert_int_equal(root[0], '/');
	assert_int_equal(cgroup_of_pid(getpid(), own), 0);
	assert_int_equal(strncmp(own, root, strlen(root)), 0);
	assert_non_null(cgroup_relative(own));
	assert_string_equal(cgroup_relative(root), "/");
	assert_null(cgroup_relative("/"));
	assert_null(cgroup_relative("/nonexistent"));
	assert_true(cgroup_of_pid(1 << 22, own) < 0);
}

static void refuses_bad_names(void **state)
{
	char path[PATH_MAX], root[PATH_MAX], *longest = malloc(2 * PATH_MAX);

	assert_int_equal(cgroup_root(root), 0);
	assert_int_equal(cgroup_create(root, "", path), -EINVAL);
	assert_int_equal(cgroup_create(root, "..", path), -EINVAL);
	assert_int_equal(cgroup_create(root, ".", path), -EINVAL);
	assert_int_equal(cgroup_create(root, "a/b", path), -EINVAL);
	memset(longest, 'x', 2 * PATH_MAX - 1);
	longest[2 * PATH_MAX - 1] = 0;
	assert_int_equal(cgroup_create(root, longest, path), -ENAMETOOLONG);
	assert_int_equal(cgroup_move(longest, 0), -ENAMETOOLONG);
	free(longest);
	assert_int_equal(cgroup_move("/nonexistent", 0), -ENOENT);
	assert_int_equal(cgroup_populated("/nonexistent"), -ENOENT);
}

static void makes_moves_removes(void **state)
{
	char root[PATH_MAX], name[64], dir[PATH_MAX], again[PATH_MAX];
	uint64_t id;
	pid_t pid;
	int st;

	if (geteuid() != 0) {
		print_message("skip: needs root\n");
		skip();
	}
	assert_int_equal(cgroup_root(root), 0);
	snprintf(name, sizeof(name), "tollgate-cgroup-%d", (int)getpid());
	assert_int_equal(cgroup_create(root, name, dir), 0);
	assert_int_equal(cgroup_create(root, name, again), 0);
	assert_string_equal(dir, again);
	assert_int_equal(cgroup_id(dir, &id), 0);
	assert_int_equal(cgroup_of_id(id, again), 0);
	assert_string_equal(dir, again);
	assert_int_equal(cgroup_populated(dir), 0);
	pid = fork();
	if (pid == 0) {
		pause();
		_exit(0);
	}
	assert_int_equal(cgroup_move(dir, pid), 0);
	assert_int_equal(cgroup_of_pid(pid, again), 0);
	assert_string_equal(dir, again);
	assert_int_equal(cgroup_populated(dir), 1);
	assert_int_equal(cgroup_remove(dir), -EBUSY);
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, &st, 0), pid);
	for (int i = 0; i < 100 && cgroup_populated(dir) == 1; i++)
		usleep(10000);
	assert_int_equal(cgroup_remove(dir), 0);
	assert_int_equal(cgroup_remove(dir), -ENOENT);
	assert_int_equal(cgroup_of_id(id, again), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_the_hierarchy),
		cmocka_unit_test(refuses_bad_names),
		cmocka_unit_test(makes_moves_removes),
	};
	char root[PATH_MAX];

	if (cgroup_root(root) < 0) {
		printf("skip: no cgroup2 hierarchy is mounted\n");
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
