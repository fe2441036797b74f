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

/* How the machine failed. */
struct fail {
	uint32_t code, arg, pc, got;
	struct cval v, w;
};

/* Of a conjunct, and of the operators in it: TRUE is "go on" there. */
enum outcome {
	OUT_FALSE = 0,
	OUT_TRUE,
	OUT_ERROR, /* rq->fail says what */
	OUT_UNKNOWN,
	OUT_NO_MEMORY,
};

/* What a path leads to in this request, and what was found out about it, when first asked. */
struct path_value {
	uint32_t epoch; /* else nothing of this holds */
	uint8_t out; /* enum outcome */
	bool hashed, matched, spread;
	uint32_t hash;
	struct cval v;
	uint32_t *match; /* room for the patterns of its matcher */
	uint32_t n_matches;
	uint32_t n_members; /* of a set, each once */
	const struct member {
		struct cval v;
		uint32_t hash;
	} *member;
};

/* The first is what the product uses; the others are for tests, which compare. */
enum decide_flags {
	DECIDE_LINEAR = 1, /* every policy by itself, by the machine, without index */
	DECIDE_FORGET = 2, /* no outcome is kept for the next time it is asked */
};

struct cedar_request {
	struct cedar_snapshot *snap;
	struct arena mem;
	struct cedar_build build;
	struct cval var[3]; /* enum ast_var; V_NONE: not set */
	/* Their types; before they are set, those of the request before, which are tried first. */
	struct known_type {
		struct span name; /* without p: none */
		struct words last; /* hash_words() */
		uint32_t sym;
	} type[3];
	struct cval context;
	bool context_unknown; /* a member of it is */
	struct told_entity told[CEDAR_REQUEST_ENTITIES_MAX];
	uint32_t n_told;
	unsigned flags; /* enum decide_flags */
	bool first_only; /* cedar_decide() */
	/* How often an entity was looked for that the store does not have; whether something was
	 * kept under principal and context that depends on such a one. */
	uint32_t outside;
	bool shaky;

	const uint32_t *above[3]; /* the ancestors of principal and resource */
	uint32_t n_above[3];
	/* For each number: the epoch in which it was the principal (resource) or an ancestor of it.
	 * Marked when first asked. */
	uint32_t *under[3];
	uint32_t marked[3]; /* epoch */
	/* Those of the action: see struct caction. */
	const uint32_t *keys;
	const struct cprogram *programs;
	uint64_t key_mask;
	uint32_t n_keys, n_programs;
	/* The same for an action that the store does not have, and for each key the epoch in which
	 * it was found. */
	uint32_t *told_keys, *key_seen;
	struct cprogram *told_programs;
	uint32_t epoch;
	/* For each variable: since when it has been what it is. Principal and context stay while
	 * a batch goes through actions and resources. */
	uint32_t since[4];
	struct path_value *path; /* for each path */
	uint32_t *memo; /* for each conjunct: epoch << 2 | outcome */
	uint32_t *match; /* what path_value.match points into */
	uint64_t *tried; /* for matcher_run() */
	struct cval *stack;

	/* As many as there are policies, so that none of them grows. */
	uint32_t *permits, *forbids, *depending;
	struct cedar_failure *failures;
	uint32_t n_permits, n_forbids, n_depending, n_failures;
	uint32_t depending_forbids;
	bool forbid_failed;
	struct fail fail;
};

/* Whether principal or resource is an entity of this number, or below it. */
void request_mark(struct cedar_request *rq, enum ast_var var);
static inline bool request_under(struct cedar_request *rq, enum ast_var var, uint32_t n)
{
	if (rq->marked[var] != rq->since[var])
		request_mark(rq, var);
	return rq->under[var][n] == rq->since[var];
}

/* False when neither store nor request has the entity. */
bool request_view(struct cedar_request *rq, struct cval entity, struct entity_view *ret);
/* Cedar's `in` between two entities. */
bool request_is_in(struct cedar_request *rq, struct cval a, struct cval b);
/* Its name, wherever that is kept. */
struct cedar_uid request_uid(const struct cedar_request *rq, struct cval entity);
/* The symbol of an entity's type. */
uint32_t request_type(const struct cedar_request *rq, struct cval entity);

/* Whether a sorted list holds a number. */
bool has_number(const uint32_t *v, uint32_t n, uint32_t x);

/* Runs one conjunct from its first instruction. Never OUT_TRUE for anything but true. */
enum outcome eval_conjunct(struct cedar_request *rq, uint32_t pc);


/* decide.c: runs a program's nodes and puts what they give into the lists. 1 when the answer is
 * known and nobody wants more, -ENOSPC. */
int decide_nodes(struct cedar_request *rq, uint32_t first, uint32_t end, enum cedar_effect effect);
/* The conjuncts of one policy whose scope holds, by the machine. */
int decide_policy(struct cedar_request *rq, uint32_t policy);

/* authorize.c: the answer to what was told. all: principal and context may have changed too. */
int request_answer(struct cedar_request *rq, bool first_only, bool all, struct cedar_answer *ret);

/* request.c: a new question to the same snapshot: what was found out about the variables that may
 * have changed is forgotten. */
void request_next_epoch(struct cedar_request *rq, bool all);

#endif
