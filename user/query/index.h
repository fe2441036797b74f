/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_QUERY_INDEX_H
#define TOLLGATE_QUERY_INDEX_H

#include <stdbool.h>
#include <stdint.h>

#include "user/base/span.h"

/*
 * SQLite index over the log's segments. Nothing in it is a source: it says where to look, and whoever
 * reads a record there judges the record itself. Whatever is wrong with the index (missing, another
 * version, damaged, of another log) makes it be built again from the segments.
 */
struct query_index;

/* Where a record's line is. */
struct index_place {
	uint64_t leaf, segment, offset; /* segment: first leaf of its file */
	uint32_t n; /* bytes without the newline */
	uint64_t us; /* its time, microseconds since 1970; 0: it is no record */
};

struct index_filter {
	struct span session, agent, server, tool, decision, type; /* text as in records; p NULL: any */
	uint64_t since_us, until_us; /* both included; until 0: open */
	uint64_t from, to; /* leaves from <= leaf < to; to 0: open */
	bool newest; /* from the newest one down */
	unsigned limit;
};

struct index_session {
	struct span id, agent, outer, server, mode; /* text as in records; p NULL: not said */
	uint64_t first_leaf, last_leaf, records, denied, first_us, last_us;
	bool ended;
};

/* Who called what where: an edge of the graph. */
struct index_link {
	struct span agent, server, tool;
	uint64_t first_leaf, last_leaf, records, denied;
};

struct index_totals {
	uint64_t records, sessions, open_sessions, blocks, first_us, last_us;
};

/* path NULL: in memory. log_dirfd is borrowed. 0 or -errno. */
int index_open(const char *path, int log_dirfd, struct query_index **ret);
void index_close(struct query_index *x);

/* Takes in what the notary has written since, at most max records of it. 0 when that was all; 1 when
 * there is more: call again; or -errno of reading the log or of SQLite (-EIO). */
int index_update(struct query_index *x, uint64_t max);
uint64_t index_size(const struct query_index *x);
/* A reader found that a record is not what the index says: the next update builds it again. */
void index_distrust(struct query_index *x);
/* Drops what it says of records whose segments were removed. 0 or -errno; a failure is made good by
 * building the index again. */
int index_forget(struct query_index *x);

/* Calls fn with what fits the filter, in the order asked for; a non-zero answer of fn ends it and is
 * returned. */
int index_records(struct query_index *x, const struct index_filter *f,
		  int (*fn)(void *arg, const struct index_place *p), void *arg);
/* -ENOENT when the log has no such leaf. */
int index_locate(struct query_index *x, uint64_t leaf, struct index_place *ret);

/* Records that say that a key of the log handed over, from <= leaf < to, ascending. As index_records(). */
int index_handovers(struct query_index *x, uint64_t from, uint64_t to,
		    int (*fn)(void *arg, const struct index_place *p), void *arg);

/* Newest session first; id and agent p NULL: any. */
int index_sessions(struct query_index *x, struct span id, struct span agent, unsigned limit,
		   int (*fn)(void *arg, const struct index_session *s), void *arg);
/* Edges of one session, of one agent, or of all, those with most records first. */
int index_links(struct query_index *x, struct span session, struct span agent, unsigned limit,
		int (*fn)(void *arg, const struct index_link *l), void *arg);

int index_totals(struct query_index *x, struct index_totals *ret);
/* The texts of a member that most records have: "agent", "server", "tool", "decision" or "type". */
int index_counts(struct query_index *x, const char *member, unsigned limit,
		 int (*fn)(void *arg, struct span text, uint64_t records), void *arg);

#endif
