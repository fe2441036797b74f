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

/* A name whose parts do not stand side by side in the text. */
struct joined {
	char *v;
	uint32_t n, cap;
};

static bool join(struct parser *ps, struct joined *j, struct span part)
{
	if (vec_reserve(j, (uint32_t)part.n) < 0)
		return parser_no_memory(ps);
	memcpy(j->v + j->n, part.p, part.n);
	j->n += (uint32_t)part.n;
	return true;
}

/* One more part, behind what is in *name or, once there is anything, in *j. */
static bool add_part(struct parser *ps, struct joined *j, struct span *name, struct span part)
{
	if (j->n == 0 && part.p == name->p + name->n + 2) {
		name->n += 2 + part.n;
		return true;
	}
	return (j->n || join(ps, j, *name)) && join(ps, j, SPAN("::")) && join(ps, j, part);
}

bool parse_path(struct parser *ps, struct ast_name first, struct span *ret_name, bool *ret_entity,
		struct span *ret_id)
{
	struct span name = first.s;
	struct joined j = { 0 };
	bool ok = true, entity = false;
	struct ast_name part;

	while (ok && !entity && parser_accept(ps, TOK_PATH)) {
		if (ret_entity && ps->tok.kind == TOK_STRING) {
			entity = true;
			ok = parse_string(ps, ret_id);
		} else {
			ok = parse_identifier(ps,
					      ret_entity ? "a name or a string after `::`"
							 : "a name after `::`",
					      &part) &&
			     add_part(ps, &j, &name, part.s);
		}
	}
	if (ok && j.n) {
		name = (struct span){ parser_keep(ps, j.v, j.n, 1), j.n };
		ok = name.p;
	}
	free(j.v);
	if (!ok)
		return false;
	*ret_name = name;
	if (ret_entity)
		*ret_entity = entity;
	return true;
}

bool parse_type_name(struct parser *ps, struct span *ret)
{
	struct ast_name first;

	return parse_identifier(ps, "an entity type", &first) &&
	       parse_path(ps, first, ret, NULL, NULL);
}

static bool parse_slot(struct parser *ps, const char *word)
{
	struct token t = ps->tok;
	int n = (int)(t.text.n > 60 ? 60 : t.text.n);

	if (!word)
		return parser_fail(ps, t.pos, "a slot cannot stand here");
	if (!span_is((struct span){ t.text.p + 1, t.text.n - 1 }, word))
		return parser_fail(ps, t.pos, "`%.*s` cannot stand here: the slot is `?%s`", n,
				   t.text.p, word);
	if (!ps->templates)
		return parser_fail(ps, t.pos,
				   "templates are not supported here: `%.*s` needs an entity in its "
				   "place",
				   n, t.text.p);
	parser_advance(ps);
	return true;
}

/* word is the slot that may stand instead; NULL: none. */
static bool parse_ref(struct parser *ps, const char *what, const char *word,
		      struct cedar_uid *ret_uid, bool *ret_slot)
{
	struct ast_name first;
	unsigned parens = 0;
	uint32_t pos;
	bool entity;

	for (; ps->tok.kind == TOK_LPAREN; parens++) {
		if (parens == CEDAR_NESTING_MAX)
			return parser_fail(ps, ps->tok.pos,
					   "parentheses are nested deeper than %d",
					   CEDAR_NESTING_MAX);
		parser_advance(ps);
	}
	pos = ps->tok.pos;
	*ret_slot = ps->tok.kind == TOK_SLOT;
	if (ps->tok.kind == TOK_STRING)
		return parser_fail(ps, pos, "expected %s such as Type::\"id\", found a string",
				   what);
	if (*ret_slot) {
		if (!parse_slot(ps, word))
			return false;
	} else if (!parse_identifier(ps, what, &first) ||
		   !parse_path(ps, first, &ret_uid->type, &entity, &ret_uid->id)) {
		return false;
	} else if (!entity) {
		return parser_fail(ps, pos,
				   "expected %s such as Type::\"id\", found the name `%.*s`", what,
				   (int)(ret_uid->type.n > 60 ? 60 : ret_uid->type.n),
				   ret_uid->type.p);
	}
	while (parens-- > 0) {
		if (!parser_expect(ps, TOK_RPAREN, "`)`"))
			return false;
	}
	return true;
}

bool parse_entity_ref(struct parser *ps, const char *what, struct cedar_uid *ret)
{
	bool slot;

	return parse_ref(ps, what, NULL, ret, &slot);
}

bool parse_entity_or_slot(struct parser *ps, const char *word, struct cedar_uid *ret_uid,
			  bool *ret_slot)
{
	return parse_ref(ps, "an entity", word, ret_uid, ret_slot);
}

bool type_is_action(struct span type)
{
	static const char name[] = "Action";
	size_t n = sizeof(name) - 1;

	return type.n >= n && memcmp(type.p + type.n - n, name, n) == 0 &&
	       (type.n == n || type.p[type.n - n - 1] == ':');
}
