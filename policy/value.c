// SPDX-License-Identifier: Apache-2.0
/*
 * Values: equality, order, sets and records. Comparison recurses as deep as values nest, which the
 * builder bounds; it is never more than linear in the size of what it compares.
 */
#include "policy/value.h"

#include <errno.h>
#include <string.h>

#define SET_LINEAR_MAX 8 /* up to here a look at each element beats sorting */

const char *cval_type_name(unsigned tag)
{
	static const char *const names[] = { "nothing", "bool",     "long",     "string",
					     "entity",  "set",      "record",   "decimal",
					     "ipaddr",  "datetime", "duration", "unknown" };

	return tag < ARRAY_SIZE(names) ? names[tag] : "nothing";
}

int span_cmp(struct span a, struct span b)
{
	size_t n = a.n < b.n ? a.n : b.n;
	int c = n ? memcmp(a.p, b.p, n) : 0;

	return c ? c : (a.n > b.n) - (a.n < b.n);
}

static int uid_cmp(const struct cedar_uid *a, const struct cedar_uid *b)
{
	int c = a == b ? 0 : span_cmp(a->id, b->id);

	return c || a == b ? c : span_cmp(a->type, b->type);
}

static int ip_cmp(const struct cip *a, const struct cip *b)
{
	int c = (int)a->v6 - b->v6;

	if (c == 0)
		c = memcmp(a->addr, b->addr, a->v6 ? 16 : 4);
	return c ? c : (int)a->prefix - b->prefix;
}

static int set_cmp(struct cset *a, struct cset *b)
{
	int c = 0;

	cset_canonical(a);
	cset_canonical(b);
	if (a->n != b->n)
		return a->n < b->n ? -1 : 1;
	for (uint32_t i = 0; c == 0 && i < a->n; i++)
		c = cval_cmp(a->v[i], b->v[i]);
	return c;
}

int cmember_cmp(const void *a, const void *b)
{
	const struct cmember *x = a, *y = b;

	if (x->sym != y->sym)
		return x->sym < y->sym ? -1 : 1;
	if (x->sym != SYM_NONE)
		return 0;
	return span_cmp((struct span){ x->name, x->n }, (struct span){ y->name, y->n });
}

static int record_cmp(const struct crecord *a, const struct crecord *b)
{
	int c = 0;

	if (a == b)
		return 0;
	if (a->n != b->n)
		return a->n < b->n ? -1 : 1;
	for (uint32_t i = 0; c == 0 && i < a->n; i++) {
		c = cmember_cmp(&a->m[i], &b->m[i]);
		if (c == 0)
			c = cval_cmp(a->m[i].v, b->m[i].v);
	}
	return c;
}

int cval_cmp(struct cval a, struct cval b)
{
	if (a.tag != b.tag)
		return a.tag < b.tag ? -1 : 1;
	switch ((enum cval_tag)a.tag) {
	case V_BOOL:
	case V_LONG:
	case V_DECIMAL:
	case V_DATETIME:
	case V_DURATION:
		return (a.i > b.i) - (a.i < b.i);
	case V_STRING:
		return a.s == b.s && a.n == b.n ? 0 : span_cmp(cval_span(a), cval_span(b));
	case V_ENTITY:
		if (a.n != b.n)
			return a.n < b.n ? -1 : 1;
		return a.n == ENTITY_UNKNOWN ? uid_cmp(a.uid, b.uid) : 0;
	case V_SET:
		return a.set == b.set ? 0 : set_cmp(a.set, b.set);
	case V_RECORD:
		return record_cmp(a.record, b.record);
	case V_IP:
		return ip_cmp(a.ip, b.ip);
	case V_NONE:
	case V_UNKNOWN:
		break;
	}
	return 0;
}

static uint64_t entity_hash(uint64_t h, struct cval v)
{
	if (v.n != ENTITY_UNKNOWN)
		return hash_u64(h, v.n);
	return hash_bytes(hash_bytes(h, v.uid->type), v.uid->id);
}

static uint64_t ip_hash(uint64_t h, const struct cip *ip)
{
	struct span addr = { (const char *)ip->addr, ip->v6 ? 16 : 4 };

	return hash_u64(hash_bytes(h, addr), ip->prefix);
}

static uint64_t record_hash(uint64_t h, const struct crecord *rec)
{
	for (uint32_t i = 0; i < rec->n; i++) {
		h = hash_bytes(h, (struct span){ rec->m[i].name, rec->m[i].n });
		h = cval_hash(h, rec->m[i].v);
	}
	return h;
}

uint64_t cval_hash(uint64_t seed, struct cval v)
{
	uint64_t h = seed + v.tag;

	switch ((enum cval_tag)v.tag) {
	case V_STRING:
		return hash_bytes(h, cval_span(v));
	case V_ENTITY:
		return entity_hash(h, v);
	case V_SET:
		cset_canonical(v.set);
		for (uint32_t i = 0; i < v.set->n; i++)
			h = cval_hash(h, v.set->v[i]);
		return h;
	case V_RECORD:
		return record_hash(h, v.record);
	case V_IP:
		return ip_hash(h, v.ip);
	case V_NONE:
	case V_UNKNOWN:
		return h;
	default:
		return hash_u64(h, (uint64_t)v.i);
	}
}

static int by_value(const void *a, const void *b)
{
	return cval_cmp(*(const struct cval *)a, *(const struct cval *)b);
}

void cset_canonical(struct cset *s)
{
	uint32_t k = 0;

	if (s->canonical)
		return;
	heap_sort(s->v, s->n, sizeof(s->v[0]), by_value);
	for (uint32_t i = 0; i < s->n; i++) {
		if (k == 0 || cval_cmp(s->v[k - 1], s->v[i]) != 0)
			s->v[k++] = s->v[i];
	}
	s->n = k;
	s->canonical = true;
}

bool cset_contains(struct cset *s, struct cval v)
{
	uint32_t lo = 0, hi;

	if (s->n <= SET_LINEAR_MAX) {
		for (uint32_t i = 0; i < s->n; i++) {
			if (cval_equal(s->v[i], v))
				return true;
		}
		return false;
	}
	cset_canonical(s);
	for (hi = s->n; lo < hi;) {
		uint32_t mid = lo + (hi - lo) / 2;
		int c = cval_cmp(s->v[mid], v);

		if (c == 0)
			return true;
		if (c < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return false;
}

/* A set that is sorted on the way while it is walked would be walked wrongly: sort first. */
static void settle(struct cset *a, struct cset *b)
{
	if (a->n > SET_LINEAR_MAX || b->n > SET_LINEAR_MAX) {
		cset_canonical(a);
		cset_canonical(b);
	}
}

bool cset_contains_all(struct cset *s, struct cset *of)
{
	settle(s, of);
	for (uint32_t i = 0; i < of->n; i++) {
		if (!cset_contains(s, of->v[i]))
			return false;
	}
	return true;
}

bool cset_contains_any(struct cset *s, struct cset *of)
{
	if (s->n < of->n)
		return cset_contains_any(of, s);
	settle(s, of);
	for (uint32_t i = 0; i < of->n; i++) {
		if (cset_contains(s, of->v[i]))
			return true;
	}
	return false;
}

const struct cval *crecord_search(const struct crecord *r, uint32_t sym)
{
	uint32_t lo = 0, hi = r->n;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (r->m[mid].sym == sym)
			return &r->m[mid].v;
		if (r->m[mid].sym < sym)
			lo = mid + 1;
		else
			hi = mid;
	}
	return NULL;
}

int crecord_check(const struct crecord *r)
{
	for (uint32_t i = 1; i < r->n; i++) {
		if (cmember_cmp(&r->m[i - 1], &r->m[i]) == 0)
			return -EEXIST;
	}
	return 0;
}
