/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_POLICY_BUILD_H
#define TOLLGATE_POLICY_BUILD_H

#include "policy/value.h"

struct cedar_snapshot;

/* Records up to this size remember how their members were sorted the last time. */
#define BUILD_ORDER_MAX 16

/* Requests of one kind come with the same names in the same order. What was seen is tried first and
 * checked; a guess that fails costs a lookup or a sort, nothing else. */
struct build_guess {
	uint32_t (*next)[2]; /* for each symbol, and one more for the beginning: those behind it */
	uint8_t order[BUILD_ORDER_MAX + 1][BUILD_ORDER_MAX]; /* for each size */
	uint32_t type; /* of the entity before */
};

/* The state behind the cedar_put_... functions: finished values wait in items until their set or
 * record closes. */
struct cedar_build {
	struct arena *mem;
	const struct cedar_snapshot *snap; /* names are resolved in it; NULL: in an entity store */
	bool copy; /* strings are copied, else borrowed */
	bool unknown; /* an unknown was put */
	bool has_key;
	int r; /* the first error */
	struct span key;
	uint32_t key_sym;
	struct build_guess guess; /* with a snapshot only */
	uint32_t depth;
	VEC(struct cmember) items; /* without name where no record is around */
	struct {
		uint32_t start;
		bool record;
	} frame[CEDAR_VALUE_DEPTH_MAX];
};

/* Works for a snapshot from now on, forgetting what was learned of another. 0 or -ENOMEM. */
int build_for(struct cedar_build *b, const struct cedar_snapshot *s);
/* An entity value by name; *guess is the type that is tried first. */
int build_entity(struct cedar_build *b, struct span type, struct span id, uint32_t *guess,
		 struct cval *ret);
/* Closes a set that was opened for the arguments of a call, and puts its result. */
void build_close_call(struct cedar_build *b, enum ext_fn fn);
/* Forgets what was begun. */
void build_start(struct cedar_build *b);
/* Takes the one value that was built: its first error, or -EINVAL when there is not exactly one. */
int build_take(struct cedar_build *b, struct cval *ret);
void build_done(struct cedar_build *b);

#endif
