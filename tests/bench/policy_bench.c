// SPDX-License-Identifier: Apache-2.0
/*
 * policy_bench --policies F [--schema F] --entities F --requests F [--decide] [--rounds N]
 * Puts every request of a file to the engine and checks every answer against the one that the file
 * tells; then measures. One line:
 *	policies N, requests N, mismatches N, p50 X ns, mean X ns, bind X ns
 * p50 and mean are of single decisions on a bound request; p50 is that of all rounds, the mean is
 * the median of the rounds' means, so that a round in which the machine did something else does not
 * count. bind is the time to put a request of parsed JSON (p50). The clock is read before and after
 * each and its own cost is contained in all three; standard error tells it. With --load the speed
 * of loading is measured instead, and with --schema that of strict validation too.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/cedar/load.h"

#define ROUNDS_DEFAULT 200
#define BUCKETS (1u << 16) /* ticks counted one by one; what is longer is in the last */

/* --- clock ------------------------------------------------------------------------------------ */

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

#if defined(__x86_64__)
static inline uint64_t ticks(void)
{
	return __builtin_ia32_rdtsc();
}
#else
#define ticks now_ns
#endif

static double ns_per_tick(void)
{
	uint64_t t0 = ticks(), n0 = now_ns();

	while (now_ns() - n0 < 50000000)
		;
	return (double)(now_ns() - n0) / (double)(ticks() - t0);
}

/* --- the requests as a caller has them: fields, no JSON --------------------------------------- */

enum put { PUT_BOOL, PUT_LONG, PUT_STRING, PUT_ENTITY, PUT_EXT, OPEN_RECORD, OPEN_SET, CLOSE };

struct field {
	enum put put;
	bool named; /* a member of a record, else of a set */
	struct span name;
	union {
		int64_t num;
		struct span text;
		struct cedar_uid uid;
	};
	void (*ext)(struct cedar_build *, struct span);
};

struct question {
	struct cedar_uid principal, action, resource;
	uint32_t first, n; /* fields */
	const struct json *json;
};

struct bench {
	struct cedar_snapshot *s;
	struct cedar_request *rq;
	VEC(struct field) fields;
	VEC(struct question) questions;
	int (*decide)(struct cedar_request *, struct cedar_answer *);
};

static void add_field(struct bench *b, struct field f)
{
	if (vec_push(&b->fields, f) < 0)
		exit(1);
}

static void flatten_ext(const struct json *v, struct field *to)
{
	static const struct {
		const char *name;
		void (*put)(struct cedar_build *, struct span);
	} exts[] = { { "ip", cedar_put_ip },
		     { "decimal", cedar_put_decimal },
		     { "datetime", cedar_put_datetime },
		     { "duration", cedar_put_duration } };
	const struct json *x = json_get(v, "__extn");

	for (size_t i = 0; x && i < ARRAY_SIZE(exts); i++) {
		if (span_is(json_str(json_get(x, "fn")), exts[i].name)) {
			to->put = PUT_EXT;
			to->ext = exts[i].put;
			to->text = json_str(json_get(x, "arg"));
		}
	}
}

/* f has the value's name, where it has one. */
static void flatten(struct bench *b, const struct json *v, struct field f)
{
	bool object = v->kind == JSON_OBJECT;

	switch (v->kind) {
	case JSON_BOOL:
	case JSON_INT:
		f.put = v->kind == JSON_BOOL ? PUT_BOOL : PUT_LONG;
		f.num = v->num;
		add_field(b, f);
		return;
	case JSON_STRING:
		f.put = PUT_STRING;
		f.text = v->str;
		add_field(b, f);
		return;
	case JSON_ARRAY:
	case JSON_OBJECT:
		break;
	default:
		fprintf(stderr, "a context holds what Cedar does not know\n");
		exit(1);
	}
	f.put = object ? OPEN_RECORD : OPEN_SET;
	if (object && v->n == 1 && json_get(v, "__entity") && json_uid(v, &f.uid))
		f.put = PUT_ENTITY;
	else if (object && v->n == 1)
		flatten_ext(v, &f);
	add_field(b, f);
	if (f.put != OPEN_RECORD && f.put != OPEN_SET)
		return;
	for (uint32_t i = 0; i < v->n; i++)
		flatten(b, &v->kid[i],
			(struct field){ .named = object, .name = object ? v->key[i] : span_of("") });
	add_field(b, (struct field){ .put = CLOSE });
}

static void take_questions(struct bench *b, const struct json *all)
{
	for (uint32_t i = 0; i < all->n; i++) {
		const struct json *q = &all->kid[i];
		struct question to = { .principal = uid_of(json_get(q, "principal")),
				       .action = uid_of(json_get(q, "action")),
				       .resource = uid_of(json_get(q, "resource")),
				       .first = b->fields.n, .json = q };

		flatten(b, json_get(q, "context"), (struct field){ 0 });
		to.n = b->fields.n - to.first;
		if (vec_push(&b->questions, to) < 0)
			exit(1);
	}
}

static inline void put_field(struct cedar_build *to, const struct field *f)
{
	if (f->named)
		cedar_key(to, f->name);
	switch (f->put) {
	case PUT_BOOL:
		cedar_put_bool(to, f->num);
		break;
	case PUT_LONG:
		cedar_put_long(to, f->num);
		break;
	case PUT_STRING:
		cedar_put_string(to, f->text);
		break;
	case PUT_ENTITY:
		cedar_put_entity(to, f->uid.type, f->uid.id);
		break;
	case PUT_EXT:
		f->ext(to, f->text);
		break;
	case OPEN_RECORD:
		cedar_open_record(to);
		break;
	case OPEN_SET:
		cedar_open_set(to);
		break;
	case CLOSE:
		cedar_close(to);
		break;
	}
}

static int bind(struct bench *b, const struct question *q)
{
	struct cedar_build *to;
	int r = cedar_request_begin(b->rq, b->s);

	r |= cedar_request_principal(b->rq, q->principal.type, q->principal.id);
	r |= cedar_request_action(b->rq, q->action.type, q->action.id);
	r |= cedar_request_resource(b->rq, q->resource.type, q->resource.id);
	to = cedar_request_build(b->rq);
	for (uint32_t i = 0; i < q->n; i++)
		put_field(to, &b->fields.v[q->first + i]);
	return r | cedar_request_context(b->rq);
}

/* --- answers and times ------------------------------------------------------------------------ */

static bool answered_right(struct bench *b, const struct question *q)
{
	struct cedar_answer a;

	if (bind(b, q) < 0 || b->decide(b->rq, &a) < 0)
		return false;
	return same_decision(json_get(q->json, "decision"), &a) &&
	       (b->decide == cedar_decide ||
		(same_reasons(b->s, json_get(q->json, "reason"), &a) &&
		 same_errors(b->s, json_get(q->json, "errors"), &a)));
}

struct times {
	uint64_t count[BUCKETS], n;
};

static void times_add(struct times *t, uint64_t ticks_taken)
{
	t->count[ticks_taken < BUCKETS ? ticks_taken : BUCKETS - 1]++;
	t->n++;
}

static double times_p50(const struct times *t, double scale)
{
	uint64_t seen = 0;

	for (uint32_t i = 0; i < BUCKETS; i++) {
		seen += t->count[i];
		if (seen * 2 >= t->n)
			return i * scale;
	}
	return 0;
}

static int by_double(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void measure(struct bench *b, unsigned rounds, double scale, double *ret_p50,
		    double *ret_mean, double *ret_bind)
{
	struct times *decide = calloc(1, sizeof(*decide)), *binding = calloc(1, sizeof(*binding));
	double *mean = calloc(rounds, sizeof(*mean));
	struct cedar_answer a;

	if (!decide || !binding || !mean)
		exit(1);
	for (unsigned k = 0; k < rounds; k++) {
		uint64_t sum = 0;

		for (uint32_t i = 0; i < b->questions.n; i++) {
			uint64_t t0 = ticks(), t1, t2;

			if (bind(b, &b->questions.v[i]) < 0)
				exit(1);
			t1 = ticks();
			if (b->decide(b->rq, &a) < 0)
				exit(1);
			t2 = ticks();
			times_add(binding, t1 - t0);
			times_add(decide, t2 - t1);
			sum += t2 - t1;
		}
		mean[k] = (double)sum * scale / b->questions.n;
	}
	qsort(mean, rounds, sizeof(*mean), by_double);
	*ret_p50 = times_p50(decide, scale);
	*ret_mean = mean[rounds / 2];
	*ret_bind = times_p50(binding, scale);
	free(decide);
	free(binding);
	free(mean);
}

static double clock_cost(double scale)
{
	struct times *t = calloc(1, sizeof(*t));
	double p50;

	if (!t)
		exit(1);
	for (unsigned i = 0; i < 100000; i++) {
		uint64_t t0 = ticks();

		times_add(t, ticks() - t0);
	}
	p50 = times_p50(t, scale);
	free(t);
	return p50;
}

/* --- loading ---------------------------------------------------------------------------------- */

/* Processor time, with what the kernel does for the process: loading takes long enough to be
 * interrupted by others. */
static uint64_t cpu_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static double best_of(unsigned n, bool (*load)(struct span), struct span text)
{
	double best = 0;

	for (unsigned i = 0; i < n; i++) {
		uint64_t t0 = cpu_ns();
		double took;

		if (!load(text))
			exit(1);
		took = (double)(cpu_ns() - t0);
		if (i == 0 || took < best)
			best = took;
	}
	return best;
}

static bool parse_and_compile(struct span text)
{
	_cleanup_(cedar_policies_free_p) struct cedar_policies *ps = NULL;
	_cleanup_(cedar_snapshot_unref_p) struct cedar_snapshot *s = NULL;
	struct cedar_errors errors;
	struct cedar_error error;

	return cedar_policies_new(&ps) == 0 && cedar_policies_add(ps, "", text, &errors) == 0 &&
	       cedar_snapshot_new(ps, NULL, &error, &s) == 0;
}

static bool parse_only(struct span text)
{
	_cleanup_(cedar_policies_free_p) struct cedar_policies *ps = NULL;
	struct cedar_errors errors;

	return cedar_policies_new(&ps) == 0 && cedar_policies_add(ps, "", text, &errors) == 0;
}

static bool load_entities_json(struct span text)
{
	_cleanup_(cedar_policies_free_p) struct cedar_policies *ps = NULL;
	_cleanup_(cedar_entities_free_p) struct cedar_entities *es = NULL;
	_cleanup_(cedar_snapshot_unref_p) struct cedar_snapshot *s = NULL;
	struct cedar_error error;

	return cedar_policies_new(&ps) == 0 && cedar_entities_new(&es) == 0 &&
	       cedar_entities_add_json(es, text, &error) == 0 &&
	       cedar_snapshot_new(ps, es, &error, &s) == 0;
}

static int measure_loading(struct span policies, struct span entities)
{
	double parse = best_of(5, parse_only, policies);
	double all = best_of(5, parse_and_compile, policies);
	double es = best_of(5, load_entities_json, entities);

	printf("policies %.2f MB: parse %.0f MB/s, with compiling %.0f MB/s (%.2f ms); entities %.2f MB: "
	       "%.2f ms with ancestors (%.0f MB/s); processor time, best of 5\n", (double)policies.n / 1e6,
	       (double)policies.n * 1e3 / parse, (double)policies.n * 1e3 / all, all / 1e6,
	       (double)entities.n / 1e6, es / 1e6, (double)entities.n * 1e3 / es);
	return 0;
}

/* --- main ------------------------------------------------------------------------------------- */

struct options {
	const char *policies, *entities, *schema, *requests;
	bool decide, load;
	unsigned rounds;
};

static struct options parse_options(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "policies", required_argument, NULL, 'p' }, { "entities", required_argument, NULL, 'e' },
		{ "schema", required_argument, NULL, 's' },   { "requests", required_argument, NULL, 'r' },
		{ "rounds", required_argument, NULL, 'n' },   { "decide", no_argument, NULL, 'd' },
		{ "load", no_argument, NULL, 'l' },	      { 0 }
	};
	struct options o = { .rounds = ROUNDS_DEFAULT };
	int c;

	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		switch (c) {
		case 'p':
			o.policies = optarg;
			break;
		case 'e':
			o.entities = optarg;
			break;
		case 's':
			o.schema = optarg;
			break;
		case 'r':
			o.requests = optarg;
			break;
		case 'n':
			o.rounds = (unsigned)atoi(optarg);
			break;
		case 'd':
			o.decide = true;
			break;
		case 'l':
			o.load = true;
			break;
		default:
			exit(2);
		}
	}
	if (!o.policies || !o.entities || (!o.requests && !o.load) || o.rounds == 0) {
		fprintf(stderr, "usage: %s --policies F --entities F [--schema F] --requests F [--decide] "
				"[--rounds N]\n       %s --policies F [--schema F] --entities F --load\n", argv[0], argv[0]);
		exit(2);
	}
	return o;
}

static struct cedar_snapshot *load_snapshot(const struct options *o)
{
	_cleanup_(cedar_policies_free_p) struct cedar_policies *ps = NULL;
	_cleanup_(cedar_entities_free_p) struct cedar_entities *es = NULL;
	_cleanup_(cedar_schema_free_p) struct cedar_schema *schema = NULL;
	struct cedar_snapshot *s = NULL;

	if (!load_policies(o->policies, &ps) || (o->schema && !load_schema(o->schema, &schema)) ||
	    !load_entity_file(o->entities, schema, &es) || !make_snapshot(o->policies, ps, es, &s))
		exit(1);
	return s;
}

/* Strict validation of parsed policies. */
static void measure_validation(const char *policies, const char *schema)
{
	_cleanup_(cedar_policies_free_p) struct cedar_policies *ps = NULL;
	_cleanup_(cedar_schema_free_p) struct cedar_schema *s = NULL;
	double best = 0;
	size_t errors = 0;

	if (!load_policies(policies, &ps) || !load_schema(schema, &s))
		exit(1);
	for (unsigned i = 0; i < 5; i++) {
		_cleanup_(cedar_findings_free_p) struct cedar_findings *f = NULL;
		uint64_t t0 = now_ns();
		double took;

		if (cedar_validate(s, ps, NULL, &f) < 0)
			exit(1);
		took = (double)(now_ns() - t0);
		errors = cedar_findings_errors(f);
		if (i == 0 || took < best)
			best = took;
	}
	printf("policies %zu: strict validation %.2f ms, errors %zu\n", cedar_policies_count(ps),
	       best / 1e6, errors);
}

static int load_mode(const struct options *o)
{
	_cleanup_buf_ struct buf policies = { 0 }, entities = { 0 };

	if (!load_file(o->policies, &policies) || !load_file(o->entities, &entities))
		return 1;
	if (o->schema)
		measure_validation(o->policies, o->schema);
	return measure_loading(buf_span(&policies), buf_span(&entities));
}

int main(int argc, char **argv)
{
	struct options o = parse_options(argc, argv);
	_cleanup_(arena_done) struct arena mem = { 0 };
	_cleanup_buf_ struct buf text = { 0 };
	struct bench b = { .decide = o.decide ? cedar_decide : cedar_authorize };
	double scale = ns_per_tick(), p50, mean, binding;
	unsigned mismatches = 0;
	struct json all;

	if (o.load)
		return load_mode(&o);
	b.s = load_snapshot(&o);
	if (cedar_request_new(0, &b.rq) < 0 || !load_json(o.requests, &mem, &text, &all))
		return 1;
	take_questions(&b, &all);
	for (uint32_t i = 0; i < b.questions.n; i++)
		mismatches += !answered_right(&b, &b.questions.v[i]);
	measure(&b, o.rounds, scale, &p50, &mean, &binding);
	fprintf(stderr, "clock %.0f ns, contained in each figure\n", clock_cost(scale));
	printf("policies %zu, requests %u, mismatches %u, p50 %.0f ns, mean %.0f ns, bind %.0f ns\n",
	       cedar_snapshot_policies(b.s), b.questions.n, mismatches, p50, mean, binding);
	cedar_request_free(b.rq);
	cedar_snapshot_unref(b.s);
	free(b.fields.v);
	free(b.questions.v);
	return mismatches > 0;
}
