// SPDX-License-Identifier: Apache-2.0
/*
 * Programs against a request: the walk over tests and switches that a decision consists of. No lock,
 * no system call; memory only from the request's arena, which keeps what it once had. Calls itself
 * for a switch's children, as deep as the compiler let switches nest.
 */
#include "policy/decide.h"

#include <errno.h>

/*
 * All conjuncts of a policy, left to right. Behind one that depends on an unknown the others are
 * still looked at: one that is false, or that would stop a permit by an error, decides after all.
 */
int decide_policy(struct cedar_request *rq, uint32_t policy)
{
	const struct cedar_snapshot *s = rq->snap;
	const struct cpolicy *p = &s->policies.v[policy];
	bool unknown = false;

	for (uint32_t i = 0; i < p->n_parts; i++) {
		switch (eval_conjunct(rq, s->conjuncts.v[s->parts.v[p->part + i].conjunct].pc)) {
		case OUT_TRUE:
			break;
		case OUT_FALSE:
			return 0;
		case OUT_UNKNOWN:
			unknown = true;
			break;
		case OUT_ERROR:
			if (!unknown) {
				decide_failed(rq, policy);
				return 0;
			}
			if (p->effect == CEDAR_PERMIT)
				return 0;
			break;
		case OUT_NO_MEMORY:
			return -ENOSPC;
		}
	}
	if (unknown) {
		rq->depending_forbids += p->effect == CEDAR_FORBID;
		rq->depending[rq->n_depending++] = policy;
	} else {
		decide_satisfied(rq, policy, (enum cedar_effect)p->effect);
	}
	return 0;
}

int decide_leave(struct cedar_request *rq, const struct cnode *n, enum outcome out)
{
	const struct cindex *ix = &rq->snap->index;
	uint32_t end = ix->nodes.v[n->skip].leaf;
	int r = 0;

	if (out == OUT_NO_MEMORY)
		return -ENOSPC;
	for (uint32_t i = n->leaf; r == 0 && i < end; i++) {
		if (out == OUT_ERROR)
			decide_failed(rq, ix->leaves.v[i]);
		else
			r = decide_policy(rq, ix->leaves.v[i]);
	}
	return r;
}

/* 1: nobody wants more. */
static int emit(struct cedar_request *rq, const struct cnode *n, enum cedar_effect effect)
{
	const uint32_t *leaf = rq->snap->index.leaves.v + n->leaf;

	for (uint32_t i = 0; i < n->arg; i++)
		decide_satisfied(rq, leaf[i], effect);
	return rq->first_only;
}

int decide_nodes(struct cedar_request *rq, uint32_t at, uint32_t end, enum cedar_effect effect)
{
	const struct cnode *nodes = rq->snap->index.nodes.v;
	uint32_t *list = effect == CEDAR_FORBID ? rq->forbids : rq->permits;
	uint32_t *count = effect == CEDAR_FORBID ? &rq->n_forbids : &rq->n_permits;
	int r = 0;

	while (r == 0 && at < end) {
		const struct cnode *n = &nodes[at];
		enum outcome out;

		if (n->kind == NODE_EMIT) {
			r = emit(rq, n, effect);
			at++;
			continue;
		}
		if (n->kind > NODE_EMIT) {
			r = n->kind == NODE_PAIRS ? decide_pairs(rq, n, effect)
						  : decide_switch(rq, n, effect);
			at = n->skip;
			continue;
		}
		out = ask_test(rq, n);
		if (n->last && out <= OUT_TRUE && !rq->first_only) {
			/* Half of these hold, as no branch predictor guesses: put down first, kept
			 * or not by the count. */
			list[*count] = rq->snap->index.leaves.v[n->leaf];
			*count += out;
			at += 2;
			continue;
		}
		at = out == OUT_TRUE ? at + 1 : n->skip;
		if (out > OUT_TRUE)
			r = decide_leave(rq, n, out);
	}
	return r;
}
