// SPDX-License-Identifier: Apache-2.0
/*
 * What the index adds up: sessions, the graph of who called what, totals. Runs in the query role.
 */
#include <errno.h>
#include <string.h>

#include "user/query/index_private.h"

#define TEXT_OF(column) "(SELECT text FROM value WHERE id=" column ")"

/* The number of a filter's text; 1 when no record has it, 0 with *ret 0 when nothing is asked for. */
static int filter_value(struct query_index *x, enum index_kind kind, struct span text, uint64_t *ret)
{
	int r;

	*ret = 0;
	if (!text.p)
		return 0;
	r = index_find_value(x, kind, text, ret, NULL);
	return r < 0 ? r : *ret == 0;
}

static int end_of(struct query_index *x, int step)
{
	if (step == SQLITE_DONE)
		return 0;
	x->broken = true;
	return -EIO;
}

int index_sessions(struct query_index *x, struct span id, struct span agent, unsigned limit,
		   int (*fn)(void *arg, const struct index_session *s), void *arg)
{
	_cleanup_(sqlite3_finalize_p) sqlite3_stmt *st = NULL;
	uint64_t one, of;
	int r = filter_value(x, KIND_SESSION, id, &one);

	if (r == 0)
		r = filter_value(x, KIND_AGENT, agent, &of);
	if (r != 0)
		return r < 0 ? r : 0;
	r = index_prepare(x, one ? "SELECT " TEXT_OF("session.id") "," TEXT_OF("agent") "," TEXT_OF("server")
				 ",outer,mode,first_leaf,last_leaf,first_us,last_us,records,denied,ended FROM"
				 " session WHERE id=?1 AND (?2=0 OR agent=?2) LIMIT ?3" :
				 "SELECT " TEXT_OF("session.id") "," TEXT_OF("agent") "," TEXT_OF("server")
				 ",outer,mode,first_leaf,last_leaf,first_us,last_us,records,denied,ended FROM"
				 " session WHERE ?1=0 AND (?2=0 OR agent=?2) ORDER BY last_leaf DESC LIMIT ?3",
			  &st);
	if (r < 0)
		return r;
	(void)sqlite3_bind_int64(st, 1, (sqlite3_int64)one);
	(void)sqlite3_bind_int64(st, 2, (sqlite3_int64)of);
	(void)sqlite3_bind_int64(st, 3, limit);
	while ((r = sqlite3_step(st)) == SQLITE_ROW) {
		const struct index_session s = {
			.id = index_column(st, 0), .agent = index_column(st, 1), .server = index_column(st, 2),
			.outer = index_column(st, 3), .mode = index_column(st, 4),
			.first_leaf = (uint64_t)sqlite3_column_int64(st, 5),
			.last_leaf = (uint64_t)sqlite3_column_int64(st, 6),
			.first_us = (uint64_t)sqlite3_column_int64(st, 7),
			.last_us = (uint64_t)sqlite3_column_int64(st, 8),
			.records = (uint64_t)sqlite3_column_int64(st, 9),
			.denied = (uint64_t)sqlite3_column_int64(st, 10),
			.ended = sqlite3_column_int(st, 11) != 0,
		};

		r = fn(arg, &s);
		if (r != 0)
			return r;
	}
	return end_of(x, r);
}

int index_links(struct query_index *x, struct span session, struct span agent, unsigned limit,
		int (*fn)(void *arg, const struct index_link *l), void *arg)
{
	_cleanup_(sqlite3_finalize_p) sqlite3_stmt *st = NULL;
	uint64_t one, of;
	int r = filter_value(x, KIND_SESSION, session, &one);

	if (r == 0)
		r = filter_value(x, KIND_AGENT, agent, &of);
	if (r != 0)
		return r < 0 ? r : 0;
	r = index_prepare(x, one ? "SELECT " TEXT_OF("agent") "," TEXT_OF("server") "," TEXT_OF("tool")
				 ",first_leaf,last_leaf,records,denied FROM link WHERE session=?1 AND"
				 " (?2=0 OR agent=?2) ORDER BY records DESC,first_leaf LIMIT ?3" :
				 "SELECT " TEXT_OF("agent") "," TEXT_OF("server") "," TEXT_OF("tool")
				 ",min(first_leaf),max(last_leaf),sum(records),sum(denied) FROM link WHERE ?1=0 AND"
				 " (?2=0 OR agent=?2) GROUP BY agent,server,tool ORDER BY 6 DESC,4 LIMIT ?3", &st);
	if (r < 0)
		return r;
	(void)sqlite3_bind_int64(st, 1, (sqlite3_int64)one);
	(void)sqlite3_bind_int64(st, 2, (sqlite3_int64)of);
	(void)sqlite3_bind_int64(st, 3, limit);
	while ((r = sqlite3_step(st)) == SQLITE_ROW) {
		const struct index_link l = {
			.agent = index_column(st, 0), .server = index_column(st, 1), .tool = index_column(st, 2),
			.first_leaf = (uint64_t)sqlite3_column_int64(st, 3),
			.last_leaf = (uint64_t)sqlite3_column_int64(st, 4),
			.records = (uint64_t)sqlite3_column_int64(st, 5),
			.denied = (uint64_t)sqlite3_column_int64(st, 6),
		};

		r = fn(arg, &l);
		if (r != 0)
			return r;
	}
	return end_of(x, r);
}

int index_totals(struct query_index *x, struct index_totals *ret)
{
	_cleanup_(sqlite3_finalize_p) sqlite3_stmt *st = NULL;
	int r = index_prepare(x, "SELECT (SELECT count(*) FROM session),(SELECT count(*) FROM session WHERE ended=0),"
				 "count(*),coalesce(sum(n),0),coalesce(min(nullif(low_us,0)),0),"
				 "coalesce(max(high_us),0) FROM block", &st);

	if (r < 0)
		return r;
	r = sqlite3_step(st);
	if (r != SQLITE_ROW)
		return end_of(x, r);
	*ret = (struct index_totals){
		.sessions = (uint64_t)sqlite3_column_int64(st, 0),
		.open_sessions = (uint64_t)sqlite3_column_int64(st, 1),
		.blocks = (uint64_t)sqlite3_column_int64(st, 2),
		.records = (uint64_t)sqlite3_column_int64(st, 3),
		.first_us = (uint64_t)sqlite3_column_int64(st, 4),
		.last_us = (uint64_t)sqlite3_column_int64(st, 5),
	};
	return 0;
}

int index_counts(struct query_index *x, const char *member, unsigned limit,
		 int (*fn)(void *arg, struct span text, uint64_t records), void *arg)
{
	static const char *const names[KIND_COUNT] = { "session", "agent", "server", "tool", "decision", "type" };
	_cleanup_(sqlite3_finalize_p) sqlite3_stmt *st = NULL;
	int kind = 0, r;

	while (kind < KIND_COUNT && strcmp(names[kind], member) != 0)
		kind++;
	r = index_prepare(x, "SELECT text,records FROM value WHERE kind=? ORDER BY records DESC,text LIMIT ?", &st);
	if (r < 0)
		return r;
	(void)sqlite3_bind_int(st, 1, kind);
	(void)sqlite3_bind_int64(st, 2, limit);
	while ((r = sqlite3_step(st)) == SQLITE_ROW) {
		r = fn(arg, index_column(st, 0), (uint64_t)sqlite3_column_int64(st, 1));
		if (r != 0)
			return r;
	}
	return end_of(x, r);
}
