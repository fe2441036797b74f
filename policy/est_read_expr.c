// SPDX-License-Identifier: Apache-2.0
/* Expressions from JSON. Only what really nests recurses, up to EST_DEPTH_MAX. */
#include <stdlib.h>
#include <string.h>

#include "policy/est.h"
#include "policy/parse_node.h"
#include "policy/text.h"

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

	if (!est_two(ps, of, &left, &right))
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

static struct ast *read_other(struct parser *ps, const struct json *v, const struct est_op *op)
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
	struct est_op op;

	if (!est_get_op(v, &op))
		return node_fail(ps, v->pos, "an expression is an object of one key: its operator");
	if (ps->depth == EST_DEPTH_MAX)
		return node_fail(ps, v->pos, "expressions are nested too deep");
	ps->depth++;
	for (size_t i = 0; !chain && i < ARRAY_SIZE(chains); i++) {
		chain = est_in_chain(&op, chains[i]);
		if (chain)
			e = est_read_chain(ps, v, chains[i]);
	}
	if (!chain)
		e = est_is_access(&op, &step) ? est_read_access(ps, v) : read_other(ps, v, &op);
	ps->depth--;
	return e;
}
