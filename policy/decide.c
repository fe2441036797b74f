// SPDX-License-Identifier: Apache-2.0
/*
 * Programs against a request: the walk over tests and switches that a decision consists of. No lock,
 * no system call; memory only from the request's arena, which keeps what it once had. Calls itself
 * for a switch's children, as deep as the compiler let switches nest.
 */
#include <errno.h>

#include "policy/ext_call.h"
#include "policy/matcher.h"
#include "policy/request.h"

/* --- paths ------------------------------------------------------------------------------------ */

/* eval_attr() without words for the failure, and straight for what the store has. */
static enum outcome find_attr(struct cedar_request *rq, struct cval of, uint32_t sym,
			      struct cval *ret)
{
	const struct crecord *rec = of.tag == V_RECORD ? of.record : NULL;
	const struct cval *v;

	if (of.tag == V_ENTITY) {
		struct entity_view view = { 0 };

		request_view(rq, of, &view);
		rec = view.attrs;
	}
	v = rec ? crecord_get(rec, sym) : NULL;
	if (!v)
		return OUT_ERROR;
	*ret = *v;
	return v->tag == V_UNKNOWN ? OUT_UNKNOWN : OUT_TRUE;
}

static void find_path(struct cedar_request *rq, uint32_t path, struct path_value *ret)
{
	const struct cpath *p = &rq->snap->paths.v[path];
	const struct path_value *of;
	uint32_t outside = rq->outside;

	ret->epoch = rq->epoch;
	ret->hashed = ret->matched = ret->spread = false;
	ret->out = OUT_TRUE;
	if (p->of == PATH_NONE) {
		ret->v = p->var == AST_CONTEXT ? rq->context : rq->var[p->var];
	} else if (p->of <= AST_CONTEXT) {
		ret->out = (uint8_t)find_attr(rq, p->of == AST_CONTEXT ? rq->context : rq->var[p->of],
					      p->sym, &ret->v);
	} else {
		of = &rq->path[p->of];
		ret->out = of->out;
		if (of->out == OUT_TRUE)
			ret->out = (uint8_t)find_attr(rq, of->v, p->sym, &ret->v);
	}
	rq->shaky |= rq->outside != outside && (p->var == AST_PRINCIPAL || p->var == AST_CONTEXT);
}

/* From the nearest part that is known on. Kept out of the walk, which has no arrays. */
static __attribute__((noinline)) void load_path(struct cedar_request *rq, uint32_t path)
{
	uint32_t up[PATH_LENGTH_MAX + 1], n = 0;

	do {
		up[n++] = path;
		path = rq->snap->paths.v[path].of;
	} while (path != PATH_NONE && path > AST_CONTEXT && rq->path[path].epoch != rq->epoch);
	while (n-- > 0)
		find_path(rq, up[n], &rq->path[up[n]]);
}

static inline struct path_value *path_of(struct cedar_request *rq, uint32_t path)
{
	struct path_value *p = &rq->path[path];

	if (p->epoch != rq->epoch)
		load_path(rq, path);
	return p;
}

static uint32_t path_hash(struct cedar_request *rq, struct path_value *p)
{
	if (!p->hashed) {
		p->hash = (uint32_t)cval_hash(rq->snap->seed, p->v);
		p->hashed = true;
	}
	return p->hash;
}

/* --- tests ------------------------------------------------------------------------------------ */

static enum outcome of_bool(const struct cnode *n, bool v)
{
	return v != n->negated ? OUT_TRUE : OUT_FALSE;
}

static __attribute__((noinline)) enum outcome of_code(struct cedar_request *rq, uint32_t conjunct)
{
	const struct cconjunct *c = &rq->snap->conjuncts.v[conjunct];
	uint32_t epoch = c->varies ? rq->epoch : rq->since[AST_CONTEXT];
	uint32_t *memo = &rq->memo[conjunct], outside = rq->outside;
	enum outcome out;

	if (*memo >> 2 == epoch && !(rq->flags & DECIDE_FORGET))
		return (enum outcome)(*memo & 3);
	out = eval_conjunct(rq, c->pc);
	if (out != OUT_NO_MEMORY)
		*memo = epoch << 2 | out;
	rq->shaky |= rq->outside != outside && !c->varies;
	return out;
}

static enum outcome of_set(const struct cnode *n, struct cval v, struct cval constant)
{
	if (n->kind == TEST_MEMBER)
		return of_bool(n, cset_contains(constant.set, v));
	if (v.tag != V_SET)
		return OUT_ERROR;
	return of_bool(n, n->kind == TEST_CONTAINS_ANY ? cset_contains_any(v.set, constant.set)
						       : cset_contains_all(v.set, constant.set));
}

static enum outcome of_has(struct cedar_request *rq, const struct cnode *n, struct cval v)
{
	const struct crecord *rec = v.tag == V_RECORD ? v.record : NULL;
	struct entity_view view = { 0 };

	if (v.tag == V_ENTITY) {
		request_view(rq, v, &view);
		rec = view.attrs;
	} else if (v.tag != V_RECORD) {
		return OUT_ERROR;
	}
	return of_bool(n, rec && crecord_get(rec, n->arg));
}

/* Entity or set of entities on the right: every element is checked before any is compared. */
static enum outcome of_in_path(struct cedar_request *rq, const struct cnode *n, struct cval a,
			       struct cval b)
{
	bool found = false;

	if (a.tag != V_ENTITY)
		return OUT_ERROR;
	if (b.tag == V_ENTITY)
		return of_bool(n, request_is_in(rq, a, b));
	if (b.tag != V_SET)
		return OUT_ERROR;
	for (uint32_t i = 0; i < b.set->n; i++) {
		if (b.set->v[i].tag != V_ENTITY)
			return OUT_ERROR;
	}
	for (uint32_t i = 0; i < b.set->n && !found; i++)
		found = request_is_in(rq, a, b.set->v[i]);
	return of_bool(n, found);
}

/* in, for principal and resource, which are always entities. */
static inline enum outcome of_under(struct cedar_request *rq, const struct cnode *n)
{
	enum ast_var var = (enum ast_var)n->path;

	return of_bool(n, n->tag ? rq->var[var].n == n->arg : request_under(rq, var, n->arg));
}

static enum outcome of_in(struct cedar_request *rq, const struct cnode *n, struct cval v)
{
	if (v.tag != V_ENTITY)
		return OUT_ERROR;
	return of_bool(n, request_is_in(rq, v, (struct cval){ .tag = V_ENTITY, .n = n->arg }));
}

static enum outcome of_two(struct cedar_request *rq, const struct cnode *n, struct cval v)
{
	const struct path_value *other = path_of(rq, n->arg);

	if (n->kind == TEST_IN_PATH && v.tag != V_ENTITY)
		return OUT_ERROR;
	if (other->out != OUT_TRUE)
		return (enum outcome)other->out;
	return n->kind == TEST_IN_PATH ? of_in_path(rq, n, v, other->v)
				       : of_bool(n, cval_equal(v, other->v));
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

/* The tests that are not worth a place in the walk itself. */
static __attribute__((noinline)) enum outcome ask_other(struct cedar_request *rq,
							const struct cnode *n, struct cval v)
{
	const struct cedar_snapshot *s = rq->snap;

	switch ((enum test_kind)n->kind) {
	case TEST_CONTAINS_ANY:
	case TEST_CONTAINS_ALL:
	case TEST_MEMBER:
		return of_set(n, v, s->consts.v[n->arg]);
	case TEST_HAS:
		return of_has(rq, n, v);
	case TEST_IS:
		return v.tag == V_ENTITY ? of_bool(n, request_type(rq, v) == n->arg) : OUT_ERROR;
	case TEST_IN:
		return of_in(rq, n, v);
	default: /* TEST_IN_PATH, TEST_EQ_PATH */
		return of_two(rq, n, v);
	}
}

static inline __attribute__((always_inline)) enum outcome ask_test(struct cedar_request *rq,
								   const struct cnode *n)
{
	const struct cedar_snapshot *s = rq->snap;
	const struct path_value *p;

	if (n->kind == TEST_IN && n->path < AST_CONTEXT && n->path != AST_ACTION)
		return of_under(rq, n);
	if (n->kind <= TEST_FALSE)
		return n->kind == TEST_CODE ? of_code(rq, n->arg) : OUT_FALSE;
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
	case TEST_CONTAINS:
		return p->v.tag == V_SET
			       ? of_bool(n, cset_contains(p->v.set, s->consts.v[n->arg]))
			       : OUT_ERROR;
	default:
		return ask_other(rq, n, p->v);
	}
}

/* --- lists ------------------------------------------------------------------------------------ */

static void failed(struct cedar_request *rq, uint32_t policy)
{
	rq->forbid_failed |= rq->snap->policies.v[policy].effect == CEDAR_FORBID;
	rq->failures[rq->n_failures++].policy = policy;
}

static void satisfied(struct cedar_request *rq, uint32_t policy, enum cedar_effect effect)
{
	if (effect == CEDAR_FORBID)
		rq->forbids[rq->n_forbids++] = policy;
	else
		rq->permits[rq->n_permits++] = policy;
}

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
				failed(rq, policy);
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
		satisfied(rq, policy, (enum cedar_effect)p->effect);
	}
	return 0;
}

/* What a node that is neither true nor false means for all policies below it. */
static __attribute__((noinline, cold)) int leave(struct cedar_request *rq, const struct cnode *n, enum outcome out)
{
	const struct cindex *ix = &rq->snap->index;
	uint32_t end = ix->nodes.v[n->skip].leaf;
	int r = 0;

	if (out == OUT_NO_MEMORY)
		return -ENOSPC;
	for (uint32_t i = n->leaf; r == 0 && i < end; i++) {
		if (out == OUT_ERROR)
			failed(rq, ix->leaves.v[i]);
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
		satisfied(rq, leaf[i], effect);
	return rq->first_only;
}

/* --- switches --------------------------------------------------------------------------------- */

static const struct cslot *find_slot(const struct cindex *ix, const struct cswitch *sw, uint32_t key)
{
	const struct cslot *slots = ix->slots.v + sw->slot;

	for (uint32_t i = switch_hash(key) & sw->mask; slots[i].end; i = (i + 1) & sw->mask) {
		if (slots[i].key == key)
			return &slots[i];
	}
	return NULL;
}

/* As find_slot(), for keys that are hashes: the constant decides. */
static const struct cslot *find_value(const struct cedar_snapshot *s, const struct cswitch *sw,
				      uint32_t hash, struct cval v)
{
	const struct cslot *slots = s->index.slots.v + sw->slot;

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
			satisfied(rq, leaves[leaf], effect);
		else if (out == OUT_ERROR)
			failed(rq, leaves[leaf]);
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

static int switch_lt(struct cedar_request *rq, const struct cnode *n, const struct cswitch *sw,
		     int64_t v, enum cedar_effect effect)
{
	const int64_t *number = rq->snap->index.numbers.v + sw->number;
	const struct cslot *slot = rq->snap->index.slots.v + sw->slot;
	struct tail t = { .sw = sw };
	uint32_t lo = 0, hi = sw->n;

	while (lo < hi) { /* the first bound above v */
		uint32_t mid = lo + (hi - lo) / 2;

		if (number[mid] <= v)
			lo = mid + 1;
		else
			hi = mid;
	}
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

static __attribute__((noinline)) int take_switch(struct cedar_request *rq, const struct cnode *n, enum cedar_effect effect)
{
	const struct cswitch *sw = &rq->snap->index.switches.v[n->sw];
	struct path_value *p = path_of(rq, n->path);

	if (p->out != OUT_TRUE)
		return leave(rq, n, (enum outcome)p->out);
	switch ((enum test_kind)n->kind) {
	case NODE_SWITCH_EQ:
		return run_slot(rq, find_value(rq->snap, sw, path_hash(rq, p), p->v), effect);
	case NODE_SWITCH_LT:
		return p->v.tag == n->tag ? switch_lt(rq, n, sw, p->v.i, effect)
					  : leave(rq, n, OUT_ERROR);
	case NODE_SWITCH_LIKE:
		return p->v.tag == V_STRING ? switch_like(rq, n, sw, p, effect)
					    : leave(rq, n, OUT_ERROR);
	case NODE_SWITCH_CONTAINS:
		return p->v.tag == V_SET ? switch_contains(rq, sw, p, effect)
					 : leave(rq, n, OUT_ERROR);
	default: /* NODE_SWITCH_IN */
		return switch_in(rq, n, sw, effect);
	}
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
			r = take_switch(rq, n, effect);
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
			r = leave(rq, n, out);
	}
	return r;
}
