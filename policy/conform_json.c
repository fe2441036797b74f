// SPDX-License-Identifier: Apache-2.0
/* JSON read as a schema declares it, where Cedar's escapes for entities and extension values may be
 * left out. Whether the value then conforms is asked of what was built. */
#include "policy/conform.h"

static void put_extension(struct cedar_build *b, const struct json *v, enum type_kind kind)
{
	struct span key = SPAN("__extn");
	struct json wrapped = { .kind = JSON_OBJECT, .pos = v->pos, .n = 1 };
	struct json inner = *v;

	wrapped.kid = &inner;
	wrapped.key = &key;
	if (v->kind == JSON_OBJECT && json_get(v, "fn"))
		json_put(b, &wrapped);
	else if (v->kind != JSON_STRING)
		json_put(b, v);
	else if (kind == TYPE_DECIMAL)
		cedar_put_decimal(b, v->str);
	else if (kind == TYPE_IPADDR)
		cedar_put_ip(b, v->str);
	else if (kind == TYPE_DATETIME)
		cedar_put_datetime(b, v->str);
	else
		cedar_put_duration(b, v->str);
}

static void put_record(struct cedar_build *b, const struct json *v, const struct type *t)
{
	cedar_open_record(b);
	for (uint32_t i = 0; i < v->n; i++) {
		const struct type_attr *attr = type_get(t, v->key[i]);

		cedar_key(b, v->key[i]);
		if (attr)
			conform_put(b, &v->kid[i], attr->type);
		else
			json_put(b, &v->kid[i]);
	}
	cedar_close(b);
}

static bool is_escape(const struct json *v)
{
	return v->n == 1 && (span_is(v->key[0], "__entity") || span_is(v->key[0], "__extn"));
}

void conform_put(struct cedar_build *b, const struct json *v, const struct type *t)
{
	struct cedar_uid uid;

	if (b->r < 0)
		return;
	if (t->kind >= TYPE_DECIMAL && t->kind <= TYPE_DURATION) {
		put_extension(b, v, t->kind);
	} else if (t->kind == TYPE_ENTITY && json_uid(v, &uid)) {
		cedar_put_entity(b, uid.type, uid.id);
	} else if (t->kind == TYPE_SET && v->kind == JSON_ARRAY) {
		cedar_open_set(b);
		for (uint32_t i = 0; i < v->n; i++)
			conform_put(b, &v->kid[i], t->element);
		cedar_close(b);
	} else if (t->kind == TYPE_RECORD && v->kind == JSON_OBJECT &&
		   (!is_escape(v) || type_get(t, v->key[0]))) {
		put_record(b, v, t);
	} else {
		json_put(b, v);
	}
}
