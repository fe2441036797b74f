// SPDX-License-Identifier: Apache-2.0
#include "user/proc/parts.h"

#include <errno.h>
#include <ftw.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

static char dir[PATH_MAX];

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *f)
{
	(void)st;
	(void)type;
	(void)f;
	return remove(path);
}

static char *path_of(const char *name)
{
	static char path[4][2 * PATH_MAX];
	static unsigned i;

	i = (i + 1) % 4;
	(void)snprintf(path[i], sizeof(path[i]), "%s/%s", dir, name);
	return path[i];
}

static void put(const char *name, const char *text)
{
	FILE *f = fopen(path_of(name), "w");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fchmod(fileno(f), 0755), 0);
	assert_int_equal(fclose(f), 0);
}

static int setup(void **state)
{
	(void)state;
	(void)strcpy(dir, "/tmp/parts-XXXXXX");
	return mkdtemp(dir) ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	return nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static bool has(const struct parts *p, const char *path)
{
	char real[PATH_MAX];

	if (!realpath(path, real))
		return false;
	for (unsigned i = 0; i < p->n; i++)
		if (strcmp(p->path[i], real) == 0)
			return true;
	return false;
}

static int parts_of(const char *const argv[], struct parts *p)
{
	return parts_of_command((char *const *)(uintptr_t)argv, p);
}

static void must(const char *const argv[], struct parts *p)
{
	int r = parts_of(argv, p);

	if (r < 0)
		fail_msg("%s: %s (%s)", argv[0], strerror(-r), p->why);
}

static void a_program_and_its_loader(void **state)
{
	struct parts p;

	must((const char *[]){ "sh", "-c", "true", NULL }, &p);
	assert_true(has(&p, "/bin/sh"));
	assert_int_equal(p.n, 2); /* and its loader */
	assert_non_null(strstr(p.path[1], "ld-"));
	parts_done(&p);
}

static void a_script_and_its_package(void **state)
{
	struct parts p;

	assert_int_equal(mkdir(path_of("lib"), 0755), 0);
	put("package.json", "{}");
	put("lib/main.sh", "true\n");
	must((const char *[]){ "/bin/sh", path_of("lib/main.sh"), "/etc", NULL }, &p);
	assert_true(has(&p, path_of("lib/main.sh")));
	assert_true(has(&p, dir));
	assert_int_equal(p.n, 4);
	parts_done(&p);
}

static void a_script_that_is_run_itself(void **state)
{
	struct parts p;

	put("direct", "#!/bin/sh -e\ntrue\n");
	must((const char *[]){ path_of("direct"), NULL }, &p);
	assert_true(has(&p, path_of("direct")) && has(&p, "/bin/sh"));
	parts_done(&p);
	put("env", "#!/usr/bin/env -S sh\ntrue\n");
	must((const char *[]){ path_of("env"), NULL }, &p);
	assert_true(has(&p, path_of("env")) && has(&p, "/bin/sh"));
	parts_done(&p);
}

/* The dependencies of an installed package lie beside it. */
static void installed_packages_are_measured_together(void **state)
{
	struct parts p;

	assert_int_equal(mkdir(path_of("node_modules"), 0755) | mkdir(path_of("node_modules/a"), 0755), 0);
	assert_int_equal(mkdir(path_of("node_modules/a/node_modules"), 0755), 0);
	put("node_modules/a/package.json", "{}");
	put("node_modules/a/node_modules/x.sh", "true\n");
	must((const char *[]){ "sh", path_of("node_modules/a/node_modules/x.sh"), NULL }, &p);
	assert_true(has(&p, path_of("node_modules")));
	assert_false(has(&p, path_of("node_modules/a")));
	parts_done(&p);
}

static void what_is_not_there_is_said(void **state)
{
	char line[2 * PATH_MAX + 8];
	struct parts p;

	assert_int_equal(parts_of((const char *[]){ "no-such-program-here", NULL }, &p), -ENOENT);
	assert_string_equal(p.why, "no-such-program-here");
	parts_done(&p);
	assert_int_equal(parts_of((const char *[]){ "sh", path_of("gone.sh"), NULL }, &p), -ENOENT);
	parts_done(&p);
	put("self", ""); /* for its path to be found */
	snprintf(line, sizeof(line), "#!%s\n", path_of("self"));
	put("self", line);
	assert_int_equal(parts_of((const char *[]){ path_of("self"), NULL }, &p), -ELOOP);
	parts_done(&p);
}

static void there_is_a_limit(void **state)
{
	struct parts p = { 0 };
	char name[32];
	int r = 0;

	for (unsigned i = 0; i <= PARTS_MAX; i++) {
		snprintf(name, sizeof(name), "f%u", i);
		put(name, "");
		r = parts_add(&p, path_of(name));
		assert_int_equal(r, i < PARTS_MAX ? 0 : -E2BIG);
	}
	assert_int_equal(parts_add(&p, path_of("f0")), 0); /* it is there already */
	parts_done(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_program_and_its_loader, setup, teardown),
		cmocka_unit_test_setup_teardown(a_script_and_its_package, setup, teardown),
		cmocka_unit_test_setup_teardown(a_script_that_is_run_itself, setup, teardown),
		cmocka_unit_test_setup_teardown(installed_packages_are_measured_together, setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_not_there_is_said, setup, teardown),
		cmocka_unit_test_setup_teardown(there_is_a_limit, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
