// SPDX-License-Identifier: Apache-2.0
/*
 * Chains from JSON: what a text would keep as one chain is taken apart in loops, however deep the JSON
 * nests it.
 */
#include <stdlib.h>

#include "policy/est.h"
#include "policy/parse_node.h"

bool est_get_op(const struct json *v, struct est_op *ret)
{
	if (v->kind != JSON_OBJECT || v->n != 1)
		return false;
	*ret = (struct est_op){ v->key[0], &v->kid[0] };
	return true;
}

bool est_two(struct parser *ps, const struct json *of, const struct json **ret_left,
	     const struct json **ret_right)
{
	static const char *const names[] = { "left", "right", NULL };

	if (!est_members(ps, of, names))
		return false;
	*ret_left = est_member(ps, of, "left");
	*ret_right = *ret_left ? est_member(ps, of, "right") : NULL;
	return *ret_right != NULL;
}

/* --- chains of operators ---------------------------------------------------------------------- */

bool est_in_chain(const struct est_op *op, enum ast_kind kind)
{
	switch (kind) {
	case AST_AND:
		return span_is(op->name, "&&");
	case AST_OR:
		return span_is(op->name, "||");
	case AST_PRODUCT:
		return span_is(op->name, "*");
	default:
		return span_is(op->name, "+") || span_is(op->name, "-");
	}
}

struct links {
	struct {
		const struct json *right;
		struct ast_place place;
	} *v;
	uint32_t n, cap;
};

static bool chain_kids(struct parser *ps, const struct json *first, const struct links *links,
		       struct kids *k)
{
	if (!node_push(ps, k, est_read_expr(ps, first)))
		return false;
	for (uint32_t i = links->n; i-- > 0;) {
		if (!node_push(ps, k, est_read_expr(ps, links->v[i].right)))
			return false;
	}
	return true;
}

static bool chain_places(struct parser *ps, const struct links *links, struct ast *e)
{
	e->places = arena_array(ps->mem, e->n, sizeof(*e->places));
	if (!e->places)
		return parser_no_memory(ps);
	e->places[0] = (struct ast_place){ 0 };
	for (uint32_t i = 1; i < e->n; i++)
		e->places[i] = links->v[links->n - i].place;
	return true;
}

struct ast *est_read_chain(struct parser *ps, const struct json *v, enum ast_kind kind)
{
	_cleanup_kids_ struct kids k = { 0 };
	struct links links = { 0 };
	const struct json *left, *right, *at = v;
	struct ast *e = NULL;
	struct est_op op;
	bool ok = true;

	while (ok && est_get_op(at, &op) && est_in_chain(&op, kind)) {
		struct ast_place place = { at->pos, span_is(op.name, "-") };

		ok = est_two(ps, op.of, &left, &right);
		if (ok && vec_push(&links, ((__typeof__(*links.v)){ right, place })) < 0)
			ok = parser_no_memory(ps);
		at = left;
	}
	if (ok && chain_kids(ps, at, &links, &k))
		e = node_with(ps, node_new(ps, kind, v->pos), k.v, k.n);
	if (e && (kind == AST_SUM || kind == AST_PRODUCT) && !chain_places(ps, &links, e))
		e = NULL;
	free(links.v);
	return e;
}

/* --- chains of accesses ----------------------------------------------------------------------- */

static bool read_arguments(struct parser *ps, const struct json *const *v, uint32_t n,
			   struct ast_step *s)
{
	_cleanup_kids_ struct kids k = { 0 };

	for (uint32_t i = 0; i < n; i++) {
		if (!node_push(ps, &k, est_read_expr(ps, v[i])))
			return false;
	}
	s->n = n;
	s->arg = parser_keep(ps, k.v, k.n, sizeof(*k.v));
	return s->arg != NULL;
}

static bool read_attr(struct parser *ps, const struct est_op *op, struct ast_step *s,
		      const struct json **ret_left)
{
	static const char *const names[] = { "left", "attr", NULL };

	return est_members(ps, op->of, names) && (*ret_left = est_member(ps, op->of, "left")) &&
	       est_string(ps, est_member(ps, op->of, "attr"), "an attribute", &s->name);
}

static bool read_method(struct parser *ps, const struct est_op *op, struct ast_step *s,
			const struct json **ret_left)
{
	static const char *const arg[] = { "arg", NULL };
	const struct json *right;

	if (s->method == AST_IS_EMPTY)
		return est_members(ps, op->of, arg) && (*ret_left = est_member(ps, op->of, "arg")) &&
		       read_arguments(ps, NULL, 0, s);
	return est_two(ps, op->of, ret_left, &right) && read_arguments(ps, &right, 1, s);
}

static bool read_ext_method(struct parser *ps, const struct est_op *op, struct ast_step *s,
			    const struct json **ret_left)
{
	_cleanup_kids_ struct kids k = { 0 };

	if (op->of->kind != JSON_ARRAY || op->of->n == 0)
		return parser_fail(ps, op->of->pos,
				   "`%.*s` takes an array: what it is called on, then its arguments",
				   (int)op->name.n, op->name.p);
	for (uint32_t i = 1; i < op->of->n; i++) {
		if (!node_push(ps, &k, est_read_expr(ps, &op->of->kid[i])))
			return false;
	}
	*ret_left = &op->of->kid[0];
	s->n = k.n;
	s->arg = parser_keep(ps, k.v, k.n, sizeof(*k.v));
	return s->arg != NULL;
}

/* What kind of access an operator is; false when it is none. */
bool est_is_access(const struct est_op *op, struct ast_step *s)
{
	if (span_is(op->name, ".")) {
		s->kind = AST_STEP_ATTR;
		return true;
	}
	if (ast_method_find(op->name, &s->method)) {
		s->kind = AST_STEP_METHOD;
		return true;
	}
	s->kind = AST_STEP_EXT;
	s->fn = ext_find(op->name);
	return s->fn != EXT_FN_COUNT && ext_info(s->fn)->method;
}

struct ast *est_read_access(struct parser *ps, const struct json *v)
{
	VEC(struct ast_step) steps = { 0 };
	const struct json *at = v, *left = NULL;
	struct ast *e = NULL;
	struct est_op op;
	bool ok = true;

	while (ok && est_get_op(at, &op)) {
		struct ast_step s = { .pos = at->pos };

		if (!est_is_access(&op, &s))
			break;
		ok = s.kind == AST_STEP_ATTR	 ? read_attr(ps, &op, &s, &left)
		     : s.kind == AST_STEP_METHOD ? read_method(ps, &op, &s, &left)
						 : read_ext_method(ps, &op, &s, &left);
		if (ok && vec_push(&steps, s) < 0)
			ok = parser_no_memory(ps);
		at = left;
	}
	for (uint32_t i = 0; ok && i < steps.n / 2; i++) {
		struct ast_step s = steps.v[i];

		steps.v[i] = steps.v[steps.n - 1 - i];
		steps.v[steps.n - 1 - i] = s;
	}
	if (ok && (e = est_read_expr(ps, at)))
		e = node_unary(ps, AST_ACCESS, e->pos, e);
	if (e) {
		e->n_parts = steps.n;
		e->steps = parser_keep(ps, steps.v, steps.n, sizeof(*steps.v));
	}
	free(steps.v);
	return e && e->steps ? e : NULL;
}
