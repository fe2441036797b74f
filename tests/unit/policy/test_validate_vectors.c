// SPDX-License-Identifier: Apache-2.0
/*
 * Cedar's own answers about schemas, policies, entities and requests: for each case of the fuzz corpus what SDK 4.13
 * and the validation archive say, and the hand-written integration cases. Since 4.13 a policy to which no action
 * applies is valid with a warning, so the older archive's error of that name counts as none.
 */
#include <dirent.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>
#include <zlib.h>
#include <cmocka.h>

#include "policy/cedar_schema.h"
#include "policy/conform.h"
#include "policy/json.h"
#include "policy/value.h"
#include "user/base/buf.h"
#include "user/base/file.h"

#define FILE_MAX (8u << 20)
#define NO_ACTION "unable to find an applicable action"

static char dir_vectors[512], dir_work[64];

static bool read_text(const char *dir, const char *name, struct buf *b)
{
	char path[1200];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return file_read(path, FILE_MAX, b) == 0;
}

static bool read_span(const char *dir, struct span name, struct buf *b)
{
	char copy[600];

	snprintf(copy, sizeof(copy), "%.*s", (int)name.n, name.p);
	return read_text(dir, copy, b);
}

static struct cedar_schema *schema_of(const char *name, struct span text)
{
	struct cedar_schema *s = NULL;
	struct cedar_errors errors;

	if (cedar_schema_new(text, CEDAR_SCHEMA_ANY, &errors, &s) < 0)
		print_message("%s: schema:%u:%u: %s\n", name, errors.e[0].line, errors.e[0].column, errors.e[0].message);
	return s;
}

/* Calls one for each line of a .jsonl.gz: {"id": ..., ...}. */
static unsigned each_line(const char *file, void (*one)(struct span id, const struct json *row, void *ctx), void *ctx)
{
	static char line[4 << 20];
	char path[700];
	unsigned n = 0;
	gzFile gz;

	snprintf(path, sizeof(path), "%s/cedar/oracle/%s", dir_vectors, file);
	gz = gzopen(path, "rb");
	assert_non_null(gz);
	while (gzgets(gz, line, sizeof(line))) {
		_cleanup_(arena_done) struct arena mem = { 0 };
		struct cedar_error error;
		struct json row;

		assert_int_equal(json_parse(&mem, span_of(line), &error, &row), 0);
		one(json_str(json_get(&row, "id")), &row, ctx);
		n++;
	}
	gzclose(gz);
	return n;
}

static bool case_json(const char *dir, const char *name, struct arena *mem, struct buf *text, struct json *ret)
{
	struct cedar_error error;

	return read_text(dir, name, text) && json_parse(mem, buf_span(text), &error, ret) == 0;
}

static void case_file(char *out, size_t n, struct span id, const char *suffix)
{
	snprintf(out, n, "corpus-tests/%.*s%s", (int)id.n, id.p, suffix);
}

/* --- schemas ---------------------------------------------------------------------------------- */

static bool same_json(const struct json *a, const struct json *b)
{
	if (a->kind != b->kind || a->n != b->n)
		return false;
	if (a->kind == JSON_STRING)
		return span_eq(a->str, b->str);
	if (a->kind == JSON_BOOL || a->kind == JSON_INT)
		return a->num == b->num;
	for (uint32_t i = 0; i < a->n; i++) {
		const struct json *x = &b->kid[i];

		for (uint32_t k = 0; a->kind == JSON_OBJECT && k < b->n; k++) {
			x = span_eq(a->key[i], b->key[k]) ? &b->kid[k] : NULL;
			if (x)
				break;
		}
		if (!x || !same_json(&a->kid[i], x))
			return false;
	}
	return true;
}

static struct span written(const struct cedar_schema *s, enum cedar_schema_syntax syntax, struct buf *out)
{
	struct cedar_error error;

	assert_int_equal(cedar_schema_write(s, syntax, &error, out), 0);
	return buf_span(out);
}

/* The JSON is the SDK's; read again from either syntax it is the same. */
static void check_schema(struct span id, const struct json *row, void *ctx)
{
	_cleanup_(cedar_schema_free_p) struct cedar_schema *s = NULL, *again = NULL, *from_json = NULL;
	_cleanup_buf_ struct buf text = { 0 }, json = { 0 }, cedar = { 0 }, json2 = { 0 }, json3 = { 0 };
	_cleanup_(arena_done) struct arena mem = { 0 };
	struct cedar_error error;
	struct json v;
	char name[100];
	bool ok;

	case_file(name, sizeof(name), id, ".cedarschema");
	assert_true(read_text(dir_work, name, &text));
	s = schema_of(name, buf_span(&text));
	if (s) {
		again = schema_of(name, written(s, CEDAR_SCHEMA_CEDAR, &cedar));
		from_json = schema_of(name, written(s, CEDAR_SCHEMA_JSON, &json));
	}
	ok = s && again && from_json && json_parse(&mem, buf_span(&json), &error, &v) == 0 &&
	     same_json(&v, json_get(row, "json")) &&
	     span_eq(buf_span(&json), written(again, CEDAR_SCHEMA_JSON, &json2)) &&
	     cedar_schema_actions(again) == cedar_schema_actions(from_json) &&
	     cedar_schema_entity_types(s) == cedar_schema_entity_types(from_json);
	if (ok)
		ok = span_eq(buf_span(&json), written(from_json, CEDAR_SCHEMA_JSON, &json3));
	if (!ok) {
		print_message("%s: the schema in JSON differs\n", name);
		++*(unsigned *)ctx;
	}
}

static void schemas(void **state)
{
	unsigned bad = 0, n = each_line("schema.jsonl.gz", check_schema, &bad);

	print_message("schemas %u, mismatches %u\n", n, bad);
	assert_true(n > 0);
	assert_int_equal(bad, 0);
}

/* --- policies --------------------------------------------------------------------------------- */

struct verdicts {
	struct cedar_findings *strict, *permissive;
};

static bool validate_case(struct span id, struct verdicts *ret)
{
	_cleanup_(cedar_schema_free_p) struct cedar_schema *s = NULL;
	_cleanup_(cedar_policies_free_p) struct cedar_policies *ps = NULL;
	_cleanup_buf_ struct buf schema = { 0 }, policies = { 0 };
	struct cedar_check permissive = { .mode = CEDAR_PERMISSIVE };
	struct cedar_errors errors;
	char name[100];

	case_file(name, sizeof(name), id, ".cedarschema");
	assert_true(read_text(dir_work, name, &schema));
	case_file(name, sizeof(name), id, ".cedar");
	assert_true(read_text(dir_work, name, &policies));
	s = schema_of(name, buf_span(&schema));
	assert_int_equal(cedar_policies_new(&ps), 0);
	if (!s || cedar_policies_add(ps, name, buf_span(&policies), &errors) < 0)
		return false;
	return cedar_validate(s, ps, NULL, &ret->strict) == 0 &&
	       cedar_validate(s, ps, &permissive, &ret->permissive) == 0;
}

static void done(struct verdicts *v)
{
	cedar_findings_free(v->strict);
	cedar_findings_free(v->permissive);
}

static unsigned warnings_of(const struct cedar_findings *f)
{
	unsigned kinds = 0;

	for (size_t i = 0; i < cedar_findings_count(f); i++) {
		const struct cedar_finding *x = cedar_findings_get(f, i);

		if (x->severity == CEDAR_WARNING)
			kinds |= 1u << x->kind;
	}
	return kinds;
}

static bool contains(struct span s, const char *what)
{
	return memmem(s.p, s.n, what, strlen(what)) != NULL;
}

static unsigned warnings_told(const struct json *list)
{
	unsigned kinds = 0;

	for (uint32_t i = 0; i < list->n; i++) {
		struct span s = json_str(&list->kid[i]);

		kinds |= contains(s, NO_ACTION)		   ? 1u << CEDAR_NO_APPLICABLE_ACTION
			 : contains(s, "policy is impossible") ? 1u << CEDAR_IMPOSSIBLE_POLICY
			 : contains(s, "mixed scripts")	       ? 1u << CEDAR_MIXED_SCRIPTS
			 : contains(s, "BIDI")		       ? 1u << CEDAR_BIDI
							       : 1u << CEDAR_CONFUSABLE;
	}
	return kinds;
}

/* The SDK looks at a pattern as it would print it, where an escape \u{...} is letters of Latin; here its characters
 * are looked at. So these two differ in whether a pattern mixes scripts, and only in that. */
static const char *const escaped_patterns[] = {
	"e0da5fe03f17639bc9f8096d09b82432252c9233",
	"ea5e9df5bd04c05dde60574f5e08336455cccbef",
};

struct counts {
	unsigned verdicts, corpus, flipped, warnings, patterns;
};

/* The corpus is older than the SDK, so what it calls invalid may be valid with the warning about actions. */
static void check_corpus(struct span id, const struct verdicts *v, struct counts *n)
{
	_cleanup_(arena_done) struct arena mem = { 0 };
	_cleanup_buf_ struct buf text = { 0 };
	bool valid = cedar_findings_errors(v->strict) == 0, should;
	struct json c;
	char name[100];

	case_file(name, sizeof(name), id, ".json");
	assert_true(case_json(dir_work, name, &mem, &text, &c));
	should = json_get(&c, "shouldValidate")->num;
	if (valid && !should && (warnings_of(v->strict) & 1u << CEDAR_NO_APPLICABLE_ACTION))
		n->flipped++;
	else
		n->corpus += valid != should;
}

static void check_verdict(struct span id, const struct json *row, void *ctx)
{
	const struct json *told = json_get(row, "errors");
	struct counts *n = ctx;
	struct verdicts v = { 0 };
	unsigned want, got;

	if (!validate_case(id, &v) || (cedar_findings_errors(v.strict) == 0) != (told->n == 0)) {
		print_message("%.*s: strict: want %u errors\n", (int)id.n, id.p, told->n);
		n->verdicts++;
	} else {
		check_corpus(id, &v, n);
		want = warnings_told(json_get(row, "warnings"));
		got = warnings_of(v.strict);
		/* Whether an invalid policy could ever hold is not asked here. */
		if (told->n)
			want &= ~(1u << CEDAR_NO_APPLICABLE_ACTION | 1u << CEDAR_IMPOSSIBLE_POLICY);
		for (size_t i = 0; i < ARRAY_SIZE(escaped_patterns); i++) {
			if (span_is(id, escaped_patterns[i]) && (want ^ got) == 1u << CEDAR_MIXED_SCRIPTS) {
				n->patterns++;
				got = want;
			}
		}
		if (want != got) {
			print_message("%.*s: warnings: want %x, got %x\n", (int)id.n, id.p, want, got);
			n->warnings++;
		}
	}
	done(&v);
}

static void oracle_verdicts(void **state)
{
	struct counts c = { 0 };
	unsigned n = each_line("val.jsonl.gz", check_verdict, &c);

	print_message("validated %u, verdict mismatches %u (corpus %u, now valid with a warning %u), warning mismatches %u, "
		      "escaped patterns %u\n",
		      n, c.verdicts, c.corpus, c.flipped, c.warnings, c.patterns);
	assert_true(n > 0);
	assert_int_equal(c.verdicts + c.corpus + c.warnings, 0);
}

/* --- the archive: policies, entities, requests in both modes ------------------------------------- */

static bool told_valid(const struct json *v, const char *mode, const char *errors)
{
	const struct json *list = json_get(v, errors);

	if (json_get(v, mode)->num)
		return true;
	for (uint32_t i = 0; list && i < list->n; i++) {
		if (!contains(json_str(&list->kid[i]), NO_ACTION))
			return false;
	}
	return list && list->n;
}

static bool request_conforms(const struct cedar_schema *s, struct cedar_snapshot *snap, struct cedar_request *rq,
			     const struct json *q, const char *name)
{
	struct cedar_uid p, a, r;
	struct cedar_error error = { 0 };

	assert_true(json_uid(json_get(q, "principal"), &p) && json_uid(json_get(q, "action"), &a) &&
		    json_uid(json_get(q, "resource"), &r));
	assert_int_equal(cedar_request_begin(rq, snap), 0);
	assert_int_equal(cedar_request_principal(rq, p.type, p.id), 0);
	assert_int_equal(cedar_request_action(rq, a.type, a.id), 0);
	assert_int_equal(cedar_request_resource(rq, r.type, r.id), 0);
	if (conform_context(rq, s, json_get(q, "context"), &error) == 0 && cedar_request_validate(s, rq, &error) == 0)
		return true;
	print_message("%s: request: %s\n", name, error.message);
	return false;
}

struct loaded {
	struct cedar_schema *s;
	struct cedar_snapshot *snap;
	struct cedar_policies *ps;
};

static void loaded_done(struct loaded *l)
{
	cedar_schema_free(l->s);
	cedar_snapshot_unref(l->snap);
	cedar_policies_free(l->ps);
}

/* A case's policies, its schema, and its entities read with it. */
static bool load_case(const char *dir, const struct json *c, const char *name, struct loaded *ret)
{
	_cleanup_buf_ struct buf schema = { 0 }, policies = { 0 }, entities = { 0 };
	_cleanup_(cedar_entities_free_p) struct cedar_entities *es = NULL;
	struct cedar_errors errors = { 0 };
	struct cedar_error error = { 0 };

	assert_true(read_span(dir, json_str(json_get(c, "schema")), &schema));
	assert_true(read_span(dir, json_str(json_get(c, "policies")), &policies));
	assert_true(read_span(dir, json_str(json_get(c, "entities")), &entities));
	assert_int_equal(cedar_entities_new(&es), 0);
	assert_int_equal(cedar_policies_new(&ret->ps), 0);
	ret->s = schema_of(name, buf_span(&schema));
	if (!ret->s || cedar_policies_add(ret->ps, name, buf_span(&policies), &errors) < 0)
		return false;
	if (cedar_entities_add_json_schema(es, ret->s, buf_span(&entities), &error) < 0 ||
	    cedar_entities_validate(ret->s, es, &error) < 0 || cedar_snapshot_new(ret->ps, es, &error, &ret->snap) < 0) {
		print_message("%s: entities:%u:%u: %s\n", name, error.line, error.column, error.message);
		return false;
	}
	return true;
}

static bool check_policies(const struct loaded *l, const struct json *told)
{
	struct cedar_check permissive = { .mode = CEDAR_PERMISSIVE };
	_cleanup_(cedar_findings_free_p) struct cedar_findings *a = NULL, *b = NULL;
	bool ok = true;

	assert_int_equal(cedar_validate(l->s, l->ps, NULL, &a), 0);
	assert_int_equal(cedar_validate(l->s, l->ps, &permissive, &b), 0);
	for (uint32_t i = 0; i < told->n; i++) {
		const struct json *v = &told->kid[i];
		uint32_t p = (uint32_t)atoi(told->key[i].p + strlen("policy"));

		ok = ok && cedar_findings_valid(a, p) == told_valid(v, "strict", "strictErrors") &&
		     cedar_findings_valid(b, p) == told_valid(v, "permissive", "permissiveErrors");
	}
	return ok;
}

struct tally {
	unsigned cases, requests, policies, load, bad;
};

static void check_archive(struct cedar_request *rq, const char *id, struct tally *t)
{
	_cleanup_(arena_done) struct arena mem = { 0 };
	_cleanup_buf_ struct buf text = { 0 }, told_text = { 0 };
	_cleanup_(loaded_done) struct loaded l = { 0 };
	const struct json *told, *list;
	struct json c, all;
	char name[200];

	snprintf(name, sizeof(name), "corpus-tests-validation/%.60s.validation.json", id);
	assert_true(case_json(dir_work, name, &mem, &told_text, &all));
	snprintf(name, sizeof(name), "corpus-tests/%.60s.json", id);
	assert_true(case_json(dir_work, name, &mem, &text, &c));
	t->cases++;
	told = json_get(json_get(&all, "entityValidation"), "perEntity");
	for (uint32_t i = 0; i < told->n; i++)
		assert_int_equal(told->kid[i].n, 0); /* all conform, in this archive */
	if (!load_case(dir_work, &c, name, &l)) {
		t->load++;
		return;
	}
	if (!check_policies(&l, json_get(json_get(&all, "policyValidation"), "perPolicy"))) {
		print_message("%s: a policy's verdict differs\n", name);
		t->policies++;
	}
	told = json_get(&all, "requestValidation");
	list = json_get(&c, "requests");
	assert_int_equal(told->n, list->n);
	for (uint32_t i = 0; i < list->n; i++) {
		bool valid = request_conforms(l.s, l.snap, rq, &list->kid[i], name);

		t->requests++;
		t->bad += valid != (json_get(&told->kid[i], "strict")->num != 0) ||
			  valid != (json_get(&list->kid[i], "validateRequest")->num != 0);
	}
}

static int is_validation(const struct dirent *d)
{
	return strstr(d->d_name, ".validation.json") != NULL;
}

static void archive(void **state)
{
	_cleanup_(cedar_request_free_p) struct cedar_request *rq = NULL;
	struct tally t = { 0 };
	struct dirent **list;
	char path[200];
	int n;

	assert_int_equal(cedar_request_new(0, &rq), 0);
	snprintf(path, sizeof(path), "%s/corpus-tests-validation", dir_work);
	n = scandir(path, &list, is_validation, alphasort);
	assert_true(n > 0);
	for (int i = 0; i < n; i++) {
		*strchr(list[i]->d_name, '.') = 0;
		check_archive(rq, list[i]->d_name, &t);
		free(list[i]);
	}
	free(list);
	print_message("archive: cases %u, load failures %u, policy mismatches %u, requests %u, request mismatches %u\n",
		      t.cases, t.load, t.policies, t.requests, t.bad);
	assert_int_equal(t.load + t.policies + t.bad, 0);
}

/* --- integration ------------------------------------------------------------------------------ */

static bool same_decision(struct cedar_request *rq, const struct json *q)
{
	struct cedar_answer a = { 0 };

	assert_int_equal(cedar_authorize(rq, &a), 0);
	return (a.decision == CEDAR_ALLOW) == span_is(json_str(json_get(q, "decision")), "allow") &&
	       a.n_reasons == json_get(q, "reason")->n && a.n_failures == json_get(q, "errors")->n;
}

static void check_integration(struct cedar_request *rq, const char *dir, const char *name, struct tally *t)
{
	_cleanup_(arena_done) struct arena mem = { 0 };
	_cleanup_(cedar_findings_free_p) struct cedar_findings *f = NULL;
	_cleanup_(loaded_done) struct loaded l = { 0 };
	_cleanup_buf_ struct buf text = { 0 };
	const struct json *q;
	struct json c;

	assert_true(case_json(dir, name, &mem, &text, &c));
	t->cases++;
	if (!load_case(dir, &c, name, &l)) {
		t->load++;
		return;
	}
	assert_int_equal(cedar_validate(l.s, l.ps, NULL, &f), 0);
	if ((cedar_findings_errors(f) == 0) != (json_get(&c, "shouldValidate")->num != 0)) {
		print_message("%s: verdict differs\n", name);
		t->policies++;
	}
	q = json_get(&c, "requests");
	for (uint32_t i = 0; i < q->n; i++) {
		bool want = !json_get(&q->kid[i], "validateRequest") || json_get(&q->kid[i], "validateRequest")->num;

		t->requests++;
		t->bad += request_conforms(l.s, l.snap, rq, &q->kid[i], name) != want || !same_decision(rq, &q->kid[i]);
	}
}

static int is_case(const struct dirent *d)
{
	size_t n = strlen(d->d_name);

	return n > 5 && strcmp(d->d_name + n - 5, ".json") == 0;
}

static void integration(void **state)
{
	static const char *const parts[] = { "ip", "multi", "decimal", "example_use_cases" };
	_cleanup_(cedar_request_free_p) struct cedar_request *rq = NULL;
	struct tally t = { 0 };
	char dir[600], path[1200];

	assert_int_equal(cedar_request_new(0, &rq), 0);
	snprintf(dir, sizeof(dir), "%s/cedar/integration", dir_vectors);
	for (size_t p = 0; p < ARRAY_SIZE(parts); p++) {
		struct dirent **list;
		int n;

		snprintf(path, sizeof(path), "%s/tests/%s", dir, parts[p]);
		n = scandir(path, &list, is_case, alphasort);
		assert_true(n > 0);
		for (int i = 0; i < n; i++) {
			snprintf(path, sizeof(path), "tests/%s/%.200s", parts[p], list[i]->d_name);
			check_integration(rq, dir, path, &t);
			free(list[i]);
		}
		free(list);
	}
	print_message("integration: cases %u, load failures %u, verdict mismatches %u, requests %u, mismatches %u\n",
		      t.cases, t.load, t.policies, t.requests, t.bad);
	assert_int_equal(t.load + t.policies + t.bad, 0);
}

/* --- set-up ----------------------------------------------------------------------------------- */

static int unpack(void **state)
{
	char command[1400];

	strcpy(dir_work, "/tmp/cedar-vectors-XXXXXX");
	if (!mkdtemp(dir_work))
		return -1;
	snprintf(command, sizeof(command), "for f in corpus validation; do tar -xJf '%s/cedar/'$f.tar.xz -C '%s' || exit 1; done",
		 dir_vectors, dir_work);
	return system(command);
}

static int clean(void **state)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf '%s'", dir_work);
	return system(command);
}

int main(void)
{
	const char *vectors = getenv("TOLLGATE_VECTORS");
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(schemas),
		cmocka_unit_test(oracle_verdicts),
		cmocka_unit_test(archive),
		cmocka_unit_test(integration),
	};
	char path[600];

	snprintf(dir_vectors, sizeof(dir_vectors), "%s", vectors ? vectors : "../shared/vectors");
	snprintf(path, sizeof(path), "%s/cedar/validation.tar.xz", dir_vectors);
	if (access(path, R_OK) < 0) {
		printf("skipped: no %s\n", path);
		return 77;
	}
	return cmocka_run_group_tests(tests, unpack, clean);
}
