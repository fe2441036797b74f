/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_POLICY_SCHEMA_H
#define TOLLGATE_POLICY_SCHEMA_H

#include "policy/cedar_schema.h"
#include "policy/intern.h"
#include "policy/mem.h"
#include "policy/type.h"

/*
 * A schema in two forms. As written: declarations by namespace, names not looked up, which is what
 * the writers print. Resolved: entity types and actions as numbers, with closures.
 */

/* --- as written ------------------------------------------------------------------------------- */

struct schema_annotation {
	struct span key, value; /* value.p is NULL for @key without value */
};

/* On one declaration or attribute; each is compared with those before. */
#define SCHEMA_ANNOTATIONS_MAX 256

struct schema_annotations {
	struct schema_annotation *v;
	uint32_t n;
};

enum decl_type_kind {
	DECL_NAME = 0, /* an entity type, a common type or a builtin: whichever is found first */
	DECL_ENTITY, /* JSON only: an entity type */
	DECL_EXTENSION, /* JSON only */
	DECL_COMMON, /* JSON only: a common type or a builtin */
	DECL_STRING, /* JSON only: these three are names in the Cedar syntax */
	DECL_LONG,
	DECL_BOOL,
	DECL_SET,
	DECL_RECORD,
};

struct decl_type {
	enum decl_type_kind kind;
	uint32_t pos;
	struct span name;
	struct decl_type *element;
	struct decl_attr *attrs;
	uint32_t n; /* attrs */
};

struct decl_attr {
	struct span name;
	uint32_t pos;
	bool optional;
	struct decl_type type;
	struct schema_annotations annotations;
};

struct decl_name {
	struct span s;
	uint32_t pos;
};

struct decl_names {
	struct decl_name *v;
	uint32_t n;
};

struct decl_entity {
	struct decl_name name;
	struct schema_annotations annotations;
	bool enumerated;
	struct decl_names ids; /* of an enumerated type */
	struct decl_names parents;
	bool has_shape, has_tags;
	struct decl_type shape, tags;
};

struct decl_action_ref {
	struct span type; /* p is NULL: of the same namespace */
	struct span id;
	uint32_t pos;
};

struct decl_action {
	struct decl_name name;
	struct schema_annotations annotations;
	bool has_parents, applies, has_context;
	uint32_t n_parents;
	struct decl_action_ref *parents;
	struct decl_names principals, resources;
	struct decl_type context;
};

struct decl_common {
	struct decl_name name;
	struct schema_annotations annotations;
	struct decl_type type;
	const struct type *resolved; /* NULL until it is needed */
	bool busy; /* being resolved: meeting it again is a cycle */
};

struct decl_space {
	struct decl_name name; /* "" without */
	struct schema_annotations annotations;
	VEC(struct decl_entity) entities;
	VEC(struct decl_action) actions;
	VEC(struct decl_common) commons;
};

/* --- resolved --------------------------------------------------------------------------------- */

#define SCHEMA_NONE UINT32_MAX

struct schema_etype {
	struct span name;
	bool action; /* the type of declared actions; nothing but a name */
	bool enumerated;
	struct span *ids; /* sorted */
	uint32_t n_ids;
	const struct type *type; /* of its entities */
	const struct type *shape; /* a record */
	const struct type *tags; /* NULL: has none */
	uint32_t *ancestors; /* numbers, sorted; never the type itself unless it is its own parent */
	uint32_t n_ancestors;
	uint32_t *parents;
	uint32_t n_parents;
};

struct schema_action {
	uint32_t etype;
	struct span id;
	uint32_t pos;
	uint32_t *parents, *ancestors; /* actions; ancestors are sorted */
	uint32_t n_parents, n_ancestors;
	uint32_t *principals, *resources; /* entity types, sorted */
	uint32_t n_principals, n_resources;
	const struct type *context; /* a record */
	uint32_t env, n_envs; /* its types of request */
};

/* A type of request. */
struct schema_env {
	uint32_t action, principal, resource;
};

struct schema_common {
	struct decl_common *decl;
	const struct decl_space *space;
};

struct cedar_schema {
	struct arena mem;
	struct span text;
	bool json; /* as it was written */
	VEC(struct decl_space) spaces;
	uint32_t n_entities, n_actions, n_commons; /* in all of them */

	struct intern common_names; /* by number in commons */
	VEC(struct schema_common) commons;
	unsigned depth; /* of the type being resolved */

	struct types types;
	struct intern names; /* entity types, by number */
	VEC(struct schema_etype) etypes; /* those of actions last */
	uint32_t n_declared; /* without those of actions */
	VEC(struct schema_action) actions;
	struct intern ids; /* of actions */
	uint64_t *action_keys; /* sorted: entity type in the high half, symbol of the id below */
	uint32_t *action_at; /* the action of each key */
	VEC(struct schema_env) envs;
};

/* --- schema_parse.c, schema_json.c: 0, -EINVAL (in *errors), -ENOMEM; s->text is set ----------- */
int schema_parse(struct cedar_schema *s, struct cedar_errors *errors);
int schema_read_json(struct cedar_schema *s, struct cedar_errors *errors);

/* schema.c: adds a declaration to a namespace. -E2BIG beyond CEDAR_SCHEMA_NAMES_MAX, -ENOMEM. */
int schema_add_entity(struct cedar_schema *s, uint32_t at, const struct decl_entity *e);
int schema_add_action(struct cedar_schema *s, uint32_t at, const struct decl_action *a);
int schema_add_common(struct cedar_schema *s, uint32_t at, const struct decl_common *c);

/* --- schema_check.c: what one declaration, or two of one name, may be --------------------------- */
int schema_check(struct cedar_schema *s, struct cedar_errors *errors);

/* --- schema_resolve.c, schema_action.c ---------------------------------------------------------- */
int schema_resolve(struct cedar_schema *s, struct cedar_errors *errors);
int schema_resolve_actions(struct cedar_schema *s, struct cedar_errors *errors);
/* What a name without `::` is in a namespace, in one of the schema's tables, or SYM_NONE. */
uint32_t schema_find_in(const struct intern *in, struct span space, struct span name);
/* The entity type a name means in a namespace, or SCHEMA_NONE. */
uint32_t schema_entity_named(const struct cedar_schema *s, struct span space, struct span name);
/* The type; NULL after an error in *errors, or with *r -ENOMEM. */
const struct type *schema_type(struct cedar_schema *s, const struct decl_space *space,
			       const struct decl_type *t, struct cedar_errors *errors, int *r);
/* Closes a graph: for each of n nodes the sorted union of all that can be reached by parents.
 * -E2BIG when all together are more than SCHEMA_CLOSURE_MAX. */
#define SCHEMA_CLOSURE_MAX (1u << 22) /* 16 MiB of numbers */
struct closure_node {
	uint32_t *parents, n_parents;
	uint32_t *reach, n_reach;
};
int schema_closure(struct arena *mem, struct closure_node *node, uint32_t n);

/* --- schema_find.c ------------------------------------------------------------------------------ */
uint32_t schema_find_type(const struct cedar_schema *s, struct span name);
uint32_t schema_find_action(const struct cedar_schema *s, struct span type, struct span id);
/* Whether entities of type a can be in entities of type b (also when they are the same). */
bool schema_type_in(const struct cedar_schema *s, uint32_t a, uint32_t b);
bool schema_action_in(const struct cedar_schema *s, uint32_t a, uint32_t b);
bool schema_enum_has(const struct schema_etype *t, struct span id);
bool numbers_have(const uint32_t *v, uint32_t n, uint32_t x);
/* Sorts and removes doubles; the new count. */
uint32_t numbers_sort(uint32_t *v, uint32_t n);
bool name_is_action(struct span type); /* "Action", "A::Action" */

/* --- schema_print.c, schema_print_json.c -------------------------------------------------------- */
int schema_print(const struct cedar_schema *s, struct cedar_error *error, struct buf *out);
int schema_print_json(const struct cedar_schema *s, struct buf *out);

#endif
