// SPDX-License-Identifier: Apache-2.0
/*
 * Reading and writing the JSON of claims, records and receipts. jansson reads (and refuses what is not
 * JSON); the canonical forms are ours, since what is hashed must not hang on a library's version.
 */
#include "attest/json_text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define DEPTH_MAX 64		     /* of what is written: claims nest five deep */
#define INTEGER_MAX 9007199254740991 /* 2^53-1: beyond it RFC 8785 and Python part ways */

int json_text_read(struct span text, json_t **ret, char error[JSON_TEXT_ERROR_SIZE])
{
	json_error_t e;
	json_t *v;

	if (text.n > JSON_TEXT_MAX)
		return -EFBIG;
	v = json_loadb(text.p ? text.p : "", text.n, JSON_REJECT_DUPLICATES, &e);
	if (v) {
		*ret = v;
		return 0;
	}
	if (json_error_code(&e) == json_error_out_of_memory)
		return -ENOMEM;
	snprintf(error, JSON_TEXT_ERROR_SIZE, "line %d, column %d: %.140s", e.line, e.column, e.text);
	return -EINVAL;
}

/* Next code point of text that jansson has checked to be UTF-8. */
static uint32_t next_point(const unsigned char **p)
{
	const unsigned char *s = *p;
	unsigned more = *s < 0x80 ? 0 : *s < 0xe0 ? 1 : *s < 0xf0 ? 2 : 3;
	uint32_t c = more ? *s & (0x3fu >> more) : *s;

	for (unsigned i = 1; i <= more; i++)
		c = c << 6 | (s[i] & 0x3f);
	*p = s + more + 1;
	return c;
}

static int write_escape(uint32_t c, struct buf *out)
{
	static const char letters[] = {
		['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r'
	};

	if (c == '"' || c == '\\')
		return buf_printf(out, "\\%c", (int)c);
	if (c < sizeof(letters) && letters[c])
		return buf_printf(out, "\\%c", letters[c]);
	if (c > 0xffff)
		return buf_printf(out, "\\u%04x\\u%04x", 0xd7c0 + (c >> 10), 0xdc00 + (c & 0x3ff));
	return buf_printf(out, "\\u%04x", c);
}

static int write_string(struct span s, enum json_form form, struct buf *out)
{
	const unsigned char *p = (const unsigned char *)s.p, *end = p + s.n, *run = p;
	int r = buf_append(out, "\"", 1);

	while (r == 0 && p < end) {
		const unsigned char *at = p;
		uint32_t c = next_point(&p);

		if (c >= 0x20 && c != '"' && c != '\\' && (form == JSON_FORM_JCS || c < 0x7f))
			continue;
		r = buf_append(out, run, (size_t)(at - run));
		if (r == 0)
			r = write_escape(c, out);
		run = p;
	}
	if (r == 0)
		r = buf_append(out, run, (size_t)(end - run));
	return r < 0 ? r : buf_append(out, "\"", 1);
}

/* UTF-16 order differs from that of UTF-8 bytes only where a surrogate pair meets U+E000 to U+FFFF. */
static uint32_t utf16_rank(uint32_t c)
{
	return c > 0xffff ? 0xd800 + (c >> 16) : c >= 0xe000 ? c + 0x10000 : c;
}

static int compare_utf16(const void *va, const void *vb)
{
	const unsigned char *a = *(const unsigned char *const *)va, *b = *(const unsigned char *const *)vb;

	while (*a && *b) {
		uint32_t ca = next_point(&a), cb = next_point(&b);

		if (ca != cb && ca > 0xffff && cb > 0xffff)
			return ca < cb ? -1 : 1;
		if (ca != cb)
			return utf16_rank(ca) < utf16_rank(cb) ? -1 : 1;
	}
	return !*b - !*a;
}

static int compare_points(const void *va, const void *vb)
{
	return strcmp(*(const char *const *)va, *(const char *const *)vb);
}

static int write_value(const json_t *v, enum json_form form, unsigned depth, struct buf *out);

static int write_object(const json_t *v, enum json_form form, const char *without, unsigned depth,
			struct buf *out)
{
	_cleanup_free_ const char **names = calloc(json_object_size(v) + 1, sizeof(*names));
	size_t n = 0;
	const char *name;
	json_t *unused;
	int r;

	if (!names)
		return -ENOMEM;
	json_object_foreach ((json_t *)(uintptr_t)v, name, unused)
		if (!without || strcmp(name, without) != 0)
			names[n++] = name;
	qsort(names, n, sizeof(*names), form == JSON_FORM_JCS ? compare_utf16 : compare_points);
	r = buf_append(out, "{", 1);
	for (size_t i = 0; r == 0 && i < n; i++) {
		if (i)
			r = buf_append(out, ",", 1);
		if (r == 0)
			r = write_string(span_of(names[i]), form, out);
		if (r == 0)
			r = buf_append(out, ":", 1);
		if (r == 0)
			r = write_value(json_object_get(v, names[i]), form, depth + 1, out);
	}
	return r < 0 ? r : buf_append(out, "}", 1);
}

static int write_array(const json_t *v, enum json_form form, unsigned depth, struct buf *out)
{
	int r = buf_append(out, "[", 1);

	for (size_t i = 0; r == 0 && i < json_array_size(v); i++) {
		if (i)
			r = buf_append(out, ",", 1);
		if (r == 0)
			r = write_value(json_array_get(v, i), form, depth + 1, out);
	}
	return r < 0 ? r : buf_append(out, "]", 1);
}

static int write_value(const json_t *v, enum json_form form, unsigned depth, struct buf *out)
{
	json_int_t n;

	if (depth > DEPTH_MAX)
		return -ELOOP;
	switch (json_typeof(v)) {
	case JSON_OBJECT:
		return write_object(v, form, NULL, depth, out);
	case JSON_ARRAY:
		return write_array(v, form, depth, out);
	case JSON_STRING:
		return write_string((struct span){ json_string_value(v), json_string_length(v) }, form, out);
	case JSON_INTEGER:
		n = json_integer_value(v);
		if (n > INTEGER_MAX || n < -INTEGER_MAX)
			return -EDOM;
		return buf_printf(out, "%" JSON_INTEGER_FORMAT, n);
	case JSON_TRUE:
		return buf_append(out, "true", 4);
	case JSON_FALSE:
		return buf_append(out, "false", 5);
	case JSON_NULL:
		return buf_append(out, "null", 4);
	case JSON_REAL:
	default:
		return -EDOM;
	}
}

int json_canonical(const json_t *v, enum json_form form, const char *without, struct buf *out)
{
	return json_is_object(v) ? write_object(v, form, without, 0, out) : write_value(v, form, 0, out);
}

int json_canonical_sha256(const json_t *v, enum json_form form, const char *without, uint8_t ret[SHA256_SIZE])
{
	_cleanup_buf_ struct buf b = { .limit = 2 * JSON_TEXT_MAX };
	int r = json_canonical(v, form, without, &b);

	if (r < 0)
		return r;
	sha256(buf_span(&b).p, buf_len(&b), ret);
	return 0;
}

struct span json_member_text(const json_t *object, const char *name)
{
	const json_t *v = json_object_get(object, name);

	return json_is_string(v) ? (struct span){ json_string_value(v), json_string_length(v) } : SPAN("");
}

const json_t *json_path(const json_t *v, const char *path)
{
	char name[64];

	while (v && *path) {
		size_t n = strcspn(path, ".");

		if (n >= sizeof(name))
			return NULL;
		memcpy(name, path, n);
		name[n] = '\0';
		v = json_object_get(v, name);
		path += n + (path[n] == '.');
	}
	return v;
}
