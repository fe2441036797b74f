// SPDX-License-Identifier: Apache-2.0
/*
 * Three parts separated by zero bytes: policies, entities in JSON, a context in JSON. All that
 * loads is asked in every way the engine has; the answers must be the same, and every failure must
 * have words.
 */
#include <stdlib.h>

#include "policy/cedar.h"
#include "policy/json.h"
#include "policy/request.h"

#define LIMIT (1u << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct span take(struct span *rest)
{
	const char *nul = rest->n ? memchr(rest->p, '\0', rest->n) : NULL;
	struct span part = { rest->p, nul ? (size_t)(nul - rest->p) : rest->n };

	*rest = nul ? (struct span){ nul + 1, rest->n - part.n - 1 } : (struct span){ NULL, 0 };
	return part;
}

static int ask(struct cedar_request *rq, struct cedar_snapshot *s, const struct json *context,
	       struct cedar_answer *ret)
{
	struct cedar_error why;
	int r;

	if (cedar_request_begin(rq, s) < 0 ||
	    cedar_request_principal(rq, SPAN("U"), SPAN("a")) < 0 ||
	    cedar_request_action(rq, SPAN("Action"), SPAN("x")) < 0 ||
	    cedar_request_resource(rq, SPAN("R"), SPAN("r")) < 0)
		return -1;
	json_put(cedar_request_build(rq), context);
	if (cedar_request_context(rq) < 0)
		return -1;
	r = cedar_authorize(rq, ret);
	for (size_t i = 0; r == 0 && i < ret->n_failures; i++) {
		if (cedar_explain(rq, &ret->failures[i], &why) < 0 || !*why.message ||
		    why.line == 0)
			abort();
	}
	return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span rest = { (const char *)data, size }, policies = take(&rest),
		    entities = take(&rest);
	_cleanup_(cedar_policies_free_p) struct cedar_policies *ps = NULL;
	_cleanup_(cedar_entities_free_p) struct cedar_entities *es = NULL;
	_cleanup_(cedar_snapshot_unref_p) struct cedar_snapshot *s = NULL;
	_cleanup_(cedar_request_free_p) struct cedar_request *rq = NULL;
	_cleanup_(arena_done) struct arena mem = { 0 };
	struct cedar_answer a, b;
	size_t reasons, failures;
	enum cedar_decision decision;
	struct cedar_errors errors;
	struct cedar_error error;
	struct json context;

	if (cedar_policies_new(&ps) < 0 || cedar_entities_new(&es) < 0 ||
	    cedar_request_new(LIMIT, &rq) < 0 ||
	    cedar_policies_add(ps, "fuzz", policies, &errors) < 0 ||
	    (entities.n && cedar_entities_add_json(es, entities, &error) < 0) ||
	    cedar_snapshot_new(ps, es, &error, &s) < 0)
		return 0;
	if (rest.n == 0)
		rest = SPAN("{}");
	if (json_parse(&mem, rest, &error, &context) < 0 || ask(rq, s, &context, &a) < 0)
		return 0;
	decision = a.decision;
	reasons = a.n_reasons;
	failures = a.n_failures;
	for (unsigned flags = 0; flags <= DECIDE_FORGET; flags++) {
		rq->flags = flags;
		if (ask(rq, s, &context, &b) < 0)
			return 0; /* over its memory: this way needs more */
		if (b.decision != decision || b.n_reasons != reasons || b.n_failures != failures)
			abort();
	}
	if (cedar_decide(rq, &b) < 0 || b.decision != decision)
		abort();
	return 0;
}
