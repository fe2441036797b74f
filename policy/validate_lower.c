// SPDX-License-Identifier: Apache-2.0
/*
 * Conditions into core operators: `a has b.c` is a has b && a.b has c, a > b is !(a <= b), and so
 * on. What is written alike becomes one node; where it stands is kept beside it.
 */
#include <errno.h>
#include <stdlib.h>

#include "policy/validate.h"
#include "policy/value.h"

/* --- occurrences ------------------------------------------------------------------------------ */

static struct occ *no_memory(struct checker *c)
{
	c->r = -ENOMEM;
	return NULL;
}

/* x->kid is made from the occurrences' nodes. kid may be NULL when n is 0. */
static struct occ *make(struct checker *c, struct core x, uint32_t pos, uint32_t n,
			struct occ *const *kid)
{
	struct occ *e = arena_alloc(&c->policy_mem, sizeof(*e));
	const struct core *small[4], **nodes = small;

	for (uint32_t i = 0; i < n; i++) {
		if (!kid[i])
			return NULL;
	}
	if (n > ARRAY_SIZE(small))
		nodes = arena_array(&c->policy_mem, n, sizeof(*nodes));
	if (!e || !nodes)
		return no_memory(c);
	e->pos = pos;
	e->searched = false;
	e->kid = arena_array(&c->policy_mem, n, sizeof(*e->kid));
	if (!e->kid)
		return no_memory(c);
	for (uint32_t i = 0; i < n; i++) {
		e->kid[i] = kid[i];
		nodes[i] = kid[i]->node;
	}
	x.n = n;
	x.kid = nodes;
	e->node = core_keep(c, &x);
	if (!e->node)
		return no_memory(c);
	if (e->node->depth > CORE_DEPTH_MAX || c->policy_mem.total > CHECK_MEMORY_MAX) {
		c->too_deep = true;
		return NULL;
	}
	return e;
}

static struct occ *make1(struct checker *c, struct core x, uint32_t pos, struct occ *a)
{
	return make(c, x, pos, 1, &a);
}

static struct occ *make2(struct checker *c, enum core_op op, uint32_t pos, struct occ *a,
			 struct occ *b)
{
	struct occ *kid[2] = { a, b };

	return make(c, (struct core){ .op = op }, pos, 2, kid);
}

static struct occ *negate(struct checker *c, uint32_t pos, struct occ *a)
{
	return make1(c, (struct core){ .op = CORE_NOT }, pos, a);
}

/* --- chains ----------------------------------------------------------------------------------- */

typedef VEC(struct occ *) occ_list;

/* Two literals at the beginning become one, as when Cedar reads a policy: it matters to `==`, for which
 * literals are known. */
static void fold_literals(struct checker *c, enum core_op op, occ_list *list)
{
	struct core x = { .op = CORE_BOOL };
	const struct core *a, *b;

	if (list->n != 2)
		return;
	a = list->v[0]->node;
	b = list->v[1]->node;
	if (a->op != CORE_BOOL || b->op != CORE_BOOL)
		return;
	x.num = op == CORE_AND ? a->num && b->num : a->num || b->num;
	list->v[0] = make(c, x, list->v[0]->pos, 0, NULL);
	list->n = 1;
}

/* (a && b) && c is a && b && c: what is joined from the left is one node. */
static int add_operand(struct checker *c, enum core_op op, occ_list *list, struct occ *k)
{
	int r = 0;

	if (list->n > 0 || k->node->op != op) {
		r = vec_push(list, k);
		fold_literals(c, op, list);
		return r;
	}
	for (uint32_t i = 0; r == 0 && i < k->node->n; i++)
		r = vec_push(list, k->kid[i]);
	return r;
}

static struct occ *logic(struct checker *c, const struct ast *e, enum core_op op)
{
	occ_list list = { 0 };
	struct occ *x = NULL;
	uint32_t i;
	int r = 0;

	for (i = 0; r == 0 && i < e->n; i++) {
		struct occ *k = lower(c, e->kid[i]);

		if (!k)
			break;
		r = add_operand(c, op, &list, k);
		if (r == 0 && !list.v[0])
			break;
	}
	if (r == 0 && i == e->n)
		x = list.n == 1 ? list.v[0]
				: make(c, (struct core){ .op = op }, e->pos, list.n, list.v);
	vec_done(&list);
	return r < 0 ? no_memory(c) : x;
}

static struct occ *arithmetic(struct checker *c, const struct ast *e)
{
	struct occ *x = lower(c, e->kid[0]);

	for (uint32_t i = 1; x && i < e->n; i++) {
		enum core_op op = e->kind == AST_PRODUCT ? CORE_MUL
				  : e->places[i].minus	 ? CORE_SUB
							 : CORE_ADD;

		x = make2(c, op, e->places[i].pos, x, lower(c, e->kid[i]));
	}
	return x;
}

static struct occ *has(struct checker *c, const struct ast *e)
{
	struct occ *x = lower(c, e->kid[0]), *all = NULL;
	occ_list list = { 0 };
	int r = 0;

	for (uint32_t i = 0; x && r == 0 && i < e->n_parts; i++) {
		struct core h = { .op = CORE_HAS, .str = e->names[i].s };
		struct core g = { .op = CORE_GET, .str = e->names[i].s };
		struct occ *k = make1(c, h, e->names[i].pos, x);

		r = k ? vec_push(&list, k) : -EINVAL;
		if (k && i + 1 < e->n_parts)
			x = make1(c, g, e->names[i].pos, x);
	}
	if (r == 0 && list.n == e->n_parts)
		all = list.n == 1 ? list.v[0]
				  : make(c, (struct core){ .op = CORE_AND }, e->pos, list.n, list.v);
	vec_done(&list);
	return r == -ENOMEM ? no_memory(c) : all;
}

static const enum core_op method_ops[] = {
	[AST_CONTAINS] = CORE_CONTAINS,		[AST_CONTAINS_ALL] = CORE_CONTAINS_ALL,
	[AST_CONTAINS_ANY] = CORE_CONTAINS_ANY, [AST_IS_EMPTY] = CORE_IS_EMPTY,
	[AST_HAS_TAG] = CORE_HAS_TAG,		[AST_GET_TAG] = CORE_GET_TAG,
};

/* A function or method with its receiver first; arguments beyond what any function takes are an
 * error of arity all the same. */
static struct occ *call(struct checker *c, struct core x, uint32_t pos, struct occ *first,
			struct ast *const *arg, uint32_t n)
{
	occ_list list = { 0 };
	struct occ *e = NULL;
	int r = first ? vec_push(&list, first) : 0;

	for (uint32_t i = 0; r == 0 && i < n; i++) {
		struct occ *k = lower(c, arg[i]);

		r = k ? vec_push(&list, k) : -EINVAL;
	}
	if (r == 0)
		e = make(c, x, pos, list.n, list.v);
	vec_done(&list);
	return r == -ENOMEM ? no_memory(c) : e;
}

static struct occ *steps(struct checker *c, const struct ast *e)
{
	struct occ *x = lower(c, e->kid[0]);

	for (uint32_t i = 0; x && i < e->n_parts; i++) {
		const struct ast_step *s = &e->steps[i];
		struct core k = { 0 };

		switch (s->kind) {
		case AST_STEP_ATTR:
			k = (struct core){ .op = CORE_GET, .str = s->name };
			x = make1(c, k, s->pos, x);
			break;
		case AST_STEP_METHOD:
			k.op = method_ops[s->method];
			x = call(c, k, s->pos, x, s->arg, s->n);
			break;
		case AST_STEP_EXT:
			k = (struct core){ .op = CORE_CALL, .num = s->fn };
			x = call(c, k, s->pos, x, s->arg, s->n);
			break;
		}
	}
	return x;
}

/* --- sets and records ------------------------------------------------------------------------- */

struct member {
	struct span name;
	struct occ *e;
};

static int member_cmp(const void *a, const void *b)
{
	return span_cmp(((const struct member *)a)->name, ((const struct member *)b)->name);
}

static struct occ *record(struct checker *c, const struct ast *e)
{
	struct member *m = arena_array(&c->policy_mem, e->n, sizeof(*m));
	struct occ **kid = arena_array(&c->policy_mem, e->n, sizeof(*kid));
	struct span *names = arena_array(&c->policy_mem, e->n, sizeof(*names));

	if (!m || !kid || !names)
		return no_memory(c);
	for (uint32_t i = 0; i < e->n; i++) {
		m[i] = (struct member){ e->names[i].s, lower(c, e->kid[i]) };
		if (!m[i].e)
			return NULL;
	}
	heap_sort(m, e->n, sizeof(*m), member_cmp);
	for (uint32_t i = 0; i < e->n; i++) {
		kid[i] = m[i].e;
		names[i] = m[i].name;
	}
	return make(c, (struct core){ .op = CORE_RECORD, .names = names }, e->pos, e->n, kid);
}

/* Patterns are compared by their text: a length before each run keeps "a*b" and "a", "b" apart. */
static struct occ *like(struct checker *c, const struct ast *e)
{
	struct core x = { .op = CORE_LIKE, .num = e->pattern.n };
	size_t n = 1, at = 0;
	char *p;

	for (uint32_t i = 0; i < e->pattern.n; i++)
		n += sizeof(size_t) + e->pattern.run[i].n;
	p = arena_alloc(&c->mem, n);
	if (!p)
		return no_memory(c);
	for (uint32_t i = 0; i < e->pattern.n; i++) {
		struct span run = e->pattern.run[i];

		memcpy(p + at, &run.n, sizeof(run.n));
		at += sizeof(run.n);
		if (run.n)
			memcpy(p + at, run.p, run.n);
		at += run.n;
	}
	x.str = (struct span){ p, at };
	return make1(c, x, e->pos, lower(c, e->kid[0]));
}

static struct occ *is(struct checker *c, const struct ast *e)
{
	struct occ *a = lower(c, e->kid[0]), *kid[2];
	struct core x = { .op = CORE_IS, .str = e->str };

	kid[0] = make1(c, x, e->pos, a);
	if (e->n < 2)
		return kid[0];
	kid[1] = make2(c, CORE_IN, e->pos, a, lower(c, e->kid[1]));
	return make(c, (struct core){ .op = CORE_AND }, e->pos, 2, kid);
}

/* --- the rest --------------------------------------------------------------------------------- */

static struct occ *pair(struct checker *c, enum core_op op, const struct ast *e)
{
	struct occ *a = lower(c, e->kid[0]);

	return a ? make2(c, op, e->pos, a, lower(c, e->kid[1])) : NULL;
}

static struct occ *operator(struct checker *c, const struct ast *e)
{
	switch (e->kind) {
	case AST_EQ:
		return pair(c, CORE_EQ, e);
	case AST_NE:
		return negate(c, e->pos, pair(c, CORE_EQ, e));
	case AST_LT:
		return pair(c, CORE_LT, e);
	case AST_LE:
		return pair(c, CORE_LE, e);
	case AST_GT:
		return negate(c, e->pos, pair(c, CORE_LE, e));
	case AST_GE:
		return negate(c, e->pos, pair(c, CORE_LT, e));
	case AST_IN:
		return pair(c, CORE_IN, e);
	case AST_NOT:
		return negate(c, e->pos, lower(c, e->kid[0]));
	case AST_NEG:
		return make1(c, (struct core){ .op = CORE_NEG }, e->pos, lower(c, e->kid[0]));
	case AST_PRODUCT:
	case AST_SUM:
		return arithmetic(c, e);
	case AST_AND:
		return logic(c, e, CORE_AND);
	case AST_OR:
		return logic(c, e, CORE_OR);
	case AST_IF:
		return call(c, (struct core){ .op = CORE_IF }, e->pos, NULL, e->kid, 3);
	case AST_HAS:
		return has(c, e);
	case AST_LIKE:
		return like(c, e);
	default:
		return is(c, e);
	}
}

struct occ *lower(struct checker *c, const struct ast *e)
{
	struct core x = { 0 };

	switch (e->kind) {
	case AST_BOOL:
		x = (struct core){ .op = CORE_BOOL, .num = e->num };
		break;
	case AST_LONG:
		x = (struct core){ .op = CORE_LONG, .num = e->num };
		break;
	case AST_STRING:
		x = (struct core){ .op = CORE_STRING, .str = e->str };
		break;
	case AST_ENTITY:
		x = (struct core){ .op = CORE_ENTITY, .str = e->uid.id, .str2 = e->uid.type };
		break;
	case AST_VAR:
		x = (struct core){ .op = CORE_VAR, .num = e->num };
		break;
	case AST_SET:
		return call(c, (struct core){ .op = CORE_SET }, e->pos, NULL, e->kid, e->n);
	case AST_RECORD:
		return record(c, e);
	case AST_CALL:
		return call(c, (struct core){ .op = CORE_CALL, .num = e->fn }, e->pos, NULL, e->kid,
			    e->n);
	case AST_ACCESS:
		return steps(c, e);
	default:
		return operator(c, e);
	}
	return make(c, x, e->pos, 0, NULL);
}
