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

/* Sessions or edges: of one session, or of all; of one agent, or of all. Both texts take the same parameters: session,
 * agent (0: any), limit. */
struct report {
	const char *of_one, *of_all;
	int (*give)(void *to, sqlite3_stmt *row);
};

static int run_report(struct query_index *x, const struct report *p, struct span session, struct span agent,
		      unsigned limit, void *to)
{
	_cleanup_(sqlite3_finalize_p) sqlite3_stmt *st = NULL;
	uint64_t one, of;
	int r = filter_value(x, KIND_SESSION, session, &one);

	if (r == 0)
		r = filter_value(x, KIND_AGENT, agent, &of);
	if (r != 0)
		return r < 0 ? r : 0;
	r = index_prepare(x, one ? p->of_one : p->of_all, &st);
	if (r < 0)
		return r;
	(void)sqlite3_bind_int64(st, 1, (sqlite3_int64)one);
	(void)sqlite3_bind_int64(st, 2, (sqlite3_int64)of);
	(void)sqlite3_bind_int64(st, 3, limit);
	while ((r = sqlite3_step(st)) == SQLITE_ROW) {
		r = p->give(to, st);
		if (r != 0)
			return r;
	}
	return end_of(x, r);
}

struct session_to {
	int (*fn)(void *arg, const struct index_session *s);
	void *arg;
};

static int give_session(void *to, sqlite3_stmt *row)
{
	const struct session_to *t = to;
	const struct index_session s = {
		.id = index_column(row, 0), .agent = index_column(row, 1), .server = index_column(row, 2),
		.outer = index_column(row, 3), .mode = index_column(row, 4),
		.first_leaf = (uint64_t)sqlite3_column_int64(row, 5),
		.last_leaf = (uint64_t)sqlite3_column_int64(row, 6),
		.first_us = (uint64_t)sqlite3_column_int64(row, 7),
		.last_us = (uint64_t)sqlite3_column_int64(row, 8),
		.records = (uint64_t)sqlite3_column_int64(row, 9),
		.denied = (uint64_t)sqlite3_column_int64(row, 10),
		.ended = sqlite3_column_int(row, 11) != 0,
	};

	return t->fn(t->arg, &s);
}

int index_sessions(struct query_index *x, struct span id, struct span agent, unsigned limit,
		   int (*fn)(void *arg, const struct index_session *s), void *arg)
{
#define SESSIONS "SELECT " TEXT_OF("session.id") "," TEXT_OF("agent") "," TEXT_OF("server") \
	",outer,mode,first_leaf,last_leaf,first_us,last_us,records,denied,ended FROM session"
	static const struct report sessions = {
		.of_one = SESSIONS " WHERE id=?1 AND (?2=0 OR agent=?2) LIMIT ?3",
		.of_all = SESSIONS " WHERE ?1=0 AND (?2=0 OR agent=?2) ORDER BY last_leaf DESC LIMIT ?3",
		.give = give_session,
	};
#undef SESSIONS
	struct session_to to = { fn, arg };

	return run_report(x, &sessions, id, agent, limit, &to);
}

struct link_to {
	int (*fn)(void *arg, const struct index_link *l);
	void *arg;
};

static int give_link(void *to, sqlite3_stmt *row)
{
	const struct link_to *t = to;
	const struct index_link l = {
		.agent = index_column(row, 0), .server = index_column(row, 1), .tool = index_column(row, 2),
		.first_leaf = (uint64_t)sqlite3_column_int64(row, 3),
		.last_leaf = (uint64_t)sqlite3_column_int64(row, 4),
		.records = (uint64_t)sqlite3_column_int64(row, 5),
		.denied = (uint64_t)sqlite3_column_int64(row, 6),
	};

	return t->fn(t->arg, &l);
}

int index_links(struct query_index *x, struct span session, struct span agent, unsigned limit,
		int (*fn)(void *arg, const struct index_link *l), void *arg)
{
#define ENDS "SELECT " TEXT_OF("agent") "," TEXT_OF("server") "," TEXT_OF("tool") ","
	static const struct report links = {
		.of_one = ENDS "first_leaf,last_leaf,records,denied FROM link WHERE session=?1 AND (?2=0 OR agent=?2)"
			  " ORDER BY records DESC,first_leaf LIMIT ?3",
		.of_all = ENDS "min(first_leaf),max(last_leaf),sum(records),sum(denied) FROM link WHERE ?1=0 AND"
			  " (?2=0 OR agent=?2) GROUP BY agent,server,tool ORDER BY 6 DESC,4 LIMIT ?3",
		.give = give_link,
	};
#undef ENDS
	struct link_to to = { fn, arg };

	return run_report(x, &links, session, agent, limit, &to);
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
