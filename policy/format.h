/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_POLICY_FORMAT_H
#define TOLLGATE_POLICY_FORMAT_H

#include "policy/doc.h"
#include "policy/lex.h"

/*
 * The formatter works on the tokens of a text that parses, each with the comments around it, so that
 * nothing but white space (and commas before closing brackets) can get lost. format_tokens.c makes
 * the tokens, format_expr.c and format_policy.c documents of them, format.c the text.
 */

#define FORMAT_INDENT 2

struct format_token {
	enum token_kind kind;
	uint32_t lead, n_lead; /* comments on lines of their own before it, in comments; taken: 0 */
	struct span text;
	struct span trail; /* the comment behind it on its line; taken: empty */
};

struct formatter {
	struct docs docs;
	VEC(struct format_token) tokens;
	VEC(struct span) comments;
	uint32_t at; /* the token that comes next; the last is of TOK_END */
};

/* Fills tokens and comments. 0 or -ENOMEM. */
int format_tokens(struct formatter *f, struct span text);

static inline const struct format_token *format_peek(const struct formatter *f)
{
	return &f->tokens.v[f->at];
}

/* Parts of documents. Comments are taken when they are put somewhere, so each is put once. */
const struct doc *format_lead(struct formatter *f, uint32_t token);
/* The comment behind a token and a line end; otherwise is what follows when there is none. */
const struct doc *format_trail(struct formatter *f, uint32_t token, const struct doc *otherwise);
/* The next token, which is taken, with its comments. */
const struct doc *format_next(struct formatter *f, const struct doc *otherwise);

/* format_expr.c: from the next token. */
const struct doc *format_expr(struct formatter *f);
const struct doc *format_sum(struct formatter *f);
/* Identifiers joined by "::", and maybe a string at the end. */
const struct doc *format_name(struct formatter *f);

/* format_policy.c */
const struct doc *format_policy(struct formatter *f);

#endif
