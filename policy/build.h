/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_POLICY_BUILD_H
#define TOLLGATE_POLICY_BUILD_H

#include "policy/shape.h"
#include "policy/value.h"

struct cedar_snapshot;

enum build_state {
	BUILD_VALUE = 0, /* a value may come */
	BUILD_KEY, /* a name, or the end of the record */
	BUILD_DONE, /* the one value is there */
	BUILD_FAILED, /* r says why */
};

/* The state behind the cedar_put_... functions: finished values wait in items until their set or
 * record closes. */
struct cedar_build {
	struct arena *mem;
	const struct cedar_snapshot *snap; /* names are resolved in it; NULL: in an entity store */
	uint8_t state, after; /* enum build_state; after: once the next value is there */
	bool copy; /* strings are copied, else borrowed */
	bool unknown; /* an unknown was put */
	int r; /* the first error */
	uint32_t depth;
	uint32_t shape; /* of the names so far; with a snapshot only */
	struct shapes shapes;
	VEC(struct cmember) items; /* without name where no record is around */
	struct {
		uint32_t start, shape;
		uint8_t after;
		bool record;
	} frame[CEDAR_VALUE_DEPTH_MAX];
	uint32_t type; /* of the entity before, which is tried first */
};

/* Works for a snapshot from now on, forgetting what was learned of another. 0 or -ENOMEM. */
int build_for(struct cedar_build *b, const struct cedar_snapshot *s);
/* An entity value by name; *guess is the type that is tried first, and then the one it is of. */
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
