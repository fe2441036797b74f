// SPDX-License-Identifier: Apache-2.0
/*
 * Schemas in Cedar's syntax (RFC 24, with tags of RFC 82, enumerated types of RFC 53, annotations
 * of RFC 48). Its words (entity, type, Set, ...) are names too, wherever a name may stand. After an
 * error the reader goes on behind the next semicolon.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "policy/schema_parse.h"

/* --- declarations ----------------------------------------------------------------------------- */

/* A, B, "c d": identifiers, with strings also those. */
static bool parse_declared(struct parser *ps, bool strings, const char *what,
			   struct decl_names *ret)
{
	VEC(struct decl_name) list = { 0 };
	bool ok;

	do {
		struct decl_name name;

		ok = strings ? schema_parse_word(ps, what, &name) : schema_parse_ident(ps, what, &name);
		if (ok && vec_push(&list, name) < 0)
			ok = parser_no_memory(ps);
	} while (ok && parser_accept(ps, TOK_COMMA));
	if (ok) {
		ret->v = KEEP(ps, list);
		ret->n = list.n;
		ok = ret->v != NULL;
	}
	free(list.v);
	return ok;
}

static bool parse_enum(struct parser *ps, struct decl_entity *e)
{
	VEC(struct decl_name) list = { 0 };
	bool ok = parser_expect(ps, TOK_LBRACKET, "`[`");

	if (ok) {
		do {
			struct decl_name name = { .pos = ps->tok.pos };

			ok = ps->tok.kind == TOK_STRING ? parse_string(ps, &name.s)
							: parser_unexpected(ps, "a string");
			if (ok && vec_push(&list, name) < 0)
				ok = parser_no_memory(ps);
		} while (ok && parser_accept(ps, TOK_COMMA));
	}
	ok = ok && parser_expect(ps, TOK_RBRACKET, "`,` or `]`");
	if (ok) {
		e->enumerated = true;
		e->ids.v = KEEP(ps, list);
		e->ids.n = list.n;
		ok = e->ids.v != NULL;
	}
	free(list.v);
	return ok;
}

static bool parse_entity_body(struct parser *ps, struct decl_entity *e)
{
	if (schema_accept_word(ps, "enum"))
		return parse_enum(ps, e);
	if (schema_accept_word(ps, "in") && !schema_parse_names(ps, &e->parents))
		return false;
	if (parser_accept(ps, TOK_ASSIGN) || ps->tok.kind == TOK_LBRACE) {
		e->shape.pos = ps->tok.pos;
		if (!parser_expect(ps, TOK_LBRACE, "`{`") || !schema_parse_record(ps, &e->shape))
			return false;
		e->has_shape = e->shape.n > 0;
	}
	e->has_tags = schema_accept_word(ps, "tags");
	return !e->has_tags || schema_parse_type(ps, &e->tags);
}

/* The error of what could not be added sticks. */
static bool added(struct parser *ps, int r)
{
	if (r < 0)
		ps->r = r;
	return r == 0;
}

static bool parse_entity(struct parser *ps, struct cedar_schema *s, uint32_t at, struct decl_entity e)
{
	struct decl_names names = { 0 };

	if (!parse_declared(ps, false, "the name of an entity type", &names) ||
	    !parse_entity_body(ps, &e) || !parser_expect(ps, TOK_SEMICOLON, "`;`"))
		return false;
	for (uint32_t i = 0; i < names.n; i++) {
		e.name = names.v[i];
		if (!added(ps, schema_add_entity(s, at, &e)))
			return false;
	}
	return true;
}

static bool parse_action_ref(struct parser *ps, struct decl_action_ref *ret)
{
	struct decl_name first, name;

	*ret = (struct decl_action_ref){ .pos = ps->tok.pos };
	if (ps->tok.kind == TOK_STRING)
		return parse_string(ps, &ret->id);
	if (!schema_parse_ident(ps, "an action", &first))
		return false;
	if (ps->tok.kind != TOK_PATH) {
		ret->id = first.s;
		return true;
	}
	if (!schema_parse_rest(ps, first, &name, &ret->id))
		return false;
	if (!ret->id.p)
		return parser_fail(ps, first.pos,
				   "expected an action such as Action::\"id\", found a type");
	ret->type = name.s;
	return true;
}

static bool parse_action_refs(struct parser *ps, struct decl_action *a)
{
	VEC(struct decl_action_ref) list = { 0 };
	bool many = parser_accept(ps, TOK_LBRACKET), ok;

	do {
		struct decl_action_ref ref;

		ok = parse_action_ref(ps, &ref);
		if (ok && vec_push(&list, ref) < 0)
			ok = parser_no_memory(ps);
	} while (ok && many && parser_accept(ps, TOK_COMMA));
	if (ok && many)
		ok = parser_expect(ps, TOK_RBRACKET, "`,` or `]`");
	if (ok) {
		a->has_parents = true;
		a->parents = KEEP(ps, list);
		a->n_parents = list.n;
		ok = a->parents != NULL;
	}
	free(list.v);
	return ok;
}

static bool parse_applies_part(struct parser *ps, struct decl_action *a, bool *seen)
{
	static const char *const words[] = { "principal", "resource", "context" };
	uint32_t pos = ps->tok.pos;
	unsigned i = 0;

	while (i < ARRAY_SIZE(words) && !parser_at_word(ps, words[i]))
		i++;
	if (i == ARRAY_SIZE(words))
		return parser_unexpected(ps, "`principal`, `resource` or `context`");
	parser_advance(ps);
	if (seen[i])
		return parser_fail(ps, pos, "`%s` is given twice", words[i]);
	seen[i] = true;
	if (!parser_expect(ps, TOK_COLON, "`:`"))
		return false;
	if (i == 2) {
		a->has_context = true;
		if (!schema_parse_type(ps, &a->context))
			return false;
		/* A name must be that of a common type here. */
		if (a->context.kind == DECL_NAME)
			a->context.kind = DECL_COMMON;
		return true;
	}
	pos = ps->tok.pos;
	if (!schema_parse_names(ps, i ? &a->resources : &a->principals))
		return false;
	if ((i ? a->resources.n : a->principals.n) == 0)
		return parser_fail(ps, pos, "`%s` lists no type: leave out `appliesTo` for an "
				   "action that applies to nothing", words[i]);
	return true;
}

static bool parse_applies(struct parser *ps, struct decl_action *a)
{
	bool seen[3] = { false, false, false };
	uint32_t pos = ps->tok.pos;

	if (!parser_expect(ps, TOK_LBRACE, "`{`"))
		return false;
	do {
		if (!parse_applies_part(ps, a, seen))
			return false;
	} while (parser_accept(ps, TOK_COMMA) && ps->tok.kind != TOK_RBRACE);
	if (!parser_expect(ps, TOK_RBRACE, "`,` or `}`"))
		return false;
	if (!seen[0] || !seen[1])
		return parser_fail(ps, pos, "`appliesTo` lacks `%s`",
				   seen[0] ? "resource" : "principal");
	/* An empty record is what an action without `context` has. */
	a->has_context = a->has_context && (a->context.kind != DECL_RECORD || a->context.n);
	return true;
}

static bool parse_action(struct parser *ps, struct cedar_schema *s, uint32_t at, struct decl_action a)
{
	struct decl_names names = { 0 };

	a.applies = true;
	if (!parse_declared(ps, true, "the name of an action", &names) ||
	    (schema_accept_word(ps, "in") && !parse_action_refs(ps, &a)) ||
	    (schema_accept_word(ps, "appliesTo") && !parse_applies(ps, &a)))
		return false;
	if (schema_accept_word(ps, "attributes") &&
	    (!parser_expect(ps, TOK_LBRACE, "`{`") || !parser_expect(ps, TOK_RBRACE, "`}`")))
		return false;
	if (!parser_expect(ps, TOK_SEMICOLON, "`;`"))
		return false;
	for (uint32_t i = 0; i < names.n; i++) {
		a.name = names.v[i];
		if (!added(ps, schema_add_action(s, at, &a)))
			return false;
	}
	return true;
}

static bool parse_common(struct parser *ps, struct cedar_schema *s, uint32_t at, struct decl_common c)
{
	if (!schema_parse_ident(ps, "the name of a type", &c.name) ||
	    !parser_expect(ps, TOK_ASSIGN, "`=`") || !schema_parse_type(ps, &c.type) ||
	    !parser_expect(ps, TOK_SEMICOLON, "`;`"))
		return false;
	return added(ps, schema_add_common(s, at, &c));
}

/* --- the whole -------------------------------------------------------------------------------- */

static bool parse_decl(struct parser *ps, struct cedar_schema *s, uint32_t at,
		       struct schema_annotations notes)
{
	ps->depth = 0;
	if (schema_accept_word(ps, "entity"))
		return parse_entity(ps, s, at, (struct decl_entity){ .annotations = notes });
	if (schema_accept_word(ps, "action"))
		return parse_action(ps, s, at, (struct decl_action){ .annotations = notes });
	if (schema_accept_word(ps, "type"))
		return parse_common(ps, s, at, (struct decl_common){ .annotations = notes });
	return parser_unexpected(ps, "`entity`, `action` or `type`");
}

/* To behind the next semicolon, or before a brace that closes a namespace. */
static void skip_decl(struct parser *ps)
{
	unsigned open = 0;

	while (ps->tok.kind != TOK_END && (ps->tok.kind != TOK_SEMICOLON || open)) {
		if (ps->tok.kind == TOK_LBRACE)
			open++;
		if (ps->tok.kind == TOK_RBRACE && open-- == 0)
			return;
		parser_advance(ps);
	}
	parser_accept(ps, TOK_SEMICOLON);
}

static bool parse_space(struct parser *ps, struct cedar_schema *s, struct schema_annotations notes)
{
	struct decl_space ds = { .annotations = notes };
	uint32_t at = s->spaces.n;

	if (!schema_parse_name(ps, "the name of a namespace", &ds.name) ||
	    !parser_expect(ps, TOK_LBRACE, "`{`"))
		return false;
	if (vec_push(&s->spaces, ds) < 0)
		return parser_no_memory(ps);
	while (ps->tok.kind != TOK_RBRACE && ps->tok.kind != TOK_END && ps->r == 0) {
		struct schema_annotations inner = { 0 };

		if (ps->errors->n == CEDAR_ERRORS_MAX)
			return false;
		if (!schema_parse_annotations(ps, &inner) || !parse_decl(ps, s, at, inner))
			skip_decl(ps);
	}
	return parser_expect(ps, TOK_RBRACE, "`}`");
}

int schema_parse(struct cedar_schema *s, struct cedar_errors *errors)
{
	struct parser ps = { .mem = &s->mem, .errors = errors };
	struct decl_space outer = { .name = { SPAN(""), 0 } };

	if (vec_push(&s->spaces, outer) < 0)
		return -ENOMEM;
	lexer_init(&ps.lx, s->text);
	parser_advance(&ps);
	while (ps.tok.kind != TOK_END && ps.r == 0 && errors->n < CEDAR_ERRORS_MAX) {
		struct schema_annotations notes = { 0 };
		bool ok = schema_parse_annotations(&ps, &notes);

		if (ok && schema_accept_word(&ps, "namespace"))
			ok = parse_space(&ps, s, notes);
		else if (ok)
			ok = parse_decl(&ps, s, 0, notes);
		if (!ok) {
			skip_decl(&ps);
			parser_accept(&ps, TOK_RBRACE);
		}
	}
	return ps.r < 0 ? ps.r : errors->total ? -EINVAL : 0;
}
