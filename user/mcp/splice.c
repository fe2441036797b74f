// SPDX-License-Identifier: Apache-2.0
/*
 * Cutting received messages. Runs in the proxy. Nothing is re-serialised: the bytes around a cut
 * are the received ones.
 */
#include "user/mcp/splice.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

void splice_done(struct splice *s)
{
	free(s->edit);
	*s = (struct splice){ 0 };
}

int splice_add(struct splice *s, size_t off, size_t len, struct span text)
{
	struct splice_edit *p;
	size_t cap;

	if (off > UINT32_MAX || len > UINT32_MAX)
		return -EINVAL;
	if (s->n == s->cap) {
		cap = s->cap ? s->cap * 2 : 8;
		p = realloc(s->edit, cap * sizeof(*p));
		if (!p)
			return -ENOMEM;
		s->edit = p;
		s->cap = cap;
	}
	s->edit[s->n++] = (struct splice_edit){ (uint32_t)off, (uint32_t)len, text };
	return 0;
}

static size_t start_of(const struct tape *t, uint32_t i)
{
	return (size_t)(tape_raw(t, i).p - t->bytes.p);
}

static size_t end_of(const struct tape *t, uint32_t i)
{
	return start_of(t, i) + tape_raw(t, i).n;
}

/* A run of dropped elements goes with the comma before it; where nothing before it is kept, with
 * the one behind it. */
int splice_cut(struct splice *s, const struct tape *t, uint32_t array, const uint8_t *drop, size_t n)
{
	uint32_t i = tape_first(t, array);
	bool kept = false;
	size_t k = 0, from;
	int r = 0;

	while (i != TAPE_NONE && r == 0) {
		bool cut = k >= n || drop[k];
		uint32_t before = i, run = i;

		for (; i != TAPE_NONE && (k >= n || drop[k]) == cut; k++) {
			run = i;
			i = tape_next(t, array, i);
		}
		if (cut && kept) {
			/* not the first: what stands before it is white space and a comma */
			for (from = start_of(t, before); t->bytes.p[from - 1] != ','; from--)
				;
			r = splice_add(s, from - 1, end_of(t, run) - (from - 1), (struct span){ NULL, 0 });
		} else if (cut) {
			from = start_of(t, before);
			r = splice_add(s, from, (i != TAPE_NONE ? start_of(t, i) : end_of(t, run)) - from,
				       (struct span){ NULL, 0 });
		}
		kept |= !cut;
	}
	return r;
}

static int by_offset(const void *a, const void *b)
{
	const struct splice_edit *x = a, *y = b;

	return (x->off > y->off) - (x->off < y->off);
}

int splice_apply(struct splice *s, struct span bytes, struct buf *out)
{
	size_t at = 0;
	int r = 0;

	if (s->n > 1)
		qsort(s->edit, s->n, sizeof(*s->edit), by_offset);
	for (size_t i = 0; i < s->n; i++) {
		const struct splice_edit *e = &s->edit[i];

		if (e->off < at || e->off > bytes.n || e->len > bytes.n - e->off)
			return -EINVAL;
		at = (size_t)e->off + e->len;
	}
	at = 0;
	for (size_t i = 0; i < s->n && r == 0; i++) {
		const struct splice_edit *e = &s->edit[i];

		r = buf_append(out, bytes.p + at, e->off - at);
		if (r == 0)
			r = buf_append(out, e->text.p, e->text.n);
		at = (size_t)e->off + e->len;
	}
	return r < 0 ? r : buf_append(out, bytes.p + at, bytes.n - at);
}
