/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_POLICY_ENTITY_H
#define TOLLGATE_POLICY_ENTITY_H

#include "policy/build.h"

/* Entities as they were told, in order. */
struct sentity {
	struct cedar_uid uid;
	const struct crecord *attrs, *tags; /* NULL: none */
	uint32_t parent, n_parents; /* in parents */
};

struct cedar_entities {
	struct arena mem;
	struct cedar_build build;
	VEC(struct sentity) e;
	VEC(struct cedar_uid) parents;
};

#endif
