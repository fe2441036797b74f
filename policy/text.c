// SPDX-License-Identifier: Apache-2.0
/*
 * Characters, places, messages and escapes of policy texts. Knows nothing of tokens or grammar.
 */
#include "policy/text.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

unsigned utf8_decode(const char *p, const char *end, uint32_t *ret)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	const unsigned char *u = (const unsigned char *)p;
	uint32_t c = u[0];
	unsigned n = c < 0x80             ? 1
		     : (c & 0xe0) == 0xc0 ? 2
		     : (c & 0xf0) == 0xe0 ? 3
		     : (c & 0xf8) == 0xf0 ? 4
					  : 0;

	if (n == 0 || (size_t)(end - p) < n)
		return 0;
	if (n > 1)
		c &= 0x7fu >> n;
	for (unsigned i = 1; i < n; i++) {
		if ((u[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (u[i] & 0x3f);
	}
	if (c < least[n] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		return 0;
	*ret = c;
	return n;
}

size_t utf8_check(struct span s)
{
	size_t i = 0;

	while (i < s.n) {
		uint64_t eight;
		uint32_t c;
		unsigned n;

		while (s.n - i >= 8 && (memcpy(&eight, s.p + i, 8), !(eight & 0x8080808080808080ULL)))
			i += 8;
		if (i == s.n)
			break;
		n = (unsigned char)s.p[i] < 0x80 ? 1 : utf8_decode(s.p + i, s.p + s.n, &c);
		if (n == 0)
			break;
		i += n;
	}
	return i;
}

unsigned utf8_encode(uint32_t c, char *out)
{
	if (c < 0x80) {
		out[0] = (char)c;
		return 1;
	}
	if (c < 0x800) {
		out[0] = (char)(0xc0 | c >> 6);
		out[1] = (char)(0x80 | (c & 0x3f));
		return 2;
	}
	if (c < 0x10000) {
		out[0] = (char)(0xe0 | c >> 12);
		out[1] = (char)(0x80 | (c >> 6 & 0x3f));
		out[2] = (char)(0x80 | (c & 0x3f));
		return 3;
	}
	out[0] = (char)(0xf0 | c >> 18);
	out[1] = (char)(0x80 | (c >> 12 & 0x3f));
	out[2] = (char)(0x80 | (c >> 6 & 0x3f));
	out[3] = (char)(0x80 | (c & 0x3f));
	return 4;
}

bool char_is_space(uint32_t c)
{
	return (c >= 9 && c <= 13) || c == ' ' || c == 0x85 || c == 0xa0 || c == 0x1680 ||
	       (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 || c == 0x202f ||
	       c == 0x205f || c == 0x3000;
}

void text_place(struct span text, size_t offset, uint32_t *ret_line, uint32_t *ret_column)
{
	const char *p = text.p, *at, *newline;
	uint32_t line = 1, column = 1;

	if (offset > text.n)
		offset = text.n;
	at = p + offset;
	while (p < at && (newline = memchr(p, '\n', (size_t)(at - p)))) {
		line++;
		p = newline + 1;
	}
	for (; p < at; p++)
		column += ((unsigned char)*p & 0xc0) != 0x80;
	*ret_line = line;
	*ret_column = column;
}

void message_clean(char *s)
{
	char *end = s + strlen(s);

	while (s < end) {
		uint32_t c;
		unsigned n = utf8_decode(s, end, &c);

		if (n == 0 && end - s < 4) {
			*s = '\0'; /* cut in the middle of a character */
			return;
		}
		if (n == 0 || c < 0x20 || c == 0x7f)
			*s = n == 0 ? '?' : ' ';
		s += n ? n : 1;
	}
}

static void set_error(struct cedar_error *e, const struct span *text, size_t offset,
		      const char *fmt, va_list ap)
{
	*e = (struct cedar_error){ 0 };
	if (text) {
		e->offset = (uint32_t)offset;
		text_place(*text, offset, &e->line, &e->column);
	}
	vsnprintf(e->message, sizeof(e->message), fmt, ap);
	message_clean(e->message);
}

int error_set(struct cedar_error *e, const struct span *text, size_t offset, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	set_error(e, text, offset, fmt, ap);
	va_end(ap);
	return -EINVAL;
}

int error_add(struct cedar_errors *es, const struct span *text, size_t offset, const char *fmt, ...)
{
	va_list ap;

	es->total++;
	if (es->n == CEDAR_ERRORS_MAX)
		return -EINVAL;
	va_start(ap, fmt);
	set_error(&es->e[es->n++], text, offset, fmt, ap);
	va_end(ap);
	return -EINVAL;
}

/* --- escapes ---------------------------------------------------------------------------------- */

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* \xHH, at most 7F; p is behind the x. The number of bytes read, 0 when it is none. */
static size_t unescape_hex(const char *p, const char *end, uint32_t *ret)
{
	int hi, lo;

	if (end - p < 2)
		return 0;
	hi = hex_value(p[0]);
	lo = hex_value(p[1]);
	if (hi < 0 || lo < 0 || hi > 7)
		return 0;
	*ret = (uint32_t)(hi << 4 | lo);
	return 2;
}

/* \u{1 to 6 hex digits, '_' between or behind them}; p is behind the u. */
static size_t unescape_unicode(const char *p, const char *end, uint32_t *ret)
{
	const char *start = p;
	unsigned digits = 0;
	uint32_t c = 0;

	if (p == end || *p++ != '{')
		return 0;
	for (; p < end && *p != '}'; p++) {
		int h = hex_value(*p);

		if (*p == '_' && digits > 0)
			continue;
		if (h < 0 || ++digits > 6)
			return 0;
		c = c << 4 | (uint32_t)h;
	}
	if (p == end || digits == 0 || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		return 0;
	*ret = c;
	return (size_t)(p + 1 - start);
}

/* One escape; p is behind the backslash. The bytes read, 0 when it is none. */
static size_t unescape_one(const char *p, const char *end, uint32_t *ret)
{
	static const char from[] = "nrt\\0'\"", to[] = "\n\r\t\\\0'\"";
	const char *f;
	size_t n;

	if (p == end)
		return 0;
	if (*p == 'x' || *p == 'u') {
		n = *p == 'x' ? unescape_hex(p + 1, end, ret) : unescape_unicode(p + 1, end, ret);
		return n ? n + 1 : 0;
	}
	f = *p ? strchr(from, *p) : NULL;
	if (!f)
		return 0;
	*ret = (unsigned char)to[f - from];
	return 1;
}

/* What stands wrong at p: the backslash and the character behind it, or a bare carriage return. */
static int bad_escape(struct span raw, const char *p, size_t *ret_at, size_t *ret_len)
{
	const char *end = raw.p + raw.n;
	uint32_t c;

	*ret_at = (size_t)(p - raw.p);
	*ret_len = *p == '\\' && p + 1 < end ? 1 + utf8_decode(p + 1, end, &c) : 1;
	return -EINVAL;
}

int text_unescape(struct arena *a, struct span raw, struct span *ret, size_t *ret_at,
		  size_t *ret_len)
{
	const char *p = raw.p, *end = raw.p + raw.n;
	char *out = arena_alloc(a, raw.n + 1), *start = out;

	if (!out)
		return -ENOMEM;
	for (;;) {
		const char *run = p;
		uint32_t c;
		size_t n;

		while (p < end && *p != '\r' && *p != '\\')
			p++;
		memcpy(out, run, (size_t)(p - run));
		out += p - run;
		if (p == end)
			break;
		n = *p == '\\' ? unescape_one(p + 1, end, &c) : 0;
		if (n == 0)
			return bad_escape(raw, p, ret_at, ret_len);
		out += utf8_encode(c, out); /* never longer than its escape */
		p += 1 + n;
	}
	*out = '\0';
	*ret = (struct span){ start, (size_t)(out - start) };
	return 0;
}

/* Escapes are undone before wildcards are looked for, so \u{2a} is a wildcard; only \* is not. */
int text_unescape_pattern(struct arena *a, struct span raw, struct pattern *ret, size_t *ret_at,
			  size_t *ret_len)
{
	const char *p = raw.p, *end = raw.p + raw.n;
	char *out = arena_alloc(a, raw.n + 1), *run_start = out;
	VEC(struct span) runs = { 0 };
	struct span *copy;
	int r = 0;

	if (!out)
		return -ENOMEM;
	while (r == 0 && p < end) {
		uint32_t c = (unsigned char)*p;
		size_t n = 1;

		if (*p == '\\' && p + 1 < end && p[1] == '*') {
			*out++ = '*';
			p += 2;
			continue;
		}
		if (*p == '\r' || (*p == '\\' && (n = unescape_one(p + 1, end, &c)) == 0)) {
			r = bad_escape(raw, p, ret_at, ret_len);
			break;
		}
		if (c == '*') {
			r = vec_push(&runs,
				     ((struct span){ run_start, (size_t)(out - run_start) }));
			run_start = out;
		} else if (*p == '\\') {
			out += utf8_encode(c, out);
		} else {
			*out++ = *p;
		}
		p += *p == '\\' ? 1 + n : 1;
	}
	if (r == 0)
		r = vec_push(&runs, ((struct span){ run_start, (size_t)(out - run_start) }));
	copy = r == 0 ? arena_array(a, runs.n, sizeof(*copy)) : NULL;
	if (copy) {
		memcpy(copy, runs.v, runs.n * sizeof(*copy));
		*ret = (struct pattern){ copy, runs.n };
	} else if (r == 0) {
		r = -ENOMEM;
	}
	free(runs.v);
	return r;
}

/* --- names ------------------------------------------------------------------------------------ */

bool is_identifier(struct span s)
{
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (c != '_' && !((c | 0x20) >= 'a' && (c | 0x20) <= 'z') &&
		    !(i > 0 && c >= '0' && c <= '9'))
			return false;
	}
	return s.n > 0;
}

bool is_reserved(struct span s)
{
	switch (s.n) {
	case 2:
		return memcmp(s.p, "if", 2) == 0 || memcmp(s.p, "in", 2) == 0 ||
		       memcmp(s.p, "is", 2) == 0;
	case 3:
		return memcmp(s.p, "has", 3) == 0;
	case 4:
		return memcmp(s.p, "true", 4) == 0 || memcmp(s.p, "then", 4) == 0 ||
		       memcmp(s.p, "else", 4) == 0 || memcmp(s.p, "like", 4) == 0;
	case 5:
		return memcmp(s.p, "false", 5) == 0;
	case 7:
		return memcmp(s.p, "__cedar", 7) == 0;
	default:
		return false;
	}
}

bool is_normal_name(struct span s)
{
	for (;;) {
		const char *sep = s.n >= 2 ? memmem(s.p, s.n, "::", 2) : NULL;
		struct span part = { s.p, sep ? (size_t)(sep - s.p) : s.n };

		if (!is_identifier(part) || is_reserved(part))
			return false;
		if (!sep)
			return true;
		s = (struct span){ sep + 2, s.n - part.n - 2 };
	}
}
