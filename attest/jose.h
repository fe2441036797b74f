/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_ATTEST_JOSE_H
#define TOLLGATE_ATTEST_JOSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "user/base/buf.h"
#include "user/base/digest.h"
#include "user/base/span.h"

/* Ed25519 keys and signatures in the forms of RFC 7515, 7517, 7638 and 8037. */

#define ED25519_KEY_SIZE 32
#define ED25519_SIGNATURE_SIZE 64

/* Decodes base64url without padding into exactly n bytes. Refused: other characters, padding, another
 * length, unused bits that are set, so no two texts mean the same bytes. 0 or -EINVAL. */
int base64url_decode(struct span text, uint8_t *ret, size_t n);
/* Appends the same. */
int base64url_append(const void *p, size_t n, struct buf *out);

/* The public key of a JWK with kty OKP and crv Ed25519. 0 or -EINVAL. */
int jwk_ed25519(const json_t *jwk, uint8_t ret[ED25519_KEY_SIZE]);

/* RFC 7638 thumbprint of such a key. */
void jwk_ed25519_thumbprint(const uint8_t key[ED25519_KEY_SIZE], uint8_t ret[SHA256_SIZE]);

/* RFC 8032, under keys that ed25519_key_is_sound() alone. False for every failure, want of memory included. */
bool ed25519_verify(const uint8_t key[ED25519_KEY_SIZE], struct span message,
		    const uint8_t signature[ED25519_SIGNATURE_SIZE]);

/* The same with the signature in base64url. */
bool ed25519_verify_text(const uint8_t key[ED25519_KEY_SIZE], struct span message, struct span signature);

#endif
