// SPDX-License-Identifier: Apache-2.0
/*
 * After retention: the index loses what it says of records that are gone. Runs in the query role.
 */
#include <errno.h>

#include "user/notary/segment.h"
#include "user/query/index_private.h"

/* What a text loses with the blocks before first. */
static int take_off(struct query_index *x, uint64_t first)
{
	_cleanup_(sqlite3_finalize_p) sqlite3_stmt *st = NULL;
	sqlite3_stmt *count = x->st[COUNT_VALUE];
	int step, r = index_prepare(x, "SELECT value,which FROM hits WHERE block<?", &st);

	if (r < 0)
		return r;
	(void)sqlite3_bind_int64(st, 1, (sqlite3_int64)first);
	while ((step = sqlite3_step(st)) == SQLITE_ROW && r == 0) {
		const uint8_t *bits = sqlite3_column_blob(st, 1);
		int n = 0;

		for (int i = 0; i < sqlite3_column_bytes(st, 1); i++)
			n += __builtin_popcount(bits[i]);
		(void)sqlite3_bind_int64(count, 1, sqlite3_column_int64(st, 0));
		(void)sqlite3_bind_int64(count, 2, -n);
		r = index_finish(count);
	}
	return r < 0 ? r : step == SQLITE_DONE ? 0 : -EIO;
}

static int drop_rows(struct query_index *x, uint64_t first)
{
	static const char *const statements[] = {
		"DELETE FROM hits WHERE block<?", "DELETE FROM line WHERE block<?", "DELETE FROM block WHERE first<?",
		"DELETE FROM handover WHERE leaf<?", "DELETE FROM session WHERE last_leaf<?",
		"DELETE FROM link WHERE last_leaf<?", "DELETE FROM value WHERE records=0 AND ?>0",
	};
	int r = 0;

	for (unsigned i = 0; i < ARRAY_SIZE(statements) && r == 0; i++) {
		_cleanup_(sqlite3_finalize_p) sqlite3_stmt *st = NULL;

		r = index_prepare(x, statements[i], &st);
		if (r == 0) {
			(void)sqlite3_bind_int64(st, 1, (sqlite3_int64)first);
			r = sqlite3_step(st) == SQLITE_DONE ? 0 : -EIO;
		}
	}
	return r;
}

/* Sessions that began before keep their counts: they say what the session did, not what is left of it. */
int index_forget(struct query_index *x)
{
	_cleanup_free_ uint64_t *segments = NULL;
	size_t n = 0;
	int r = segment_list(x->dirfd, &segments, &n);

	if (r < 0 || n == 0)
		return r;
	r = sqlite3_exec(x->db, "BEGIN", NULL, NULL, NULL) == SQLITE_OK ? 0 : -EIO;
	if (r == 0)
		r = take_off(x, segments[0]);
	if (r == 0)
		r = drop_rows(x, segments[0]);
	if (r == 0 && sqlite3_exec(x->db, "COMMIT", NULL, NULL, NULL) != SQLITE_OK)
		r = -EIO;
	if (r < 0)
		x->broken = true;
	return r;
}
