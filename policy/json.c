// SPDX-License-Identifier: Apache-2.0
/* A strict JSON reader. Depth is bounded, and takes no C stack; what any two readers could disagree on
 * is refused. */
#include "policy/json.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "policy/text.h"

struct reader {
	struct arena *mem;
	struct span text;
	const char *p, *end;
	unsigned depth_max;
	struct cedar_error *error;
	int r;
};

static bool bad(struct reader *rd, const char *at, const char *what)
{
	if (rd->r == 0)
		rd->r = error_set(rd->error, &rd->text, (size_t)(at - rd->text.p), "%s", what);
	return false;
}

static bool no_memory(struct reader *rd)
{
	if (rd->r == 0)
		rd->r = -ENOMEM;
	return false;
}

static void skip_space(struct reader *rd)
{
	while (rd->p < rd->end &&
	       (*rd->p == ' ' || *rd->p == '\t' || *rd->p == '\n' || *rd->p == '\r'))
		rd->p++;
}

static bool accept(struct reader *rd, char c)
{
	skip_space(rd);
	if (rd->p == rd->end || *rd->p != c)
		return false;
	rd->p++;
	return true;
}

/* --- strings ---------------------------------------------------------------------------------- */

static bool read_hex4(struct reader *rd, uint32_t *ret)
{
	uint32_t v = 0;

	for (unsigned i = 0; i < 4; i++, rd->p++) {
		char c = rd->p < rd->end ? *rd->p : 0, l = c | 0x20;

		if (c >= '0' && c <= '9')
			v = v << 4 | (uint32_t)(c - '0');
		else if (l >= 'a' && l <= 'f')
			v = v << 4 | (uint32_t)(l - 'a' + 10);
		else
			return bad(rd, rd->p, "\\u needs four hexadecimal digits");
	}
	*ret = v;
	return true;
}

/* Behind a backslash. */
static bool read_escape(struct reader *rd, char **out)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	const char *at = rd->p - 1, *f;
	uint32_t c, low;

	if (rd->p == rd->end)
		return bad(rd, at, "the string is not closed");
	if (*rd->p != 'u') {
		f = *rd->p ? strchr(from, *rd->p) : NULL;
		if (!f)
			return bad(rd, at, "no such escape");
		*(*out)++ = to[f - from];
		rd->p++;
		return true;
	}
	rd->p++;
	if (!read_hex4(rd, &c))
		return false;
	if (c >= 0xd800 && c <= 0xdbff) {
		if (rd->end - rd->p < 2 || rd->p[0] != '\\' || rd->p[1] != 'u')
			return bad(rd, at, "half of a surrogate pair");
		rd->p += 2;
		if (!read_hex4(rd, &low))
			return false;
		if (low < 0xdc00 || low > 0xdfff)
			return bad(rd, at, "half of a surrogate pair");
		c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
	} else if (c >= 0xdc00 && c <= 0xdfff) {
		return bad(rd, at, "half of a surrogate pair");
	}
	*out += utf8_encode(c, *out);
	return true;
}

/* Behind the opening quote. */
static bool read_string(struct reader *rd, struct span *ret)
{
	const char *start = rd->p, *q = start;
	char *out, *copy;

	while (q < rd->end && *q != '"' && *q != '\\' && (unsigned char)*q >= 0x20)
		q++;
	if (q < rd->end && *q == '"') {
		*ret = (struct span){ start, (size_t)(q - start) };
		rd->p = q + 1;
		return true;
	}
	for (; q < rd->end && *q != '"'; q++)
		q += *q == '\\' && q + 1 < rd->end;
	if (q == rd->end)
		return bad(rd, start - 1, "the string is not closed");
	copy = out = arena_alloc(rd->mem, (size_t)(q - start) + 1);
	if (!copy)
		return no_memory(rd);
	while (*rd->p != '"') {
		if ((unsigned char)*rd->p < 0x20)
			return bad(rd, rd->p, "a control character must be escaped");
		if (*rd->p != '\\') {
			*out++ = *rd->p++;
			continue;
		}
		rd->p++;
		if (!read_escape(rd, &out))
			return false;
	}
	rd->p++;
	*ret = (struct span){ copy, (size_t)(out - copy) };
	return true;
}

/* --- numbers ---------------------------------------------------------------------------------- */

static size_t digits(struct reader *rd)
{
	const char *start = rd->p;

	while (rd->p < rd->end && *rd->p >= '0' && *rd->p <= '9')
		rd->p++;
	return (size_t)(rd->p - start);
}

static bool read_number(struct reader *rd, struct json *ret)
{
	bool negative = *rd->p == '-', exact = true;
	const char *at = rd->p, *first = rd->p += negative;
	uint64_t v = 0;
	size_t n = digits(rd);

	if (n == 0 || (n > 1 && *first == '0'))
		return bad(rd, at, "not a number");
	for (size_t i = 0; i < n; i++) {
		if (__builtin_mul_overflow(v, 10, &v) ||
		    __builtin_add_overflow(v, (uint64_t)(first[i] - '0'), &v))
			exact = false;
	}
	if (rd->p < rd->end && *rd->p == '.') {
		rd->p++;
		exact = false;
		if (digits(rd) == 0)
			return bad(rd, at, "not a number");
	}
	if (rd->p < rd->end && (*rd->p | 0x20) == 'e') {
		rd->p++;
		exact = false;
		if (rd->p < rd->end && (*rd->p == '+' || *rd->p == '-'))
			rd->p++;
		if (digits(rd) == 0)
			return bad(rd, at, "not a number");
	}
	if (v > (uint64_t)INT64_MAX + negative)
		exact = false;
	ret->kind = exact ? JSON_INT : JSON_FRACTION;
	ret->num = exact ? (int64_t)(negative ? 0 - v : v) : 0;
	return true;
}

/* --- arrays and objects ----------------------------------------------------------------------- */

/* Containers that are open keep their members on stacks, so depth costs no C stack. */
struct open {
	bool object;
	uint32_t pos; /* in the text */
	uint32_t kid, key; /* the first of its members on the stacks */
};

struct stacks {
	VEC(struct open) open;
	VEC(struct json) kid;
	VEC(struct span) key;
};

static int by_key(const void *a, const void *b)
{
	const struct span *x = a, *y = b;

	return span_cmp(*x, *y);
}

static bool many_keys_differ(struct reader *rd, const struct span *key, uint32_t n, const char *at)
{
	struct span *sorted = malloc(n * sizeof(*sorted) + 1);
	bool ok = true;

	if (!sorted)
		return no_memory(rd);
	if (n)
		memcpy(sorted, key, n * sizeof(*sorted));
	heap_sort(sorted, n, sizeof(*sorted), by_key);
	for (uint32_t i = 1; ok && i < n; i++) {
		if (span_eq(sorted[i - 1], sorted[i]))
			ok = bad(rd, at, "the object has a key twice");
	}
	free(sorted);
	return ok;
}

#define KEYS_COMPARED_MAX 8 /* up to here one with each other, without memory */

static bool keys_differ(struct reader *rd, const struct span *key, uint32_t n, const char *at)
{
	bool ok = true;

	if (n > KEYS_COMPARED_MAX)
		return many_keys_differ(rd, key, n, at);
	for (uint32_t i = 1; i < n; i++) {
		for (uint32_t k = 0; ok && k < i; k++)
			ok = !span_eq(key[i], key[k]);
	}
	return ok || bad(rd, at, "the object has a key twice");
}

static void *keep(struct reader *rd, const void *v, uint32_t n, size_t size)
{
	void *p = arena_array(rd->mem, n, size);

	if (!p)
		no_memory(rd);
	else if (n)
		memcpy(p, v, n * size);
	return p;
}

static bool open_container(struct reader *rd, struct stacks *st)
{
	struct open o = { .object = *rd->p == '{',
			  .pos = (uint32_t)(rd->p - rd->text.p),
			  .kid = st->kid.n,
			  .key = st->key.n };

	if (st->open.n == rd->depth_max)
		return bad(rd, rd->p, "nested too deep");
	rd->p++;
	return vec_push(&st->open, o) == 0 || no_memory(rd);
}

/* Behind the closing bracket: the innermost container becomes a value. */
static bool close_container(struct reader *rd, struct stacks *st, struct json *ret)
{
	struct open o = st->open.v[--st->open.n];
	uint32_t n = st->kid.n - o.kid;
	struct json *kid = n ? st->kid.v + o.kid : NULL;
	struct span *key = n && o.object ? st->key.v + o.key : NULL;

	if (o.object && !keys_differ(rd, key, n, rd->text.p + o.pos))
		return false;
	*ret = (struct json){ .kind = o.object ? JSON_OBJECT : JSON_ARRAY, .pos = o.pos, .n = n };
	ret->kid = keep(rd, kid, n, sizeof(*ret->kid));
	ret->key = keep(rd, key, o.object ? n : 0, sizeof(*ret->key));
	st->kid.n = o.kid;
	st->key.n = o.key;
	return ret->kid && ret->key;
}

static bool read_key(struct reader *rd, struct stacks *st)
{
	struct span key;

	if (!accept(rd, '"'))
		return bad(rd, rd->p, "expected a key in double quotes");
	if (!read_string(rd, &key))
		return false;
	if (vec_push(&st->key, key) < 0)
		return no_memory(rd);
	return accept(rd, ':') || bad(rd, rd->p, "expected `:`");
}

static bool read_word(struct reader *rd, struct json *ret)
{
	static const struct {
		const char *word;
		enum json_kind kind;
		int64_t num;
	} words[] = { { "true", JSON_BOOL, 1 },
		      { "false", JSON_BOOL, 0 },
		      { "null", JSON_NULL, 0 } };

	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		size_t n = strlen(words[i].word);

		if ((size_t)(rd->end - rd->p) >= n && memcmp(rd->p, words[i].word, n) == 0) {
			ret->kind = words[i].kind;
			ret->num = words[i].num;
			rd->p += n;
			return true;
		}
	}
	return bad(rd, rd->p, "expected a value");
}

static bool read_scalar(struct reader *rd, struct json *ret)
{
	*ret = (struct json){ .pos = (uint32_t)(rd->p - rd->text.p) };
	switch (*rd->p) {
	case '"':
		rd->p++;
		ret->kind = JSON_STRING;
		return read_string(rd, &ret->str);
	case '-':
	case '0' ... '9':
		return read_number(rd, ret);
	default:
		return read_word(rd, ret);
	}
}

/* One value was read: it goes to its container, and containers that end behind it become values in
 * their turn. Sets *ret_done, and *v to the outermost, when none is open any more. */
static bool take_value(struct reader *rd, struct stacks *st, struct json *v, bool *ret_done)
{
	while (st->open.n > 0) {
		bool object = st->open.v[st->open.n - 1].object;

		if (vec_push(&st->kid, *v) < 0)
			return no_memory(rd);
		if (accept(rd, ','))
			return !object || read_key(rd, st);
		if (!accept(rd, object ? '}' : ']'))
			return bad(rd, rd->p,
				   object ? "expected `,` or `}`" : "expected `,` or `]`");
		if (!close_container(rd, st, v))
			return false;
	}
	*ret_done = true;
	return true;
}

static bool read_value(struct reader *rd, struct stacks *st, struct json *ret)
{
	bool done = false;

	while (!done) {
		struct json v;
		bool object;

		skip_space(rd);
		if (rd->p == rd->end)
			return bad(rd, rd->p, "unexpected end of the text");
		if (*rd->p == '{' || *rd->p == '[') {
			object = *rd->p == '{';
			if (!open_container(rd, st))
				return false;
			if (!accept(rd, object ? '}' : ']')) {
				if (object && !read_key(rd, st))
					return false;
				continue;
			}
			if (!close_container(rd, st, &v))
				return false;
		} else if (!read_scalar(rd, &v)) {
			return false;
		}
		if (!take_value(rd, st, &v, &done))
			return false;
		*ret = v;
	}
	return true;
}

int json_parse_deep(struct arena *mem, struct span text, unsigned depth_max,
		    struct cedar_error *error, struct json *ret)
{
	struct reader rd = {
		.mem = mem, .text = text, .p = text.p, .depth_max = depth_max, .error = error
	};
	struct stacks st = { 0 };
	struct json v = { 0 };
	size_t valid;

	if (text.n > CEDAR_TEXT_MAX) {
		error_set(error, NULL, 0, "the text is larger than %u bytes", CEDAR_TEXT_MAX);
		return -EFBIG;
	}
	if (text.n == 0)
		return error_set(error, NULL, 0, "the text is empty");
	rd.end = text.p + text.n;
	valid = utf8_check(text);
	if (valid < text.n)
		return error_set(error, &text, valid, "the text is not valid UTF-8");
	if (read_value(&rd, &st, &v)) {
		skip_space(&rd);
		if (rd.p < rd.end)
			bad(&rd, rd.p, "unexpected text behind the value");
	}
	vec_done(&st.open);
	vec_done(&st.kid);
	vec_done(&st.key);
	if (rd.r == 0)
		*ret = v;
	return rd.r;
}

int json_parse(struct arena *mem, struct span text, struct cedar_error *error, struct json *ret)
{
	return json_parse_deep(mem, text, JSON_DEPTH_MAX, error, ret);
}

const struct json *json_get(const struct json *v, const char *key)
{
	for (uint32_t i = 0; v && v->kind == JSON_OBJECT && i < v->n; i++) {
		if (span_is(v->key[i], key))
			return &v->kid[i];
	}
	return NULL;
}

struct span json_str(const struct json *v)
{
	return v && v->kind == JSON_STRING ? v->str : (struct span){ NULL, 0 };
}
