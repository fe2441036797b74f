// SPDX-License-Identifier: Apache-2.0
/*
 * A reader of deterministic CBOR. Strict because two readers of one envelope must see the same header:
 * whatever could be read in two ways is refused. Nothing is allocated; depth is capped; every item takes
 * a byte at least, so a lying count ends with the input.
 */
#include "attest/cbor.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#define HEAD_INLINE 24 /* values below it stand in the first byte */
#define HEAD_MORE_MAX 27 /* eight bytes follow; 28 to 30 are reserved, 31 is an indefinite length */
#define SIMPLE_FALSE 20

/* The value after the first byte, in 1, 2, 4 or 8 bytes, and not in more than it needs. */
static int read_value(struct span *rest, unsigned info, uint64_t *ret)
{
	size_t n = (size_t)1 << (info - HEAD_INLINE);
	uint64_t v = 0;

	if (rest->n < n)
		return -EINVAL;
	for (size_t i = 0; i < n; i++)
		v = v << 8 | (uint8_t)rest->p[i];
	if (n == 1 ? v < HEAD_INLINE : v >> (4 * n) == 0)
		return -EINVAL;
	*rest = (struct span){ rest->p + n, rest->n - n };
	*ret = v;
	return 0;
}

/* RFC 3629: no overlong form, no surrogate, nothing beyond U+10FFFF. */
static bool is_utf8(struct span s)
{
	static const uint32_t least[] = { 0, 0x80, 0x800, 0x10000 };

	for (size_t i = 0; i < s.n;) {
		uint8_t first = (uint8_t)s.p[i++];
		unsigned more = first < 0x80 ? 0 : first < 0xe0 ? 1 : first < 0xf0 ? 2 : 3;
		uint32_t c = more ? first & (0x3fu >> more) : first;

		if ((first >= 0x80 && first < 0xc0) || first >= 0xf8 || s.n - i < more)
			return false;
		for (unsigned k = 0; k < more; k++, i++) {
			if (((uint8_t)s.p[i] & 0xc0) != 0x80)
				return false;
			c = c << 6 | ((uint8_t)s.p[i] & 0x3f);
		}
		if (c < least[more] || (c >= 0xd800 && c < 0xe000) || c > 0x10ffff)
			return false;
	}
	return true;
}

int cbor_read(struct span *rest, struct cbor_item *ret)
{
	struct cbor_item item = { 0 };
	struct span at = *rest;
	unsigned first, info;

	if (at.n == 0)
		return -EINVAL;
	first = (uint8_t)*at.p;
	info = first & 31;
	item.type = first >> 5;
	item.value = info;
	at = (struct span){ at.p + 1, at.n - 1 };
	if (item.type == CBOR_SIMPLE && (info < SIMPLE_FALSE || info > CBOR_NULL))
		return -EINVAL;
	if (info > HEAD_MORE_MAX || (info >= HEAD_INLINE && read_value(&at, info, &item.value) < 0))
		return -EINVAL;
	if (item.type == CBOR_BYTES || item.type == CBOR_TEXT) {
		if (item.value > at.n)
			return -EINVAL;
		item.bytes = (struct span){ at.p, (size_t)item.value };
		at = (struct span){ at.p + item.value, at.n - (size_t)item.value };
		if (item.type == CBOR_TEXT && !is_utf8(item.bytes))
			return -EINVAL;
	}
	*rest = at;
	*ret = item;
	return 0;
}

/* Section 4.2.1: bytewise lexicographic order of the encoded names, of which none begins with another. */
static bool comes_after(struct span a, struct span b)
{
	return memcmp(a.p, b.p, a.n < b.n ? a.n : b.n) > 0;
}

static int skip(struct span *rest, unsigned depth);

static int skip_map(struct span *rest, uint64_t pairs, unsigned depth)
{
	struct span before = { 0 };

	for (uint64_t i = 0; i < pairs; i++) {
		struct span name = *rest;

		if (skip(rest, depth) < 0)
			return -EINVAL;
		name.n -= rest->n;
		if ((i && !comes_after(name, before)) || skip(rest, depth) < 0)
			return -EINVAL;
		before = name;
	}
	return 0;
}

static int skip(struct span *rest, unsigned depth)
{
	struct cbor_item item;

	if (depth > CBOR_DEPTH_MAX || cbor_read(rest, &item) < 0)
		return -EINVAL;
	if (item.type == CBOR_MAP)
		return skip_map(rest, item.value, depth + 1);
	if (item.type == CBOR_TAG)
		item.value = 1;
	else if (item.type != CBOR_ARRAY)
		return 0;
	for (uint64_t i = 0; i < item.value; i++)
		if (skip(rest, depth + 1) < 0)
			return -EINVAL;
	return 0;
}

int cbor_skip(struct span *rest)
{
	struct span at = *rest;

	if (skip(&at, 1) < 0)
		return -EINVAL;
	*rest = at;
	return 0;
}

int cbor_check(struct span all)
{
	return cbor_skip(&all) < 0 || all.n ? -EINVAL : 0;
}
