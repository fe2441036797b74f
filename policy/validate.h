/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_POLICY_VALIDATE_H
#define TOLLGATE_POLICY_VALIDATE_H

#include "policy/ast.h"
#include "policy/intern.h"
#include "policy/schema.h"

/*
 * The validator's parts. A condition is first brought into Cedar's core operators (lower), in which
 * what is written alike is one node; nodes are then typed for each type of request, and remembered,
 * so that what many policies say is typed once (validate_type). Types, rules and their order are
 * those of Cedar's formal model (cedar-spec, Validation/Typechecker).
 */

/* Nodes within each other after lowering: bounds the C stack. x.a.b.c counts each step. */
#define CORE_DEPTH_MAX 1000
/* What one policy may be known to have: each `has` adds one, and sets of them are compared. */
#define CAPS_MAX 4096
/* Memory for nodes and their types, each; beyond it they are forgotten and made anew. */
#define CHECK_MEMORY_MAX (64u << 20)
/* Expressions typed for one policy, over all types of request: a few seconds. */
#define CHECK_STEPS_MAX (1u << 24)

enum core_op {
	CORE_BOOL, /* num */
	CORE_LONG, /* num */
	CORE_STRING, /* str */
	CORE_ENTITY, /* str: id, str2: type */
	CORE_VAR, /* num: enum ast_var */
	CORE_AND, /* 2 or more */
	CORE_OR,
	CORE_IF,
	CORE_NOT,
	CORE_NEG,
	CORE_ADD,
	CORE_SUB,
	CORE_MUL,
	CORE_EQ,
	CORE_LT,
	CORE_LE,
	CORE_IN,
	CORE_IS, /* str: type */
	CORE_LIKE, /* str: the pattern's identity */
	CORE_HAS, /* str */
	CORE_GET, /* str */
	CORE_CONTAINS,
	CORE_CONTAINS_ALL,
	CORE_CONTAINS_ANY,
	CORE_IS_EMPTY,
	CORE_HAS_TAG,
	CORE_GET_TAG,
	CORE_SET,
	CORE_RECORD, /* names */
	CORE_CALL, /* num: enum ext_fn */
};

struct core {
	enum core_op op;
	uint32_t id; /* equal nodes are one, by this number too */
	uint32_t n, depth;
	uint8_t uses; /* variables in it, 1 << enum ast_var */
	uint32_t etype; /* ENTITY, IS: of the schema, SCHEMA_NONE: unknown */
	uint32_t action; /* ENTITY: of the schema, or SCHEMA_NONE */
	bool unknown; /* it, or something below, names what the schema does not declare */
	uint64_t hash;
	int64_t num;
	struct span str, str2;
	const struct span *names; /* sorted, as are the kids */
	const struct core **kid;
};

/* Where a node stands in a policy. */
struct occ {
	const struct core *node;
	uint32_t pos;
	bool searched; /* for what is unknown: parts of `has` and `is in` are shared */
	struct occ **kid;
};

/* --- what is known to be there (capabilities) --------------------------------------------------- */

/* node has attribute or tag: the node's number in the high half, below it twice the symbol of the
 * attribute or twice the node of the tag plus one. */
typedef uint64_t cap_t;

struct capset {
	uint32_t n;
	const cap_t *v; /* sorted */
};

#define CAPS_NONE 0u /* the empty set */

struct capsets {
	struct arena mem;
	VEC(struct capset) sets; /* equal sets are one number */
	uint32_t *slot;
	uint32_t mask;
};

int capsets_init(struct capsets *cs);
void capsets_done(struct capsets *cs);
bool caps_have(const struct capsets *cs, uint32_t set, cap_t cap);
/* -E2BIG beyond CAPS_MAX, -ENOMEM. */
int caps_one(struct capsets *cs, cap_t cap, uint32_t *ret);
/* Those about nodes before this one. What is about it, or about others that hold it, is nothing to the
 * typing of its parts; left in, a nested `x has a.b` would be typed in two ways at each level. */
int caps_below(struct capsets *cs, uint32_t set, uint32_t node, uint32_t *ret);
int caps_union(struct capsets *cs, uint32_t a, uint32_t b, uint32_t *ret);
int caps_meet(struct capsets *cs, uint32_t a, uint32_t b, uint32_t *ret);

/* --- findings ----------------------------------------------------------------------------------- */

struct cedar_findings {
	struct arena mem;
	VEC(struct cedar_finding) v;
	size_t errors, warnings;
	uint32_t n_policies;
	uint8_t *invalid; /* by policy */
};

/* --- the checker -------------------------------------------------------------------------------- */

struct typing {
	const struct type *type; /* NULL: an error */
	uint32_t caps; /* what holds where it is true */
};

struct class_outcome {
	uint32_t pass; /* else not of this pass */
	uint8_t outcome;
};

struct memo {
	uint32_t node, class, caps;
	bool used;
	struct typing t;
};

struct checker {
	const struct cedar_schema *s;
	const struct cedar_policies *ps;
	struct types types;
	bool strict;

	/* nodes */
	struct arena mem;
	VEC(const struct core *) nodes;
	uint32_t *slot;
	uint32_t mask;
	struct intern attrs; /* names, as symbols */
	struct capsets caps;
	struct memo *memo;
	uint32_t memo_n, memo_mask;

	/* the policy */
	struct arena policy_mem;
	uint32_t policy;
	struct span id, text_name, text;
	bool too_deep; /* it could not be lowered or typed within the limits */
	bool loud; /* errors become findings */
	uint32_t first_finding, suggested, steps; /* of this policy */
	struct cedar_findings *out;
	int r; /* -ENOMEM sticks */

	/*
	 * Types of request by what an expression can see of them: for each set of variables, and each
	 * type of request, the first one in which these variables have the same types. Made when
	 * they are needed.
	 */
	uint32_t *classes[16];
	struct class_outcome *seen; /* of one policy, for each class of its conditions */
	uint32_t pass;

	/* the type of request */
	uint32_t env;
	uint32_t action;
	const struct type *var[4]; /* by enum ast_var */
};

/* validate_lower.c: NULL without memory, or when it is too deep (c->too_deep). */
struct occ *lower(struct checker *c, const struct ast *e);

/* validate_node.c: the node that is like *x, whose arrays are copied; NULL without memory. */
const struct core *core_keep(struct checker *c, struct core *x);
int checker_init(struct checker *c);
/* Forgets nodes and types when they take too much memory. */
int checker_trim(struct checker *c);
void checker_done(struct checker *c);

/* validate_class.c: the class of the current type of request. */
int classes_init(struct checker *c);
void classes_done(struct checker *c);
uint32_t class_of(struct checker *c, uint8_t uses);

/* validate_type.c */
/* Counts a step; false, with c->too_deep, when there were too many. */
bool may_step(struct checker *c);
/* Whether r, of a function on capabilities, is 0; notes the limit or the lack of memory. */
bool caps_done(struct checker *c, int r);
struct typing type_of(struct checker *c, const struct occ *e, uint32_t caps);
/* validate_op.c: what is not Boolean logic; t are the types of the kids, all there. */
struct typing type_of_op(struct checker *c, const struct occ *e, const struct type *const *t,
			 uint32_t caps);

/* The types of operands are not what they should be: a finding, and no type. */
struct typing type_unexpected(struct checker *c, const struct occ *at, const char *expected,
			      const struct type *t);
/* validate_call.c: extension functions; the type of an argument, the receiver first, or NULL. */
const struct type *call_argument(enum ext_fn fn, uint32_t i);
struct typing type_call(struct checker *c, const struct occ *e, const struct type *const *t);

/* finding.c: for the current policy; what is said already at the place is not said again. */
void finding(struct checker *c, enum cedar_finding_kind kind, uint32_t pos, const char *suggestion,
	  const char *fmt, ...) __attribute__((format(printf, 5, 6)));
/* A type in words, in the policy's memory. */
const char *type_words(struct checker *c, const struct type *t);

/* suggest.c: "did you mean `X`?" in the policy's memory, or NULL when nothing is near. */
const char *suggest_type(struct checker *c, struct span name);
const char *suggest_action(struct checker *c, struct span type, struct span id);
const char *suggest_attr(struct checker *c, const struct type *record, struct span name);
const char *suggest_id(struct checker *c, const struct schema_etype *t, struct span id);

/* level.c: RFC 76, for a condition that is well-typed. Whether entities are looked into at most level
 * times, one behind another; findings when loud. */
bool check_level(struct checker *c, const struct occ *e, uint32_t caps, uint32_t level);

/* confusable.c: warnings about the texts and names of a policy. */
void check_characters(struct checker *c, const struct ast_policy *p);

#endif
