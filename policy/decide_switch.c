// SPDX-License-Identifier: Apache-2.0
/* Switches: many children of a node are looked up by what their common path leads to. Memory comes
 * from the request's arena only. */
#include "policy/decide.h"

#include <errno.h>

#include "policy/matcher.h"

static uint32_t path_hash(struct cedar_request *rq, struct path_value *p)
{
	if (!p->hashed) {
		p->hash = (uint32_t)cval_hash(rq->snap->seed, p->v);
		p->hashed = true;
	}
	return p->hash;
}

static __attribute__((noinline)) const struct cslot *search_slot(const struct cindex *ix,
								  const struct cswitch *sw, uint32_t key)
{
	const struct cslot *slots = ix->slots.v + sw->slot;

	for (uint32_t i = switch_hash(key) & sw->mask; slots[i].end; i = (i + 1) & sw->mask) {
		if (slots[i].key == key)
			return &slots[i];
	}
	return NULL;
}

static inline const struct cslot *find_slot(const struct cindex *ix, const struct cswitch *sw,
					     uint32_t key)
{
	return switch_may_have(sw, key) ? search_slot(ix, sw, key) : NULL;
}

/* As find_slot(), for keys that are hashes: the constant decides. */
static const struct cslot *find_value(const struct cedar_snapshot *s, const struct cswitch *sw,
				      uint32_t hash, struct cval v)
{
	const struct cslot *slots = s->index.slots.v + sw->slot;

	if (!switch_may_have(sw, hash))
		return NULL;
	for (uint32_t i = switch_hash(hash) & sw->mask; slots[i].end; i = (i + 1) & sw->mask) {
		const struct cnode *child = &s->index.nodes.v[slots[i].first - 1];

		if (slots[i].key == hash && cval_equal(s->consts.v[child->arg], v))
			return &slots[i];
	}
	return NULL;
}

static int run_slot(struct cedar_request *rq, const struct cslot *slot, enum cedar_effect effect)
{
	return slot ? decide_nodes(rq, slot->first, slot->end, effect) : 0;
}

/* --- children with one tail ------------------------------------------------------------------- */

/* What lies behind each child of such a switch, asked when the first child is reached. */
struct tail {
	const struct cswitch *sw;
	bool asked;
	enum outcome out;
};

static enum outcome ask_tail(struct cedar_request *rq, struct tail *t)
{
	const struct cnode *n = &rq->snap->index.nodes.v[t->sw->first + 1];

	if (t->asked)
		return t->out;
	t->asked = true;
	t->out = OUT_TRUE;
	for (uint32_t i = 0; t->out == OUT_TRUE && i < t->sw->tail; i++)
		t->out = ask_test(rq, &n[i]);
	return t->out;
}

/* The policies of children whose tail gave out. */
static int settle(struct cedar_request *rq, uint32_t leaf, uint32_t end, enum outcome out,
		  enum cedar_effect effect)
{
	const uint32_t *leaves = rq->snap->index.leaves.v;
	int r = 0;

	if (out == OUT_FALSE || leaf == end)
		return 0;
	if (out == OUT_NO_MEMORY)
		return -ENOSPC;
	for (; r == 0 && leaf < end; leaf++) {
		if (out == OUT_TRUE)
			decide_satisfied(rq, leaves[leaf], effect);
		else if (out == OUT_ERROR)
			decide_failed(rq, leaves[leaf]);
		else
			r = decide_policy(rq, leaves[leaf]);
	}
	return r == 0 && out == OUT_TRUE && rq->first_only ? 1 : r;
}

static int run_child(struct cedar_request *rq, const struct cslot *slot, struct tail *t,
		     enum cedar_effect effect)
{
	const struct cnode *leaf;

	if (!slot)
		return 0;
	if (t->sw->tail == SWITCH_MIXED)
		return decide_nodes(rq, slot->first, slot->end, effect);
	leaf = &rq->snap->index.nodes.v[slot->end - 1];
	return settle(rq, leaf->leaf, leaf->leaf + leaf->arg, ask_tail(rq, t), effect);
}

/* --- switches with many children at once ------------------------------------------------------ */

/* The children that hold lie side by side. */
static int run_range(struct cedar_request *rq, const struct cslot *slot, uint32_t from, uint32_t to,
		     struct tail *t, enum cedar_effect effect)
{
	const struct cnode *nodes = rq->snap->index.nodes.v, *first, *last;
	int r = 0;

	if (from == to)
		return 0;
	if (t->sw->tail != SWITCH_MIXED) {
		first = &nodes[slot[from].end - 1];
		last = &nodes[slot[to - 1].end - 1];
		return settle(rq, first->leaf, last->leaf + last->arg, ask_tail(rq, t), effect);
	}
	for (; r == 0 && from < to; from++)
		r = decide_nodes(rq, slot[from].first, slot[from].end, effect);
	return r;
}

/* The first of n sorted numbers that is above v. Half of the comparisons hold, so none is a branch. */
static uint32_t above(const int64_t *number, uint32_t n, int64_t v)
{
	const int64_t *at = number;

	while (n > 1) {
		uint32_t half = n / 2;

		at += at[half - 1] <= v ? half : 0;
		n -= half;
	}
	return (uint32_t)(at - number) + (n == 1 && *at <= v);
}

static int switch_lt(struct cedar_request *rq, const struct cnode *n, const struct cswitch *sw,
		     int64_t v, enum cedar_effect effect)
{
	const int64_t *number = rq->snap->index.numbers.v + sw->number;
	const struct cslot *slot = rq->snap->index.slots.v + sw->slot;
	struct tail t = { .sw = sw };
	uint32_t lo = above(number, sw->n, v);

	return n->negated ? run_range(rq, slot, 0, lo, &t, effect)
			  : run_range(rq, slot, lo, sw->n, &t, effect);
}

static int switch_like(struct cedar_request *rq, const struct cnode *n, const struct cswitch *sw,
		       struct path_value *p, enum cedar_effect effect)
{
	const struct cedar_snapshot *s = rq->snap;
	struct tail t = { .sw = sw };
	int r = 0;

	if (!p->matched) {
		const struct cmatcher *m = s->matchers.v[s->paths.v[n->path].matcher - 1];

		p->n_matches = matcher_run(m, s->patterns.v, cval_span(p->v), rq->tried, p->match);
		p->matched = true;
	}
	for (uint32_t i = 0; r == 0 && i < p->n_matches; i++)
		r = run_child(rq, find_slot(&s->index, sw, p->match[i]), &t, effect);
	return r;
}

/* Sets up to this size are looked through for repetitions instead of sorted. */
#define SPREAD_MAX 8

/* A set's members, each once, by their hashes. */
static int spread_set(struct cedar_request *rq, struct path_value *p)
{
	struct cset *set = p->v.set;
	struct member *m;
	uint32_t n = 0;

	if (set->n > SPREAD_MAX)
		cset_canonical(set);
	m = arena_array(&rq->mem, set->n, sizeof(*m));
	if (!m)
		return -ENOSPC;
	for (uint32_t i = 0; i < set->n; i++) {
		uint32_t k = set->n > SPREAD_MAX ? n : 0;

		/* The value itself: where it is in the set may change, when the set is sorted. */
		m[n] = (struct member){ set->v[i], (uint32_t)cval_hash(rq->snap->seed, set->v[i]) };
		while (k < n && (m[k].hash != m[n].hash || !cval_equal(m[k].v, m[n].v)))
			k++;
		n += k == n;
	}
	p->member = m;
	p->n_members = n;
	p->spread = true;
	return 0;
}

static int switch_contains(struct cedar_request *rq, const struct cswitch *sw, struct path_value *p,
			   enum cedar_effect effect)
{
	struct tail t = { .sw = sw };
	int r = p->spread ? 0 : spread_set(rq, p);

	for (uint32_t i = 0; r == 0 && i < p->n_members; i++) {
		const struct member *m = &p->member[i];

		r = run_child(rq, find_value(rq->snap, sw, m->hash, m->v), &t, effect);
	}
	return r;
}

static int switch_in(struct cedar_request *rq, const struct cnode *n, const struct cswitch *sw,
		     enum cedar_effect effect)
{
	const struct cindex *ix = &rq->snap->index;
	struct cval v = rq->var[n->path];
	struct tail t = { .sw = sw };
	int r = v.n == ENTITY_UNKNOWN ? 0 : run_child(rq, find_slot(ix, sw, v.n), &t, effect);

	if (n->tag)
		return r;
	for (uint32_t i = 0; r == 0 && i < rq->n_above[n->path]; i++)
		r = run_child(rq, find_slot(ix, sw, rq->above[n->path][i]), &t, effect);
	return r;
}

/* --- pairs ------------------------------------------------------------------------------------ */

static enum outcome ask_first(struct cedar_request *rq, const struct cpairs *set, uint32_t i)
{
	const struct cindex *ix = &rq->snap->index;
	uint32_t at = ix->pair_nodes.v[set->pair + i].test;
	struct cnode n = ix->nodes.v[at];

	if (at == set->node) {
		n.kind = set->kind;
		n.num = set->num;
	}
	return ask_test(rq, &n);
}

/* The threshold fails, or is not known: both tests of each, in their order. */
static int pairs_in_order(struct cedar_request *rq, const struct cpairs *set, enum cedar_effect effect)
{
	const struct cindex *ix = &rq->snap->index;
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < set->n; i++) {
		uint32_t policy = ix->pairs.v[set->pair + i].policy;
		enum outcome out = ask_first(rq, set, i);

		if (out == OUT_TRUE)
			out = ask_test(rq, &ix->nodes.v[ix->pair_nodes.v[set->pair + i].threshold]);
		if (out == OUT_NO_MEMORY)
			r = -ENOSPC;
		else if (out == OUT_UNKNOWN)
			r = decide_policy(rq, policy);
		else if (out == OUT_ERROR)
			decide_failed(rq, policy);
		else if (out == OUT_TRUE)
			decide_satisfied(rq, policy, effect);
	}
	return r;
}

static bool is_fit(const struct cpairs *set, struct cval v)
{
	switch ((enum test_kind)set->kind) {
	case TEST_IN_RANGE:
		return v.tag == V_IP;
	case TEST_LIKE:
		return v.tag == V_STRING;
	case TEST_CONTAINS:
		return v.tag == V_SET;
	default: /* TEST_EQ */
		return true;
	}
}

/* The pairs whose thresholds hold; of them, the first tests. */
static void ask_pairs(struct cedar_request *rq, const struct cnode *n, const struct cpairs *set,
		      struct cval v, uint32_t from, uint32_t to, enum cedar_effect effect)
{
	const struct cpair *pair = rq->snap->index.pairs.v + set->pair;
	uint32_t *list = effect == CEDAR_FORBID ? rq->forbids : rq->permits;
	uint32_t count = effect == CEDAR_FORBID ? rq->n_forbids : rq->n_permits;

	if (set->kind == TEST_IN_RANGE && n->tag && !v.ip->v6 && v.ip->prefix == 32) {
		uint32_t addr = ext_ip_v4(v.ip);

		for (; from < to; from++) { /* kept or not by the count, as in decide_nodes() */
			list[count] = pair[from].policy;
			count += (((addr ^ pair[from].net) & pair[from].mask) == 0) != n->negated;
		}
	} else {
		for (; from < to; from++) {
			if (ask_first(rq, set, from) == OUT_TRUE)
				list[count++] = pair[from].policy;
		}
	}
	if (effect == CEDAR_FORBID)
		rq->n_forbids = count;
	else
		rq->n_permits = count;
}

int decide_pairs(struct cedar_request *rq, const struct cnode *n, enum cedar_effect effect)
{
	const struct cindex *ix = &rq->snap->index;
	const struct cpairs *set = &ix->pair_sets.v[n->sw];
	const struct cnode *threshold = &ix->nodes.v[ix->pair_nodes.v[set->pair].threshold];
	const struct path_value *p = path_of(rq, n->path), *q;
	uint32_t before = rq->n_forbids + rq->n_permits, lo;
	int r = 0;

	if (p->out != OUT_TRUE)
		return decide_leave(rq, n, (enum outcome)p->out);
	if (!is_fit(set, p->v))
		return decide_leave(rq, n, OUT_ERROR);
	q = path_of(rq, threshold->path);
	if (q->out != OUT_TRUE || q->v.tag != threshold->tag) {
		r = pairs_in_order(rq, set, effect);
	} else {
		lo = above(ix->numbers.v + set->number, set->n, q->v.i);
		ask_pairs(rq, n, set, p->v, threshold->negated ? 0 : lo, threshold->negated ? lo : set->n,
			  effect);
	}
	return r == 0 && rq->first_only && rq->n_forbids + rq->n_permits > before ? 1 : r;
}

int decide_switch(struct cedar_request *rq, const struct cnode *n, enum cedar_effect effect)
{
	const struct cswitch *sw = &rq->snap->index.switches.v[n->sw];
	struct path_value *p = path_of(rq, n->path);

	if (p->out != OUT_TRUE)
		return decide_leave(rq, n, (enum outcome)p->out);
	switch ((enum test_kind)n->kind) {
	case NODE_SWITCH_EQ:
		return run_slot(rq, find_value(rq->snap, sw, path_hash(rq, p), p->v), effect);
	case NODE_SWITCH_LT:
		return p->v.tag == n->tag ? switch_lt(rq, n, sw, p->v.i, effect)
					  : decide_leave(rq, n, OUT_ERROR);
	case NODE_SWITCH_LIKE:
		return p->v.tag == V_STRING ? switch_like(rq, n, sw, p, effect)
					    : decide_leave(rq, n, OUT_ERROR);
	case NODE_SWITCH_CONTAINS:
		return p->v.tag == V_SET ? switch_contains(rq, sw, p, effect)
					 : decide_leave(rq, n, OUT_ERROR);
	default: /* NODE_SWITCH_IN */
		return switch_in(rq, n, sw, effect);
	}
}
