// SPDX-License-Identifier: Apache-2.0
/*
 * cedar_diff [--seed N] [--requests N] FOLDER: random policy sets, templates with links, schemas,
 * entities and requests put to this engine and to the reference, cedar-wasm, which runs as a child
 * process of FOLDER (where scripts/deps --cedar put it). Decision, reasons and errors must be equal,
 * what one refuses refused by the other, every way this engine has to an answer must give the same,
 * and strict validation must find errors in the same policies, and warnings. Prints the seed, what
 * differs, and
 *	seed N, cases N, requests N, links N, verdicts N (valid N), refused N, traps N, mismatches N
 * Status 1 with mismatches, 77 when the reference is not there.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "policy/cedar_text.h"
#include "policy/request.h"
#include "tests/cedar/load.h"

#define REQUESTS_DEFAULT 11000 /* of which some 500 belong to what both engines refuse */
#define REQUESTS_A_CASE 4
#define TRAPS_MAX 100

struct diff {
	const char *folder;
	unsigned seed, wanted;
	struct cedar_request *rq;
	unsigned cases, requests, links, verdicts, valid, refused, traps, mismatches;
	long next; /* case */
};

static void mismatch(struct diff *d, const struct json *c, const char *what, unsigned request)
{
	struct span policies = json_str(json_get(c, "policies")),
		    templates = json_str(json_get(c, "templates"));

	d->mismatches++;
	printf("seed %u case %lld request %u: %s\n%.*s\n%.*s\n", d->seed,
	       (long long)json_get(c, "case")->num, request, what, (int)policies.n, policies.p,
	       (int)templates.n, templates.p);
}

static bool add_links(struct diff *d, const struct json *links, struct cedar_policies *ps)
{
	for (uint32_t i = 0; i < links->n; i++) {
		const struct json *l = &links->kid[i], *p = json_get(l, "principal"),
				  *r = json_get(l, "resource");
		struct cedar_uid principal, resource;
		struct cedar_error error;

		if (p)
			principal = uid_of(p);
		if (r)
			resource = uid_of(r);
		if (cedar_policies_link(ps, json_str(json_get(l, "template")), json_str(json_get(l, "id")),
					p ? &principal : NULL, r ? &resource : NULL, &error) < 0)
			return false;
		d->links++;
	}
	return true;
}

static bool load_set(struct diff *d, const struct json *c, struct cedar_policies **ret)
{
	_cleanup_(cedar_policies_free_p) struct cedar_policies *ps = NULL;
	struct cedar_errors errors;

	if (cedar_policies_new(&ps) < 0 ||
	    cedar_policies_add(ps, "case", json_str(json_get(c, "policies")), &errors) < 0 ||
	    cedar_policies_add_templates(ps, "templates", json_str(json_get(c, "templates")), &errors) < 0 ||
	    !add_links(d, json_get(c, "links"), ps))
		return false;
	*ret = take_ptr(ps);
	return true;
}

static bool load(const struct json *c, const struct cedar_policies *ps, struct cedar_snapshot **ret)
{
	_cleanup_(cedar_entities_free_p) struct cedar_entities *es = NULL;
	struct cedar_error error;

	return cedar_entities_new(&es) == 0 &&
	       cedar_entities_add_json(es, json_str(json_get(c, "entities")), &error) == 0 &&
	       cedar_snapshot_new(ps, es, &error, ret) == 0;
}

/* --- validation ------------------------------------------------------------------------------- */

static bool names(const struct json *ids, struct span id)
{
	for (uint32_t i = 0; i < ids->n; i++) {
		if (span_eq(json_str(&ids->kid[i]), id))
			return true;
	}
	return false;
}

/* The template of a link; n is 0 for what is none. */
static struct span template_of(const struct json *c, struct span id)
{
	const struct json *links = json_get(c, "links");

	for (uint32_t i = 0; i < links->n; i++) {
		if (span_eq(json_str(json_get(&links->kid[i], "id")), id))
			return json_str(json_get(&links->kid[i], "template"));
	}
	return SPAN("");
}

static bool finds(const struct cedar_findings *f, enum cedar_severity severity, struct span id)
{
	for (size_t i = 0; i < cedar_findings_count(f); i++) {
		const struct cedar_finding *x = cedar_findings_get(f, i);

		if (x->severity == severity && span_is(id, x->id))
			return true;
	}
	return false;
}

/*
 * Whether the policies with findings of a severity are those that the reference names; says which are
 * not. Not compared are warnings of a policy with errors, since this engine gives none, and what only
 * this engine finds in the conditions of a link, since it checks them again with the link's types: an
 * error that the template has too, or that they are never met.
 */
static bool same_findings(const struct json *c, const struct cedar_findings *f, enum cedar_severity severity,
			  const struct json *ids)
{
	const struct json *invalid = json_get(c, "invalid");
	bool same = true;

	for (uint32_t i = 0; i < ids->n; i++) {
		struct span id = json_str(&ids->kid[i]);
		bool errs = names(invalid, id) || names(invalid, template_of(c, id));

		if (finds(f, severity, id) || (severity == CEDAR_WARNING && errs))
			continue;
		printf("only the reference finds something in %.*s\n", (int)id.n, id.p);
		same = false;
	}
	for (size_t i = 0; i < cedar_findings_count(f); i++) {
		const struct cedar_finding *x = cedar_findings_get(f, i);
		struct span id = span_of(x->id), from = template_of(c, id);

		if (x->severity != severity || names(ids, id) || names(ids, from) || names(invalid, from) ||
		    (from.n && x->kind == CEDAR_IMPOSSIBLE_POLICY))
			continue;
		printf("found in %s here only: %s\n", x->id, x->message);
		same = false;
	}
	return same;
}

static void check_validation(struct diff *d, const struct json *c, const struct cedar_policies *ps)
{
	size_t n = cedar_policies_count(ps) + cedar_templates_count(ps);
	_cleanup_(cedar_findings_free_p) struct cedar_findings *f = NULL;
	_cleanup_(cedar_schema_free_p) struct cedar_schema *s = NULL;
	const struct json *invalid = json_get(c, "invalid");
	struct cedar_errors errors;

	if (cedar_schema_new(json_str(json_get(c, "schema")), CEDAR_SCHEMA_CEDAR, &errors, &s) < 0 ||
	    cedar_validate(s, ps, NULL, &f) < 0) {
		mismatch(d, c, "the schema cannot be read", 0);
		return;
	}
	d->verdicts += (unsigned)n;
	d->valid += (unsigned)(n - invalid->n);
	if (!same_findings(c, f, CEDAR_ERROR, invalid))
		mismatch(d, c, "validation errors", 0);
	if (!same_findings(c, f, CEDAR_WARNING, json_get(c, "warned")))
		mismatch(d, c, "validation warnings", 0);
}

/* --- decisions -------------------------------------------------------------------------------- */

static void check_request(struct diff *d, const struct json *c, struct cedar_snapshot *s,
			  const struct json *q, unsigned k)
{
	static const unsigned ways[] = { 0, DECIDE_LINEAR, DECIDE_FORGET };
	struct cedar_answer a;

	d->requests++;
	if (put_request(d->rq, s, q))
		json_put(cedar_request_build(d->rq), json_get(q, "context"));
	if (cedar_request_context(d->rq) < 0) {
		mismatch(d, c, "the context cannot be read", k);
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
		d->rq->flags = ways[i];
		if (cedar_authorize(d->rq, &a) < 0 || !same_decision(json_get(q, "decision"), &a))
			mismatch(d, c, "decision", k);
		else if (!same_reasons(s, json_get(q, "reason"), &a))
			mismatch(d, c, "reasons", k);
		else if (!same_errors(s, json_get(q, "errors"), &a))
			mismatch(d, c, "errors", k);
	}
	d->rq->flags = 0;
	if (cedar_decide(d->rq, &a) < 0 || !same_decision(json_get(q, "decision"), &a))
		mismatch(d, c, "the decision alone", k);
}

static void check_case(struct diff *d, const struct json *c)
{
	_cleanup_(cedar_policies_free_p) struct cedar_policies *ps = NULL;
	_cleanup_(cedar_snapshot_unref_p) struct cedar_snapshot *s = NULL;
	const struct json *list = json_get(c, "requests");
	bool refused = json_get(c, "refused");

	d->cases++;
	d->next = json_get(c, "case")->num + 1;
	d->refused += refused;
	if ((load_set(d, c, &ps) && load(c, ps, &s)) == refused) {
		mismatch(d, c, refused ? "only the reference refuses this" : "refused here only", 0);
		return;
	}
	if (refused)
		return;
	check_validation(d, c, ps);
	for (uint32_t i = 0; i < list->n; i++)
		check_request(d, c, s, &list->kid[i], i);
}

/* False when the line is no case: then the reference has trapped. */
static bool take_line(struct diff *d, char *line, size_t n)
{
	_cleanup_(arena_done) struct arena mem = { 0 };
	struct cedar_error error;
	struct json c;

	if (json_parse(&mem, (struct span){ line, n }, &error, &c) < 0) {
		fprintf(stderr, "the reference wrote what is no JSON: %s\n", error.message);
		exit(1);
	}
	if (json_get(&c, "trap")) {
		d->traps++;
		d->next = json_get(&c, "trap")->num + 1;
		return false;
	}
	check_case(d, &c);
	return true;
}

static bool run_reference(struct diff *d, long cases)
{
	char command[1200], *line = NULL;
	bool trapped = false;
	size_t cap = 0;
	ssize_t n;
	FILE *f;

	snprintf(command, sizeof(command), "cd '%s' && exec node reference.mjs %u %ld %ld", d->folder,
		 d->seed, d->next, cases);
	f = popen(command, "r");
	if (!f)
		return false;
	while ((n = getline(&line, &cap, f)) > 0 && !trapped)
		trapped = !take_line(d, line, (size_t)n);
	free(line);
	return pclose(f) == 0 || trapped;
}

static struct diff parse_options(int argc, char **argv)
{
	static const struct option longs[] = { { "seed", required_argument, NULL, 's' },
					       { "requests", required_argument, NULL, 'n' },
					       { 0 } };
	struct diff d = { .seed = (unsigned)time(NULL) & 0xffffff, .wanted = REQUESTS_DEFAULT };
	int c;

	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		if (c == 's')
			d.seed = (unsigned)atoi(optarg);
		else if (c == 'n')
			d.wanted = (unsigned)atoi(optarg);
		else
			exit(2);
	}
	if (optind + 1 != argc) {
		fprintf(stderr, "usage: cedar_diff [--seed N] [--requests N] FOLDER\n");
		exit(2);
	}
	d.folder = argv[optind];
	return d;
}

int main(int argc, char **argv)
{
	struct diff d = parse_options(argc, argv);
	long cases = (d.wanted + REQUESTS_A_CASE - 1) / REQUESTS_A_CASE;
	char path[1200];

	snprintf(path, sizeof(path), "%s/node_modules/@cedar-policy/cedar-wasm", d.folder);
	if (access(path, R_OK) < 0) {
		printf("no %s: scripts/deps --cedar installs the reference\n", path);
		return 77;
	}
	if (cedar_request_new(0, &d.rq) < 0)
		return 1;
	printf("seed %u\n", d.seed);
	fflush(stdout);
	while (d.next < cases && d.traps < TRAPS_MAX) {
		long before = d.next;

		if (!run_reference(&d, cases) || d.next == before) {
			fprintf(stderr, "the reference ended at case %ld\n", d.next);
			return 1;
		}
	}
	cedar_request_free(d.rq);
	printf("seed %u, cases %u, requests %u, links %u, verdicts %u (valid %u), refused %u, traps %u, "
	       "mismatches %u\n", d.seed, d.cases, d.requests, d.links, d.verdicts, d.valid, d.refused, d.traps,
	       d.mismatches);
	return d.mismatches > 0 || d.requests == 0 || d.links == 0 || d.valid == 0 || d.valid == d.verdicts;
}
