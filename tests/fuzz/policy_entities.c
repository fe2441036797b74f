// SPDX-License-Identifier: Apache-2.0
/*
 * Entities in JSON. What loads must make a snapshot or a reason, and then every entity must be at
 * peace with itself: in itself, not above itself, below whom its parents are below.
 */
#include <stdlib.h>

#include "policy/entity.h"
#include "policy/request.h"

#define ASKED_MAX 64 /* entities of a store that are asked about each other */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct cval number(uint32_t n)
{
	return (struct cval){ .tag = V_ENTITY, .n = n };
}

static void check(struct cedar_request *rq, const struct cedar_snapshot *s)
{
	uint32_t n = s->entities.e.n < ASKED_MAX ? s->entities.e.n : ASKED_MAX;

	for (uint32_t a = 0; a < n; a++) {
		const struct centity *e = &s->entities.e.v[a];

		if (!request_is_in(rq, number(a), number(a)))
			abort();
		for (uint32_t i = 0; i < e->n_ancestors; i++) {
			uint32_t above = e->ancestors[i];

			if (above == a || (i && e->ancestors[i - 1] >= above) ||
			    !request_is_in(rq, number(a), number(above)) ||
			    request_is_in(rq, number(above), number(a)))
				abort();
		}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(cedar_policies_free_p) struct cedar_policies *ps = NULL;
	_cleanup_(cedar_entities_free_p) struct cedar_entities *es = NULL;
	_cleanup_(cedar_snapshot_unref_p) struct cedar_snapshot *s = NULL;
	_cleanup_(cedar_request_free_p) struct cedar_request *rq = NULL;
	struct span text = { (const char *)data, size };
	struct cedar_error error;

	if (cedar_policies_new(&ps) < 0 || cedar_entities_new(&es) < 0 ||
	    cedar_request_new(0, &rq) < 0)
		return 0;
	if (cedar_entities_add_json(es, text, &error) < 0 ||
	    cedar_snapshot_new(ps, es, &error, &s) < 0) {
		if (!*error.message)
			abort();
		return 0;
	}
	if (cedar_request_begin(rq, s) == 0)
		check(rq, s);
	return 0;
}
