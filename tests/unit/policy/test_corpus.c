// SPDX-License-Identifier: Apache-2.0
/*
 * Cedar's own cases: the programs cedar_probes, cedar_corpus and policy_bench over the vectors. This
 * test unpacks, runs them and looks at their lines.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <sys/wait.h>
#include <unistd.h>

#include "user/base/cleanup.h"

static char build[512], vectors[512], unpacked[600];

/* Runs a program of the build folder; its status, and the last line it wrote. */
static int run(const char *command, char *ret_line, int n)
{
	FILE *f = popen(command, "r");
	int status;

	assert_non_null(f);
	*ret_line = '\0';
	while (fgets(ret_line, n, f))
		ret_line[strcspn(ret_line, "\n")] = '\0';
	status = pclose(f);
	print_message("%s\n", ret_line);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void probes(void **state)
{
	char command[1300], line[400];

	snprintf(command, sizeof(command), "'%s/tests/cedar_probes' '%s/cedar/probes.json'", build,
		 vectors);
	assert_int_equal(run(command, line, sizeof(line)), 0);
	assert_string_equal(line, "probes 242, mismatches 0");
}

static void check_corpus(const char *dir, const char *counts)
{
	char command[1400], line[400], want[400];

	snprintf(command, sizeof(command), "'%s/tests/cedar_corpus' '%s' 2>&1", build, dir);
	snprintf(want, sizeof(want), "%s, decision mismatches 0, reason mismatches 0, error mismatches 0, "
				     "validation mismatches 0, load failures 0", counts);
	assert_int_equal(run(command, line, sizeof(line)), 0);
	assert_string_equal(line, want);
}

static void integration(void **state)
{
	char dir[600];

	snprintf(dir, sizeof(dir), "%s/cedar/integration", vectors);
	check_corpus(dir, "cases 22, requests 74");
}

static void corpus(void **state)
{
	check_corpus(unpacked, "cases 3963, requests 31704");
}

/* Sets of 10, 100 and 1,000 policies over 1,000 entities: what the index must not lose. */
static void many_policies(void **state)
{
	static const char *const sizes[] = { "10", "100", "1000" };
	static const char *const modes[] = { "", "--decide" };
	char command[2400], line[400], want[100];

	for (size_t i = 0; i < ARRAY_SIZE(sizes) * ARRAY_SIZE(modes); i++) {
		const char *n = sizes[i / ARRAY_SIZE(modes)];

		snprintf(command, sizeof(command),
			 "d='%s/cedar/bench'; '%s/bench/policy_bench' --policies $d/policies_%s.cedar "
			 "--entities $d/entities.json --schema $d/schema.cedarschema "
			 "--requests $d/requests_%s.json --rounds 1 %s 2>&1", vectors, build, n, n,
			 modes[i % ARRAY_SIZE(modes)]);
		snprintf(want, sizeof(want), "policies %s, requests 512, mismatches 0,", n);
		assert_int_equal(run(command, line, sizeof(line)), 0);
		assert_memory_equal(line, want, strlen(want));
	}
}

static int unpack(void **state)
{
	char command[1400];

	snprintf(unpacked, sizeof(unpacked), "%s/tests/corpus-XXXXXX", build);
	if (!mkdtemp(unpacked))
		return -1;
	snprintf(command, sizeof(command), "tar -xJf '%s/cedar/corpus.tar.xz' -C '%s'", vectors,
		 unpacked);
	return system(command);
}

static int clean(void **state)
{
	char command[800];

	snprintf(command, sizeof(command), "rm -rf '%s'", unpacked);
	return system(command);
}

int main(void)
{
	const char *where = getenv("TOLLGATE_VECTORS");
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(probes),
		cmocka_unit_test(integration),
		cmocka_unit_test(many_policies),
		cmocka_unit_test(corpus),
	};
	ssize_t n = readlink("/proc/self/exe", build, sizeof(build) - 1);
	char path[600];

	snprintf(vectors, sizeof(vectors), "%s", where ? where : "../shared/vectors");
	snprintf(path, sizeof(path), "%s/cedar/corpus.tar.xz", vectors);
	if (access(path, R_OK) < 0) {
		printf("skipped: no %s\n", path);
		return 77;
	}
	/* BUILD/tests/unit/policy/test_corpus */
	for (unsigned i = 0; n > 0 && i < 4; i++) {
		build[n] = '\0';
		n = strrchr(build, '/') ? strrchr(build, '/') - build : 0;
	}
	if (n <= 0)
		return 1;
	build[n] = '\0';
	return cmocka_run_group_tests(tests, unpack, clean);
}
