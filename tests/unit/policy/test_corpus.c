// SPDX-License-Identifier: Apache-2.0
/*
 * Cedar's own cases: the fuzz corpus, the hand-written integration tests and the probes. Entities
 * whose JSON can only be read with a schema (which is not built) are read by a rule of this test;
 * such cases are counted and named in the report.
 */
#include <dirent.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

#include "policy/cedar.h"
#include "policy/json.h"
#include "user/base/buf.h"
#include "user/base/file.h"

/* Its entities hold {"type": T, "id": I} where the schema says that an entity is meant. */
#define NEEDS_SCHEMA "sample-data/sandbox_b/entities.json"
#define FILE_MAX (8u << 20)

static char dir_vectors[512], dir_corpus[64];

struct tally {
	unsigned cases, requests, decision, reason, error, load, unreadable, instead_of_schema;
};

static bool read_text(const char *dir, struct span name, struct buf *b)
{
	char path[1200];

	snprintf(path, sizeof(path), "%s/%.*s", dir, (int)name.n, name.p);
	return file_read(path, FILE_MAX, b) == 0;
}

/* --- one case --------------------------------------------------------------------------------- */

static void put_implicit(struct cedar_build *b, const struct json *v)
{
	struct cedar_uid uid;

	if (v->kind == JSON_ARRAY) {
		cedar_open_set(b);
		for (uint32_t i = 0; i < v->n; i++)
			put_implicit(b, &v->kid[i]);
		cedar_close(b);
	} else if (v->kind != JSON_OBJECT) {
		json_put(b, v);
	} else if (v->n == 2 && json_uid(v, &uid)) {
		cedar_put_entity(b, uid.type, uid.id);
	} else {
		cedar_open_record(b);
		for (uint32_t i = 0; i < v->n; i++) {
			cedar_key(b, v->key[i]);
			put_implicit(b, &v->kid[i]);
		}
		cedar_close(b);
	}
}

static void add_implicit(struct cedar_entities *es, const struct json *all)
{
	for (uint32_t i = 0; i < all->n; i++) {
		const struct json *parents = json_get(&all->kid[i], "parents");
		struct cedar_uid uid;

		assert_true(json_uid(json_get(&all->kid[i], "uid"), &uid));
		assert_int_equal(cedar_entities_begin(es, uid.type, uid.id), 0);
		for (uint32_t k = 0; k < parents->n; k++) {
			assert_true(json_uid(&parents->kid[k], &uid));
			assert_int_equal(cedar_entities_parent(es, uid.type, uid.id), 0);
		}
		put_implicit(cedar_entities_build(es), json_get(&all->kid[i], "attrs"));
		assert_int_equal(cedar_entities_attrs(es), 0);
	}
}

static int add_entities(struct cedar_entities *es, struct span text, bool implicit,
			struct cedar_error *error)
{
	_cleanup_(arena_done) struct arena mem = { 0 };
	struct json all;

	if (!implicit)
		return cedar_entities_add_json(es, text, error);
	assert_int_equal(json_parse(&mem, text, error, &all), 0);
	add_implicit(es, &all);
	return 0;
}

static struct cedar_snapshot *load_case(const char *dir, const struct json *c, const char *name,
					bool implicit)
{
	_cleanup_buf_ struct buf policies = { 0 }, entities = { 0 };
	_cleanup_(cedar_policies_free_p) struct cedar_policies *ps = NULL;
	_cleanup_(cedar_entities_free_p) struct cedar_entities *es = NULL;
	struct cedar_snapshot *s = NULL;
	struct cedar_errors errors = { 0 };
	struct cedar_error error = { 0 };

	if (!read_text(dir, json_str(json_get(c, "policies")), &policies) ||
	    !read_text(dir, json_str(json_get(c, "entities")), &entities)) {
		print_message("%s: a file of the case is missing\n", name);
		return NULL;
	}
	assert_int_equal(cedar_policies_new(&ps), 0);
	assert_int_equal(cedar_entities_new(&es), 0);
	if (cedar_policies_add(ps, name, buf_span(&policies), &errors) < 0)
		print_message("%s: policies:%u:%u: %s\n", name, errors.e[0].line,
			      errors.e[0].column, errors.e[0].message);
	else if (add_entities(es, buf_span(&entities), implicit, &error) < 0 ||
		 cedar_snapshot_new(ps, es, &error, &s) < 0)
		print_message("%s: entities: %s\n", name, error.message);
	return s;
}

static struct cedar_uid uid_of(const struct json *v)
{
	struct cedar_uid uid = { 0 };

	assert_true(json_uid(v, &uid));
	return uid;
}

static bool set_request(struct cedar_request *rq, struct cedar_snapshot *s, const struct json *q)
{
	struct cedar_uid p = uid_of(json_get(q, "principal")), a = uid_of(json_get(q, "action"));
	struct cedar_uid r = uid_of(json_get(q, "resource"));

	assert_int_equal(cedar_request_begin(rq, s), 0);
	assert_int_equal(cedar_request_principal(rq, p.type, p.id), 0);
	assert_int_equal(cedar_request_action(rq, a.type, a.id), 0);
	assert_int_equal(cedar_request_resource(rq, r.type, r.id), 0);
	json_put(cedar_request_build(rq), json_get(q, "context"));
	return cedar_request_context(rq) == 0;
}

static bool expects(const struct json *list, const char *id)
{
	for (uint32_t i = 0; i < list->n; i++) {
		if (span_is(json_str(&list->kid[i]), id))
			return true;
	}
	return false;
}

static bool same_ids(const struct cedar_snapshot *s, const struct json *want, const uint32_t *ids,
		     size_t n)
{
	if (!want || want->kind != JSON_ARRAY || want->n != n)
		return false;
	for (size_t i = 0; i < n; i++) {
		struct cedar_policy_info info;

		cedar_snapshot_policy(s, ids[i], &info);
		if (!expects(want, info.id))
			return false;
	}
	return true;
}

static void check_request(struct cedar_request *rq, struct cedar_snapshot *s, const struct json *q,
			  const char *name, struct tally *t)
{
	struct span want = json_str(json_get(q, "decision")),
		    what = json_str(json_get(q, "description"));
	struct cedar_answer a = { 0 };
	uint32_t failed[64];
	bool bad = false;

	t->requests++;
	if (!set_request(rq, s, q)) {
		print_message("%s: %.*s: the context cannot be read\n", name, (int)what.n, what.p);
		t->unreadable++;
		return;
	}
	assert_int_equal(cedar_authorize(rq, &a), 0);
	assert_true(a.n_failures < 64);
	for (size_t i = 0; i < a.n_failures; i++)
		failed[i] = a.failures[i].policy;
	if ((a.decision == CEDAR_ALLOW) != (span_is(want, "allow")) ||
	    a.decision == CEDAR_DEPENDS) {
		t->decision++;
		bad = true;
	}
	if (!same_ids(s, json_get(q, "reason"), a.reasons, a.n_reasons)) {
		t->reason++;
		bad = true;
	}
	if (!same_ids(s, json_get(q, "errors"), failed, a.n_failures)) {
		t->error++;
		bad = true;
	}
	if (bad) {
		struct cedar_error why = { 0 };

		if (a.n_failures)
			cedar_explain(rq, &a.failures[0], &why);
		print_message("%s: %.*s: differs, want %.*s; first error here: %s\n", name,
			      (int)what.n, what.p, (int)want.n, want.p, why.message);
	}
}

static void run_case(struct cedar_request *rq, const char *dir, const char *name, struct tally *t)
{
	_cleanup_(cedar_snapshot_unref_p) struct cedar_snapshot *s = NULL;
	_cleanup_(arena_done) struct arena mem = { 0 };
	_cleanup_buf_ struct buf text = { 0 };
	struct cedar_error error;
	const struct json *q;
	struct json c;
	bool implicit;

	assert_true(read_text(dir, span_of(name), &text));
	assert_int_equal(json_parse(&mem, buf_span(&text), &error, &c), 0);
	t->cases++;
	implicit = span_is(json_str(json_get(&c, "entities")), NEEDS_SCHEMA);
	if (implicit)
		print_message("%s: entities read without their schema, by the test's rule\n", name);
	t->instead_of_schema += implicit;
	s = load_case(dir, &c, name, implicit);
	if (!s)
		t->load++;
	q = json_get(&c, "requests");
	for (uint32_t i = 0; s && i < q->n; i++)
		check_request(rq, s, &q->kid[i], name, t);
}

static void report(const char *what, const struct tally *t)
{
	print_message(
		"%s: cases %u, requests %u, decision mismatches %u, reason mismatches %u, "
		"error mismatches %u, contexts not read %u, load failures %u, without their schema %u\n",
		what, t->cases, t->requests, t->decision, t->reason, t->error, t->unreadable,
		t->load, t->instead_of_schema);
	assert_int_equal(t->decision + t->reason + t->error + t->unreadable + t->load, 0);
}

/* --- the corpus ------------------------------------------------------------------------------- */

static int is_case(const struct dirent *d)
{
	size_t n = strlen(d->d_name);

	return n > 5 && strcmp(d->d_name + n - 5, ".json") == 0 &&
	       !strstr(d->d_name, ".entities.json");
}

static void corpus(void **state)
{
	_cleanup_(cedar_request_free_p) struct cedar_request *rq = NULL;
	struct tally t = { 0 };
	struct dirent **list;
	char path[128];
	int n;

	assert_int_equal(cedar_request_new(0, &rq), 0);
	snprintf(path, sizeof(path), "%s/corpus-tests", dir_corpus);
	n = scandir(path, &list, is_case, alphasort);
	assert_true(n > 0);
	for (int i = 0; i < n; i++) {
		snprintf(path, sizeof(path), "corpus-tests/%.60s", list[i]->d_name);
		run_case(rq, dir_corpus, path, &t);
		free(list[i]);
	}
	free(list);
	report("corpus", &t);
}

static void integration(void **state)
{
	static const char *const parts[] = { "ip", "multi", "decimal", "example_use_cases" };
	_cleanup_(cedar_request_free_p) struct cedar_request *rq = NULL;
	char dir[600], path[1200];
	struct tally t = { 0 };

	assert_int_equal(cedar_request_new(0, &rq), 0);
	snprintf(dir, sizeof(dir), "%s/cedar/integration", dir_vectors);
	for (size_t p = 0; p < ARRAY_SIZE(parts); p++) {
		struct dirent **list;
		int n;

		snprintf(path, sizeof(path), "%s/tests/%s", dir, parts[p]);
		n = scandir(path, &list, is_case, alphasort);
		for (int i = 0; i < n; i++) {
			snprintf(path, sizeof(path), "tests/%s/%.200s", parts[p], list[i]->d_name);
			run_case(rq, dir, path, &t);
			free(list[i]);
		}
		if (n >= 0)
			free(list);
	}
	report("integration", &t);
	assert_true(t.cases > 0);
}

/* Sets of 10, 100 and 1,000 policies over 1,000 entities: what the index must not lose. */
static void many_policies(void **state)
{
	static const char *const sizes[] = { "10", "100", "1000" };
	_cleanup_(cedar_request_free_p) struct cedar_request *rq = NULL;
	struct tally t = { 0 };

	assert_int_equal(cedar_request_new(0, &rq), 0);
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		_cleanup_buf_ struct buf policies = { 0 }, entities = { 0 }, requests = { 0 };
		_cleanup_(cedar_policies_free_p) struct cedar_policies *ps = NULL;
		_cleanup_(cedar_entities_free_p) struct cedar_entities *es = NULL;
		_cleanup_(cedar_snapshot_unref_p) struct cedar_snapshot *s = NULL;
		_cleanup_(arena_done) struct arena mem = { 0 };
		struct cedar_errors errors;
		struct cedar_error error;
		struct json all;
		char name[64];

		snprintf(name, sizeof(name), "cedar/bench/policies_%s.cedar", sizes[i]);
		assert_true(read_text(dir_vectors, span_of(name), &policies));
		snprintf(name, sizeof(name), "cedar/bench/requests_%s.json", sizes[i]);
		assert_true(read_text(dir_vectors, span_of(name), &requests));
		assert_true(read_text(dir_vectors, SPAN("cedar/bench/entities.json"), &entities));
		assert_int_equal(cedar_policies_new(&ps), 0);
		assert_int_equal(cedar_entities_new(&es), 0);
		assert_int_equal(cedar_policies_add(ps, name, buf_span(&policies), &errors), 0);
		assert_int_equal(cedar_entities_add_json(es, buf_span(&entities), &error), 0);
		assert_int_equal(cedar_snapshot_new(ps, es, &error, &s), 0);
		assert_int_equal(json_parse(&mem, buf_span(&requests), &error, &all), 0);
		t.cases++;
		for (uint32_t k = 0; k < all.n; k++)
			check_request(rq, s, &all.kid[k], name, &t);
	}
	report("many policies", &t);
}

/* --- probes ----------------------------------------------------------------------------------- */

static const char *probe_outcome(struct cedar_request *rq, const struct json *context,
				 const struct json *probe, const struct cedar_entities *es)
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
	assert_int_equal(cedar_policies_new(&ps), 0);
	if (cedar_policies_add(ps, "probe", buf_span(&text), &errors) < 0)
		return "PARSE-ERR";
	assert_int_equal(cedar_snapshot_new(ps, es, &error, &s), 0);
	assert_int_equal(cedar_request_begin(rq, s), 0);
	assert_int_equal(cedar_request_principal(rq, SPAN("U"), SPAN("a")), 0);
	assert_int_equal(cedar_request_action(rq, SPAN("Action"), SPAN("x")), 0);
	assert_int_equal(cedar_request_resource(rq, SPAN("R"), SPAN("r")), 0);
	json_put(cedar_request_build(rq), context);
	assert_int_equal(cedar_request_context(rq), 0);
	assert_int_equal(cedar_authorize(rq, &a), 0);
	return a.n_failures ? "EVAL-ERR" : a.decision == CEDAR_ALLOW ? "true" : "false";
}

/* The bytes of a member, as they stand in the text. */
static struct span raw_member(struct span text, const struct json *v, const struct json *next)
{
	struct span s = { text.p + v->pos, next->pos - v->pos };

	while (s.n && s.p[s.n - 1] != ']')
		s.n--;
	return s;
}

static void probes(void **state)
{
	_cleanup_(cedar_request_free_p) struct cedar_request *rq = NULL;
	_cleanup_(cedar_entities_free_p) struct cedar_entities *es = NULL;
	_cleanup_(arena_done) struct arena mem = { 0 };
	_cleanup_buf_ struct buf text = { 0 };
	const struct json *list, *entities;
	unsigned mismatches = 0;
	struct cedar_error error;
	struct json all;

	assert_true(read_text(dir_vectors, SPAN("cedar/probes.json"), &text));
	assert_int_equal(json_parse(&mem, buf_span(&text), &error, &all), 0);
	list = json_get(&all, "probes");
	entities = json_get(&all, "entities");
	assert_int_equal(cedar_entities_new(&es), 0);
	assert_int_equal(
		cedar_entities_add_json(
			es, raw_member(buf_span(&text), entities, json_get(&all, "note")), &error),
		0);
	assert_int_equal(cedar_request_new(0, &rq), 0);
	for (uint32_t i = 0; i < list->n; i++) {
		struct span want = json_str(json_get(&list->kid[i], "result"));
		struct span input = json_str(json_get(&list->kid[i], "input"));
		const char *got = probe_outcome(rq, json_get(&all, "context"), &list->kid[i], es);

		if (want.n < strlen(got) || memcmp(want.p, got, strlen(got)) != 0) {
			print_message("probe %.*s: want %.*s, got %s\n", (int)input.n, input.p,
				      (int)want.n, want.p, got);
			mismatches++;
		}
	}
	print_message("probes %u, mismatches %u\n", list->n, mismatches);
	assert_int_equal(mismatches, 0);
}

/* --- set-up ----------------------------------------------------------------------------------- */

static int unpack(void **state)
{
	char command[1200];

	strcpy(dir_corpus, "/tmp/cedar-corpus-XXXXXX");
	if (!mkdtemp(dir_corpus))
		return -1;
	snprintf(command, sizeof(command), "tar -xJf '%s/cedar/corpus.tar.xz' -C '%s'", dir_vectors,
		 dir_corpus);
	return system(command);
}

static int clean(void **state)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf '%s'", dir_corpus);
	return system(command);
}

int main(void)
{
	const char *vectors = getenv("TOLLGATE_VECTORS");
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(probes),
		cmocka_unit_test(integration),
		cmocka_unit_test(many_policies),
		cmocka_unit_test(corpus),
	};
	char path[600];

	snprintf(dir_vectors, sizeof(dir_vectors), "%s", vectors ? vectors : "../shared/vectors");
	snprintf(path, sizeof(path), "%s/cedar/corpus.tar.xz", dir_vectors);
	if (access(path, R_OK) < 0) {
		printf("skipped: no %s\n", path);
		return 77;
	}
	return cmocka_run_group_tests(tests, unpack, clean);
}
