/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_ATTEST_JWS_H
#define TOLLGATE_ATTEST_JWS_H

#include "user/base/buf.h"
#include "user/base/span.h"

/* Compact JWS (RFC 7515) with ES256 (RFC 7518, section 3.4): what verifiers of attestation results read. */
#define JWS_KEY_MAX 16384 /* bytes of a PEM file with a private key */

/* Appends the payload signed by the private key, PEM of a P-256 key; typ is the header's member of that name, and kid
 * the key's RFC 7638 thumbprint. 0; -EBADMSG when it is no such key; -ENOMEM. */
int jws_sign_es256(struct span key_pem, const char *typ, struct span payload, struct buf *out);

#endif
