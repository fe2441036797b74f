// SPDX-License-Identifier: Apache-2.0
/* A schema's life: read in either syntax, checked, resolved; then only read. */
#include "policy/schema.h"

#include <errno.h>
#include <stdlib.h>

#include "policy/text.h"

void cedar_schema_free(struct cedar_schema *s)
{
	if (!s)
		return;
	for (uint32_t i = 0; i < s->spaces.n; i++) {
		vec_done(&s->spaces.v[i].entities);
		vec_done(&s->spaces.v[i].actions);
		vec_done(&s->spaces.v[i].commons);
	}
	vec_done(&s->spaces);
	vec_done(&s->commons);
	vec_done(&s->etypes);
	vec_done(&s->actions);
	vec_done(&s->envs);
	intern_done(&s->common_names);
	intern_done(&s->names);
	intern_done(&s->ids);
	types_done(&s->types);
	arena_done(&s->mem);
	free(s);
}

int schema_add_entity(struct cedar_schema *s, uint32_t at, const struct decl_entity *e)
{
	return s->n_entities++ == CEDAR_SCHEMA_NAMES_MAX ? -E2BIG
							 : vec_push(&s->spaces.v[at].entities, *e);
}

int schema_add_action(struct cedar_schema *s, uint32_t at, const struct decl_action *a)
{
	return s->n_actions++ == CEDAR_SCHEMA_NAMES_MAX ? -E2BIG
							: vec_push(&s->spaces.v[at].actions, *a);
}

int schema_add_common(struct cedar_schema *s, uint32_t at, const struct decl_common *c)
{
	return s->n_commons++ == CEDAR_SCHEMA_NAMES_MAX ? -E2BIG
							: vec_push(&s->spaces.v[at].commons, *c);
}

static bool looks_like_json(struct span text)
{
	size_t i = 0;

	while (i < text.n && memchr(" \t\r\n", text.p[i], 4))
		i++;
	return i < text.n && text.p[i] == '{';
}

static int load(struct cedar_schema *s, struct cedar_errors *errors)
{
	int r = s->json ? schema_read_json(s, errors) : schema_parse(s, errors);

	if (r == 0)
		r = schema_check(s, errors);
	if (r == 0)
		r = schema_resolve(s, errors);
	return r < 0 ? r : schema_resolve_actions(s, errors);
}

int cedar_schema_new(struct span text, enum cedar_schema_syntax syntax, struct cedar_errors *errors,
		     struct cedar_schema **ret)
{
	_cleanup_(cedar_schema_free_p) struct cedar_schema *s = NULL;
	size_t valid;
	int r;

	*errors = (struct cedar_errors){ 0 };
	if (text.n > CEDAR_TEXT_MAX) {
		error_add(errors, NULL, 0, "the schema is larger than %u bytes", CEDAR_TEXT_MAX);
		return -EFBIG;
	}
	valid = utf8_check(text);
	if (valid < text.n)
		return error_add(errors, &text, valid, "the schema is not valid UTF-8");
	s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	types_init(&s->types, NULL);
	s->mem.limit = s->types.mem.limit = CEDAR_SCHEMA_MEMORY_MAX;
	s->common_names.seed = s->names.seed = s->ids.seed = s->types.seed;
	s->text = arena_copy(&s->mem, text);
	if (!s->text.p)
		return -ENOMEM;
	s->json = syntax == CEDAR_SCHEMA_JSON ||
		  (syntax == CEDAR_SCHEMA_ANY && looks_like_json(text));
	r = load(s, errors);
	if (r == 0)
		*ret = take_ptr(s);
	else if (r == -E2BIG && errors->n == 0)
		error_add(errors, NULL, 0, "the schema declares more than %u names of one kind",
			  CEDAR_SCHEMA_NAMES_MAX);
	return r;
}

int cedar_schema_write(const struct cedar_schema *s, enum cedar_schema_syntax syntax,
		       struct cedar_error *error, struct buf *out)
{
	*error = (struct cedar_error){ 0 };
	return syntax == CEDAR_SCHEMA_JSON ? schema_print_json(s, out) : schema_print(s, error, out);
}
