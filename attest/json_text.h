/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_ATTEST_JSON_TEXT_H
#define TOLLGATE_ATTEST_JSON_TEXT_H

#include <jansson.h>

#include "user/base/buf.h"
#include "user/base/cleanup.h"
#include "user/base/digest.h"
#include "user/base/span.h"

/*
 * JSON that is signed or hashed: read without leniency, written in one of the two canonical forms
 * that are in use for claims and records.
 */

#define JSON_TEXT_MAX (64u << 20) /* bytes of one document: an audit bundle of some 50,000 calls */
#define JSON_TEXT_ERROR_SIZE 200

static inline void json_decref_at(json_t **v)
{
	json_decref(*v);
}
#define _cleanup_json_ _cleanup_(json_decref_at)

/* Reads one document. Refused: a member given twice, a lone surrogate, NUL in a string, an integer
 * beyond 64 bits, anything after the end. 0, -EINVAL with line and reason in error, -EFBIG, -ENOMEM. */
int json_text_read(struct span text, json_t **ret, char error[JSON_TEXT_ERROR_SIZE]);

enum json_form {
	/* RFC 8785: names by UTF-16 code units, text as it is but for the escapes that JSON needs. */
	JSON_FORM_JCS,
	/* What Python's json.dumps(sort_keys=True, separators=(",", ":")) writes: names by code point, all
	 * outside 0x20..0x7e as \uXXXX. The cMCP runtime hashes and signs this. */
	JSON_FORM_ASCII,
};

/* Appends v; without is a member of the outermost object that is left out (NULL: none). 0; -EDOM at a
 * number that is no integer of at most 2^53-1, which the two forms write differently; -ELOOP beyond
 * the depth limit; -ENOMEM or -EMSGSIZE. */
int json_canonical(const json_t *v, enum json_form form, const char *without, struct buf *out);

/* SHA-256 over it; same errors. */
int json_canonical_sha256(const json_t *v, enum json_form form, const char *without,
			  uint8_t ret[SHA256_SIZE]);

/* The string member, or "" with n 0 when it is not there or no string. */
struct span json_member_text(const json_t *object, const char *name);
/* "member" or "member.member": the value, or NULL. */
const json_t *json_path(const json_t *v, const char *path);

#endif
