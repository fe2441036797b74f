/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_TEST_INDEX_H
#define TOLLGATE_TEST_INDEX_H

#include <string.h>

#include "tests/unit/attest/vectors.h"

/* The index of recorded evidence names each file with the verdict that it must get. A test holds one row
 * for each file of its part: with words that stand in the index's verdict, and the check that they mean.
 * A file of the index without a row, or whose verdict has other words, is a failure. */
struct index_row {
	const char *file; /* without the part's prefix */
	const char *says;
	void (*check)(const char *file);
};

/* What stands between two bars, without the spaces around it. */
static inline struct span index_trim(const char *p, const char *stop)
{
	while (p < stop && *p == ' ')
		p++;
	while (stop > p && stop[-1] == ' ')
		stop--;
	return (struct span){ p, (size_t)(stop - p) };
}

/* The file is the first column; the verdict is the last but one, counted from the end because
 * descriptions before it hold bars of their own. */
static inline struct span index_file(struct span line)
{
	const char *bar = line.n > 1 ? memchr(line.p + 1, '|', line.n - 1) : NULL;

	return bar && line.p[0] == '|' ? index_trim(line.p + 1, bar) : (struct span){ 0 };
}

static inline struct span index_verdict(struct span line)
{
	const char *bar[3] = { line.p + line.n, line.p + line.n, line.p + line.n };

	for (unsigned i = 0; i < 3; i++) {
		const char *from = i ? bar[i - 1] : line.p + line.n;

		bar[i] = memrchr(line.p, '|', (size_t)(from - line.p));
		if (!bar[i])
			return (struct span){ 0 };
	}
	return index_trim(bar[2] + 1, bar[1]);
}

/* Runs the check of every row of the index under prefix; returns how many files have none that fits. */
static inline unsigned index_run(const char *prefix, const struct index_row *rows, unsigned n, unsigned *ret_ran)
{
	_cleanup_buf_ struct buf text = { 0 };
	struct span all = vector_read("INDEX.md", &text);
	unsigned missing = 0;

	for (const char *p = all.p, *end = all.p + all.n; p < end;) {
		const char *nl = memchr(p, '\n', (size_t)(end - p));
		struct span line = { p, (size_t)((nl ? nl : end) - p) };
		struct span file = index_file(line),
			    verdict = index_verdict(line);
		const struct index_row *row = NULL;

		p = nl ? nl + 1 : end;
		if (file.n < strlen(prefix) || memcmp(file.p, prefix, strlen(prefix)) != 0)
			continue;
		file = (struct span){ file.p + strlen(prefix), file.n - strlen(prefix) };
		for (unsigned i = 0; i < n && !row; i++)
			if (span_is(file, rows[i].file))
				row = &rows[i];
		if (!row || !memmem(verdict.p, verdict.n, row->says, strlen(row->says))) {
			printf("FAIL no check for %s%.*s: %.*s\n", prefix, (int)file.n, file.p, (int)verdict.n, verdict.p);
			missing++;
			continue;
		}
		row->check(row->file);
		(*ret_ran)++;
	}
	return missing;
}

#endif
