/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_ATTEST_BYTES_H
#define TOLLGATE_ATTEST_BYTES_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "user/base/span.h"

/*
 * A reader over evidence that someone else wrote. It never reads past the end: a read that does not fit
 * gives zero or an empty span and marks the reader as failed, for good, so a parser may read a whole
 * structure and ask once at its end.
 */
struct bytes {
	const uint8_t *p;
	size_t n; /* unread */
	bool failed;
};

static inline struct bytes bytes_of(struct span s)
{
	return (struct bytes){ (const uint8_t *)s.p, s.n, false };
}

/* The next n bytes, borrowed from what is read. */
static inline struct span bytes_take(struct bytes *b, size_t n)
{
	struct span s;

	if (b->failed || n > b->n) {
		b->failed = true;
		return (struct span){ 0 };
	}
	s = (struct span){ (const char *)b->p, n };
	b->p = n > 0 ? b->p + n : b->p; /* NULL + 0 is undefined */
	b->n -= n;
	return s;
}

static inline uint64_t bytes_le(struct bytes *b, unsigned size)
{
	struct span s = bytes_take(b, size);
	uint64_t v = 0;

	for (size_t i = s.n; i > 0; i--)
		v = v << 8 | (uint8_t)s.p[i - 1];
	return v;
}

static inline uint64_t bytes_be(struct bytes *b, unsigned size)
{
	struct span s = bytes_take(b, size);
	uint64_t v = 0;

	for (size_t i = 0; i < s.n; i++)
		v = v << 8 | (uint8_t)s.p[i];
	return v;
}

static inline uint8_t bytes_u8(struct bytes *b)
{
	return (uint8_t)bytes_le(b, 1);
}

static inline uint16_t bytes_u16le(struct bytes *b)
{
	return (uint16_t)bytes_le(b, 2);
}

static inline uint32_t bytes_u32le(struct bytes *b)
{
	return (uint32_t)bytes_le(b, 4);
}

static inline uint64_t bytes_u64le(struct bytes *b)
{
	return bytes_le(b, 8);
}

static inline uint16_t bytes_u16be(struct bytes *b)
{
	return (uint16_t)bytes_be(b, 2);
}

static inline uint32_t bytes_u32be(struct bytes *b)
{
	return (uint32_t)bytes_be(b, 4);
}

static inline uint64_t bytes_u64be(struct bytes *b)
{
	return bytes_be(b, 8);
}

/* A 16-bit or 32-bit length and that many bytes. */
static inline struct span bytes_lp16be(struct bytes *b)
{
	return bytes_take(b, bytes_u16be(b));
}

static inline struct span bytes_lp16le(struct bytes *b)
{
	return bytes_take(b, bytes_u16le(b));
}

static inline struct span bytes_lp32le(struct bytes *b)
{
	return bytes_take(b, bytes_u32le(b));
}

/* 0 when everything was read and fitted, else -EBADMSG. */
static inline int bytes_end(const struct bytes *b)
{
	return b->failed || b->n > 0 ? -EBADMSG : 0;
}

static inline bool bytes_all_zero(struct span s)
{
	uint8_t any = 0;

	for (size_t i = 0; i < s.n; i++)
		any |= (uint8_t)s.p[i];
	return any == 0;
}

#endif
