/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_POLICY_JSON_H
#define TOLLGATE_POLICY_JSON_H

#include "policy/build.h"
#include "policy/cedar.h"
#include "policy/mem.h"

/*
 * JSON (RFC 8259) as Cedar needs it: exact integers, NUL in names, places for messages, duplicate
 * keys refused. For policies, entities and test data, which are loaded once; not for the hot path.
 */
#define JSON_DEPTH_MAX (CEDAR_VALUE_DEPTH_MAX * 2) /* each entity escape adds two levels */

enum json_kind {
	JSON_NONE = 0,
	JSON_NULL,
	JSON_BOOL, /* num */
	JSON_INT, /* num */
	JSON_FRACTION, /* or beyond 64 bits: only its text is known */
	JSON_STRING, /* str */
	JSON_ARRAY, /* kid[n] */
	JSON_OBJECT, /* kid[n], key[n], in the order of the text */
};

struct json {
	enum json_kind kind;
	uint32_t pos, n;
	union {
		int64_t num;
		struct span str;
		struct json *kid;
	};
	struct span *key;
};

/* The value lives in mem; strings without escapes point into text. -EINVAL with *error set;
 * -ENOMEM, -EFBIG. */
int json_parse(struct arena *mem, struct span text, struct cedar_error *error, struct json *ret);
/* The same with another limit than JSON_DEPTH_MAX on arrays and objects within each other. */
int json_parse_deep(struct arena *mem, struct span text, unsigned depth_max,
		    struct cedar_error *error, struct json *ret);

/* The member, or NULL when there is none or v is no object. */
const struct json *json_get(const struct json *v, const char *key);
/* The text of a string, {NULL, 0} for anything else. */
struct span json_str(const struct json *v);

/* {"type": T, "id": I}, or that within "__entity". */
bool json_uid(const struct json *v, struct cedar_uid *ret);

/* Puts a value as Cedar reads it without a schema: {"__entity": ...} and {"__extn": ...} are
 * escapes when they stand alone and have the shape; null, fractions and "__expr" are errors. */
void json_put(struct cedar_build *b, const struct json *v);

#endif
