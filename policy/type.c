// SPDX-License-Identifier: Apache-2.0
/* Types of Cedar's validator, each of which exists once, so that equality is a pointer's. */
#include "policy/type.h"

#include <errno.h>
#include <stdlib.h>

#include "policy/intern.h"
#include "policy/schema.h"
#include "policy/value.h"

static const struct type simple[TYPE_SIMPLE_COUNT] = {
	[TYPE_NEVER] = { .kind = TYPE_NEVER, .size = 1, .hash = 1 },
	[TYPE_TRUE] = { .kind = TYPE_TRUE, .size = 1, .hash = 2 },
	[TYPE_FALSE] = { .kind = TYPE_FALSE, .size = 1, .hash = 3 },
	[TYPE_BOOL] = { .kind = TYPE_BOOL, .size = 1, .hash = 4 },
	[TYPE_LONG] = { .kind = TYPE_LONG, .size = 1, .hash = 5 },
	[TYPE_STRING] = { .kind = TYPE_STRING, .size = 1, .hash = 6 },
	[TYPE_DECIMAL] = { .kind = TYPE_DECIMAL, .size = 1, .hash = 7 },
	[TYPE_IPADDR] = { .kind = TYPE_IPADDR, .size = 1, .hash = 8 },
	[TYPE_DATETIME] = { .kind = TYPE_DATETIME, .size = 1, .hash = 9 },
	[TYPE_DURATION] = { .kind = TYPE_DURATION, .size = 1, .hash = 10 },
};

const struct type *type_simple(enum type_kind kind)
{
	return &simple[kind];
}

void types_init(struct types *ts, const struct types *below)
{
	*ts = (struct types){ .below = below, .seed = below ? below->seed : hash_seed() };
}

void types_done(struct types *ts)
{
	arena_done(&ts->mem);
	vec_done(&ts->all);
	free(ts->slot);
	*ts = (struct types){ 0 };
}

/* --- the table -------------------------------------------------------------------------------- */

static bool same(const struct type *a, const struct type *b)
{
	if (a->kind != b->kind || a->n != b->n || a->hash != b->hash ||
	    a->open != b->open)
		return false;
	if (a->kind == TYPE_SET)
		return a->element == b->element;
	for (uint32_t i = 0; i < a->n; i++) {
		if (a->kind == TYPE_ENTITY && a->etypes[i] != b->etypes[i])
			return false;
		if (a->kind == TYPE_RECORD && (a->attrs[i].required != b->attrs[i].required ||
					       a->attrs[i].type != b->attrs[i].type ||
					       !span_eq(a->attrs[i].name, b->attrs[i].name)))
			return false;
	}
	return true;
}

static const struct type *find(const struct types *ts, const struct type *t)
{
	for (; ts; ts = ts->below) {
		for (uint32_t i = (uint32_t)t->hash; ts->slot && ts->slot[i & ts->mask]; i++) {
			const struct type *x = ts->all.v[ts->slot[i & ts->mask] - 1];

			if (same(x, t))
				return x;
		}
	}
	return NULL;
}

static int grow(struct types *ts)
{
	uint32_t n = ts->slot ? (ts->mask + 1) * 2 : 64, *slot;

	if (ts->slot && ts->all.n * 2 < ts->mask)
		return 0;
	slot = calloc(n, sizeof(*slot));
	if (!slot)
		return -ENOMEM;
	for (uint32_t k = 0; k < ts->all.n; k++) {
		uint32_t i = (uint32_t)ts->all.v[k]->hash;

		while (slot[i & (n - 1)])
			i++;
		slot[i & (n - 1)] = k + 1;
	}
	free(ts->slot);
	ts->slot = slot;
	ts->mask = n - 1;
	return 0;
}

/* Keeps *t, whose arrays are already in the table's memory or are copied by the caller. */
static const struct type *keep(struct types *ts, const struct type *t)
{
	struct type *copy;
	uint32_t i = (uint32_t)t->hash;

	if (grow(ts) < 0)
		return NULL;
	copy = arena_alloc(&ts->mem, sizeof(*copy));
	if (!copy || vec_push(&ts->all, (const struct type *)copy) < 0)
		return NULL;
	*copy = *t;
	while (ts->slot[i & ts->mask])
		i++;
	ts->slot[i & ts->mask] = ts->all.n;
	return copy;
}

static uint32_t add_size(uint32_t a, uint32_t b)
{
	return a > UINT32_MAX - b ? UINT32_MAX : a + b;
}

const struct type *type_set(struct types *ts, const struct type *element)
{
	struct type t = { .kind = TYPE_SET,
			  .size = add_size(element->size, 1),
			  .depth = element->depth + 1,
			  .hash = hash_u64(ts->seed ^ TYPE_SET, element->hash),
			  .element = element };
	const struct type *x = find(ts, &t);

	return x ? x : keep(ts, &t);
}

const struct type *type_entities(struct types *ts, const uint32_t *etypes, uint32_t n)
{
	struct type t = { .kind = TYPE_ENTITY, .n = n, .size = 1, .etypes = etypes };
	const struct type *x;
	uint32_t *copy;

	t.hash = ts->seed ^ TYPE_ENTITY;
	for (uint32_t i = 0; i < n; i++)
		t.hash = hash_u64(t.hash, etypes[i]);
	x = find(ts, &t);
	if (x)
		return x;
	copy = arena_array(&ts->mem, n, sizeof(*copy));
	if (!copy)
		return NULL;
	if (n)
		memcpy(copy, etypes, n * sizeof(*copy));
	t.etypes = copy;
	return keep(ts, &t);
}

const struct type *type_entity(struct types *ts, uint32_t etype)
{
	return type_entities(ts, &etype, 1);
}

const struct type *type_record(struct types *ts, const struct type_attr *attrs, uint32_t n,
			       bool open)
{
	struct type t = { .kind = TYPE_RECORD, .open = open, .n = n, .size = 1, .attrs = attrs };
	const struct type *x;
	struct type_attr *copy;

	t.hash = ts->seed ^ (TYPE_RECORD + open);
	for (uint32_t i = 0; i < n; i++) {
		t.hash = hash_u64(hash_bytes(t.hash, attrs[i].name),
				  attrs[i].type->hash * 2 + attrs[i].required);
		t.size = add_size(t.size, attrs[i].type->size);
		if (t.depth <= attrs[i].type->depth)
			t.depth = attrs[i].type->depth + 1;
	}
	x = find(ts, &t);
	if (x)
		return x;
	copy = arena_array(&ts->mem, n, sizeof(*copy));
	if (!copy)
		return NULL;
	if (n)
		memcpy(copy, attrs, n * sizeof(*copy));
	t.attrs = copy;
	return keep(ts, &t);
}

int type_attr_cmp(const void *a, const void *b)
{
	const struct type_attr *x = a, *y = b;

	return span_cmp(x->name, y->name);
}

const struct type_attr *type_get(const struct type *record, struct span name)
{
	uint32_t lo = 0, hi = record->n;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;
		int c = span_cmp(record->attrs[mid].name, name);

		if (c == 0)
			return &record->attrs[mid];
		if (c < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return NULL;
}

/* --- least upper bounds ----------------------------------------------------------------------- */

static int lub_entities(struct types *ts, bool strict, const struct type *a, const struct type *b,
			const struct type **ret)
{
	uint32_t *all, n;

	if (strict)
		return 0;
	all = malloc(((size_t)a->n + b->n) * sizeof(*all));
	if (!all)
		return -ENOMEM;
	memcpy(all, a->etypes, a->n * sizeof(*all));
	memcpy(all + a->n, b->etypes, b->n * sizeof(*all));
	n = numbers_sort(all, a->n + b->n);
	*ret = type_entities(ts, all, n);
	free(all);
	return *ret ? 0 : -ENOMEM;
}

/* Both are sorted: merged as lists. How many go into out; -1 when there is no bound, -ENOMEM. */
static int merge_attrs(struct types *ts, bool strict, const struct type *a, const struct type *b,
		       struct type_attr *out)
{
	uint32_t i = 0, k = 0;
	int n = 0;

	while (i < a->n && k < b->n) {
		const struct type_attr *x = &a->attrs[i], *y = &b->attrs[k];
		int c = span_cmp(x->name, y->name), r;
		const struct type *t;

		if (strict && (c != 0 || x->required != y->required))
			return -1;
		i += c <= 0;
		k += c >= 0;
		if (c != 0)
			continue;
		r = type_lub(ts, strict, x->type, y->type, &t);
		if (r < 0)
			return r;
		if (!t && strict)
			return -1;
		if (t)
			out[n++] = (struct type_attr){ x->name, x->required && y->required, t };
	}
	return n;
}

static int lub_records(struct types *ts, bool strict, const struct type *a, const struct type *b,
		       const struct type **ret)
{
	struct type_attr *out;
	int n;

	if (strict && (a->n != b->n || a->open != b->open))
		return 0;
	out = malloc(((size_t)a->n + 1) * sizeof(*out));
	if (!out)
		return -ENOMEM;
	n = merge_attrs(ts, strict, a, b, out);
	if (n >= 0)
		*ret = type_record(ts, out, (uint32_t)n,
				   a->open || b->open || (uint32_t)n < a->n || (uint32_t)n < b->n);
	free(out);
	return n == -ENOMEM || (n >= 0 && !*ret) ? -ENOMEM : 0;
}

static int lub_sets(struct types *ts, bool strict, const struct type *a, const struct type *b,
		    const struct type **ret)
{
	const struct type *t;
	int r = type_lub(ts, strict, a->element, b->element, &t);

	if (r < 0 || !t)
		return r;
	*ret = type_set(ts, t);
	return *ret ? 0 : -ENOMEM;
}

int type_lub(struct types *ts, bool strict, const struct type *a, const struct type *b,
	     const struct type **ret)
{
	const struct type *t = NULL;
	int r = 0;

	if (a == b || b->kind == TYPE_NEVER)
		t = a;
	else if (a->kind == TYPE_NEVER)
		t = b;
	else if (type_is_bool(a) && type_is_bool(b))
		t = type_simple(TYPE_BOOL);
	else if (a->kind == b->kind && a->kind == TYPE_SET)
		r = lub_sets(ts, strict, a, b, &t);
	else if (a->kind == b->kind && a->kind == TYPE_ENTITY)
		r = lub_entities(ts, strict, a, b, &t);
	else if (a->kind == b->kind && a->kind == TYPE_RECORD)
		r = lub_records(ts, strict, a, b, &t);
	if (r == 0)
		*ret = t;
	return r;
}

/* --- in words --------------------------------------------------------------------------------- */

static const char *const words[TYPE_SIMPLE_COUNT] = {
	[TYPE_NEVER] = "nothing",   [TYPE_TRUE] = "Bool",	    [TYPE_FALSE] = "Bool",
	[TYPE_BOOL] = "Bool",	    [TYPE_LONG] = "Long",	    [TYPE_STRING] = "String",
	[TYPE_DECIMAL] = "decimal", [TYPE_IPADDR] = "ipaddr",	    [TYPE_DATETIME] = "datetime",
	[TYPE_DURATION] = "duration",
};

/* Appends text; false when there is no more room for any. */
static bool put(struct buf *out, size_t end, struct span s)
{
	if (buf_len(out) >= end)
		return false;
	return buf_append(out, s.p, s.n) == 0;
}

static void text(const struct cedar_schema *s, const struct type *t, size_t end, struct buf *out)
{
	if (t->kind < TYPE_SIMPLE_COUNT) {
		put(out, end, span_of(words[t->kind]));
		return;
	}
	if (t->kind == TYPE_SET) {
		put(out, end, SPAN("Set<"));
		text(s, t->element, end, out);
		put(out, end, SPAN(">"));
		return;
	}
	if (t->kind == TYPE_RECORD)
		put(out, end, SPAN("{"));
	for (uint32_t i = 0; i < t->n && buf_len(out) < end; i++) {
		if (i)
			put(out, end, t->kind == TYPE_RECORD ? SPAN(", ") : SPAN(" or "));
		if (t->kind == TYPE_ENTITY) {
			put(out, end, s->etypes.v[t->etypes[i]].name);
			continue;
		}
		put(out, end, t->attrs[i].name);
		put(out, end, t->attrs[i].required ? SPAN(": ") : SPAN("?: "));
		text(s, t->attrs[i].type, end, out);
	}
	if (t->kind == TYPE_RECORD)
		put(out, end, SPAN("}"));
}

void type_text(const struct cedar_schema *s, const struct type *t, struct buf *out)
{
	size_t end = buf_len(out) + TYPE_TEXT_MAX;

	text(s, t, end, out);
	if (buf_len(out) >= end)
		buf_append_str(out, "...");
}
