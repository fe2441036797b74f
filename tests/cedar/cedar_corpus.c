// SPDX-License-Identifier: Apache-2.0
/*
 * cedar_corpus DIR: every case below DIR, laid out like Cedar's integration tests: a JSON file with
 * "policies", "entities", "schema" (paths from DIR), "shouldValidate" and "requests". Entities are
 * read, policies and requests validated with the schema. What differs goes to standard error with
 * the name of its case; the one line on standard output counts it. Status 0 only when all counts of
 * what differs are 0.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "policy/cedar_schema.h"
#include "tests/cedar/load.h"

#define DEPTH_MAX 8 /* folders within each other */

struct tally {
	unsigned cases, requests, decision, reason, error, validation, load;
};

struct corpus {
	const char *dir;
	struct cedar_request *rq;
	struct tally t;
};

struct loaded {
	struct cedar_schema *schema;
	struct cedar_policies *ps;
	struct cedar_entities *es;
	struct cedar_snapshot *s;
};

static void unload(struct loaded *l)
{
	cedar_snapshot_unref(l->s);
	cedar_entities_free(l->es);
	cedar_policies_free(l->ps);
	cedar_schema_free(l->schema);
}

static bool load_case(const struct corpus *c, const struct json *from, struct loaded *ret)
{
	char path[3][1400];
	const char *const keys[] = { "policies", "entities", "schema" };

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		struct span name = json_str(json_get(from, keys[i]));

		if (name.n == 0 || name.n > 300)
			return false;
		snprintf(path[i], sizeof(path[i]), "%s/%.*s", c->dir, (int)name.n, name.p);
	}
	return load_policies(path[0], &ret->ps) && load_schema(path[2], &ret->schema) &&
	       load_entity_file(path[1], ret->schema, &ret->es) &&
	       make_snapshot(path[0], ret->ps, ret->es, &ret->s);
}

/* The cases were recorded when a policy that fits no action was in error; since SDK 4.13 that is a
 * warning. */
static bool validated_then(const struct loaded *l)
{
	_cleanup_(cedar_findings_free_p) struct cedar_findings *f = NULL;
	bool valid = cedar_validate(l->schema, l->ps, NULL, &f) == 0 && cedar_findings_errors(f) == 0;

	for (size_t i = 0; valid && i < cedar_findings_count(f); i++)
		valid = cedar_findings_get(f, i)->kind != CEDAR_NO_APPLICABLE_ACTION;
	return valid;
}

static void differs(const struct corpus *c, const char *name, const struct json *q, const char *what)
{
	struct span description = json_str(json_get(q, "description"));

	fprintf(stderr, "%s: %.*s: %s differs\n", name, (int)description.n, description.p, what);
}

/* The context, and whether the request is as the schema wants it. */
static bool put_context(struct corpus *c, const struct loaded *l, const struct json *q,
			bool *ret_valid)
{
	const struct json *context = json_get(q, "context"), *should = json_get(q, "validateRequest");
	struct cedar_error error = { 0 };
	bool valid;

	if (!context)
		return false;
	json_put(cedar_request_build(c->rq), context);
	if (cedar_request_context(c->rq) < 0)
		return false;
	valid = cedar_request_validate(l->schema, c->rq, &error) == 0;
	*ret_valid = !should || !should->num || valid;
	return true;
}

static void run_request(struct corpus *c, const struct loaded *l, const struct json *q,
			const char *name)
{
	struct cedar_answer a = { 0 };
	bool valid = false;

	c->t.requests++;
	if (!put_request(c->rq, l->s, q) || !put_context(c, l, q, &valid) ||
	    cedar_authorize(c->rq, &a) < 0) {
		differs(c, name, q, "the request cannot be put; all");
		c->t.load++;
		return;
	}
	if (!valid) {
		differs(c, name, q, "validation of the request");
		c->t.validation++;
	}
	if (!same_decision(json_get(q, "decision"), &a)) {
		differs(c, name, q, "decision");
		c->t.decision++;
	}
	if (!same_reasons(l->s, json_get(q, "reason"), &a)) {
		differs(c, name, q, "reason");
		c->t.reason++;
	}
	if (!same_errors(l->s, json_get(q, "errors"), &a)) {
		differs(c, name, q, "errors");
		c->t.error++;
	}
}

static void run_case(struct corpus *c, const char *path)
{
	_cleanup_(arena_done) struct arena mem = { 0 };
	_cleanup_(unload) struct loaded l = { 0 };
	_cleanup_buf_ struct buf text = { 0 };
	const struct json *requests, *should;
	struct json from;

	if (!load_json(path, &mem, &text, &from)) {
		c->t.load++;
		return;
	}
	requests = json_get(&from, "requests");
	should = json_get(&from, "shouldValidate");
	if (!requests || requests->kind != JSON_ARRAY || !json_get(&from, "policies"))
		return; /* entities, or what else lies there */
	c->t.cases++;
	if (!load_case(c, &from, &l)) {
		fprintf(stderr, "%s: does not load\n", path);
		c->t.load++;
		return;
	}
	if (should && validated_then(&l) != (should->num != 0)) {
		fprintf(stderr, "%s: validation of the policies differs, want %s\n", path,
			should->num ? "valid" : "invalid");
		c->t.validation++;
	}
	for (uint32_t i = 0; i < requests->n; i++)
		run_request(c, &l, &requests->kid[i], path);
}

static int is_wanted(const struct dirent *d)
{
	size_t n = strlen(d->d_name);

	if (d->d_name[0] == '.')
		return 0;
	if (!strchr(d->d_name, '.'))
		return 1; /* a folder */
	return n > 5 && strcmp(d->d_name + n - 5, ".json") == 0 &&
	       !strstr(d->d_name, ".entities.json") && strcmp(d->d_name, "entities.json") != 0;
}

static void run_folder(struct corpus *c, const char *path, unsigned depth)
{
	struct dirent **list;
	int n = depth < DEPTH_MAX ? scandir(path, &list, is_wanted, alphasort) : -1;

	for (int i = 0; i < n; i++) {
		char name[1200];
		struct stat st;

		snprintf(name, sizeof(name), "%.900s/%.255s", path, list[i]->d_name);
		free(list[i]);
		if (stat(name, &st) < 0)
			continue;
		if (S_ISDIR(st.st_mode))
			run_folder(c, name, depth + 1);
		else
			run_case(c, name);
	}
	if (n >= 0)
		free(list);
}

int main(int argc, char **argv)
{
	_cleanup_(cedar_request_free_p) struct cedar_request *rq = NULL;
	struct corpus c = { 0 };
	const struct tally *t = &c.t;

	if (argc != 2) {
		fprintf(stderr, "usage: cedar_corpus DIR\n");
		return 2;
	}
	if (cedar_request_new(0, &rq) < 0)
		return 1;
	c.dir = argv[1];
	c.rq = rq;
	run_folder(&c, argv[1], 0);
	printf("cases %u, requests %u, decision mismatches %u, reason mismatches %u, error mismatches %u, "
	       "validation mismatches %u, load failures %u\n", t->cases, t->requests, t->decision,
	       t->reason, t->error, t->validation, t->load);
	return t->cases == 0 || t->decision + t->reason + t->error + t->validation + t->load > 0;
}
