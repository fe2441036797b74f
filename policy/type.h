/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_POLICY_TYPE_H
#define TOLLGATE_POLICY_TYPE_H

#include <stdbool.h>
#include <stdint.h>

#include "policy/mem.h"
#include "user/base/buf.h"
#include "user/base/span.h"

struct cedar_schema;

enum type_kind {
	TYPE_NEVER = 0, /* below all others: the elements of [] in permissive mode */
	TYPE_TRUE, /* Bool, known */
	TYPE_FALSE,
	TYPE_BOOL,
	TYPE_LONG,
	TYPE_STRING,
	TYPE_DECIMAL,
	TYPE_IPADDR,
	TYPE_DATETIME,
	TYPE_DURATION,
	TYPE_SET, /* element */
	TYPE_ENTITY, /* one of n entity types of the schema; more than one in permissive mode only */
	TYPE_RECORD, /* n attrs, sorted by name */
	TYPE_SIMPLE_COUNT = TYPE_SET,
};

struct type_attr {
	struct span name;
	bool required;
	const struct type *type;
};

/* Types are unique within one table (and the one below it): equal types are one pointer. */
struct type {
	enum type_kind kind;
	bool open; /* a record that may hold more: what permissive mode makes of unlike records */
	uint32_t n;
	uint32_t size; /* nodes, unfolded */
	uint32_t depth;
	uint64_t hash;
	union {
		const struct type *element;
		const uint32_t *etypes; /* sorted */
		const struct type_attr *attrs;
	};
};

/* A table of types. below (NULL or one that no longer changes) is looked in first. */
struct types {
	struct arena mem;
	const struct types *below;
	uint64_t seed; /* of hashes; that of below when there is one */
	VEC(const struct type *) all;
	uint32_t *slot; /* index in all + 1 */
	uint32_t mask;
};

void types_init(struct types *ts, const struct types *below);
void types_done(struct types *ts);
const struct type *type_simple(enum type_kind kind);
/* These return NULL without memory. */
const struct type *type_set(struct types *ts, const struct type *element);
const struct type *type_entity(struct types *ts, uint32_t etype);
const struct type *type_entities(struct types *ts, const uint32_t *etypes, uint32_t n);
/* attrs are sorted by name, without doubles, and copied; their names are borrowed. */
const struct type *type_record(struct types *ts, const struct type_attr *attrs, uint32_t n,
			       bool open);

int type_attr_cmp(const void *a, const void *b);
const struct type_attr *type_get(const struct type *record, struct span name);

static inline bool type_is_bool(const struct type *t)
{
	return t->kind == TYPE_TRUE || t->kind == TYPE_FALSE || t->kind == TYPE_BOOL;
}

/*
 * The least type above both: 0 with it in *ret (NULL when there is none), or -ENOMEM. Strict: sets,
 * records and entities only with exactly their like, but for a Bool that is known. Permissive:
 * entity types unite, records keep what they have in common.
 */
int type_lub(struct types *ts, bool strict, const struct type *a, const struct type *b,
	     const struct type **ret);

/* Appends it as a person would write it, cut after TYPE_TEXT_MAX bytes. */
#define TYPE_TEXT_MAX 160
void type_text(const struct cedar_schema *s, const struct type *t, struct buf *out);

#endif
