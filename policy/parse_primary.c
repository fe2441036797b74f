// SPDX-License-Identifier: Apache-2.0
/* What operators join: literals, variables, sets, records, calls, and the accesses behind them. */
#include <string.h>

#include "policy/parse_node.h"

struct list_of_steps {
	struct ast_step *v;
	uint32_t n, cap;
};

/* --- primary ---------------------------------------------------------------------------------- */

/* A literal's value as it stands; -9223372036854775808 is a literal, so negative allows one
 * more. */
struct ast *parse_number(struct parser *ps, bool negative)
{
	struct ast *e = node_new(ps, AST_LONG, ps->tok.pos);
	uint64_t v = 0;

	for (size_t i = 0; i < ps->tok.text.n; i++) {
		if (__builtin_mul_overflow(v, 10, &v) ||
		    __builtin_add_overflow(v, (uint64_t)(ps->tok.text.p[i] - '0'), &v))
			v = UINT64_MAX;
	}
	if (v > (uint64_t)INT64_MAX + negative)
		return node_fail(ps, ps->tok.pos, "the number does not fit in 64 bits");
	if (!e)
		return NULL;
	e->num = negative ? (int64_t)(0 - v) : (int64_t)v;
	e->constant = true;
	parser_advance(ps);
	return e;
}

/* Expressions up to the closing token, which is taken; a comma may follow the last. */
static bool parse_list(struct parser *ps, enum token_kind close, const char *what, struct kids *k)
{
	while (ps->tok.kind != close) {
		if (!node_push(ps, k, parse_expr(ps)))
			return false;
		if (!parser_accept(ps, TOK_COMMA))
			break;
	}
	return parser_expect(ps, close, what);
}

static struct ast *parse_set(struct parser *ps)
{
	_cleanup_kids_ struct kids k = { 0 };
	struct ast *e = node_new(ps, AST_SET, ps->tok.pos);

	parser_advance(ps);
	if (!e || !parse_list(ps, TOK_RBRACKET, "`,` or `]`", &k))
		return NULL;
	return node_sealed(node_with(ps, e, k.v, k.n));
}

static bool parse_record_key(struct parser *ps, struct ast_name *ret)
{
	if (ps->tok.kind == TOK_STRING) {
		ret->pos = ps->tok.pos;
		return parse_string(ps, &ret->s);
	}
	return parse_identifier(ps, "an attribute name or `}`", ret);
}

static int by_name(const void *a, const void *b)
{
	const struct ast_name *x = a, *y = b;
	size_t n = x->s.n < y->s.n ? x->s.n : y->s.n;
	int c = n ? memcmp(x->s.p, y->s.p, n) : 0;

	if (c == 0)
		c = (x->s.n > y->s.n) - (x->s.n < y->s.n);
	return c ? c : (x->pos > y->pos) - (x->pos < y->pos);
}

/* Sorted, so that a record of many members is checked in reasonable time. */
static bool names_differ(struct parser *ps, const struct list_of_names *names)
{
	struct ast_name *sorted = malloc(names->n * sizeof(*sorted) + 1);
	bool ok = true;

	if (!sorted)
		return parser_no_memory(ps);
	if (names->n)
		memcpy(sorted, names->v, names->n * sizeof(*sorted));
	heap_sort(sorted, names->n, sizeof(*sorted), by_name);
	for (uint32_t i = 1; ok && i < names->n; i++) {
		if (span_eq(sorted[i - 1].s, sorted[i].s))
			ok = parser_fail(
				ps, sorted[i].pos, "the record has the attribute `%.*s` twice",
				(int)(sorted[i].s.n > 60 ? 60 : sorted[i].s.n), sorted[i].s.p);
	}
	free(sorted);
	return ok;
}

static bool parse_members(struct parser *ps, struct list_of_names *names, struct kids *k)
{
	while (ps->tok.kind != TOK_RBRACE) {
		struct ast_name key;

		if (!parse_record_key(ps, &key) || !parser_expect(ps, TOK_COLON, "`:`") ||
		    !node_push(ps, k, parse_expr(ps)))
			return false;
		if (vec_push(names, key) < 0)
			return parser_no_memory(ps);
		if (!parser_accept(ps, TOK_COMMA))
			break;
	}
	return parser_expect(ps, TOK_RBRACE, "`,` or `}`") && names_differ(ps, names);
}

static struct ast *parse_record(struct parser *ps)
{
	_cleanup_kids_ struct kids k = { 0 };
	struct list_of_names names = { 0 };
	struct ast *e = node_new(ps, AST_RECORD, ps->tok.pos);

	parser_advance(ps);
	if (e && !parse_members(ps, &names, &k))
		e = NULL;
	e = node_with(ps, e, k.v, k.n);
	if (e) {
		node_sealed(e);
		e->names = parser_keep(ps, names.v, names.n, sizeof(*names.v));
		e->n_parts = names.n;
		if (!e->names)
			e = NULL;
	}
	free(names.v);
	return e;
}

static struct ast *parse_call(struct parser *ps, struct span name, uint32_t pos)
{
	_cleanup_kids_ struct kids k = { 0 };
	struct ast *e = node_new(ps, AST_CALL, pos);
	enum ext_fn fn = ext_find(name);
	enum ast_method method;

	if (fn == EXT_FN_COUNT || ext_info(fn)->method) {
		bool is_method = fn != EXT_FN_COUNT || ast_method_find(name, &method);

		parser_fail(ps, pos,
			    is_method ? "`%.*s` is a method, not a function: write x.%.*s(...)"
				      : "`%.*s` is not a function",
			    (int)(name.n > 60 ? 60 : name.n), name.p,
			    (int)(name.n > 60 ? 60 : name.n), name.p);
		return NULL;
	}
	parser_advance(ps);
	if (!e || !parse_list(ps, TOK_RPAREN, "`,` or `)`", &k))
		return NULL;
	e->fn = fn;
	return node_sealed(node_with(ps, e, k.v, k.n));
}

static struct ast *parse_variable(struct parser *ps, struct ast_name name)
{
	struct ast *e = node_new(ps, AST_VAR, name.pos);
	enum ast_var var;

	if (!e)
		return NULL;
	if (ast_var_find(name.s, &var)) {
		e->num = var;
		return e;
	}
	parser_fail(ps, name.pos,
		    "`%.*s` is not a variable: there are principal, action, resource and context",
		    (int)(name.s.n > 60 ? 60 : name.s.n), name.s.p);
	return NULL;
}

/* What begins with an identifier: variable, entity literal, function call, true, false. */
static struct ast *parse_named(struct parser *ps)
{
	struct ast_name first = { ps->tok.text, ps->tok.pos };
	struct span name, id;
	bool entity;
	struct ast *e;

	if (span_is(first.s, "true") || span_is(first.s, "false")) {
		e = node_new(ps, AST_BOOL, first.pos);
		if (!e)
			return NULL;
		e->num = span_is(first.s, "true");
		e->constant = true;
		parser_advance(ps);
		if (ps->tok.kind == TOK_PATH)
			return node_fail(ps, first.pos, "`true` and `false` are reserved words");
		return e;
	}
	if (span_is(first.s, "if"))
		return node_fail(ps, first.pos, "`if` must stand in parentheses here");
	if (!parse_identifier(ps, "an expression", &first) ||
	    !parse_path(ps, first, &name, &entity, &id))
		return NULL;
	if (entity) {
		e = node_new(ps, AST_ENTITY, first.pos);
		if (!e)
			return NULL;
		e->uid = (struct cedar_uid){ name, id };
		e->constant = true;
		return e;
	}
	if (ps->tok.kind == TOK_LPAREN)
		return parse_call(ps, name, first.pos);
	return parse_variable(ps, (struct ast_name){ name, first.pos });
}

struct ast *parse_primary(struct parser *ps)
{
	struct ast *e;

	switch (ps->tok.kind) {
	case TOK_NUMBER:
		return parse_number(ps, false);
	case TOK_STRING:
		e = node_new(ps, AST_STRING, ps->tok.pos);
		if (!e || !parse_string(ps, &e->str))
			return NULL;
		e->constant = true;
		return e;
	case TOK_LPAREN:
		parser_advance(ps);
		e = parse_expr(ps);
		return e && parser_expect(ps, TOK_RPAREN, "an operator or `)`") ? e : NULL;
	case TOK_LBRACKET:
		return parse_set(ps);
	case TOK_LBRACE:
		return parse_record(ps);
	case TOK_IDENT:
		return parse_named(ps);
	case TOK_SLOT:
		return node_fail(ps, ps->tok.pos, "a slot can stand in the scope only");
	default:
		parser_unexpected(ps, "an expression");
		return NULL;
	}
}

/* --- member ----------------------------------------------------------------------------------- */

static bool parse_arguments(struct parser *ps, struct ast_step *s)
{
	_cleanup_kids_ struct kids k = { 0 };

	parser_advance(ps);
	if (!parse_list(ps, TOK_RPAREN, "`,` or `)`", &k))
		return false;
	s->n = k.n;
	s->arg = parser_keep(ps, k.v, k.n, sizeof(*k.v));
	return s->arg != NULL;
}

/* At the '(' behind a name. The arity of Cedar's own methods is grammar; that of extensions is
 * not. */
static bool parse_method(struct parser *ps, struct ast_step *s)
{
	int n = (int)(s->name.n > 60 ? 60 : s->name.n);
	unsigned arity;

	s->fn = ext_find(s->name);
	if (ast_method_find(s->name, &s->method)) {
		s->kind = AST_STEP_METHOD;
	} else if (s->fn != EXT_FN_COUNT && ext_info(s->fn)->method) {
		s->kind = AST_STEP_EXT;
	} else if (s->fn != EXT_FN_COUNT) {
		return parser_fail(ps, s->pos, "`%.*s` is a function, not a method", n, s->name.p);
	} else {
		return parser_fail(ps, s->pos, "`%.*s` is not a method", n, s->name.p);
	}
	if (!parse_arguments(ps, s))
		return false;
	arity = s->method == AST_IS_EMPTY ? 0 : 1;
	if (s->kind == AST_STEP_METHOD && s->n != arity)
		return parser_fail(ps, s->pos, "`%.*s` takes %u argument%s, not %u", n, s->name.p,
				   arity, arity == 1 ? "" : "s", s->n);
	return true;
}

static bool parse_step(struct parser *ps, struct ast_step *ret)
{
	struct ast_step s = { .kind = AST_STEP_ATTR };
	struct ast_name name;

	if (parser_accept(ps, TOK_LBRACKET)) {
		s.pos = ps->tok.pos;
		if (ps->tok.kind != TOK_STRING)
			return parser_unexpected(ps, "a string: the name of an attribute");
		if (!parse_string(ps, &s.name) || !parser_expect(ps, TOK_RBRACKET, "`]`"))
			return false;
	} else {
		parser_advance(ps);
		if (!parse_identifier(ps, "an attribute or method", &name))
			return false;
		s.name = name.s;
		s.pos = name.pos;
		if (ps->tok.kind == TOK_LPAREN && !parse_method(ps, &s))
			return false;
	}
	*ret = s;
	return true;
}

/* Behind a primary. */
struct ast *parse_steps(struct parser *ps, struct ast *base)
{
	struct list_of_steps steps = { 0 };
	struct ast *e = NULL;
	bool ok = true;

	if (!base || (ps->tok.kind != TOK_DOT && ps->tok.kind != TOK_LBRACKET))
		return base;
	while (ok && (ps->tok.kind == TOK_DOT || ps->tok.kind == TOK_LBRACKET)) {
		struct ast_step s;

		ok = parse_step(ps, &s);
		if (ok && vec_push(&steps, s) < 0)
			ok = parser_no_memory(ps);
	}
	if (ok)
		e = node_unary(ps, AST_ACCESS, base->pos, base);
	if (e) {
		e->n_parts = steps.n;
		e->steps = parser_keep(ps, steps.v, steps.n, sizeof(*steps.v));
		if (!e->steps)
			e = NULL;
	}
	free(steps.v);
	return e;
}
