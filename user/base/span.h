/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_SPAN_H
#define TOLLGATE_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

/* Borrowed bytes: never NUL-terminated, never owned. p may be NULL only when n is 0. */
struct span {
	const char *p;
	size_t n;
};

#define SPAN(lit) ((struct span){ (lit), sizeof(lit) - 1 })

static inline struct span span_of(const char *s)
{
	return (struct span){ s, s ? strlen(s) : 0 };
}

static inline bool span_eq(struct span a, struct span b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

static inline bool span_is(struct span a, const char *s)
{
	return span_eq(a, span_of(s));
}

/* Cuts the next line off, without its newline; false when there is no newline. */
static inline bool span_cut_line(struct span *s, struct span *ret)
{
	const char *nl = s->n ? (const char *)memchr(s->p, '\n', s->n) : NULL;

	if (!nl)
		return false;
	*ret = (struct span){ s->p, (size_t)(nl - s->p) };
	s->n -= ret->n + 1;
	s->p = nl + 1;
	return true;
}

#endif
