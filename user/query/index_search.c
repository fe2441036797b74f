// SPDX-License-Identifier: Apache-2.0
/*
 * Finding records: the blocks that have all texts asked for, then the records in them. Runs in the query
 * role. Blocks are walked in the order asked for and only as far as the limit goes.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "user/query/index_private.h"

struct term {
	uint64_t value, records;
};

struct search {
	struct query_index *x;
	const struct index_filter *f;
	struct term terms[KIND_COUNT];
	unsigned terms_n, found;
	int (*fn)(void *arg, const struct index_place *p);
	void *arg;
};

/* One block of the walk: what of it is asked for, and where its lines begin. */
struct piece {
	uint64_t first, segment;
	uint32_t n;
	uint64_t which[BLOCK_WORDS];
	uint64_t offsets[BLOCK_RECORDS];
	const uint8_t *lines;
};

static int term_order(const void *a, const void *b)
{
	const struct term *x = a, *y = b;

	return (x->records > y->records) - (x->records < y->records);
}

/* 1 when no record can fit. The rarest text leads, so that the walk is as short as it can be. */
static int find_terms(struct search *s)
{
	const struct index_filter *f = s->f;
	const struct span texts[KIND_COUNT] = {
		[KIND_SESSION] = f->session, [KIND_AGENT] = f->agent, [KIND_SERVER] = f->server,
		[KIND_TOOL] = f->tool, [KIND_DECISION] = f->decision, [KIND_TYPE] = f->type,
	};

	for (int k = 0; k < KIND_COUNT; k++) {
		struct term *t = &s->terms[s->terms_n];
		int r;

		if (!texts[k].p)
			continue;
		r = index_find_value(s->x, (enum index_kind)k, texts[k], &t->value, &t->records);
		if (r < 0)
			return r;
		if (!t->value)
			return 1;
		s->terms_n++;
	}
	qsort(s->terms, s->terms_n, sizeof(s->terms[0]), term_order);
	return 0;
}

static int prepare_walk(struct search *s, sqlite3_stmt **ret)
{
	const char *key = s->terms_n ? "h0.block" : "b.first";
	const struct index_filter *f = s->f;
	char sql[1024] = "SELECT b.first,b.segment,b.offset,b.n";
	size_t at = strlen(sql);
	int r;

#define ADD(...) (at += (size_t)snprintf(sql + at, sizeof(sql) - at, __VA_ARGS__))
	for (unsigned i = 0; i < s->terms_n; i++)
		ADD(",h%u.which", i);
	ADD(" FROM ");
	for (unsigned i = 0; i < s->terms_n; i++)
		ADD("hits h%u CROSS JOIN ", i); /* CROSS: in this order */
	ADD("block b WHERE %s>?1 AND b.first+b.n>?2", key);
	if (s->terms_n)
		ADD(" AND b.first=h0.block");
	for (unsigned i = 0; i < s->terms_n; i++)
		ADD(" AND h%u.value=?%u", i, 10 + i);
	for (unsigned i = 1; i < s->terms_n; i++)
		ADD(" AND h%u.block=h0.block", i);
	if (f->to)
		ADD(" AND %s<?3", key);
	if (f->since_us)
		ADD(" AND b.high_us>=?4");
	if (f->until_us)
		ADD(" AND b.low_us<=?5");
	ADD(" ORDER BY %s %s", key, f->newest ? "DESC" : "ASC");
#undef ADD
	r = index_prepare(s->x, sql, ret);
	if (r < 0)
		return r;
	/* A block that holds from begins less than its length before it: the key alone leads there. */
	(void)sqlite3_bind_int64(*ret, 1, (sqlite3_int64)f->from - (sqlite3_int64)BLOCK_RECORDS);
	(void)sqlite3_bind_int64(*ret, 2, (sqlite3_int64)f->from);
	(void)sqlite3_bind_int64(*ret, 3, (sqlite3_int64)f->to);
	(void)sqlite3_bind_int64(*ret, 4, (sqlite3_int64)f->since_us);
	(void)sqlite3_bind_int64(*ret, 5, (sqlite3_int64)f->until_us);
	for (unsigned i = 0; i < s->terms_n; i++)
		(void)sqlite3_bind_int64(*ret, 10 + (int)i, (sqlite3_int64)s->terms[i].value);
	return 0;
}

static unsigned line_length(const uint8_t *lines, uint32_t i)
{
	return lines[i * BLOCK_LINE_SIZE] | (unsigned)lines[i * BLOCK_LINE_SIZE + 1] << 8;
}

static uint64_t line_us(const uint8_t *lines, uint32_t i)
{
	uint64_t us = 0;

	for (int k = 7; k >= 0; k--)
		us = us << 8 | lines[i * BLOCK_LINE_SIZE + 2 + (uint32_t)k];
	return us;
}

/* The row's block, checked: the database may hold anything. *ret_any: some record of it may fit. The lines
 * stay valid until GET_LINES is used again. */
static int load_piece(struct query_index *x, sqlite3_stmt *row, unsigned terms_n, struct piece *ret,
		      bool *ret_any)
{
	sqlite3_stmt *st = x->st[GET_LINES];
	uint64_t offset = (uint64_t)sqlite3_column_int64(row, 2), any = 0;

	ret->first = (uint64_t)sqlite3_column_int64(row, 0);
	ret->segment = (uint64_t)sqlite3_column_int64(row, 1);
	if (sqlite3_column_int64(row, 3) < 0 || sqlite3_column_int64(row, 3) > BLOCK_RECORDS)
		return -EIO;
	ret->n = (uint32_t)sqlite3_column_int64(row, 3);
	memset(ret->which, 0xff, sizeof(ret->which));
	for (unsigned i = 0; i < terms_n; i++) {
		const void *hits = sqlite3_column_blob(row, 4 + (int)i);
		uint64_t words[BLOCK_WORDS];

		if (!hits || sqlite3_column_bytes(row, 4 + (int)i) != sizeof(words))
			return -EIO;
		memcpy(words, hits, sizeof(words));
		for (unsigned w = 0; w < BLOCK_WORDS; w++)
			ret->which[w] &= words[w];
	}
	for (unsigned w = 0; w < BLOCK_WORDS; w++)
		any |= ret->which[w];
	*ret_any = any != 0;
	if (!any)
		return 0;
	(void)sqlite3_reset(st);
	(void)sqlite3_bind_int64(st, 1, (sqlite3_int64)ret->first);
	if (sqlite3_step(st) != SQLITE_ROW ||
	    (uint32_t)sqlite3_column_bytes(st, 0) != ret->n * BLOCK_LINE_SIZE)
		return -EIO;
	ret->lines = sqlite3_column_blob(st, 0);
	for (uint32_t i = 0; i < ret->n; i++) {
		ret->offsets[i] = offset;
		offset += line_length(ret->lines, i) + 1;
	}
	return 0;
}

static void place_in(const struct piece *p, uint32_t i, struct index_place *ret)
{
	*ret = (struct index_place){ .leaf = p->first + i, .segment = p->segment, .offset = p->offsets[i],
				     .n = line_length(p->lines, i), .us = line_us(p->lines, i) };
}

static bool fits(const struct index_filter *f, const struct index_place *p)
{
	return p->leaf >= f->from && (!f->to || p->leaf < f->to) && p->us >= f->since_us &&
	       (!f->until_us || p->us <= f->until_us);
}

static int give_piece(struct search *s, const struct piece *p)
{
	for (uint32_t k = 0; k < p->n && s->found < s->f->limit; k++) {
		uint32_t i = s->f->newest ? p->n - 1 - k : k;
		struct index_place place;
		int r;

		if (!(p->which[i / 64] >> i % 64 & 1))
			continue;
		place_in(p, i, &place);
		if (!fits(s->f, &place))
			continue;
		s->found++;
		r = s->fn(s->arg, &place);
		if (r != 0)
			return r;
	}
	return 0;
}

int index_records(struct query_index *x, const struct index_filter *f,
		  int (*fn)(void *arg, const struct index_place *p), void *arg)
{
	_cleanup_(sqlite3_finalize_p) sqlite3_stmt *st = NULL;
	struct search s = { .x = x, .f = f, .fn = fn, .arg = arg };
	struct piece p;
	int r = find_terms(&s);

	if (r != 0)
		return r < 0 ? r : 0;
	r = prepare_walk(&s, &st);
	while (r == 0 && s.found < f->limit) {
		bool any;
		int step = sqlite3_step(st);

		if (step == SQLITE_DONE)
			break;
		r = step == SQLITE_ROW ? load_piece(x, st, s.terms_n, &p, &any) : -EIO;
		if (r == 0 && any)
			r = give_piece(&s, &p);
	}
	(void)sqlite3_reset(x->st[GET_LINES]);
	if (r == -EIO)
		x->broken = true;
	return r;
}

int index_locate(struct query_index *x, uint64_t leaf, struct index_place *ret)
{
	_cleanup_(sqlite3_finalize_p) sqlite3_stmt *st = NULL;
	struct piece p;
	bool any;
	int r = index_prepare(x, "SELECT first,segment,offset,n FROM block WHERE first<=? ORDER BY first DESC"
				 " LIMIT 1", &st);

	if (r < 0)
		return r;
	(void)sqlite3_bind_int64(st, 1, leaf > INT64_MAX ? INT64_MAX : (sqlite3_int64)leaf);
	r = sqlite3_step(st);
	if (r == SQLITE_DONE)
		return -ENOENT;
	r = r == SQLITE_ROW ? load_piece(x, st, 0, &p, &any) : -EIO;
	if (r == 0 && leaf - p.first >= p.n)
		r = -ENOENT;
	if (r == 0)
		place_in(&p, (uint32_t)(leaf - p.first), ret);
	(void)sqlite3_reset(x->st[GET_LINES]);
	return r;
}

int index_handovers(struct query_index *x, uint64_t from, uint64_t to,
		    int (*fn)(void *arg, const struct index_place *p), void *arg)
{
	_cleanup_(sqlite3_finalize_p) sqlite3_stmt *st = NULL;
	struct index_place place;
	int step, r = index_prepare(x, "SELECT leaf FROM handover WHERE leaf>=? AND leaf<? ORDER BY leaf", &st);

	if (r < 0)
		return r;
	(void)sqlite3_bind_int64(st, 1, (sqlite3_int64)from);
	(void)sqlite3_bind_int64(st, 2, (sqlite3_int64)to);
	while ((step = sqlite3_step(st)) == SQLITE_ROW) {
		r = index_locate(x, (uint64_t)sqlite3_column_int64(st, 0), &place);
		if (r == 0)
			r = fn(arg, &place);
		if (r != 0)
			return r;
	}
	if (step != SQLITE_DONE)
		x->broken = true;
	return step == SQLITE_DONE ? 0 : -EIO;
}
