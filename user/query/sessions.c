// SPDX-License-Identifier: Apache-2.0
/*
 * GET /v1/sessions, /v1/graph and /v1/statistics: what the index adds up. Runs in the query role.
 */
#include <errno.h>
#include <string.h>

#include "user/base/cleanup.h"
#include "user/base/clock.h"
#include "user/query/query.h"
#include "user/query/request.h"

#define STATISTICS_NAMES 100 /* of each kind, those with most records */

/* Text as in records: its only escapes are JSON's own, so it is a JSON string as it is. */
static void put_text(struct json_out *j, struct span s)
{
	_cleanup_buf_ struct buf b = { 0 };

	if (!s.p) {
		json_out_null(j);
		return;
	}
	if (buf_append(&b, "\"", 1) < 0 || buf_append(&b, s.p, s.n) < 0 || buf_append(&b, "\"", 1) < 0)
		j->error = j->error ? j->error : -ENOMEM;
	json_out_raw(j, buf_span(&b));
}

static void member_text(struct json_out *j, const char *name, struct span s)
{
	json_out_key(j, name);
	put_text(j, s);
}

static void member_time(struct json_out *j, const char *name, uint64_t us)
{
	char iso[CLOCK_ISO_SIZE];

	if (us && us < UINT64_MAX / 1000)
		clock_iso(us * 1000, iso);
	json_out_member_str(j, name, us && us < UINT64_MAX / 1000 ? iso : NULL);
}

/* Where a list goes. */
struct listing {
	struct json_out j;
	struct answer *out;
};

static int one_session(void *arg, const struct index_session *s)
{
	struct listing *l = arg;
	struct json_out *j = &l->j;

	l->out->rows++;
	json_out_object(j);
	member_text(j, "agent", s->agent);
	json_out_member_int(j, "denied", (int64_t)s->denied);
	json_out_member_bool(j, "ended", s->ended);
	json_out_member_int(j, "first_leaf", (int64_t)s->first_leaf);
	member_time(j, "first_time", s->first_us);
	json_out_member_int(j, "last_leaf", (int64_t)s->last_leaf);
	member_time(j, "last_time", s->last_us);
	member_text(j, "mode", s->mode);
	member_text(j, "outer_agent", s->outer);
	json_out_member_int(j, "records", (int64_t)s->records);
	member_text(j, "server", s->server);
	member_text(j, "session_id", s->id);
	json_out_object_end(j);
	return 0;
}

static int one_link(void *arg, const struct index_link *k)
{
	struct listing *l = arg;
	struct json_out *j = &l->j;

	l->out->rows++;
	json_out_object(j);
	member_text(j, "agent", k->agent);
	json_out_member_int(j, "denied", (int64_t)k->denied);
	json_out_member_int(j, "first_leaf", (int64_t)k->first_leaf);
	json_out_member_int(j, "last_leaf", (int64_t)k->last_leaf);
	json_out_member_int(j, "records", (int64_t)k->records);
	member_text(j, "server", k->server);
	member_text(j, "tool", k->tool);
	json_out_object_end(j);
	return 0;
}

/* Both lists have the same questions. */
static void answer_list(struct request *q, const char *member, bool links)
{
	static const char *const names[] = { "agent", "session", "limit", NULL };
	_cleanup_buf_ struct buf keep = { 0 }, keep_id = { 0 };
	struct span agent = { 0 }, id = { 0 };
	struct listing l = { .out = q->out };
	uint64_t limit;
	int r;

	if (!request_known(q, names) || !request_filter(q, "agent", &keep, &agent) ||
	    !request_filter(q, "session", &keep_id, &id) ||
	    !request_number(q, "limit", QUERY_LIMIT_DEFAULT, QUERY_LIMIT_MAX, &limit) || !request_update(q))
		return;
	request_begin(q, &l.j);
	json_out_key(&l.j, member);
	json_out_array(&l.j);
	r = links ? index_links(q->src->index, id, agent, (unsigned)limit, one_link, &l) :
		    index_sessions(q->src->index, id, agent, (unsigned)limit, one_session, &l);
	json_out_array_end(&l.j);
	request_end(q, &l.j);
	if (r < 0)
		request_refuse(q, 500, "the index cannot be read");
}

void answer_sessions(struct request *q)
{
	answer_list(q, "sessions", false);
}

void answer_graph(struct request *q)
{
	answer_list(q, "edges", true);
}

static int one_count(void *arg, struct span text, uint64_t records)
{
	struct listing *l = arg;
	struct json_out *j = &l->j;

	l->out->rows++;
	json_out_object(j);
	member_text(j, "name", text);
	json_out_member_int(j, "records", (int64_t)records);
	json_out_object_end(j);
	return 0;
}

void answer_statistics(struct request *q)
{
	static const char *const members[] = { "agent", "decision", "server", "tool", "type" };
	static const char *const names[] = { NULL };
	struct listing l = { .out = q->out };
	struct index_totals t;
	int r;

	if (!request_known(q, names) || !request_update(q))
		return;
	r = index_totals(q->src->index, &t);
	request_begin(q, &l.j);
	for (unsigned i = 0; i < ARRAY_SIZE(members) && r == 0; i++) {
		json_out_key(&l.j, members[i]);
		json_out_array(&l.j);
		r = index_counts(q->src->index, members[i], STATISTICS_NAMES, one_count, &l);
		json_out_array_end(&l.j);
	}
	if (r == 0) {
		member_time(&l.j, "first_time", t.first_us);
		member_time(&l.j, "last_time", t.last_us);
		json_out_member_int(&l.j, "open_sessions", (int64_t)t.open_sessions);
		json_out_member_int(&l.j, "records", (int64_t)t.records);
		json_out_member_int(&l.j, "sessions", (int64_t)t.sessions);
	}
	request_end(q, &l.j);
	if (r < 0)
		request_refuse(q, 500, "the index cannot be read");
}
