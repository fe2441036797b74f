/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_POLICY_INTERN_H
#define TOLLGATE_POLICY_INTERN_H

#include <stdint.h>

#include "policy/mem.h"
#include "user/base/span.h"

#define SYM_NONE UINT32_MAX /* no symbol: the name is not in the snapshot */

/* Names (of attributes, tags and types) as numbers, given out from 0. Filled while a snapshot is
 * built; afterwards looked up only, so what requests hold cannot make it grow. */
struct intern {
	uint64_t seed;
	VEC(struct span) names;
	uint32_t *slot; /* symbol + 1, 0: free */
	uint32_t *tag; /* hash of what is in the slot */
	uint32_t mask; /* slots - 1, when there are any */
};

/* A seeded hash; the seed is secret and random per table, since keys come from requests. */
uint64_t hash_bytes(uint64_t seed, struct span s);
uint64_t hash_u64(uint64_t seed, uint64_t v);
uint64_t hash_seed(void);

/* SYM_NONE when it is not there. */
uint32_t intern_find(const struct intern *in, struct span name);
/* name is borrowed for the table's life, unless it was there before. 0 or -ENOMEM. */
int intern_add(struct intern *in, struct span name, uint32_t *ret);
void intern_done(struct intern *in);

#endif
