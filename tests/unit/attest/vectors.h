/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_TEST_VECTORS_H
#define TOLLGATE_TEST_VECTORS_H

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "user/base/buf.h"
#include "user/base/file.h"

/* Recorded evidence of real machines lies outside the repository, in $TOLLGATE_VECTORS/attest. */
static inline const char *vector_path(const char *name)
{
	static char path[4][512]; /* a caller may hold a few at a time */
	static unsigned next;
	const char *base = getenv("TOLLGATE_VECTORS");
	char *p = path[next++ % 4];

	(void)snprintf(p, sizeof(path[0]), "%s/attest/%s", base ? base : "../shared/vectors", name);
	return p;
}

/* True when they are there; else says why the test skips. */
static inline bool vectors_here(void)
{
	if (access(vector_path("INDEX.md"), R_OK) == 0)
		return true;
	printf("skip: no %s: set TOLLGATE_VECTORS to the folder of recorded evidence\n", vector_path("INDEX.md"));
	return false;
}

static inline struct span vector_read(const char *name, struct buf *b)
{
	if (file_read(vector_path(name), 8u << 20, b) < 0) {
		printf("FAIL cannot read %s\n", vector_path(name));
		abort();
	}
	return buf_span(b);
}

#endif
