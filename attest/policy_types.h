/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_ATTEST_POLICY_TYPES_H
#define TOLLGATE_ATTEST_POLICY_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "user/base/span.h"

/* The kinds of values that a policy is made of, and the table that says which a section has. */

#define POLICY_LIST_MAX 65536 /* entries of one list */
#define POLICY_TEXT_MAX 128 /* bytes of one text */

/* Byte strings of one size, in hex in the file: "given" tells an empty list, which nothing is in,
 * from none, which expects nothing. */
struct policy_set {
	uint8_t *bytes;
	unsigned n, size;
	bool given;
};

struct policy_texts {
	char **text;
	unsigned n;
	bool given;
};

struct policy_error {
	char text[256];
};

/* Compares in constant time. */
bool policy_set_has(const struct policy_set *s, struct span bytes);
/* Makes the set hold this one value instead of what it held. 0 or -ENOMEM. */
int policy_set_only(struct policy_set *s, struct span bytes);
void policy_set_done(struct policy_set *s);
bool policy_texts_have(const struct policy_texts *t, const char *text);
void policy_texts_done(struct policy_texts *t);

enum policy_kind {
	POLICY_BOOL, /* bool */
	POLICY_UINT, /* uint32_t, at most max */
	POLICY_SET, /* struct policy_set: hex string or array of them, each of max bytes */
	POLICY_TEXTS, /* struct policy_texts: array of strings */
	POLICY_WORDS, /* uint32_t: array of words, bit i for words[i] */
	POLICY_OBJECT, /* members as another table says, relative to offset */
};

struct policy_key {
	const char *name;
	enum policy_kind kind;
	size_t offset; /* in the struct that the table describes */
	uint32_t max;
	const char *const *words; /* NULL-terminated, at most 32 */
	const struct policy_key *keys; /* of POLICY_OBJECT; a table ends with a NULL name */
};

#endif
