/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_ATTEST_CBOR_H
#define TOLLGATE_ATTEST_CBOR_H

#include <stdint.h>

#include "user/base/span.h"

/*
 * RFC 8949, what COSE needs of it, in the core deterministic encoding (section 4.2.1): shortest heads,
 * definite lengths, names of a map in the order of their bytes and none twice, texts in UTF-8. Of the
 * simple values false, true and null exist; floating point does not.
 */

#define CBOR_DEPTH_MAX 16 /* a COSE_Sign1 with receipts and an attestation block nests eight deep */

enum cbor_type {
	CBOR_UINT,
	CBOR_NINT, /* means -1 - value */
	CBOR_BYTES,
	CBOR_TEXT,
	CBOR_ARRAY, /* value items follow */
	CBOR_MAP, /* value pairs of items follow */
	CBOR_TAG, /* one item follows */
	CBOR_SIMPLE,
};

#define CBOR_NULL 22 /* the value of CBOR_SIMPLE */

struct cbor_item {
	enum cbor_type type;
	uint64_t value;
	struct span bytes; /* of CBOR_BYTES and CBOR_TEXT; borrowed */
};

/* Is this exactly one item, well-formed and deterministic through and through? 0 or -EINVAL. */
int cbor_check(struct span all);

/* Reads the head of the next item, and the content of bytes and text, and moves *rest behind it. 0, or
 * -EINVAL with *rest as it was. */
int cbor_read(struct span *rest, struct cbor_item *ret);

/* Moves *rest behind the next item and all that is in it. 0, or -EINVAL with *rest as it was. */
int cbor_skip(struct span *rest);

#endif
