/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_POLICY_MEM_H
#define TOLLGATE_POLICY_MEM_H

#include <stddef.h>
#include <stdint.h>

#include "user/base/span.h"

/* Memory that is given out piece by piece and taken back all at once. Zero-initialised is empty and
 * valid; limit 0 means none. */
struct arena {
	struct arena_chunk *head;
	char *at, *end; /* what is free in head; both aligned to 8 */
	size_t total; /* bytes of all chunks */
	size_t limit;
};

/* As arena_alloc(), from a chunk of its own or the next. */
void *arena_alloc_chunk(struct arena *a, size_t n);
/* n bytes, aligned to 8, not cleared; NULL without memory or beyond the limit. */
static inline void *arena_alloc(struct arena *a, size_t n)
{
	char *p = a->at;

	if (n - 1 >= (size_t)(a->end - p)) /* or nothing is asked for */
		return arena_alloc_chunk(a, n);
	a->at += (n + 7) & ~(size_t)7;
	return p;
}
void *arena_zalloc(struct arena *a, size_t n);
/* Room for n objects of a size; NULL also when the product overflows. */
void *arena_array(struct arena *a, size_t n, size_t size);
/* Copies bytes and adds a NUL that is not counted. p is NULL on failure. */
struct span arena_copy(struct arena *a, struct span s);
/* Forgets all objects. What was spread over several chunks is given back and asked for again in one
 * piece, so use that repeats stops calling malloc(). */
void arena_reset(struct arena *a);
void arena_done(struct arena *a);

/* A growable array of fixed-size items, at most UINT32_MAX of them. Zero-initialised is empty. */
#define VEC(T) \
	struct { \
		T *v; \
		uint32_t n, cap; \
	}

/* Makes room for more items behind the last. 0 or -ENOMEM. */
int vec_grow(void **v, uint32_t n, uint32_t *cap, uint32_t more, size_t size);
#define vec_reserve(vec, more) \
	vec_grow((void **)&(vec)->v, (vec)->n, &(vec)->cap, (more), sizeof(*(vec)->v))
#define vec_push(vec, item) \
	({ \
		int vec_r_ = (vec)->n < (vec)->cap ? 0 : vec_reserve(vec, 1); \
		if (vec_r_ == 0) \
			(vec)->v[(vec)->n++] = (item); \
		vec_r_; \
	})
#define vec_done(vec) \
	do { \
		free((vec)->v); \
		(vec)->v = NULL; \
		(vec)->n = (vec)->cap = 0; \
	} while (0)

/* In-place sort that allocates nothing and is never quadratic; items of at most 64 bytes. */
void heap_sort(void *base, size_t n, size_t size, int (*cmp)(const void *, const void *));
/* For it, of uint32_t. */
int u32_cmp(const void *a, const void *b);

#endif
