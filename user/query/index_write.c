// SPDX-License-Identifier: Apache-2.0
/*
 * From a block in memory to rows. Runs in the query role, inside the transaction of index_update().
 */
#include <errno.h>
#include <string.h>

#include "user/query/index_private.h"

void index_bind(sqlite3_stmt *st, int i, struct span s)
{
	if (s.p && s.n)
		(void)sqlite3_bind_text(st, i, s.p, (int)s.n, SQLITE_STATIC);
	else
		(void)sqlite3_bind_null(st, i);
}

struct span index_column(sqlite3_stmt *st, int i)
{
	return (struct span){ (const char *)sqlite3_column_text(st, i), (size_t)sqlite3_column_bytes(st, i) };
}

int index_finish(sqlite3_stmt *st)
{
	int r = sqlite3_step(st) == SQLITE_DONE ? 0 : -EIO;

	(void)sqlite3_reset(st);
	(void)sqlite3_clear_bindings(st);
	return r;
}

int index_find_value(struct query_index *x, enum index_kind kind, struct span text, uint64_t *ret_id,
		     uint64_t *ret_records)
{
	sqlite3_stmt *st = x->st[FIND_VALUE];
	int r;

	(void)sqlite3_bind_int(st, 1, (int)kind);
	(void)sqlite3_bind_text(st, 2, text.p, (int)text.n, SQLITE_STATIC);
	r = sqlite3_step(st);
	*ret_id = r == SQLITE_ROW ? (uint64_t)sqlite3_column_int64(st, 0) : 0;
	if (ret_records)
		*ret_records = r == SQLITE_ROW ? (uint64_t)sqlite3_column_int64(st, 1) : 0;
	(void)sqlite3_reset(st);
	(void)sqlite3_clear_bindings(st);
	return r == SQLITE_ROW || r == SQLITE_DONE ? 0 : -EIO;
}

static int name_value(struct query_index *x, struct block_value *v)
{
	struct span text = block_text(x->block, v);
	sqlite3_stmt *st = x->st[ADD_VALUE];
	int r = index_find_value(x, (enum index_kind)v->kind, text, &v->id, NULL);

	if (r < 0 || v->id)
		return r;
	(void)sqlite3_bind_int(st, 1, v->kind);
	index_bind(st, 2, text);
	r = index_finish(st);
	v->id = (uint64_t)sqlite3_last_insert_rowid(x->db);
	return r;
}

static int write_value(struct query_index *x, struct block_value *v)
{
	sqlite3_stmt *hits = x->st[ADD_HITS], *count = x->st[COUNT_VALUE];
	int r = v->id ? 0 : name_value(x, v);

	if (r < 0)
		return r;
	(void)sqlite3_bind_int64(hits, 1, (sqlite3_int64)v->id);
	(void)sqlite3_bind_int64(hits, 2, (sqlite3_int64)x->block->first);
	(void)sqlite3_bind_blob(hits, 3, v->hits, sizeof(v->hits), SQLITE_STATIC);
	r = index_finish(hits);
	if (r < 0)
		return r;
	(void)sqlite3_bind_int64(count, 1, (sqlite3_int64)v->id);
	(void)sqlite3_bind_int64(count, 2, v->records - v->counted);
	v->counted = v->records;
	return index_finish(count);
}

static void bind_value(const struct query_index *x, sqlite3_stmt *st, int i, uint16_t value)
{
	if (value != BLOCK_NONE)
		(void)sqlite3_bind_int64(st, i, (sqlite3_int64)x->block->values[value].id);
}

static int write_session(struct query_index *x, struct block_session *s)
{
	sqlite3_stmt *st = x->st[ADD_SESSION];
	const uint64_t numbers[] = { s->first_leaf, s->last_leaf, s->first_us, s->last_us, s->records, s->denied };

	bind_value(x, st, 1, s->value);
	bind_value(x, st, 2, s->agent);
	bind_value(x, st, 3, s->server);
	index_bind(st, 4, (struct span){ buf_span(&x->block->text).p + s->outer_at, s->outer_n });
	index_bind(st, 5, span_of(s->mode));
	for (unsigned i = 0; i < ARRAY_SIZE(numbers); i++)
		(void)sqlite3_bind_int64(st, 6 + (int)i, (sqlite3_int64)numbers[i]);
	(void)sqlite3_bind_int(st, 12, s->ended);
	s->records = s->denied = 0;
	return index_finish(st);
}

static int write_link(struct query_index *x, struct block_link *l)
{
	sqlite3_stmt *st = x->st[ADD_LINK];

	for (int i = 0; i < 4; i++)
		(void)sqlite3_bind_int64(st, 1 + i, l->value[i] == BLOCK_NONE ? 0 :
				(sqlite3_int64)x->block->values[l->value[i]].id);
	(void)sqlite3_bind_int64(st, 5, (sqlite3_int64)l->first_leaf);
	(void)sqlite3_bind_int64(st, 6, (sqlite3_int64)l->last_leaf);
	(void)sqlite3_bind_int64(st, 7, l->records);
	(void)sqlite3_bind_int64(st, 8, l->denied);
	l->records = l->denied = 0;
	return index_finish(st);
}

static int write_place(struct query_index *x)
{
	const struct index_block *b = x->block;
	const uint64_t numbers[] = { b->first, b->segment, b->offset, b->n,
				     b->low_us > b->high_us ? 0 : b->low_us, b->high_us };
	sqlite3_stmt *st = x->st[ADD_BLOCK];
	int r;

	for (unsigned i = 0; i < ARRAY_SIZE(numbers); i++)
		(void)sqlite3_bind_int64(st, 1 + (int)i, (sqlite3_int64)numbers[i]);
	r = index_finish(st);
	if (r < 0)
		return r;
	st = x->st[ADD_LINES];
	(void)sqlite3_bind_int64(st, 1, (sqlite3_int64)b->first);
	(void)sqlite3_bind_blob(st, 2, b->lines, (int)(b->n * BLOCK_LINE_SIZE), SQLITE_STATIC);
	return index_finish(st);
}

int index_write_block(struct query_index *x)
{
	struct index_block *b = x->block;
	int r = write_place(x);

	for (unsigned i = 0; i < b->values_n && r == 0; i++)
		if (b->values[i].records != b->values[i].counted)
			r = write_value(x, &b->values[i]);
	for (unsigned i = 0; i < b->sessions_n && r == 0; i++)
		if (b->sessions[i].records)
			r = write_session(x, &b->sessions[i]);
	for (unsigned i = 0; i < b->links_n && r == 0; i++)
		if (b->links[i].records)
			r = write_link(x, &b->links[i]);
	return r;
}
