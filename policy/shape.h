/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_POLICY_SHAPE_H
#define TOLLGATE_POLICY_SHAPE_H

#include <stdbool.h>
#include <stdint.h>

#include "policy/intern.h"

#define SHAPES_MAX 256u /* 16 KiB a request; about as many as what a processor keeps near */
#define SHAPE_MEMBERS_MAX 16 /* larger records are sorted each time */
#define SHAPE_NAME_MAX 28 /* longer names are looked up each time */
#define SHAPE_NEXT 2 /* names that are tried, since a member may be left out */
#define SHAPE_NONE 0u /* of a record that is not followed */

/*
 * Requests of one kind come with the same names in the same order. A shape is a record begun: the
 * names given so far. It knows the symbol of the last and, for when the record ends here, the order
 * its members have to be brought into. What was seen is tried first and compared byte by byte; a
 * name that comes unexpected costs a lookup and, while there is room, becomes a shape.
 */
struct shape {
	uint32_t sym; /* of the last name; SYM_NONE: no name of the snapshot */
	uint32_t length; /* of the last name; more than SHAPE_NAME_MAX: there is none */
	uint16_t before; /* the record without the last name */
	uint16_t next[SHAPE_NEXT]; /* with one more, the last used first; SHAPE_NONE: not seen */
	uint16_t inner; /* an empty record as the value of the last name */
	uint8_t n; /* names */
	uint8_t order[SHAPE_MEMBERS_MAX]; /* the k-th in a record's order was given as this */
	char name[SHAPE_NAME_MAX]; /* the last */
};

_Static_assert(sizeof(struct shape) == 64, "a shape is as long as a cache line");

struct shapes {
	struct shape *v;
	uint32_t n;
	bool full; /* something was not kept for want of room */
};

/* The shape outside of any record. */
#define SHAPE_START 1u

/* Room for all of them, for the names of one snapshot; 0 or -ENOMEM. */
int shapes_init(struct shapes *t);
void shapes_done(struct shapes *t);
/* Forgets all when there was no room for one. Not while a record is being followed. */
void shapes_settle(struct shapes *t);

/* The record with one more name; SHAPE_NONE when that is not followed. *ret_sym is the name's symbol in
 * any case. */
uint32_t shape_with(struct shapes *t, uint32_t shape, const struct intern *names, struct span name,
		    uint32_t *ret_sym);
/* An empty record as the value of the last name. */
uint32_t shape_learn_inner(struct shapes *t, uint32_t shape);
static inline uint32_t shape_inner(struct shapes *t, uint32_t shape)
{
	uint32_t inner = t->v[shape].inner;

	return inner != SHAPE_NONE ? inner : shape_learn_inner(t, shape);
}

static inline bool shape_ends(const struct shape *s, struct span name)
{
	return name.n <= SHAPE_NAME_MAX && s->length == name.n && bytes_equal(s->name, name.p, name.n);
}

#endif
