// SPDX-License-Identifier: Apache-2.0
/*
 * The index of the audit socket. Runs in the query role; writes only its own file, never the log.
 */
#include "user/query/index.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "user/base/cleanup.h"
#include "user/notary/segment.h"
#include "user/notary/view.h"

#define INDEX_VERSION 1
#define UPDATE_COMMIT 20000u /* rows in one transaction */

/* Losing the file costs a rebuild, so nothing is spent on making it durable. */
static const char schema[] =
	"CREATE TABLE record (leaf INTEGER PRIMARY KEY, segment INTEGER, offset INTEGER, n INTEGER,"
	" session TEXT, agent TEXT, tool TEXT, decision TEXT, type TEXT, time TEXT);"
	"CREATE INDEX record_session ON record (session);"
	"CREATE INDEX record_agent ON record (agent);"
	"CREATE INDEX record_tool ON record (tool);"
	"CREATE INDEX record_time ON record (time);"
	"CREATE TABLE session (id TEXT PRIMARY KEY, agent TEXT, server TEXT, mode TEXT, first_leaf INTEGER,"
	" last_leaf INTEGER, first_time TEXT, last_time TEXT, records INTEGER, denied INTEGER,"
	" ended INTEGER) WITHOUT ROWID;"
	"CREATE INDEX session_last ON session (last_leaf);"
	"CREATE TABLE tip (one INTEGER PRIMARY KEY CHECK (one = 1), leaf INTEGER, entry_hash TEXT);"
	"PRAGMA user_version = 1;";

enum { ADD_RECORD, ADD_SESSION, SET_TIP, STATEMENTS };

static const char *const statement_text[STATEMENTS] = {
	[ADD_RECORD] = "INSERT INTO record VALUES (?,?,?,?,?,?,?,?,?,?)",
	[ADD_SESSION] =
		"INSERT INTO session VALUES (?1,?2,?3,?4,?5,?5,?6,?6,1,?7,?8) ON CONFLICT (id) DO UPDATE SET"
		" agent=coalesce(session.agent,excluded.agent),server=coalesce(session.server,excluded.server),"
		" mode=coalesce(session.mode,excluded.mode),last_leaf=excluded.last_leaf,"
		" last_time=excluded.last_time,records=session.records+1,"
		" denied=session.denied+excluded.denied,ended=excluded.ended",
	[SET_TIP] = "INSERT OR REPLACE INTO tip VALUES (1,?,?)",
};

struct query_index {
	sqlite3 *db;
	sqlite3_stmt *st[STATEMENTS];
	struct segment_reader *reader;
	int dirfd;
	uint64_t size; /* leaves taken in */
	char tip[65];
	bool broken; /* SQLite failed in the middle: nothing more is taken in until it is opened anew */
};

DEFINE_CLEANUP(struct query_index *, index_close)
DEFINE_CLEANUP(sqlite3_stmt *, sqlite3_finalize)

static void close_db(struct query_index *x)
{
	for (int i = 0; i < STATEMENTS; i++) {
		sqlite3_finalize(x->st[i]);
		x->st[i] = NULL;
	}
	sqlite3_close(x->db);
	x->db = NULL;
}

void index_close(struct query_index *x)
{
	if (!x)
		return;
	close_db(x);
	segment_reader_close(x->reader);
	free(x);
}

static int exec(struct query_index *x, const char *sql)
{
	return sqlite3_exec(x->db, sql, NULL, NULL, NULL) == SQLITE_OK ? 0 : -EIO;
}

static int prepare(struct query_index *x, const char *sql, sqlite3_stmt **ret)
{
	return sqlite3_prepare_v2(x->db, sql, -1, ret, NULL) == SQLITE_OK ? 0 : -EIO;
}

static int open_db(struct query_index *x, const char *path)
{
	if (sqlite3_open_v2(path ? path : ":memory:", &x->db,
			    SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK)
		return -EIO;
	return exec(x, "PRAGMA journal_mode=MEMORY; PRAGMA synchronous=OFF; PRAGMA trusted_schema=OFF;"
		       "PRAGMA cell_size_check=ON; PRAGMA cache_size=-4096");
}

static int prepare_all(struct query_index *x)
{
	int r = 0;

	for (int i = 0; i < STATEMENTS && r == 0; i++)
		r = prepare(x, statement_text[i], &x->st[i]);
	return r;
}

static int user_version(struct query_index *x)
{
	_cleanup_(sqlite3_finalize_p) sqlite3_stmt *st = NULL;

	if (prepare(x, "PRAGMA user_version", &st) < 0 || sqlite3_step(st) != SQLITE_ROW)
		return -EIO;
	return sqlite3_column_int(st, 0);
}

/* Reads where the index stands; -ESTALE when it is not of this log. */
static int read_tip(struct query_index *x)
{
	_cleanup_(sqlite3_finalize_p) sqlite3_stmt *st = NULL;
	struct record_view v;
	struct segment_at at;
	struct span line;
	const char *hash;
	int r = prepare(x, "SELECT leaf, entry_hash FROM tip", &st);

	if (r < 0)
		return -ESTALE;
	r = sqlite3_step(st);
	if (r == SQLITE_DONE)
		return segment_reader_open(x->dirfd, 0, &x->reader);
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
	return hash && strcmp(hash, x->tip) == 0 ? 0 : -ESTALE;
}

static int start(struct query_index *x, const char *path)
{
	int r = open_db(x, path), version;

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

int index_open(const char *path, int log_dirfd, struct query_index **ret)
{
	_cleanup_(index_close_p) struct query_index *x = calloc(1, sizeof(*x));
	int r;

	if (!x)
		return -ENOMEM;
	x->dirfd = log_dirfd;
	r = start(x, path);
	if (r < 0 && path) { /* begin anew */
		close_db(x);
		segment_reader_close(x->reader);
		*x = (struct query_index){ .dirfd = log_dirfd };
		(void)unlink(path);
		r = start(x, path);
	}
	if (r < 0)
		return r;
	*ret = take_ptr(x);
	return 0;
}

uint64_t index_size(const struct query_index *x)
{
	return x->size;
}

static void bind_text(sqlite3_stmt *st, int i, struct span s)
{
	if (s.p && s.n)
		(void)sqlite3_bind_text(st, i, s.p, (int)s.n, SQLITE_STATIC);
	else
		(void)sqlite3_bind_null(st, i);
}

static int finish(sqlite3_stmt *st)
{
	int r = sqlite3_step(st) == SQLITE_DONE ? 0 : -EIO;

	(void)sqlite3_reset(st);
	(void)sqlite3_clear_bindings(st);
	return r;
}

static int add_session(struct query_index *x, const struct record_view *v, uint64_t leaf)
{
	sqlite3_stmt *st = x->st[ADD_SESSION];

	bind_text(st, 1, v->session_id);
	bind_text(st, 2, record_view_text(v, M_AGENT));
	bind_text(st, 3, record_view_text(v, M_SERVER_IDENTITY));
	bind_text(st, 4, record_view_text(v, M_MODE));
	(void)sqlite3_bind_int64(st, 5, (sqlite3_int64)leaf);
	bind_text(st, 6, record_view_text(v, M_TIMESTAMP));
	(void)sqlite3_bind_int(st, 7, span_is(record_view_text(v, M_POLICY_DECISION), "deny"));
	(void)sqlite3_bind_int(st, 8, span_is(record_view_text(v, M_ENTRY_TYPE), "session_end"));
	return finish(st);
}

/* A line that is no record keeps its place and has no words: the verifier is who judges it. */
static int add_record(struct query_index *x, struct span line, const struct segment_at *at)
{
	static const enum record_member texts[] = { M_AGENT, M_TOOL_NAME, M_POLICY_DECISION, M_ENTRY_TYPE,
						    M_TIMESTAMP };
	sqlite3_stmt *st = x->st[ADD_RECORD];
	struct record_view v;
	bool good = record_view_parse(line, &v, NULL) == 0;
	uint64_t segment = 0;
	int r;

	(void)segment_name_parse(at->file, &segment);
	(void)sqlite3_bind_int64(st, 1, (sqlite3_int64)at->leaf);
	(void)sqlite3_bind_int64(st, 2, (sqlite3_int64)segment);
	(void)sqlite3_bind_int64(st, 3, (sqlite3_int64)at->offset);
	(void)sqlite3_bind_int64(st, 4, (sqlite3_int64)line.n);
	if (good)
		bind_text(st, 5, v.session_id);
	for (unsigned i = 0; good && i < ARRAY_SIZE(texts); i++)
		bind_text(st, (int)(6 + i), record_view_text(&v, texts[i]));
	r = finish(st);
	if (r == 0 && good)
		r = add_session(x, &v, at->leaf);
	x->tip[0] = '\0';
	if (good)
		memcpy(x->tip, v.entry_hash.p, 64);
	return r;
}

static int set_tip(struct query_index *x)
{
	sqlite3_stmt *st = x->st[SET_TIP];

	(void)sqlite3_bind_int64(st, 1, (sqlite3_int64)x->size - 1);
	(void)sqlite3_bind_text(st, 2, x->tip, -1, SQLITE_STATIC);
	return finish(st);
}

int index_update(struct query_index *x)
{
	unsigned in_batch = 0;
	int r = 0;

	if (x->broken)
		return -EIO;
	while (r == 0) {
		struct segment_at at;
		struct span line;

		r = segment_read(x->reader, &line, &at);
		if (r < 0)
			break;
		if (in_batch == 0)
			r = exec(x, "BEGIN");
		if (r == 0)
			r = add_record(x, line, &at);
		if (r < 0) {
			x->broken = true;
			(void)exec(x, "ROLLBACK");
			return r;
		}
		x->size = at.leaf + 1;
		if (++in_batch == UPDATE_COMMIT) {
			r = set_tip(x);
			if (r == 0)
				r = exec(x, "COMMIT");
			in_batch = 0;
		}
	}
	if (in_batch && (set_tip(x) < 0 || exec(x, "COMMIT") < 0)) {
		x->broken = true;
		return -EIO;
	}
	/* An unfinished last line is what a writer at work looks like. */
	return r == -ENODATA || r == -EILSEQ ? 0 : r;
}

static void place_of(sqlite3_stmt *st, struct index_place *ret)
{
	*ret = (struct index_place){
		.leaf = (uint64_t)sqlite3_column_int64(st, 0),
		.segment = (uint64_t)sqlite3_column_int64(st, 1),
		.offset = (uint64_t)sqlite3_column_int64(st, 2),
		.n = (uint32_t)sqlite3_column_int64(st, 3),
	};
}

int index_records(struct query_index *x, const struct index_filter *f,
		  int (*fn)(void *arg, const struct index_place *p), void *arg)
{
	static const char *const names[] = { "agent", "session", "tool", "decision", "type" };
	const struct span values[] = { f->agent, f->session, f->tool, f->decision, f->type };
	_cleanup_(sqlite3_finalize_p) sqlite3_stmt *st = NULL;
	char sql[512] = "SELECT * FROM (SELECT leaf,segment,offset,n FROM record WHERE leaf>?6";
	size_t at = strlen(sql);
	int r;

	for (unsigned i = 0; i < ARRAY_SIZE(names); i++)
		if (values[i].p)
			at += (size_t)snprintf(sql + at, sizeof(sql) - at, " AND %s=?%u", names[i], i + 1);
	if (f->since)
		at += (size_t)snprintf(sql + at, sizeof(sql) - at, " AND time>=?7");
	(void)snprintf(sql + at, sizeof(sql) - at, " ORDER BY leaf %s LIMIT ?8) ORDER BY leaf",
		       f->after >= 0 ? "ASC" : "DESC");
	r = prepare(x, sql, &st);
	if (r < 0)
		return r;
	for (unsigned i = 0; i < ARRAY_SIZE(values); i++)
		if (values[i].p)
			(void)sqlite3_bind_text(st, (int)i + 1, values[i].p, (int)values[i].n, SQLITE_STATIC);
	(void)sqlite3_bind_int64(st, 6, f->after);
	if (f->since)
		(void)sqlite3_bind_text(st, 7, f->since, -1, SQLITE_STATIC);
	(void)sqlite3_bind_int64(st, 8, f->limit);
	while ((r = sqlite3_step(st)) == SQLITE_ROW) {
		struct index_place p;

		place_of(st, &p);
		r = fn(arg, &p);
		if (r != 0)
			return r;
	}
	return r == SQLITE_DONE ? 0 : -EIO;
}

static struct span column(sqlite3_stmt *st, int i)
{
	return (struct span){ (const char *)sqlite3_column_text(st, i), (size_t)sqlite3_column_bytes(st, i) };
}

int index_sessions(struct query_index *x, struct span agent, unsigned limit,
		   int (*fn)(void *arg, const struct index_session *s), void *arg)
{
	_cleanup_(sqlite3_finalize_p) sqlite3_stmt *st = NULL;
	int r = prepare(x,
			"SELECT id,agent,server,mode,first_leaf,last_leaf,first_time,last_time,records,denied,"
			"ended FROM session WHERE ?1 IS NULL OR agent=?1 ORDER BY last_leaf DESC LIMIT ?2",
			&st);

	if (r < 0)
		return r;
	if (agent.p)
		(void)sqlite3_bind_text(st, 1, agent.p, (int)agent.n, SQLITE_STATIC);
	(void)sqlite3_bind_int64(st, 2, limit);
	while ((r = sqlite3_step(st)) == SQLITE_ROW) {
		const struct index_session s = {
			.id = column(st, 0),
			.agent = column(st, 1),
			.server = column(st, 2),
			.mode = column(st, 3),
			.first_leaf = (uint64_t)sqlite3_column_int64(st, 4),
			.last_leaf = (uint64_t)sqlite3_column_int64(st, 5),
			.first_time = column(st, 6),
			.last_time = column(st, 7),
			.records = (uint64_t)sqlite3_column_int64(st, 8),
			.denied = (uint64_t)sqlite3_column_int64(st, 9),
			.ended = sqlite3_column_int(st, 10) != 0,
		};

		r = fn(arg, &s);
		if (r != 0)
			return r;
	}
	return r == SQLITE_DONE ? 0 : -EIO;
}

int index_locate(struct query_index *x, uint64_t leaf, struct index_place *ret)
{
	_cleanup_(sqlite3_finalize_p) sqlite3_stmt *st = NULL;
	int r = prepare(x, "SELECT leaf,segment,offset,n FROM record WHERE leaf=?", &st);

	if (r < 0)
		return r;
	(void)sqlite3_bind_int64(st, 1, leaf > INT64_MAX ? INT64_MAX : (sqlite3_int64)leaf);
	r = sqlite3_step(st);
	if (r == SQLITE_DONE)
		return -ENOENT;
	if (r != SQLITE_ROW)
		return -EIO;
	place_of(st, ret);
	return 0;
}
