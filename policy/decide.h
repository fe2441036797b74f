/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_POLICY_DECIDE_H
#define TOLLGATE_POLICY_DECIDE_H

#include "policy/ext.h"
#include "policy/request.h"

/* Inside of a decision: what the walk and its switches share. Inline is what runs for most nodes. */

/* decide_test.c: finds what a path leads to; asks a conjunct that is code; asks the tests that are
 * not worth a place in the walk itself. */
void decide_load_path(struct cedar_request *rq, uint32_t path);
enum outcome decide_code(struct cedar_request *rq, uint32_t conjunct);
enum outcome decide_any(struct cedar_request *rq, const struct cnode *n);
enum outcome decide_other(struct cedar_request *rq, const struct cnode *n, struct cval v);

/* decide.c: what a node that is neither true nor false means for all policies below it. */
int decide_leave(struct cedar_request *rq, const struct cnode *n, enum outcome out);

/* decide_switch.c: runs those children of a switch whose tests hold. As decide_nodes(). */
int decide_switch(struct cedar_request *rq, const struct cnode *n, enum cedar_effect effect);
int decide_pairs(struct cedar_request *rq, const struct cnode *n, enum cedar_effect effect);

static inline void decide_failed(struct cedar_request *rq, uint32_t policy)
{
	rq->forbid_failed |= rq->snap->policies.v[policy].effect == CEDAR_FORBID;
	rq->failures[rq->n_failures++].policy = policy;
}

static inline void decide_satisfied(struct cedar_request *rq, uint32_t policy, enum cedar_effect effect)
{
	if (effect == CEDAR_FORBID)
		rq->forbids[rq->n_forbids++] = policy;
	else
		rq->permits[rq->n_permits++] = policy;
}

static inline struct path_value *path_of(struct cedar_request *rq, uint32_t path)
{
	struct path_value *p = &rq->path[path];

	if (p->epoch != rq->epoch)
		decide_load_path(rq, path);
	return p;
}

/* --- tests ------------------------------------------------------------------------------------ */

static inline enum outcome of_bool(const struct cnode *n, bool v)
{
	return v != n->negated ? OUT_TRUE : OUT_FALSE;
}

/* in, for principal and resource, which are always entities. */
static inline enum outcome of_under(struct cedar_request *rq, const struct cnode *n)
{
	enum ast_var var = (enum ast_var)n->path;

	return of_bool(n, n->tag ? rq->var[var].n == n->arg : request_under(rq, var, n->arg));
}

/* An IPv4 range is in the node itself. */
static inline enum outcome of_address(const struct cnode *n, struct cval v, struct cval range)
{
	unsigned prefix = n->num & 0xff;

	if (v.tag != V_IP)
		return OUT_ERROR;
	if (!n->tag || v.ip->v6)
		return of_bool(n, ext_ip_in_range(v.ip, range.ip));
	return of_bool(n, v.ip->prefix >= prefix &&
				  (uint64_t)(ext_ip_v4(v.ip) ^ (uint32_t)(n->num >> 8)) >>
						  (32 - prefix) == 0);
}

static inline __attribute__((always_inline)) enum outcome ask_test(struct cedar_request *rq,
								   const struct cnode *n)
{
	const struct cedar_snapshot *s = rq->snap;
	const struct path_value *p;

	if (n->kind == TEST_IN && n->path < AST_CONTEXT && n->path != AST_ACTION)
		return of_under(rq, n);
	if (n->kind <= TEST_FALSE)
		return n->kind == TEST_CODE  ? decide_code(rq, n->arg)
		       : n->kind == TEST_ANY ? decide_any(rq, n)
					     : OUT_FALSE;
	p = path_of(rq, n->path);
	if (p->out != OUT_TRUE)
		return (enum outcome)p->out;
	switch ((enum test_kind)n->kind) {
	case TEST_BOOL:
		return p->v.tag == V_BOOL ? of_bool(n, p->v.i) : OUT_ERROR;
	case TEST_EQ:
		return of_bool(n, cval_equal(p->v, s->consts.v[n->arg]));
	case TEST_LT:
		return p->v.tag == n->tag ? of_bool(n, p->v.i < n->num) : OUT_ERROR;
	case TEST_LIKE:
		return p->v.tag == V_STRING
			       ? of_bool(n, pattern_match(&s->patterns.v[n->arg], cval_span(p->v)))
			       : OUT_ERROR;
	case TEST_IN_RANGE:
		return of_address(n, p->v, s->consts.v[n->arg]);
	case TEST_IS:
		if (p->v.tag == V_ENTITY && p->v.n != ENTITY_UNKNOWN)
			return of_bool(n, s->entities.hot[p->v.n].type == n->arg);
		return decide_other(rq, n, p->v);
	case TEST_CONTAINS:
		return p->v.tag == V_SET
			       ? of_bool(n, cset_contains(p->v.set, s->consts.v[n->arg]))
			       : OUT_ERROR;
	default:
		return decide_other(rq, n, p->v);
	}
}

#endif
