// SPDX-License-Identifier: Apache-2.0
/*
 * Policies: annotations, effect, scope, conditions. After an error the parser goes on behind the
 * next semicolon, which no policy holds inside, so one run finds the errors of several policies.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/parser.h"
#include "policy/policies.h"

#define QUOTED_MAX 40 /* bytes of a token shown in a message */

/* --- shared with the other parts -------------------------------------------------------------- */

void parser_advance(struct parser *ps)
{
	ps->tok = lexer_next(&ps->lx);
}

bool parser_accept(struct parser *ps, enum token_kind kind)
{
	if (ps->tok.kind != kind)
		return false;
	parser_advance(ps);
	return true;
}

bool parser_fail(struct parser *ps, uint32_t pos, const char *fmt, ...)
{
	char message[CEDAR_MESSAGE_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(message, sizeof(message), fmt, ap);
	va_end(ap);
	error_add(ps->errors, &ps->lx.text, pos, "%s", message);
	return false;
}

bool parser_unexpected(struct parser *ps, const char *expected)
{
	struct token t = ps->tok;
	size_t n = t.text.n > QUOTED_MAX ? QUOTED_MAX : t.text.n;

	while (n < t.text.n && n > 0 && ((unsigned char)t.text.p[n] & 0xc0) == 0x80)
		n--;
	if (t.kind == TOK_BAD)
		return parser_fail(ps, t.pos, "%s", ps->lx.error);
	if (t.kind == TOK_END)
		return parser_fail(ps, t.pos, "unexpected end of the text, expected %s", expected);
	return parser_fail(ps, t.pos, "unexpected `%.*s`%s, expected %s", (int)n, t.text.p,
			   n < t.text.n ? "..." : "", expected);
}

bool parser_expect(struct parser *ps, enum token_kind kind, const char *what)
{
	return parser_accept(ps, kind) || parser_unexpected(ps, what);
}

bool parser_no_memory(struct parser *ps)
{
	ps->r = -ENOMEM;
	return false;
}

void *parser_keep(struct parser *ps, const void *v, uint32_t n, size_t size)
{
	void *p = arena_array(ps->mem, n, size);

	if (!p)
		parser_no_memory(ps);
	else if (n)
		memcpy(p, v, n * size);
	return p;
}

/* --- annotations ------------------------------------------------------------------------------ */

/* Behind the '@'. Any identifier may be a key, reserved words too. */
static bool parse_annotation(struct parser *ps, struct ast_annotation *ret)
{
	struct ast_annotation a = { 0 };

	if (ps->tok.kind != TOK_IDENT)
		return parser_unexpected(ps, "the name of an annotation");
	a.key = ps->tok.text;
	parser_advance(ps);
	if (parser_accept(ps, TOK_LPAREN)) {
		if (ps->tok.kind != TOK_STRING)
			return parser_unexpected(ps, "a string");
		if (!parse_string(ps, &a.value) || !parser_expect(ps, TOK_RPAREN, "`)`"))
			return false;
	}
	*ret = a;
	return true;
}

static int by_key(const void *a, const void *b)
{
	const struct ast_annotation *x = *(struct ast_annotation *const *)a,
				    *y = *(struct ast_annotation *const *)b;
	size_t n = x->key.n < y->key.n ? x->key.n : y->key.n;
	int c = memcmp(x->key.p, y->key.p, n);

	if (c == 0)
		c = (x->key.n > y->key.n) - (x->key.n < y->key.n);
	return c ? c : (x->key.p > y->key.p) - (x->key.p < y->key.p);
}

/* Sorted, so that a policy of many annotations is checked in reasonable time. */
static bool keys_differ(struct parser *ps, struct ast_annotation *v, uint32_t n)
{
	struct ast_annotation **sorted = malloc(n * sizeof(*sorted) + 1);
	bool ok = true;

	if (!sorted)
		return parser_no_memory(ps);
	for (uint32_t i = 0; i < n; i++)
		sorted[i] = &v[i];
	heap_sort(sorted, n, sizeof(*sorted), by_key);
	for (uint32_t i = 1; ok && i < n; i++) {
		struct span key = sorted[i]->key;

		if (span_eq(sorted[i - 1]->key, key))
			ok = parser_fail(ps, (uint32_t)(key.p - ps->lx.text.p),
					 "the annotation @%.*s is given twice",
					 (int)(key.n > QUOTED_MAX ? QUOTED_MAX : key.n), key.p);
	}
	free(sorted);
	return ok;
}

static bool parse_annotations(struct parser *ps, struct ast_policy *p)
{
	VEC(struct ast_annotation) list = { 0 };
	bool ok = true;

	while (ok && parser_accept(ps, TOK_AT)) {
		struct ast_annotation a;

		ok = parse_annotation(ps, &a);
		if (ok && vec_push(&list, a) < 0)
			ok = parser_no_memory(ps);
	}
	ok = ok && keys_differ(ps, list.v, list.n);
	if (ok) {
		p->annotations = parser_keep(ps, list.v, list.n, sizeof(*list.v));
		p->n_annotations = list.n;
		ok = p->annotations != NULL;
	}
	free(list.v);
	return ok;
}

/* --- scope ------------------------------------------------------------------------------------ */

/* The word that a scope must go on with, and a comma before all but the first. */
static bool parse_scope_word(struct parser *ps, const char *word)
{
	if (ps->tok.kind == TOK_RPAREN)
		return parser_fail(ps, ps->tok.pos,
				   "the scope lacks `%s`: it is (principal, action, resource)",
				   word);
	if (!parser_at_word(ps, word)) {
		char what[32];

		snprintf(what, sizeof(what), "`%s`", word);
		return parser_unexpected(ps, what);
	}
	parser_advance(ps);
	if (ps->tok.kind == TOK_COLON)
		return parser_fail(ps, ps->tok.pos, "a type is tested with `is`, not with `:`");
	return true;
}

static bool parse_entity_scope(struct parser *ps, const char *word, struct ast_scope *ret)
{
	struct ast_scope s = { .pos = ps->tok.pos };

	if (!parse_scope_word(ps, word))
		return false;
	if (parser_at_word(ps, "is")) {
		s.op = AST_SCOPE_IS;
		parser_advance(ps);
		if (!parse_type_name(ps, &s.type))
			return false;
		if (ps->tok.kind == TOK_EQ)
			return parser_fail(ps, ps->tok.pos, "`is` cannot stand together with `==`");
	}
	if (s.op == AST_ANY && parser_accept(ps, TOK_EQ)) {
		s.op = AST_SCOPE_EQ;
	} else if (parser_at_word(ps, "in")) {
		s.op = s.op == AST_SCOPE_IS ? AST_SCOPE_IS_IN : AST_SCOPE_IN;
		parser_advance(ps);
	}
	if (s.op != AST_ANY && s.op != AST_SCOPE_IS &&
	    !parse_entity_or_slot(ps, word, &s.uid, &s.slot))
		return false;
	if (s.op == AST_SCOPE_IN && parser_at_word(ps, "is"))
		return parser_fail(ps, ps->tok.pos,
				   "with `is` and `in` together, `is` must come first");
	*ret = s;
	return true;
}

static bool parse_action_ref(struct parser *ps, struct cedar_uid *ret)
{
	uint32_t pos = ps->tok.pos;

	if (!parse_entity_ref(ps, "an action", ret))
		return false;
	if (!type_is_action(ret->type))
		return parser_fail(
			ps, pos,
			"expected an action such as Action::\"id\": its type must be `Action`");
	return true;
}

/* Behind "in": one action or [A, B, ...], either in parentheses. */
static bool parse_action_list(struct parser *ps, struct ast_scope *s)
{
	VEC(struct cedar_uid) list = { 0 };
	bool ok = true;

	while (ok && ps->tok.kind != TOK_RBRACKET) {
		struct cedar_uid uid;

		ok = parse_action_ref(ps, &uid);
		if (ok && vec_push(&list, uid) < 0)
			ok = parser_no_memory(ps);
		if (ok && !parser_accept(ps, TOK_COMMA))
			break;
	}
	ok = ok && parser_expect(ps, TOK_RBRACKET, "`,` or `]`");
	if (ok) {
		s->list = true;
		s->n = list.n;
		s->uids = parser_keep(ps, list.v, list.n, sizeof(*list.v));
		ok = s->uids != NULL;
	}
	free(list.v);
	return ok;
}

static bool parse_action_scope(struct parser *ps, struct ast_scope *ret)
{
	struct ast_scope s = { .pos = ps->tok.pos };
	unsigned parens = 0;
	bool ok;

	if (!parse_scope_word(ps, "action"))
		return false;
	if (parser_at_word(ps, "is"))
		return parser_fail(ps, ps->tok.pos, "`is` cannot stand in the scope of the action");
	if (parser_accept(ps, TOK_EQ)) {
		s.op = AST_SCOPE_EQ;
		if (ps->tok.kind == TOK_LBRACKET)
			return parser_fail(ps, ps->tok.pos,
					   "`==` takes one action: write `in` before a list");
		ok = parse_action_ref(ps, &s.uid);
	} else if (parser_at_word(ps, "in")) {
		s.op = AST_SCOPE_IN;
		parser_advance(ps);
		for (; parens < CEDAR_NESTING_MAX && parser_accept(ps, TOK_LPAREN); parens++)
			;
		ok = parser_accept(ps, TOK_LBRACKET) ? parse_action_list(ps, &s)
						     : parse_action_ref(ps, &s.uid);
		for (; ok && parens > 0; parens--)
			ok = parser_expect(ps, TOK_RPAREN, "`)`");
	} else {
		ok = true;
	}
	if (ok)
		*ret = s;
	return ok;
}

static bool parse_scope(struct parser *ps, struct ast_policy *p)
{
	if (!parser_expect(ps, TOK_LPAREN, "`(`") ||
	    !parse_entity_scope(ps, "principal", &p->principal))
		return false;
	if (ps->tok.kind != TOK_RPAREN && !parser_expect(ps, TOK_COMMA, "`,`"))
		return false;
	if (!parse_action_scope(ps, &p->action))
		return false;
	if (ps->tok.kind != TOK_RPAREN && !parser_expect(ps, TOK_COMMA, "`,`"))
		return false;
	if (!parse_entity_scope(ps, "resource", &p->resource))
		return false;
	if (parser_accept(ps, TOK_COMMA) && ps->tok.kind != TOK_RPAREN)
		return parser_fail(
			ps, ps->tok.pos,
			"the scope has an extra element: it is (principal, action, resource)");
	return parser_expect(ps, TOK_RPAREN, "`)`");
}

/* --- policies --------------------------------------------------------------------------------- */

static bool parse_conditions(struct parser *ps, struct ast_policy *p)
{
	VEC(struct ast_condition) list = { 0 };
	bool ok = true;

	while (ok && (parser_at_word(ps, "when") || parser_at_word(ps, "unless"))) {
		struct ast_condition c = { .unless = parser_at_word(ps, "unless") };

		parser_advance(ps);
		ok = parser_expect(ps, TOK_LBRACE, "`{`");
		if (ok && ps->tok.kind == TOK_RBRACE)
			ok = parser_fail(ps, ps->tok.pos, "the condition is empty");
		c.e = ok ? parse_expr(ps) : NULL;
		ok = c.e && parser_expect(ps, TOK_RBRACE, "an operator or `}`");
		if (ok && vec_push(&list, c) < 0)
			ok = parser_no_memory(ps);
	}
	if (ok) {
		p->conditions = parser_keep(ps, list.v, list.n, sizeof(*list.v));
		p->n_conditions = list.n;
		ok = p->conditions != NULL;
	}
	free(list.v);
	return ok;
}

static bool parse_policy(struct parser *ps, struct ast_policy *ret)
{
	struct ast_policy p = { .pos = ps->tok.pos };

	if (!parse_annotations(ps, &p))
		return false;
	if (parser_at_word(ps, "permit"))
		p.effect = CEDAR_PERMIT;
	else if (parser_at_word(ps, "forbid"))
		p.effect = CEDAR_FORBID;
	else
		return parser_unexpected(ps, "`permit` or `forbid`");
	parser_advance(ps);
	if (!parse_scope(ps, &p) || !parse_conditions(ps, &p) ||
	    !parser_expect(ps, TOK_SEMICOLON,
			   p.n_conditions ? "`when`, `unless` or `;`"
					  : "`when`, `unless` or `;` after the scope"))
		return false;
	*ret = p;
	return true;
}

static void skip_policy(struct parser *ps)
{
	while (ps->tok.kind != TOK_END && ps->tok.kind != TOK_SEMICOLON)
		parser_advance(ps);
	parser_accept(ps, TOK_SEMICOLON);
}

int parse_policies(struct cedar_policies *set, bool templates, struct cedar_errors *errors)
{
	struct span text = set->texts.v[set->texts.n - 1].text;
	struct parser ps = { .mem = &set->mem, .templates = templates, .errors = errors };
	size_t valid = utf8_check(text);

	if (valid < text.n)
		return error_add(errors, &text, valid, "the text is not valid UTF-8");
	lexer_init(&ps.lx, text);
	parser_advance(&ps);
	while (ps.tok.kind != TOK_END && ps.r == 0 && errors->n < CEDAR_ERRORS_MAX) {
		struct ast_policy p;

		ps.depth = 0;
		if (!parse_policy(&ps, &p))
			skip_policy(&ps);
		else
			ps.r = policies_push_numbered(set, &p);
	}
	return ps.r < 0 ? ps.r : errors->total ? -EINVAL : 0;
}
