// SPDX-License-Identifier: Apache-2.0
/* Cedar's JSON entity format into an entity store, with a schema or without. */
#include <errno.h>

#include "policy/conform.h"
#include "policy/json.h"
#include "policy/text.h"

#define SHOWN_MAX 80 /* bytes of a name in a message */

struct loader {
	struct cedar_entities *es;
	const struct cedar_schema *schema; /* or NULL */
	struct span text;
	struct cedar_error *error;
};

static int bad_entity(const struct loader *l, const struct json *at, const struct cedar_uid *uid,
		      const char *what)
{
	return error_set(l->error, &l->text, at->pos, "entity %.*s::\"%.*s\": %s",
			 (int)(uid->type.n > SHOWN_MAX ? SHOWN_MAX : uid->type.n), uid->type.p,
			 (int)(uid->id.n > SHOWN_MAX ? SHOWN_MAX : uid->id.n), uid->id.p, what);
}

/* shape: of a record as the schema declares it, or NULL. */
static int put_record(struct cedar_entities *es, const struct json *v, const struct type *shape,
		      int (*take)(struct cedar_entities *))
{
	struct cedar_build *b = cedar_entities_build(es);

	if (shape)
		conform_put(b, v, shape);
	else
		json_put(b, v);
	return take(es);
}

/* Tags have names of their own, and one type. */
static int put_tags(struct cedar_entities *es, const struct json *v, const struct type *type)
{
	struct cedar_build *b = cedar_entities_build(es);

	if (!type || v->kind != JSON_OBJECT)
		return put_record(es, v, NULL, cedar_entities_tags);
	cedar_open_record(b);
	for (uint32_t i = 0; i < v->n; i++) {
		cedar_key(b, v->key[i]);
		conform_put(b, &v->kid[i], type);
	}
	cedar_close(b);
	return cedar_entities_tags(es);
}

static int add_attributes(const struct loader *l, const struct json *v, const struct cedar_uid *uid)
{
	const struct json *attrs = json_get(v, "attrs"), *tags = json_get(v, "tags");
	const struct schema_etype *type = NULL;
	uint32_t t = SCHEMA_NONE;
	int r;

	if (!attrs)
		return bad_entity(l, v, uid, "lacks `attrs`");
	if (l->schema)
		t = schema_find_type(l->schema, uid->type);
	if (t != SCHEMA_NONE)
		type = &l->schema->etypes.v[t];
	r = put_record(l->es, attrs, type ? type->shape : NULL, cedar_entities_attrs);
	if (r < 0)
		return r == -ENOMEM ? r
				    : bad_entity(l, attrs, uid,
						 "the attributes cannot be read as values");
	r = tags ? put_tags(l->es, tags, type ? type->tags : NULL) : 0;
	return r < 0 && r != -ENOMEM ? bad_entity(l, tags, uid, "the tags cannot be read as values")
				     : r;
}

static int add_parents(const struct loader *l, const struct json *v, const struct cedar_uid *uid)
{
	const struct json *parents = json_get(v, "parents");
	struct cedar_uid parent;
	int r;

	if (!parents || parents->kind != JSON_ARRAY)
		return bad_entity(l, v, uid, "lacks `parents`, an array");
	for (uint32_t i = 0; i < parents->n; i++) {
		if (!json_uid(&parents->kid[i], &parent))
			return bad_entity(l, &parents->kid[i], uid,
					  "the parent lacks type and id");
		r = cedar_entities_parent(l->es, parent.type, parent.id);
		if (r < 0)
			return r == -EINVAL ? bad_entity(l, &parents->kid[i], uid,
							 "the parent's type is not a name")
					    : r;
	}
	return 0;
}

static int add_entity(const struct loader *l, const struct json *v)
{
	struct conform cf = { .s = l->schema };
	struct cedar_uid uid;
	int r;

	if (!json_uid(json_get(v, "uid"), &uid))
		return error_set(l->error, &l->text, v->pos,
				 "the entity lacks a uid of type and id");
	r = cedar_entities_begin(l->es, uid.type, uid.id);
	if (r < 0)
		return r == -EINVAL ? bad_entity(l, v, &uid, "the type is not a name") : r;
	r = add_attributes(l, v, &uid);
	if (r == 0)
		r = add_parents(l, v, &uid);
	if (r == 0 && l->schema && !conform_entity(&cf, l->es, &l->es->e.v[l->es->e.n - 1]))
		r = error_set(l->error, &l->text, v->pos, "entity %.*s::%s",
			      (int)(uid.type.n > SHOWN_MAX ? SHOWN_MAX : uid.type.n), uid.type.p,
			      cf.fault);
	return r;
}

static int load(const struct loader *l)
{
	struct arena mem = { 0 };
	struct json all;
	int r;

	*l->error = (struct cedar_error){ 0 };
	r = json_parse(&mem, l->text, l->error, &all);
	if (r == 0 && all.kind != JSON_ARRAY)
		r = error_set(l->error, &l->text, all.pos, "expected an array of entities");
	for (uint32_t i = 0; r == 0 && i < all.n; i++)
		r = add_entity(l, &all.kid[i]);
	arena_done(&mem);
	return r;
}

int cedar_entities_add_json(struct cedar_entities *es, struct span text, struct cedar_error *error)
{
	struct loader l = { es, NULL, text, error };

	return load(&l);
}

int cedar_entities_add_json_schema(struct cedar_entities *es, const struct cedar_schema *s,
				   struct span text, struct cedar_error *error)
{
	struct loader l = { es, s, text, error };
	int r = load(&l);

	return r < 0 ? r : cedar_schema_entities(s, es);
}
