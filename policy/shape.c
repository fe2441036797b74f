// SPDX-License-Identifier: Apache-2.0
/* What the records of requests looked like before: see shape.h. Memory of one thread, bounded
 * whatever requests hold. */
#include "policy/shape.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void forget(struct shapes *t)
{
	memset(t->v, 0, 2 * sizeof(t->v[0]));
	t->v[SHAPE_NONE].length = SHAPE_NAME_MAX + 1; /* ends with no name */
	t->v[SHAPE_START].length = SHAPE_NAME_MAX + 1;
	t->n = SHAPE_START + 1;
	t->full = false;
}

int shapes_init(struct shapes *t)
{
	t->v = malloc(SHAPES_MAX * sizeof(t->v[0]));
	if (!t->v)
		return -ENOMEM;
	forget(t);
	return 0;
}

void shapes_done(struct shapes *t)
{
	free(t->v);
	t->v = NULL;
}

void shapes_settle(struct shapes *t)
{
	if (t->full)
		forget(t);
}

static uint32_t new_shape(struct shapes *t)
{
	if (t->n == SHAPES_MAX) {
		t->full = true;
		return SHAPE_NONE;
	}
	t->v[t->n] = (struct shape){ .sym = SYM_NONE, .length = SHAPE_NAME_MAX + 1 };
	return t->n++;
}

uint32_t shape_learn_inner(struct shapes *t, uint32_t shape)
{
	struct shape *s = &t->v[shape];

	if (shape != SHAPE_NONE)
		s->inner = (uint16_t)new_shape(t);
	return s->inner;
}

/* In the order of records: by symbol, those without one by name behind all others. */
static int compare(const struct shape *a, const struct shape *b)
{
	size_t n = a->length < b->length ? a->length : b->length;
	int c;

	if (a->sym != b->sym)
		return a->sym < b->sym ? -1 : 1;
	if (a->sym != SYM_NONE)
		return 0;
	c = memcmp(a->name, b->name, n);
	return c ? c : (int)a->length - (int)b->length;
}

/* Puts the last name into the order of those before it; false when it is one of them. */
static bool put_in_order(const struct shapes *t, struct shape *s)
{
	const struct shape *of[SHAPE_MEMBERS_MAX]; /* by place */
	uint8_t k = s->n - 1;

	of[k] = s;
	for (uint16_t at = s->before; t->v[at].n > 0; at = t->v[at].before)
		of[t->v[at].n - 1] = &t->v[at];
	for (; k > 0; k--) {
		int c = compare(of[s->order[k - 1]], s);

		if (c == 0)
			return false;
		if (c < 0)
			break;
		s->order[k] = s->order[k - 1];
	}
	s->order[k] = s->n - 1;
	return true;
}

static uint32_t learn(struct shapes *t, uint32_t shape, struct span name, uint32_t sym)
{
	struct shape *before = &t->v[shape], *s;
	uint32_t made;

	if (shape == SHAPE_NONE || before->n == SHAPE_MEMBERS_MAX || name.n > SHAPE_NAME_MAX)
		return SHAPE_NONE;
	made = new_shape(t);
	if (made == SHAPE_NONE)
		return SHAPE_NONE;
	s = &t->v[made];
	s->sym = sym;
	s->before = (uint16_t)shape;
	s->n = before->n + 1;
	s->length = (uint32_t)name.n;
	memcpy(s->order, before->order, sizeof(s->order));
	if (name.n)
		memcpy(s->name, name.p, name.n);
	if (!put_in_order(t, s)) { /* the record is refused when it is whole */
		t->n--;
		return SHAPE_NONE;
	}
	before->next[1] = before->next[0];
	before->next[0] = (uint16_t)made;
	return made;
}

uint32_t shape_with(struct shapes *t, uint32_t shape, const struct intern *names, struct span name,
		    uint32_t *ret_sym)
{
	uint16_t *next = t->v[shape].next;

	for (unsigned i = 0; i < SHAPE_NEXT; i++) {
		uint16_t found = next[i];

		if (shape_ends(&t->v[found], name)) {
			next[i] = next[0];
			next[0] = found;
			*ret_sym = t->v[found].sym;
			return found;
		}
	}
	*ret_sym = intern_find(names, name);
	return learn(t, shape, name, *ret_sym);
}
