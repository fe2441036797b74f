// SPDX-License-Identifier: Apache-2.0
/*
 * The simple forms of conjuncts. Each gives what the code of the conjunct gives: the same truth, and
 * an error in the same cases (which error is found out by running the code). That allows to turn
 * `5 < context.n` around: a constant cannot fail, so the order of the two does not show.
 */
#include "policy/compile.h"

#define CODE ((struct ctest){ .kind = TEST_CODE })

/* The path that an expression is, or PATH_NONE. */
static uint32_t path_of(struct compiler *c, const struct ast *e, uint32_t n_steps)
{
	uint32_t path;

	if (e->kind == AST_VAR)
		return (uint32_t)e->num;
	/* Chains are one node, so what is below one is no chain. */
	if (e->kind != AST_ACCESS || e->kid[0]->kind != AST_VAR || n_steps > PATH_LENGTH_MAX)
		return PATH_NONE;
	path = (uint32_t)e->kid[0]->num;
	for (uint32_t i = 0; i < n_steps; i++) {
		if (c->r < 0 || e->steps[i].kind != AST_STEP_ATTR)
			return PATH_NONE;
		path = compile_path(c, path, compile_symbol(c, e->steps[i].name),
				    (enum ast_var)c->s->paths.v[path].var);
	}
	return path;
}

/* Of a value, which the context as a whole may not be: a member of it can be unknown. */
static uint32_t value_path(struct compiler *c, const struct ast *e)
{
	uint32_t path = path_of(c, e, e->n_parts);

	return path == AST_CONTEXT ? PATH_NONE : path;
}

static bool is_scalar(struct cval v)
{
	return v.tag != V_SET && v.tag != V_RECORD;
}

static struct ctest equality(struct compiler *c, const struct ast *e)
{
	const struct ast *l = e->kid[0], *r = e->kid[1], *literal = l->constant ? l : r;
	struct ctest t = { .kind = TEST_EQ, .negated = e->kind == AST_NE };

	t.path = value_path(c, l->constant ? r : l);
	if (t.path == PATH_NONE)
		return CODE;
	if (literal->constant) {
		t.arg = compile_literal(c, literal);
		return c->r == 0 && is_scalar(c->s->consts.v[t.arg]) ? t : CODE;
	}
	t.kind = TEST_EQ_PATH;
	t.arg = value_path(c, r);
	return t.arg == PATH_NONE ? CODE : t;
}

/* path < num, or not: what < <= > >= between a path and a constant come to. */
static struct ctest threshold(struct compiler *c, enum ast_kind op, uint32_t path, struct cval v)
{
	struct ctest t = { .kind = TEST_LT, .tag = v.tag, .path = path, .num = v.i };

	if (op == AST_LE || op == AST_GT) {
		if (v.i == INT64_MAX)
			return CODE;
		t.num++;
	}
	t.negated = op == AST_GT || op == AST_GE;
	return t;
}

static enum ast_kind turned(enum ast_kind op)
{
	return op == AST_LT ? AST_GT : op == AST_LE ? AST_GE : op == AST_GT ? AST_LT : AST_LE;
}

static struct ctest ordered(struct compiler *c, enum ast_kind op, const struct ast *l,
			    const struct ast *r, uint32_t tags)
{
	const struct ast *literal = l->constant ? l : r;
	uint32_t path = value_path(c, l->constant ? r : l), id;

	if (path == PATH_NONE || !literal->constant)
		return CODE;
	id = compile_literal(c, literal);
	if (c->r < 0 || !(V_BIT(c->s->consts.v[id].tag) & tags))
		return CODE;
	return threshold(c, l->constant ? turned(op) : op, path, c->s->consts.v[id]);
}

static struct ctest is_test(struct compiler *c, const struct ast *e)
{
	struct ctest t = { .kind = TEST_IS, .path = value_path(c, e->kid[0]) };

	if (t.path == PATH_NONE || e->n != 1)
		return CODE;
	t.arg = compile_symbol(c, e->str);
	return t;
}

static struct ctest has_test(struct compiler *c, const struct ast *e)
{
	struct ctest t = { .kind = TEST_HAS,
			   .path = path_of(c, e->kid[0], e->kid[0]->n_parts) };

	if (t.path == PATH_NONE || e->n_parts != 1)
		return CODE;
	t.arg = compile_symbol(c, e->names[0].s);
	return t;
}

static struct ctest in_test(struct compiler *c, const struct ast *e)
{
	struct ctest t = { .kind = TEST_IN, .path = value_path(c, e->kid[0]) };
	const struct cval *v;

	if (t.path == PATH_NONE)
		return CODE;
	if (!e->kid[1]->constant) {
		t.kind = TEST_IN_PATH;
		t.arg = value_path(c, e->kid[1]);
		return t.arg == PATH_NONE ? CODE : t;
	}
	t.arg = compile_literal(c, e->kid[1]);
	v = c->r == 0 ? &c->s->consts.v[t.arg] : NULL;
	if (!v || v->tag != V_ENTITY)
		return CODE;
	t.arg = v->n;
	return t;
}

static struct ctest like_test(struct compiler *c, const struct ast *e)
{
	struct ctest t = { .kind = TEST_LIKE, .path = value_path(c, e->kid[0]) };

	if (t.path == PATH_NONE)
		return CODE;
	t.arg = compile_pattern(c, &e->pattern);
	return t;
}

/* path.contains(path) */
static struct ctest contains_path(struct compiler *c, const struct ast *e, const struct ast_step *last)
{
	struct ctest t = { .kind = TEST_CONTAINS_PATH, .path = path_of(c, e, e->n_parts - 1) };

	if (last->kind != AST_STEP_METHOD || last->method != AST_CONTAINS || t.path == PATH_NONE ||
	    t.path == AST_CONTEXT)
		return CODE;
	t.arg = value_path(c, last->arg[0]);
	return t.arg == PATH_NONE ? CODE : t;
}

/* receiver.method(arg), one of them constant. */
static struct ctest set_test(struct compiler *c, enum ast_method method, uint32_t path,
			     uint32_t constant, bool receiver_constant)
{
	struct ctest t = { .path = path, .arg = constant };
	const struct cval *v = &c->s->consts.v[constant];

	if (method == AST_CONTAINS && !receiver_constant) {
		t.kind = TEST_CONTAINS;
		return is_scalar(*v) ? t : CODE;
	}
	if (v->tag != V_SET)
		return CODE;
	if (method == AST_CONTAINS)
		t.kind = TEST_MEMBER;
	else if (method == AST_CONTAINS_ANY)
		t.kind = TEST_CONTAINS_ANY;
	else if (method == AST_CONTAINS_ALL && !receiver_constant)
		t.kind = TEST_CONTAINS_ALL;
	else
		return CODE;
	return t;
}

static struct ctest ext_test(struct compiler *c, enum ext_fn fn, uint32_t path, uint32_t constant,
			     bool receiver_constant)
{
	static const enum ast_kind order[] = { AST_LT, AST_LE, AST_GT, AST_GE };
	struct cval v = c->s->consts.v[constant];

	if (fn >= EXT_LESS_THAN && fn <= EXT_GREATER_THAN_OR_EQUAL && v.tag == V_DECIMAL) {
		enum ast_kind op = order[fn - EXT_LESS_THAN];

		return threshold(c, receiver_constant ? turned(op) : op, path, v);
	}
	if (fn == EXT_IS_IN_RANGE && v.tag == V_IP && !receiver_constant) {
		struct ctest t = { .kind = TEST_IN_RANGE, .path = path, .arg = constant };

		t.tag = !v.ip->v6;
		t.num = v.ip->v6 ? 0 : (int64_t)ext_ip_v4(v.ip) << 8 | v.ip->prefix;
		return t;
	}
	return CODE;
}

/* A path to a bool, or a method of a path. */
static struct ctest access_test(struct compiler *c, const struct ast *e)
{
	const struct ast_step *last = &e->steps[e->n_parts - 1];
	bool receiver_constant = e->n_parts == 1 && e->kid[0]->constant;
	uint32_t path, constant;

	if (last->kind == AST_STEP_ATTR) {
		path = path_of(c, e, e->n_parts);
		return path == PATH_NONE ? CODE : (struct ctest){ .kind = TEST_BOOL, .path = path };
	}
	if (last->n != 1)
		return CODE;
	if (!receiver_constant && !last->arg[0]->constant)
		return contains_path(c, e, last);
	path = receiver_constant ? value_path(c, last->arg[0]) : path_of(c, e, e->n_parts - 1);
	if (path == PATH_NONE || path == AST_CONTEXT)
		return CODE;
	constant = compile_literal(c, receiver_constant ? e->kid[0] : last->arg[0]);
	if (c->r < 0)
		return CODE;
	return last->kind == AST_STEP_METHOD
		       ? set_test(c, last->method, path, constant, receiver_constant)
		       : ext_test(c, last->fn, path, constant, receiver_constant);
}

#define ALTERNATIVES_MAX 8
#define ANY_NESTING_MAX 4 /* each is a call deeper */

static struct ctest test_of(struct compiler *c, const struct ast *e, bool negated, unsigned nested);

/* a || b, and a && b as what it is not: !(!a || !b). Either stops where the other does. */
static struct ctest any_of(struct compiler *c, const struct ast *e, unsigned nested)
{
	struct ctest t = { .kind = TEST_ANY, .negated = e->kind == AST_AND, .num = e->n };
	struct cnode of[ALTERNATIVES_MAX];

	if (e->n > ALTERNATIVES_MAX || nested == ANY_NESTING_MAX)
		return CODE;
	for (uint32_t i = 0; i < e->n; i++) {
		struct ctest a = test_of(c, e->kid[i], e->kind == AST_AND, nested + 1);

		if (a.kind == TEST_CODE || a.kind == TEST_FALSE)
			return CODE;
		of[i] = (struct cnode){ .kind = a.kind, .negated = a.negated, .tag = a.tag, .path = a.path,
					.arg = a.arg,	.num = a.num };
	}
	t.arg = c->s->alternatives.n;
	for (uint32_t i = 0; c->r == 0 && i < e->n; i++)
		c->r = vec_push(&c->s->alternatives, of[i]);
	return t;
}

static struct ctest simple(struct compiler *c, const struct ast *e, unsigned nested)
{
	const uint32_t comparable = V_BIT(V_LONG) | V_BIT(V_DATETIME) | V_BIT(V_DURATION);

	switch (e->kind) {
	case AST_BOOL:
		/* Nothing is asked: true and false are both "false", the one negated. */
		return (struct ctest){ .kind = TEST_FALSE, .negated = e->num != 0 };
	case AST_EQ:
	case AST_NE:
		return equality(c, e);
	case AST_LT:
	case AST_LE:
	case AST_GT:
	case AST_GE:
		return ordered(c, e->kind, e->kid[0], e->kid[1], comparable);
	case AST_IN:
		return in_test(c, e);
	case AST_IS:
		return is_test(c, e);
	case AST_HAS:
		return has_test(c, e);
	case AST_LIKE:
		return like_test(c, e);
	case AST_ACCESS:
		return access_test(c, e);
	case AST_AND:
	case AST_OR:
		return any_of(c, e, nested);
	default:
		return CODE;
	}
}

static struct ctest test_of(struct compiler *c, const struct ast *e, bool negated, unsigned nested)
{
	struct ctest t;

	for (; e->kind == AST_NOT; e = e->kid[0])
		negated = !negated;
	t = simple(c, e, nested);
	if (t.kind != TEST_CODE) /* the code has its negations in it */
		t.negated ^= negated;
	return t;
}

struct ctest compile_test(struct compiler *c, const struct ast *e, bool negated)
{
	return test_of(c, e, negated, 0);
}
