// SPDX-License-Identifier: Apache-2.0
/*
 * cedar_diff [--seed N] [--requests N] FOLDER: random policy sets, entities and requests put to this
 * engine and to the reference, cedar-wasm, which runs as a child process of FOLDER (where
 * scripts/deps --cedar put it). Decision, reasons and errors must be equal, texts that one refuses
 * refused by the other, and every way this engine has to an answer must give the same. Prints the
 * seed, what differs, and
 *	seed N, cases N, requests N, refused N, traps N, mismatches N
 * Status 1 with mismatches, 77 when the reference is not there.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "policy/request.h"
#include "tests/cedar/load.h"

#define REQUESTS_DEFAULT 10000
#define REQUESTS_A_CASE 4
#define TRAPS_MAX 100

struct diff {
	const char *folder;
	unsigned seed, wanted;
	struct cedar_request *rq;
	unsigned cases, requests, refused, traps, mismatches;
	long next; /* case */
};

static void mismatch(struct diff *d, const struct json *c, const char *what, unsigned request)
{
	struct span policies = json_str(json_get(c, "policies"));

	d->mismatches++;
	printf("seed %u case %lld request %u: %s\n%.*s\n", d->seed,
	       (long long)json_get(c, "case")->num, request, what, (int)policies.n, policies.p);
}

static bool load(const struct json *c, struct cedar_snapshot **ret)
{
	_cleanup_(cedar_policies_free_p) struct cedar_policies *ps = NULL;
	_cleanup_(cedar_entities_free_p) struct cedar_entities *es = NULL;
	struct span entities = json_str(json_get(c, "entities"));
	struct cedar_errors errors;
	struct cedar_error error;

	return cedar_policies_new(&ps) == 0 && cedar_entities_new(&es) == 0 &&
	       cedar_policies_add(ps, "case", json_str(json_get(c, "policies")), &errors) == 0 &&
	       (!entities.p || cedar_entities_add_json(es, entities, &error) == 0) &&
	       cedar_snapshot_new(ps, es, &error, ret) == 0;
}

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
	_cleanup_(cedar_snapshot_unref_p) struct cedar_snapshot *s = NULL;
	const struct json *list = json_get(c, "requests");
	bool refused = json_get(c, "refused");

	d->cases++;
	d->next = json_get(c, "case")->num + 1;
	d->refused += refused;
	if (load(c, &s) == refused) {
		mismatch(d, c, refused ? "only the reference refuses this" : "refused here only", 0);
		return;
	}
	for (uint32_t i = 0; list && i < list->n; i++)
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
	printf("seed %u, cases %u, requests %u, refused %u, traps %u, mismatches %u\n", d.seed, d.cases,
	       d.requests, d.refused, d.traps, d.mismatches);
	return d.mismatches > 0 || d.requests == 0;
}
