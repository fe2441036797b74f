// SPDX-License-Identifier: Apache-2.0
/*
 * Types of conditions, first half: what has a part in Boolean logic, where the order matters and
 * where capabilities flow. A Bool that is known (True, False) makes the branch that cannot be
 * reached go unchecked.
 */
#include <errno.h>
#include <stdlib.h>

#include "policy/validate.h"

#define KIDS_ON_STACK 4

static const struct typing none = { NULL, CAPS_NONE };

static struct typing just(enum type_kind kind, uint32_t caps)
{
	return (struct typing){ type_simple(kind), caps };
}

bool caps_done(struct checker *c, int r)
{
	if (r == -E2BIG)
		c->too_deep = true;
	else if (r < 0)
		c->r = r;
	return r == 0;
}

/* Turns what a set operation says into a typing. */
static struct typing with_caps(struct checker *c, const struct type *t, int r, uint32_t caps)
{
	return caps_done(c, r) ? (struct typing){ t, caps } : none;
}

/* --- remembered ------------------------------------------------------------------------------- */

static struct memo *memo_at(const struct checker *c, struct memo *table, uint32_t mask,
			    const struct memo *key)
{
	uint64_t h = hash_u64(c->types.seed ^ key->node, (uint64_t)key->class << 32 | key->caps);
	uint32_t i = (uint32_t)h;

	for (;; i++) {
		struct memo *m = &table[i & mask];

		if (!m->used ||
		    (m->node == key->node && m->class == key->class && m->caps == key->caps))
			return m;
	}
}

static void memo_grow(struct checker *c)
{
	uint32_t mask = c->memo_mask * 2 + 1;
	struct memo *table;

	if (c->memo_n * 2 < c->memo_mask)
		return;
	if ((size_t)mask * sizeof(*table) > CHECK_MEMORY_MAX) {
		memset(c->memo, 0, ((size_t)c->memo_mask + 1) * sizeof(*c->memo));
		c->memo_n = 0;
		return;
	}
	table = calloc((size_t)mask + 1, sizeof(*table));
	if (!table) {
		c->r = -ENOMEM;
		return;
	}
	for (uint32_t i = 0; i <= c->memo_mask; i++) {
		if (c->memo[i].used)
			*memo_at(c, table, mask, &c->memo[i]) = c->memo[i];
	}
	free(c->memo);
	c->memo = table;
	c->memo_mask = mask;
}

static void remember(struct checker *c, struct memo key, struct typing t)
{
	struct memo *m;

	memo_grow(c);
	if (c->r < 0 || c->too_deep)
		return;
	m = memo_at(c, c->memo, c->memo_mask, &key);
	c->memo_n += !m->used;
	key.used = true;
	key.t = t;
	*m = key;
}

/* --- logic ------------------------------------------------------------------------------------ */

static bool expect_bool(struct checker *c, const struct occ *e, const struct type *t)
{
	if (type_is_bool(t))
		return true;
	finding(c, CEDAR_UNEXPECTED_TYPE, e->pos, NULL, "expected Bool, found %s", type_words(c, t));
	return false;
}

static struct typing type_and(struct checker *c, const struct occ *e, uint32_t caps)
{
	struct typing all = type_of(c, e->kid[0], caps);

	for (uint32_t i = 0; i < e->node->n; i++) {
		struct typing t;
		uint32_t known = caps;
		int r;

		if (i == 0) {
			if (!all.type || !expect_bool(c, e->kid[0], all.type))
				return none;
			continue;
		}
		if (all.type->kind == TYPE_FALSE)
			break;
		r = caps_union(&c->caps, caps, all.caps, &known);
		if (r < 0)
			return with_caps(c, NULL, r, 0);
		t = type_of(c, e->kid[i], known);
		if (!t.type || !expect_bool(c, e->kid[i], t.type))
			return none;
		if (t.type->kind == TYPE_FALSE)
			return just(TYPE_FALSE, CAPS_NONE);
		r = caps_union(&c->caps, all.caps, t.caps, &known);
		all = with_caps(c, t.type->kind == TYPE_TRUE ? all.type : type_simple(TYPE_BOOL), r,
				known);
		if (!all.type)
			return none;
	}
	return all.type->kind == TYPE_FALSE ? just(TYPE_FALSE, CAPS_NONE) : all;
}

static struct typing or_two(struct checker *c, struct typing a, struct typing b)
{
	uint32_t both = CAPS_NONE;
	int r;

	if (a.type->kind == TYPE_FALSE)
		return b;
	if (b.type->kind == TYPE_TRUE)
		return just(TYPE_TRUE, CAPS_NONE);
	if (b.type->kind == TYPE_FALSE)
		return just(TYPE_BOOL, a.caps);
	r = caps_meet(&c->caps, a.caps, b.caps, &both);
	return with_caps(c, type_simple(TYPE_BOOL), r, both);
}

static struct typing type_or(struct checker *c, const struct occ *e, uint32_t caps)
{
	struct typing any = none;
	bool failed = false;

	for (uint32_t i = 0; i < e->node->n; i++) {
		struct typing t;

		if (!failed && i > 0 && any.type->kind == TYPE_TRUE)
			return just(TYPE_TRUE, CAPS_NONE);
		t = type_of(c, e->kid[i], caps);
		if (!t.type || !expect_bool(c, e->kid[i], t.type))
			failed = true;
		if (failed && !c->loud)
			return none;
		if (!failed)
			any = i == 0 ? t : or_two(c, any, t);
		if (!failed && !any.type)
			return none;
	}
	return failed ? none : any;
}

static struct typing type_branches(struct checker *c, const struct occ *e, struct typing test,
				   uint32_t caps, uint32_t known)
{
	struct typing a = type_of(c, e->kid[1], known), b = type_of(c, e->kid[2], caps);
	const struct type *lub = NULL;
	uint32_t out = CAPS_NONE;
	int r;

	if (!a.type || !b.type)
		return none;
	r = type_lub(&c->types, c->strict, a.type, b.type, &lub);
	if (r < 0)
		return with_caps(c, NULL, r, 0);
	if (!lub) {
		finding(c, CEDAR_INCOMPATIBLE_TYPES, e->pos, NULL,
		     "the branches have incompatible types: %s and %s", type_words(c, a.type),
		     type_words(c, b.type));
		return none;
	}
	r = caps_union(&c->caps, test.caps, a.caps, &out);
	if (r == 0)
		r = caps_meet(&c->caps, out, b.caps, &out);
	return with_caps(c, lub, r, out);
}

static struct typing type_if(struct checker *c, const struct occ *e, uint32_t caps)
{
	struct typing test = type_of(c, e->kid[0], caps), a;
	uint32_t known = caps, out = CAPS_NONE;
	int r;

	if (!test.type || !expect_bool(c, e->kid[0], test.type))
		return none;
	if (test.type->kind == TYPE_FALSE)
		return type_of(c, e->kid[2], caps);
	r = caps_union(&c->caps, caps, test.caps, &known);
	if (r < 0)
		return with_caps(c, NULL, r, 0);
	if (test.type->kind != TYPE_TRUE)
		return type_branches(c, e, test, caps, known);
	a = type_of(c, e->kid[1], known);
	if (!a.type)
		return none;
	r = caps_union(&c->caps, test.caps, a.caps, &out);
	return with_caps(c, a.type, r, out);
}

/* --- all the others --------------------------------------------------------------------------- */

static struct typing type_strict(struct checker *c, const struct occ *e, uint32_t caps)
{
	const struct type *small[KIDS_ON_STACK], **t = small;
	uint32_t n = e->node->n;
	struct typing x = none;
	bool ok = true;

	if (n > KIDS_ON_STACK)
		t = malloc(n * sizeof(*t));
	if (!t) {
		c->r = -ENOMEM;
		return none;
	}
	for (uint32_t i = 0; i < n && (ok || c->loud); i++) {
		t[i] = type_of(c, e->kid[i], caps).type;
		ok = ok && t[i];
	}
	if (ok)
		x = type_of_op(c, e, t, caps);
	if (t != small)
		free(t);
	return x;
}

static struct typing compute(struct checker *c, const struct occ *e, uint32_t caps)
{
	switch (e->node->op) {
	case CORE_BOOL:
		return just(e->node->num ? TYPE_TRUE : TYPE_FALSE, CAPS_NONE);
	case CORE_LONG:
		return just(TYPE_LONG, CAPS_NONE);
	case CORE_STRING:
		return just(TYPE_STRING, CAPS_NONE);
	case CORE_VAR:
		return (struct typing){ c->var[e->node->num], CAPS_NONE };
	case CORE_AND:
		return type_and(c, e, caps);
	case CORE_OR:
		return type_or(c, e, caps);
	case CORE_IF:
		return type_if(c, e, caps);
	default:
		return type_strict(c, e, caps);
	}
}

bool may_step(struct checker *c)
{
	if (c->steps++ >= CHECK_STEPS_MAX)
		c->too_deep = true;
	return c->r == 0 && !c->too_deep;
}

struct typing type_of(struct checker *c, const struct occ *e, uint32_t caps)
{
	struct memo key = { .node = e->node->id };
	const struct memo *m;
	struct typing t;
	int r;

	if (!may_step(c))
		return none;
	if (e->node->n == 0)
		return e->node->op == CORE_ENTITY || e->node->op == CORE_SET ||
				       e->node->op == CORE_RECORD || e->node->op == CORE_CALL
			       ? type_of_op(c, e, NULL, caps)
			       : compute(c, e, caps);
	r = caps_below(&c->caps, caps, e->node->id, &key.caps);
	if (r < 0)
		return with_caps(c, NULL, r, 0);
	key.class = class_of(c, e->node->uses);
	m = memo_at(c, c->memo, c->memo_mask, &key);
	if (m->used && (m->t.type || !c->loud))
		return m->t;
	t = compute(c, e, key.caps);
	if (c->r == 0)
		remember(c, key, t);
	return t;
}
