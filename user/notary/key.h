/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_KEY_H
#define TOLLGATE_KEY_H

#include <stddef.h>
#include <stdint.h>

#define KEY_SIZE 32 /* Ed25519 public key and seed, RFC 8032 */
#define KEY_SIG_SIZE 64

/* The Ed25519 key that signs checkpoints; in the notary only. */
struct log_key;

/* Reads the seed from path, or makes one (mode 0600, created exclusively, synced) when there is no
 * file. path NULL: a key that lives in memory only. -EPERM when the file is open to others, -EBADMSG
 * when it is not a key file. */
int log_key_open(const char *path, struct log_key **ret);
int log_key_of_seed(const uint8_t seed[KEY_SIZE], struct log_key **ret); /* the seed stays the caller's */
void log_key_free(struct log_key *k);
void log_key_public(const struct log_key *k, uint8_t ret[KEY_SIZE]);
int log_key_sign(struct log_key *k, const void *p, size_t n, uint8_t ret[KEY_SIG_SIZE]);

/* 0 when sig is the key's Ed25519 signature over the n bytes, else -EBADMSG. */
int log_key_check(const uint8_t pub[KEY_SIZE], const void *p, size_t n,
		  const uint8_t sig[KEY_SIG_SIZE]);

/* The node's 32 secret bytes of salt.h, from path in the same form and under the same rules. */
int salt_key_open(const char *path, uint8_t ret[KEY_SIZE]);

#endif
