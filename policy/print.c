// SPDX-License-Identifier: Apache-2.0
/*
 * The printer. One walk over an expression serves two purposes: to write it, and, without a buffer, to
 * find out how deep its text nests. Chains are written in loops; with all parentheses each link but
 * the first opens one.
 */
#include "policy/print.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "policy/escape.h"
#include "policy/text.h"

#define UNARY_MAX 4 /* ! or - in a row, as the grammar has it */

/* What binds how tightly, as the grammar's levels. */
enum level {
	LEVEL_EXPR,
	LEVEL_OR,
	LEVEL_AND,
	LEVEL_RELATION,
	LEVEL_SUM,
	LEVEL_PRODUCT,
	LEVEL_UNARY,
	LEVEL_MEMBER,
};

static void expr(struct printer *pr, const struct ast *e);

void print_span(struct printer *pr, struct span s)
{
	if (pr->out && pr->r == 0)
		pr->r = buf_append(pr->out, s.p, s.n);
}

void print_str(struct printer *pr, const char *s)
{
	print_span(pr, span_of(s));
}

void print_quoted(struct printer *pr, struct span s)
{
	print_str(pr, "\"");
	if (pr->out && pr->r == 0)
		pr->r = escape_string(pr->out, s);
	print_str(pr, "\"");
}

static bool is_name(struct span s)
{
	return is_identifier(s) && !is_reserved(s);
}

static void put_name(struct printer *pr, struct span s)
{
	if (is_name(s))
		print_span(pr, s);
	else
		print_quoted(pr, s);
}

void print_uid(struct printer *pr, const struct cedar_uid *uid)
{
	print_span(pr, uid->type);
	print_str(pr, "::");
	print_quoted(pr, uid->id);
}

/* --- parentheses ------------------------------------------------------------------------------ */

static void enter(struct printer *pr, uint32_t levels)
{
	pr->depth += levels;
	if (pr->depth > pr->deepest)
		pr->deepest = pr->depth;
}

static void leave(struct printer *pr, uint32_t levels)
{
	pr->depth -= levels;
}

static void open_parens(struct printer *pr, uint32_t n)
{
	enter(pr, n);
	for (uint32_t i = 0; pr->out && pr->r == 0 && i < n; i++)
		print_str(pr, "(");
}

static void close_paren(struct printer *pr)
{
	print_str(pr, ")");
	leave(pr, 1);
}

void print_expr(struct printer *pr, const struct ast *e)
{
	enter(pr, 1);
	expr(pr, e);
	leave(pr, 1);
}

static enum level level_of(const struct ast *e)
{
	switch (e->kind) {
	case AST_IF:
		return LEVEL_EXPR;
	case AST_OR:
		return LEVEL_OR;
	case AST_AND:
		return LEVEL_AND;
	case AST_EQ ... AST_IS:
		return LEVEL_RELATION;
	case AST_SUM:
		return LEVEL_SUM;
	case AST_PRODUCT:
		return LEVEL_PRODUCT;
	case AST_NOT:
	case AST_NEG:
		return LEVEL_UNARY;
	case AST_LONG:
		return e->num < 0 ? LEVEL_UNARY : LEVEL_MEMBER;
	default:
		return LEVEL_MEMBER;
	}
}

/* With all parentheses, those of a negative number are written by itself, wherever it stands. */
static bool stands_alone(const struct ast *e)
{
	return e->kind <= AST_RECORD;
}

static void operand(struct printer *pr, const struct ast *e, enum level least)
{
	if (pr->full ? stands_alone(e) : level_of(e) >= least) {
		expr(pr, e);
		return;
	}
	open_parens(pr, 1);
	expr(pr, e);
	close_paren(pr);
}

/* --- expressions ------------------------------------------------------------------------------ */

static void number(struct printer *pr, int64_t v)
{
	bool parens = pr->full && v < 0;

	if (parens)
		open_parens(pr, 1);
	if (pr->out && pr->r == 0)
		pr->r = buf_printf(pr->out, "%" PRId64, v);
	if (parens)
		close_paren(pr);
}

static void list(struct printer *pr, struct ast *const *kid, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		if (i > 0)
			print_str(pr, ", ");
		print_expr(pr, kid[i]);
	}
}

/* Members in the order of their names, as the SDK keeps them; to measure, any order will do, and takes
 * no memory. */
static void record(struct printer *pr, const struct ast *e)
{
	uint32_t *order = NULL;

	if (pr->out && ast_sort_names(e->names, e->n, &order) < 0) {
		pr->r = -ENOMEM;
		return;
	}
	print_str(pr, "{");
	for (uint32_t i = 0; i < e->n; i++) {
		uint32_t k = order ? order[i] : i;

		if (i > 0)
			print_str(pr, ", ");
		put_name(pr, e->names[k].s);
		print_str(pr, ": ");
		print_expr(pr, e->kid[k]);
	}
	print_str(pr, "}");
	free(order);
}

static const char *chain_op(const struct ast *e, uint32_t i)
{
	switch (e->kind) {
	case AST_AND:
		return " && ";
	case AST_OR:
		return " || ";
	case AST_PRODUCT:
		return " * ";
	default:
		return e->places[i].minus ? " - " : " + ";
	}
}

static void chain(struct printer *pr, const struct ast *e)
{
	enum level least = level_of(e) + 1;

	if (pr->full)
		open_parens(pr, e->n - 2);
	operand(pr, e->kid[0], least);
	for (uint32_t i = 1; i < e->n; i++) {
		print_str(pr, chain_op(e, i));
		operand(pr, e->kid[i], least);
		if (pr->full && i + 1 < e->n)
			close_paren(pr);
	}
}

static void step(struct printer *pr, const struct ast_step *st)
{
	if (st->kind == AST_STEP_ATTR && !is_name(st->name)) {
		print_str(pr, "[");
		print_quoted(pr, st->name);
		print_str(pr, "]");
		return;
	}
	print_str(pr, ".");
	if (st->kind == AST_STEP_ATTR) {
		print_span(pr, st->name);
		return;
	}
	print_str(pr, st->kind == AST_STEP_METHOD ? ast_method_name(st->method)
						: ext_info(st->fn)->name);
	print_str(pr, "(");
	list(pr, st->arg, st->n);
	print_str(pr, ")");
}

static void member(struct printer *pr, const struct ast *e)
{
	if (pr->full)
		open_parens(pr, e->n_parts - 1);
	operand(pr, e->kid[0], LEVEL_MEMBER);
	for (uint32_t i = 0; i < e->n_parts; i++) {
		step(pr, &e->steps[i]);
		if (pr->full && i + 1 < e->n_parts)
			close_paren(pr);
	}
}

static void call(struct printer *pr, const struct ast *e)
{
	print_str(pr, ext_info(e->fn)->name);
	print_str(pr, "(");
	list(pr, e->kid, e->n);
	print_str(pr, ")");
}

/* A minus before a number would become the number's, so there parentheses must be. */
static void negation(struct printer *pr, const struct ast *e)
{
	const struct ast *of = e->kid[0];
	unsigned n = 1;

	print_str(pr, "-");
	if (!pr->full) {
		for (; n < UNARY_MAX && of->kind == AST_NEG; n++, of = of->kid[0])
			print_str(pr, "-");
		if (of->kind == AST_LONG && of->num < 0 && n < UNARY_MAX) {
			expr(pr, of);
			return;
		}
		if (of->kind != AST_LONG) {
			operand(pr, of, LEVEL_MEMBER);
			return;
		}
	}
	open_parens(pr, 1);
	expr(pr, of);
	close_paren(pr);
}

static void inversion(struct printer *pr, const struct ast *e)
{
	const struct ast *of = e->kid[0];

	print_str(pr, "!");
	for (unsigned n = 1; !pr->full && n < UNARY_MAX && of->kind == AST_NOT; n++) {
		print_str(pr, "!");
		of = of->kid[0];
	}
	operand(pr, of, LEVEL_MEMBER);
}

static void relation(struct printer *pr, const struct ast *e)
{
	operand(pr, e->kid[0], LEVEL_SUM);
	print_str(pr, " ");
	print_str(pr, ast_operator(e->kind));
	print_str(pr, " ");
	operand(pr, e->kid[1], LEVEL_SUM);
}

static void has(struct printer *pr, const struct ast *e)
{
	operand(pr, e->kid[0], LEVEL_SUM);
	print_str(pr, " has ");
	for (uint32_t i = 0; i < e->n_parts; i++) {
		if (i > 0)
			print_str(pr, ".");
		put_name(pr, e->names[i].s);
	}
}

static void like(struct printer *pr, const struct ast *e)
{
	operand(pr, e->kid[0], LEVEL_SUM);
	print_str(pr, " like \"");
	if (pr->out && pr->r == 0)
		pr->r = escape_pattern(pr->out, &e->pattern);
	print_str(pr, "\"");
}

static void is(struct printer *pr, const struct ast *e)
{
	operand(pr, e->kid[0], LEVEL_SUM);
	print_str(pr, " is ");
	print_span(pr, e->str);
	if (e->n == 2) {
		print_str(pr, " in ");
		operand(pr, e->kid[1], LEVEL_SUM);
	}
}

static void choice(struct printer *pr, const struct ast *e)
{
	static const char *const words[] = { "if ", " then ", " else " };

	for (unsigned i = 0; i < 3; i++) {
		print_str(pr, words[i]);
		enter(pr, 1);
		operand(pr, e->kid[i], LEVEL_EXPR);
		leave(pr, 1);
	}
}

static void literal(struct printer *pr, const struct ast *e)
{
	switch (e->kind) {
	case AST_BOOL:
		print_str(pr, e->num ? "true" : "false");
		break;
	case AST_LONG:
		number(pr, e->num);
		break;
	case AST_STRING:
		print_quoted(pr, e->str);
		break;
	case AST_ENTITY:
		print_uid(pr, &e->uid);
		break;
	default:
		print_str(pr, ast_var_name((enum ast_var)e->num));
	}
}

static void expr(struct printer *pr, const struct ast *e)
{
	if (pr->r < 0)
		return;
	switch (e->kind) {
	case AST_SET:
		print_str(pr, "[");
		list(pr, e->kid, e->n);
		print_str(pr, "]");
		break;
	case AST_RECORD:
		record(pr, e);
		break;
	case AST_CALL:
		call(pr, e);
		break;
	case AST_ACCESS:
		member(pr, e);
		break;
	case AST_NOT:
		inversion(pr, e);
		break;
	case AST_NEG:
		negation(pr, e);
		break;
	case AST_AND:
	case AST_OR:
	case AST_SUM:
	case AST_PRODUCT:
		chain(pr, e);
		break;
	case AST_HAS:
		has(pr, e);
		break;
	case AST_LIKE:
		like(pr, e);
		break;
	case AST_IS:
		is(pr, e);
		break;
	case AST_IF:
		choice(pr, e);
		break;
	case AST_EQ ... AST_IN:
		relation(pr, e);
		break;
	default:
		literal(pr, e);
	}
}

uint32_t print_nesting(const struct ast *e, bool full)
{
	struct printer pr = { .full = full };

	print_expr(&pr, e);
	return pr.deepest;
}
