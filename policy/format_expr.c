// SPDX-License-Identifier: Apache-2.0
/*
 * Documents of expressions. The text has been parsed, so each function takes what must be there and
 * checks nothing; recursion is as deep as the parser allowed. Where groups are, and where not, is the
 * layout of the formatter of Cedar's SDK.
 */
#include "policy/format.h"

static enum token_kind next_kind(const struct formatter *f)
{
	return format_peek(f)->kind;
}

static bool next_is(const struct formatter *f, const char *word)
{
	return next_kind(f) == TOK_IDENT && span_is(format_peek(f)->text, word);
}

static const struct doc *next(struct formatter *f)
{
	return format_next(f, NULL);
}

static const struct doc *space(struct formatter *f)
{
	return doc_text(&f->docs, SPAN(" "));
}

const struct doc *format_name(struct formatter *f)
{
	const struct doc *d = next(f);

	while (next_kind(f) == TOK_PATH) {
		d = doc_cat(&f->docs, d, next(f));
		d = doc_cat(&f->docs, d, next(f));
	}
	return d;
}

/* --- primary ---------------------------------------------------------------------------------- */

/* An element of a list that a comma follows, or the closing bracket. */
static const struct doc *elements(struct formatter *f, enum token_kind close,
				  const struct doc *(*element)(struct formatter *))
{
	const struct doc *d = NULL;

	while (next_kind(f) != close) {
		d = doc_cat(&f->docs, d, element(f));
		if (next_kind(f) == TOK_COMMA) {
			d = doc_cat(&f->docs, d, next(f));
			d = doc_cat(&f->docs, d, doc_line(&f->docs));
		}
	}
	return d;
}

static const struct doc *parenthesised(struct formatter *f)
{
	const struct doc *open = next(f), *e = doc_nest(&f->docs, 1, format_expr(f));

	return doc_group(&f->docs, doc_cats(&f->docs, open, e, next(f)));
}

/* Not a group: its lines break with those around it. One column in, elements stand under each
 * other. */
static const struct doc *set(struct formatter *f)
{
	const struct doc *open = next(f);
	const struct doc *in = doc_nest(&f->docs, 1, elements(f, TOK_RBRACKET, format_expr));

	return doc_cats(&f->docs, open, in, next(f));
}

static const struct doc *member_init(struct formatter *f)
{
	const struct doc *key = next(f), *colon = next(f);

	return doc_cats(&f->docs, key, colon, space(f), format_expr(f));
}

static const struct doc *record(struct formatter *f)
{
	const struct doc *open = next(f), *in = elements(f, TOK_RBRACE, member_init);

	if (in) {
		in = doc_nest(&f->docs, FORMAT_INDENT, doc_cat(&f->docs, doc_line(&f->docs), in));
		in = doc_group(&f->docs, doc_cat(&f->docs, in, doc_line(&f->docs)));
	}
	return doc_cats(&f->docs, open, in, next(f));
}

static const struct doc *primary(struct formatter *f)
{
	switch (next_kind(f)) {
	case TOK_LPAREN:
		return parenthesised(f);
	case TOK_LBRACKET:
		return set(f);
	case TOK_LBRACE:
		return record(f);
	case TOK_IDENT:
		return format_name(f);
	default:
		return next(f);
	}
}

/* --- member ----------------------------------------------------------------------------------- */

static const struct doc *arguments(struct formatter *f)
{
	const struct doc *open = next(f), *in = elements(f, TOK_RPAREN, format_expr);

	if (in) {
		in = doc_nest(&f->docs, FORMAT_INDENT,
			      doc_cat(&f->docs, doc_line_or_nothing(&f->docs), in));
		in = doc_cat(&f->docs, in, doc_line_or_nothing(&f->docs));
	}
	return doc_cats(&f->docs, open, in, next(f));
}

/* .name, ["name"] or (arguments); NULL when none follows. */
static const struct doc *step(struct formatter *f)
{
	const struct doc *open;

	switch (next_kind(f)) {
	case TOK_DOT:
		open = next(f);
		return doc_cat(&f->docs, open, next(f));
	case TOK_LBRACKET:
		open = next(f);
		open = doc_cat(&f->docs, open, format_expr(f));
		return doc_cat(&f->docs, open, next(f));
	case TOK_LPAREN:
		return arguments(f);
	default:
		return NULL;
	}
}

static const struct doc *member(struct formatter *f)
{
	const struct doc *of = primary(f), *steps = step(f), *s;

	for (s = steps ? step(f) : NULL; s; s = step(f))
		steps = doc_cats(&f->docs, steps, doc_line_or_nothing(&f->docs), s);
	return doc_group(&f->docs, doc_cat(&f->docs, of, doc_nest(&f->docs, FORMAT_INDENT, steps)));
}

/* --- operators -------------------------------------------------------------------------------- */

static const struct doc *unary(struct formatter *f)
{
	const struct doc *d = NULL;

	while (next_kind(f) == TOK_NOT || next_kind(f) == TOK_MINUS)
		d = doc_cat(&f->docs, d, next(f));
	return doc_cat(&f->docs, d, member(f));
}

static const struct doc *arithmetic(struct formatter *f, enum token_kind op, enum token_kind or_op,
				    const struct doc *(*operand)(struct formatter *))
{
	const struct doc *d = operand(f);

	while (next_kind(f) == op || next_kind(f) == or_op) {
		d = doc_cats(&f->docs, d, space(f), next(f), doc_line(&f->docs));
		d = doc_cat(&f->docs, d, operand(f));
	}
	return doc_group(&f->docs, d);
}

static const struct doc *product(struct formatter *f)
{
	return arithmetic(f, TOK_STAR, TOK_STAR, unary);
}

const struct doc *format_sum(struct formatter *f)
{
	return arithmetic(f, TOK_PLUS, TOK_MINUS, product);
}

/* `has` or `like`, on lines of their own when the whole is too long. */
static const struct doc *word_relation(struct formatter *f, const struct doc *left)
{
	const struct doc *d = doc_cats(&f->docs, left, doc_line(&f->docs), next(f),
				       doc_line(&f->docs));

	d = doc_cat(&f->docs, d, doc_nest(&f->docs, FORMAT_INDENT, format_sum(f)));
	return doc_group(&f->docs, d);
}

static const struct doc *is_relation(struct formatter *f, const struct doc *left)
{
	const struct doc *d = doc_cats(&f->docs, left, space(f), next(f), space(f));

	d = doc_cat(&f->docs, d, doc_nest(&f->docs, FORMAT_INDENT, format_name(f)));
	if (next_is(f, "in")) {
		d = doc_cats(&f->docs, d, doc_line(&f->docs), next(f), space(f));
		d = doc_cat(&f->docs, d, doc_nest(&f->docs, FORMAT_INDENT, format_sum(f)));
	}
	return doc_group(&f->docs, d);
}

static const struct doc *relation(struct formatter *f)
{
	const struct doc *d = format_sum(f);

	if (next_is(f, "has") || next_is(f, "like"))
		return word_relation(f, d);
	if (next_is(f, "is"))
		return is_relation(f, d);
	if (!next_is(f, "in") && !(next_kind(f) >= TOK_EQ && next_kind(f) <= TOK_GE))
		return d;
	d = doc_cats(&f->docs, d, space(f), next(f), space(f));
	return doc_cat(&f->docs, d, format_sum(f));
}

/* Each operand on a line of its own, the operators at the ends. */
static const struct doc *logic(struct formatter *f, enum token_kind op,
			       const struct doc *(*operand)(struct formatter *))
{
	const struct doc *d = operand(f);

	while (next_kind(f) == op) {
		d = doc_cats(&f->docs, d, space(f), format_next(f, doc_line(&f->docs)));
		d = doc_cat(&f->docs, d, operand(f));
	}
	return d;
}

static const struct doc *conjunction(struct formatter *f)
{
	return logic(f, TOK_AND, relation);
}

static const struct doc *choice(struct formatter *f)
{
	const struct doc *d = NULL;

	for (unsigned i = 0; i < 3; i++) {
		const struct doc *word = next(f), *e = format_expr(f);

		e = doc_nest(&f->docs, FORMAT_INDENT, doc_cat(&f->docs, doc_line(&f->docs), e));
		d = doc_cats(&f->docs, d, i ? doc_line(&f->docs) : NULL, word, e);
	}
	return doc_group(&f->docs, d);
}

const struct doc *format_expr(struct formatter *f)
{
	return next_is(f, "if") ? choice(f) : logic(f, TOK_OR, conjunction);
}
