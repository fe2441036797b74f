// SPDX-License-Identifier: Apache-2.0
/* What JSON values mean to Cedar when no schema tells: scalars, sets, records, and two escapes. */
#include <errno.h>

#include "policy/json.h"

bool json_uid(const struct json *v, struct cedar_uid *ret)
{
	const struct json *inner = json_get(v, "__entity"), *type, *id;

	if (inner)
		v = inner;
	type = json_get(v, "type");
	id = json_get(v, "id");
	if (!type || !id || type->kind != JSON_STRING || id->kind != JSON_STRING)
		return false;
	*ret = (struct cedar_uid){ type->str, id->str };
	return true;
}

/* {"fn": F, "arg": A} or {"fn": F, "args": [...]}; false when it has another shape, and is a
 * record. */
static bool put_call(struct cedar_build *b, const struct json *v)
{
	const struct json *name = json_get(v, "fn"), *arg = json_get(v, "arg"),
			  *args = json_get(v, "args");
	enum ext_fn fn;

	if (!name || name->kind != JSON_STRING || (!arg && (!args || args->kind != JSON_ARRAY)))
		return false;
	fn = ext_find(name->str);
	if (fn == EXT_FN_COUNT) {
		cedar_build_fail(b, -EINVAL);
		return true;
	}
	cedar_open_set(b);
	if (arg)
		json_put(b, arg);
	for (uint32_t i = 0; !arg && i < args->n; i++)
		json_put(b, &args->kid[i]);
	build_close_call(b, fn);
	return true;
}

static void put_object(struct cedar_build *b, const struct json *v)
{
	struct cedar_uid uid;

	if (v->n == 1 && json_get(v, "__expr")) {
		cedar_build_fail(b, -EINVAL);
		return;
	}
	if (v->n == 1 && json_get(v, "__entity") && json_uid(v, &uid)) {
		cedar_put_entity(b, uid.type, uid.id);
		return;
	}
	if (v->n == 1 && span_is(v->key[0], "__extn") && put_call(b, &v->kid[0]))
		return;
	cedar_open_record(b);
	for (uint32_t i = 0; i < v->n; i++) {
		cedar_key(b, v->key[i]);
		json_put(b, &v->kid[i]);
	}
	cedar_close(b);
}

void json_put(struct cedar_build *b, const struct json *v)
{
	if (b->r < 0)
		return;
	switch (v->kind) {
	case JSON_BOOL:
		cedar_put_bool(b, v->num);
		break;
	case JSON_INT:
		cedar_put_long(b, v->num);
		break;
	case JSON_STRING:
		cedar_put_string(b, v->str);
		break;
	case JSON_ARRAY:
		cedar_open_set(b);
		for (uint32_t i = 0; i < v->n; i++)
			json_put(b, &v->kid[i]);
		cedar_close(b);
		break;
	case JSON_OBJECT:
		put_object(b, v);
		break;
	default: /* null, fractions */
		cedar_build_fail(b, -EINVAL);
	}
}
