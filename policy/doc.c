// SPDX-License-Identifier: Apache-2.0
/* Layout. Documents may be deep (chains are), so nothing here recurses. */
#include "policy/doc.h"

#include <errno.h>
#include <stdlib.h>

#include "policy/text.h"
#include "policy/unicode.h"

enum doc_kind { DOC_TEXT, DOC_LINE, DOC_HARD, DOC_CAT, DOC_NEST, DOC_GROUP };

struct doc {
	enum doc_kind kind;
	uint32_t n; /* TEXT: columns; LINE: spaces when flat; NEST: by */
	union {
		struct span text;
		struct {
			const struct doc *a, *b;
		};
	};
};

/* --- building --------------------------------------------------------------------------------- */

static const struct doc *new_doc(struct docs *ds, struct doc d)
{
	struct doc *p = ds->failed ? NULL : arena_alloc(&ds->mem, sizeof(*p));

	if (!p) {
		ds->failed = true;
		return NULL;
	}
	*p = d;
	return p;
}

const struct doc *doc_text(struct docs *ds, struct span s)
{
	const char *p = s.p, *end = s.p + s.n;
	uint32_t columns = 0, c;
	unsigned n;

	for (; p < end && (n = utf8_decode(p, end, &c)) > 0; p += n)
		columns += char_columns(c);
	return new_doc(ds, (struct doc){ .kind = DOC_TEXT, .n = columns, .text = s });
}

const struct doc *doc_line(struct docs *ds)
{
	return new_doc(ds, (struct doc){ .kind = DOC_LINE, .n = 1 });
}

const struct doc *doc_line_or_nothing(struct docs *ds)
{
	return new_doc(ds, (struct doc){ .kind = DOC_LINE });
}

const struct doc *doc_hard_line(struct docs *ds)
{
	return new_doc(ds, (struct doc){ .kind = DOC_HARD });
}

const struct doc *doc_cat(struct docs *ds, const struct doc *a, const struct doc *b)
{
	if (!a || !b)
		return a ? a : b;
	return new_doc(ds, (struct doc){ .kind = DOC_CAT, .a = a, .b = b });
}

const struct doc *doc_cats_(struct docs *ds, const struct doc *const *v, size_t n)
{
	const struct doc *d = NULL;

	for (size_t i = 0; i < n; i++)
		d = doc_cat(ds, d, v[i]);
	return d;
}

const struct doc *doc_nest(struct docs *ds, unsigned by, const struct doc *d)
{
	return d ? new_doc(ds, (struct doc){ .kind = DOC_NEST, .n = by, .a = d }) : NULL;
}

const struct doc *doc_group(struct docs *ds, const struct doc *d)
{
	return d ? new_doc(ds, (struct doc){ .kind = DOC_GROUP, .a = d }) : NULL;
}

/* --- rendering -------------------------------------------------------------------------------- */

struct command {
	const struct doc *d;
	uint32_t indent;
	bool flat;
};

struct renderer {
	struct buf *out;
	unsigned width;
	uint32_t column;
	VEC(struct command) todo; /* the next is the last */
	VEC(const struct doc *) ahead; /* of fits() */
};

/* Whether d, flat, and what follows it up to the next possible line end, fit on the line. 1, 0 or
 * -ENOMEM. What follows is looked at from the end of todo, without taking it off. */
static int fits(struct renderer *rn, const struct doc *d)
{
	uint32_t column = rn->column, rest = rn->todo.n;
	bool flat = true;

	rn->ahead.n = 0;
	for (;;) {
		if (!d && rn->ahead.n > 0) {
			d = rn->ahead.v[--rn->ahead.n];
		} else if (!d) {
			if (rest == 0)
				return 1;
			d = rn->todo.v[--rest].d;
			flat = false;
		}
		switch (d->kind) {
		case DOC_TEXT:
			column += d->n;
			d = NULL;
			break;
		case DOC_LINE:
			if (!flat)
				return 1;
			column += d->n;
			d = NULL;
			break;
		case DOC_HARD:
			return !flat;
		case DOC_CAT:
			if (vec_push(&rn->ahead, d->b) < 0)
				return -ENOMEM;
			d = d->a;
			break;
		default:
			d = d->a;
		}
		if (column > rn->width)
			return 0;
	}
}

static int line_end(struct renderer *rn, uint32_t indent)
{
	char *p;
	int r;

	if (rn->todo.n > 0)
		indent = rn->todo.v[rn->todo.n - 1].indent;
	r = buf_reserve(rn->out, (size_t)indent + 1, &p);
	if (r < 0)
		return r;
	p[0] = '\n';
	memset(p + 1, ' ', indent);
	buf_commit(rn->out, (size_t)indent + 1);
	rn->column = indent;
	return 0;
}

static int text(struct renderer *rn, struct span s, uint32_t columns)
{
	rn->column += columns;
	return buf_append(rn->out, s.p, s.n);
}

/* Does one command, of which another may come. */
static int step(struct renderer *rn, struct command c)
{
	int r;

	switch (c.d->kind) {
	case DOC_TEXT:
		return text(rn, c.d->text, c.d->n);
	case DOC_LINE:
		return c.flat ? text(rn, (struct span){ " ", c.d->n }, c.d->n)
			      : line_end(rn, c.indent);
	case DOC_HARD:
		return line_end(rn, c.indent);
	case DOC_CAT:
		r = vec_push(&rn->todo, ((struct command){ c.d->b, c.indent, c.flat }));
		if (r < 0)
			return r;
		break;
	case DOC_NEST:
		c.indent += c.d->n;
		break;
	case DOC_GROUP:
		r = c.flat ? 1 : fits(rn, c.d->a);
		if (r < 0)
			return r;
		c.flat = r;
		break;
	}
	c.d = c.d->a;
	return vec_push(&rn->todo, c);
}

int doc_render(const struct doc *d, unsigned width, struct buf *out)
{
	struct renderer rn = { .out = out, .width = width };
	int r = d ? vec_push(&rn.todo, ((struct command){ .d = d })) : 0;

	while (r == 0 && rn.todo.n > 0)
		r = step(&rn, rn.todo.v[--rn.todo.n]);
	vec_done(&rn.todo);
	vec_done(&rn.ahead);
	return r;
}
