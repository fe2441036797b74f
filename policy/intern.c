// SPDX-License-Identifier: Apache-2.0
/* Symbols of a snapshot: one open-addressing table, never shrinking, read by any number of
 * threads. */
#include "policy/intern.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

uint64_t hash_seed(void)
{
	struct timespec ts = { 0 };
	uint64_t seed = 0;

	/* A weaker seed costs only the protection against crafted collisions. */
	if (getrandom(&seed, sizeof(seed), GRND_NONBLOCK) != sizeof(seed)) {
		clock_gettime(CLOCK_MONOTONIC, &ts);
		seed = hash_u64((uint64_t)ts.tv_nsec, (uint64_t)(uintptr_t)&ts);
	}
	return seed;
}

static bool same_name(struct span a, struct span b)
{
	return a.n == b.n && bytes_equal(a.p, b.p, a.n);
}

uint32_t intern_find(const struct intern *in, struct span name)
{
	uint32_t h, i;

	if (!in->slot)
		return SYM_NONE;
	h = (uint32_t)hash_bytes(in->seed, name);
	for (i = h & in->mask; in->slot[i]; i = (i + 1) & in->mask) {
		if (in->tag[i] == h && same_name(in->names.v[in->slot[i] - 1], name))
			return in->slot[i] - 1;
	}
	return SYM_NONE;
}

static int rehash(struct intern *in, uint32_t slots)
{
	uint32_t *slot = calloc(slots, sizeof(*slot)), *tag = calloc(slots, sizeof(*tag));

	if (!slot || !tag) {
		free(slot);
		free(tag);
		return -ENOMEM;
	}
	for (uint32_t sym = 0; sym < in->names.n; sym++) {
		uint32_t h = (uint32_t)hash_bytes(in->seed, in->names.v[sym]), i = h & (slots - 1);

		while (slot[i])
			i = (i + 1) & (slots - 1);
		slot[i] = sym + 1;
		tag[i] = h;
	}
	free(in->slot);
	free(in->tag);
	in->slot = slot;
	in->tag = tag;
	in->mask = slots - 1;
	return 0;
}

int intern_add(struct intern *in, struct span name, uint32_t *ret)
{
	uint32_t sym = intern_find(in, name), h, i;
	int r;

	if (sym != SYM_NONE) {
		*ret = sym;
		return 0;
	}
	if (!in->slot || in->names.n >= in->mask / 2) {
		if (in->mask >= UINT32_MAX / 4)
			return -ENOMEM;
		r = rehash(in, in->slot ? (in->mask + 1) * 2 : 64);
		if (r < 0)
			return r;
	}
	r = vec_push(&in->names, name);
	if (r < 0)
		return r;
	h = (uint32_t)hash_bytes(in->seed, name);
	for (i = h & in->mask; in->slot[i]; i = (i + 1) & in->mask)
		;
	in->slot[i] = in->names.n;
	in->tag[i] = h;
	*ret = in->names.n - 1;
	return 0;
}

void intern_done(struct intern *in)
{
	free(in->names.v);
	free(in->slot);
	free(in->tag);
	*in = (struct intern){ 0 };
}
