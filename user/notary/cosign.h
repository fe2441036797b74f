/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_COSIGN_H
#define TOLLGATE_COSIGN_H

#include <stdint.h>

#include "user/base/buf.h"
#include "user/notary/checkpoint.h"

/*
 * The second signature of a checkpoint, by a P-256 key that never leaves its hardware. C2SP signed-note,
 * signature type 0x02: the key ID is the first four bytes of SHA-256(SubjectPublicKeyInfo), the signature
 * ECDSA over SHA-256 of the text, in DER.
 */
#define COSIGN_SPKI_MAX 128 /* P-256 takes 91 */
#define COSIGN_SIG_MAX 72 /* two INTEGERs of 33 bytes in a SEQUENCE */

struct cosign_key {
	char name[CHECKPOINT_NAME_MAX + 1];
	uint8_t id[4];
	uint8_t spki[COSIGN_SPKI_MAX];
	size_t spki_n;
};

/* 0, or -EINVAL when spki is no P-256 key or the name none for a note. */
int cosign_key_of(const char *name, struct span spki, struct cosign_key *ret);
/* name+hex key ID+base64(0x02 || SubjectPublicKeyInfo), no newline. */
int cosign_key_text(const struct cosign_key *k, struct buf *out);
/* Surrounding white space is allowed; -EINVAL when malformed or the key ID is not the key's. */
int cosign_key_parse(struct span text, struct cosign_key *ret);

/* Makes the DER signature of a SHA-256 digest: the hardware. */
typedef int (*cosign_fn)(void *arg, const uint8_t digest[32], struct buf *der);

/* Appends a signature line of k to a note that is signed already. */
int cosign_append(struct buf *note, const struct cosign_key *k, cosign_fn sign, void *arg);

/* 0 when the note has one signature of k and it is good, -ENODATA when it has none, -EKEYREJECTED when one
 * is bad or there are two, -EBADMSG malformed. */
int cosign_check(struct span note, const struct cosign_key *k);

#endif
