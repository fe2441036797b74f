// SPDX-License-Identifier: Apache-2.0
/*
 * The index of the audit socket: its life, and taking in what the log has grown by. Runs in the query
 * role; writes only its own file, never the log.
 */
#include "user/query/index.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "user/notary/key_handover.h"
#include "user/notary/segment.h"
#include "user/query/index_private.h"

#define INDEX_VERSION 3
#define UPDATE_COMMIT (64 * BLOCK_RECORDS) /* records in one transaction */

/* Losing the file costs a rebuild, so nothing is spent on making it durable. */
static const char schema[] =
	"CREATE TABLE block (first INTEGER PRIMARY KEY, segment INTEGER, offset INTEGER, n INTEGER,"
	" low_us INTEGER, high_us INTEGER);"
	"CREATE TABLE line (block INTEGER PRIMARY KEY, at BLOB);" /* apart: a walk over blocks stays short */
	"CREATE TABLE value (id INTEGER PRIMARY KEY, kind INTEGER, text TEXT, records INTEGER,"
	" UNIQUE (kind, text));"
	"CREATE TABLE hits (value INTEGER, block INTEGER, which BLOB, PRIMARY KEY (value, block))"
	" WITHOUT ROWID;"
	"CREATE TABLE session (id INTEGER PRIMARY KEY, agent INTEGER, server INTEGER, outer TEXT, mode TEXT,"
	" first_leaf INTEGER, last_leaf INTEGER, first_us INTEGER, last_us INTEGER, records INTEGER,"
	" denied INTEGER, ended INTEGER);"
	"CREATE INDEX session_last ON session (last_leaf);"
	"CREATE TABLE link (session INTEGER, agent INTEGER, server INTEGER, tool INTEGER, first_leaf INTEGER,"
	" last_leaf INTEGER, records INTEGER, denied INTEGER, PRIMARY KEY (session, agent, server, tool))"
	" WITHOUT ROWID;"
	"CREATE TABLE handover (leaf INTEGER PRIMARY KEY);"
	"CREATE TABLE tip (one INTEGER PRIMARY KEY CHECK (one = 1), leaf INTEGER, entry_hash TEXT);"
	"PRAGMA user_version = 3;";

static const char *const statement_text[STATEMENTS] = {
	[ADD_BLOCK] = "INSERT OR REPLACE INTO block VALUES (?,?,?,?,?,?)",
	[ADD_LINES] = "INSERT OR REPLACE INTO line VALUES (?,?)",
	[ADD_HITS] = "INSERT OR REPLACE INTO hits VALUES (?,?,?)",
	[ADD_VALUE] = "INSERT INTO value (kind,text,records) VALUES (?,?,0)",
	[FIND_VALUE] = "SELECT id,records FROM value WHERE kind=? AND text=?",
	[COUNT_VALUE] = "UPDATE value SET records=records+?2 WHERE id=?1",
	[ADD_SESSION] =
		"INSERT INTO session VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12) ON CONFLICT (id) DO UPDATE SET"
		" agent=coalesce(session.agent,excluded.agent),server=coalesce(session.server,excluded.server),"
		" outer=coalesce(session.outer,excluded.outer),mode=coalesce(session.mode,excluded.mode),"
		" last_leaf=excluded.last_leaf,last_us=excluded.last_us,records=session.records+excluded.records,"
		" denied=session.denied+excluded.denied,ended=excluded.ended",
	[ADD_LINK] =
		"INSERT INTO link VALUES (?,?,?,?,?,?,?,?) ON CONFLICT DO UPDATE SET last_leaf=excluded.last_leaf,"
		" records=link.records+excluded.records,denied=link.denied+excluded.denied",
	[ADD_HANDOVER] = "INSERT OR REPLACE INTO handover VALUES (?)",
	[SET_TIP] = "INSERT OR REPLACE INTO tip VALUES (1,?,?)",
	[GET_LINES] = "SELECT at FROM line WHERE block=?",
};

DEFINE_CLEANUP(struct query_index *, index_close)

static void close_db(struct query_index *x)
{
	for (int i = 0; i < STATEMENTS; i++) {
		sqlite3_finalize(x->st[i]);
		x->st[i] = NULL;
	}
	sqlite3_close(x->db);
	x->db = NULL;
	segment_reader_close(x->reader);
	x->reader = NULL;
	x->size = 0;
	x->tip[0] = '\0';
	x->block->n = 0;
}

void index_close(struct query_index *x)
{
	if (!x)
		return;
	if (x->block) {
		close_db(x);
		buf_done(&x->block->text);
	}
	free(x->block);
	free(x->path);
	free(x);
}

static int exec(struct query_index *x, const char *sql)
{
	return sqlite3_exec(x->db, sql, NULL, NULL, NULL) == SQLITE_OK ? 0 : -EIO;
}

int index_prepare(struct query_index *x, const char *sql, sqlite3_stmt **ret)
{
	return sqlite3_prepare_v2(x->db, sql, -1, ret, NULL) == SQLITE_OK ? 0 : -EIO;
}

/* The cache holds the hot part of a tree of hits; it does not grow with the log. */
static int open_db(struct query_index *x)
{
	if (sqlite3_open_v2(x->path ? x->path : ":memory:", &x->db,
			    SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK)
		return -EIO;
	return exec(x, "PRAGMA journal_mode=MEMORY; PRAGMA synchronous=OFF; PRAGMA trusted_schema=OFF;"
		       "PRAGMA cell_size_check=ON; PRAGMA cache_size=-16384");
}

static int prepare_all(struct query_index *x)
{
	int r = 0;

	for (int i = 0; i < STATEMENTS && r == 0; i++)
		r = index_prepare(x, statement_text[i], &x->st[i]);
	return r;
}

static int user_version(struct query_index *x)
{
	_cleanup_(sqlite3_finalize_p) sqlite3_stmt *st = NULL;

	if (index_prepare(x, "PRAGMA user_version", &st) < 0 || sqlite3_step(st) != SQLITE_ROW)
		return -EIO;
	return sqlite3_column_int(st, 0);
}

/* The blocks must follow each other without a gap from the log's beginning up to the tip. */
static int check_blocks(struct query_index *x, uint64_t size)
{
	_cleanup_(sqlite3_finalize_p) sqlite3_stmt *st = NULL;
	_cleanup_free_ uint64_t *segments = NULL;
	size_t n = 0;

	if (segment_list(x->dirfd, &segments, &n) < 0 || n == 0 ||
	    index_prepare(x, "SELECT min(first),max(first+n),sum(n) FROM block", &st) < 0 ||
	    sqlite3_step(st) != SQLITE_ROW)
		return -ESTALE;
	return (uint64_t)sqlite3_column_int64(st, 0) <= segments[0] &&
	       (uint64_t)sqlite3_column_int64(st, 1) == size &&
	       sqlite3_column_int64(st, 1) - sqlite3_column_int64(st, 0) == sqlite3_column_int64(st, 2) ?
		       0 : -ESTALE;
}

/* The log begins where retention left off. */
static int open_first(struct query_index *x)
{
	_cleanup_free_ uint64_t *segments = NULL;
	size_t n = 0;
	int r = segment_list(x->dirfd, &segments, &n);

	if (r == 0)
		r = segment_reader_open(x->dirfd, n ? segments[0] : 0, &x->reader);
	if (r == 0)
		x->size = n ? segments[0] : 0;
	return r;
}

/* Reads where the index stands; -ESTALE when it is not of this log. */
static int read_tip(struct query_index *x)
{
	_cleanup_(sqlite3_finalize_p) sqlite3_stmt *st = NULL;
	struct record_view v;
	struct segment_at at;
	struct span line;
	const char *hash;
	int r = index_prepare(x, "SELECT leaf, entry_hash FROM tip", &st);

	if (r < 0)
		return -ESTALE;
	r = sqlite3_step(st);
	if (r == SQLITE_DONE)
		return open_first(x);
	if (r != SQLITE_ROW || sqlite3_column_int64(st, 0) < 0)
		return -ESTALE;
	r = segment_reader_open(x->dirfd, (uint64_t)sqlite3_column_int64(st, 0), &x->reader);
	if (r == 0)
		r = segment_read(x->reader, &line, &at);
	if (r < 0)
		return -ESTALE;
	hash = (const char *)sqlite3_column_text(st, 1);
	x->size = at.leaf + 1;
	if (record_view_parse(line, &v, NULL) == 0)
		memcpy(x->tip, v.entry_hash.p, 64);
	return hash && strcmp(hash, x->tip) == 0 ? check_blocks(x, x->size) : -ESTALE;
}

static int start(struct query_index *x)
{
	int r = open_db(x), version;

	if (r < 0)
		return r;
	version = user_version(x);
	if (version == 0)
		r = exec(x, schema);
	else if (version != INDEX_VERSION)
		r = -ESTALE;
	if (r == 0)
		r = read_tip(x);
	return r < 0 ? r : prepare_all(x);
}

static int begin_anew(struct query_index *x)
{
	close_db(x);
	x->broken = false;
	if (x->path)
		(void)unlink(x->path);
	return start(x);
}

int index_open(const char *path, int log_dirfd, struct query_index **ret)
{
	_cleanup_(index_close_p) struct query_index *x = calloc(1, sizeof(*x));
	int r;

	if (!x)
		return -ENOMEM;
	x->dirfd = log_dirfd;
	x->block = calloc(1, sizeof(*x->block));
	x->path = path ? strdup(path) : NULL;
	if (!x->block || (path && !x->path))
		return -ENOMEM;
	r = start(x);
	if (r == 0 && x->size)
		r = index_forget(x);
	if (r < 0 && path)
		r = begin_anew(x);
	if (r < 0)
		return r;
	*ret = take_ptr(x);
	return 0;
}

uint64_t index_size(const struct query_index *x)
{
	return x->size;
}

void index_distrust(struct query_index *x)
{
	x->broken = true;
}

static int add_handover(struct query_index *x, uint64_t leaf)
{
	(void)sqlite3_bind_int64(x->st[ADD_HANDOVER], 1, (sqlite3_int64)leaf);
	return index_finish(x->st[ADD_HANDOVER]);
}

static int add_line(struct query_index *x, struct span line, const struct segment_at *at)
{
	struct record_view v;
	bool good = record_view_parse(line, &v, NULL) == 0;
	int r;

	if (x->block->n == 0 || block_full(x->block, at)) {
		r = x->block->n ? index_write_block(x) : 0;
		if (r < 0)
			return r;
		block_begin(x->block, at);
	}
	r = block_add(x->block, line, at->leaf, good ? &v : NULL);
	if (r == 0 && good && span_is(record_view_text(&v, M_REASON_CODE), HANDOVER_CODE))
		r = add_handover(x, at->leaf);
	if (r < 0)
		return r;
	x->size = at->leaf + 1;
	x->tip[0] = '\0';
	if (good)
		memcpy(x->tip, v.entry_hash.p, 64);
	return 0;
}

static int set_tip(struct query_index *x)
{
	sqlite3_stmt *st = x->st[SET_TIP];

	(void)sqlite3_bind_int64(st, 1, (sqlite3_int64)x->size - 1);
	(void)sqlite3_bind_text(st, 2, x->tip, -1, SQLITE_STATIC);
	return index_finish(st);
}

static int commit(struct query_index *x)
{
	int r = index_write_block(x);

	if (r == 0)
		r = set_tip(x);
	return r < 0 ? r : exec(x, "COMMIT");
}

/* One transaction of at most max records. Their number, or -errno; *ret_end when the log has no more. */
static int take_some(struct query_index *x, uint64_t max, bool *ret_end)
{
	unsigned n = 0;
	int r = 0;

	while (r == 0 && n < max) {
		struct segment_at at;
		struct span line;

		r = segment_read(x->reader, &line, &at);
		if (r < 0) /* an unfinished last line is what a writer at work looks like */
			break;
		if (n == 0)
			r = exec(x, "BEGIN");
		if (r == 0)
			r = add_line(x, line, &at);
		if (r < 0) {
			x->broken = true;
			return r;
		}
		n++;
	}
	if (n && commit(x) < 0) {
		x->broken = true;
		return -EIO;
	}
	if (r == -ENXIO) /* retention went past us */
		x->broken = true;
	*ret_end = r == -ENODATA || r == -EILSEQ;
	return r == 0 || *ret_end ? (int)n : r;
}

int index_update(struct query_index *x, uint64_t max)
{
	bool end = false;
	int r = x->broken ? begin_anew(x) : 0;

	if (r < 0) {
		x->broken = true;
		return r;
	}
	while (!end && max > 0) {
		r = take_some(x, max < UPDATE_COMMIT ? max : UPDATE_COMMIT, &end);
		if (r < 0)
			return r;
		max -= (uint64_t)r;
	}
	return end ? 0 : 1;
}
