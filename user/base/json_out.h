/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_JSON_OUT_H
#define TOLLGATE_JSON_OUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "user/base/buf.h"
#include "user/base/span.h"

/*
 * Streaming JSON writer, used for records, API answers and command output. Output is ASCII only:
 * what lies outside 0x20..0x7e is escaped (\b \t \n \f \r, else \uXXXX in lower case, surrogate pairs
 * above U+FFFF), so the bytes are the same under Python's json.dumps(ensure_ascii=True) and, for ASCII
 * without DEL, RFC 8785. The writer does not sort: whoever needs canonical form writes members in order.
 * Errors stick: calls after a failure do nothing and json_out_end() reports it.
 */
struct json_out {
	struct buf *out;
	int error;
	unsigned depth;
	bool comma;
};

void json_out_init(struct json_out *j, struct buf *out);

void json_out_object(struct json_out *j);
void json_out_object_end(struct json_out *j);
void json_out_array(struct json_out *j);
void json_out_array_end(struct json_out *j);

/* Member name; the value must follow. */
void json_out_key(struct json_out *j, const char *name);
void json_out_key_span(struct json_out *j, struct span name);

/* Invalid UTF-8 is written as U+FFFD. */
void json_out_string(struct json_out *j, struct span s);
void json_out_int(struct json_out *j, int64_t v);
void json_out_bool(struct json_out *j, bool v);
void json_out_null(struct json_out *j);
/* Inserts bytes that are already a JSON value. */
void json_out_raw(struct json_out *j, struct span s);

/* Member shorthands; a NULL string is written as null. */
void json_out_member_str(struct json_out *j, const char *name, const char *s);
void json_out_member_span(struct json_out *j, const char *name, struct span s);
void json_out_member_int(struct json_out *j, const char *name, int64_t v);
void json_out_member_bool(struct json_out *j, const char *name, bool v);

/* 0, or the first error (-ENOMEM, -EMSGSIZE; -EINVAL when objects are left open). */
int json_out_end(struct json_out *j);

#endif
