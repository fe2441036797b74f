/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_TEST_COVERED_H
#define TOLLGATE_TEST_COVERED_H

/* Every file that the index of recorded evidence lists under a folder must have been judged by a test. */

#include <string.h>

#include "tests/unit/attest/vectors.h"

#define COVERED_MAX 128

static char covered_names[COVERED_MAX][160];
static unsigned n_covered;

/* A test that has judged the file says so. */
static inline void covered(const char *name)
{
	for (unsigned i = 0; i < n_covered; i++)
		if (strcmp(covered_names[i], name) == 0)
			return;
	assert_true(n_covered < COVERED_MAX);
	(void)snprintf(covered_names[n_covered++], sizeof(covered_names[0]), "%s", name);
}

/* Reads a file for a test that judges it. */
static inline struct span judged(const char *name, struct buf *b)
{
	covered(name);
	return vector_read(name, b);
}

static inline bool is_covered(const char *name)
{
	for (unsigned i = 0; i < n_covered; i++)
		if (strcmp(covered_names[i], name) == 0)
			return true;
	return false;
}

/* Fails for each row of the index that begins with prefix, not with except, and that no test judged. */
static inline void expect_all_covered(const char *prefix, const char *except, unsigned rows)
{
	struct buf text = { 0 };
	unsigned n = 0, missing = 0;
	char *line, *save = NULL;

	vector_read("INDEX.md", &text);
	assert_non_null(buf_cstr(&text));
	for (line = strtok_r(text.data + text.start, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		char *name = line + 2, *end;

		if (strncmp(line, "| ", 2) != 0 || strncmp(name, prefix, strlen(prefix)) != 0 ||
		    (except && strncmp(name, except, strlen(except)) == 0))
			continue;
		end = strchr(name, ' ');
		assert_non_null(end);
		*end = 0;
		n++;
		if (!is_covered(name)) {
			print_message("no test judges %s\n", name);
			missing++;
		}
	}
	buf_done(&text);
	assert_int_equal(missing, 0);
	assert_int_equal(n, rows);
}

#endif
