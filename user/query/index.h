/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_QUERY_INDEX_H
#define TOLLGATE_QUERY_INDEX_H

#include <stdbool.h>
#include <stdint.h>

#include "user/base/span.h"

/*
 * SQLite index over the log's segments. Nothing in it is a source: whatever is wrong with it (missing,
 * another version, damaged, of another log) makes it be built again from the segments.
 */
struct query_index;

/* Where a record's line is. */
struct index_place {
	uint64_t leaf, segment, offset; /* segment: first leaf of its file */
	uint32_t n; /* bytes without the newline */
};

struct index_filter {
	struct span agent, session, tool, decision, type; /* text as in records; p NULL: any */
	const char *since; /* clock_iso() text, or NULL */
	int64_t after; /* only leaves above, oldest first; -1: the newest ones */
	unsigned limit;
};

struct index_session {
	struct span id, agent, server, mode; /* text as in records */
	uint64_t first_leaf, last_leaf, records, denied;
	struct span first_time, last_time;
	bool ended;
};

/* path NULL: in memory. log_dirfd is borrowed. 0 or -errno. */
int index_open(const char *path, int log_dirfd, struct query_index **ret);
void index_close(struct query_index *x);

/* Takes in what the notary has written since. 0, or -errno of reading the log or of SQLite (-EIO). */
int index_update(struct query_index *x);
uint64_t index_size(const struct query_index *x);

/* Calls fn in leaf order; a non-zero answer of fn ends it and is returned. */
int index_records(struct query_index *x, const struct index_filter *f,
		  int (*fn)(void *arg, const struct index_place *p), void *arg);
/* Newest session first. */
int index_sessions(struct query_index *x, struct span agent, unsigned limit,
		   int (*fn)(void *arg, const struct index_session *s), void *arg);
/* -ENOENT when the log has no such leaf. */
int index_locate(struct query_index *x, uint64_t leaf, struct index_place *ret);

#endif
