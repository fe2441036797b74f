// SPDX-License-Identifier: Apache-2.0
/* JSON read as a schema declares it, where Cedar's escapes for entities and extension values may be
 * left out. Whether the value then conforms is asked of what was built. */
#include <errno.h>

#include "policy/conform.h"
#include "policy/validate.h"

static void put_text(struct cedar_build *b, struct span text, enum type_kind kind)
{
	if (kind == TYPE_DECIMAL)
		cedar_put_decimal(b, text);
	else if (kind == TYPE_IPADDR)
		cedar_put_ip(b, text);
	else if (kind == TYPE_DATETIME)
		cedar_put_datetime(b, text);
	else
		cedar_put_duration(b, text);
}

static void put_argument(struct cedar_build *b, const struct json *v, enum ext_fn fn, uint32_t i)
{
	const struct type *t = call_argument(fn, i);

	if (t)
		conform_put(b, v, t);
	else
		cedar_build_fail(b, -EINVAL);
}

/* {"fn": F, "arg": A} or {"fn": F, "args": [...]}, whose arguments are read by their types too. */
static void put_call(struct cedar_build *b, const struct json *v)
{
	const struct json *arg = json_get(v, "arg"), *args = json_get(v, "args");
	enum ext_fn fn = ext_find(json_str(json_get(v, "fn")));

	if (fn == EXT_FN_COUNT || (!arg && (!args || args->kind != JSON_ARRAY))) {
		cedar_build_fail(b, -EINVAL);
		return;
	}
	cedar_open_set(b);
	if (arg)
		put_argument(b, arg, fn, 0);
	for (uint32_t i = 0; !arg && i < args->n; i++)
		put_argument(b, &args->kid[i], fn, i);
	build_close_call(b, fn);
}

static void put_extension(struct cedar_build *b, const struct json *v, enum type_kind kind)
{
	if (v->kind == JSON_STRING)
		put_text(b, v->str, kind);
	else if (v->kind == JSON_OBJECT && v->n == 1 && span_is(v->key[0], "__extn"))
		put_call(b, &v->kid[0]);
	else if (v->kind == JSON_OBJECT && json_get(v, "fn"))
		put_call(b, v);
	else
		json_put(b, v);
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
