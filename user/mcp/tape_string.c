// SPDX-License-Identifier: Apache-2.0
/*
 * Strings of the tape: the hot loop. Sixty-four bytes at a time are passed over while they are plain
 * ASCII; what is not (quote, backslash, control, UTF-8) is looked at one by one.
 */
#include "user/mcp/tape_string.h"

#include <endian.h>
#include <string.h>

typedef uint8_t block __attribute__((vector_size(16)));
typedef uint64_t halves __attribute__((vector_size(16)));

#define STRIDE 4 /* blocks that are judged together while they are plain */

/* All bits of every byte that is a quote, a backslash, a control or beyond ASCII. */
static inline halves special(const char *p)
{
	block v;

	memcpy(&v, p, sizeof(v));
	return (halves)((v - 0x20 > 0x5f) | (v == '"') | (v == '\\'));
}

/* Moves i over plain bytes. What is behind the last whole block stays for the caller to look at one by one. */
static inline size_t plain_skip(const char *p, size_t n, size_t i)
{
	halves m;

	for (; n - i >= STRIDE * sizeof(block); i += STRIDE * sizeof(block)) {
		m = special(p + i) | special(p + i + 16) | special(p + i + 32) | special(p + i + 48);
		if (m[0] | m[1])
			break;
	}
	for (; n - i >= sizeof(block); i += sizeof(block)) {
		m = special(p + i);
		if (m[0])
			return i + (size_t)__builtin_ctzll(le64toh(m[0])) / 8;
		if (m[1])
			return i + 8 + (size_t)__builtin_ctzll(le64toh(m[1])) / 8;
	}
	return i;
}

/* Length of the well-formed UTF-8 sequence (RFC 3629) at p, or 0. */
static size_t utf8_len(const unsigned char *p, size_t n)
{
	unsigned char c = p[0], lo = 0x80, hi = 0xbf;
	size_t len = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : 2;

	if (c < 0xc2 || c > 0xf4 || n < len)
		return 0;
	if (c == 0xe0)
		lo = 0xa0;
	else if (c == 0xed)
		hi = 0x9f;
	else if (c == 0xf0)
		lo = 0x90;
	else if (c == 0xf4)
		hi = 0x8f;
	if (p[1] < lo || p[1] > hi)
		return 0;
	for (size_t i = 2; i < len; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	return len;
}

int tape_hex4(const char *p)
{
	unsigned v = 0;

	for (int i = 0; i < 4; i++) {
		unsigned char c = p[i], l = c | 0x20;

		if (c >= '0' && c <= '9')
			v = v << 4 | (c - '0');
		else if (l >= 'a' && l <= 'f')
			v = v << 4 | (l - 'a' + 10);
		else
			return -1;
	}
	return (int)v;
}

/* At a backslash; moves *i behind the escape. */
static enum tape_error escape_scan(const char *p, size_t n, size_t *i)
{
	int v;

	if (n - *i < 2)
		return TAPE_E_INCOMPLETE;
	if (p[*i + 1] != 'u') {
		if (p[*i + 1] == '\0' || !strchr("\"\\/bfnrt", p[*i + 1]))
			return TAPE_E_ESCAPE;
		*i += 2;
		return TAPE_OK;
	}
	if (n - *i < 6)
		return TAPE_E_INCOMPLETE;
	v = tape_hex4(p + *i + 2);
	if (v < 0)
		return TAPE_E_ESCAPE;
	if (v >= 0xdc00 && v <= 0xdfff)
		return TAPE_E_SURROGATE;
	if (v >= 0xd800 && v <= 0xdbff) {
		if (n - *i < 12 || p[*i + 6] != '\\' || p[*i + 7] != 'u')
			return TAPE_E_SURROGATE;
		v = tape_hex4(p + *i + 8);
		if (v < 0xdc00 || v > 0xdfff)
			return TAPE_E_SURROGATE;
		*i += 6;
	}
	*i += 6;
	return TAPE_OK;
}

enum tape_error tape_string_scan(const char *p, size_t n, size_t *i, bool *ret_escaped)
{
	enum tape_error e;
	size_t len;

	*ret_escaped = false;
	for (;;) {
		*i = plain_skip(p, n, *i);
		if (*i >= n)
			return TAPE_E_INCOMPLETE;
		if (p[*i] == '"')
			return TAPE_OK;
		if (p[*i] == '\\') {
			*ret_escaped = true;
			e = escape_scan(p, n, i);
			if (e != TAPE_OK)
				return e;
		} else if ((unsigned char)p[*i] >= 0x80) {
			do {
				len = utf8_len((const unsigned char *)p + *i, n - *i);
				if (len == 0)
					return TAPE_E_UTF8;
				*i += len;
			} while (*i < n && (unsigned char)p[*i] >= 0x80);
		} else if ((unsigned char)p[*i] < 0x20) {
			return TAPE_E_CONTROL;
		} else {
			++*i;
		}
	}
}

static size_t utf8_put(uint32_t c, char *o)
{
	if (c < 0x80) {
		o[0] = (char)c;
		return 1;
	}
	if (c < 0x800) {
		o[0] = (char)(0xc0 | c >> 6);
		o[1] = (char)(0x80 | (c & 0x3f));
		return 2;
	}
	if (c < 0x10000) {
		o[0] = (char)(0xe0 | c >> 12);
		o[1] = (char)(0x80 | (c >> 6 & 0x3f));
		o[2] = (char)(0x80 | (c & 0x3f));
		return 3;
	}
	o[0] = (char)(0xf0 | c >> 18);
	o[1] = (char)(0x80 | (c >> 12 & 0x3f));
	o[2] = (char)(0x80 | (c >> 6 & 0x3f));
	o[3] = (char)(0x80 | (c & 0x3f));
	return 4;
}

/* The escape at raw[i] was checked by escape_scan(). */
static size_t escape_decode(const char *raw, size_t *i, char *out)
{
	static const char from[] = "bfnrt", to[] = "\b\f\n\r\t";
	const char *at;
	uint32_t c;

	if (raw[*i + 1] != 'u') {
		at = strchr(from, raw[*i + 1]);
		*out = at ? to[at - from] : raw[*i + 1];
		*i += 2;
		return 1;
	}
	c = (uint32_t)tape_hex4(raw + *i + 2);
	*i += 6;
	if (c >= 0xd800 && c <= 0xdbff) {
		c = 0x10000 + ((c & 0x3ff) << 10) + ((uint32_t)tape_hex4(raw + *i + 2) & 0x3ff);
		*i += 6;
	}
	return utf8_put(c, out);
}

size_t tape_string_decode(const char *raw, size_t n, char *out)
{
	size_t i = 0, o = 0, len;
	const char *at;

	while (i < n) {
		at = memchr(raw + i, '\\', n - i);
		len = (at ? (size_t)(at - raw) : n) - i;
		memcpy(out + o, raw + i, len);
		i += len;
		o += len;
		if (at)
			o += escape_decode(raw, &i, out + o);
	}
	return o;
}
