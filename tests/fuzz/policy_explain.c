// SPDX-License-Identifier: Apache-2.0
/*
 * A policy text, put to one fixed request both whole and taken apart. What holds must be the same, and what
 * does not hold must have a conjunct to blame; what failed, an error.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/explain.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char entities[] =
	"[{\"uid\":{\"type\":\"User\",\"id\":\"a\"},\"attrs\":{\"n\":3,\"s\":\"x\",\"on\":true,"
	"\"ip\":{\"__extn\":{\"fn\":\"ip\",\"arg\":\"10.0.0.1\"}},\"d\":{\"__extn\":{\"fn\":\"decimal\",\"arg\":\"-0.5\"}},"
	"\"r\":{\"__entity\":{\"type\":\"R\",\"id\":\"r\"}},\"l\":[2,1]},\"parents\":[{\"type\":\"G\",\"id\":\"g\"}]}]";

static bool tell(struct cedar_request *rq, struct cedar_snapshot *s)
{
	struct cedar_build *b;

	if (cedar_request_begin(rq, s) < 0 || cedar_request_principal(rq, SPAN("User"), SPAN("a")) < 0 ||
	    cedar_request_action(rq, SPAN("Action"), SPAN("x")) < 0 ||
	    cedar_request_resource(rq, SPAN("R"), SPAN("r")) < 0)
		return false;
	b = cedar_request_build(rq);
	cedar_open_record(b);
	cedar_key(b, SPAN("path"));
	cedar_put_string(b, SPAN("/etc"));
	cedar_key(b, SPAN("a"));
	cedar_open_record(b);
	cedar_key(b, SPAN("b"));
	cedar_put_long(b, 1);
	cedar_close(b);
	cedar_key(b, SPAN("later"));
	cedar_put_unknown(b);
	cedar_close(b);
	return cedar_request_context(rq) == 0;
}

static bool among(const uint32_t *v, size_t n, uint32_t policy)
{
	for (size_t i = 0; i < n; i++)
		if (v[i] == policy)
			return true;
	return false;
}

/* Reasons are of one effect only, so that a permit may hold beside a forbid and not be one. */
static void compare(const struct cedar_answer *a, uint32_t policy, const struct cedar_why *w)
{
	bool holds = w->standing == CEDAR_HOLDS, failed = false;

	for (size_t i = 0; i < a->n_failures; i++)
		failed |= a->failures[i].policy == policy;
	if (among(a->reasons, a->n_reasons, policy) && !holds)
		abort();
	if ((failed && w->standing != CEDAR_CONJUNCT_FAILED) || (w->standing == CEDAR_CONJUNCT_FAILED) != (*w->error != '\0'))
		abort();
	if (among(a->depending, a->n_depending, policy) != (w->standing == CEDAR_CONJUNCT_DEPENDS))
		abort();
	if ((w->standing > CEDAR_HOLDS) != (buf_len(&w->conjunct) > 0))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(cedar_policies_free_p) struct cedar_policies *ps = NULL;
	_cleanup_(cedar_entities_free_p) struct cedar_entities *es = NULL;
	_cleanup_(cedar_snapshot_unref_p) struct cedar_snapshot *s = NULL;
	_cleanup_(cedar_pieces_free_p) struct cedar_pieces *pieces = NULL;
	_cleanup_(cedar_request_free_p) struct cedar_request *whole = NULL, *apart = NULL;
	struct cedar_errors errors;
	struct cedar_error error;
	struct cedar_answer a;

	if (cedar_policies_new(&ps) < 0 || cedar_entities_new(&es) < 0 || cedar_request_new(1u << 20, &whole) < 0 ||
	    cedar_request_new(1u << 20, &apart) < 0 || cedar_entities_add_json(es, SPAN(entities), &error) < 0)
		abort();
	if (cedar_policies_add(ps, "fuzz", (struct span){ (const char *)data, size }, &errors) < 0 ||
	    cedar_snapshot_new(ps, es, &error, &s) < 0 || !tell(whole, s) || cedar_authorize(whole, &a) < 0)
		return 0;
	if (cedar_pieces_new(ps, es, &error, &pieces) < 0 || !tell(apart, cedar_pieces_snapshot(pieces)) ||
	    cedar_pieces_ask(pieces, apart) < 0)
		return 0; /* over a limit */
	for (uint32_t i = 0; i < cedar_policies_count(ps); i++) {
		_cleanup_why_ struct cedar_why w = { 0 };

		if (cedar_pieces_why(pieces, apart, i, &w) == 0)
			compare(&a, i, &w);
	}
	return 0;
}
