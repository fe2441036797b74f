// SPDX-License-Identifier: Apache-2.0
/* What tests ask: the values that paths lead to, each found once in a request, and the questions
 * that are too long to be inline. */
#include "policy/decide.h"

/* --- paths ------------------------------------------------------------------------------------ */

/* An attribute of an entity that is told, or nowhere. What is kept for the next question may be other
 * there. */
static __attribute__((noinline)) const struct crecord *told_attrs(struct cedar_request *rq,
								   struct cval entity, enum ast_var var)
{
	struct entity_view view = { 0 };

	request_view(rq, entity, &view);
	rq->shaky |= var == AST_PRINCIPAL || var == AST_CONTEXT;
	return view.attrs;
}

/* The machine's access to an attribute, without words for the failure. */
static inline enum outcome find_attr(struct cedar_request *rq, const struct cval *of,
				     const struct cpath *p, struct cval *ret)
{
	const struct crecord *rec = of->tag == V_RECORD ? of->record : NULL;
	const struct cval *v;

	if (of->tag == V_ENTITY) {
		const struct centity *e =
			of->n != ENTITY_UNKNOWN ? &rq->snap->entities.e.v[of->n] : NULL;

		rec = e && e->present ? e->attrs : told_attrs(rq, *of, (enum ast_var)p->var);
	}
	v = rec ? crecord_get(rec, p->sym) : NULL;
	if (!v)
		return OUT_ERROR;
	*ret = *v;
	return v->tag == V_UNKNOWN ? OUT_UNKNOWN : OUT_TRUE;
}

/* What a path of known parts leads to. */
static inline void find_path(struct cedar_request *rq, const struct cpath *p, struct path_value *ret)
{
	const struct path_value *of;

	ret->epoch = rq->epoch;
	ret->hashed = ret->matched = ret->spread = false;
	ret->out = OUT_TRUE;
	if (p->of == PATH_NONE) {
		ret->v = p->var == AST_CONTEXT ? rq->context : rq->var[p->var];
	} else if (p->of <= AST_CONTEXT) {
		ret->out = (uint8_t)find_attr(
			rq, p->of == AST_CONTEXT ? &rq->context : &rq->var[p->of], p, &ret->v);
	} else {
		of = &rq->path[p->of];
		ret->out = of->out;
		if (of->out == OUT_TRUE)
			ret->out = (uint8_t)find_attr(rq, &of->v, p, &ret->v);
	}
}

/* From the nearest part that is known on. */
static __attribute__((noinline)) void load_parts(struct cedar_request *rq, uint32_t path)
{
	const struct cpath *paths = rq->snap->paths.v;
	uint32_t up[PATH_LENGTH_MAX + 1], n = 0;

	do {
		up[n++] = path;
		path = paths[path].of;
	} while (path != PATH_NONE && path > AST_CONTEXT && rq->path[path].epoch != rq->epoch);
	while (n-- > 0)
		find_path(rq, &paths[up[n]], &rq->path[up[n]]);
}

void decide_load_path(struct cedar_request *rq, uint32_t path)
{
	const struct cpath *p = &rq->snap->paths.v[path];

	if (p->of == PATH_NONE || p->of <= AST_CONTEXT || rq->path[p->of].epoch == rq->epoch)
		find_path(rq, p, &rq->path[path]);
	else
		load_parts(rq, path);
}

/* --- tests ------------------------------------------------------------------------------------ */

enum outcome decide_code(struct cedar_request *rq, uint32_t conjunct)
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

enum outcome decide_any(struct cedar_request *rq, const struct cnode *n)
{
	const struct cnode *a = rq->snap->alternatives.v + n->arg;
	enum outcome out = OUT_FALSE;

	for (int64_t i = 0; out == OUT_FALSE && i < n->num; i++)
		out = ask_test(rq, &a[i]);
	return out <= OUT_TRUE ? of_bool(n, out == OUT_TRUE) : out;
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

static enum outcome of_in(struct cedar_request *rq, const struct cnode *n, struct cval v)
{
	if (v.tag != V_ENTITY)
		return OUT_ERROR;
	return of_bool(n, request_is_in(rq, v, (struct cval){ .tag = V_ENTITY, .n = n->arg }));
}

static enum outcome of_two(struct cedar_request *rq, const struct cnode *n, struct cval v)
{
	const struct path_value *other = path_of(rq, n->arg);

	if (other->out != OUT_TRUE)
		return (enum outcome)other->out;
	if (n->kind == TEST_IN_PATH)
		return of_in_path(rq, n, v, other->v);
	if (n->kind == TEST_EQ_PATH)
		return of_bool(n, cval_equal(v, other->v));
	return v.tag == V_SET ? of_bool(n, cset_contains(v.set, other->v)) : OUT_ERROR;
}

enum outcome decide_other(struct cedar_request *rq, const struct cnode *n, struct cval v)
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
	default: /* TEST_IN_PATH, TEST_EQ_PATH, TEST_CONTAINS_PATH */
		return of_two(rq, n, v);
	}
}
