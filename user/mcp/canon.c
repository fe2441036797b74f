// SPDX-License-Identifier: Apache-2.0
/*
 * Canonical form C on the tape. Runs in the proxy (definitions on the wire) and wherever a catalog
 * is read. Output goes to a buffer with a limit, so hostile input cannot make it large.
 */
#include "user/mcp/canon.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "user/base/cleanup.h"
#include "user/base/json_out.h"
#include "user/mcp/canon_number.h"

struct canon {
	const struct tape *t;
	struct buf *out;
	uint32_t *names; /* stack of sorted name tokens, one run per open object */
	size_t n, cap;
};

static bool is_plain(struct span s)
{
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c < 0x20 || c >= 0x7f || c == '"' || c == '\\')
			return false;
	}
	return true;
}

int canon_string(struct span text, struct buf *out)
{
	struct json_out j;
	int r;

	if (is_plain(text)) {
		r = buf_append(out, "\"", 1);
		if (r == 0)
			r = buf_append(out, text.p, text.n);
		return r < 0 ? r : buf_append(out, "\"", 1);
	}
	json_out_init(&j, out);
	json_out_string(&j, text);
	return json_out_end(&j);
}

static int by_text(const void *a, const void *b, void *arg)
{
	const struct tape *t = arg;
	struct span x = tape_text(t, *(const uint32_t *)a), y = tape_text(t, *(const uint32_t *)b);
	int r = memcmp(x.p, y.p, x.n < y.n ? x.n : y.n); /* order of UTF-8 bytes is order of code points */

	return r ? r : (x.n > y.n) - (x.n < y.n);
}

/* Pushes the object's names, sorted; *ret_from is where they begin. */
static int names_push(struct canon *c, uint32_t object, size_t *ret_from)
{
	size_t count = c->t->tok[object].count, cap;
	uint32_t *p;

	*ret_from = c->n;
	if (c->cap - c->n < count) {
		cap = c->cap ? c->cap * 2 : 64;
		while (cap - c->n < count)
			cap *= 2;
		p = realloc(c->names, cap * sizeof(*p));
		if (!p)
			return -ENOMEM;
		c->names = p;
		c->cap = cap;
	}
	for (uint32_t i = tape_first(c->t, object); i != TAPE_NONE; i = tape_next(c->t, object, i))
		c->names[c->n++] = i;
	if (count > 1)
		qsort_r(c->names + *ret_from, count, sizeof(*p), by_text, (void *)c->t);
	return 0;
}

static int value(struct canon *c, uint32_t i);

static int object(struct canon *c, uint32_t i)
{
	size_t from, to;
	int r = names_push(c, i, &from);

	to = c->n;
	if (r == 0)
		r = buf_append(c->out, "{", 1);
	for (size_t k = from; k < to && r == 0; k++) {
		if (k > from)
			r = buf_append(c->out, ",", 1);
		if (r == 0)
			r = canon_string(tape_text(c->t, c->names[k]), c->out);
		if (r == 0)
			r = buf_append(c->out, ":", 1);
		if (r == 0)
			r = value(c, c->names[k] + 1);
	}
	c->n = from;
	return r < 0 ? r : buf_append(c->out, "}", 1);
}

static int array(struct canon *c, uint32_t a)
{
	int r = buf_append(c->out, "[", 1);

	for (uint32_t i = tape_first(c->t, a); i != TAPE_NONE && r == 0; i = tape_next(c->t, a, i)) {
		if (i != a + 1)
			r = buf_append(c->out, ",", 1);
		if (r == 0)
			r = value(c, i);
	}
	return r < 0 ? r : buf_append(c->out, "]", 1);
}

/* Recursion is bounded by the tape's depth limit (TAPE_DEPTH_MAX). */
static int value(struct canon *c, uint32_t i)
{
	struct span raw = tape_raw(c->t, i);

	switch ((enum tape_type)c->t->tok[i].type) {
	case TAPE_OBJECT:
		return object(c, i);
	case TAPE_ARRAY:
		return array(c, i);
	case TAPE_STRING:
		return canon_string(tape_text(c->t, i), c->out);
	case TAPE_NUMBER:
		return canon_number(raw, c->out);
	default:
		return buf_append(c->out, raw.p, raw.n);
	}
}

int canon_write(const struct tape *t, uint32_t i, struct buf *out)
{
	struct canon c = { .t = t, .out = out };
	int r;

	if (i >= t->count)
		return -EINVAL;
	r = value(&c, i);
	free(c.names);
	return r;
}

int canon_digest(const struct tape *t, uint32_t i, struct buf *scratch, uint8_t ret[SHA256_SIZE])
{
	struct span s;
	int r;

	buf_clear(scratch);
	r = canon_write(t, i, scratch);
	if (r < 0)
		return r;
	s = buf_span(scratch);
	sha256(s.p, s.n, ret);
	return 0;
}

static int line(struct buf *out, unsigned level)
{
	int r = buf_append(out, "\n", 1);

	while (level-- && r == 0)
		r = buf_append(out, "  ", 2);
	return r;
}

int canon_pretty(const struct tape *t, uint32_t i, unsigned level, struct buf *out)
{
	bool object_p = tape_is(t, i, TAPE_OBJECT), empty = tape_first(t, i) == TAPE_NONE;
	struct span raw = tape_raw(t, i);
	int r;

	if (raw.n == 0)
		return -EINVAL;
	if (!object_p && !tape_is(t, i, TAPE_ARRAY))
		return buf_append(out, raw.p, raw.n);
	r = buf_append(out, object_p ? "{" : "[", 1);
	for (uint32_t k = tape_first(t, i); k != TAPE_NONE && r == 0; k = tape_next(t, i, k)) {
		struct span name = tape_raw(t, k);

		if (k != i + 1)
			r = buf_append(out, ",", 1);
		if (r == 0)
			r = line(out, level + 1);
		if (r == 0 && object_p)
			r = buf_append(out, name.p, name.n);
		if (r == 0 && object_p)
			r = buf_append(out, ": ", 2);
		if (r == 0)
			r = canon_pretty(t, object_p ? k + 1 : k, level + 1, out);
	}
	if (r == 0 && !empty)
		r = line(out, level);
	return r < 0 ? r : buf_append(out, object_p ? "}" : "]", 1);
}
