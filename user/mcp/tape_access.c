// SPDX-License-Identifier: Apache-2.0
/*
 * Reading a parsed tape. Every function takes any token number and any type: a wrong one is an
 * empty answer, never a fault, because the numbers come from what the other side sent.
 */
#include "user/mcp/tape.h"

#include <errno.h>
#include <string.h>

#include "user/mcp/tape_string.h"

static const struct tape_tok *token(const struct tape *t, uint32_t i)
{
	return i < t->count ? &t->tok[i] : NULL;
}

bool tape_is(const struct tape *t, uint32_t i, enum tape_type type)
{
	const struct tape_tok *k = token(t, i);

	return k && k->type == type;
}

struct span tape_raw(const struct tape *t, uint32_t i)
{
	const struct tape_tok *k = token(t, i);

	if (!k)
		return (struct span){ NULL, 0 };
	if (k->type == TAPE_STRING)
		return (struct span){ t->bytes.p + k->off - 1, (size_t)k->len + 2 };
	return (struct span){ t->bytes.p + k->off, k->len };
}

struct span tape_text(const struct tape *t, uint32_t i)
{
	const struct tape_tok *k = token(t, i);
	const char *raw;

	if (!k || k->type != TAPE_STRING)
		return (struct span){ NULL, 0 };
	raw = t->bytes.p + k->off;
	if (!k->escaped)
		return (struct span){ raw, k->len };
	/* A string's text is never longer than its raw bytes, so each has its own place in the
	 * shadow, and unescaping it again writes the same bytes. */
	return (struct span){ t->shadow + k->off, tape_string_decode(raw, k->len, t->shadow + k->off) };
}

bool tape_text_is(const struct tape *t, uint32_t i, const char *s)
{
	return tape_is(t, i, TAPE_STRING) && span_is(tape_text(t, i), s);
}

uint32_t tape_first(const struct tape *t, uint32_t container)
{
	const struct tape_tok *k = token(t, container);

	if (!k || (k->type != TAPE_OBJECT && k->type != TAPE_ARRAY) || k->next == container + 1)
		return TAPE_NONE;
	return container + 1;
}

uint32_t tape_next(const struct tape *t, uint32_t container, uint32_t i)
{
	const struct tape_tok *c = token(t, container), *k = token(t, i);
	uint32_t next;

	if (!c || !k)
		return TAPE_NONE;
	next = k->next;
	if (c->type == TAPE_OBJECT) {
		k = token(t, next);
		if (!k)
			return TAPE_NONE;
		next = k->next;
	}
	return next < c->next ? next : TAPE_NONE;
}

uint32_t tape_get(const struct tape *t, uint32_t object, const char *name)
{
	struct span want = span_of(name);

	if (!tape_is(t, object, TAPE_OBJECT))
		return TAPE_NONE;
	for (uint32_t i = tape_first(t, object); i != TAPE_NONE; i = tape_next(t, object, i)) {
		if (!t->tok[i].escaped && t->tok[i].len != want.n)
			continue;
		if (span_eq(tape_text(t, i), want))
			return i + 1;
	}
	return TAPE_NONE;
}

/* One character, folded: letters to lower case, and the two other characters whose simple case
 * folding is an ASCII letter (U+017F to s, U+212A to k). Returns how many bytes it took. */
static size_t fold_one(const char *p, size_t n, char *ret)
{
	if (n >= 2 && memcmp(p, "\xc5\xbf", 2) == 0) {
		*ret = 's';
		return 2;
	}
	if (n >= 3 && memcmp(p, "\xe2\x84\xaa", 3) == 0) {
		*ret = 'k';
		return 3;
	}
	*ret = *p >= 'A' && *p <= 'Z' ? (char)(*p | 0x20) : *p;
	return 1;
}

bool tape_text_folds_to(struct span a, const char *name)
{
	size_t i = 0;
	char x, y;

	for (; *name; name++) {
		if (i >= a.n)
			return false;
		i += fold_one(a.p + i, a.n - i, &x);
		fold_one(name, 1, &y);
		if (x != y)
			return false;
	}
	return i == a.n;
}

bool tape_has_lookalike(const struct tape *t, uint32_t object, const char *name)
{
	size_t len = strlen(name);

	if (!tape_is(t, object, TAPE_OBJECT))
		return false;
	for (uint32_t i = tape_first(t, object); i != TAPE_NONE; i = tape_next(t, object, i)) {
		struct span s;

		/* the longest folded form takes three bytes a letter, an escaped one may take any
		 * number */
		if (!t->tok[i].escaped && (t->tok[i].len < len || t->tok[i].len > 3 * len))
			continue;
		s = tape_text(t, i);
		if (!span_is(s, name) && tape_text_folds_to(s, name))
			return true;
	}
	return false;
}

bool tape_members(const struct tape *t, uint32_t object, const struct span *names, unsigned n,
		  uint32_t *values)
{
	bool clear = true;

	for (unsigned k = 0; k < n; k++)
		values[k] = TAPE_NONE;
	if (!tape_is(t, object, TAPE_OBJECT))
		return true;
	for (uint32_t i = tape_first(t, object); i != TAPE_NONE; i = tape_next(t, object, i)) {
		struct span s = tape_text(t, i);
		unsigned k = 0;

		while (k < n && !span_eq(s, names[k]))
			k++;
		if (k < n) {
			values[k] = i + 1;
			continue;
		}
		for (k = 0; k < n && clear; k++)
			clear = s.n < names[k].n || s.n > 3 * names[k].n ||
				!tape_text_folds_to(s, names[k].p);
	}
	return clear;
}

int tape_int64(const struct tape *t, uint32_t i, int64_t *ret)
{
	const struct tape_tok *k = token(t, i);
	const char *p;
	uint64_t v = 0, most;
	bool minus;

	if (!k || k->type != TAPE_NUMBER)
		return -EINVAL;
	p = t->bytes.p + k->off;
	minus = *p == '-';
	for (uint32_t j = minus; j < k->len; j++)
		if (p[j] < '0' || p[j] > '9')
			return -EINVAL;
	most = (uint64_t)INT64_MAX + minus;
	for (uint32_t j = minus; j < k->len; j++) {
		unsigned d = (unsigned)(p[j] - '0');

		if (v > (most - d) / 10)
			return -ERANGE;
		v = v * 10 + d;
	}
	*ret = minus ? (int64_t)(0 - v) : (int64_t)v;
	return 0;
}

unsigned tape_line(struct span bytes, size_t offset)
{
	unsigned line = 1;

	for (size_t i = 0; i < offset && i < bytes.n; i++)
		line += bytes.p[i] == '\n';
	return line;
}

const char *tape_error_text(enum tape_error e)
{
	static const char *const text[] = {
		[TAPE_OK] = "no error",
		[TAPE_E_SYNTAX] = "not JSON",
		[TAPE_E_INCOMPLETE] = "the text ends inside a value",
		[TAPE_E_TRAILING] = "something follows the value",
		[TAPE_E_CONTROL] = "control character in a string",
		[TAPE_E_ESCAPE] = "invalid escape in a string",
		[TAPE_E_SURROGATE] = "lone surrogate in a string",
		[TAPE_E_UTF8] = "invalid UTF-8 in a string",
		[TAPE_E_NUMBER] = "malformed number",
		[TAPE_E_DUPLICATE] = "name occurs twice in an object",
		[TAPE_E_DEPTH] = "nested too deeply",
		[TAPE_E_TOKENS] = "too many values",
		[TAPE_E_BYTES] = "too long",
		[TAPE_E_MEMORY] = "out of memory",
	};

	return (unsigned)e < sizeof(text) / sizeof(text[0]) ? text[e] : "unknown";
}
