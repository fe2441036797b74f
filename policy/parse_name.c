// SPDX-License-Identifier: Apache-2.0
/* Names, entity literals and strings: what scopes and conditions have in common. */
#include <errno.h>
#include <string.h>

#include "policy/parser.h"

bool parse_identifier(struct parser *ps, const char *expected, struct ast_name *ret)
{
	struct token t = ps->tok;

	if (t.kind != TOK_IDENT)
		return parser_unexpected(ps, expected);
	if (span_is(t.text, "__cedar"))
		return parser_fail(ps, t.pos, "the name `__cedar` is reserved");
	if (is_reserved(t.text))
		return parser_fail(ps, t.pos,
				   "`%.*s` is a reserved word and cannot be used as a name",
				   (int)t.text.n, t.text.p);
	*ret = (struct ast_name){ t.text, t.pos };
	parser_advance(ps);
	return true;
}

/* The current string token without its quotes; says what is wrong with an escape in it. */
static bool bad_string(struct parser *ps, int r, size_t at, size_t len)
{
	struct span raw = { ps->tok.text.p + 1, ps->tok.text.n - 2 };

	if (r == -ENOMEM)
		return parser_no_memory(ps);
	if (raw.p[at] == '\r')
		return parser_fail(ps, ps->tok.pos + 1 + (uint32_t)at,
				   "a carriage return cannot stand in a string: write `\\r`");
	return parser_fail(ps, ps->tok.pos + 1 + (uint32_t)at, "`%.*s` is not a valid escape",
			   (int)len, raw.p + at);
}

bool parse_string(struct parser *ps, struct span *ret)
{
	struct span raw = { ps->tok.text.p + 1, ps->tok.text.n - 2 };
	size_t at, len;
	int r = text_unescape(ps->mem, raw, ret, &at, &len);

	if (r < 0)
		return bad_string(ps, r, at, len);
	parser_advance(ps);
	return true;
}

bool parse_pattern(struct parser *ps, struct pattern *ret)
{
	struct span raw = { ps->tok.text.p + 1, ps->tok.text.n - 2 };
	size_t at, len;
	int r = text_unescape_pattern(ps->mem, raw, ret, &at, &len);

	if (r < 0)
		return bad_string(ps, r, at, len);
	parser_advance(ps);
	return true;
}

bool parse_path(struct parser *ps, struct ast_name first, struct span *ret_name, bool *ret_entity,
		struct span *ret_id)
{
	VEC(char) name = { 0 };
	struct ast_name part = first;
	bool ok = true, entity = false;
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
		if (ret_entity && ps->tok.kind == TOK_STRING) {
			entity = true;
			ok = parse_string(ps, ret_id);
			break;
		}
		ok = parse_identifier(
			ps, ret_entity ? "a name or a string after `::`" : "a name after `::`",
			&part);
		if (!ok)
			break;
		memcpy(name.v + name.n, "::", 2);
		name.n += 2;
	}
	copy = ok ? parser_keep(ps, name.v, name.n, 1) : NULL;
	if (copy) {
		*ret_name = (struct span){ copy, name.n };
		if (ret_entity)
			*ret_entity = entity;
	}
	free(name.v);
	return copy != NULL;
}

bool parse_type_name(struct parser *ps, struct span *ret)
{
	struct ast_name first;

	return parse_identifier(ps, "an entity type", &first) &&
	       parse_path(ps, first, ret, NULL, NULL);
}

bool parse_entity_ref(struct parser *ps, const char *what, struct cedar_uid *ret)
{
	struct ast_name first;
	unsigned parens = 0;
	uint32_t pos;
	bool entity;

	while (parser_accept(ps, TOK_LPAREN))
		parens++;
	pos = ps->tok.pos;
	if (ps->tok.kind == TOK_SLOT)
		return parser_fail(ps, pos,
				   "templates are not supported: `%.*s` needs %s in its place",
				   (int)ps->tok.text.n, ps->tok.text.p, what);
	if (ps->tok.kind == TOK_STRING)
		return parser_fail(ps, pos, "expected %s such as Type::\"id\", found a string",
				   what);
	if (!parse_identifier(ps, what, &first) ||
	    !parse_path(ps, first, &ret->type, &entity, &ret->id))
		return false;
	if (!entity)
		return parser_fail(ps, pos,
				   "expected %s such as Type::\"id\", found the name `%.*s`", what,
				   (int)(ret->type.n > 60 ? 60 : ret->type.n), ret->type.p);
	while (parens-- > 0) {
		if (!parser_expect(ps, TOK_RPAREN, "`)`"))
			return false;
	}
	return true;
}
