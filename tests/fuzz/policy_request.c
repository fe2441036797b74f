// SPDX-License-Identifier: Apache-2.0
/*
 * A request in JSON, {principal, action, resource, context}, as cedar-wasm takes it, put to a fixed
 * policy set that has every kind of test and switch. All ways to the answer must agree.
 */
#include <stdio.h>
#include <stdlib.h>

#include "policy/json.h"
#include "policy/request.h"
#include "user/base/buf.h"

#define LIMIT (1u << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char entities[] =
	"[{\"uid\":{\"type\":\"U\",\"id\":\"a\"},\"attrs\":{\"n\":3,\"s\":\"x\",\"l\":[{\"__entity\":{\"type\":\"R\","
	"\"id\":\"r\"}}]},\"parents\":[{\"type\":\"G\",\"id\":\"g\"}],\"tags\":{\"t\":1}},"
	"{\"uid\":{\"type\":\"R\",\"id\":\"r\"},\"attrs\":{\"owner\":{\"__entity\":{\"type\":\"U\",\"id\":\"a\"}}},"
	"\"parents\":[{\"type\":\"G\",\"id\":\"g\"}]}]";

static const char policies[] =
	"permit(principal, action, resource) when { resource.owner == principal };"
	"permit(principal == U::\"a\", action == Action::\"x\", resource in G::\"g\");"
	"permit(principal in G::\"g\", action in [Action::\"x\", Action::\"y\"], resource is R in G::\"g\");"
	"forbid(principal, action, resource) when { context has rec.b && context.rec.b == {c: 1} };"
	"forbid(principal, action, resource) when { resource in principal.l && context.flag };"
	"permit(principal, action, resource) when { context.set.containsAll([\"k1\", \"k2\"]) || context.n * 3 > 7 };"
	"permit(principal, action, resource) when { [1, \"k1\", U::\"a\"].contains(context.any) };"
	"permit(principal, action, resource) when { context.ip.isInRange(ip(\"10.0.0.0/8\")) };"
	"permit(principal, action, resource) when { context.at > datetime(\"2026-01-01\") && principal.getTag(context.s) == 1 };"
	"permit(principal, action, resource) when { context.set.containsAny([context.s]) };";

static struct cedar_snapshot *make(void)
{
	_cleanup_(cedar_policies_free_p) struct cedar_policies *ps = NULL;
	_cleanup_(cedar_entities_free_p) struct cedar_entities *es = NULL;
	_cleanup_buf_ struct buf text = { 0 };
	struct cedar_snapshot *s = NULL;
	struct cedar_errors errors;
	struct cedar_error error;

	buf_append_str(&text, policies);
	for (unsigned i = 0; i < 12; i++)
		buf_printf(&text, "forbid(principal, action, resource) when { context.s == \"k%u\" && principal.n > %u };"
				  "permit(principal, action, resource) when { context.n < %u };"
				  "permit(principal, action, resource) unless { context.n >= %u };"
				  "permit(principal, action, resource) when { context.s like \"*k%u*\" };"
				  "permit(principal, action, resource) when { context.s like \"a%u*\" && context.opt == %u };"
				  "forbid(principal, action, resource) when { context.set.contains(\"k%u\") };"
				  "permit(principal in G::\"g%u\", action, resource);", i, i, i, i, i, i, i, i, i);
	if (cedar_policies_new(&ps) < 0 || cedar_entities_new(&es) < 0 ||
	    cedar_policies_add(ps, "fuzz", buf_span(&text), &errors) < 0 ||
	    cedar_entities_add_json(es, SPAN(entities), &error) < 0 ||
	    cedar_snapshot_new(ps, es, &error, &s) < 0)
		abort();
	return s;
}

static bool put(struct cedar_request *rq, struct cedar_snapshot *s, const struct json *q)
{
	static int (*const set[])(struct cedar_request *, struct span, struct span) = {
		cedar_request_principal, cedar_request_action, cedar_request_resource
	};
	static const char *const keys[] = { "principal", "action", "resource" };
	const struct json *context = json_get(q, "context");
	struct cedar_uid uid;

	if (cedar_request_begin(rq, s) < 0 || !context)
		return false;
	for (unsigned i = 0; i < ARRAY_SIZE(keys); i++) {
		const struct json *v = json_get(q, keys[i]);

		if (!v || !json_uid(v, &uid) || set[i](rq, uid.type, uid.id) < 0)
			return false;
	}
	json_put(cedar_request_build(rq), context);
	return cedar_request_context(rq) == 0;
}

static uint64_t sum(const uint32_t *v, size_t n)
{
	uint64_t s = n;

	for (size_t i = 0; i < n; i++)
		s += hash_u64(7, v[i]);
	return s;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const unsigned ways[] = { DECIDE_LINEAR, DECIDE_FORGET, 0 };
	static struct cedar_request *rq;
	static struct cedar_snapshot *s;
	_cleanup_(arena_done) struct arena mem = { 0 };
	struct span text = { (const char *)data, size };
	struct cedar_answer first, a;
	struct cedar_error error;
	uint64_t reasons = 0, failures = 0;
	struct json q;

	if (!s)
		s = make();
	if (!rq && cedar_request_new(LIMIT, &rq) < 0)
		return 0;
	if (json_parse(&mem, text, &error, &q) < 0 || !put(rq, s, &q))
		return 0;
	for (unsigned i = 0; i < ARRAY_SIZE(ways); i++) {
		rq->flags = ways[i];
		if (cedar_authorize(rq, &a) < 0)
			return 0; /* over its memory */
		if (i == 0) {
			first = a;
			reasons = sum(a.reasons, a.n_reasons);
			failures = sum(&a.failures->policy, a.n_failures);
		}
		if (a.decision != first.decision || sum(a.reasons, a.n_reasons) != reasons ||
		    sum(&a.failures->policy, a.n_failures) != failures)
			abort();
	}
	for (size_t i = 0; i < a.n_failures; i++) {
		if (cedar_explain(rq, &a.failures[i], &error) < 0 || !*error.message)
			abort();
	}
	if (cedar_decide(rq, &a) < 0 || a.decision != first.decision)
		abort();
	return 0;
}
