/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_HASHER_H
#define TOLLGATE_HASHER_H

#include <stddef.h>
#include <stdint.h>

#include "user/base/digest.h"
#include "user/base/span.h"

/* A SHA-256 state that is made once and used many times: a short message costs a quarter of what
 * sha256() does, and nothing is allocated. One user at a time. */
struct hasher;

int hasher_new(struct hasher **ret); /* 0 or -ENOMEM */
void hasher_free(struct hasher *h);

/* This thread's own state, made at the first call and kept; NULL without memory. For leaf functions that
 * have no place to keep one: nothing that is called between two uses may use it too. */
struct hasher *hasher_of_thread(void);

/* A digest whose bytes come in pieces over time: begin, add any number of times, end. The state holds nothing else
 * meanwhile. */
void hasher_begin(struct hasher *h);
void hasher_add(struct hasher *h, struct span piece);
void hasher_end(struct hasher *h, uint8_t ret[SHA256_SIZE]);

/* Digest of the pieces one after another. */
void hasher_sha256(struct hasher *h, const struct span *pieces, unsigned n, uint8_t ret[SHA256_SIZE]);

#endif
