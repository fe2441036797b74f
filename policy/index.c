// SPDX-License-Identifier: Apache-2.0
/*
 * The index over policies: by action scope, then by the principal or resource that the scope names.
 * Scope tests cannot fail, so leaving a policy out because of its scope changes neither reasons nor
 * errors.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "policy/program.h"

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
	struct ckey k = { .literal = s->index.literals.n };
	int r = vec_push(&s->index.keys, k);

	if (r < 0)
		return r;
	if (a->op != AST_ANY && !a->list)
		r = add_literal(s, &a->uid, key, a->op == AST_SCOPE_IN);
	for (uint32_t i = 0; r == 0 && a->list && i < a->n; i++)
		r = add_literal(s, &a->uids[i], key, true);
	s->index.keys.v[key].n_literals = s->index.literals.n - k.literal;
	*ret = key;
	return r;
}

/* A key for each policy's action scope; equal scopes share one. */
static int assign_keys(struct cedar_snapshot *s, const struct cedar_policies *ps)
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

		if (a->op == AST_ANY)
			continue;
		while (slot[i] && !same_action(&ps->policies.v[slot[i] - 1].action, a))
			i = (i + 1) & (slots - 1);
		if (slot[i]) {
			s->policies.v[p].key = s->policies.v[slot[i] - 1].key;
			continue;
		}
		slot[i] = p + 1;
		r = add_key(s, a, &s->policies.v[p].key);
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

static int add_action(struct cindex *ix, const struct key_list *list)
{
	struct caction a = { .key = ix->action_keys.n, .mask = 1 };
	int r = vec_push(&ix->action_keys, 0u);

	for (uint32_t i = 0; r == 0 && i < list->n; i++) {
		if (i > 0 && list->v[i] == list->v[i - 1])
			continue;
		a.mask |= 1ull << list->v[i] % KEY_BITS;
		r = vec_push(&ix->action_keys, list->v[i]);
	}
	a.n_keys = ix->action_keys.n - a.key;
	return r < 0 ? r : vec_push(&ix->actions, a);
}

/* For every entity that could be an action: which keys it satisfies besides "any action". */
static int list_action_keys(struct cedar_snapshot *s)
{
	struct cindex *ix = &s->index;
	struct key_list list = { 0 };
	int r = add_action(ix, &list);

	heap_sort(ix->literals.v, ix->literals.n, sizeof(*ix->literals.v), by_literal);
	for (uint32_t e = 0; r == 0 && e < s->entities.e.n; e++) {
		struct centity *c = &s->entities.e.v[e];

		list.n = 0;
		r = keys_of(ix, e, true, &list);
		for (uint32_t i = 0; r == 0 && i < c->n_ancestors; i++)
			r = keys_of(ix, c->ancestors[i], false, &list);
		if (r < 0 || list.n == 0)
			continue;
		heap_sort(list.v, list.n, sizeof(*list.v), u32_cmp);
		c->action = ix->actions.n;
		r = add_action(ix, &list);
	}
	free(list.v);
	return r;
}

/* What each action runs of the policies that hang on keys alone, when those are known. */
static int list_action_programs(struct cindex *ix)
{
	int r = vec_reserve(&ix->programs, 1); /* a decision points into it, be it empty */

	for (uint32_t i = 0; r == 0 && i < ix->actions.n; i++) {
		struct caction *a = &ix->actions.v[i];

		a->program = ix->programs.n;
		for (uint32_t k = 0; r == 0 && k < a->n_keys; k++) {
			const struct cprogram *p = &ix->keys.v[ix->action_keys.v[a->key + k]].program;

			if (p->first < p->end)
				r = vec_push(&ix->programs, *p);
		}
		a->n_programs = ix->programs.n - a->program;
	}
	return r;
}

/* --- places ----------------------------------------------------------------------------------- */

#define KEYS_MAX (1u << 30) /* what place_id() has room for; texts would need 40 GiB for more */

/* Where a policy hangs: key, side (0: the key alone, 1: principal, 2: resource) and entity. */
static uint64_t place_id(uint32_t key, unsigned side, uint32_t uid)
{
	return (uint64_t)side << 62 | (uint64_t)uid << 30 | key;
}

static bool names_entity(const struct cscope *c)
{
	return c->op != AST_ANY && c->op != AST_SCOPE_IS;
}

/* == before in, since it is met by one entity only; else the entity that fewer policies name. */
static unsigned better_side(const struct cpolicy *p, const uint32_t *named)
{
	bool by_p = names_entity(&p->principal), by_r = names_entity(&p->resource);
	bool p_eq = p->principal.op == AST_SCOPE_EQ, r_eq = p->resource.op == AST_SCOPE_EQ;

	if (!by_p || !by_r)
		return by_p ? RANK_PRINCIPAL : by_r ? RANK_RESOURCE : 0;
	if (p_eq != r_eq)
		return p_eq ? RANK_PRINCIPAL : RANK_RESOURCE;
	return named[p->principal.uid] <= named[p->resource.uid] ? RANK_PRINCIPAL : RANK_RESOURCE;
}

/* An anchor is reached from all that is below its entity: where the scope says ==, it must be asked
 * still. */
static bool place_says_all(const struct cpolicy *p, unsigned side)
{
	return (side == RANK_PRINCIPAL ? p->principal.op : p->resource.op) != AST_SCOPE_EQ;
}

static int choose_sides(const struct cedar_snapshot *s, uint8_t *side, uint8_t *known)
{
	uint32_t *named = calloc((size_t)s->entities.e.n + 1, sizeof(*named));

	if (!named)
		return -ENOMEM;
	for (uint32_t i = 0; i < s->policies.n; i++) {
		const struct cpolicy *p = &s->policies.v[i];

		named[p->principal.uid] += names_entity(&p->principal);
		named[p->resource.uid] += names_entity(&p->resource);
	}
	for (uint32_t i = 0; i < s->policies.n; i++) {
		side[i] = (uint8_t)better_side(&s->policies.v[i], named);
		known[i] = place_says_all(&s->policies.v[i], side[i]) ? side[i] : 0;
	}
	free(named);
	return 0;
}

static void place_policies(const struct cedar_snapshot *s, const uint8_t *side,
			   const struct ranked *r, struct placed *ret)
{
	for (uint32_t i = 0; i < s->policies.n; i++) {
		const struct cpolicy *p = &s->policies.v[i];
		uint32_t uid = side[i] == RANK_PRINCIPAL  ? p->principal.uid
			       : side[i] == RANK_RESOURCE ? p->resource.uid
							  : 0;

		ret[i] = (struct placed){ .id = place_id(p->key, side[i], uid),
					  .test = r->test ? r->test + r->first[i] : NULL,
					  .n_tests = r->first[i + 1] - r->first[i],
					  .policy = i,
					  .forbid_first = p->effect != CEDAR_FORBID };
	}
}

/* Places come sorted by side, entity, key, so the anchors of an entity lie together. */
static int add_place(struct cedar_snapshot *s, uint64_t id, const struct cprogram *program)
{
	struct cindex *ix = &s->index;
	unsigned side = (unsigned)(id >> 62);
	uint32_t uid = (uint32_t)(id >> 30), key = (uint32_t)id & (KEYS_MAX - 1);
	struct canchors *at;

	if (side == 0) {
		ix->keys.v[key].program = *program;
		return 0;
	}
	at = &s->entities.own[uid][side - 1];
	if (at->n == 0)
		at->first = ix->anchors.n;
	at->n++;
	return vec_push(&ix->anchors, ((struct canchor){ key, *program }));
}

static int build_programs(struct cedar_snapshot *s, const struct ranked *r, struct placed *p)
{
	uint32_t n = s->policies.n, first = 0;
	int err = program_matchers(s, r);

	heap_sort(p, n, sizeof(*p), program_order);
	for (uint32_t i = 0; err == 0 && i < n; i++) {
		struct cprogram program;

		if (i + 1 < n && p[i + 1].id == p[i].id)
			continue;
		err = program_build(s, r, p + first, i + 1 - first, &program);
		if (err == 0)
			err = add_place(s, p[i].id, &program);
		first = i + 1;
	}
	if (err == 0)
		err = vec_push(&s->index.nodes,
			       ((struct cnode){ .kind = NODE_EMIT, .leaf = s->index.leaves.n }));
	return err;
}

static int place_all(struct cedar_snapshot *s)
{
	size_t n = (size_t)s->policies.n + 1;
	uint8_t *side = calloc(n, 1), *known = calloc(n, 1);
	struct placed *placed = calloc(n, sizeof(*placed));
	struct ranked ranked = { 0 };
	int r = side && known && placed && s->index.keys.n < KEYS_MAX
			? choose_sides(s, side, known)
			: -ENOMEM;

	if (r == 0)
		r = program_rank(s, known, &ranked);
	if (r == 0) {
		place_policies(s, side, &ranked, placed);
		r = build_programs(s, &ranked, placed);
	}
	program_rank_done(&ranked);
	free(side);
	free(known);
	free(placed);
	return r;
}

/* The literals as they were told, key after key, for who does not trust the index. */
static int keep_scopes(struct cindex *ix)
{
	int r = vec_reserve(&ix->scopes, ix->literals.n);

	for (uint32_t i = 0; r == 0 && i < ix->literals.n; i++)
		r = vec_push(&ix->scopes, ix->literals.v[i]);
	return r;
}

static int make_hot(struct cedar_snapshot *s)
{
	struct centities *es = &s->entities;

	es->hot = calloc((size_t)es->e.n + 1, sizeof(*es->hot));
	es->own = calloc((size_t)es->e.n + 1, sizeof(*es->own));
	if (!es->hot || !es->own)
		return -ENOMEM;
	for (uint32_t i = 0; i < es->e.n; i++) {
		const struct centity *e = &es->e.v[i];

		es->hot[i] = (struct chot){ .ancestors = e->ancestors,
					    .n_ancestors = e->n_ancestors,
					    .type = e->type };
	}
	return 0;
}

/* --- reach -------------------------------------------------------------------------------------- */

/* Anchors copied to where they are reached from, together: 16 bytes each. What is over it is found
 * by a walk over the ancestors. */
#define REACH_MAX(entities) (64u * 1024 + 16 * (uint64_t)(entities))

static int by_key(const void *a, const void *b)
{
	const struct canchor *x = a, *y = b;

	if (x->key != y->key)
		return x->key < y->key ? -1 : 1;
	return (x->program.first > y->program.first) - (x->program.first < y->program.first);
}

static int copy_anchors(struct cindex *ix, struct canchors from)
{
	int r = vec_reserve(&ix->anchors, from.n);

	if (r == 0 && from.n)
		memcpy(ix->anchors.v + ix->anchors.n, ix->anchors.v + from.first,
		       from.n * sizeof(*ix->anchors.v));
	ix->anchors.n += r == 0 ? from.n : 0;
	return r;
}

/* The anchors of an entity and its ancestors in one sorted list. */
static int gather(struct cedar_snapshot *s, uint32_t entity, unsigned side, uint64_t *room)
{
	const struct chot *hot = &s->entities.hot[entity];
	struct canchors own = s->entities.own[entity][side], all = { s->index.anchors.n, own.n };
	struct canchors only = own;
	uint32_t lists = own.n > 0;
	int r;

	for (uint32_t i = 0; i < hot->n_ancestors; i++) {
		struct canchors more = s->entities.own[hot->ancestors[i]][side];

		lists += more.n > 0;
		all.n += more.n;
		if (more.n)
			only = more;
	}
	if (lists <= 1) { /* nothing to put together */
		s->entities.hot[entity].reach[side] = only;
		return 0;
	}
	if (all.n > *room) {
		s->entities.hot[entity].reach[side].n = ANCHORS_WALK;
		return 0;
	}
	*room -= all.n;
	r = copy_anchors(&s->index, own);
	for (uint32_t i = 0; r == 0 && i < hot->n_ancestors; i++)
		r = copy_anchors(&s->index, s->entities.own[hot->ancestors[i]][side]);
	if (r == 0)
		heap_sort(s->index.anchors.v + all.first, all.n, sizeof(struct canchor), by_key);
	s->entities.hot[entity].reach[side] = all;
	return r;
}

static int gather_all(struct cedar_snapshot *s)
{
	uint64_t room = REACH_MAX(s->entities.e.n);
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < s->entities.e.n; i++) {
		r = gather(s, i, 0, &room);
		if (r == 0)
			r = gather(s, i, 1, &room);
	}
	return r;
}

int index_build(struct cedar_snapshot *s, const struct cedar_policies *ps)
{
	int r = assign_keys(s, ps);

	if (r == 0)
		r = keep_scopes(&s->index);
	if (r == 0)
		r = list_action_keys(s);
	if (r == 0)
		r = make_hot(s);
	if (r == 0)
		r = place_all(s);
	if (r == 0)
		r = list_action_programs(&s->index);
	return r < 0 ? r : gather_all(s);
}
