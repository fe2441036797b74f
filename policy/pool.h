/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_POLICY_POOL_H
#define TOLLGATE_POLICY_POOL_H

#include <stdbool.h>
#include <stdint.h>

/* Numbers by the hash of what they stand for: how equal constants, paths, conjuncts get one number
 * while a snapshot is made. Zero-initialised is empty. */
struct pool {
	uint32_t *slot; /* number + 1, 0: free */
	uint32_t *tag;
	uint32_t mask, n;
};

#define POOL_NONE UINT32_MAX

/* The first number of a hash for which same() holds, or POOL_NONE. */
uint32_t pool_find(const struct pool *p, uint32_t hash, bool (*same)(const void *ctx, uint32_t id),
		   const void *ctx);
/* 0 or -ENOMEM. */
int pool_add(struct pool *p, uint32_t hash, uint32_t id);
void pool_done(struct pool *p);

#endif
