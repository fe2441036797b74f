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
	uint32_t action; /* what it is as an action, in index.actions */
};

struct canchors {
	uint32_t first, n; /* in index.anchors, sorted by key */
};

#define ANCHORS_WALK UINT32_MAX /* n: look at the entity and each of its ancestors */

/* What every decision reads of an entity, two to a cache line. */
struct chot {
	const uint32_t *ancestors;
	uint32_t n_ancestors; /* 0 too when the entity is not of the store */
	uint32_t type;
	/* Policies whose scope names it or what it is below: as principal, as resource. */
	struct canchors reach[2];
};

/* Two to a cache line; all that is read to find an entity with a short id. */
struct centity_slot {
	struct words last; /* of the id: hash_words() */
	uint32_t type, length;
	uint32_t n; /* number + 1, 0: free */
};

struct centities {
	VEC(struct centity) e;
	struct chot *hot; /* for each of e, when the index is built */
	struct canchors (*own)[2]; /* those that name the entity itself */
	struct centity_slot *slot;
	uint32_t mask;
};

/* What the scope says of the principal or resource. */
struct cscope {
	uint8_t op; /* enum ast_scope_op */
	uint32_t type; /* symbol */
	uint32_t uid;
};

/* One conjunct of a policy. Equal conjuncts of different policies share their code, not their
 * places in the texts. */
struct cpart {
	uint32_t conjunct; /* in snapshot.conjuncts */
	uint32_t where; /* in snapshot.where: places of its instructions */
};

struct cpolicy {
	struct cscope principal, resource;
	uint8_t effect;
	uint32_t key; /* its action scope */
	uint32_t part, n_parts; /* in snapshot.parts */
};

struct ctest {
	uint8_t kind; /* enum test_kind */
	uint8_t negated, tag, pad;
	uint32_t path, arg, pad2;
	int64_t num;
};

struct cconjunct {
	uint32_t pc; /* its code */
	uint32_t varies; /* reads action or resource */
	struct ctest test; /* the same question, when it has a simple form */
};

/* A variable, or an attribute of what another path leads to. */
struct cpath {
	uint32_t of; /* path, or PATH_NONE for a variable */
	uint32_t sym;
	uint8_t var; /* where it begins: enum ast_var */
	uint32_t matcher; /* in snapshot.matchers + 1, 0: none */
};

#define PATH_NONE UINT32_MAX
#define PATH_LENGTH_MAX 8 /* attributes; what asks a longer one is run as code */

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
 * alone. So each policy is in one program, and a request visits it at most once.
 *
 * A program is a trie of tests in the order of a walk: what is behind a node, up to skip, is run
 * when its test holds. Policies that begin with the same tests share them. Tests keep the order
 * they have in each policy, so an error at a node is the error of every policy below it, and of
 * those only. The order among siblings is free: many that ask the same path become one switch,
 * which lies in the place of the first and knows the others.
 */
struct cprogram {
	uint32_t first, permits, end; /* nodes: forbids from first, permits from permits */
};

struct ckey {
	struct cprogram program; /* of the policies on the key alone */
	uint32_t literal, n_literals; /* in index.scopes */
};

/* What a question's action comes to. The first is what no action scope names. */
struct caction {
	uint32_t key, n_keys; /* the keys it satisfies, in index.action_keys, sorted; key 0 is one */
	uint32_t program, n_programs; /* of the policies on those keys alone, in index.programs */
	uint64_t mask; /* bit key % KEY_BITS for each key */
};

#define KEY_BITS 64u /* most sets have fewer action scopes, so that the mask tells all */

struct canchor {
	uint32_t key;
	struct cprogram program;
};

struct cnode {
	uint8_t kind; /* enum test_kind; what follows is as in struct ctest */
	uint8_t negated, tag;
	uint8_t last; /* behind this test there is one policy, and nothing else */
	uint32_t path, arg;
	uint32_t skip;
	uint32_t leaf; /* the first policy below, in index.leaves */
	union {
		int64_t num;
		uint32_t sw; /* of a switch: in index.switches, or index.pair_sets */
	};
};

_Static_assert(sizeof(struct cnode) == 32, "two nodes to a cache line");

struct cslot { /* a child of a switch: the nodes behind its test */
	uint32_t key; /* 0 and end 0: free */
	uint32_t first, end;
};

static inline uint32_t switch_hash(uint32_t key)
{
	return (key * 0x9e3779b1u) >> 12;
}

/* LT: n slots sorted by number, which are in index.numbers; else a table over slots. */
struct cswitch {
	uint32_t slot, n, mask;
	uint32_t number;
	/* When the children differ in nothing behind the switch: how many tests that is (they are
	 * behind node first), else SWITCH_MIXED. They are then asked once for all children. */
	uint32_t tail, first;
	uint64_t filter; /* of a table: a bit for each key; most that is sought is not there */
};

#define SWITCH_MIXED UINT32_MAX

static inline uint64_t switch_bit(uint32_t key)
{
	return 1ull << ((key * 0x9e3779b1u) >> 26);
}

static inline bool switch_may_have(const struct cswitch *sw, uint32_t key)
{
	return sw->filter & switch_bit(key);
}

/*
 * Siblings of which nearly all may hold, so that no look-up finds the few that do: unless an address
 * is in a range, unless it equals. When behind each of them one threshold of a second path decides,
 * the same path for all, that is asked first, for all at once. That is allowed where neither can
 * fail, which the types of both values tell; else it goes one by one.
 */
struct cpair {
	uint32_t net, mask; /* of a range */
	uint32_t policy;
};

struct cpair_nodes { /* the same pair in the trie: first test, threshold */
	uint32_t test, threshold;
};

struct cpairs {
	uint32_t pair, n; /* in index.pairs and index.pair_nodes */
	uint32_t number; /* in index.numbers: the thresholds, which the pairs are sorted by */
	/* The first sibling gave its place to the node; this is what it asked besides what is there. */
	uint32_t node;
	uint8_t kind;
	int64_t num;
};

struct cliteral { /* an action named in an action scope */
	uint32_t uid, key;
	bool in; /* also those below it */
};

struct cindex {
	VEC(struct ckey) keys;
	VEC(struct caction) actions;
	VEC(uint32_t) action_keys;
	VEC(struct cprogram) programs;
	VEC(struct cliteral) literals; /* sorted by uid */
	VEC(struct cliteral) scopes; /* the same, sorted by key */
	VEC(struct canchor) anchors;
	VEC(struct cnode) nodes; /* one more at the end */
	VEC(uint32_t) leaves; /* policies */
	VEC(struct cswitch) switches;
	VEC(struct cslot) slots;
	VEC(int64_t) numbers;
	VEC(struct cpairs) pair_sets;
	VEC(struct cpair) pairs;
	VEC(struct cpair_nodes) pair_nodes;
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
	VEC(struct cpart) parts;
	VEC(struct cconjunct) conjuncts;
	VEC(struct insn) code;
	VEC(uint32_t) where; /* offset in its text, for each instruction of each part */
	VEC(struct cpath) paths;
	VEC(struct cmatcher *) matchers;
	VEC(struct cnode) alternatives; /* no nodes of a walk: only what is as in struct ctest */
	VEC(struct cval) consts;
	VEC(struct pattern) patterns;
	VEC(struct cchain *) chains;
	VEC(struct cshape *) shapes;
	struct cindex index;
	uint32_t stack; /* values that the deepest conjunct needs */
};

static inline bool snapshot_is_symbol(const struct cedar_snapshot *s, uint32_t sym, struct span name)
{
	return sym < s->names.names.n && s->names.names.v[sym].n == name.n &&
	       bytes_equal(s->names.names.v[sym].p, name.p, name.n);
}

/* The seed is secret, and types are numbers that no request chooses. */
static inline uint32_t uid_hash(uint64_t seed, uint32_t type, struct span id, struct words *ret_last)
{
	return (uint32_t)hash_words(seed + type * HASH_A, id, ret_last);
}

/* The number of an entity, or ENTITY_UNKNOWN. */
uint32_t snapshot_find_entity(const struct cedar_snapshot *s, struct span type, struct span id);
static inline uint32_t snapshot_find_typed(const struct cedar_snapshot *s, uint32_t type,
					   struct span id)
{
	const struct centities *t = &s->entities;
	struct words last;
	uint32_t i = uid_hash(s->seed, type, id, &last) & t->mask;

	if (!t->slot) /* no entity at all */
		return ENTITY_UNKNOWN;
	for (; t->slot[i].n; i = (i + 1) & t->mask) {
		const struct centity_slot *e = &t->slot[i];

		if (words_equal(e->last, last) && e->type == type && e->length == id.n &&
		    (id.n <= SHORT_MAX || bytes_equal(t->e.v[e->n - 1].id.p, id.p, id.n)))
			return e->n - 1;
	}
	return ENTITY_UNKNOWN;
}
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

/* The literals that name an entity: the first of them, and how many. */
uint32_t index_literals(const struct cindex *ix, uint32_t uid, uint32_t *ret_n);

/* Line and column of an offset within a policy. Costs the distance from the policy's beginning. */
void snapshot_place(const struct cedar_snapshot *s, uint32_t policy, uint32_t offset,
		    uint32_t *ret_line, uint32_t *ret_column);

#endif
