// SPDX-License-Identifier: Apache-2.0
/* Documents of policies: annotations, scope, conditions. Like format_expr.c, of a text that parses. */
#include "policy/format.h"

/* --- tokens ----------------------------------------------------------------------------------- */

static const struct doc *comment_lines(struct formatter *f, const struct format_token *t)
{
	const struct doc *d = doc_hard_line(&f->docs);

	for (uint32_t i = 0; i < t->n_lead; i++)
		d = doc_cats(&f->docs, d, doc_text(&f->docs, f->comments.v[t->lead + i]),
			     doc_hard_line(&f->docs));
	return d;
}

const struct doc *format_lead(struct formatter *f, uint32_t token)
{
	struct format_token *t = &f->tokens.v[token];
	const struct doc *d = t->n_lead ? comment_lines(f, t) : NULL;

	t->n_lead = 0;
	return d;
}

const struct doc *format_trail(struct formatter *f, uint32_t token, const struct doc *otherwise)
{
	struct format_token *t = &f->tokens.v[token];
	const struct doc *d = otherwise;

	if (t->trail.n)
		d = doc_cats(&f->docs, doc_text(&f->docs, SPAN(" ")), doc_text(&f->docs, t->trail),
			     doc_hard_line(&f->docs));
	t->trail.n = 0;
	return d;
}

/* Numbers are written without zeros before them. */
static struct span token_text(const struct format_token *t)
{
	struct span s = t->text;

	while (t->kind == TOK_NUMBER && s.n > 1 && s.p[0] == '0')
		s = (struct span){ s.p + 1, s.n - 1 };
	return s;
}

const struct doc *format_next(struct formatter *f, const struct doc *otherwise)
{
	uint32_t token = f->at++;
	const struct doc *lead = format_lead(f, token);
	const struct doc *text = doc_text(&f->docs, token_text(&f->tokens.v[token]));

	return doc_cats(&f->docs, lead, text, format_trail(f, token, otherwise));
}

/* --- annotations ------------------------------------------------------------------------------ */

static const struct doc *annotation(struct formatter *f)
{
	const struct doc *d = format_next(f, NULL);

	d = doc_cat(&f->docs, d, format_next(f, NULL));
	if (format_peek(f)->kind != TOK_LPAREN)
		return doc_cat(&f->docs, d, doc_hard_line(&f->docs));
	d = doc_cat(&f->docs, d, format_next(f, NULL));
	d = doc_cat(&f->docs, d, format_next(f, NULL));
	return doc_cat(&f->docs, d, format_next(f, doc_hard_line(&f->docs)));
}

/* --- scope ------------------------------------------------------------------------------------ */

static bool at_word(const struct formatter *f, const char *word)
{
	return format_peek(f)->kind == TOK_IDENT && span_is(format_peek(f)->text, word);
}

static const struct doc *scope_is(struct formatter *f)
{
	const struct doc *is = doc_cat(&f->docs, doc_line(&f->docs), format_next(f, NULL));
	const struct doc *type = doc_cat(&f->docs, doc_line(&f->docs), format_name(f));

	is = doc_cat(&f->docs, doc_group(&f->docs, is), type);
	return doc_group(&f->docs, doc_nest(&f->docs, FORMAT_INDENT, is));
}

/* Sets *plain to false when more than the variable stands there. */
static const struct doc *scope_part(struct formatter *f, bool *plain)
{
	const struct doc *lead = format_lead(f, f->at), *d = format_next(f, NULL), *of;

	if (at_word(f, "is")) {
		d = doc_cat(&f->docs, d, scope_is(f));
		*plain = false;
	}
	if (format_peek(f)->kind != TOK_EQ && !at_word(f, "in"))
		return doc_cat(&f->docs, lead, d);
	*plain = false;
	d = doc_cats(&f->docs, d, doc_line(&f->docs), format_next(f, NULL));
	of = doc_nest(&f->docs, FORMAT_INDENT,
		      doc_cat(&f->docs, doc_line(&f->docs), format_sum(f)));
	d = doc_group(&f->docs, doc_cat(&f->docs, doc_group(&f->docs, d), of));
	return doc_cat(&f->docs, lead, d);
}

/* Up to the closing parenthesis. Plain variables stand on one line, others each on its own. */
static const struct doc *scope(struct formatter *f)
{
	const struct doc *part[3], *comma[2][2], *d;
	bool plain = true;

	for (unsigned i = 0; i < 3; i++) {
		part[i] = scope_part(f, &plain);
		if (i == 2)
			break;
		comma[i][0] = format_lead(f, f->at);
		comma[i][0] = doc_cat(&f->docs, comma[i][0], doc_text(&f->docs, SPAN(",")));
		comma[i][1] = format_trail(f, f->at++, NULL);
	}
	d = plain ? NULL : doc_hard_line(&f->docs);
	for (unsigned i = 0; i < 3; i++) {
		d = doc_cat(&f->docs, d, part[i]);
		if (i == 2)
			break;
		d = doc_cat(&f->docs, d, comma[i][0]);
		if (comma[i][1])
			d = doc_cat(&f->docs, d, comma[i][1]);
		else
			d = doc_cat(&f->docs, d,
				    plain ? doc_text(&f->docs, SPAN(" "))
					  : doc_hard_line(&f->docs));
	}
	d = doc_nest(&f->docs, FORMAT_INDENT, d);
	return plain ? doc_group(&f->docs, d)
		     : doc_cat(&f->docs, d, doc_hard_line(&f->docs));
}

/* --- conditions ------------------------------------------------------------------------------- */

static const struct doc *condition(struct formatter *f)
{
	uint32_t word = f->at, brace = f->at + 1, first = f->at + 2;
	const struct doc *lead = format_lead(f, word), *in, *d;

	d = doc_cats(&f->docs, doc_text(&f->docs, f->tokens.v[word].text),
		     format_trail(f, word, doc_line(&f->docs)), format_lead(f, brace),
		     doc_text(&f->docs, f->tokens.v[brace].text));
	in = format_trail(f, brace, doc_line(&f->docs));
	in = doc_cat(&f->docs, in, format_lead(f, first));
	f->at = first;
	in = doc_cat(&f->docs, in, doc_group(&f->docs, format_expr(f)));
	in = doc_nest(&f->docs, FORMAT_INDENT, in);
	in = doc_cats(&f->docs, in, doc_line(&f->docs), format_next(f, NULL));
	d = doc_group(&f->docs, doc_cat(&f->docs, d, doc_group(&f->docs, in)));
	return doc_cat(&f->docs, lead, d);
}

static const struct doc *conditions(struct formatter *f)
{
	const struct doc *d = NULL;

	while (format_peek(f)->kind == TOK_IDENT) {
		if (d)
			d = doc_cat(&f->docs, d, doc_hard_line(&f->docs));
		d = doc_cat(&f->docs, d, condition(f));
	}
	return d;
}

const struct doc *format_policy(struct formatter *f)
{
	const struct doc *d = NULL, *head, *paren, *conds;
	uint32_t close;

	while (format_peek(f)->kind == TOK_AT)
		d = doc_cat(&f->docs, d, annotation(f));
	d = doc_cat(&f->docs, d, format_lead(f, f->at));
	head = doc_cat(&f->docs, format_next(f, NULL), doc_line(&f->docs));
	head = doc_cat(&f->docs, head, format_next(f, NULL));
	d = doc_cat(&f->docs, d, doc_group(&f->docs, head));
	d = doc_cat(&f->docs, d, scope(f));
	close = f->at++;
	paren = doc_cats(&f->docs, format_lead(f, close),
			 doc_text(&f->docs, f->tokens.v[close].text));
	paren = doc_cat(&f->docs, paren,
			format_trail(f, close,
				     format_peek(f)->kind == TOK_IDENT ? doc_hard_line(&f->docs)
								       : NULL));
	conds = conditions(f);
	return doc_cats(&f->docs, d, paren, conds, format_next(f, NULL));
}
