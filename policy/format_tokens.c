// SPDX-License-Identifier: Apache-2.0
/*
 * Tokens with their comments. A comment behind a token on the same line is that token's; those on
 * lines between two tokens are the second's. The comma before a closing bracket is dropped, and its
 * comments go to the bracket.
 */
#include <errno.h>

#include "policy/format.h"
#include "policy/text.h"

/* Without white space at the end. */
static struct span trim_end(struct span s)
{
	while (s.n > 0) {
		size_t n = 1;
		uint32_t c;

		while (n < s.n && ((unsigned char)s.p[s.n - n] & 0xc0) == 0x80)
			n++;
		if (utf8_decode(s.p + s.n - n, s.p + s.n, &c) != n || !char_is_space(c))
			break;
		s.n -= n;
	}
	return s;
}

/* The next comment in what lies between two tokens; empty when there is none. */
static struct span take_comment(struct span *gap)
{
	const char *p = gap->n ? memmem(gap->p, gap->n, "//", 2) : NULL, *end = gap->p + gap->n, *q;

	if (!p)
		return (struct span){ 0 };
	for (q = p; q < end && *q != '\n' && *q != '\r'; q++)
		;
	*gap = (struct span){ q, (size_t)(end - q) };
	return trim_end((struct span){ p, (size_t)(q - p) });
}

static bool closes(enum token_kind kind)
{
	return kind == TOK_RPAREN || kind == TOK_RBRACKET || kind == TOK_RBRACE;
}

static int push_comments(struct formatter *f, struct span gap, uint32_t *ret_n)
{
	struct span c;
	int r = 0;

	for (c = take_comment(&gap); r == 0 && c.n; c = take_comment(&gap)) {
		r = vec_push(&f->comments, c);
		++*ret_n;
	}
	return r;
}

/* The comments between the last token and t, of which gap is the space. */
static int attach(struct formatter *f, struct span gap, struct format_token *t)
{
	struct format_token *last = f->tokens.n ? &f->tokens.v[f->tokens.n - 1] : NULL;
	const char *eol = gap.n ? memchr(gap.p, '\n', gap.n) : NULL;
	struct span line = { gap.p, eol ? (size_t)(eol - gap.p) : gap.n };

	t->lead = f->comments.n;
	if (last) {
		last->trail = take_comment(&line);
		if (last->trail.n)
			gap = (struct span){ line.p, (size_t)(gap.p + gap.n - line.p) };
	}
	if (last && last->kind == TOK_COMMA && closes(t->kind)) {
		t->lead = last->lead;
		t->n_lead = last->n_lead;
		if (last->trail.n) {
			if (vec_push(&f->comments, last->trail) < 0)
				return -ENOMEM;
			t->n_lead++;
		}
		f->tokens.n--;
	}
	return push_comments(f, gap, &t->n_lead);
}

int format_tokens(struct formatter *f, struct span text)
{
	const char *behind;
	struct lexer lx;
	int r = 0;

	lexer_init(&lx, text);
	text = lx.text;
	behind = text.p;
	for (;;) {
		struct token tok = lexer_next(&lx);
		struct format_token t = { .kind = tok.kind, .text = tok.text };
		const char *start = tok.kind == TOK_END ? text.p + text.n : tok.text.p;

		r = attach(f, (struct span){ behind, (size_t)(start - behind) }, &t);
		if (r == 0)
			r = vec_push(&f->tokens, t);
		if (r < 0 || tok.kind == TOK_END)
			return r;
		behind = tok.text.p + tok.text.n;
	}
}
