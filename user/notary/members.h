/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_MEMBERS_H
#define TOLLGATE_MEMBERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "user/notary/view.h"

/* The one table of a record's members, in code-point order of their names, shared by writer and reader. */
enum member_kind {
	MEMBER_TEXT = 0, /* any text, percent-escaped */
	MEMBER_INT,
	MEMBER_TRUE, /* true, or left out */
	MEMBER_NULL, /* reserved by the upstream format; nothing here fills it yet */
	MEMBER_TYPE, MEMBER_DECISION, MEMBER_DURABILITY, /* one of fixed words */
	MEMBER_SESSION, MEMBER_SEQUENCE, MEMBER_PREV, MEMBER_HASH, MEMBER_ENTRY_ID, MEMBER_TIME,
	MEMBER_IDS, /* array of texts */
	MEMBER_DETAIL, /* flat object of texts and integers */
};

#define MEMBER_KEY_SIZE 32
#define MEMBER_KEY_MIN 7 /* "mode": */

struct member {
	char key[MEMBER_KEY_SIZE]; /* with quotes and colon: "\"agent\":"; copied whole by the writer */
	uint8_t key_n;
	uint8_t kind;
	bool always; /* present in every record, null when there is nothing to say */
	uint16_t offset; /* of the value in struct record, for MEMBER_TEXT, _INT and _TRUE */
	const char *fallback; /* text instead of null */
};

/* What names of detail's members are made of. */
static inline bool record_name_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
}

/* How many bytes at the front of a text stand in a record as they are; the next one is escaped. Many at a time, as
 * most texts are plain throughout. The second copies them too, in the same
 * pass; `to` has room for n bytes, and behind the run they are undefined. */
size_t record_plain_run(const char *p, size_t n);
size_t record_plain_copy(char *to, const char *p, size_t n);

extern const struct member record_members[M_COUNT];

#endif
