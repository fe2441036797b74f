// SPDX-License-Identifier: Apache-2.0
/*
 * JSON text out, ASCII only. Reading JSON is another room's business.
 */
#include "user/base/json_out.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

void json_out_init(struct json_out *j, struct buf *out)
{
	*j = (struct json_out){ .out = out };
}

static void put(struct json_out *j, const char *p, size_t n)
{
	if (j->error == 0)
		j->error = buf_append(j->out, p, n);
}

static void before_value(struct json_out *j)
{
	if (j->comma)
		put(j, ",", 1);
	j->comma = true;
}

static void open_with(struct json_out *j, const char *c)
{
	before_value(j);
	put(j, c, 1);
	j->comma = false;
	j->depth++;
}

static void close_with(struct json_out *j, const char *c)
{
	if (j->depth == 0) {
		j->error = j->error ? j->error : -EINVAL;
		return;
	}
	put(j, c, 1);
	j->comma = true;
	j->depth--;
}

void json_out_object(struct json_out *j)
{
	open_with(j, "{");
}

void json_out_object_end(struct json_out *j)
{
	close_with(j, "}");
}

void json_out_array(struct json_out *j)
{
	open_with(j, "[");
}

void json_out_array_end(struct json_out *j)
{
	close_with(j, "]");
}

static void put_u16(struct json_out *j, unsigned v)
{
	static const char d[] = "0123456789abcdef";
	char e[6] = { '\\', 'u', d[v >> 12 & 15], d[v >> 8 & 15], d[v >> 4 & 15], d[v & 15] };

	put(j, e, sizeof(e));
}

static void put_code_point(struct json_out *j, uint32_t c)
{
	if (c >= 0x10000) {
		c -= 0x10000;
		put_u16(j, 0xd800 | (c >> 10));
		put_u16(j, 0xdc00 | (c & 0x3ff));
	} else {
		put_u16(j, c);
	}
}

/* One code point of UTF-8 (RFC 3629) at p; returns its length, or 0 when it is not one. */
static size_t utf8_take(const unsigned char *p, size_t n, uint32_t *ret)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t len = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;
	uint32_t c;

	if (p[0] < 0xc2 || p[0] > 0xf4 || n < len)
		return 0;
	c = p[0] & (0xffu >> (len + 1));
	for (size_t i = 1; i < len; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (p[i] & 0x3f);
	}
	if (c < least[len] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		return 0;
	*ret = c;
	return len;
}

static void put_escaped(struct json_out *j, unsigned char c)
{
	static const char shorts[] = "\b\t\n\f\r\"\\";
	static const char letters[] = "btnfr\"\\";
	const char *at = c ? strchr(shorts, c) : NULL;

	if (at) {
		char e[2] = { '\\', letters[at - shorts] };

		put(j, e, 2);
	} else {
		put_u16(j, c);
	}
}

static void put_string(struct json_out *j, struct span s)
{
	const unsigned char *p = (const unsigned char *)s.p;
	size_t i = 0, run = 0;

	put(j, "\"", 1);
	while (i < s.n) {
		uint32_t c;
		size_t len;

		if (p[i] >= 0x20 && p[i] < 0x7f && p[i] != '"' && p[i] != '\\') {
			i++;
			continue;
		}
		put(j, s.p + run, i - run);
		if (p[i] < 0x80) {
			put_escaped(j, p[i]);
			i++;
		} else if ((len = utf8_take(p + i, s.n - i, &c)) > 0) {
			put_code_point(j, c);
			i += len;
		} else {
			put_u16(j, 0xfffd);
			i++;
		}
		run = i;
	}
	put(j, s.p ? s.p + run : "", i - run);
	put(j, "\"", 1);
}

void json_out_key(struct json_out *j, const char *name)
{
	json_out_key_span(j, span_of(name));
}

void json_out_key_span(struct json_out *j, struct span name)
{
	before_value(j);
	put_string(j, name);
	put(j, ":", 1);
	j->comma = false;
}

void json_out_string(struct json_out *j, struct span s)
{
	before_value(j);
	put_string(j, s);
}

void json_out_int(struct json_out *j, int64_t v)
{
	before_value(j);
	if (j->error == 0)
		j->error = buf_printf(j->out, "%" PRId64, v);
}

void json_out_bool(struct json_out *j, bool v)
{
	before_value(j);
	put(j, v ? "true" : "false", v ? 4 : 5);
}

void json_out_null(struct json_out *j)
{
	before_value(j);
	put(j, "null", 4);
}

void json_out_raw(struct json_out *j, struct span s)
{
	before_value(j);
	put(j, s.p, s.n);
}

void json_out_member_str(struct json_out *j, const char *name, const char *s)
{
	json_out_key(j, name);
	if (s)
		json_out_string(j, span_of(s));
	else
		json_out_null(j);
}

void json_out_member_span(struct json_out *j, const char *name, struct span s)
{
	json_out_key(j, name);
	json_out_string(j, s);
}

void json_out_member_int(struct json_out *j, const char *name, int64_t v)
{
	json_out_key(j, name);
	json_out_int(j, v);
}

void json_out_member_bool(struct json_out *j, const char *name, bool v)
{
	json_out_key(j, name);
	json_out_bool(j, v);
}

int json_out_end(struct json_out *j)
{
	if (j->error == 0 && j->depth != 0)
		j->error = -EINVAL;
	return j->error;
}
