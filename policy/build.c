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
	b->state = BUILD_VALUE;
	b->after = BUILD_DONE;
	b->unknown = false;
	b->r = 0;
	if (b->shapes.full)
		shapes_settle(&b->shapes);
	b->shape = SHAPE_START;
}

int build_take(struct cedar_build *b, struct cval *ret)
{
	if (b->r < 0)
		return b->r;
	if (b->state != BUILD_DONE)
		return -EINVAL;
	*ret = b->items.v[0].v;
	return 0;
}

int build_for(struct cedar_build *b, const struct cedar_snapshot *s)
{
	struct shapes fresh;
	int r = shapes_init(&fresh);

	if (r < 0)
		return r;
	shapes_done(&b->shapes);
	b->shapes = fresh;
	b->type = SYM_NONE;
	b->snap = s;
	return 0;
}

void build_done(struct cedar_build *b)
{
	vec_done(&b->items);
	shapes_done(&b->shapes);
}

void cedar_build_fail(struct cedar_build *b, int r)
{
	if (b->r == 0)
		b->r = r < 0 ? r : -EINVAL;
	b->state = BUILD_FAILED;
}

/* What came is not what may come now, or came after an error. */
static __attribute__((noinline)) void misuse(struct cedar_build *b)
{
	cedar_build_fail(b, -EINVAL);
}

static int arena_error(const struct cedar_build *b)
{
	return b->mem->limit ? -ENOSPC : -ENOMEM;
}

static __attribute__((noinline)) bool more_items(struct cedar_build *b)
{
	int r = b->mem->limit && b->items.n >= b->mem->limit / sizeof(struct cmember)
			? -ENOSPC
			: vec_reserve(&b->items, 1);

	if (r < 0)
		cedar_build_fail(b, r);
	return r == 0;
}

/* Apart, so that what nearly always happens needs no register saved. */
static __attribute__((noinline)) void put_slowly(struct cedar_build *b, struct cval v)
{
	if (b->state != BUILD_VALUE) {
		misuse(b);
		return;
	}
	if (b->items.n == b->items.cap && !more_items(b))
		return;
	b->items.v[b->items.n++].v = v;
	b->state = b->after;
}

static inline bool has_room(const struct cedar_build *b)
{
	return b->state == BUILD_VALUE && b->items.n < b->items.cap;
}

static inline void put(struct cedar_build *b, struct cval v)
{
	if (!has_room(b)) {
		put_slowly(b, v);
		return;
	}
	b->items.v[b->items.n++].v = v;
	b->state = b->after;
}

/* A string as it will be kept. */
static inline int keep(struct cedar_build *b, struct span *s)
{
	if (s->n > UINT32_MAX)
		return -EINVAL;
	if (!b->copy)
		return 0;
	*s = arena_copy(b->mem, *s);
	return s->p ? 0 : arena_error(b);
}

void cedar_put_bool(struct cedar_build *b, bool v)
{
	put(b, cval_bool(v));
}

void cedar_put_long(struct cedar_build *b, int64_t v)
{
	put(b, cval_long(V_LONG, v));
}

static __attribute__((noinline)) void put_kept(struct cedar_build *b, struct span s)
{
	int r = b->state == BUILD_VALUE ? keep(b, &s) : 0;

	if (r < 0)
		cedar_build_fail(b, r);
	put(b, cval_string(s));
}

void cedar_put_string(struct cedar_build *b, struct span s)
{
	if (b->copy || s.n > UINT32_MAX)
		put_kept(b, s);
	else
		put(b, cval_string(s));
}

static __attribute__((noinline)) int name_entity(struct cedar_build *b, struct span type, struct span id,
						 struct cval *ret)
{
	struct cedar_uid *uid;
	int r;

	if (!is_normal_name(type))
		return -EINVAL;
	uid = arena_alloc(b->mem, sizeof(*uid));
	if (!uid)
		return arena_error(b);
	uid->type = type;
	uid->id = id;
	r = keep(b, &uid->type);
	if (r == 0)
		r = keep(b, &uid->id);
	if (r == 0)
		*ret = (struct cval){ .tag = V_ENTITY, .n = ENTITY_UNKNOWN, .uid = uid };
	return r;
}

int build_entity(struct cedar_build *b, struct span type, struct span id, uint32_t *guess,
		 struct cval *ret)
{
	uint32_t n = ENTITY_UNKNOWN;

	if (b->snap) {
		if (!snapshot_is_symbol(b->snap, *guess, type))
			*guess = intern_find(&b->snap->names, type);
		n = snapshot_find_typed(b->snap, *guess, id);
	}
	if (n == ENTITY_UNKNOWN)
		return name_entity(b, type, id, ret);
	/* What the snapshot knows has a name that was good. */
	*ret = (struct cval){ .tag = V_ENTITY, .n = n };
	return 0;
}

void cedar_put_entity(struct cedar_build *b, struct span type, struct span id)
{
	struct cval v = { 0 };
	int r = b->state == BUILD_VALUE ? build_entity(b, type, id, &b->type, &v) : 0;

	if (r < 0)
		cedar_build_fail(b, r);
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
	struct cip *ip = arena_alloc(b->mem, sizeof(*ip));
	int r = ip ? ext_ip_parse(text, ip) : arena_error(b);

	if (r < 0)
		cedar_build_fail(b, r);
	put(b, (struct cval){ .tag = V_IP, .ip = ip });
}

void cedar_put_unknown(struct cedar_build *b)
{
	/* Deeper, or in an entity, an operator could meet it where none looks for it. */
	if (!b->snap || b->depth != 1 || !b->frame[0].record)
		cedar_build_fail(b, -EINVAL);
	b->unknown = true;
	put(b, (struct cval){ .tag = V_UNKNOWN });
}

/* Before a frame is opened: its item keeps the name, and becomes the value. */
static __attribute__((noinline)) bool open_slowly(struct cedar_build *b)
{
	if (b->state == BUILD_VALUE && b->depth == CEDAR_VALUE_DEPTH_MAX)
		cedar_build_fail(b, -ELOOP);
	put_slowly(b, (struct cval){ 0 });
	return b->state != BUILD_FAILED;
}

static inline void open_frame(struct cedar_build *b, bool record)
{
	if (has_room(b) && b->depth < CEDAR_VALUE_DEPTH_MAX)
		b->items.n++;
	else if (!open_slowly(b))
		return;
	b->frame[b->depth].start = b->items.n;
	b->frame[b->depth].shape = b->shape;
	b->frame[b->depth].after = b->after;
	b->frame[b->depth].record = record;
	b->depth++;
	b->state = b->after = record ? BUILD_KEY : BUILD_VALUE;
	if (record && b->snap)
		b->shape = shape_inner(&b->shapes, b->shape);
}

void cedar_open_set(struct cedar_build *b)
{
	open_frame(b, false);
}

void cedar_open_record(struct cedar_build *b)
{
	open_frame(b, true);
}

static inline void name_item(struct cedar_build *b, uint32_t sym, struct span name)
{
	struct cmember *item = &b->items.v[b->items.n];

	item->sym = sym;
	item->n = (uint32_t)name.n;
	item->name = name.p;
	b->state = BUILD_VALUE;
}

/* Any name, in any state. */
static __attribute__((noinline)) void put_key(struct cedar_build *b, struct span name)
{
	uint32_t sym = SYM_NONE;
	int r;

	if (b->state != BUILD_KEY) {
		misuse(b);
		return;
	}
	if (b->items.n == b->items.cap && !more_items(b))
		return;
	r = keep(b, &name);
	if (r < 0) {
		cedar_build_fail(b, r);
		return;
	}
	if (b->snap)
		b->shape = shape_with(&b->shapes, b->shape, &b->snap->names, name, &sym);
	name_item(b, sym, name);
}

/* A short name that came here the last time needs no call, and no register saved. */
void cedar_key(struct cedar_build *b, struct span name)
{
	const struct shape *v = b->shapes.v, *next;

	if (b->state == BUILD_KEY && v && b->items.n < b->items.cap) {
		next = &v[v[b->shape].next[0]];
		if (next->length == name.n && name.n <= SHORT_MAX && short_equal(next->name, name.p, name.n)) {
			b->shape = (uint32_t)(next - v);
			name_item(b, next->sym, (struct span){ name.p, next->length });
			return;
		}
	}
	put_key(b, name);
}

static inline int close_set(struct cedar_build *b, const struct cmember *item, uint32_t n,
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

/* A record whose order is not known. */
static __attribute__((noinline)) int sort_record(struct crecord *rec, const struct cmember *item)
{
	if (rec->n)
		memcpy(rec->m, item, rec->n * sizeof(*item));
	heap_sort(rec->m, rec->n, sizeof(rec->m[0]), cmember_cmp);
	return crecord_check(rec);
}

static inline int close_record(struct cedar_build *b, const struct cmember *item, uint32_t n,
			       struct cval *ret)
{
	const struct shape *shape = b->snap && b->shape != SHAPE_NONE ? &b->shapes.v[b->shape] : NULL;
	struct crecord *rec = crecord_new(b->mem, n);

	if (!rec)
		return arena_error(b);
	*ret = (struct cval){ .tag = V_RECORD, .record = rec };
	if (!shape)
		return sort_record(rec, item);
	for (uint32_t i = 0; i < n; i++)
		rec->m[i] = item[shape->order[i]];
	return 0;
}

/* Takes back the innermost frame; the items of it are at *ret_item, its placeholder is before
 * them. */
static inline bool close_frame(struct cedar_build *b, struct cmember **ret_item, uint32_t *ret_n)
{
	uint32_t start;

	if (b->depth == 0 || b->state != b->after) {
		misuse(b);
		return false;
	}
	start = b->frame[--b->depth].start;
	*ret_item = b->items.v + start;
	*ret_n = b->items.n - start;
	b->items.n = start;
	b->state = b->after = b->frame[b->depth].after;
	return true;
}

void cedar_close(struct cedar_build *b)
{
	struct cmember *item;
	uint32_t n;
	int r;

	if (!close_frame(b, &item, &n))
		return;
	r = b->frame[b->depth].record ? close_record(b, item, n, &item[-1].v)
				      : close_set(b, item, n, &item[-1].v);
	if (r < 0)
		cedar_build_fail(b, r);
	b->shape = b->frame[b->depth].shape;
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
		misuse(b);
		return;
	}
	for (uint32_t i = 0; i < n; i++)
		args[i] = item[i].v;
	if (ext_call(b->mem, fn, args, n, &fault) != EXT_OK)
		misuse(b);
	item[-1].v = args[0];
}
