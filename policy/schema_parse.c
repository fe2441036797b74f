// SPDX-License-Identifier: Apache-2.0
/*
 * Schemas in Cedar's syntax (RFC 24, with tags of RFC 82, enumerated types of RFC 53, annotations
 * of RFC 48). Its words (entity, type, Set, ...) are names too, wherever a name may stand. After an
 * error the reader goes on behind the next semicolon.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "policy/parser.h"
#include "policy/schema.h"

#define KEEP(ps, list) parser_keep(ps, (list).v, (list).n, sizeof(*(list).v))

static bool parse_type(struct parser *ps, struct decl_type *ret);

/* The lexer knows no `?` that stands alone. */
static bool accept_question(struct parser *ps)
{
	if (ps->tok.kind != TOK_BAD || !span_is(ps->tok.text, "?"))
		return false;
	parser_advance(ps);
	return true;
}

static bool accept_word(struct parser *ps, const char *word)
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

static bool parse_ident(struct parser *ps, const char *expected, struct decl_name *ret)
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

/* An identifier or a string. */
static bool parse_word(struct parser *ps, const char *expected, struct decl_name *ret)
{
	if (ps->tok.kind != TOK_STRING)
		return parse_ident(ps, expected, ret);
	ret->pos = ps->tok.pos;
	return parse_string(ps, &ret->s);
}

/* The rest of a path behind its first identifier; with id, a string may end it, which makes it an
 * entity (id->p set). */
static bool parse_rest(struct parser *ps, struct decl_name first, struct decl_name *ret,
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
		ok = parse_ident(ps, "a name after `::`", &part);
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

static bool parse_name(struct parser *ps, const char *expected, struct decl_name *ret)
{
	struct decl_name first;

	return parse_ident(ps, expected, &first) && parse_rest(ps, first, ret, NULL);
}

/* One name, or any number in brackets. */
static bool parse_name_list(struct parser *ps, struct decl_names *ret)
{
	VEC(struct decl_name) list = { 0 };
	bool many = parser_accept(ps, TOK_LBRACKET), ok = true;

	if (!many || ps->tok.kind != TOK_RBRACKET) {
		do {
			struct decl_name name;

			ok = parse_name(ps, "an entity type", &name);
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

static bool parse_annotations(struct parser *ps, struct schema_annotations *ret)
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
	if (!parse_annotations(ps, &ret->annotations) ||
	    !parse_word(ps, "the name of an attribute or `}`", &name))
		return false;
	ret->name = name.s;
	ret->pos = name.pos;
	ret->optional = accept_question(ps);
	return parser_expect(ps, TOK_COLON, ret->optional ? "`:`" : "`:` or `?`") &&
	       parse_type(ps, &ret->type);
}

/* Behind the brace. */
static bool parse_record(struct parser *ps, struct decl_type *ret)
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
	return parse_type(ps, ret->element) && parser_expect(ps, TOK_GT, "`>`");
}

static bool parse_named(struct parser *ps, struct decl_type *ret)
{
	struct decl_name first, name;

	if (!parse_ident(ps, "a type", &first))
		return false;
	if (span_is(first.s, "Set") && parser_accept(ps, TOK_LT))
		return parse_set(ps, ret);
	if (!parse_rest(ps, first, &name, NULL))
		return false;
	ret->kind = DECL_NAME;
	ret->name = name.s;
	return true;
}

static bool parse_type(struct parser *ps, struct decl_type *ret)
{
	bool ok;

	*ret = (struct decl_type){ .pos = ps->tok.pos };
	if (ps->depth == CEDAR_SCHEMA_NESTING_MAX)
		return parser_fail(ps, ps->tok.pos, "types are nested more than %u deep",
				   CEDAR_SCHEMA_NESTING_MAX);
	ps->depth++;
	ok = parser_accept(ps, TOK_LBRACE) ? parse_record(ps, ret) : parse_named(ps, ret);
	ps->depth--;
	return ok;
}

/* --- declarations ----------------------------------------------------------------------------- */

/* A, B, "c d": identifiers, with strings also those. */
static bool parse_declared(struct parser *ps, bool strings, const char *what,
			   struct decl_names *ret)
{
	VEC(struct decl_name) list = { 0 };
	bool ok;

	do {
		struct decl_name name;

		ok = strings ? parse_word(ps, what, &name) : parse_ident(ps, what, &name);
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
	if (accept_word(ps, "enum"))
		return parse_enum(ps, e);
	if (accept_word(ps, "in") && !parse_name_list(ps, &e->parents))
		return false;
	if (parser_accept(ps, TOK_ASSIGN) || ps->tok.kind == TOK_LBRACE) {
		e->shape.pos = ps->tok.pos;
		if (!parser_expect(ps, TOK_LBRACE, "`{`") || !parse_record(ps, &e->shape))
			return false;
		e->has_shape = e->shape.n > 0;
	}
	e->has_tags = accept_word(ps, "tags");
	return !e->has_tags || parse_type(ps, &e->tags);
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
	if (!parse_ident(ps, "an action", &first))
		return false;
	if (ps->tok.kind != TOK_PATH) {
		ret->id = first.s;
		return true;
	}
	if (!parse_rest(ps, first, &name, &ret->id))
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
		if (!parse_type(ps, &a->context))
			return false;
		/* A name must be that of a common type here. */
		if (a->context.kind == DECL_NAME)
			a->context.kind = DECL_COMMON;
		return true;
	}
	pos = ps->tok.pos;
	if (!parse_name_list(ps, i ? &a->resources : &a->principals))
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
	    (accept_word(ps, "in") && !parse_action_refs(ps, &a)) ||
	    (accept_word(ps, "appliesTo") && !parse_applies(ps, &a)))
		return false;
	if (accept_word(ps, "attributes") &&
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
	if (!parse_ident(ps, "the name of a type", &c.name) ||
	    !parser_expect(ps, TOK_ASSIGN, "`=`") || !parse_type(ps, &c.type) ||
	    !parser_expect(ps, TOK_SEMICOLON, "`;`"))
		return false;
	return added(ps, schema_add_common(s, at, &c));
}

/* --- the whole -------------------------------------------------------------------------------- */

static bool parse_decl(struct parser *ps, struct cedar_schema *s, uint32_t at,
		       struct schema_annotations notes)
{
	ps->depth = 0;
	if (accept_word(ps, "entity"))
		return parse_entity(ps, s, at, (struct decl_entity){ .annotations = notes });
	if (accept_word(ps, "action"))
		return parse_action(ps, s, at, (struct decl_action){ .annotations = notes });
	if (accept_word(ps, "type"))
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

	if (!parse_name(ps, "the name of a namespace", &ds.name) ||
	    !parser_expect(ps, TOK_LBRACE, "`{`"))
		return false;
	if (vec_push(&s->spaces, ds) < 0)
		return parser_no_memory(ps);
	while (ps->tok.kind != TOK_RBRACE && ps->tok.kind != TOK_END && ps->r == 0) {
		struct schema_annotations inner = { 0 };

		if (ps->errors->n == CEDAR_ERRORS_MAX)
			return false;
		if (!parse_annotations(ps, &inner) || !parse_decl(ps, s, at, inner))
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
		bool ok = parse_annotations(&ps, &notes);

		if (ok && accept_word(&ps, "namespace"))
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
