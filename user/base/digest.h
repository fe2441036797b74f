/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_DIGEST_H
#define TOLLGATE_DIGEST_H

#include <stddef.h>
#include <stdint.h>

#define SHA256_SIZE 32
#define SHA256_HEX_SIZE (2 * SHA256_SIZE + 1)
#define SHA256_PREFIXED_SIZE (7 + SHA256_HEX_SIZE) /* "sha256:" and hex */

/* FIPS 180-4. Cannot fail on memory that is readable. */
void sha256(const void *p, size_t n, uint8_t ret[SHA256_SIZE]);

/* SHA-256 over a file's bytes from its start, read through fd. 0 or -errno. */
int sha256_fd(int fd, uint8_t ret[SHA256_SIZE]);

/* Lower-case hex with a NUL: ret holds 2*n+1 bytes. */
void hex_encode(const void *p, size_t n, char *ret);

/* Exactly 2*n hex digits, either case. 0 or -EINVAL. */
int hex_decode(const char *s, size_t len, uint8_t *ret, size_t n);

/* "sha256:<hex>" of the given digest. */
void sha256_prefixed(const uint8_t digest[SHA256_SIZE], char ret[SHA256_PREFIXED_SIZE]);

#endif
