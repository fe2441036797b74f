// SPDX-License-Identifier: Apache-2.0
/*
 * Requests: the memory of one thread in which questions are put, one after the other. Nothing here
 * outlives cedar_request_begin() but the memory itself.
 */
#include "policy/request.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int cedar_request_new(size_t limit, struct cedar_request **ret)
{
	struct cedar_request *rq = calloc(1, sizeof(*rq));

	if (!rq)
		return -ENOMEM;
	rq->mem.limit = limit ? limit : CEDAR_REQUEST_LIMIT_DEFAULT;
	rq->build.mem = &rq->mem;
	*ret = rq;
	return 0;
}

void cedar_request_free(struct cedar_request *rq)
{
	if (!rq)
		return;
	build_done(&rq->build);
	arena_done(&rq->mem);
	free(rq->under_principal);
	free(rq->under_resource);
	free(rq->key_seen);
	free(rq->stack);
	free(rq->permits.v);
	free(rq->forbids.v);
	free(rq->depending.v);
	free(rq->failures.v);
	cedar_snapshot_unref(rq->snap);
	free(rq);
}

/* Arrays as large as the snapshot wants them. */
static int bind(struct cedar_request *rq, struct cedar_snapshot *s)
{
	size_t entities = (size_t)s->entities.e.n + 1;
	uint32_t *p = calloc(entities, sizeof(*p)), *r = calloc(entities, sizeof(*r));
	uint32_t *k = calloc((size_t)s->index.keys.n + 1, sizeof(*k));
	struct cval *stack = malloc(((size_t)s->stack + 1) * sizeof(*stack));

	if (!p || !r || !k || !stack) {
		free(p);
		free(r);
		free(k);
		free(stack);
		return -ENOMEM;
	}
	free(rq->under_principal);
	free(rq->under_resource);
	free(rq->key_seen);
	free(rq->stack);
	rq->under_principal = p;
	rq->under_resource = r;
	rq->key_seen = k;
	rq->stack = stack;
	rq->epoch = 0;
	cedar_snapshot_unref(rq->snap);
	rq->snap = cedar_snapshot_ref(s);
	rq->build.snap = s;
	return 0;
}

int cedar_request_begin(struct cedar_request *rq, struct cedar_snapshot *s)
{
	int r = rq->snap == s ? 0 : bind(rq, s);

	if (r < 0)
		return r;
	arena_reset(&rq->mem);
	build_start(&rq->build);
	memset(rq->var, 0, sizeof(rq->var));
	rq->context = (struct cval){ 0 };
	rq->context_unknown = false;
	rq->n_told = 0;
	rq->permits.n = rq->forbids.n = rq->depending.n = rq->failures.n = 0;
	return 0;
}

static int set_var(struct cedar_request *rq, enum ast_var var, struct span type, struct span id)
{
	int pending = rq->build.r, r; /* of a value that is being built */
	struct cval v;

	if (!rq->snap)
		return -EINVAL;
	rq->build.r = 0;
	r = build_entity(&rq->build, type, id, &v);
	rq->build.r = pending;
	if (r < 0)
		return r;
	rq->var[var] = v;
	rq->type[var] = request_type(rq, v);
	return 0;
}

int cedar_request_principal(struct cedar_request *rq, struct span type, struct span id)
{
	return set_var(rq, AST_PRINCIPAL, type, id);
}

int cedar_request_action(struct cedar_request *rq, struct span type, struct span id)
{
	return set_var(rq, AST_ACTION, type, id);
}

int cedar_request_resource(struct cedar_request *rq, struct span type, struct span id)
{
	return set_var(rq, AST_RESOURCE, type, id);
}

struct cedar_build *cedar_request_build(struct cedar_request *rq)
{
	build_start(&rq->build);
	if (!rq->snap)
		rq->build.r = -EINVAL;
	return &rq->build;
}

int cedar_request_context(struct cedar_request *rq)
{
	struct cval v;
	int r = build_take(&rq->build, &v);

	if (r == 0 && v.tag != V_RECORD)
		r = -EINVAL;
	if (r < 0)
		return r;
	rq->context = v;
	rq->context_unknown = rq->build.unknown;
	return 0;
}

/* --- entities told with the request ----------------------------------------------------------- */

static int by_number(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

/* The parents and all that is above them, by number where they have one. */
static int told_ancestors(struct cedar_request *rq, struct cval self,
			  const struct cedar_uid *parents, size_t n, struct entity_view *ret)
{
	uint32_t total = 0, others = 0, *all, k = 0;
	struct cval *parent = arena_array(&rq->mem, n, sizeof(*parent)), *other;
	struct entity_view v;

	if (!parent)
		return -ENOSPC;
	for (size_t i = 0; i < n; i++) {
		int r = build_entity(&rq->build, parents[i].type, parents[i].id, &parent[i]);

		if (r < 0)
			return r;
		v = (struct entity_view){ 0 };
		request_view(rq, parent[i], &v);
		total += 1 + v.n_ancestors;
		others += 1 + v.n_others;
	}
	all = arena_array(&rq->mem, total, sizeof(*all));
	other = arena_array(&rq->mem, others, sizeof(*other));
	if (!all || !other)
		return -ENOSPC;
	total = others = 0;
	for (size_t i = 0; i < n; i++) {
		v = (struct entity_view){ 0 };
		request_view(rq, parent[i], &v);
		if (parent[i].n == ENTITY_UNKNOWN)
			other[others++] = parent[i];
		else
			all[total++] = parent[i].n;
		for (uint32_t j = 0; j < v.n_ancestors; j++)
			all[total++] = v.ancestors[j];
		for (uint32_t j = 0; j < v.n_others; j++)
			other[others++] = v.others[j];
	}
	heap_sort(all, total, sizeof(*all), by_number);
	for (uint32_t i = 0; i < total; i++) {
		if (self.n != ENTITY_UNKNOWN && all[i] == self.n)
			return -ELOOP;
		if (k == 0 || all[k - 1] != all[i])
			all[k++] = all[i];
	}
	for (uint32_t i = 0; i < others; i++) {
		if (cval_equal(other[i], self))
			return -ELOOP;
	}
	*ret = (struct entity_view){
		.ancestors = all, .n_ancestors = k, .others = other, .n_others = others
	};
	return 0;
}

int cedar_request_entity(struct cedar_request *rq, struct cedar_uid uid, bool attrs,
			 const struct cedar_uid *parents, size_t n_parents)
{
	struct told_entity t = { 0 };
	struct entity_view there;
	struct cval rec = { 0 };
	int r = rq->snap ? 0 : -EINVAL;

	if (r == 0 && attrs)
		r = build_take(&rq->build, &rec);
	if (r == 0 && attrs && (rec.tag != V_RECORD || rq->build.unknown))
		r = -EINVAL;
	build_start(&rq->build);
	if (r == 0 && rq->n_told == CEDAR_REQUEST_ENTITIES_MAX)
		r = -ENOSPC;
	if (r == 0 && n_parents > UINT32_MAX / 2)
		r = -EINVAL;
	if (r == 0)
		r = build_entity(&rq->build, uid.type, uid.id, &t.uid);
	if (r == 0 && request_view(rq, t.uid, &there))
		r = -EEXIST;
	if (r == 0)
		r = told_ancestors(rq, t.uid, parents, n_parents, &t.view);
	if (r < 0)
		return r;
	t.view.attrs = attrs ? rec.record : NULL;
	rq->told[rq->n_told++] = t;
	return 0;
}

/* --- what operators ask ----------------------------------------------------------------------- */

bool request_view(const struct cedar_request *rq, struct cval entity, struct entity_view *ret)
{
	if (entity.n != ENTITY_UNKNOWN && rq->snap->entities.e.v[entity.n].present) {
		const struct centity *e = &rq->snap->entities.e.v[entity.n];

		*ret = (struct entity_view){ e->attrs,       e->tags, e->ancestors,
					     e->n_ancestors, NULL,    0 };
		return true;
	}
	for (uint32_t i = 0; i < rq->n_told; i++) {
		if (cval_equal(rq->told[i].uid, entity)) {
			*ret = rq->told[i].view;
			return true;
		}
	}
	return false;
}

static bool has_number(const uint32_t *v, uint32_t n, uint32_t x)
{
	uint32_t lo = 0;

	while (lo < n) {
		uint32_t mid = lo + (n - lo) / 2;

		if (v[mid] == x)
			return true;
		if (v[mid] < x)
			lo = mid + 1;
		else
			n = mid;
	}
	return false;
}

bool request_is_in(const struct cedar_request *rq, struct cval a, struct cval b)
{
	struct entity_view v;

	if (cval_equal(a, b))
		return true;
	if (a.n != ENTITY_UNKNOWN && b.n != ENTITY_UNKNOWN) {
		if (a.n == rq->var[AST_PRINCIPAL].n)
			return rq->under_principal[b.n] == rq->epoch;
		if (a.n == rq->var[AST_RESOURCE].n)
			return rq->under_resource[b.n] == rq->epoch;
	}
	if (!request_view(rq, a, &v))
		return false;
	if (b.n != ENTITY_UNKNOWN)
		return has_number(v.ancestors, v.n_ancestors, b.n);
	for (uint32_t i = 0; i < v.n_others; i++) {
		if (cval_equal(v.others[i], b))
			return true;
	}
	return false;
}

uint32_t request_type(const struct cedar_request *rq, struct cval entity)
{
	if (entity.n != ENTITY_UNKNOWN)
		return rq->snap->entities.e.v[entity.n].type;
	return intern_find(&rq->snap->names, entity.uid->type);
}
