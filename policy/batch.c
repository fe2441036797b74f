// SPDX-License-Identifier: Apache-2.0
/* Many questions about one principal and context. The lists of each answer are copied into the
 * request's memory, since the next question overwrites them. */
#include <errno.h>
#include <string.h>

#include "policy/request.h"

static int keep_list(struct cedar_request *rq, const void **list, size_t n, size_t size)
{
	void *copy = n ? arena_array(&rq->mem, n, size) : NULL;

	if (n && !copy)
		return -ENOSPC;
	if (n)
		memcpy(copy, *list, n * size);
	*list = copy;
	return 0;
}

static int keep_lists(struct cedar_request *rq, struct cedar_answer *a)
{
	int r = keep_list(rq, (const void **)&a->reasons, a->n_reasons, sizeof(*a->reasons));

	if (r == 0)
		r = keep_list(rq, (const void **)&a->failures, a->n_failures, sizeof(*a->failures));
	if (r == 0)
		r = keep_list(rq, (const void **)&a->depending, a->n_depending,
			      sizeof(*a->depending));
	return r;
}

static int put_item(struct cedar_request *rq, const struct cedar_item *item)
{
	int r = cedar_request_action(rq, item->action.type, item->action.id);

	if (r == 0)
		r = cedar_request_resource(rq, item->resource.type, item->resource.id);
	if (r == 0 && item->n_action_parents)
		r = cedar_request_entity(rq, item->action, false, item->action_parents,
					 item->n_action_parents);
	if (r == 0 && item->n_resource_parents)
		r = cedar_request_entity(rq, item->resource, false, item->resource_parents,
					 item->n_resource_parents);
	return r;
}

/* Whether the question tells what the principal is below, which is kept otherwise. */
static bool tells_principal(const struct cedar_request *rq, uint32_t told)
{
	for (; told < rq->n_told; told++) {
		if (cval_equal(rq->told[told].uid, rq->var[AST_PRINCIPAL]))
			return true;
	}
	return false;
}

int cedar_authorize_each(struct cedar_request *rq, const struct cedar_item *items, size_t n,
			 struct cedar_answer *ret)
{
	uint32_t told = rq->n_told;
	bool all = true;
	int r = 0;

	for (size_t i = 0; r == 0 && i < n; i++) {
		bool own;

		rq->n_told = told;
		r = put_item(rq, &items[i]);
		own = tells_principal(rq, told);
		if (r == 0)
			r = request_answer(rq, false, all || own, &ret[i]);
		if (r == 0)
			r = keep_lists(rq, &ret[i]);
		/* What was found out by an entity that only this question knows is forgotten. */
		all = rq->shaky || own;
		rq->shaky = false;
	}
	rq->n_told = told;
	return r;
}
