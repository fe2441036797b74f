// SPDX-License-Identifier: Apache-2.0
/*
 * The index over policies: by action scope, then by the principal or resource that the scope names.
 * Scope tests cannot fail, so leaving a policy out because of its scope changes neither reasons nor
 * errors.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "policy/snapshot.h"

struct placed { /* a policy and where it hangs */
	uint64_t id; /* index_bucket_id(); side 0 and entity 0: on the key alone */
	uint32_t policy;
};

struct placed_list {
	struct placed *v;
	uint32_t n, cap;
};

struct key_list {
	uint32_t *v;
	uint32_t n, cap;
};

/* --- action scopes ---------------------------------------------------------------------------- */

static bool same_action(const struct ast_scope *a, const struct ast_scope *b)
{
	if (a->op != b->op || a->list != b->list || a->n != b->n)
		return false;
	if (!a->list)
		return a->op == AST_ANY ||
		       (span_eq(a->uid.type, b->uid.type) && span_eq(a->uid.id, b->uid.id));
	for (uint32_t i = 0; i < a->n; i++) {
		if (!span_eq(a->uids[i].type, b->uids[i].type) ||
		    !span_eq(a->uids[i].id, b->uids[i].id))
			return false;
	}
	return true;
}

static uint64_t action_hash(uint64_t seed, const struct ast_scope *a)
{
	uint64_t h = hash_u64(seed, a->op);

	if (a->op == AST_ANY)
		return h;
	if (!a->list)
		return hash_bytes(hash_bytes(h, a->uid.type), a->uid.id);
	for (uint32_t i = 0; i < a->n; i++)
		h = hash_bytes(hash_bytes(h, a->uids[i].type), a->uids[i].id);
	return h;
}

static int add_literal(struct cedar_snapshot *s, const struct cedar_uid *uid, uint32_t key, bool in)
{
	struct cliteral lit = { .key = key, .in = in };
	int r = snapshot_add_entity(s, uid->type, uid->id, &lit.uid);

	return r < 0 ? r : vec_push(&s->index.literals, lit);
}

static int add_key(struct cedar_snapshot *s, const struct ast_scope *a, uint32_t *ret)
{
	uint32_t key = s->index.keys.n;
	int r = vec_push(&s->index.keys, (struct ckey){ 0 });

	if (r == 0 && a->op != AST_ANY && !a->list)
		r = add_literal(s, &a->uid, key, a->op == AST_SCOPE_IN);
	for (uint32_t i = 0; r == 0 && a->list && i < a->n; i++)
		r = add_literal(s, &a->uids[i], key, true);
	*ret = key;
	return r;
}

/* A key for each policy's action scope; equal scopes share one. */
static int assign_keys(struct cedar_snapshot *s, const struct cedar_policies *ps,
		       uint32_t *ret_keys)
{
	static const struct ast_scope any = { .op = AST_ANY };
	uint32_t slots = 16, *slot, key;
	int r;

	while (slots / 2 <= ps->policies.n)
		slots *= 2;
	slot = calloc(slots, sizeof(*slot)); /* policy + 1: the first with this scope */
	r = slot ? add_key(s, &any, &key) : -ENOMEM;
	for (uint32_t p = 0; r == 0 && p < ps->policies.n; p++) {
		const struct ast_scope *a = &ps->policies.v[p].action;
		uint32_t i = (uint32_t)action_hash(s->seed, a) & (slots - 1);

		ret_keys[p] = 0;
		if (a->op == AST_ANY)
			continue;
		while (slot[i] && !same_action(&ps->policies.v[slot[i] - 1].action, a))
			i = (i + 1) & (slots - 1);
		if (slot[i]) {
			ret_keys[p] = ret_keys[slot[i] - 1];
			continue;
		}
		slot[i] = p + 1;
		r = add_key(s, a, &ret_keys[p]);
	}
	free(slot);
	return r;
}

static int by_literal(const void *a, const void *b)
{
	const struct cliteral *x = a, *y = b;

	return x->uid != y->uid ? (x->uid > y->uid) - (x->uid < y->uid)
				: (x->key > y->key) - (x->key < y->key);
}

uint32_t index_literals(const struct cindex *ix, uint32_t uid, uint32_t *ret_n)
{
	uint32_t lo = 0, hi = ix->literals.n, n = 0;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (ix->literals.v[mid].uid < uid)
			lo = mid + 1;
		else
			hi = mid;
	}
	while (lo + n < ix->literals.n && ix->literals.v[lo + n].uid == uid)
		n++;
	*ret_n = n;
	return lo;
}

/* The keys that one entity, taken as the action, satisfies because of a literal. */
static int keys_of(const struct cindex *ix, uint32_t literal, bool self, struct key_list *list)
{
	uint32_t n, first = index_literals(ix, literal, &n);
	int r = 0;

	for (uint32_t i = first; r == 0 && i < first + n; i++) {
		if (self || ix->literals.v[i].in)
			r = vec_push(list, ix->literals.v[i].key);
	}
	return r;
}

static int by_number(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

/* For every entity that could be an action: which keys it satisfies besides "any action". */
static int list_action_keys(struct cedar_snapshot *s)
{
	struct cindex *ix = &s->index;
	struct key_list list = { 0 };
	int r = 0;

	heap_sort(ix->literals.v, ix->literals.n, sizeof(*ix->literals.v), by_literal);
	for (uint32_t e = 0; r == 0 && e < s->entities.e.n; e++) {
		struct centity *c = &s->entities.e.v[e];

		list.n = 0;
		r = keys_of(ix, e, true, &list);
		for (uint32_t i = 0; r == 0 && i < c->n_ancestors; i++)
			r = keys_of(ix, c->ancestors[i], false, &list);
		heap_sort(list.v, list.n, sizeof(*list.v), by_number);
		c->keys = ix->action_keys.n;
		for (uint32_t i = 0; r == 0 && i < list.n; i++) {
			if (i == 0 || list.v[i] != list.v[i - 1])
				r = vec_push(&ix->action_keys, list.v[i]);
		}
		c->n_keys = ix->action_keys.n - c->keys;
	}
	free(list.v);
	return r;
}

/* --- buckets ---------------------------------------------------------------------------------- */

static bool names_entity(const struct cscope *c)
{
	return c->op != AST_ANY && c->op != AST_SCOPE_IS;
}

/* == before in, since it is met by one entity only; else the entity that fewer policies name. */
static enum index_side better_side(const struct cpolicy *p, const uint32_t *named)
{
	bool by_p = names_entity(&p->principal), by_r = names_entity(&p->resource);
	bool p_eq = p->principal.op == AST_SCOPE_EQ, r_eq = p->resource.op == AST_SCOPE_EQ;

	if (!by_p || !by_r)
		return by_p ? INDEX_PRINCIPAL : by_r ? INDEX_RESOURCE : 0;
	if (p_eq != r_eq)
		return p_eq ? INDEX_PRINCIPAL : INDEX_RESOURCE;
	return named[p->principal.uid] <= named[p->resource.uid] ? INDEX_PRINCIPAL : INDEX_RESOURCE;
}

static int place_policies(struct cedar_snapshot *s, const uint32_t *keys, struct placed_list *list)
{
	uint32_t *named = calloc((size_t)s->entities.e.n + 1, sizeof(*named));
	int r = named ? 0 : -ENOMEM;

	for (uint32_t i = 0; r == 0 && i < s->policies.n; i++) {
		const struct cpolicy *p = &s->policies.v[i];

		named[p->principal.uid] += names_entity(&p->principal);
		named[p->resource.uid] += names_entity(&p->resource);
	}
	for (uint32_t i = 0; r == 0 && i < s->policies.n; i++) {
		const struct cpolicy *p = &s->policies.v[i];
		enum index_side side = better_side(p, named);
		uint32_t uid = side == INDEX_PRINCIPAL  ? p->principal.uid
			       : side == INDEX_RESOURCE ? p->resource.uid
							: 0;

		r = vec_push(list, ((struct placed){ index_bucket_id(keys[i], side, uid), i }));
	}
	free(named);
	return r;
}

static int by_place(const void *a, const void *b)
{
	const struct placed *x = a, *y = b;

	return x->id != y->id ? (x->id > y->id) - (x->id < y->id)
			      : (x->policy > y->policy) - (x->policy < y->policy);
}

static void add_bucket(struct cedar_snapshot *s, uint64_t id, uint32_t first, uint32_t n)
{
	struct cindex *ix = &s->index;
	struct ckey *key = &ix->keys.v[id >> 34];
	unsigned side = id >> 32 & 3;
	uint32_t i;

	if (side == 0) {
		key->first = first;
		key->n = n;
		return;
	}
	if (side == INDEX_PRINCIPAL)
		key->by_principal = true;
	else
		key->by_resource = true;
	for (i = (uint32_t)hash_u64(s->seed, id) & ix->mask; ix->bucket[i].id;
	     i = (i + 1) & ix->mask)
		;
	ix->bucket[i] = (struct cbucket){ id, first, n };
}

static int fill_buckets(struct cedar_snapshot *s, struct placed_list *list)
{
	struct cindex *ix = &s->index;
	uint32_t slots = 16, first = 0;
	int r;

	while (slots / 2 <= list->n)
		slots *= 2;
	ix->bucket = calloc(slots, sizeof(*ix->bucket));
	ix->mask = slots - 1;
	r = ix->bucket ? vec_reserve(&ix->policies, list->n) : -ENOMEM;
	if (r < 0)
		return r;
	heap_sort(list->v, list->n, sizeof(*list->v), by_place);
	for (uint32_t i = 0; i < list->n; i++) {
		ix->policies.v[ix->policies.n++] = list->v[i].policy;
		if (i + 1 == list->n || list->v[i + 1].id != list->v[i].id) {
			add_bucket(s, list->v[i].id, first, i + 1 - first);
			first = i + 1;
		}
	}
	return 0;
}

const struct cbucket *index_find(const struct cedar_snapshot *s, uint64_t id)
{
	const struct cindex *ix = &s->index;

	for (uint32_t i = (uint32_t)hash_u64(s->seed, id) & ix->mask; ix->bucket[i].id;
	     i = (i + 1) & ix->mask) {
		if (ix->bucket[i].id == id)
			return &ix->bucket[i];
	}
	return NULL;
}

int index_build(struct cedar_snapshot *s, const struct cedar_policies *ps)
{
	uint32_t *keys = calloc((size_t)ps->policies.n + 1, sizeof(*keys));
	struct placed_list list = { 0 };
	int r = keys ? assign_keys(s, ps, keys) : -ENOMEM;

	if (r == 0)
		r = list_action_keys(s);
	if (r == 0)
		r = place_policies(s, keys, &list);
	if (r == 0)
		r = fill_buckets(s, &list);
	free(keys);
	free(list.v);
	return r;
}
