// SPDX-License-Identifier: Apache-2.0
/*
 * Duplicate names of JSON objects. Runs in the proxy on hostile bytes: the other side must not be
 * able to make this quadratic, so up to a few names are compared pairwise and more go through a
 * hash set whose hash is seeded per process.
 */
#include "user/mcp/tape_keys.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/random.h>

#define PAIRWISE_MAX 16

static uint64_t seed[4];

static void seed_once(void)
{
	const uint64_t *fallback;

	if (seed[0])
		return;
	fallback = (const uint64_t *)getauxval(AT_RANDOM);
	if (getrandom(seed, sizeof(seed), GRND_NONBLOCK) != (ssize_t)sizeof(seed) && fallback)
		for (unsigned i = 0; i < 4; i++)
			seed[i] = (fallback[i & 1] + i) * 0x9e3779b97f4a7c15u ^ (uintptr_t)&fallback;
	seed[0] |= 1;
}

static uint64_t fold(uint64_t a, uint64_t b)
{
	unsigned __int128 v = (unsigned __int128)a * b;

	return (uint64_t)v ^ (uint64_t)(v >> 64);
}

static uint64_t load(const char *p, size_t n)
{
	uint64_t v = 0;

	memcpy(&v, p, n < 8 ? n : 8);
	return v;
}

static uint64_t hash_of(struct span s)
{
	uint64_t h = seed[0] ^ s.n;
	const char *p = s.p;
	size_t n = s.n;

	for (; n > 16; p += 16, n -= 16)
		h = fold(load(p, 8) ^ seed[1], load(p + 8, 8) ^ seed[2] ^ h);
	return fold(load(p, n) ^ seed[1] ^ h, load(p + (n > 8 ? 8 : 0), n > 8 ? n - 8 : 0) ^ seed[3]);
}

static bool same(const struct tape *t, const struct tape_key *a, const struct tape_key *b)
{
	return a->hash == b->hash && span_eq(tape_text(t, a->tok), tape_text(t, b->tok));
}

int tape_keys_push(struct tape *t, uint32_t base, uint32_t tok)
{
	struct tape_keys *ks = &t->keys;
	struct tape_key *k;

	if (ks->n == ks->cap) {
		uint32_t cap = ks->cap ? ks->cap * 2 : 32;

		k = realloc(ks->key, cap * sizeof(*k));
		if (!k)
			return -ENOMEM;
		ks->key = k;
		ks->cap = cap;
	}
	seed_once();
	k = &ks->key[ks->n];
	k->tok = tok;
	k->hash = hash_of(tape_text(t, tok));
	ks->n++;
	if (ks->n - base > PAIRWISE_MAX)
		return 0;
	for (uint32_t i = base; i < ks->n - 1; i++)
		if (same(t, &ks->key[i], k))
			return -EEXIST;
	return 0;
}

static int set_make(struct tape_keys *ks, uint32_t count, uint32_t *ret_mask)
{
	uint32_t cap = 64, *set;

	while (cap < count * 2)
		cap *= 2;
	if (cap > ks->set_cap) {
		set = realloc(ks->set, cap * sizeof(*set));
		if (!set)
			return -ENOMEM;
		ks->set = set;
		ks->set_cap = cap;
	}
	memset(ks->set, 0, cap * sizeof(*ks->set));
	*ret_mask = cap - 1;
	return 0;
}

int tape_keys_pop(struct tape *t, uint32_t base, uint32_t *ret_tok)
{
	struct tape_keys *ks = &t->keys;
	uint32_t count = ks->n - base, mask;
	int r;

	ks->n = base;
	if (count <= PAIRWISE_MAX)
		return 0;
	r = set_make(ks, count, &mask);
	if (r < 0)
		return r;
	for (uint32_t i = base; i < base + count; i++) {
		uint32_t at = ks->key[i].hash & mask;

		for (; ks->set[at]; at = (at + 1) & mask) {
			if (same(t, &ks->key[ks->set[at] - 1], &ks->key[i])) {
				*ret_tok = ks->key[i].tok;
				return -EEXIST;
			}
		}
		ks->set[at] = i + 1;
	}
	return 0;
}
