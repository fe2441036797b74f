// SPDX-License-Identifier: Apache-2.0
/*
 * Schemas in Cedar's JSON syntax. What Cedar does not know is refused, since a misspelt `required`
 * or `memberOf` would otherwise mean something else than its author thinks.
 */
#include <errno.h>

#include "policy/json.h"
#include "policy/schema.h"
#include "policy/text.h"

struct reader {
	struct cedar_schema *s;
	struct cedar_errors *errors;
	unsigned depth;
	int r; /* -ENOMEM, -E2BIG */
};

static bool read_type(struct reader *rd, const struct json *v, bool attr, struct decl_type *ret);

static bool bad(struct reader *rd, uint32_t pos, const char *what, struct span name)
{
	error_add(rd->errors, &rd->s->text, pos, "%s%s%.*s%s", what, name.n ? " `" : "",
		  (int)(name.n > 80 ? 80 : name.n), name.p ? name.p : "", name.n ? "`" : "");
	return false;
}

static void *zalloc(struct reader *rd, uint32_t n, size_t size)
{
	void *p = arena_array(&rd->s->mem, n, size);

	if (!p)
		rd->r = -ENOMEM;
	else
		memset(p, 0, n * size);
	return p;
}

static bool is_object(struct reader *rd, const struct json *v, const char *what)
{
	return v->kind == JSON_OBJECT || bad(rd, v->pos, what, SPAN(""));
}

/* All keys of v are among these; NULL ends them. */
static bool only(struct reader *rd, const struct json *v, const char *const *keys)
{
	for (uint32_t i = 0; i < v->n; i++) {
		const char *const *k = keys;

		while (*k && !span_is(v->key[i], *k))
			k++;
		if (!*k)
			return bad(rd, v->kid[i].pos, "unknown key", v->key[i]);
	}
	return true;
}

/* null is as good as nothing in a few places, which the SDK's older versions wrote so. */
static const struct json *get(const struct json *v, const char *key)
{
	const struct json *m = json_get(v, key);

	return m && m->kind == JSON_NULL ? NULL : m;
}

/* --- names ------------------------------------------------------------------------------------ */

static bool is_type_name(struct span s)
{
	static const char own[] = "__cedar::";

	if (s.n > sizeof(own) - 1 && memcmp(s.p, own, sizeof(own) - 1) == 0)
		s = (struct span){ s.p + sizeof(own) - 1, s.n - (sizeof(own) - 1) };
	return is_normal_name(s);
}

static bool read_name(struct reader *rd, const struct json *v, const char *what,
		      struct decl_name *ret)
{
	if (!v || v->kind != JSON_STRING || !is_type_name(v->str))
		return bad(rd, v ? v->pos : 0, what, json_str(v));
	*ret = (struct decl_name){ v->str, v->pos };
	return true;
}

static bool read_names(struct reader *rd, const struct json *v, const char *what, bool types,
		       struct decl_names *ret)
{
	if (v->kind != JSON_ARRAY)
		return bad(rd, v->pos, what, SPAN(""));
	ret->v = zalloc(rd, v->n, sizeof(*ret->v));
	if (!ret->v)
		return false;
	for (ret->n = 0; ret->n < v->n; ret->n++) {
		const struct json *k = &v->kid[ret->n];

		if (k->kind != JSON_STRING)
			return bad(rd, k->pos, what, SPAN(""));
		if (types && !is_type_name(k->str))
			return bad(rd, k->pos, "not the name of a type:", k->str);
		ret->v[ret->n] = (struct decl_name){ k->str, k->pos };
	}
	return true;
}

static bool read_annotations(struct reader *rd, const struct json *v,
			     struct schema_annotations *ret)
{
	if (!v)
		return true;
	if (!is_object(rd, v, "expected annotations, an object of strings"))
		return false;
	if (v->n > SCHEMA_ANNOTATIONS_MAX)
		return bad(rd, v->pos, "too many annotations", SPAN(""));
	ret->v = zalloc(rd, v->n, sizeof(*ret->v));
	if (!ret->v)
		return false;
	for (uint32_t i = 0; i < v->n; i++) {
		if (!is_identifier(v->key[i]))
			return bad(rd, v->kid[i].pos, "not the name of an annotation:", v->key[i]);
		if (v->kid[i].kind != JSON_STRING && v->kid[i].kind != JSON_NULL)
			return bad(rd, v->kid[i].pos, "expected the text of annotation",
				   v->key[i]);
		ret->v[i] = (struct schema_annotation){ v->key[i], json_str(&v->kid[i]) };
	}
	ret->n = v->n;
	return true;
}

/* --- types ------------------------------------------------------------------------------------ */

static bool read_attrs(struct reader *rd, const struct json *v, struct decl_type *ret)
{
	const struct json *attrs = json_get(v, "attributes"),
			  *more = json_get(v, "additionalAttributes");

	if (more && (more->kind != JSON_BOOL || more->num))
		return bad(rd, more->pos, "additional attributes are not supported", SPAN(""));
	if (!attrs)
		return bad(rd, v->pos, "a Record lacks `attributes`", SPAN(""));
	if (!is_object(rd, attrs, "expected attributes, an object"))
		return false;
	ret->attrs = zalloc(rd, attrs->n, sizeof(*ret->attrs));
	if (!ret->attrs)
		return false;
	for (ret->n = 0; ret->n < attrs->n; ret->n++) {
		const struct json *k = &attrs->kid[ret->n], *required;
		struct decl_attr *a = &ret->attrs[ret->n];

		a->name = attrs->key[ret->n];
		a->pos = k->pos;
		if (!is_object(rd, k, "expected the type of an attribute, an object") ||
		    !read_type(rd, k, true, &a->type) ||
		    !read_annotations(rd, json_get(k, "annotations"), &a->annotations))
			return false;
		required = json_get(k, "required");
		if (required && required->kind != JSON_BOOL)
			return bad(rd, required->pos, "`required` must be true or false", SPAN(""));
		a->optional = required && !required->num;
	}
	return true;
}

static bool read_named(struct reader *rd, const struct json *v, struct decl_type *ret)
{
	struct decl_name name;

	if (!read_name(rd, json_get(v, "name"), "the type lacks a `name`:", &name))
		return false;
	ret->name = name.s;
	ret->pos = name.pos;
	return true;
}

struct type_word {
	const char *word;
	enum decl_type_kind kind;
	const char *keys[6];
};

/* `annotations` stands beside the type in attributes and common types. */
static const struct type_word type_words[] = {
	{ "String", DECL_STRING, { "type", NULL } },
	{ "Long", DECL_LONG, { "type", NULL } },
	{ "Boolean", DECL_BOOL, { "type", NULL } },
	{ "Set", DECL_SET, { "type", "element", NULL } },
	{ "Record", DECL_RECORD, { "type", "attributes", "additionalAttributes", NULL } },
	{ "Entity", DECL_ENTITY, { "type", "name", NULL } },
	{ "Extension", DECL_EXTENSION, { "type", "name", NULL } },
	{ "EntityOrCommon", DECL_NAME, { "type", "name", NULL } },
};

static const struct type_word *find_word(struct span word)
{
	for (size_t i = 0; i < ARRAY_SIZE(type_words); i++) {
		if (span_is(word, type_words[i].word))
			return &type_words[i];
	}
	return NULL;
}

static bool type_keys(struct reader *rd, const struct json *v, const struct type_word *w, bool attr)
{
	static const char *const only_type[] = { "type", NULL };
	const char *const *keys = w ? w->keys : only_type;

	for (uint32_t i = 0; i < v->n; i++) {
		const char *const *k = keys;

		while (*k && !span_is(v->key[i], *k))
			k++;
		if (!*k && !(attr && (span_is(v->key[i], "required") ||
				      span_is(v->key[i], "annotations"))))
			return bad(rd, v->kid[i].pos, "unknown key", v->key[i]);
	}
	return true;
}

static bool read_type_of(struct reader *rd, const struct json *v, struct decl_type *ret)
{
	const struct json *element = json_get(v, "element");

	switch (ret->kind) {
	case DECL_RECORD:
		return read_attrs(rd, v, ret);
	case DECL_SET:
		if (!element)
			return bad(rd, v->pos, "a Set lacks `element`", SPAN(""));
		ret->element = zalloc(rd, 1, sizeof(*ret->element));
		return ret->element && read_type(rd, element, false, ret->element);
	case DECL_ENTITY:
	case DECL_EXTENSION:
	case DECL_NAME:
		return read_named(rd, v, ret);
	default:
		return true;
	}
}

/* attr: the object may also hold `required` and `annotations`. */
static bool read_type(struct reader *rd, const struct json *v, bool attr, struct decl_type *ret)
{
	const struct json *word = json_get(v, "type");
	const struct type_word *w;
	struct decl_name name;
	bool ok;

	*ret = (struct decl_type){ .pos = v->pos };
	if (!word || word->kind != JSON_STRING)
		return bad(rd, v->pos, "expected a type, an object with `type`", SPAN(""));
	if (rd->depth == CEDAR_SCHEMA_NESTING_MAX)
		return bad(rd, v->pos, "types are nested too deep", SPAN(""));
	w = find_word(word->str);
	if (!type_keys(rd, v, w, attr))
		return false;
	if (!w) {
		ret->kind = DECL_COMMON;
		ok = read_name(rd, word, "not the name of a type:", &name);
		ret->name = json_str(word);
		return ok;
	}
	ret->kind = w->kind;
	rd->depth++;
	ok = read_type_of(rd, v, ret);
	rd->depth--;
	return ok;
}

/* --- declarations ----------------------------------------------------------------------------- */

static bool read_entity(struct reader *rd, struct decl_name name, const struct json *v)
{
	static const char *const standard[] = { "memberOfTypes", "shape", "tags", "annotations",
						NULL };
	static const char *const enumerated[] = { "enum", "annotations", NULL };
	struct decl_entity e = { .name = name };
	const struct json *ids, *parents, *shape, *tags;

	if (!is_object(rd, v, "expected an entity type, an object"))
		return false;
	ids = json_get(v, "enum");
	if (!only(rd, v, ids ? enumerated : standard) ||
	    !read_annotations(rd, json_get(v, "annotations"), &e.annotations))
		return false;
	if (ids) {
		e.enumerated = true;
		if (!read_names(rd, ids, "expected the ids of an enumerated type", false, &e.ids))
			return false;
		if (e.ids.n == 0)
			return bad(rd, ids->pos, "an enumerated type needs an id", SPAN(""));
	}
	parents = json_get(v, "memberOfTypes");
	shape = json_get(v, "shape");
	tags = json_get(v, "tags");
	e.has_shape = shape != NULL;
	e.has_tags = tags != NULL;
	if ((parents &&
	     !read_names(rd, parents, "expected a list of entity types", true, &e.parents)) ||
	    (shape && !read_type(rd, shape, false, &e.shape)) ||
	    (tags && !read_type(rd, tags, false, &e.tags)))
		return false;
	rd->r = schema_add_entity(rd->s, rd->s->spaces.n - 1, &e);
	return rd->r == 0;
}

static bool read_parents(struct reader *rd, const struct json *v, struct decl_action *a)
{
	static const char *const keys[] = { "id", "type", NULL };

	if (v->kind != JSON_ARRAY)
		return bad(rd, v->pos, "expected `memberOf`, a list of actions", SPAN(""));
	a->has_parents = true;
	a->parents = zalloc(rd, v->n, sizeof(*a->parents));
	if (!a->parents)
		return false;
	for (uint32_t i = 0; i < v->n; i++) {
		const struct json *k = &v->kid[i], *id = json_get(k, "id"), *type = get(k, "type");
		struct decl_name name;

		if (!id || id->kind != JSON_STRING)
			return bad(rd, k->pos, "the action lacks its `id`", SPAN(""));
		if (!only(rd, k, keys) ||
		    (type && !read_name(rd, type, "not the type of an action:", &name)))
			return false;
		a->parents[i] = (struct decl_action_ref){ type ? type->str : (struct span){ 0 },
							  id->str, k->pos };
	}
	a->n_parents = v->n;
	return true;
}

static bool read_applies(struct reader *rd, const struct json *v, struct decl_action *a)
{
	static const char *const keys[] = { "principalTypes", "resourceTypes", "context", NULL };
	const struct json *principals, *resources, *context;

	if (!is_object(rd, v, "expected `appliesTo`, an object") || !only(rd, v, keys))
		return false;
	principals = json_get(v, "principalTypes");
	resources = json_get(v, "resourceTypes");
	context = json_get(v, "context");
	if (!principals || !resources)
		return bad(rd, v->pos, "`appliesTo` needs `principalTypes` and `resourceTypes`",
			   SPAN(""));
	a->applies = true;
	a->has_context = context != NULL;
	return read_names(rd, principals, "expected a list of entity types", true,
			  &a->principals) &&
	       read_names(rd, resources, "expected a list of entity types", true, &a->resources) &&
	       (!context || read_type(rd, context, false, &a->context));
}

static bool read_action(struct reader *rd, struct decl_name name, const struct json *v)
{
	static const char *const keys[] = { "attributes", "appliesTo", "memberOf", "annotations",
					    NULL };
	struct decl_action a = { .name = name };
	const struct json *attrs, *applies, *parents;

	if (!is_object(rd, v, "expected an action, an object") || !only(rd, v, keys))
		return false;
	attrs = get(v, "attributes");
	applies = get(v, "appliesTo");
	parents = get(v, "memberOf");
	if (attrs)
		return bad(rd, attrs->pos, "actions cannot have attributes", SPAN(""));
	if (!read_annotations(rd, json_get(v, "annotations"), &a.annotations) ||
	    (applies && !read_applies(rd, applies, &a)) ||
	    (parents && !read_parents(rd, parents, &a)))
		return false;
	rd->r = schema_add_action(rd->s, rd->s->spaces.n - 1, &a);
	return rd->r == 0;
}

static bool read_common(struct reader *rd, struct decl_name name, const struct json *v)
{
	struct decl_common c = { .name = name };

	if (!is_object(rd, v, "expected a type, an object"))
		return false;
	if (json_get(v, "required"))
		return bad(rd, v->pos, "unknown key", SPAN("required"));
	if (!read_type(rd, v, true, &c.type) ||
	    !read_annotations(rd, json_get(v, "annotations"), &c.annotations))
		return false;
	rd->r = schema_add_common(rd->s, rd->s->spaces.n - 1, &c);
	return rd->r == 0;
}

static bool read_group(struct reader *rd, const struct json *v, bool identifiers,
		       bool (*one)(struct reader *, struct decl_name, const struct json *))
{
	if (!v)
		return true;
	if (!is_object(rd, v, "expected declarations, an object"))
		return false;
	for (uint32_t i = 0; i < v->n; i++) {
		struct decl_name name = { v->key[i], v->kid[i].pos };

		if (identifiers && !is_identifier(name.s))
			bad(rd, name.pos, "not the name of a type:", name.s);
		else
			one(rd, name, &v->kid[i]);
		if (rd->r < 0 || rd->errors->n == CEDAR_ERRORS_MAX)
			return false;
	}
	return true;
}

static bool read_space(struct reader *rd, struct span name, const struct json *v)
{
	static const char *const keys[] = { "entityTypes", "actions", "commonTypes", "annotations",
					    NULL };
	struct decl_space ds = { .name = { name, v->pos } };

	if (name.n && !is_normal_name(name))
		return bad(rd, v->pos, "not the name of a namespace:", name);
	if (!is_object(rd, v, "expected a namespace, an object") || !only(rd, v, keys))
		return false;
	if (!json_get(v, "entityTypes") || !json_get(v, "actions"))
		return bad(rd, v->pos, "a namespace needs `entityTypes` and `actions`", SPAN(""));
	if (!read_annotations(rd, json_get(v, "annotations"), &ds.annotations))
		return false;
	if (vec_push(&rd->s->spaces, ds) < 0) {
		rd->r = -ENOMEM;
		return false;
	}
	return read_group(rd, json_get(v, "commonTypes"), true, read_common) &&
	       read_group(rd, json_get(v, "entityTypes"), true, read_entity) &&
	       read_group(rd, json_get(v, "actions"), false, read_action);
}

int schema_read_json(struct cedar_schema *s, struct cedar_errors *errors)
{
	struct reader rd = { .s = s, .errors = errors };
	struct cedar_error error = { 0 };
	struct json all;
	int r = json_parse(&s->mem, s->text, &error, &all);

	if (r == -EINVAL || r == -EFBIG) {
		errors->n = errors->total = 1;
		errors->e[0] = error;
	}
	if (r < 0)
		return r;
	if (!is_object(&rd, &all, "expected a schema, an object of namespaces"))
		return -EINVAL;
	for (uint32_t i = 0; i < all.n && rd.r == 0 && errors->n < CEDAR_ERRORS_MAX; i++)
		read_space(&rd, all.key[i], &all.kid[i]);
	return rd.r < 0 ? rd.r : errors->total ? -EINVAL : 0;
}
