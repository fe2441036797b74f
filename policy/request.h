/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_POLICY_REQUEST_H
#define TOLLGATE_POLICY_REQUEST_H

#include "policy/build.h"
#include "policy/snapshot.h"

/* What an operator needs to know of an entity, from the store or from the request. */
struct entity_view {
	const struct crecord *attrs, *tags; /* NULL: none */
	const uint32_t *ancestors; /* sorted numbers */
	uint32_t n_ancestors;
	const struct cval *others; /* ancestors without number */
	uint32_t n_others;
};

struct told_entity {
	struct cval uid;
	struct entity_view view;
};

enum fail_code {
	FAIL_NONE = 0,
	FAIL_TYPE, /* v is not of arg: tag bits */
	FAIL_OVERFLOW, /* arg: enum op */
	FAIL_NO_ENTITY, /* v */
	FAIL_NO_ATTR, /* v lacks symbol arg */
	FAIL_NO_TAG, /* v lacks w */
	FAIL_EXT, /* function arg does not take v */
	FAIL_ARITY, /* function arg was given got values */
};

/* What cedar_failure.reserved holds. */
struct fail {
	uint32_t code, arg, pc, got;
	struct cval v, w;
};

_Static_assert(sizeof(struct fail) <= sizeof(((struct cedar_failure *)0)->reserved), "fits");

/* Of a conjunct, and of the operators in it: TRUE is "go on" there. */
enum outcome {
	OUT_FALSE = 0,
	OUT_TRUE,
	OUT_ERROR, /* rq->fail says what */
	OUT_UNKNOWN,
	OUT_NO_MEMORY,
};

struct cedar_request {
	struct cedar_snapshot *snap;
	struct arena mem;
	struct cedar_build build;
	struct cval var[3]; /* enum ast_var; V_NONE: not set */
	uint32_t type[3]; /* their types' symbols */
	struct cval context;
	bool context_unknown; /* a member of it is */
	struct told_entity told[CEDAR_REQUEST_ENTITIES_MAX];
	uint32_t n_told;

	/* For each number: the epoch in which it was the principal (resource) or an ancestor of
	 * it. */
	uint32_t *under_principal, *under_resource;
	uint32_t *key_seen; /* for each key of the index */
	uint32_t epoch;
	struct cval *stack;

	VEC(uint32_t) permits;
	VEC(uint32_t) forbids;
	VEC(uint32_t) depending;
	VEC(struct cedar_failure) failures;
	uint32_t depending_forbids;
	struct fail fail;
};

/* False when neither store nor request has the entity. */
bool request_view(const struct cedar_request *rq, struct cval entity, struct entity_view *ret);
/* Cedar's `in` between two entities. */
bool request_is_in(const struct cedar_request *rq, struct cval a, struct cval b);
/* The symbol of an entity's type. */
uint32_t request_type(const struct cedar_request *rq, struct cval entity);

/* Runs one conjunct from its first instruction. Never OUT_TRUE for anything but true. */
enum outcome eval_conjunct(struct cedar_request *rq, uint32_t pc);

#endif
