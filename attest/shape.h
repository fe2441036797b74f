/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_ATTEST_SHAPE_H
#define TOLLGATE_ATTEST_SHAPE_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

/*
 * The shape that a signed document must have, as a table: which members, of which type, with which
 * values, and nothing else. A document of another shape means something else to somebody else.
 */
enum shape_kind {
	SHAPE_STRING,
	SHAPE_INTEGER,
	SHAPE_BOOL,
	SHAPE_OBJECT,
	SHAPE_ARRAY,
	SHAPE_ANY,
};

struct shape {
	enum shape_kind kind;
	bool nullable; /* null is as good */
	bool open; /* objects: members that the table does not know are let be */
	const struct shape_member *members; /* objects; ends with a NULL name; NULL: any members */
	const struct shape *element; /* arrays; NULL: anything */
	const char *const *words; /* strings: one of these, NULL-terminated */
	bool (*text)(const char *s); /* strings */
	json_int_t min, max; /* integers; both 0: any */
};

struct shape_member {
	const char *name;
	struct shape shape;
	bool optional;
};

/* Entries of such a table. */
#define SHAPE_MUST(n, ...) { .name = (n), .shape = __VA_ARGS__ }
#define SHAPE_MAY(n, ...) { .name = (n), .shape = __VA_ARGS__, .optional = true }

#define SHAPE_ERROR_SIZE 200

/* True when v has the shape; else error names the member and what is wrong with it. */
bool shape_check(const struct shape *s, const json_t *v, char error[SHAPE_ERROR_SIZE]);

/* For members of type string. */
bool shape_is_digest(const char *s); /* "sha256:" and 64, or "sha384:" and 96 lower-case hex digits */
bool shape_is_sha256_hex(const char *s); /* 64 lower-case hex digits */
bool shape_is_filled(const char *s); /* not empty */
bool shape_is_uri(const char *s); /* scheme, colon, no space or control */
bool shape_is_spiffe(const char *s);
bool shape_is_base64url(const char *s); /* not empty, no padding */

#endif
