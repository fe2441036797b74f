/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_POLICY_INTERN_H
#define TOLLGATE_POLICY_INTERN_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

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

/* A seeded hash; the seed is secret and random per table, since keys come from requests. Inline:
 * most keys are shorter than a call is long. */
uint64_t hash_seed(void);

static inline uint64_t hash_mix(uint64_t a, uint64_t b)
{
	unsigned __int128 m = (unsigned __int128)a * b;

	return (uint64_t)m ^ (uint64_t)(m >> 64);
}

#define HASH_A 0x9e3779b97f4a7c15ULL
#define HASH_B 0xd6e8feb86659fd93ULL

static inline uint64_t hash_u64(uint64_t seed, uint64_t v)
{
	return hash_mix(seed ^ v, HASH_A ^ (seed >> 32));
}

static inline uint64_t load_u64(const char *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static inline uint32_t load_u32(const char *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static inline uint64_t hash_bytes(uint64_t seed, struct span s)
{
	uint64_t a = 0, b = 0, h = seed ^ s.n * HASH_B;
	const char *p = s.p;
	size_t n = s.n;

	for (; n > 16; p += 16, n -= 16)
		h = hash_mix(load_u64(p) ^ HASH_B ^ h, load_u64(p + 8) ^ seed);
	if (n >= 4) {
		size_t half = n >> 3 << 2; /* one way for 4 to 16 bytes: no branch to mispredict */

		a = load_u32(p) | (uint64_t)load_u32(p + half) << 32;
		b = load_u32(p + n - 4) | (uint64_t)load_u32(p + n - 4 - half) << 32;
	} else if (n) {
		a = (uint64_t)(unsigned char)p[0] << 16 | (uint64_t)(unsigned char)p[n / 2] << 8 |
		    (unsigned char)p[n - 1];
	}
	return hash_mix(hash_mix(a ^ h, b ^ HASH_A ^ seed), HASH_A ^ h);
}

#define SHORT_MAX 16

/* The same bytes, at most SHORT_MAX of them. */
static inline bool short_equal(const char *p, const char *q, size_t n)
{
	size_t half = n >> 3 << 2;

	if (n < 4)
		return n == 0 || (p[0] == q[0] && p[n / 2] == q[n / 2] && p[n - 1] == q[n - 1]);
	return ((load_u32(p) ^ load_u32(q)) | (load_u32(p + half) ^ load_u32(q + half)) |
		(load_u32(p + n - 4) ^ load_u32(q + n - 4)) |
		(load_u32(p + n - 4 - half) ^ load_u32(q + n - 4 - half))) == 0;
}

/* memcmp() == 0 without the call, for the short strings that names and constants are. */
static inline bool bytes_equal(const char *p, const char *q, size_t n)
{
	for (; n > 16; p += 16, q += 16, n -= 16) {
		if ((load_u64(p) ^ load_u64(q)) | (load_u64(p + 8) ^ load_u64(q + 8)))
			return false;
	}
	return short_equal(p, q, n);
}

/* SYM_NONE when it is not there. */
uint32_t intern_find(const struct intern *in, struct span name);
/* name is borrowed for the table's life, unless it was there before. 0 or -ENOMEM. */
int intern_add(struct intern *in, struct span name, uint32_t *ret);
void intern_done(struct intern *in);

#endif
