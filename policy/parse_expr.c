// SPDX-License-Identifier: Apache-2.0
/*
 * Expressions, by recursive descent along the grammar's levels: if, ||, &&, relation, + -, *,
 * unary, member, primary. Chains are read in loops; only what nests recurses, and parse_expr()
 * counts it.
 */
#include "policy/parse_node.h"

#define UNARY_MAX 4 /* ! or - in a row, as Cedar has it */

struct list_of_places {
	struct ast_place *v;
	uint32_t n, cap;
};

static struct ast *parse_unary(struct parser *ps)
{
	enum token_kind kind = ps->tok.kind;
	uint32_t pos[UNARY_MAX];
	unsigned n = 0;
	struct ast *e;

	if (kind != TOK_NOT && kind != TOK_MINUS)
		return parse_steps(ps, parse_primary(ps));
	for (; ps->tok.kind == kind; n++) {
		if (n == UNARY_MAX)
			return node_fail(ps, ps->tok.pos,
					 kind == TOK_NOT ? "more than four `!` in a row"
							 : "more than four `-` in a row");
		pos[n] = ps->tok.pos;
		parser_advance(ps);
	}
	if (kind == TOK_MINUS && ps->tok.kind == TOK_NUMBER) {
		/* The last minus belongs to the number, unless something follows that binds
		 * closer. */
		struct lexer ahead = ps->lx;
		enum token_kind next = lexer_next(&ahead).kind;
		bool literal = next != TOK_DOT && next != TOK_LBRACKET;

		e = parse_steps(ps, parse_number(ps, literal));
		n -= literal;
	} else {
		e = parse_steps(ps, parse_primary(ps));
	}
	while (e && n-- > 0)
		e = node_unary(ps, kind == TOK_NOT ? AST_NOT : AST_NEG, pos[n], e);
	return e;
}

/* The two levels of arithmetic: operands joined by operators of the level. */
static struct ast *parse_chain(struct parser *ps, enum ast_kind kind,
			       struct ast *(*operand)(struct parser *))
{
	_cleanup_kids_ struct kids k = { 0 };
	struct list_of_places places = { 0 };
	struct ast *first = operand(ps), *e = NULL;
	enum token_kind plus = kind == AST_SUM ? TOK_PLUS : TOK_STAR;
	bool ok;

	if (!first || (ps->tok.kind != plus && !(kind == AST_SUM && ps->tok.kind == TOK_MINUS)))
		return first;
	ok = node_push(ps, &k, first) &&
	     (vec_push(&places, (struct ast_place){ 0 }) == 0 || parser_no_memory(ps));
	while (ok && (ps->tok.kind == plus || (kind == AST_SUM && ps->tok.kind == TOK_MINUS))) {
		struct ast_place at = { ps->tok.pos, ps->tok.kind == TOK_MINUS };

		parser_advance(ps);
		ok = node_push(ps, &k, operand(ps)) &&
		     (vec_push(&places, at) == 0 || parser_no_memory(ps));
	}
	if (ok)
		e = node_with(ps, node_new(ps, kind, places.v[1].pos), k.v, k.n);
	if (e) {
		e->places = parser_keep(ps, places.v, places.n, sizeof(*places.v));
		if (!e->places)
			e = NULL;
	}
	free(places.v);
	return e;
}

static struct ast *parse_product(struct parser *ps)
{
	struct ast *e = parse_chain(ps, AST_PRODUCT, parse_unary);

	if (e && (ps->tok.kind == TOK_SLASH || ps->tok.kind == TOK_PERCENT))
		return node_fail(ps, ps->tok.pos, "Cedar has no division and no remainder");
	return e;
}

static struct ast *parse_sum(struct parser *ps)
{
	return parse_chain(ps, AST_SUM, parse_product);
}

static struct ast *parse_has(struct parser *ps, struct ast *left, uint32_t pos)
{
	struct list_of_names names = { 0 };
	struct ast_name name = { .pos = ps->tok.pos };
	struct ast *e = node_unary(ps, AST_HAS, pos, left);
	bool ok = e != NULL;

	if (ok && ps->tok.kind == TOK_STRING) {
		ok = parse_string(ps, &name.s) &&
		     (vec_push(&names, name) == 0 || parser_no_memory(ps));
	} else if (ok) {
		do {
			ok = parse_identifier(ps, "an attribute name or a string", &name) &&
			     (vec_push(&names, name) == 0 || parser_no_memory(ps));
		} while (ok && parser_accept(ps, TOK_DOT));
	}
	if (ok) {
		e->n_parts = names.n;
		e->names = parser_keep(ps, names.v, names.n, sizeof(*names.v));
		ok = e->names != NULL;
	}
	free(names.v);
	return ok ? e : NULL;
}

static struct ast *parse_like(struct parser *ps, struct ast *left, uint32_t pos)
{
	struct ast *e = node_unary(ps, AST_LIKE, pos, left);

	if (ps->tok.kind != TOK_STRING) {
		parser_unexpected(ps, "a string: the pattern of `like`");
		return NULL;
	}
	return e && parse_pattern(ps, &e->pattern) ? e : NULL;
}

static struct ast *parse_is(struct parser *ps, struct ast *left, uint32_t pos)
{
	struct ast *right = NULL, *e;
	struct span type;

	if (!parse_type_name(ps, &type))
		return NULL;
	if (parser_at_word(ps, "in")) {
		parser_advance(ps);
		right = parse_sum(ps);
		if (!right)
			return NULL;
	}
	e = right ? node_binary(ps, AST_IS, pos, left, right) : node_unary(ps, AST_IS, pos, left);
	if (e)
		e->str = type;
	return e;
}

/* The relation at the current token; its kind, or AST_BOOL when there is none. */
static enum ast_kind relation_kind(const struct parser *ps)
{
	switch (ps->tok.kind) {
	case TOK_EQ:
		return AST_EQ;
	case TOK_NE:
		return AST_NE;
	case TOK_LT:
		return AST_LT;
	case TOK_LE:
		return AST_LE;
	case TOK_GT:
		return AST_GT;
	case TOK_GE:
		return AST_GE;
	case TOK_IDENT:
		return parser_at_word(ps, "in")     ? AST_IN
		       : parser_at_word(ps, "has")  ? AST_HAS
		       : parser_at_word(ps, "like") ? AST_LIKE
		       : parser_at_word(ps, "is")   ? AST_IS
						    : AST_BOOL;
	default:
		return AST_BOOL;
	}
}

static struct ast *parse_relation(struct parser *ps)
{
	struct ast *left = parse_sum(ps), *right;
	enum ast_kind kind = relation_kind(ps);
	uint32_t pos = ps->tok.pos;

	if (left && ps->tok.kind == TOK_ASSIGN)
		return node_fail(ps, pos, "`=` is no operator: write `==`");
	if (!left || kind == AST_BOOL)
		return left;
	parser_advance(ps);
	if (kind == AST_HAS) {
		left = parse_has(ps, left, pos);
	} else if (kind == AST_LIKE) {
		left = parse_like(ps, left, pos);
	} else if (kind == AST_IS) {
		left = parse_is(ps, left, pos);
	} else {
		right = parse_sum(ps);
		left = right ? node_binary(ps, kind, pos, left, right) : NULL;
	}
	if (left && relation_kind(ps) != AST_BOOL)
		return node_fail(
			ps, ps->tok.pos,
			"relations do not chain: use parentheses to say which comes first");
	return left;
}

static struct ast *parse_logic(struct parser *ps, enum ast_kind kind, enum token_kind op,
			       struct ast *(*operand)(struct parser *))
{
	_cleanup_kids_ struct kids k = { 0 };
	struct ast *first = operand(ps);
	uint32_t pos = ps->tok.pos;

	if (!first || ps->tok.kind != op)
		return first;
	if (!node_push(ps, &k, first))
		return NULL;
	while (parser_accept(ps, op)) {
		if (!node_push(ps, &k, operand(ps)))
			return NULL;
	}
	return node_with(ps, node_new(ps, kind, pos), k.v, k.n);
}

static struct ast *parse_and(struct parser *ps)
{
	return parse_logic(ps, AST_AND, TOK_AND, parse_relation);
}

static struct ast *parse_if(struct parser *ps)
{
	static const char *const words[] = { "if", "then", "else" };
	static const char *const expected[] = { "`if`", "an operator or `then`",
						"an operator or `else`" };
	uint32_t pos = ps->tok.pos;
	struct ast *kid[3];

	for (unsigned i = 0; i < 3; i++) {
		if (!parser_at_word(ps, words[i])) {
			parser_unexpected(ps, expected[i]);
			return NULL;
		}
		parser_advance(ps);
		kid[i] = parse_expr(ps);
		if (!kid[i])
			return NULL;
	}
	return node_with(ps, node_new(ps, AST_IF, pos), kid, 3);
}

struct ast *parse_expr(struct parser *ps)
{
	struct ast *e;

	if (ps->depth == CEDAR_NESTING_MAX) {
		parser_fail(ps, ps->tok.pos, "expressions are nested deeper than %d",
			    CEDAR_NESTING_MAX);
		return NULL;
	}
	ps->depth++;
	e = parser_at_word(ps, "if") ? parse_if(ps) : parse_logic(ps, AST_OR, TOK_OR, parse_and);
	ps->depth--;
	return e;
}
