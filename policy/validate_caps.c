// SPDX-License-Identifier: Apache-2.0
/* Sets of capabilities, each of which exists once, so that they can be part of a key. */
#include <errno.h>
#include <stdlib.h>

#include "policy/validate.h"

int capsets_init(struct capsets *cs)
{
	*cs = (struct capsets){ 0 };
	return vec_push(&cs->sets, ((struct capset){ 0 }));
}

void capsets_done(struct capsets *cs)
{
	arena_done(&cs->mem);
	vec_done(&cs->sets);
	free(cs->slot);
	*cs = (struct capsets){ 0 };
}

static uint32_t hash_of(const cap_t *v, uint32_t n)
{
	return (uint32_t)hash_bytes(n, (struct span){ (const char *)v, n * sizeof(*v) });
}

static int grow(struct capsets *cs)
{
	uint32_t n = cs->slot ? (cs->mask + 1) * 2 : 64, *slot;

	if (cs->slot && cs->sets.n * 2 < cs->mask)
		return 0;
	slot = calloc(n, sizeof(*slot));
	if (!slot)
		return -ENOMEM;
	for (uint32_t k = 1; k < cs->sets.n; k++) {
		uint32_t i = hash_of(cs->sets.v[k].v, cs->sets.v[k].n);

		while (slot[i & (n - 1)])
			i++;
		slot[i & (n - 1)] = k;
	}
	free(cs->slot);
	cs->slot = slot;
	cs->mask = n - 1;
	return 0;
}

/* The number of a set, whose members are copied. */
static int keep(struct capsets *cs, const cap_t *v, uint32_t n, uint32_t *ret)
{
	cap_t *copy;
	uint32_t i;
	int r;

	if (n == 0)
		return *ret = CAPS_NONE, 0;
	if (n > CAPS_MAX || cs->mem.total > CHECK_MEMORY_MAX)
		return -E2BIG;
	r = grow(cs);
	if (r < 0)
		return r;
	for (i = hash_of(v, n); cs->slot[i & cs->mask]; i++) {
		const struct capset *x = &cs->sets.v[cs->slot[i & cs->mask]];

		if (x->n == n && memcmp(x->v, v, n * sizeof(*v)) == 0)
			return *ret = cs->slot[i & cs->mask], 0;
	}
	copy = arena_array(&cs->mem, n, sizeof(*copy));
	if (!copy)
		return -ENOMEM;
	memcpy(copy, v, n * sizeof(*v));
	r = vec_push(&cs->sets, ((struct capset){ n, copy }));
	if (r == 0)
		*ret = cs->slot[i & cs->mask] = cs->sets.n - 1;
	return r;
}

bool caps_have(const struct capsets *cs, uint32_t set, cap_t cap)
{
	const struct capset *s = &cs->sets.v[set];
	uint32_t lo = 0, hi = s->n;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (s->v[mid] == cap)
			return true;
		if (s->v[mid] < cap)
			lo = mid + 1;
		else
			hi = mid;
	}
	return false;
}

int caps_below(struct capsets *cs, uint32_t set, uint32_t node, uint32_t *ret)
{
	const struct capset *s = &cs->sets.v[set];
	cap_t end = (cap_t)node << 32;
	uint32_t lo = 0, hi = s->n;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (s->v[mid] < end)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo == s->n ? (*ret = set, 0) : keep(cs, s->v, lo, ret);
}

int caps_one(struct capsets *cs, cap_t cap, uint32_t *ret)
{
	return keep(cs, &cap, 1, ret);
}

static int merge(struct capsets *cs, bool all, uint32_t a, uint32_t b, uint32_t *ret)
{
	struct capset x = cs->sets.v[a], y = cs->sets.v[b];
	uint32_t i = 0, k = 0, n = 0;
	cap_t *out = malloc(((size_t)x.n + y.n + 1) * sizeof(*out));
	int r;

	if (!out)
		return -ENOMEM;
	while (i < x.n || k < y.n) {
		bool left = k == y.n || (i < x.n && x.v[i] <= y.v[k]);
		bool right = i == x.n || (k < y.n && y.v[k] <= x.v[i]);

		if (all || (left && right))
			out[n++] = left ? x.v[i] : y.v[k];
		i += left;
		k += right;
	}
	r = keep(cs, out, n, ret);
	free(out);
	return r;
}

int caps_union(struct capsets *cs, uint32_t a, uint32_t b, uint32_t *ret)
{
	if (a == b || b == CAPS_NONE)
		return *ret = a, 0;
	if (a == CAPS_NONE)
		return *ret = b, 0;
	return merge(cs, true, a, b, ret);
}

int caps_meet(struct capsets *cs, uint32_t a, uint32_t b, uint32_t *ret)
{
	if (a == b)
		return *ret = a, 0;
	if (a == CAPS_NONE || b == CAPS_NONE)
		return *ret = CAPS_NONE, 0;
	return merge(cs, false, a, b, ret);
}
