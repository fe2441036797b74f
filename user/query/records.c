// SPDX-License-Identifier: Apache-2.0
/*
 * GET /v1/records. Runs in the query role; reads only. The index says where to look; whether a record is
 * the one that was asked for is judged by the record.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "user/base/cleanup.h"
#include "user/notary/segment.h"
#include "user/query/query.h"
#include "user/query/request.h"

#define BODY_SOFT_MAX (32u << 20) /* an answer stops growing here and says where to go on */

static const enum record_member filter_member[] = {
	M_SESSION_ID, M_AGENT, M_SERVER_IDENTITY, M_TOOL_NAME, M_POLICY_DECISION, M_ENTRY_TYPE,
};
static const char *const filter_name[] = { "session", "agent", "server", "tool", "decision", "type" };

static const struct span *filter_text(const struct index_filter *f, unsigned i)
{
	const struct span *const all[] = { &f->session, &f->agent, &f->server, &f->tool, &f->decision, &f->type };

	return all[i];
}

void record_query_done(struct record_query *rq)
{
	for (unsigned i = 0; i < ARRAY_SIZE(rq->keep); i++)
		buf_done(&rq->keep[i]);
}

static bool read_range(struct request *q, struct index_filter *f)
{
	uint64_t after = 0, before = 0, limit;

	if (!request_number(q, "from", 0, SEGMENT_LEAF_MAX, &f->from) ||
	    !request_number(q, "after", 0, SEGMENT_LEAF_MAX, &after) ||
	    !request_number(q, "before", 0, SEGMENT_LEAF_MAX, &before) ||
	    !request_number(q, "limit", QUERY_LIMIT_DEFAULT, QUERY_LIMIT_MAX, &limit) ||
	    !request_time(q, "since", &f->since_us) || !request_time(q, "until", &f->until_us))
		return false;
	f->limit = (unsigned)limit;
	if (!!request_param(q, "from") + !!request_param(q, "after") + !!request_param(q, "before") > 1) {
		request_refuse(q, 400, "from, after and before exclude each other");
		return false;
	}
	if (request_param(q, "after"))
		f->from = after + 1;
	if (request_param(q, "before") && before == 0)
		f->limit = 0; /* nothing is before the first */
	f->to = before;
	f->newest = !request_param(q, "from") && !request_param(q, "after");
	if (request_param(q, "until") && f->until_us < f->since_us) {
		request_refuse(q, 400, "until is before since");
		return false;
	}
	return true;
}

bool record_query_read(struct request *q, struct record_query *ret)
{
	static const char *const names[] = { "agent", "session", "server", "tool", "decision", "type", "since",
					     "until", "from", "after", "before", "limit", "follow", NULL };
	const struct answer_param *follow = request_param(q, "follow");
	bool good = request_known(q, names);

	*ret = (struct record_query){ .follow = false };
	for (unsigned i = 0; i < ARRAY_SIZE(filter_name) && good; i++)
		good = request_filter(q, filter_name[i], &ret->keep[i],
				      (struct span *)(uintptr_t)filter_text(&ret->f, i));
	if (good && follow && !span_is(follow->value, "1") && !span_is(follow->value, "0")) {
		request_refuse(q, 400, "follow is 1 or 0");
		good = false;
	}
	good = good && read_range(q, &ret->f);
	ret->follow = good && follow && span_is(follow->value, "1");
	if (ret->follow && (request_param(q, "before") || request_param(q, "until"))) {
		request_refuse(q, 400, "what is followed has no end: before and until are not for it");
		good = false;
	}
	if (!good)
		record_query_done(ret);
	return good;
}

static bool record_fits(const struct record_query *rq, const struct record_view *v)
{
	for (unsigned i = 0; i < ARRAY_SIZE(filter_member); i++) {
		const struct span *want = filter_text(&rq->f, i);

		if (want->p && !span_eq(*want, record_view_text(v, filter_member[i])))
			return false;
	}
	return true;
}

int line_source_put(struct line_source *l, const struct index_place *p, struct json_out *j)
{
	struct record_view v;
	int r = request_line(l->src->log_dirfd, p, &l->fd, &l->segment, &l->line, &v);

	if (r == 0 && !record_fits(l->rq, &v)) {
		index_distrust(l->src->index);
		return 1;
	}
	if (r == -ENOENT) { /* its segment was removed */
		(void)index_forget(l->src->index);
		return 1;
	}
	json_out_object(j);
	json_out_member_int(j, "leaf", (int64_t)p->leaf);
	json_out_key(j, "record");
	if (r == 0)
		json_out_raw(j, buf_span(&l->line));
	else
		json_out_null(j);
	json_out_object_end(j);
	return 0;
}

void line_source_done(struct line_source *l)
{
	cleanup_close(&l->fd);
	buf_done(&l->line);
}

struct found {
	struct index_place *all;
	unsigned n, cap;
	size_t bytes;
	bool cut;
};

static int keep_place(void *arg, const struct index_place *p)
{
	struct found *f = arg;

	if (f->bytes > BODY_SOFT_MAX) {
		f->cut = true;
		return 1;
	}
	if (f->n == f->cap) {
		struct index_place *more = reallocarray(f->all, f->cap ? 2 * f->cap : 128, sizeof(*more));

		if (!more)
			return -ENOMEM;
		f->all = more;
		f->cap = f->cap ? 2 * f->cap : 128;
	}
	f->all[f->n++] = *p;
	f->bytes += p->n;
	return 0;
}

/* Oldest first, whichever way they were found. */
static void write_found(struct request *q, const struct record_query *rq, const struct found *f)
{
	struct line_source l = { .src = q->src, .rq = rq, .fd = -1 };
	bool more = f->cut || f->n == rq->f.limit;
	struct json_out j;

	request_begin(q, &j);
	json_out_key(&j, "records");
	json_out_array(&j);
	for (unsigned i = 0; i < f->n; i++)
		q->out->rows += line_source_put(&l, &f->all[rq->f.newest ? f->n - 1 - i : i], &j) == 0;
	line_source_done(&l);
	json_out_array_end(&j);
	json_out_member_bool(&j, "cut", f->cut);
	json_out_key(&j, "first");
	f->n ? json_out_int(&j, (int64_t)f->all[rq->f.newest ? f->n - 1 : 0].leaf) : json_out_null(&j);
	json_out_key(&j, "last");
	f->n ? json_out_int(&j, (int64_t)f->all[rq->f.newest ? 0 : f->n - 1].leaf) : json_out_null(&j);
	json_out_member_bool(&j, "more", f->n && more);
	json_out_member_int(&j, "size", (int64_t)index_size(q->src->index));
	request_end(q, &j);
}

void answer_records(struct request *q)
{
	_cleanup_(record_query_done) struct record_query rq = { .follow = false };
	struct found f = { .n = 0 };
	int r;

	if (!record_query_read(q, &rq) || !request_update(q))
		return;
	r = index_records(q->src->index, &rq.f, keep_place, &f);
	if (r < 0)
		request_refuse(q, 500, "the index cannot be read");
	else
		write_found(q, &rq, &f);
	free(f.all);
}
