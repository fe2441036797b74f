// SPDX-License-Identifier: Apache-2.0
/* Cedar's JSON entity format. Reading is jansson's; this decides what the values mean. */
#include "policy/entities_json.h"

#include <errno.h>
#include <string.h>

#include "policy/build.h"
#include "policy/text.h"

static struct span json_span(const json_t *v)
{
	return (struct span){ json_string_value(v), json_string_length(v) };
}

bool json_uid(const json_t *v, struct cedar_uid *ret)
{
	const json_t *inner = json_object_get(v, "__entity"), *type, *id;

	if (inner)
		v = inner;
	type = json_object_get(v, "type");
	id = json_object_get(v, "id");
	if (!json_is_string(type) || !json_is_string(id))
		return false;
	*ret = (struct cedar_uid){ json_span(type), json_span(id) };
	return true;
}

/* {"fn": F, "arg": A} or {"fn": F, "args": [...]}; false when it has another shape, and is a record. */
static bool put_call(struct cedar_build *b, const json_t *v)
{
	const json_t *name = json_object_get(v, "fn"), *arg = json_object_get(v, "arg");
	const json_t *args = json_object_get(v, "args"), *each;
	enum ext_fn fn;
	size_t i;

	if (!json_is_string(name) || (!arg && !json_is_array(args)))
		return false;
	fn = ext_find(json_span(name));
	if (fn == EXT_FN_COUNT) {
		cedar_build_fail(b, -EINVAL);
		return true;
	}
	cedar_open_set(b);
	if (arg) {
		json_put(b, arg);
	} else {
		json_array_foreach(args, i, each)
			json_put(b, each);
	}
	build_close_call(b, fn);
	return true;
}

static void put_object(struct cedar_build *b, json_t *v)
{
	const json_t *entity = json_object_get(v, "__entity"), *call = json_object_get(v, "__extn");
	bool alone = json_object_size(v) == 1;
	struct cedar_uid uid;
	const char *key;
	json_t *member;
	size_t n;

	if (alone && json_object_get(v, "__expr")) {
		cedar_build_fail(b, -EINVAL);
		return;
	}
	if (alone && entity && json_uid(entity, &uid)) {
		cedar_put_entity(b, uid.type, uid.id);
		return;
	}
	if (alone && call && put_call(b, call))
		return;
	cedar_open_record(b);
	json_object_keylen_foreach(v, key, n, member) {
		if (b->r < 0)
			return;
		cedar_key(b, (struct span){ key, n });
		json_put(b, member);
	}
	cedar_close(b);
}

void json_put(struct cedar_build *b, const json_t *v)
{
	const json_t *each;
	size_t i;

	if (b->r < 0)
		return; /* also ends the recursion, which the builder's depth limit bounds */
	switch (json_typeof(v)) {
	case JSON_TRUE:
	case JSON_FALSE:
		cedar_put_bool(b, json_is_true(v));
		break;
	case JSON_INTEGER:
		cedar_put_long(b, json_integer_value(v));
		break;
	case JSON_STRING:
		cedar_put_string(b, json_span(v));
		break;
	case JSON_ARRAY:
		cedar_open_set(b);
		json_array_foreach(v, i, each)
			json_put(b, each);
		cedar_close(b);
		break;
	case JSON_OBJECT:
		put_object(b, (json_t *)v);
		break;
	default:
		cedar_build_fail(b, -EINVAL);
	}
}

json_t *json_strict(struct span text, struct cedar_error *error)
{
	json_error_t je;
	json_t *j;

	if (text.n > CEDAR_TEXT_MAX) {
		error_set(error, NULL, 0, "the text is larger than %u bytes", CEDAR_TEXT_MAX);
		return NULL;
	}
	j = json_loadb(text.p ? text.p : "", text.n, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &je);
	if (!j) {
		error_set(error, NULL, 0, "%s", je.text);
		error->line = je.line > 0 ? (uint32_t)je.line : 0;
		error->column = je.column > 0 ? (uint32_t)je.column : 0;
		error->offset = je.position > 0 ? (uint32_t)je.position : 0;
	}
	return j;
}

/* --- the store --------------------------------------------------------------------------------------- */

static int bad_entity(struct cedar_error *error, size_t i, const struct cedar_uid *uid, const char *what)
{
	if (!uid)
		return error_set(error, NULL, 0, "entity %zu: %s", i, what);
	return error_set(error, NULL, 0, "entity %.*s::\"%.*s\": %s", (int)(uid->type.n > 80 ? 80 : uid->type.n),
			 uid->type.p, (int)(uid->id.n > 80 ? 80 : uid->id.n), uid->id.p, what);
}

static int put_record(struct cedar_entities *es, const json_t *v, int (*take)(struct cedar_entities *))
{
	struct cedar_build *b = cedar_entities_build(es);

	if (!json_is_object(v))
		return -EINVAL;
	json_put(b, v);
	return take(es);
}

static int add_entity(struct cedar_entities *es, size_t i, const json_t *v, struct cedar_error *error)
{
	const json_t *attrs = json_object_get(v, "attrs"), *parents = json_object_get(v, "parents");
	const json_t *tags = json_object_get(v, "tags"), *each;
	struct cedar_uid uid, parent;
	size_t k;
	int r;

	if (!json_uid(json_object_get(v, "uid"), &uid))
		return bad_entity(error, i, NULL, "lacks a uid of type and id");
	r = cedar_entities_begin(es, uid.type, uid.id);
	if (r < 0)
		return r == -EINVAL ? bad_entity(error, i, &uid, "the type is not a name") : r;
	r = put_record(es, attrs, cedar_entities_attrs);
	if (r < 0)
		return r == -ENOMEM ? r : bad_entity(error, i, &uid, "attrs is missing or cannot be read");
	if (!json_is_array(parents))
		return bad_entity(error, i, &uid, "parents is missing or not an array");
	json_array_foreach(parents, k, each) {
		r = json_uid(each, &parent) ? cedar_entities_parent(es, parent.type, parent.id) : -EINVAL;
		if (r < 0)
			return r == -ENOMEM ? r : bad_entity(error, i, &uid, "a parent has no type and id");
	}
	if (tags)
		r = put_record(es, tags, cedar_entities_tags);
	return r < 0 && r != -ENOMEM ? bad_entity(error, i, &uid, "tags cannot be read") : r;
}

int cedar_entities_add_json(struct cedar_entities *es, struct span text, struct cedar_error *error)
{
	json_t *j = json_strict(text, error), *each;
	int r = j ? 0 : -EINVAL;
	size_t i;

	if (j && !json_is_array(j))
		r = error_set(error, NULL, 0, "expected an array of entities");
	for (i = 0; r == 0 && i < json_array_size(j); i++) {
		each = json_array_get(j, i);
		r = add_entity(es, i, each, error);
	}
	json_decref(j);
	return r;
}
