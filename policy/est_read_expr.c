// SPDX-License-Identifier: Apache-2.0
/*
 * Expressions from JSON. What a text would keep as one chain is taken apart in loops, however deep the
 * JSON nests it; only real nesting recurses, up to EST_DEPTH_MAX.
 */
#include <string.h>

#include "policy/est.h"
#include "policy/parse_node.h"

/* The operator of an object of one key, and what it is applied to. */
struct op {
	struct span name;
	const struct json *of;
};

static bool get_op(const struct json *v, struct op *ret)
{
	if (v->kind != JSON_OBJECT || v->n != 1)
		return false;
	*ret = (struct op){ v->key[0], &v->kid[0] };
	return true;
}

static bool two(struct parser *ps, const struct json *of, const struct json **ret_left,
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

static bool in_chain(const struct op *op, enum ast_kind kind)
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

static struct ast *read_chain(struct parser *ps, const struct json *v, enum ast_kind kind)
{
	_cleanup_kids_ struct kids k = { 0 };
	struct links links = { 0 };
	const struct json *left, *right, *at = v;
	struct ast *e = NULL;
	struct op op;
	bool ok = true;

	while (ok && get_op(at, &op) && in_chain(&op, kind)) {
		struct ast_place place = { at->pos, span_is(op.name, "-") };

		ok = two(ps, op.of, &left, &right);
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

static bool read_attr(struct parser *ps, const struct op *op, struct ast_step *s,
		      const struct json **ret_left)
{
	static const char *const names[] = { "left", "attr", NULL };

	s->kind = AST_STEP_ATTR;
	return est_members(ps, op->of, names) && (*ret_left = est_member(ps, op->of, "left")) &&
	       est_string(ps, est_member(ps, op->of, "attr"), "an attribute", &s->name);
}

static bool read_method(struct parser *ps, const struct op *op, struct ast_step *s,
			const struct json **ret_left)
{
	static const char *const arg[] = { "arg", NULL };
	const struct json *right;

	s->kind = AST_STEP_METHOD;
	if (s->method == AST_IS_EMPTY)
		return est_members(ps, op->of, arg) && (*ret_left = est_member(ps, op->of, "arg")) &&
		       read_arguments(ps, NULL, 0, s);
	return two(ps, op->of, ret_left, &right) && read_arguments(ps, &right, 1, s);
}

static bool read_ext_method(struct parser *ps, const struct op *op, struct ast_step *s,
			    const struct json **ret_left)
{
	_cleanup_kids_ struct kids k = { 0 };

	s->kind = AST_STEP_EXT;
	if (op->of->kind != JSON_ARRAY || op->of->n == 0)
		return parser_fail(ps, op->of->pos, "`%.*s` takes an array: what it is called on, "
						    "then its arguments",
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
static bool is_access(const struct op *op, struct ast_step *s)
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

static struct ast *read_access(struct parser *ps, const struct json *v)
{
	VEC(struct ast_step) steps = { 0 };
	const struct json *at = v, *left = NULL;
	struct ast *e = NULL;
	struct op op;
	bool ok = true;

	while (ok && get_op(at, &op)) {
		struct ast_step s = { .pos = at->pos };

		if (!is_access(&op, &s))
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

/* --- other operators -------------------------------------------------------------------------- */

static struct ast *read_var(struct parser *ps, const struct json *v)
{
	struct ast *e = node_new(ps, AST_VAR, v->pos);
	enum ast_var var;

	if (!ast_var_find(json_str(v), &var))
		return node_fail(ps, v->pos, "the variables are principal, action, resource and context");
	if (e)
		e->num = var;
	return e;
}

static struct ast *read_unary(struct parser *ps, enum ast_kind kind, const struct json *of)
{
	static const char *const names[] = { "arg", NULL };
	const struct json *arg;
	struct ast *a;

	if (!est_members(ps, of, names) || !(arg = est_member(ps, of, "arg")))
		return NULL;
	a = est_read_expr(ps, arg);
	return a ? node_unary(ps, kind, of->pos, a) : NULL;
}

static struct ast *read_relation(struct parser *ps, enum ast_kind kind, const struct json *of)
{
	const struct json *left, *right;
	struct ast *a, *b;

	if (!two(ps, of, &left, &right))
		return NULL;
	a = est_read_expr(ps, left);
	b = a ? est_read_expr(ps, right) : NULL;
	return b ? node_binary(ps, kind, of->pos, a, b) : NULL;
}

static struct ast *read_left(struct parser *ps, enum ast_kind kind, const struct json *of,
			     const char *const *names)
{
	const struct json *left;
	struct ast *a;

	if (!est_members(ps, of, names) || !(left = est_member(ps, of, "left")))
		return NULL;
	a = est_read_expr(ps, left);
	return a ? node_unary(ps, kind, of->pos, a) : NULL;
}

/* A name, or an array of them: of more than one each must be an identifier, as in a text. */
static struct ast *read_has(struct parser *ps, const struct json *of)
{
	static const char *const names[] = { "left", "attr", NULL };
	struct ast *e = read_left(ps, AST_HAS, of, names);
	const struct json *attr = e ? est_member(ps, of, "attr") : NULL, *part;

	if (!attr)
		return NULL;
	if (attr->kind == JSON_ARRAY && attr->n == 0)
		return node_fail(ps, attr->pos, "`has` names no attribute");
	e->n_parts = attr->kind == JSON_ARRAY ? attr->n : 1;
	part = attr->kind == JSON_ARRAY ? attr->kid : attr;
	e->names = arena_array(ps->mem, e->n_parts, sizeof(*e->names));
	if (!e->names) {
		parser_no_memory(ps);
		return NULL;
	}
	for (uint32_t i = 0; i < e->n_parts; i++) {
		e->names[i].pos = part[i].pos;
		if (!est_string(ps, &part[i], "an attribute", &e->names[i].s))
			return NULL;
		if (e->n_parts > 1 &&
		    (!is_identifier(e->names[i].s) || is_reserved(e->names[i].s)))
			return node_fail(ps, part[i].pos,
					 "in a chain of `has` each name is an identifier");
	}
	return e;
}

/* A pattern under construction: its text, and the length of each run in it. */
struct pattern_parts {
	VEC(char) text;
	VEC(uint32_t) length;
	uint32_t start; /* of the last run */
};

static bool pattern_part(struct parser *ps, const struct json *v, struct pattern_parts *p)
{
	const struct json *lit = json_get(v, "Literal");
	int r;

	if (v->kind == JSON_STRING && span_is(v->str, "Wildcard")) {
		r = vec_push(&p->length, p->text.n - p->start);
		p->start = p->text.n;
		return r == 0 || parser_no_memory(ps);
	}
	if (!lit || lit->kind != JSON_STRING || v->n != 1)
		return parser_fail(ps, v->pos,
				   "a pattern is made of \"Wildcard\" and {\"Literal\": \"...\"}");
	if (vec_reserve(&p->text, (uint32_t)lit->str.n) < 0)
		return parser_no_memory(ps);
	if (lit->str.n)
		memcpy(p->text.v + p->text.n, lit->str.p, lit->str.n);
	p->text.n += (uint32_t)lit->str.n;
	return true;
}

static bool pattern_of(struct parser *ps, const struct pattern_parts *p, struct pattern *ret)
{
	struct span *run = arena_array(ps->mem, p->length.n, sizeof(*run));
	const char *at = parser_keep(ps, p->text.v, p->text.n, 1);

	if (!run || !at)
		return parser_no_memory(ps);
	for (uint32_t i = 0; i < p->length.n; i++) {
		run[i] = (struct span){ at, p->length.v[i] };
		at += p->length.v[i];
	}
	*ret = (struct pattern){ run, p->length.n };
	return true;
}

static bool read_pattern(struct parser *ps, const struct json *v, struct pattern *ret)
{
	struct pattern_parts p = { 0 };
	bool ok = true;

	for (uint32_t i = 0; ok && i < v->n; i++)
		ok = pattern_part(ps, &v->kid[i], &p);
	if (ok && vec_push(&p.length, p.text.n - p.start) < 0)
		ok = parser_no_memory(ps);
	ok = ok && pattern_of(ps, &p, ret);
	free(p.text.v);
	free(p.length.v);
	return ok;
}

static struct ast *read_like(struct parser *ps, const struct json *of)
{
	static const char *const names[] = { "left", "pattern", NULL };
	struct ast *e = read_left(ps, AST_LIKE, of, names);
	const struct json *pattern = e ? est_member(ps, of, "pattern") : NULL;

	if (!pattern)
		return NULL;
	if (pattern->kind != JSON_ARRAY)
		return node_fail(ps, pattern->pos, "a pattern is an array");
	return read_pattern(ps, pattern, &e->pattern) ? e : NULL;
}

static struct ast *read_is(struct parser *ps, const struct json *of)
{
	static const char *const names[] = { "left", "entity_type", "in", NULL };
	struct ast *e = read_left(ps, AST_IS, of, names), *kid[2];
	const struct json *in = json_get(of, "in");

	if (!e || !est_type(ps, est_member(ps, of, "entity_type"), &e->str))
		return NULL;
	if (!in)
		return e;
	kid[0] = e->kid[0];
	kid[1] = est_read_expr(ps, in);
	return kid[1] ? node_with(ps, e, kid, 2) : NULL;
}

static struct ast *read_if(struct parser *ps, const struct json *of)
{
	static const char *const names[] = { "if", "then", "else", NULL };
	struct ast *kid[3];

	if (!est_members(ps, of, names))
		return NULL;
	for (unsigned i = 0; i < 3; i++) {
		const struct json *v = est_member(ps, of, names[i]);

		kid[i] = v ? est_read_expr(ps, v) : NULL;
		if (!kid[i])
			return NULL;
	}
	return node_with(ps, node_new(ps, AST_IF, of->pos), kid, 3);
}

static struct ast *read_call(struct parser *ps, enum ext_fn fn, const struct json *of)
{
	struct ast *e;

	if (of->kind != JSON_ARRAY)
		return node_fail(ps, of->pos, "the arguments of a function are an array");
	e = est_read_list(ps, AST_CALL, of, est_read_expr);
	if (!e)
		return NULL;
	e->fn = fn;
	return node_sealed(e);
}

static struct ast *read_set(struct parser *ps, const struct json *of)
{
	if (of->kind != JSON_ARRAY)
		return node_fail(ps, of->pos, "a set is an array");
	return node_sealed(est_read_list(ps, AST_SET, of, est_read_expr));
}

static struct ast *read_other(struct parser *ps, const struct json *v, const struct op *op)
{
	enum ext_fn fn;

	for (enum ast_kind kind = AST_EQ; kind <= AST_IN; kind++) {
		if (span_is(op->name, ast_operator(kind)))
			return read_relation(ps, kind, op->of);
	}
	if (span_is(op->name, "Value"))
		return est_read_value(ps, op->of);
	if (span_is(op->name, "Var"))
		return read_var(ps, op->of);
	if (span_is(op->name, "Set"))
		return read_set(ps, op->of);
	if (span_is(op->name, "Record"))
		return est_read_record(ps, op->of, est_read_expr);
	if (span_is(op->name, "!"))
		return read_unary(ps, AST_NOT, op->of);
	if (span_is(op->name, "neg"))
		return read_unary(ps, AST_NEG, op->of);
	if (span_is(op->name, "has"))
		return read_has(ps, op->of);
	if (span_is(op->name, "like"))
		return read_like(ps, op->of);
	if (span_is(op->name, "is"))
		return read_is(ps, op->of);
	if (span_is(op->name, "if-then-else"))
		return read_if(ps, op->of);
	if (span_is(op->name, "Slot"))
		return node_fail(ps, v->pos, "a slot can stand in the scope only");
	fn = ext_find(op->name);
	if (fn != EXT_FN_COUNT)
		return read_call(ps, fn, op->of);
	parser_fail(ps, v->pos, "there is no operator or function `%.*s`",
		    (int)(op->name.n > 60 ? 60 : op->name.n), op->name.p);
	return NULL;
}

struct ast *est_read_expr(struct parser *ps, const struct json *v)
{
	static const enum ast_kind chains[] = { AST_AND, AST_OR, AST_SUM, AST_PRODUCT };
	struct ast_step step;
	struct ast *e = NULL;
	bool chain = false;
	struct op op;

	if (!get_op(v, &op))
		return node_fail(ps, v->pos, "an expression is an object of one key: its operator");
	if (ps->depth == EST_DEPTH_MAX)
		return node_fail(ps, v->pos, "expressions are nested too deep");
	ps->depth++;
	for (size_t i = 0; !chain && i < ARRAY_SIZE(chains); i++) {
		chain = in_chain(&op, chains[i]);
		if (chain)
			e = read_chain(ps, v, chains[i]);
	}
	if (!chain)
		e = is_access(&op, &step) ? read_access(ps, v) : read_other(ps, v, &op);
	ps->depth--;
	return e;
}
