// SPDX-License-Identifier: Apache-2.0
/* Decisions over sets of policies: index, reasons, errors, unknowns, entities of the request,
 * limits. */
#include "policy/cedar.h"

#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "user/base/buf.h"

static struct cedar_snapshot *compile(const char *text, struct cedar_entities *es)
{
	_cleanup_(cedar_policies_free_p) struct cedar_policies *ps = NULL;
	struct cedar_snapshot *s = NULL;
	struct cedar_errors errors;
	struct cedar_error error;

	assert_int_equal(cedar_policies_new(&ps), 0);
	if (cedar_policies_add(ps, "test", span_of(text), &errors) < 0)
		fail_msg("%s", errors.e[0].message);
	assert_int_equal(cedar_snapshot_new(ps, es, &error, &s), 0);
	return s;
}

static void begin(struct cedar_request *rq, struct cedar_snapshot *s, const char *p, const char *a,
		  const char *r)
{
	assert_int_equal(cedar_request_begin(rq, s), 0);
	assert_int_equal(cedar_request_principal(rq, SPAN("P"), span_of(p)), 0);
	assert_int_equal(cedar_request_action(rq, SPAN("Action"), span_of(a)), 0);
	assert_int_equal(cedar_request_resource(rq, SPAN("R"), span_of(r)), 0);
}

static void decides(void **state)
{
	static const struct {
		const char *text;
		enum cedar_decision decision;
		size_t reasons, failures;
		bool forbid_failed;
	} cases[] = {
		{ "", CEDAR_DENY, 0, 0, false },
		{ "permit(principal,action,resource);", CEDAR_ALLOW, 1, 0, false },
		{ "permit(principal,action,resource);permit(principal,action,resource);",
		  CEDAR_ALLOW, 2, 0, false },
		{ "permit(principal,action,resource);forbid(principal,action,resource);",
		  CEDAR_DENY, 1, 0, false },
		{ "permit(principal,action,resource);forbid(principal,action,resource) when {false};",
		  CEDAR_ALLOW, 1, 0, false },
		{ "permit(principal,action,resource);forbid(principal,action,resource) when {1};",
		  CEDAR_ALLOW, 1, 1, true },
		{ "permit(principal,action,resource) when {context.x};", CEDAR_DENY, 0, 1, false },
		{ "permit(principal == P::\"q\",action,resource) when {context.x};", CEDAR_DENY, 0,
		  0, false },
		{ "permit(principal,action,resource) when {false} when {context.x};", CEDAR_DENY, 0,
		  0, false },
		{ "permit(principal,action,resource) unless {false || false} unless {!(true || context.x)};",
		  CEDAR_ALLOW, 1, 0, false },
		{ "permit(principal,action,resource) when {!(false || false)} unless {!(!(false || true))};",
		  CEDAR_DENY, 0, 0, false },
	};
	_cleanup_(cedar_request_free_p) struct cedar_request *rq = NULL;

	assert_int_equal(cedar_request_new(0, &rq), 0);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_(cedar_snapshot_unref_p) struct cedar_snapshot *s =
			compile(cases[i].text, NULL);
		struct cedar_answer a;

		begin(rq, s, "p", "a", "r");
		assert_int_equal(cedar_authorize(rq, &a), 0);
		if (a.decision != cases[i].decision)
			print_message("%s\n", cases[i].text);
		assert_int_equal(a.decision, cases[i].decision);
		assert_int_equal(a.n_reasons, cases[i].reasons);
		assert_int_equal(a.n_failures, cases[i].failures);
		assert_int_equal(a.forbid_failed, cases[i].forbid_failed);
		assert_int_equal(a.n_depending, 0);
	}
}

static void incomplete_requests(void **state)
{
	_cleanup_(cedar_snapshot_unref_p) struct cedar_snapshot *s =
		compile("permit(principal,action,resource);", NULL);
	_cleanup_(cedar_request_free_p) struct cedar_request *rq = NULL;
	struct cedar_answer a = { .n_reasons = 77 };

	assert_int_equal(cedar_request_new(0, &rq), 0);
	assert_int_equal(cedar_authorize(rq, &a), -EINVAL);
	assert_int_equal(cedar_request_principal(rq, SPAN("P"), SPAN("p")), -EINVAL);
	assert_int_equal(cedar_request_begin(rq, s), 0);
	assert_int_equal(cedar_request_principal(rq, SPAN("P"), SPAN("p")), 0);
	assert_int_equal(cedar_authorize(rq, &a), -EINVAL);
	assert_int_equal(cedar_request_principal(rq, SPAN("P :: P"), SPAN("p")), -EINVAL);
	assert_int_equal(a.n_reasons, 77);
	begin(rq, s, "p", "a", "r");
	cedar_put_long(cedar_request_build(rq), 1);
	assert_int_equal(cedar_request_context(rq), -EINVAL);
	assert_int_equal(cedar_authorize(rq, &a), 0);
	/* a new request starts empty */
	assert_int_equal(cedar_request_begin(rq, s), 0);
	assert_int_equal(cedar_authorize(rq, &a), -EINVAL);
}

static void answers_name_policies(void **state)
{
	_cleanup_(cedar_snapshot_unref_p) struct cedar_snapshot *s = compile(
		"permit(principal,action,resource) when {false};\n\n  @id(\"x\") @empty\nforbid(principal,action,resource);",
		NULL);
	struct cedar_policy_info info;

	assert_int_equal(cedar_snapshot_policies(s), 2);
	cedar_snapshot_policy(s, 1, &info);
	assert_string_equal(info.id, "policy1");
	assert_string_equal(info.text_name, "test");
	assert_int_equal(info.effect, CEDAR_FORBID);
	assert_int_equal(info.line, 3);
	assert_int_equal(info.column, 3);
	assert_string_equal(cedar_snapshot_annotation(s, 1, "id"), "x");
	assert_string_equal(cedar_snapshot_annotation(s, 1, "empty"), "");
	assert_null(cedar_snapshot_annotation(s, 1, "nope"));
	assert_null(cedar_snapshot_annotation(s, 0, "id"));
	assert_null(cedar_snapshot_annotation(s, 9, "id"));
}

/* --- the index against a plain reading of the scopes ------------------------------------------ */

#define N 6 /* entities of each kind: e0 .. e5, of which e(i) may have parents e(j), j > i */

struct world {
	bool p_in[N][N], a_in[N][N], r_in[N][N]; /* reflexive and transitive */
	struct cedar_entities *es;
};

static void make_kind(struct world *w, const char *type, bool in[N][N])
{
	char id[8];

	memset(in, 0, sizeof(bool) * N * N);
	for (int i = N - 1; i >= 0; i--) {
		in[i][i] = true;
		snprintf(id, sizeof(id), "e%d", i);
		assert_int_equal(cedar_entities_begin(w->es, span_of(type), span_of(id)), 0);
		for (int k = i + 1; k < N; k++) {
			if (rand() % 3)
				continue;
			snprintf(id, sizeof(id), "e%d", k);
			assert_int_equal(cedar_entities_parent(w->es, span_of(type), span_of(id)),
					 0);
			for (int j = 0; j < N; j++)
				in[i][j] |= in[k][j];
		}
	}
}

/* One side's scope as text, and which of the N satisfy it. */
static void random_scope(struct buf *b, const char *var, const char *type, bool in[N][N],
			 bool holds[N])
{
	int k = rand() % N, op = rand() % 5;

	buf_append_str(b, var);
	if (op >= 3)
		buf_printf(b, " is %s", rand() % 4 ? type : "Other");
	if (op == 1)
		buf_printf(b, " == %s::\"e%d\"", type, k);
	if (op == 2 || op == 4)
		buf_printf(b, " in %s::\"e%d\"", type, k);
	for (int i = 0; i < N; i++)
		holds[i] = op == 0 || op == 3 || (op == 1 ? i == k : in[i][k]);
	if (op >= 3 && strstr(b->data + b->start, "Other"))
		memset(holds, 0, N);
}

static void random_action(struct buf *b, bool in[N][N], bool holds[N])
{
	int op = rand() % 4, k = rand() % N, n = rand() % 4;

	buf_append_str(b, "action");
	memset(holds, op == 0, N);
	if (op == 1)
		buf_printf(b, " == Action::\"e%d\"", k);
	if (op == 2)
		buf_printf(b, " in Action::\"e%d\"", k);
	for (int i = 0; i < N && (op == 1 || op == 2); i++)
		holds[i] = op == 1 ? i == k : in[i][k];
	if (op != 3)
		return;
	buf_append_str(b, " in [");
	for (int i = 0; i < n; i++) {
		k = rand() % N;
		buf_printf(b, "Action::\"e%d\",", k);
		for (int j = 0; j < N; j++)
			holds[j] |= in[j][k];
	}
	buf_append_str(b, "]");
}

#define POLICIES 40

static void index_agrees_with_scopes(void **state)
{
	_cleanup_(cedar_request_free_p) struct cedar_request *rq = NULL;
	bool p[POLICIES][N], a[POLICIES][N], r[POLICIES][N];

	assert_int_equal(cedar_request_new(0, &rq), 0);
	srand(4);
	for (int round = 0; round < 40; round++) {
		_cleanup_(cedar_entities_free_p) struct cedar_entities *es = NULL;
		_cleanup_(cedar_snapshot_unref_p) struct cedar_snapshot *s = NULL;
		_cleanup_buf_ struct buf text = { 0 };
		struct world w;

		assert_int_equal(cedar_entities_new(&es), 0);
		w.es = es;
		make_kind(&w, "P", w.p_in);
		make_kind(&w, "Action", w.a_in);
		make_kind(&w, "R", w.r_in);
		for (int i = 0; i < POLICIES; i++) {
			_cleanup_buf_ struct buf side = { 0 };

			random_scope(&side, "principal", "P", w.p_in, p[i]);
			buf_printf(&text, "permit(%s,", buf_cstr(&side));
			random_action(&text, w.a_in, a[i]);
			buf_clear(&side);
			random_scope(&side, "resource", "R", w.r_in, r[i]);
			buf_printf(&text, ",%s);\n", buf_cstr(&side));
		}
		s = compile(buf_cstr(&text), es);
		for (int q = 0; q < N * N * N; q++) {
			int qp = q % N, qa = q / N % N, qr = q / N / N;
			struct cedar_answer ans;
			char id[3][8];
			size_t want = 0, found = 0;

			snprintf(id[0], 8, "e%d", qp);
			snprintf(id[1], 8, "e%d", qa);
			snprintf(id[2], 8, "e%d", qr);
			begin(rq, s, id[0], id[1], id[2]);
			assert_int_equal(cedar_authorize(rq, &ans), 0);
			for (uint32_t i = 0; i < POLICIES; i++) {
				want += p[i][qp] && a[i][qa] && r[i][qr];
				for (size_t k = 0; k < ans.n_reasons; k++)
					found += ans.reasons[k] == i && p[i][qp] && a[i][qa] &&
						 r[i][qr];
			}
			assert_int_equal(ans.n_reasons, want);
			assert_int_equal(found, want);
		}
	}
}

/* --- unknown values --------------------------------------------------------------------------- */

static void unknowns(void **state)
{
	static const struct {
		const char *text;
		enum cedar_decision decision;
		size_t depending;
	} cases[] = {
		{ "permit(principal,action,resource) when {context.u};", CEDAR_DEPENDS, 1 },
		{ "permit(principal,action,resource) when {context.u == 1 && false};", CEDAR_DENY,
		  0 },
		{ "permit(principal,action,resource) when {context.u == 1 && context.nope};",
		  CEDAR_DENY, 0 },
		{ "permit(principal,action,resource) when {context.nope && context.u == 1};",
		  CEDAR_DENY, 0 },
		{ "permit(principal,action,resource); permit(principal,action,resource) when {context.u};",
		  CEDAR_ALLOW, 1 },
		{ "permit(principal,action,resource); forbid(principal,action,resource) when {context.u};",
		  CEDAR_DEPENDS, 1 },
		{ "permit(principal,action,resource) when {context.u}; forbid(principal,action,resource);",
		  CEDAR_DENY, 1 },
		{ "forbid(principal,action,resource) when {context.u};", CEDAR_DENY, 1 },
		{ "permit(principal,action,resource) when {context.k == 1 || context.u};",
		  CEDAR_ALLOW, 0 },
		{ "permit(principal,action,resource) when {context has u && !(context has v)};",
		  CEDAR_ALLOW, 0 },
		{ "permit(principal,action,resource) when {context has u.x};", CEDAR_DEPENDS, 1 },
		{ "permit(principal,action,resource) when {[context].isEmpty()};", CEDAR_DEPENDS,
		  1 },
		{ "permit(principal,action,resource) when {context == {k: 1}};", CEDAR_DEPENDS, 1 },
		{ "permit(principal,action,resource) when {(if true then context else context).k == 1};",
		  CEDAR_DEPENDS, 1 },
		{ "permit(principal,action,resource) when {(context).k == 1};", CEDAR_ALLOW, 0 },
	};
	_cleanup_(cedar_request_free_p) struct cedar_request *rq = NULL;

	assert_int_equal(cedar_request_new(0, &rq), 0);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_(cedar_snapshot_unref_p) struct cedar_snapshot *s =
			compile(cases[i].text, NULL);
		struct cedar_build *b;
		struct cedar_answer a;

		begin(rq, s, "p", "a", "r");
		b = cedar_request_build(rq);
		cedar_open_record(b);
		cedar_key(b, SPAN("u"));
		cedar_put_unknown(b);
		cedar_key(b, SPAN("k"));
		cedar_put_long(b, 1);
		cedar_close(b);
		assert_int_equal(cedar_request_context(rq), 0);
		assert_int_equal(cedar_authorize(rq, &a), 0);
		if (a.decision != cases[i].decision || a.n_depending != cases[i].depending)
			print_message("%s: %d %zu\n", cases[i].text, a.decision, a.n_depending);
		assert_int_equal(a.decision, cases[i].decision);
		assert_int_equal(a.n_depending, cases[i].depending);
	}
}

/* --- entities of the request ------------------------------------------------------------------ */

static void told_entities(void **state)
{
	static const char text[] =
		"permit(principal in P::\"top\", action in Action::\"group\", resource is R in R::\"root\")"
		" when { resource.size == 3 && resource in R::\"mid\" && context.other in R::\"new\" };";
	_cleanup_(cedar_entities_free_p) struct cedar_entities *es = NULL;
	_cleanup_(cedar_snapshot_unref_p) struct cedar_snapshot *s = NULL;
	_cleanup_(cedar_request_free_p) struct cedar_request *rq = NULL;
	struct cedar_uid top = { SPAN("P"), SPAN("top") },
			 group = { SPAN("Action"), SPAN("group") };
	struct cedar_uid mid = { SPAN("R"), SPAN("mid") }, fresh = { SPAN("R"), SPAN("new") };
	struct cedar_uid self[] = { { SPAN("P"), SPAN("p") },
				    { SPAN("Action"), SPAN("a") },
				    { SPAN("R"), SPAN("r") },
				    { SPAN("R"), SPAN("child") } };
	struct cedar_build *b;
	struct cedar_answer a;

	assert_int_equal(cedar_entities_new(&es), 0);
	assert_int_equal(cedar_entities_begin(es, mid.type, mid.id), 0);
	assert_int_equal(cedar_entities_parent(es, SPAN("R"), SPAN("root")), 0);
	s = compile(text, es);
	assert_int_equal(cedar_request_new(0, &rq), 0);
	for (int told = 0; told < 2; told++) {
		begin(rq, s, "p", "a", "r");
		if (told) {
			assert_int_equal(cedar_request_entity(rq, self[0], false, &top, 1), 0);
			assert_int_equal(cedar_request_entity(rq, self[0], false, &top, 1),
					 -EEXIST);
			assert_int_equal(cedar_request_entity(rq, mid, false, NULL, 0), -EEXIST);
			assert_int_equal(cedar_request_entity(rq, self[1], false, &group, 1), 0);
			b = cedar_request_build(rq);
			cedar_open_record(b);
			cedar_key(b, SPAN("size"));
			cedar_put_long(b, 3);
			cedar_close(b);
			assert_int_equal(cedar_request_entity(rq, self[2], true, &mid, 1), 0);
			assert_int_equal(cedar_request_entity(rq, self[3], false, &fresh, 1), 0);
		}
		b = cedar_request_build(rq);
		cedar_open_record(b);
		cedar_key(b, SPAN("other"));
		cedar_put_entity(b, SPAN("R"), SPAN("child"));
		cedar_close(b);
		assert_int_equal(cedar_request_context(rq), 0);
		assert_int_equal(cedar_authorize(rq, &a), 0);
		assert_int_equal(a.decision, told ? CEDAR_ALLOW : CEDAR_DENY);
	}
	assert_int_equal(cedar_request_entity(rq, (struct cedar_uid){ SPAN("bad name"), SPAN("") },
					      false, NULL, 0),
			 -EINVAL);
	for (int i = 0; i < CEDAR_REQUEST_ENTITIES_MAX - 4; i++) {
		static const char ids[] = "0123456789";
		struct cedar_uid uid = { SPAN("X"), { ids + i, 1 } };

		assert_int_equal(cedar_request_entity(rq, uid, false, NULL, 0), 0);
	}
	assert_int_equal(cedar_request_entity(rq, (struct cedar_uid){ SPAN("X"), SPAN("y") }, false,
					      NULL, 0),
			 -ENOSPC);
}

/* --- limits and memory ------------------------------------------------------------------------ */

static void memory_limit(void **state)
{
	_cleanup_buf_ struct buf text = { 0 };
	_cleanup_(cedar_snapshot_unref_p) struct cedar_snapshot *s = NULL;
	_cleanup_(cedar_request_free_p) struct cedar_request *rq = NULL;
	struct cedar_build *b;
	struct cedar_answer a;

	buf_append_str(&text, "permit(principal,action,resource) when { [");
	for (int i = 0; i < 5000; i++)
		buf_append_str(&text, "context.s,");
	buf_append_str(&text, "].isEmpty() };");
	s = compile(buf_cstr(&text), NULL);
	assert_int_equal(cedar_request_new(65536, &rq), 0);
	begin(rq, s, "p", "a", "r");
	b = cedar_request_build(rq);
	cedar_open_record(b);
	cedar_key(b, SPAN("s"));
	cedar_open_set(b);
	for (int i = 0; i < 1000000; i++)
		cedar_put_long(b, i);
	cedar_close(b);
	cedar_close(b);
	assert_int_equal(cedar_request_context(rq), -ENOSPC);
	/* what the policy builds counts too: an error for the caller, never a decision */
	begin(rq, s, "p", "a", "r");
	b = cedar_request_build(rq);
	cedar_open_record(b);
	cedar_key(b, SPAN("s"));
	cedar_put_long(b, 1);
	cedar_close(b);
	assert_int_equal(cedar_request_context(rq), 0);
	assert_int_equal(cedar_authorize(rq, &a), -ENOSPC);
}

/* The deepest text that parses also compiles and runs, on an ordinary stack. */
static void deepest_nesting(void **state)
{
	static const char open[] = "true && false || !!!!(", close[] = " == true)";
	_cleanup_(cedar_snapshot_unref_p) struct cedar_snapshot *s = NULL;
	_cleanup_(cedar_request_free_p) struct cedar_request *rq = NULL;
	_cleanup_buf_ struct buf text = { 0 };
	struct cedar_answer a;

	buf_append_str(&text, "permit(principal,action,resource) when { ");
	for (int i = 0; i < CEDAR_NESTING_MAX - 1; i++)
		buf_append_str(&text, open);
	buf_append_str(&text, "principal == P::\"p\"");
	for (int i = 0; i < CEDAR_NESTING_MAX - 1; i++)
		buf_append_str(&text, i ? close : ")");
	buf_append_str(&text, " };");
	s = compile(buf_cstr(&text), NULL);
	assert_int_equal(cedar_request_new(0, &rq), 0);
	begin(rq, s, "p", "a", "r");
	assert_int_equal(cedar_authorize(rq, &a), 0);
	assert_int_equal(a.n_failures, 0);
	assert_int_equal(a.decision, CEDAR_ALLOW);
}

/* Sets that an agent chose must not make a decision quadratic: 2 * 100,000 elements, in well under
 * a second. */
static void large_sets(void **state)
{
	_cleanup_(cedar_snapshot_unref_p) struct cedar_snapshot *s = compile(
		"permit(principal,action,resource) when { context.a.containsAll(context.b) && !context.a.containsAny(context.c)"
		" && context.a != context.b };",
		NULL);
	static const char *const keys[] = { "a", "b", "c" };
	_cleanup_(cedar_request_free_p) struct cedar_request *rq = NULL;
	struct cedar_build *b;
	struct cedar_answer a;

	assert_int_equal(cedar_request_new(64 << 20, &rq), 0);
	begin(rq, s, "p", "a", "r");
	b = cedar_request_build(rq);
	cedar_open_record(b);
	for (int i = 0; i < 3; i++) {
		cedar_key(b, span_of(keys[i]));
		cedar_open_set(b);
		for (int k = 0; k < 100000; k++)
			cedar_put_long(b, i == 2 ? -1 - k : k * (i + 1) % 100000);
		cedar_close(b);
	}
	cedar_close(b);
	assert_int_equal(cedar_request_context(rq), 0);
	assert_int_equal(cedar_authorize(rq, &a), 0);
	assert_int_equal(a.decision, CEDAR_ALLOW);
}

static size_t heap_used(void)
{
#if defined(__SANITIZE_ADDRESS__)
	return 0; /* the sanitizer's allocator does not count */
#else
	return mallinfo2().uordblks;
#endif
}

static void ask(struct cedar_request *rq, struct cedar_snapshot *s, int i)
{
	struct cedar_build *b;
	struct cedar_answer a;

	begin(rq, s, i % 2 ? "e0" : "stranger", "a", i % 3 ? "r" : "other");
	b = cedar_request_build(rq);
	cedar_open_record(b);
	cedar_key(b, SPAN("path"));
	cedar_put_string(b, SPAN("/srv/x"));
	cedar_key(b, SPAN("list"));
	cedar_open_set(b);
	for (int k = 0; k < 30; k++)
		cedar_put_long(b, (k * 7) % 30);
	cedar_close(b);
	cedar_close(b);
	assert_int_equal(cedar_request_context(rq), 0);
	assert_int_equal(cedar_authorize(rq, &a), 0);
	assert_int_equal(a.decision, i % 2 ? CEDAR_ALLOW : CEDAR_DENY);
	assert_int_equal(a.n_failures, 1);
}

static const char busy[] =
	"permit(principal == P::\"e0\",action,resource) when { context.path like \"/srv/*\" && context.list.contains(29) };"
	"permit(principal,action,resource) when { {a: [context.path, 1]}.a.containsAll([\"/srv/x\", 2]) };"
	"forbid(principal,action,resource) when { context.nope };"
	"forbid(principal,action,resource) when { ip(\"10.0.0.1\").isInRange(ip(\"11.0.0.0/8\")) };";

static void decisions_do_not_allocate(void **state)
{
	_cleanup_(cedar_snapshot_unref_p) struct cedar_snapshot *s = compile(busy, NULL);
	_cleanup_(cedar_request_free_p) struct cedar_request *rq = NULL;
	size_t before;

	assert_int_equal(cedar_request_new(0, &rq), 0);
	for (int i = 0; i < 12; i++)
		ask(rq, s, i);
	before = heap_used();
	for (int i = 0; i < 1000; i++)
		ask(rq, s, i);
	assert_int_equal(heap_used(), before);
}

static void *reader(void *arg)
{
	_cleanup_(cedar_request_free_p) struct cedar_request *rq = NULL;

	if (cedar_request_new(0, &rq) < 0)
		return NULL;
	for (int i = 0; i < 2000; i++)
		ask(rq, arg, i);
	return arg;
}

static void readers_share_a_snapshot(void **state)
{
	struct cedar_snapshot *s = compile(busy, NULL);
	pthread_t t[4];

	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&t[i], NULL, reader, s), 0);
	for (int i = 0; i < 4; i++) {
		void *done = NULL;

		pthread_join(t[i], &done);
		assert_ptr_equal(done, s);
	}
	cedar_snapshot_unref(s);
}

/* A request object outlives the snapshots it is bound to, of different sizes, in any order. */
static void rebinding(void **state)
{
	struct cedar_snapshot *s[2] = { compile(busy, NULL),
					compile("permit(principal,action,resource);", NULL) };
	_cleanup_(cedar_request_free_p) struct cedar_request *rq = NULL;
	struct cedar_answer a;

	assert_int_equal(cedar_request_new(0, &rq), 0);
	for (int i = 0; i < 20; i++) {
		begin(rq, s[i % 2], "e0", "a", "r");
		assert_int_equal(cedar_authorize(rq, &a), 0);
		assert_int_equal(a.decision, i % 2 ? CEDAR_ALLOW : CEDAR_DENY);
	}
	cedar_snapshot_unref(s[0]);
	cedar_snapshot_unref(s[1]);
	assert_int_equal(cedar_authorize(rq, &a), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(decides),
		cmocka_unit_test(incomplete_requests),
		cmocka_unit_test(answers_name_policies),
		cmocka_unit_test(index_agrees_with_scopes),
		cmocka_unit_test(unknowns),
		cmocka_unit_test(told_entities),
		cmocka_unit_test(memory_limit),
		cmocka_unit_test(deepest_nesting),
		cmocka_unit_test(large_sets),
		cmocka_unit_test(decisions_do_not_allocate),
		cmocka_unit_test(readers_share_a_snapshot),
		cmocka_unit_test(rebinding),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
