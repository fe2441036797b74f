// SPDX-License-Identifier: Apache-2.0
/*
 * cedar_probes FILE: edge expressions with the result that the reference gives for each. Prints those
 * that differ and "probes N, mismatches N"; status 1 when there are any. A result is "true",
 * "false", or begins with PARSE-ERR or EVAL-ERR; the words behind are the reference's own.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/cedar/load.h"

struct probing {
	const struct json *all;
	struct cedar_entities *es;
	struct cedar_request *rq;
};

/* The bytes of an array, as they stand in the text. */
static struct span raw_array(struct span text, const struct json *v)
{
	struct span s = { text.p + v->pos, 0 };
	unsigned depth = 0;
	bool quoted = false;

	do {
		char c = s.p[s.n++];

		if (quoted && c == '\\')
			s.n++;
		else if (c == '"')
			quoted = !quoted;
		else if (!quoted && c == '[')
			depth++;
		else if (!quoted && c == ']')
			depth--;
	} while (depth);
	return s;
}

static bool ask(struct probing *p, struct cedar_snapshot *s, struct cedar_answer *ret)
{
	const struct cedar_uid principal = { SPAN("U"), SPAN("a") }, resource = { SPAN("R"), SPAN("r") };

	if (cedar_request_begin(p->rq, s) < 0 ||
	    cedar_request_principal(p->rq, principal.type, principal.id) < 0 ||
	    cedar_request_action(p->rq, SPAN("Action"), SPAN("x")) < 0 ||
	    cedar_request_resource(p->rq, resource.type, resource.id) < 0)
		return false;
	json_put(cedar_request_build(p->rq), json_get(p->all, "context"));
	return cedar_request_context(p->rq) == 0 && cedar_authorize(p->rq, ret) == 0;
}

static const char *outcome(struct probing *p, const struct json *probe)
{
	_cleanup_(cedar_policies_free_p) struct cedar_policies *ps = NULL;
	_cleanup_(cedar_snapshot_unref_p) struct cedar_snapshot *s = NULL;
	_cleanup_buf_ struct buf text = { 0 };
	struct span input = json_str(json_get(probe, "input"));
	bool raw = span_is(json_str(json_get(probe, "group")), "raw policies");
	struct cedar_errors errors;
	struct cedar_error error;
	struct cedar_answer a;

	buf_append_str(&text, raw ? "" : "permit(principal,action,resource) when { ");
	buf_append(&text, input.p, input.n);
	buf_append_str(&text, raw ? "" : " };");
	if (cedar_policies_new(&ps) < 0)
		return "no memory";
	if (cedar_policies_add(ps, "probe", buf_span(&text), &errors) < 0)
		return "PARSE-ERR";
	if (cedar_snapshot_new(ps, p->es, &error, &s) < 0 || !ask(p, s, &a))
		return "not evaluated";
	return a.n_failures ? "EVAL-ERR" : a.decision == CEDAR_ALLOW ? "true" : "false";
}

int main(int argc, char **argv)
{
	_cleanup_(cedar_request_free_p) struct cedar_request *rq = NULL;
	_cleanup_(cedar_entities_free_p) struct cedar_entities *es = NULL;
	_cleanup_(arena_done) struct arena mem = { 0 };
	_cleanup_buf_ struct buf text = { 0 };
	const struct json *list, *entities;
	struct probing p = { 0 };
	unsigned mismatches = 0;
	struct cedar_error error;
	struct json all;

	if (argc != 2) {
		fprintf(stderr, "usage: cedar_probes FILE\n");
		return 2;
	}
	if (!load_json(argv[1], &mem, &text, &all) || cedar_request_new(0, &rq) < 0 ||
	    cedar_entities_new(&es) < 0)
		return 1;
	list = json_get(&all, "probes");
	entities = json_get(&all, "entities");
	if (!list || list->kind != JSON_ARRAY || list->n == 0 || !entities ||
	    cedar_entities_add_json(es, raw_array(buf_span(&text), entities), &error) < 0) {
		fprintf(stderr, "%s: no probes or no entities\n", argv[1]);
		return 1;
	}
	p = (struct probing){ &all, es, rq };
	for (uint32_t i = 0; i < list->n; i++) {
		struct span want = json_str(json_get(&list->kid[i], "result"));
		struct span input = json_str(json_get(&list->kid[i], "input"));
		const char *got = outcome(&p, &list->kid[i]);

		if (want.n >= strlen(got) && memcmp(want.p, got, strlen(got)) == 0)
			continue;
		printf("probe %.*s: want %.*s, got %s\n", (int)input.n, input.p, (int)want.n, want.p,
		       got);
		mismatches++;
	}
	printf("probes %u, mismatches %u\n", list->n, mismatches);
	return mismatches > 0;
}
