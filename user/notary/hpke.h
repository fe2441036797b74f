/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_HPKE_H
#define TOLLGATE_HPKE_H

#include <stdint.h>

#include "user/base/buf.h"

/*
 * RFC 9180 in the one way that this project uses it: base mode, DHKEM(X25519, HKDF-SHA256), HKDF-SHA256,
 * AES-128-GCM, one message to a context. Who holds the recipient's private key can read; nobody can tell who wrote.
 */
#define HPKE_KEY 32 /* raw X25519 keys, public and private */
#define HPKE_ENC 32 /* the encapsulated key, in front of the ciphertext */
#define HPKE_TAG 16
#define HPKE_OVERHEAD (HPKE_ENC + HPKE_TAG)
#define HPKE_TEXT_MAX (256u << 20) /* of one message: the largest that may be configured for MCP */

/* Appends the encapsulated key and the ciphertext of the pieces one after another. 0, -EMSGSIZE, -ENOMEM, or -EIO:
 * the public key is none, or libcrypto refused. */
int hpke_seal(const uint8_t recipient[HPKE_KEY], struct span info, struct span aad, const struct span *pieces,
	      unsigned n, struct buf *out);

/* Appends the plaintext of what hpke_seal() appended. 0; -EBADMSG: another key, info or aad, or changed, with nothing
 * appended; -ENOMEM; -EIO. The caller wipes the buffer. Total on any input. */
int hpke_open(const uint8_t key[HPKE_KEY], struct span info, struct span aad, struct span sealed, struct buf *out);

/* Keys as OpenSSL's tools write them: PEM of SubjectPublicKeyInfo and of PKCS #8. 0 or -EINVAL. */
int hpke_public_parse(struct span pem, uint8_t ret[HPKE_KEY]);
int hpke_private_parse(struct span pem, uint8_t ret[HPKE_KEY]);

#endif
