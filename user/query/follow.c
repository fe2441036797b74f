// SPDX-License-Identifier: Apache-2.0
/*
 * GET /v1/records?follow=1. Runs in the query role; reads only. Knows nothing of HTTP.
 */
#include "user/query/follow.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "user/base/cleanup.h"
#include "user/query/request.h"

#define FOLLOW_RECORDS 256 /* found at a time, so that others get their turn */

struct follow {
	struct record_query rq;
	struct line_source lines;
	struct buf out;
	uint64_t rows;
	int error;
};

DEFINE_CLEANUP(struct follow *, follow_close)

bool follow_wanted(const struct answer_param *params, unsigned params_n)
{
	for (unsigned i = 0; i < params_n; i++)
		if (span_is(params[i].name, "follow") && !span_is(params[i].value, "0"))
			return true;
	return false;
}

static int lowest(void *arg, const struct index_place *p)
{
	*(uint64_t *)arg = p->leaf;
	return 0;
}

/* Where the stream begins. */
static int find_start(struct request *q, struct follow *f)
{
	uint64_t from = index_size(q->src->index);
	int r = 0;

	if (f->rq.f.newest && request_param(q, "limit"))
		r = index_records(q->src->index, &f->rq.f, lowest, &from);
	if (f->rq.f.newest)
		f->rq.f.from = from;
	f->rq.f.newest = false;
	f->rq.f.limit = FOLLOW_RECORDS;
	return r;
}

struct follow *follow_open(struct answer_source *src, const char *path, const struct answer_param *params,
			   unsigned params_n, struct answer *ret_error)
{
	struct request q = { src, path, params, params_n, ret_error };
	_cleanup_(follow_close_p) struct follow *f = calloc(1, sizeof(*f));

	if (!f) {
		request_refuse(&q, 500, "out of memory");
		return NULL;
	}
	f->lines = (struct line_source){ .src = src, .rq = &f->rq, .fd = -1 };
	if (!record_query_read(&q, &f->rq) || !request_update(&q))
		return NULL;
	if (find_start(&q, f) < 0) {
		request_refuse(&q, 500, "the index cannot be read");
		return NULL;
	}
	return take_ptr(f);
}

void follow_close(struct follow *f)
{
	if (!f)
		return;
	record_query_done(&f->rq);
	line_source_done(&f->lines);
	buf_done(&f->out);
	free(f);
}

uint64_t follow_rows(const struct follow *f)
{
	return f->rows;
}

void follow_beat(struct follow *f)
{
	if (buf_len(&f->out) == 0)
		(void)buf_append(&f->out, "\n", 1);
}

static int one_line(void *arg, const struct index_place *p)
{
	struct follow *f = arg;
	struct json_out j;
	int r;

	json_out_init(&j, &f->out);
	r = line_source_put(&f->lines, p, &j);
	if (r == 1)
		return -ESTALE; /* the index is built again; the stream goes on from here then */
	r = json_out_end(&j);
	if (r == 0)
		r = buf_append(&f->out, "\n", 1);
	if (r < 0)
		return r;
	f->rq.f.from = p->leaf + 1;
	f->rows++;
	return buf_len(&f->out) >= FOLLOW_CHUNK;
}

static int fill(struct follow *f)
{
	struct query_index *x = f->lines.src->index;
	uint64_t size = index_size(x);
	int r;

	if (f->rq.f.from >= size)
		return 0;
	r = index_records(x, &f->rq.f, one_line, f);
	if (r == 0 && buf_len(&f->out) == 0)
		f->rq.f.from = size; /* nothing of what there is fits */
	return r < 0 && r != -ESTALE ? r : 0;
}

ssize_t follow_read(struct follow *f, char *ret, size_t max)
{
	size_t n;

	if (buf_len(&f->out) == 0 && f->error == 0)
		f->error = fill(f);
	n = buf_len(&f->out) < max ? buf_len(&f->out) : max;
	if (n == 0)
		return f->error;
	memcpy(ret, buf_span(&f->out).p, n);
	buf_consume(&f->out, n);
	return (ssize_t)n;
}
