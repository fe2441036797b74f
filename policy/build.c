// SPDX-License-Identifier: Apache-2.0
/*
 * Values built piece by piece, for requests and for entity stores. Takes what a JSON reader meets,
 * in order; never recurses, never reads JSON itself.
 */
#include "policy/build.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "policy/ext_call.h"
#include "policy/snapshot.h"
#include "policy/text.h"

void build_start(struct cedar_build *b)
{
	b->items.n = 0;
	b->depth = 0;
	b->has_key = false;
	b->unknown = false;
	b->key_sym = SYM_NONE;
	b->r = 0;
}

int build_take(struct cedar_build *b, struct cval *ret)
{
	int r = b->r;

	if (r == 0 && (b->depth != 0 || b->items.n != 1))
		r = -EINVAL;
	if (r == 0)
		*ret = b->items.v[0].v;
	return r;
}

int build_for(struct cedar_build *b, const struct cedar_snapshot *s)
{
	struct build_guess g = { .type = SYM_NONE };

	g.next = malloc(((size_t)s->names.names.n + 1) * sizeof(*g.next));
	if (!g.next)
		return -ENOMEM;
	memset(g.next, 0xff, ((size_t)s->names.names.n + 1) * sizeof(*g.next));
	free(b->guess.next);
	b->guess = g;
	b->snap = s;
	return 0;
}

void build_done(struct cedar_build *b)
{
	vec_done(&b->items);
	free(b->guess.next);
}

void cedar_build_fail(struct cedar_build *b, int r)
{
	if (b->r == 0)
		b->r = r < 0 ? r : -EINVAL;
}

static int arena_error(const struct cedar_build *b)
{
	return b->mem->limit ? -ENOSPC : -ENOMEM;
}

static int more_items(struct cedar_build *b)
{
	if (b->mem->limit && b->items.n >= b->mem->limit / sizeof(struct cmember))
		return -ENOSPC;
	return vec_reserve(&b->items, 1);
}

static inline void put(struct cedar_build *b, struct cval v)
{
	bool record = b->depth > 0 && b->frame[b->depth - 1].record;

	if (b->r < 0)
		return;
	if (record != b->has_key || (b->depth == 0 && b->items.n > 0)) {
		b->r = -EINVAL;
		return;
	}
	if (b->items.n == b->items.cap) {
		b->r = more_items(b);
		if (b->r < 0)
			return;
	}
	b->items.v[b->items.n++] = (struct cmember){ b->key_sym, (uint32_t)b->key.n, b->key.p, v };
	b->has_key = false;
}

/* A string as it will be kept; sets the error without memory. */
static struct span keep(struct cedar_build *b, struct span s)
{
	if (b->r < 0)
		return (struct span){ NULL, 0 };
	if (s.n > UINT32_MAX) {
		b->r = -EINVAL;
		return (struct span){ NULL, 0 };
	}
	if (!b->copy)
		return s;
	s = arena_copy(b->mem, s);
	if (!s.p)
		b->r = arena_error(b);
	return s;
}

void cedar_put_bool(struct cedar_build *b, bool v)
{
	put(b, cval_bool(v));
}

void cedar_put_long(struct cedar_build *b, int64_t v)
{
	put(b, cval_long(V_LONG, v));
}

void cedar_put_string(struct cedar_build *b, struct span s)
{
	put(b, cval_string(keep(b, s)));
}

static inline bool is_symbol(const struct cedar_snapshot *s, uint32_t sym, struct span name)
{
	return sym != SYM_NONE && s->names.names.v[sym].n == name.n &&
	       bytes_equal(s->names.names.v[sym].p, name.p, name.n);
}

int build_entity(struct cedar_build *b, struct span type, struct span id, uint32_t *guess,
		 struct cval *ret)
{
	struct cval v = { .tag = V_ENTITY, .n = ENTITY_UNKNOWN };
	struct cedar_uid *uid;

	if (b->snap) {
		if (!is_symbol(b->snap, *guess, type))
			*guess = intern_find(&b->snap->names, type);
		v.n = snapshot_find_typed(b->snap, *guess, id);
	}
	/* What the snapshot knows has a name that was good. */
	if (v.n == ENTITY_UNKNOWN) {
		if (!is_normal_name(type))
			return -EINVAL;
		uid = arena_alloc(b->mem, sizeof(*uid));
		if (!uid)
			return arena_error(b);
		uid->type = keep(b, type);
		uid->id = keep(b, id);
		v.uid = uid;
	}
	*ret = v;
	return b->r;
}

void cedar_put_entity(struct cedar_build *b, struct span type, struct span id)
{
	struct cval v = { 0 };

	if (b->r == 0)
		b->r = build_entity(b, type, id, &b->guess.type, &v);
	put(b, v);
}

static void put_parsed(struct cedar_build *b, enum cval_tag tag, int r, int64_t v)
{
	if (r < 0)
		cedar_build_fail(b, r);
	put(b, cval_long(tag, v));
}

void cedar_put_decimal(struct cedar_build *b, struct span text)
{
	int64_t v = 0;
	int r = ext_decimal_parse(text, &v);

	put_parsed(b, V_DECIMAL, r, v);
}

void cedar_put_datetime(struct cedar_build *b, struct span text)
{
	int64_t v = 0;
	int r = ext_datetime_parse(text, &v);

	put_parsed(b, V_DATETIME, r, v);
}

void cedar_put_datetime_ms(struct cedar_build *b, int64_t ms_since_epoch)
{
	put(b, cval_long(V_DATETIME, ms_since_epoch));
}

void cedar_put_duration(struct cedar_build *b, struct span text)
{
	int64_t v = 0;
	int r = ext_duration_parse(text, &v);

	put_parsed(b, V_DURATION, r, v);
}

void cedar_put_duration_ms(struct cedar_build *b, int64_t ms)
{
	put(b, cval_long(V_DURATION, ms));
}

void cedar_put_ip(struct cedar_build *b, struct span text)
{
	struct cip ip, *copy;
	int r = ext_ip_parse(text, &ip);

	if (r < 0) {
		cedar_build_fail(b, r);
		return;
	}
	copy = arena_alloc(b->mem, sizeof(*copy));
	if (!copy) {
		cedar_build_fail(b, arena_error(b));
		return;
	}
	*copy = ip;
	put(b, (struct cval){ .tag = V_IP, .ip = copy });
}

void cedar_put_unknown(struct cedar_build *b)
{
	/* Deeper, or in an entity, an operator could meet it where none looks for it. */
	if (!b->snap || b->depth != 1 || !b->frame[0].record)
		cedar_build_fail(b, -EINVAL);
	b->unknown = true;
	put(b, (struct cval){ .tag = V_UNKNOWN });
}

static void open_frame(struct cedar_build *b, bool record)
{
	struct cval placeholder = { 0 };

	put(b, placeholder); /* its item keeps the key, and becomes the value */
	if (b->r == 0 && b->depth == CEDAR_VALUE_DEPTH_MAX)
		b->r = -ELOOP;
	if (b->r < 0)
		return;
	b->frame[b->depth].start = b->items.n;
	b->frame[b->depth].record = record;
	b->depth++;
}

void cedar_open_set(struct cedar_build *b)
{
	open_frame(b, false);
}

void cedar_open_record(struct cedar_build *b)
{
	open_frame(b, true);
}

/* The symbol of a name that follows the one before. */
static uint32_t key_symbol(struct cedar_build *b, struct span name)
{
	const struct cedar_snapshot *s = b->snap;
	uint32_t *next, sym;

	next = b->guess.next[b->key_sym == SYM_NONE ? s->names.names.n : b->key_sym];
	if (is_symbol(s, next[0], name))
		return next[0];
	if (is_symbol(s, next[1], name))
		return next[1];
	sym = intern_find(&s->names, name);
	if (sym != SYM_NONE) {
		next[1] = next[0];
		next[0] = sym;
	}
	return sym;
}

void cedar_key(struct cedar_build *b, struct span name)
{
	if (b->r < 0)
		return;
	if (b->has_key || b->depth == 0 || !b->frame[b->depth - 1].record) {
		b->r = -EINVAL;
		return;
	}
	b->key = keep(b, name);
	if (b->snap)
		b->key_sym = key_symbol(b, name);
	b->has_key = b->r == 0;
}

static int close_set(struct cedar_build *b, const struct cmember *item, uint32_t n,
		     struct cval *ret)
{
	struct cset *s = cset_new(b->mem, n);

	if (!s)
		return arena_error(b);
	for (uint32_t i = 0; i < n; i++)
		s->v[i] = item[i].v;
	*ret = (struct cval){ .tag = V_SET, .set = s };
	return 0;
}

/* Whether b stands behind a in a sorted record. */
static inline bool in_order(const struct cmember *a, const struct cmember *b)
{
	return a->sym != b->sym ? a->sym < b->sym : cmember_cmp(a, b) < 0;
}

/* In the order that was right the last time; false when it is not now. */
static bool fill_as_before(const struct cedar_build *b, const struct cmember *item,
			   struct crecord *rec)
{
	const uint8_t *order = b->guess.order[rec->n];

	for (uint32_t i = 0; i < rec->n; i++) {
		if (order[i] >= rec->n)
			return false;
		rec->m[i] = item[order[i]];
		if (i && !in_order(&rec->m[i - 1], &rec->m[i]))
			return false;
	}
	return true;
}

static void fill_sorted(struct cedar_build *b, const struct cmember *item, struct crecord *rec)
{
	uint8_t *order = b->guess.order[rec->n <= BUILD_ORDER_MAX ? rec->n : 0];

	for (uint32_t i = 0; i < rec->n; i++)
		rec->m[i] = item[i];
	heap_sort(rec->m, rec->n, sizeof(rec->m[0]), cmember_cmp);
	if (!b->snap || rec->n > BUILD_ORDER_MAX)
		return;
	for (uint32_t i = 0; i < rec->n; i++) {
		uint32_t k = 0;

		while (item[k].name != rec->m[i].name)
			k++;
		order[i] = (uint8_t)k;
	}
}

static int close_record(struct cedar_build *b, const struct cmember *item, uint32_t n,
			struct cval *ret)
{
	struct crecord *rec = crecord_new(b->mem, n);

	if (!rec)
		return arena_error(b);
	*ret = (struct cval){ .tag = V_RECORD, .record = rec };
	if (b->snap && n <= BUILD_ORDER_MAX && fill_as_before(b, item, rec))
		return 0;
	fill_sorted(b, item, rec);
	return crecord_check(rec);
}

/* Takes back the innermost frame; the items of it are at *ret_item, its placeholder is before
 * them. */
static bool close_frame(struct cedar_build *b, struct cmember **ret_item, uint32_t *ret_n)
{
	uint32_t start;

	if (b->r == 0 && (b->depth == 0 || b->has_key))
		b->r = -EINVAL;
	if (b->r < 0)
		return false;
	start = b->frame[--b->depth].start;
	*ret_item = b->items.v + start;
	*ret_n = b->items.n - start;
	b->items.n = start;
	return true;
}

void cedar_close(struct cedar_build *b)
{
	struct cmember *item;
	uint32_t n;

	if (!close_frame(b, &item, &n))
		return;
	b->r = b->frame[b->depth].record ? close_record(b, item, n, &item[-1].v)
					 : close_set(b, item, n, &item[-1].v);
}

void build_close_call(struct cedar_build *b, enum ext_fn fn)
{
	struct ext_fault fault;
	struct cmember *item;
	struct cval args[2];
	uint32_t n;

	if (!close_frame(b, &item, &n))
		return;
	if (n == 0 || n > ARRAY_SIZE(args)) {
		b->r = -EINVAL;
		return;
	}
	for (uint32_t i = 0; i < n; i++)
		args[i] = item[i].v;
	if (ext_call(b->mem, fn, args, n, &fault) != EXT_OK)
		b->r = -EINVAL;
	item[-1].v = args[0];
}
