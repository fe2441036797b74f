/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_QUERY_INDEX_PRIVATE_H
#define TOLLGATE_QUERY_INDEX_PRIVATE_H

#include <sqlite3.h>

#include "user/base/cleanup.h"
#include "user/query/index.h"
#include "user/query/index_block.h"

/* Shared by the files of the index only. */

enum {
	ADD_BLOCK, ADD_LINES, ADD_HITS, ADD_VALUE, FIND_VALUE, COUNT_VALUE, ADD_SESSION, ADD_LINK,
	ADD_HANDOVER, SET_TIP, GET_LINES, STATEMENTS
};

struct query_index {
	sqlite3 *db;
	sqlite3_stmt *st[STATEMENTS];
	struct segment_reader *reader;
	struct index_block *block; /* the newest records; what of it is on file is written again */
	char *path; /* NULL: in memory */
	int dirfd;
	uint64_t size; /* leaves taken in */
	char tip[65]; /* entry_hash of the last one; "" when it is no record */
	bool broken; /* SQLite failed or lied: begun anew at the next update */
};

DEFINE_CLEANUP(sqlite3_stmt *, sqlite3_finalize)

int index_prepare(struct query_index *x, const char *sql, sqlite3_stmt **ret);
void index_bind(sqlite3_stmt *st, int i, struct span s);
struct span index_column(sqlite3_stmt *st, int i);
/* Runs a statement that gives no row, and makes it ready for the next time. */
int index_finish(sqlite3_stmt *st);
/* The number of a text, or 0 when no record has it. *ret_records (may be NULL): how many have. -EIO. */
int index_find_value(struct query_index *x, enum index_kind kind, struct span text, uint64_t *ret_id,
		     uint64_t *ret_records);
/* Writes the block as it stands; what was written of it before is replaced. */
int index_write_block(struct query_index *x);

#endif
