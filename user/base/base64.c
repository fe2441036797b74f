// SPDX-License-Identifier: Apache-2.0
/*
 * Base64 with one text per value: what decodes is what encoding gives.
 */
#include "user/base/base64.h"

#include <errno.h>

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

int base64_append(struct buf *out, const void *p, size_t n)
{
	const uint8_t *b = p;
	size_t len = (n + 2) / 3 * 4;
	char *dst;
	int r = buf_reserve(out, len, &dst);

	if (r < 0)
		return r;
	for (size_t i = 0; i < n; i += 3) {
		uint32_t v = (uint32_t)b[i] << 16;

		if (i + 1 < n)
			v |= (uint32_t)b[i + 1] << 8;
		if (i + 2 < n)
			v |= b[i + 2];
		*dst++ = digits[v >> 18];
		*dst++ = digits[v >> 12 & 63];
		*dst++ = i + 1 < n ? digits[v >> 6 & 63] : '=';
		*dst++ = i + 2 < n ? digits[v & 63] : '=';
	}
	buf_commit(out, len);
	return 0;
}

static int value(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

int base64_decode(struct span text, void *ret, size_t max, size_t *ret_n)
{
	size_t pad = 0, n;
	uint8_t *dst = ret;

	if (text.n % 4)
		return -EINVAL;
	while (pad < 2 && pad < text.n && text.p[text.n - 1 - pad] == '=')
		pad++;
	n = text.n / 4 * 3 - pad;
	if (n > max)
		return -EMSGSIZE;
	for (size_t i = 0; i < text.n; i += 4) {
		size_t chars = i + 4 == text.n ? 4 - pad : 4;
		uint32_t v = 0;

		for (size_t j = 0; j < 4; j++) {
			int d = j < chars ? value(text.p[i + j]) : 0;

			if (d < 0)
				return -EINVAL;
			v = v << 6 | (uint32_t)d;
		}
		if ((chars < 4 && (v & 0xff)) || (chars < 3 && (v & 0xffff)))
			return -EINVAL;
		for (size_t j = 0; j + 1 < chars; j++)
			*dst++ = (uint8_t)(v >> (16 - 8 * j));
	}
	*ret_n = n;
	return 0;
}
