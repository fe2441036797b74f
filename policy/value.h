/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_POLICY_VALUE_H
#define TOLLGATE_POLICY_VALUE_H

#include <stdbool.h>
#include <stdint.h>

#include "policy/cedar.h"
#include "policy/ext.h"
#include "policy/intern.h"

enum cval_tag {
	V_NONE = 0,
	V_BOOL,
	V_LONG,
	V_STRING,
	V_ENTITY,
	V_SET,
	V_RECORD,
	V_DECIMAL,
	V_IP,
	V_DATETIME,
	V_DURATION,
	V_UNKNOWN,
};

/* Bits of tags, for what an operator accepts. */
#define V_BIT(tag) (1u << (tag))

#define ENTITY_UNKNOWN UINT32_MAX

/*
 * A value. Strings borrow their bytes. An entity that the snapshot knows (of the store, or named in
 * a policy) is its number n; any other has n == ENTITY_UNKNOWN and its name in uid. Values of one
 * snapshot and its requests can be compared with each other; values without snapshot (of an entity
 * store under construction) have only unknown entities and names without symbol.
 */
struct cval {
	uint8_t tag;
	uint32_t n; /* STRING: bytes; ENTITY: number */
	union {
		int64_t i; /* BOOL, LONG, DECIMAL, DATETIME, DURATION */
		const char *s;
		const struct cedar_uid *uid;
		struct cset *set;
		const struct crecord *record;
		const struct cip *ip;
	};
};

_Static_assert(sizeof(struct cval) == 16, "a value is two words");

/* canonical: sorted, without duplicates. A set of a request is made so when an operator first needs
 * it; sets of a snapshot always are, so readers never write. */
struct cset {
	uint32_t n;
	bool canonical;
	struct cval v[];
};

struct cmember {
	uint32_t sym; /* SYM_NONE: not a name of the snapshot */
	uint32_t n;
	const char *name;
	struct cval v;
};

/* Sorted by cmember_cmp(). */
struct crecord {
	uint32_t n;
	struct cmember m[];
};

static inline struct cval cval_bool(bool b)
{
	return (struct cval){ .tag = V_BOOL, .i = b };
}

static inline struct cval cval_long(enum cval_tag tag, int64_t i)
{
	return (struct cval){ .tag = (uint8_t)tag, .i = i };
}

static inline struct cval cval_string(struct span s)
{
	return (struct cval){ .tag = V_STRING, .n = (uint32_t)s.n, .s = s.p };
}

static inline struct span cval_span(struct cval v)
{
	return (struct span){ v.s, v.n };
}

/* "long", "string", "set" ... */
const char *cval_type_name(unsigned tag);

int span_cmp(struct span a, struct span b);
/* A total order; equality in Cedar's sense, which agrees with it. */
int cval_cmp(struct cval a, struct cval b);
static inline bool cval_equal(struct cval a, struct cval b)
{
	if (a.tag != b.tag)
		return false;
	if (a.tag == V_STRING)
		return a.n == b.n && bytes_equal(a.s, b.s, a.n);
	if (a.tag == V_ENTITY && (a.n & b.n) != ENTITY_UNKNOWN)
		return a.n == b.n;
	return cval_cmp(a, b) == 0;
}

int cmember_cmp(const void *a, const void *b);
/* Equal values have equal hashes. Makes sets canonical. */
uint64_t cval_hash(uint64_t seed, struct cval v);

/* Makes a set canonical in place. */
void cset_canonical(struct cset *s);
bool cset_contains(struct cset *s, struct cval v);
bool cset_contains_all(struct cset *s, struct cset *of);
bool cset_contains_any(struct cset *s, struct cset *of);

#define RECORD_LINEAR_MAX 8 /* a walk that is guessed well beats a search that is not */

/* The value of an attribute by its symbol, or NULL. */
const struct cval *crecord_search(const struct crecord *r, uint32_t sym);
static inline const struct cval *crecord_get(const struct crecord *r, uint32_t sym)
{
	const struct cmember *m = r->m, *end = m + r->n;

	if (sym == SYM_NONE)
		return NULL;
	if (r->n > RECORD_LINEAR_MAX)
		return crecord_search(r, sym);
	while (m < end && m->sym < sym)
		m++;
	return m < end && m->sym == sym ? &m->v : NULL;
}
/* -EEXIST in a sorted record with two members of one name. */
int crecord_check(const struct crecord *r);

static inline struct cset *cset_new(struct arena *a, uint32_t n)
{
	struct cset *s = arena_alloc(a, sizeof(*s) + (size_t)n * sizeof(s->v[0]));

	if (s) {
		s->n = n;
		s->canonical = false;
	}
	return s;
}

static inline struct crecord *crecord_new(struct arena *a, uint32_t n)
{
	struct crecord *r = arena_alloc(a, sizeof(*r) + (size_t)n * sizeof(r->m[0]));

	if (r)
		r->n = n;
	return r;
}

#endif
