/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_POLICY_SNAPSHOT_H
#define TOLLGATE_POLICY_SNAPSHOT_H

#include <stdatomic.h>

#include "policy/ast.h"
#include "policy/code.h"
#include "policy/value.h"

/* Inside of a snapshot: everything a decision reads. Nothing in it changes after
 * cedar_snapshot_new(). */

/* An entity by number: of the store, or only named (as a parent, in a policy, in an attribute). */
struct centity {
	uint32_t type; /* symbol */
	bool present; /* of the store */
	struct span id;
	const struct crecord *attrs, *tags; /* NULL: none */
	const uint32_t *ancestors; /* sorted */
	uint32_t n_ancestors;
	uint32_t keys,
		n_keys; /* as an action: the action scopes it satisfies, in index.action_keys */
};

struct centities {
	VEC(struct centity) e;
	uint32_t *slot; /* number + 1, 0: free */
	uint32_t *tag;
	uint32_t mask;
};

/* What the scope says of the principal or resource. */
struct cscope {
	uint8_t op; /* enum ast_scope_op */
	uint32_t type; /* symbol */
	uint32_t uid;
};

struct cpolicy {
	struct cscope principal, resource;
	uint8_t effect;
	uint32_t conjunct, n_conjuncts; /* in snapshot.conjuncts */
};

struct cannotation {
	const char *key, *value;
};

/* What a decision does not need. */
struct cpolicy_cold {
	const char *id;
	uint32_t text, pos; /* where the policy begins, */
	uint32_t line, column; /* and the same for people */
	uint32_t n_annotations;
	struct cannotation *annotations;
};

struct ctext {
	struct span name, text;
};

struct cchain { /* of has: symbols */
	uint32_t n;
	uint32_t sym[];
};

/* A record literal: where each member, in the order of records, lies among the values given. */
struct cshape {
	uint32_t n;
	struct {
		uint32_t sym, from;
		struct span name;
	} m[];
};

/*
 * Which policies to look at. Every distinct action scope is a key; key 0 is "any action". Within a
 * key a policy hangs on its principal or resource entity when its scope names one, else on the key
 * alone. So each policy is in one place, and a request visits it at most once.
 */
struct ckey {
	uint32_t first, n; /* of the policies on the key alone, in index.policies */
	bool by_principal, by_resource; /* whether there are others */
};

struct cbucket {
	uint64_t id; /* index_bucket_id(), 0: free */
	uint32_t first, n; /* in index.policies */
};

struct cliteral { /* an action named in an action scope */
	uint32_t uid, key;
	bool in; /* also those below it */
};

struct cindex {
	VEC(struct ckey) keys;
	VEC(uint32_t) policies;
	VEC(uint32_t) action_keys;
	VEC(struct cliteral) literals; /* sorted by uid */
	struct cbucket *bucket;
	uint32_t mask; /* buckets - 1, when there are any */
};

struct cedar_snapshot {
	atomic_uint refs;
	struct arena mem;
	uint64_t seed;
	struct intern names;
	struct centities entities;
	VEC(struct cpolicy) policies;
	VEC(struct cpolicy_cold) cold;
	VEC(struct ctext) texts;
	VEC(uint32_t) conjuncts; /* where the code of each begins */
	VEC(struct insn) code;
	VEC(uint32_t) where; /* offset in its text, for each instruction */
	VEC(struct cval) consts;
	VEC(struct pattern) patterns;
	VEC(struct cchain *) chains;
	VEC(struct cshape *) shapes;
	struct cindex index;
	uint32_t stack; /* values that the deepest conjunct needs */
};

/* The number of an entity, or ENTITY_UNKNOWN. */
uint32_t snapshot_find_entity(const struct cedar_snapshot *s, struct span type, struct span id);
/* Finds or makes it; 0 or -ENOMEM. The spans are copied when it is new. */
int snapshot_add_entity(struct cedar_snapshot *s, struct span type, struct span id, uint32_t *ret);
/* A symbol whose name is copied when it is new. */
int snapshot_symbol(struct cedar_snapshot *s, struct span name, uint32_t *ret);
/* Copies a value of an entity store or a constant of a policy, resolving its names; sets get
 * canonical. */
int snapshot_import(struct cedar_snapshot *s, struct cval v, struct cval *ret);

/* The steps of cedar_snapshot_new(), each in its own file. 0, -EINVAL with *error, -E2BIG with
 * *error, -ENOMEM. */
int load_entities(struct cedar_snapshot *s, const struct cedar_entities *es,
		  struct cedar_error *error);
int compile_policies(struct cedar_snapshot *s, const struct cedar_policies *ps,
		     struct cedar_error *error);
int index_build(struct cedar_snapshot *s, const struct cedar_policies *ps);

/* compile_expr.c: appends the code of one conjunct of a policy (negated: of its negation). 0 or
 * -ENOMEM, -E2BIG. */
int compile_conjunct(struct cedar_snapshot *s, const struct ast *e, bool negated);

enum index_side { INDEX_PRINCIPAL = 1, INDEX_RESOURCE = 2 };

static inline uint64_t index_bucket_id(uint32_t key, enum index_side side, uint32_t uid)
{
	return ((uint64_t)key << 2 | side) << 32 | uid;
}

const struct cbucket *index_find(const struct cedar_snapshot *s, uint64_t id);
/* The literals that name an entity: the first of them, and how many. */
uint32_t index_literals(const struct cindex *ix, uint32_t uid, uint32_t *ret_n);

/* Line and column of an offset within a policy. Costs the distance from the policy's beginning. */
void snapshot_place(const struct cedar_snapshot *s, uint32_t policy, uint32_t offset,
		    uint32_t *ret_line, uint32_t *ret_column);

#endif
