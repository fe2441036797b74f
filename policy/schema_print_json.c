// SPDX-License-Identifier: Apache-2.0
/* A schema as written, in Cedar's JSON syntax, on one line. */
#include "policy/schema.h"

struct printer {
	struct buf *out;
	int r;
};

static void put(struct printer *p, const char *s)
{
	if (p->r == 0)
		p->r = buf_append_str(p->out, s);
}

static void put_string(struct printer *p, struct span s)
{
	put(p, "\"");
	for (size_t i = 0; i < s.n && p->r == 0; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c == '"' || c == '\\')
			put(p, "\\");
		if (c < 0x20)
			p->r = buf_printf(p->out, "\\u%04x", c);
		else
			p->r = buf_append(p->out, &s.p[i], 1);
	}
	put(p, "\"");
}

/* "key": with a comma before all but the first of an object. */
static void put_key(struct printer *p, bool *first, struct span key)
{
	put(p, *first ? "" : ",");
	*first = false;
	put_string(p, key);
	put(p, ":");
}

static void put_annotations(struct printer *p, bool *first, const struct schema_annotations *notes)
{
	bool one = true;

	if (notes->n == 0)
		return;
	put_key(p, first, SPAN("annotations"));
	put(p, "{");
	for (uint32_t i = 0; i < notes->n; i++) {
		put_key(p, &one, notes->v[i].key);
		put_string(p, notes->v[i].value);
	}
	put(p, "}");
}

/* --- types ------------------------------------------------------------------------------------ */

static const char *const type_words[] = {
	[DECL_NAME] = "EntityOrCommon", [DECL_ENTITY] = "Entity", [DECL_EXTENSION] = "Extension",
	[DECL_STRING] = "String",	[DECL_LONG] = "Long",	  [DECL_BOOL] = "Boolean",
	[DECL_SET] = "Set",		[DECL_RECORD] = "Record",
};

static void put_type(struct printer *p, const struct decl_type *t);

static void put_attrs(struct printer *p, const struct decl_type *t);

/* The members of a type's object. */
static void put_type_members(struct printer *p, bool *first, const struct decl_type *t)
{
	put_key(p, first, SPAN("type"));
	put_string(p, t->kind == DECL_COMMON ? t->name : span_of(type_words[t->kind]));
	if (t->kind == DECL_NAME || t->kind == DECL_ENTITY || t->kind == DECL_EXTENSION) {
		put_key(p, first, SPAN("name"));
		put_string(p, t->name);
	}
	if (t->kind == DECL_SET) {
		put_key(p, first, SPAN("element"));
		put_type(p, t->element);
	}
	if (t->kind == DECL_RECORD) {
		put_key(p, first, SPAN("attributes"));
		put_attrs(p, t);
	}
}

static void put_attrs(struct printer *p, const struct decl_type *t)
{
	bool one = true;

	put(p, "{");
	for (uint32_t i = 0; i < t->n; i++) {
		bool first = true;

		put_key(p, &one, t->attrs[i].name);
		put(p, "{");
		put_type_members(p, &first, &t->attrs[i].type);
		if (t->attrs[i].optional) {
			put_key(p, &first, SPAN("required"));
			put(p, "false");
		}
		put_annotations(p, &first, &t->attrs[i].annotations);
		put(p, "}");
	}
	put(p, "}");
}

static void put_type(struct printer *p, const struct decl_type *t)
{
	bool first = true;

	put(p, "{");
	put_type_members(p, &first, t);
	put(p, "}");
}

/* --- declarations ----------------------------------------------------------------------------- */

static void put_names(struct printer *p, bool *first, struct span key,
		      const struct decl_names *names)
{
	put_key(p, first, key);
	put(p, "[");
	for (uint32_t i = 0; i < names->n; i++) {
		put(p, i ? "," : "");
		put_string(p, names->v[i].s);
	}
	put(p, "]");
}

static void put_entity(struct printer *p, const struct decl_entity *e)
{
	bool first = true;

	put(p, "{");
	if (e->enumerated)
		put_names(p, &first, SPAN("enum"), &e->ids);
	if (e->parents.n)
		put_names(p, &first, SPAN("memberOfTypes"), &e->parents);
	if (e->has_shape) {
		put_key(p, &first, SPAN("shape"));
		put_type(p, &e->shape);
	}
	if (e->has_tags) {
		put_key(p, &first, SPAN("tags"));
		put_type(p, &e->tags);
	}
	put_annotations(p, &first, &e->annotations);
	put(p, "}");
}

static void put_parents(struct printer *p, bool *first, const struct decl_action *a)
{
	put_key(p, first, SPAN("memberOf"));
	put(p, "[");
	for (uint32_t i = 0; i < a->n_parents; i++) {
		bool one = true;

		put(p, i ? ",{" : "{");
		put_key(p, &one, SPAN("id"));
		put_string(p, a->parents[i].id);
		if (a->parents[i].type.p) {
			put_key(p, &one, SPAN("type"));
			put_string(p, a->parents[i].type);
		}
		put(p, "}");
	}
	put(p, "]");
}

static void put_action(struct printer *p, const struct decl_action *a)
{
	bool first = true, one = true;

	put(p, "{");
	if (a->applies) {
		put_key(p, &first, SPAN("appliesTo"));
		put(p, "{");
		put_names(p, &one, SPAN("resourceTypes"), &a->resources);
		put_names(p, &one, SPAN("principalTypes"), &a->principals);
		if (a->has_context) {
			put_key(p, &one, SPAN("context"));
			put_type(p, &a->context);
		}
		put(p, "}");
	}
	if (a->has_parents)
		put_parents(p, &first, a);
	put_annotations(p, &first, &a->annotations);
	put(p, "}");
}

static void put_commons(struct printer *p, bool *first, const struct decl_space *ds)
{
	bool one = true;

	put_key(p, first, SPAN("commonTypes"));
	put(p, "{");
	for (uint32_t i = 0; i < ds->commons.n; i++) {
		bool member = true;

		put_key(p, &one, ds->commons.v[i].name.s);
		put(p, "{");
		put_type_members(p, &member, &ds->commons.v[i].type);
		put_annotations(p, &member, &ds->commons.v[i].annotations);
		put(p, "}");
	}
	put(p, "}");
}

static void put_space(struct printer *p, const struct decl_space *ds)
{
	bool first = true, one = true;

	put(p, "{");
	if (ds->commons.n)
		put_commons(p, &first, ds);
	put_key(p, &first, SPAN("entityTypes"));
	put(p, "{");
	for (uint32_t i = 0; i < ds->entities.n; i++) {
		put_key(p, &one, ds->entities.v[i].name.s);
		put_entity(p, &ds->entities.v[i]);
	}
	put(p, "}");
	put_key(p, &first, SPAN("actions"));
	put(p, "{");
	one = true;
	for (uint32_t i = 0; i < ds->actions.n; i++) {
		put_key(p, &one, ds->actions.v[i].name.s);
		put_action(p, &ds->actions.v[i]);
	}
	put(p, "}");
	put_annotations(p, &first, &ds->annotations);
	put(p, "}");
}

int schema_print_json(const struct cedar_schema *s, struct buf *out)
{
	struct printer p = { .out = out };
	bool first = true;

	put(&p, "{");
	for (uint32_t i = 0; i < s->spaces.n; i++) {
		const struct decl_space *ds = &s->spaces.v[i];

		/* The Cedar syntax has a place outside namespaces, used or not. */
		if (!s->json && ds->name.s.n == 0 && !ds->entities.n && !ds->actions.n &&
		    !ds->commons.n)
			continue;
		put_key(&p, &first, ds->name.s);
		put_space(&p, ds);
	}
	put(&p, "}");
	return p.r;
}
