// SPDX-License-Identifier: Apache-2.0
/* The parts of declarations in Cedar's schema syntax: names, annotations, types. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "policy/schema_parse.h"

/* The lexer knows no `?` that stands alone. */
static bool accept_question(struct parser *ps)
{
	if (ps->tok.kind != TOK_BAD || !span_is(ps->tok.text, "?"))
		return false;
	parser_advance(ps);
	return true;
}

bool schema_accept_word(struct parser *ps, const char *word)
{
	if (!parser_at_word(ps, word))
		return false;
	parser_advance(ps);
	return true;
}

/* --- names ------------------------------------------------------------------------------------ */

static bool word_is_reserved(struct span s)
{
	return is_reserved(s) && !span_is(s, "__cedar");
}

bool schema_parse_ident(struct parser *ps, const char *expected, struct decl_name *ret)
{
	struct token t = ps->tok;

	if (t.kind != TOK_IDENT)
		return parser_unexpected(ps, expected);
	if (word_is_reserved(t.text))
		return parser_fail(ps, t.pos,
				   "`%.*s` is a reserved word and cannot be used as a name",
				   (int)t.text.n, t.text.p);
	*ret = (struct decl_name){ t.text, t.pos };
	parser_advance(ps);
	return true;
}

bool schema_parse_word(struct parser *ps, const char *expected, struct decl_name *ret)
{
	if (ps->tok.kind != TOK_STRING)
		return schema_parse_ident(ps, expected, ret);
	ret->pos = ps->tok.pos;
	return parse_string(ps, &ret->s);
}

bool schema_parse_rest(struct parser *ps, struct decl_name first, struct decl_name *ret,
		       struct span *id)
{
	VEC(char) name = { 0 };
	struct decl_name part = first;
	bool ok = true;
	char *copy;

	for (;;) {
		if (vec_reserve(&name, (uint32_t)part.s.n + 2) < 0) {
			ok = parser_no_memory(ps);
			break;
		}
		memcpy(name.v + name.n, part.s.p, part.s.n);
		name.n += (uint32_t)part.s.n;
		if (!parser_accept(ps, TOK_PATH))
			break;
		if (id && ps->tok.kind == TOK_STRING) {
			ok = parse_string(ps, id);
			break;
		}
		ok = schema_parse_ident(ps, "a name after `::`", &part);
		if (!ok)
			break;
		memcpy(name.v + name.n, "::", 2);
		name.n += 2;
	}
	copy = ok ? parser_keep(ps, name.v, name.n, 1) : NULL;
	if (copy)
		*ret = (struct decl_name){ { copy, name.n }, first.pos };
	free(name.v);
	return copy != NULL;
}

bool schema_parse_name(struct parser *ps, const char *expected, struct decl_name *ret)
{
	struct decl_name first;

	return schema_parse_ident(ps, expected, &first) && schema_parse_rest(ps, first, ret, NULL);
}

bool schema_parse_names(struct parser *ps, struct decl_names *ret)
{
	VEC(struct decl_name) list = { 0 };
	bool many = parser_accept(ps, TOK_LBRACKET), ok = true;

	if (!many || ps->tok.kind != TOK_RBRACKET) {
		do {
			struct decl_name name;

			ok = schema_parse_name(ps, "an entity type", &name);
			if (ok && vec_push(&list, name) < 0)
				ok = parser_no_memory(ps);
		} while (ok && many && parser_accept(ps, TOK_COMMA));
	}
	if (ok && many)
		ok = parser_expect(ps, TOK_RBRACKET, "`,` or `]`");
	if (ok) {
		ret->v = KEEP(ps, list);
		ret->n = list.n;
		ok = ret->v != NULL;
	}
	free(list.v);
	return ok;
}

/* --- annotations ------------------------------------------------------------------------------ */

static bool parse_annotation(struct parser *ps, struct schema_annotation *ret)
{
	if (ps->tok.kind != TOK_IDENT)
		return parser_unexpected(ps, "the name of an annotation");
	*ret = (struct schema_annotation){ .key = ps->tok.text };
	parser_advance(ps);
	if (!parser_accept(ps, TOK_LPAREN))
		return true;
	if (ps->tok.kind != TOK_STRING)
		return parser_unexpected(ps, "a string");
	return parse_string(ps, &ret->value) && parser_expect(ps, TOK_RPAREN, "`)`");
}

bool schema_parse_annotations(struct parser *ps, struct schema_annotations *ret)
{
	VEC(struct schema_annotation) list = { 0 };
	bool ok = true;

	while (ok && ps->tok.kind == TOK_AT) {
		struct schema_annotation a = { 0 };
		uint32_t pos = ps->tok.pos;

		parser_advance(ps);
		ok = parse_annotation(ps, &a);
		for (uint32_t i = 0; ok && i < list.n; i++) {
			if (span_eq(list.v[i].key, a.key))
				ok = parser_fail(ps, pos, "the annotation @%.*s is given twice",
						 (int)a.key.n, a.key.p);
		}
		if (ok && list.n == SCHEMA_ANNOTATIONS_MAX)
			ok = parser_fail(ps, pos, "more than %u annotations",
					 SCHEMA_ANNOTATIONS_MAX);
		if (ok && vec_push(&list, a) < 0)
			ok = parser_no_memory(ps);
	}
	if (ok) {
		ret->v = KEEP(ps, list);
		ret->n = list.n;
		ok = ret->v != NULL;
	}
	free(list.v);
	return ok;
}

/* --- types ------------------------------------------------------------------------------------ */

static bool parse_attr(struct parser *ps, struct decl_attr *ret)
{
	struct decl_name name;

	*ret = (struct decl_attr){ 0 };
	if (!schema_parse_annotations(ps, &ret->annotations) ||
	    !schema_parse_word(ps, "the name of an attribute or `}`", &name))
		return false;
	ret->name = name.s;
	ret->pos = name.pos;
	ret->optional = accept_question(ps);
	return parser_expect(ps, TOK_COLON, ret->optional ? "`:`" : "`:` or `?`") &&
	       schema_parse_type(ps, &ret->type);
}

bool schema_parse_record(struct parser *ps, struct decl_type *ret)
{
	VEC(struct decl_attr) list = { 0 };
	bool ok = true;

	while (ok && ps->tok.kind != TOK_RBRACE) {
		struct decl_attr a;

		ok = parse_attr(ps, &a);
		if (ok && vec_push(&list, a) < 0)
			ok = parser_no_memory(ps);
		if (!parser_accept(ps, TOK_COMMA))
			break;
	}
	ok = ok && parser_expect(ps, TOK_RBRACE, "`,` or `}`");
	if (ok) {
		ret->kind = DECL_RECORD;
		ret->attrs = KEEP(ps, list);
		ret->n = list.n;
		ok = ret->attrs != NULL;
	}
	free(list.v);
	return ok;
}

static bool parse_set(struct parser *ps, struct decl_type *ret)
{
	ret->kind = DECL_SET;
	ret->element = arena_zalloc(ps->mem, sizeof(*ret->element));
	if (!ret->element)
		return parser_no_memory(ps);
	return schema_parse_type(ps, ret->element) && parser_expect(ps, TOK_GT, "`>`");
}

static bool parse_named(struct parser *ps, struct decl_type *ret)
{
	struct decl_name first, name;

	if (!schema_parse_ident(ps, "a type", &first))
		return false;
	if (span_is(first.s, "Set") && parser_accept(ps, TOK_LT))
		return parse_set(ps, ret);
	if (!schema_parse_rest(ps, first, &name, NULL))
		return false;
	ret->kind = DECL_NAME;
	ret->name = name.s;
	return true;
}

bool schema_parse_type(struct parser *ps, struct decl_type *ret)
{
	bool ok;

	*ret = (struct decl_type){ .pos = ps->tok.pos };
	if (ps->depth == CEDAR_SCHEMA_NESTING_MAX)
		return parser_fail(ps, ps->tok.pos, "types are nested more than %u deep",
				   CEDAR_SCHEMA_NESTING_MAX);
	ps->depth++;
	ok = parser_accept(ps, TOK_LBRACE) ? schema_parse_record(ps, ret) : parse_named(ps, ret);
	ps->depth--;
	return ok;
}
