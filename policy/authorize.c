// SPDX-License-Identifier: Apache-2.0
/*
 * Decisions. Visits the policies that the index gives for action, principal and resource, tests
 * their scopes, runs their conditions and sorts them into lists. No lock, no system call, no
 * malloc() once the lists have grown.
 */
#include <errno.h>
#include <string.h>

#include "policy/request.h"

static int record_failure(struct cedar_request *rq, uint32_t policy)
{
	struct cedar_failure f = { .policy = policy };

	snapshot_place(rq->snap, policy, rq->snap->where.v[rq->fail.pc], &f.line, &f.column);
	memcpy(f.reserved, &rq->fail, sizeof(rq->fail));
	return vec_push(&rq->failures, f);
}

/*
 * All conjuncts of a policy, left to right. Behind one that depends on an unknown the others are
 * still looked at: one that is false, or that would stop a permit by an error, decides after all.
 */
static int run_policy(struct cedar_request *rq, uint32_t policy)
{
	const struct cpolicy *p = &rq->snap->policies.v[policy];
	bool unknown = false;

	for (uint32_t i = 0; i < p->n_conjuncts; i++) {
		switch (eval_conjunct(rq, rq->snap->conjuncts.v[p->conjunct + i])) {
		case OUT_TRUE:
			break;
		case OUT_FALSE:
			return 0;
		case OUT_UNKNOWN:
			unknown = true;
			break;
		case OUT_ERROR:
			if (!unknown)
				return record_failure(rq, policy);
			if (p->effect == CEDAR_PERMIT)
				return 0;
			break;
		case OUT_NO_MEMORY:
			return -ENOSPC;
		}
	}
	if (unknown) {
		rq->depending_forbids += p->effect == CEDAR_FORBID;
		return vec_push(&rq->depending, policy);
	}
	return p->effect == CEDAR_FORBID ? vec_push(&rq->forbids, policy)
					 : vec_push(&rq->permits, policy);
}

static bool scope_holds(const struct cscope *s, struct cval self, uint32_t type,
			const uint32_t *under, uint32_t epoch)
{
	switch ((enum ast_scope_op)s->op) {
	case AST_ANY:
		return true;
	case AST_SCOPE_EQ:
		return self.n == s->uid;
	case AST_SCOPE_IN:
		return under[s->uid] == epoch;
	case AST_SCOPE_IS:
		return type == s->type;
	case AST_SCOPE_IS_IN:
		return type == s->type && under[s->uid] == epoch;
	}
	return false;
}

static int run_list(struct cedar_request *rq, uint32_t first, uint32_t n)
{
	int r = 0;

	for (uint32_t i = first; r == 0 && i < first + n; i++) {
		uint32_t policy = rq->snap->index.policies.v[i];
		const struct cpolicy *p = &rq->snap->policies.v[policy];

		if (scope_holds(&p->principal, rq->var[AST_PRINCIPAL], rq->type[AST_PRINCIPAL],
				rq->under_principal, rq->epoch) &&
		    scope_holds(&p->resource, rq->var[AST_RESOURCE], rq->type[AST_RESOURCE],
				rq->under_resource, rq->epoch))
			r = run_policy(rq, policy);
	}
	return r;
}

static int run_bucket(struct cedar_request *rq, uint32_t key, enum index_side side, uint32_t uid)
{
	const struct cbucket *b = index_find(rq->snap, index_bucket_id(key, side, uid));

	return b ? run_list(rq, b->first, b->n) : 0;
}

static int run_side(struct cedar_request *rq, uint32_t key, enum index_side side, struct cval self)
{
	struct entity_view v = { 0 };
	int r = self.n == ENTITY_UNKNOWN ? 0 : run_bucket(rq, key, side, self.n);

	request_view(rq, self, &v);
	for (uint32_t i = 0; r == 0 && i < v.n_ancestors; i++)
		r = run_bucket(rq, key, side, v.ancestors[i]);
	return r;
}

static int run_key(struct cedar_request *rq, uint32_t key)
{
	const struct ckey *k = &rq->snap->index.keys.v[key];
	int r = run_list(rq, k->first, k->n);

	if (r == 0 && k->by_principal)
		r = run_side(rq, key, INDEX_PRINCIPAL, rq->var[AST_PRINCIPAL]);
	if (r == 0 && k->by_resource)
		r = run_side(rq, key, INDEX_RESOURCE, rq->var[AST_RESOURCE]);
	return r;
}

/* The action scopes that name an entity, for an action that is it (self) or is below it. */
static int run_literals(struct cedar_request *rq, uint32_t uid, bool self)
{
	const struct cindex *ix = &rq->snap->index;
	uint32_t n, first = index_literals(ix, uid, &n);
	int r = 0;

	for (uint32_t i = first; r == 0 && i < first + n; i++) {
		const struct cliteral *lit = &ix->literals.v[i];

		if ((!self && !lit->in) || rq->key_seen[lit->key] == rq->epoch)
			continue;
		rq->key_seen[lit->key] = rq->epoch;
		r = run_key(rq, lit->key);
	}
	return r;
}

static int run_action(struct cedar_request *rq)
{
	const struct cedar_snapshot *s = rq->snap;
	struct cval action = rq->var[AST_ACTION];
	struct entity_view v = { 0 };
	int r = run_key(rq, 0);

	if (r == 0 && action.n != ENTITY_UNKNOWN && s->entities.e.v[action.n].present) {
		const struct centity *e = &s->entities.e.v[action.n];

		for (uint32_t i = 0; r == 0 && i < e->n_keys; i++)
			r = run_key(rq, s->index.action_keys.v[e->keys + i]);
		return r;
	}
	/* Not of the store: the request may have told of what it is below. */
	if (r == 0 && action.n != ENTITY_UNKNOWN)
		r = run_literals(rq, action.n, true);
	request_view(rq, action, &v);
	for (uint32_t i = 0; r == 0 && i < v.n_ancestors; i++)
		r = run_literals(rq, v.ancestors[i], false);
	return r;
}

static void mark(struct cedar_request *rq, struct cval self, uint32_t *under)
{
	struct entity_view v = { 0 };

	if (self.n != ENTITY_UNKNOWN)
		under[self.n] = rq->epoch;
	request_view(rq, self, &v);
	for (uint32_t i = 0; i < v.n_ancestors; i++)
		under[v.ancestors[i]] = rq->epoch;
}

static void next_epoch(struct cedar_request *rq)
{
	if (++rq->epoch == 0) {
		memset(rq->under_principal, 0, rq->snap->entities.e.n * sizeof(uint32_t));
		memset(rq->under_resource, 0, rq->snap->entities.e.n * sizeof(uint32_t));
		memset(rq->key_seen, 0, rq->snap->index.keys.n * sizeof(uint32_t));
		rq->epoch = 1;
	}
}

static enum cedar_decision decide(const struct cedar_request *rq)
{
	uint32_t depending_permits = rq->depending.n - rq->depending_forbids;

	if (rq->forbids.n)
		return CEDAR_DENY;
	if (rq->permits.n && rq->depending_forbids == 0)
		return CEDAR_ALLOW;
	return rq->permits.n || depending_permits ? CEDAR_DEPENDS : CEDAR_DENY;
}

int cedar_authorize(struct cedar_request *rq, struct cedar_answer *ret)
{
	static const struct crecord empty = { 0 };
	int r;

	if (!rq->snap)
		return -EINVAL;
	for (unsigned i = 0; i < 3; i++) {
		if (rq->var[i].tag != V_ENTITY)
			return -EINVAL;
	}
	if (rq->context.tag == V_NONE)
		rq->context = (struct cval){ .tag = V_RECORD, .record = &empty };
	rq->permits.n = rq->forbids.n = rq->depending.n = rq->failures.n = 0;
	rq->depending_forbids = 0;
	next_epoch(rq);
	mark(rq, rq->var[AST_PRINCIPAL], rq->under_principal);
	mark(rq, rq->var[AST_RESOURCE], rq->under_resource);
	r = run_action(rq);
	if (r < 0)
		return r;
	*ret = (struct cedar_answer){
		.decision = decide(rq),
		.reasons = rq->forbids.n ? rq->forbids.v : rq->permits.v,
		.n_reasons = rq->forbids.n ? rq->forbids.n : rq->permits.n,
		.failures = rq->failures.v,
		.n_failures = rq->failures.n,
		.depending = rq->depending.v,
		.n_depending = rq->depending.n,
	};
	for (uint32_t i = 0; i < rq->failures.n; i++)
		ret->forbid_failed |=
			rq->snap->policies.v[rq->failures.v[i].policy].effect == CEDAR_FORBID;
	return 0;
}
