/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_ATTEST_ED25519_KEY_H
#define TOLLGATE_ATTEST_ED25519_KEY_H

#include <stdbool.h>
#include <stdint.h>

#include "attest/jose.h"

/* Is this the one encoding of a point that can be a key? False for a coordinate of 2^255-19 or more and
 * for the eight points of small order, whose signatures anybody can make. OpenSSL, which verifies without
 * the cofactor and refuses other scalars and other encodings of R, does not look at this. RFC 8032. */
bool ed25519_key_is_sound(const uint8_t key[ED25519_KEY_SIZE]);

#endif
