// SPDX-License-Identifier: Apache-2.0
/*
 * Decisions. Finds the programs that the index gives for action, principal and resource and has them
 * run. No lock, no system call, no malloc().
 */
#include <errno.h>
#include <string.h>

#include "policy/request.h"

/* Anchors that are looked at one by one. */
#define ANCHORS_LINEAR_MAX 16

enum { FORBIDS = 1, PERMITS = 2 };

static inline int run_program(struct cedar_request *rq, const struct cprogram *p, unsigned which)
{
	int r = 0;

	if (which & FORBIDS && p->first < p->permits)
		r = decide_nodes(rq, p->first, p->permits, CEDAR_FORBID);
	if (r == 0 && which & PERMITS && p->permits < p->end)
		r = decide_nodes(rq, p->permits, p->end, CEDAR_PERMIT);
	return r;
}

/* The first anchor of a key among n, or where it would be. */
static uint32_t find_anchor(const struct canchor *a, uint32_t n, uint32_t key)
{
	uint32_t lo = 0;

	while (lo < n) {
		uint32_t mid = lo + (n - lo) / 2;

		if (a[mid].key < key)
			lo = mid + 1;
		else
			n = mid;
	}
	return lo;
}

static inline bool has_key(const struct cedar_request *rq, uint32_t key)
{
	return rq->key_mask >> key % KEY_BITS & 1 &&
	       (rq->snap->index.keys.n <= KEY_BITS || has_number(rq->keys, rq->n_keys, key));
}

/* More anchors than are looked at one by one. */
static __attribute__((noinline)) int run_many(struct cedar_request *rq, struct canchors at, unsigned which)
{
	const struct canchor *a = rq->snap->index.anchors.v + at.first;
	int r = 0;

	for (uint32_t k = 0; r == 0 && k < rq->n_keys; k++) {
		uint32_t key = rq->keys[k], i = find_anchor(a, at.n, key);

		for (; r == 0 && i < at.n && a[i].key == key; i++)
			r = run_program(rq, &a[i].program, which);
	}
	return r;
}

/* Which of at most ANCHORS_LINEAR_MAX anchors are among the action's keys, a bit for each. Their
 * programs are all over a memory larger than what is near, so all of them are sent for at once. */
static inline uint32_t match_anchors(const struct cedar_request *rq, struct canchors at)
{
	const struct cindex *ix = &rq->snap->index;
	uint32_t matched = 0;

	for (uint32_t i = 0; i < at.n; i++) {
		const struct canchor *a = &ix->anchors.v[at.first + i];
		bool found = has_key(rq, a->key);

		matched |= (uint32_t)found << i;
		if (found)
			__builtin_prefetch(&ix->nodes.v[a->program.first]);
	}
	return matched;
}

static inline int run_matched(struct cedar_request *rq, struct canchors at, uint32_t matched, unsigned which)
{
	const struct canchor *anchors = rq->snap->index.anchors.v; /* NULL when there are none */
	int r = 0;

	for (; r == 0 && matched; matched &= matched - 1)
		r = run_program(rq, &anchors[at.first + (uint32_t)__builtin_ctz(matched)].program, which);
	return r;
}

static int run_anchors(struct cedar_request *rq, struct canchors at, unsigned which)
{
	return at.n <= ANCHORS_LINEAR_MAX ? run_matched(rq, at, match_anchors(rq, at), which)
					  : run_many(rq, at, which);
}

/* What was not put together, or what a request told of. */
static __attribute__((noinline)) int walk_anchors(struct cedar_request *rq, enum ast_var var, unsigned which)
{
	struct canchors (*own)[2] = rq->snap->entities.own;
	unsigned side = var == AST_RESOURCE;
	int r = 0;

	if (rq->var[var].n != ENTITY_UNKNOWN)
		r = run_anchors(rq, own[rq->var[var].n][side], which);
	for (uint32_t i = 0; r == 0 && i < rq->n_above[var]; i++)
		r = run_anchors(rq, own[rq->above[var][i]][side], which);
	return r;
}

/* What principal or resource reaches; n is ANCHORS_WALK when that is not in one list. */
static inline struct canchors find_reach(const struct cedar_request *rq, enum ast_var var)
{
	static const struct canchors walk = { 0, ANCHORS_WALK };
	uint32_t self = rq->var[var].n;
	const struct chot *hot;

	/* What the store does not have reaches by what the request told of it. */
	if (self == ENTITY_UNKNOWN)
		return walk;
	hot = &rq->snap->entities.hot[self];
	return hot->n_ancestors == rq->n_above[var] ? hot->reach[var == AST_RESOURCE] : walk;
}

static inline int run_side(struct cedar_request *rq, enum ast_var var, struct canchors reach,
			   uint32_t matched, unsigned which)
{
	if (reach.n <= ANCHORS_LINEAR_MAX)
		return run_matched(rq, reach, matched, which);
	return reach.n == ANCHORS_WALK ? walk_anchors(rq, var, which) : run_many(rq, reach, which);
}

static int run_programs(struct cedar_request *rq, unsigned which)
{
	struct canchors p = find_reach(rq, AST_PRINCIPAL), res = find_reach(rq, AST_RESOURCE);
	uint32_t by_p = p.n <= ANCHORS_LINEAR_MAX ? match_anchors(rq, p) : 0;
	uint32_t by_res = res.n <= ANCHORS_LINEAR_MAX ? match_anchors(rq, res) : 0;
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < rq->n_programs; i++)
		r = run_program(rq, &rq->programs[i], which);
	if (r == 0)
		r = run_side(rq, AST_PRINCIPAL, p, by_p, which);
	if (r == 0)
		r = run_side(rq, AST_RESOURCE, res, by_res, which);
	return r;
}

/* --- linear ----------------------------------------------------------------------------------- */

static bool action_holds(struct cedar_request *rq, uint32_t key)
{
	const struct ckey *k = &rq->snap->index.keys.v[key];
	struct cval action = rq->var[AST_ACTION];

	for (uint32_t i = 0; i < k->n_literals; i++) {
		const struct cliteral *lit = &rq->snap->index.scopes.v[k->literal + i];
		struct cval named = { .tag = V_ENTITY, .n = lit->uid };

		if (lit->in ? request_is_in(rq, action, named) : action.n == lit->uid)
			return true;
	}
	return key == 0;
}

static bool scope_holds(struct cedar_request *rq, const struct cscope *s, enum ast_var var)
{
	struct cval self = rq->var[var], named = { .tag = V_ENTITY, .n = s->uid };

	switch ((enum ast_scope_op)s->op) {
	case AST_ANY:
		return true;
	case AST_SCOPE_EQ:
		return self.n == s->uid;
	case AST_SCOPE_IN:
		return request_is_in(rq, self, named);
	case AST_SCOPE_IS:
		return rq->type[var].sym == s->type;
	case AST_SCOPE_IS_IN:
		return rq->type[var].sym == s->type && request_is_in(rq, self, named);
	}
	return false;
}

static int run_linear(struct cedar_request *rq)
{
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < rq->snap->policies.n; i++) {
		const struct cpolicy *p = &rq->snap->policies.v[i];

		if (action_holds(rq, p->key) && scope_holds(rq, &p->principal, AST_PRINCIPAL) &&
		    scope_holds(rq, &p->resource, AST_RESOURCE))
			r = decide_policy(rq, i);
	}
	return r;
}

/* --- the question ----------------------------------------------------------------------------- */

/* The action scopes that name an entity, for an action that is it (self) or is below it. */
static void add_literals(struct cedar_request *rq, uint32_t uid, bool self)
{
	const struct cindex *ix = &rq->snap->index;
	uint32_t n, first = index_literals(ix, uid, &n);

	for (uint32_t i = first; i < first + n; i++) {
		uint32_t key = ix->literals.v[i].key;

		if (!(self || ix->literals.v[i].in) || rq->key_seen[key] == rq->epoch)
			continue;
		rq->key_seen[key] = rq->epoch;
		rq->told_keys[rq->n_keys++] = key;
	}
}

/* Of an action that the store does not have; the request may have told of what it is below. */
static __attribute__((noinline)) void find_told_keys(struct cedar_request *rq)
{
	const struct cindex *ix = &rq->snap->index;
	struct cval action = rq->var[AST_ACTION];
	struct entity_view v = { 0 };

	rq->told_keys[0] = 0;
	rq->n_keys = 1;
	if (action.n != ENTITY_UNKNOWN)
		add_literals(rq, action.n, true);
	request_view(rq, action, &v);
	for (uint32_t i = 0; i < v.n_ancestors; i++)
		add_literals(rq, v.ancestors[i], false);
	heap_sort(rq->told_keys, rq->n_keys, sizeof(*rq->told_keys), u32_cmp);
	rq->key_mask = 0;
	rq->n_programs = 0;
	for (uint32_t i = 0; i < rq->n_keys; i++) {
		rq->key_mask |= 1ull << rq->told_keys[i] % KEY_BITS;
		rq->told_programs[rq->n_programs++] = ix->keys.v[rq->told_keys[i]].program;
	}
	rq->keys = rq->told_keys;
	rq->programs = rq->told_programs;
}

static inline void find_keys(struct cedar_request *rq)
{
	const struct cedar_snapshot *s = rq->snap;
	uint32_t action = rq->var[AST_ACTION].n;

	if (action != ENTITY_UNKNOWN && (rq->n_told == 0 || s->entities.e.v[action].present)) {
		const struct caction *a = &s->index.actions.v[s->entities.e.v[action].action];

		rq->keys = s->index.action_keys.v + a->key;
		rq->n_keys = a->n_keys;
		rq->key_mask = a->mask;
		rq->programs = s->index.programs.v + a->program;
		rq->n_programs = a->n_programs;
	} else {
		find_told_keys(rq);
	}
}

static __attribute__((noinline)) void find_told_ancestors(struct cedar_request *rq, enum ast_var var)
{
	struct entity_view v = { 0 };

	request_view(rq, rq->var[var], &v);
	rq->above[var] = v.ancestors;
	rq->n_above[var] = v.n_ancestors;
}

static inline void find_ancestors(struct cedar_request *rq, enum ast_var var)
{
	uint32_t self = rq->var[var].n;

	rq->n_above[var] = 0;
	if (self != ENTITY_UNKNOWN) {
		const struct chot *hot = &rq->snap->entities.hot[self];

		rq->above[var] = hot->ancestors;
		rq->n_above[var] = hot->n_ancestors;
	}
	if (rq->n_told && rq->n_above[var] == 0)
		find_told_ancestors(rq, var);
}

static enum cedar_decision decide(const struct cedar_request *rq)
{
	uint32_t depending_permits = rq->n_depending - rq->depending_forbids;

	if (rq->n_forbids)
		return CEDAR_DENY;
	if (rq->n_permits && rq->depending_forbids == 0)
		return CEDAR_ALLOW;
	return rq->n_permits || depending_permits ? CEDAR_DEPENDS : CEDAR_DENY;
}

/* To cedar_decide() a forbid that holds is the end, so they come first. */
static int run(struct cedar_request *rq)
{
	int r;

	if (rq->flags & DECIDE_LINEAR)
		return run_linear(rq);
	find_keys(rq);
	if (!rq->first_only)
		return run_programs(rq, FORBIDS | PERMITS);
	r = run_programs(rq, FORBIDS);
	return r == 0 ? run_programs(rq, PERMITS) : r;
}

static bool is_complete(struct cedar_request *rq)
{
	static const struct crecord empty = { 0 };

	if (!rq->snap)
		return false;
	for (unsigned i = 0; i < 3; i++) {
		if (rq->var[i].tag != V_ENTITY)
			return false;
	}
	if (rq->context.tag == V_NONE)
		rq->context = (struct cval){ .tag = V_RECORD, .record = &empty };
	return true;
}

int request_answer(struct cedar_request *rq, bool first_only, bool all, struct cedar_answer *ret)
{
	int r;

	if (!is_complete(rq))
		return -EINVAL;
	rq->first_only = first_only;
	rq->n_permits = rq->n_forbids = rq->n_depending = rq->n_failures = 0;
	rq->depending_forbids = 0;
	rq->forbid_failed = false;
	request_next_epoch(rq, all);
	find_ancestors(rq, AST_PRINCIPAL);
	find_ancestors(rq, AST_RESOURCE);
	r = run(rq);
	if (r < 0)
		return r;
	*ret = (struct cedar_answer){
		.decision = decide(rq),
		.forbid_failed = rq->forbid_failed,
		.reasons = rq->n_forbids ? rq->forbids : rq->permits,
		.n_reasons = rq->n_forbids ? rq->n_forbids : rq->n_permits,
		.failures = rq->failures,
		.n_failures = rq->n_failures,
		.depending = rq->depending,
		.n_depending = rq->n_depending,
	};
	return 0;
}

int cedar_authorize(struct cedar_request *rq, struct cedar_answer *ret)
{
	return request_answer(rq, false, true, ret);
}

int cedar_decide(struct cedar_request *rq, struct cedar_answer *ret)
{
	return request_answer(rq, true, true, ret);
}
