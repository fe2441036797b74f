// SPDX-License-Identifier: Apache-2.0
/*
 * GET /v1/records. Runs in the query role; reads only.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "user/base/cleanup.h"
#include "user/base/clock.h"
#include "user/notary/segment.h"
#include "user/query/query.h"
#include "user/query/request.h"

#define BODY_SOFT_MAX (32u << 20) /* an answer stops growing here and says where to go on */

struct lines {
	struct request *q;
	struct json_out *j;
	uint64_t segment; /* of fd */
	int fd;
	uint64_t last;
	bool any, cut;
};

static int one_record(void *arg, const struct index_place *p)
{
	_cleanup_buf_ struct buf line = { 0 };
	struct lines *l = arg;
	struct record_view v;
	int r;

	if (buf_len(&l->q->out->body) > BODY_SOFT_MAX) {
		l->cut = true;
		return 1;
	}
	r = request_line(l->q->src->log_dirfd, p, &l->fd, &l->segment, &line, &v);
	json_out_object(l->j);
	json_out_member_int(l->j, "leaf", (int64_t)p->leaf);
	json_out_key(l->j, "record");
	if (r == 0)
		json_out_raw(l->j, buf_span(&line));
	else
		json_out_null(l->j); /* damaged: verify says how */
	json_out_object_end(l->j);
	l->last = p->leaf;
	l->any = true;
	return 0;
}

/* since: ISO 8601, or seconds since 1970. */
static bool filter_since(struct request *q, char iso[CLOCK_ISO_SIZE], const char **ret)
{
	const struct answer_param *p = request_param(q, "since");
	char text[64];
	uint64_t ns;
	char *stop;

	if (!p)
		return true;
	if (p->value.n == 0 || p->value.n >= sizeof(text)) {
		request_refuse(q, 400, "since is not a time");
		return false;
	}
	memcpy(text, p->value.p, p->value.n);
	text[p->value.n] = '\0';
	ns = strtoull(text, &stop, 10);
	if (*stop == '\0' && text[0] >= '0' && text[0] <= '9' && ns < UINT64_MAX / 1000000000u) {
		ns *= 1000000000u;
	} else if (clock_parse_iso(text, &ns) < 0) {
		request_refuse(q, 400, "since is not a time");
		return false;
	}
	clock_iso(ns, iso);
	*ret = iso;
	return true;
}

void answer_records(struct request *q)
{
	static const char *const names[] = { "agent", "session", "tool", "decision", "type",
					     "since", "after", "limit", NULL };
	struct buf keep[5] = { { 0 } };
	struct index_filter f = { 0 };
	struct span *const slots[] = { &f.agent, &f.session, &f.tool, &f.decision, &f.type };
	struct lines l = { .q = q, .fd = -1 };
	char since[CLOCK_ISO_SIZE];
	uint64_t limit, after;
	struct json_out j;
	bool good = request_known(q, names);
	int r;

	for (unsigned i = 0; i < ARRAY_SIZE(slots) && good; i++)
		good = request_filter(q, names[i], &keep[i], slots[i]);
	good = good && filter_since(q, since, &f.since) &&
	       request_number(q, "limit", QUERY_LIMIT_DEFAULT, QUERY_LIMIT_MAX, &limit) &&
	       request_number(q, "after", 0, SEGMENT_LEAF_MAX, &after);
	if (!good)
		goto out;
	f.limit = (unsigned)limit;
	f.after = request_param(q, "after") ? (int64_t)after : -1;
	r = index_update(q->src->index);
	request_begin(q, &j);
	l.j = &j;
	json_out_key(&j, "records");
	json_out_array(&j);
	if (r == 0)
		r = index_records(q->src->index, &f, one_record, &l);
	json_out_array_end(&j);
	json_out_member_bool(&j, "cut", l.cut);
	json_out_key(&j, "last");
	if (l.any)
		json_out_int(&j, (int64_t)l.last);
	else
		json_out_null(&j);
	json_out_member_int(&j, "size", (int64_t)index_size(q->src->index));
	request_end(q, &j);
	if (r < 0)
		request_refuse(q, 500, "the log or the index cannot be read");
out:
	cleanup_close(&l.fd);
	for (unsigned i = 0; i < ARRAY_SIZE(keep); i++)
		buf_done(&keep[i]);
}
