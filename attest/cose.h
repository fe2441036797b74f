/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_ATTEST_COSE_H
#define TOLLGATE_ATTEST_COSE_H

#include <stdbool.h>
#include <stdint.h>

#include "attest/jose.h"
#include "user/base/span.h"

/* COSE_Sign1 of RFC 9052, with its payload inside and Ed25519 signatures. */

#define COSE_MAX (1u << 20) /* bytes of one object: manifests are some kilobytes, receipts double that */

#define COSE_TAG_SIGN1 18
#define COSE_ALG_EDDSA (-8) /* RFC 9053; with a key of Ed25519 the same algorithm as the next */
#define COSE_ALG_ED25519 (-19) /* RFC 9864 */

/* All spans are borrowed from the text that was read. */
struct cose_sign1 {
	int64_t alg;
	struct span kid, type, content_type; /* n 0: not given */
	struct span protected_header, payload, signature;
};

/* Takes apart one tagged COSE_Sign1 in deterministic CBOR. What the protected header says is all that is
 * read: an unprotected alg or crit is refused, other unprotected parameters are let be, for anybody may
 * have added them. 0, or -EINVAL with the stable words of the defect in *ret_code (static). */
int cose_sign1_read(struct span text, struct cose_sign1 *ret, const char **ret_code);

/* Is the signature the key's, over the protected header and the payload with no external data? False for
 * every failure, want of memory included. */
bool cose_sign1_verify(const struct cose_sign1 *s, const uint8_t key[ED25519_KEY_SIZE]);

#endif
