/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_POLICY_BUILD_H
#define TOLLGATE_POLICY_BUILD_H

#include "policy/value.h"

struct cedar_snapshot;

struct build_item {
	struct cval v;
	struct span key;
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
	uint32_t depth;
	VEC(struct build_item) items;
	struct {
		uint32_t start;
		bool record;
	} frame[CEDAR_VALUE_DEPTH_MAX];
};

/* An entity value by name. */
int build_entity(struct cedar_build *b, struct span type, struct span id, struct cval *ret);
/* Closes a set that was opened for the arguments of a call, and puts its result. */
void build_close_call(struct cedar_build *b, enum ext_fn fn);
/* Forgets what was begun. */
void build_start(struct cedar_build *b);
/* Takes the one value that was built: its first error, or -EINVAL when there is not exactly one. */
int build_take(struct cedar_build *b, struct cval *ret);
void build_done(struct cedar_build *b);

#endif
