// SPDX-License-Identifier: Apache-2.0
/* Tables that exist only while a snapshot is made. */
#include "policy/pool.h"

#include <errno.h>
#include <stdlib.h>

uint32_t pool_find(const struct pool *p, uint32_t hash, bool (*same)(const void *ctx, uint32_t id),
		   const void *ctx)
{
	if (!p->slot)
		return POOL_NONE;
	for (uint32_t i = hash & p->mask; p->slot[i]; i = (i + 1) & p->mask) {
		if (p->tag[i] == hash && same(ctx, p->slot[i] - 1))
			return p->slot[i] - 1;
	}
	return POOL_NONE;
}

static void put(struct pool *p, uint32_t hash, uint32_t slot)
{
	uint32_t i = hash & p->mask;

	while (p->slot[i])
		i = (i + 1) & p->mask;
	p->slot[i] = slot;
	p->tag[i] = hash;
}

static int grow(struct pool *p)
{
	struct pool bigger = { .mask = p->slot ? p->mask * 2 + 1 : 63, .n = p->n };

	if (bigger.mask > UINT32_MAX / 4)
		return -ENOMEM;
	bigger.slot = calloc((size_t)bigger.mask + 1, sizeof(*bigger.slot));
	bigger.tag = calloc((size_t)bigger.mask + 1, sizeof(*bigger.tag));
	if (!bigger.slot || !bigger.tag) {
		pool_done(&bigger);
		return -ENOMEM;
	}
	for (uint32_t i = 0; p->slot && i <= p->mask; i++) {
		if (p->slot[i])
			put(&bigger, p->tag[i], p->slot[i]);
	}
	pool_done(p);
	*p = bigger;
	return 0;
}

int pool_add(struct pool *p, uint32_t hash, uint32_t id)
{
	int r = !p->slot || p->n >= p->mask / 2 ? grow(p) : 0;

	if (r < 0)
		return r;
	put(p, hash, id + 1);
	p->n++;
	return 0;
}

void pool_done(struct pool *p)
{
	free(p->slot);
	free(p->tag);
	*p = (struct pool){ 0 };
}
