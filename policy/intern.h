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

#define SHORT_MAX 16

/* A string of at most SHORT_MAX bytes in two words: equal for strings of one length that are equal,
 * and for those only. */
struct words {
	uint64_t a, b;
};

static inline struct words words_of(const char *p, size_t n)
{
	const unsigned char *u = (const unsigned char *)p;
	size_t half = n >> 3 << 2;

	/* One way for 5 to 16 bytes and one for 1 to 4: lengths mix, and a wrong guess costs more
	 * than bytes read twice. */
	if (n > 4)
		return (struct words){
			load_u32(p) | (uint64_t)load_u32(p + half) << 32,
			load_u32(p + n - 4) | (uint64_t)load_u32(p + n - 4 - half) << 32
		};
	if (n == 0)
		return (struct words){ 0, 0 };
	return (struct words){
		(uint64_t)u[0] << 24 | (uint64_t)u[n >> 1] << 16 | (uint64_t)u[n >> 2] << 8 | u[n - 1], 0
	};
}

static inline bool words_equal(struct words x, struct words y)
{
	return ((x.a ^ y.a) | (x.b ^ y.b)) == 0;
}

/* The last bytes of a string, all of it when it is short: what a hash has to read anyway, and often
 * enough to tell whether what was found is what was sought. */
static inline uint64_t hash_words(uint64_t seed, struct span s, struct words *ret_last)
{
	uint64_t h = seed ^ s.n * HASH_B;
	const char *p = s.p;
	size_t n = s.n;
	struct words w;

	for (; n > SHORT_MAX; p += 16, n -= 16)
		h = hash_mix(load_u64(p) ^ HASH_B ^ h, load_u64(p + 8) ^ seed);
	*ret_last = w = words_of(p, n);
	return hash_mix(hash_mix(w.a ^ h, w.b ^ HASH_A ^ seed), HASH_A ^ h);
}

static inline uint64_t hash_bytes(uint64_t seed, struct span s)
{
	struct words last;

	return hash_words(seed, s, &last);
}

/* The same bytes, at most SHORT_MAX of them. What is compared is of the same length, one of the two
 * at the same place as the last time, so the branches are guessed. */
static inline bool short_equal(const char *p, const char *q, size_t n)
{
	if (n >= 8)
		return ((load_u64(p) ^ load_u64(q)) | (load_u64(p + n - 8) ^ load_u64(q + n - 8))) == 0;
	if (n >= 4)
		return ((load_u32(p) ^ load_u32(q)) | (load_u32(p + n - 4) ^ load_u32(q + n - 4))) == 0;
	return n == 0 || (p[0] == q[0] && p[n / 2] == q[n / 2] && p[n - 1] == q[n - 1]);
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
