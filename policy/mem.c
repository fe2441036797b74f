// SPDX-License-Identifier: Apache-2.0
/*
 * Memory of the engine: arenas for snapshots and requests, growable arrays, a sort. A request's
 * arena is what keeps decisions free of malloc(); nothing here may be freed one by one.
 */
#include "policy/mem.h"

#include <errno.h>
#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK_MIN 4096u
#define CHUNK_MAX (1u << 20) /* larger chunks only for larger objects */
#define SORT_ITEM_MAX 64

struct arena_chunk {
	struct arena_chunk *next;
	size_t size;
	alignas(16) char mem[];
};

static int add_chunk(struct arena *a, size_t n)
{
	size_t size = a->head ? a->head->size * 2 : CHUNK_MIN;
	struct arena_chunk *c;

	if (size > CHUNK_MAX)
		size = CHUNK_MAX;
	if (size < n)
		size = n;
	if (a->limit && size > a->limit - a->total)
		size = (a->limit - a->total) & ~(size_t)7;
	if (size < n)
		return -ENOSPC;
	c = malloc(sizeof(*c) + size);
	if (!c)
		return -ENOMEM;
	c->next = a->head;
	c->size = size;
	a->head = c;
	a->at = c->mem;
	a->end = c->mem + size;
	a->total += size;
	return 0;
}

void *arena_alloc_chunk(struct arena *a, size_t n)
{
	if (n == 0)
		return arena_alloc(a, 1);
	if (n > SIZE_MAX / 2 || add_chunk(a, (n + 7) & ~(size_t)7) < 0)
		return NULL;
	return arena_alloc(a, n);
}

void *arena_zalloc(struct arena *a, size_t n)
{
	void *p = arena_alloc(a, n);

	return p ? memset(p, 0, n) : NULL;
}

void *arena_array(struct arena *a, size_t n, size_t size)
{
	size_t bytes;

	if (__builtin_mul_overflow(n, size, &bytes))
		return NULL;
	return arena_alloc(a, bytes ? bytes : 1);
}

struct span arena_copy(struct arena *a, struct span s)
{
	char *p = s.n < SIZE_MAX ? arena_alloc(a, s.n + 1) : NULL;

	if (!p)
		return (struct span){ NULL, 0 };
	if (s.n)
		memcpy(p, s.p, s.n);
	p[s.n] = '\0';
	return (struct span){ p, s.n };
}

void arena_reset(struct arena *a)
{
	size_t total = a->total;

	if (a->head && a->head->next) {
		arena_done(a);
		/* Without memory the next arena_alloc() tries again and reports. */
		(void)add_chunk(a, total);
	}
	a->at = a->head ? a->head->mem : NULL;
}

void arena_done(struct arena *a)
{
	struct arena_chunk *c = a->head, *next;

	for (; c; c = next) {
		next = c->next;
		free(c);
	}
	*a = (struct arena){ .limit = a->limit };
}

int vec_grow(void **v, uint32_t n, uint32_t *cap, uint32_t more, size_t size)
{
	uint64_t want = (uint64_t)n + more, new_cap = *cap ? *cap : 8;
	void *p;

	if (want <= *cap)
		return 0;
	while (new_cap < want)
		new_cap *= 2;
	if (new_cap > UINT32_MAX || new_cap > SIZE_MAX / size)
		return -ENOMEM;
	p = realloc(*v, new_cap * size);
	if (!p)
		return -ENOMEM;
	*v = p;
	*cap = (uint32_t)new_cap;
	return 0;
}

static void sift_down(char *base, size_t i, size_t n, size_t size,
		      int (*cmp)(const void *, const void *))
{
	char item[SORT_ITEM_MAX];

	memcpy(item, base + i * size, size);
	for (size_t kid; (kid = 2 * i + 1) < n; i = kid) {
		if (kid + 1 < n && cmp(base + kid * size, base + (kid + 1) * size) < 0)
			kid++;
		if (cmp(item, base + kid * size) >= 0)
			break;
		memcpy(base + i * size, base + kid * size, size);
	}
	memcpy(base + i * size, item, size);
}

static void insertion_sort(char *base, size_t n, size_t size,
			   int (*cmp)(const void *, const void *))
{
	char item[SORT_ITEM_MAX];

	for (size_t i = 1; i < n; i++) {
		size_t k = i;

		memcpy(item, base + i * size, size);
		for (; k > 0 && cmp(base + (k - 1) * size, item) > 0; k--)
			memcpy(base + k * size, base + (k - 1) * size, size);
		memcpy(base + k * size, item, size);
	}
}

void heap_sort(void *base, size_t n, size_t size, int (*cmp)(const void *, const void *))
{
	char *b = base, item[SORT_ITEM_MAX];

	if (size > SORT_ITEM_MAX)
		return;
	if (n <= 12) {
		insertion_sort(b, n, size, cmp);
		return;
	}
	for (size_t i = n / 2; i-- > 0;)
		sift_down(b, i, n, size, cmp);
	for (size_t last = n - 1; last > 0; last--) {
		memcpy(item, b, size);
		memcpy(b, b + last * size, size);
		memcpy(b + last * size, item, size);
		sift_down(b, 0, last, size, cmp);
	}
}

int u32_cmp(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}
