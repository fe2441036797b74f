// SPDX-License-Identifier: Apache-2.0
/*
 * The ways to one answer: programs and the machine policy by policy, with and without memory of what
 * was asked, the whole answer and the decision alone, one by one and in a batch. Random policies and
 * requests must get the same from all. And a decision allocates nothing and calls nobody.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "policy/request.h"
#include "user/base/buf.h"

#define SETS 150
#define REQUESTS 20
#define LIST_MAX 200

#if defined(__SANITIZE_ADDRESS__)
#define COUNTS_ALLOCATIONS 0
#else
#define COUNTS_ALLOCATIONS 1
static size_t allocations, fail_at = SIZE_MAX; /* that allocation, counted from 0, fails */

void *__libc_malloc(size_t n);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t n);

void *malloc(size_t n)
{
	return allocations++ == fail_at ? NULL : __libc_malloc(n);
}

void *calloc(size_t n, size_t size)
{
	return allocations++ == fail_at ? NULL : __libc_calloc(n, size);
}

void *realloc(void *p, size_t n)
{
	return allocations++ == fail_at ? NULL : __libc_realloc(p, n);
}
#endif

static uint64_t state;

static unsigned below(unsigned n)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (unsigned)(state >> 11) % n;
}

/* --- policies --------------------------------------------------------------------------------- */

static void add_scope(struct buf *b, const char *var, const char *type, const char *group)
{
	switch (below(6)) {
	case 0:
		buf_printf(b, "%s == %s::\"%u\"", var, type, below(6));
		break;
	case 1:
		buf_printf(b, "%s in %s::\"%u\"", var, group, below(8));
		break;
	case 2:
		buf_printf(b, "%s is %s", var, type);
		break;
	case 3:
		buf_printf(b, "%s is %s in %s::\"%u\"", var, type, group, below(8));
		break;
	default:
		buf_append_str(b, var);
	}
}

static void add_action(struct buf *b)
{
	switch (below(5)) {
	case 0:
		buf_printf(b, "action == Action::\"%u\"", below(4));
		break;
	case 1:
		buf_printf(b, "action in Action::\"all\"");
		break;
	case 2:
		buf_printf(b, "action in [Action::\"%u\", Action::\"%u\"]", below(4), below(4));
		break;
	default:
		buf_append_str(b, "action");
	}
}

static void add_condition(struct buf *b, unsigned depth);

static void add_like(struct buf *b)
{
	static const char *const patterns[] = { "*", "a*", "*a", "*a%*", "a%*", "*%", "a%", "a*%*",
						"*a*b*", "" };
	buf_append_str(b, "context.s like \"");
	for (const char *p = patterns[below(ARRAY_SIZE(patterns))]; *p; p++) {
		if (*p == '%')
			buf_printf(b, "%u", below(12));
		else
			buf_append(b, p, 1);
	}
	buf_append_str(b, "\"");
}

static void add_fixed(struct buf *b)
{
	static const char *const of[] = { "resource.owner == principal", "principal in context.e",
					  "context.set.contains(context.s)", "context.n.contains(context.s)",
					  "principal.list.contains(resource)", "context.s in context.n",
					  "context has opt", "principal.hasTag(context.s)" };

	buf_append_str(b, of[below(ARRAY_SIZE(of))]);
}

static void add_simple(struct buf *b)
{
	switch (below(29)) {
	case 0:
		buf_printf(b, "context.s == \"a%u\"", below(12));
		break;
	case 1:
		buf_printf(b, "context.n < %u", below(12));
		break;
	case 2:
		buf_printf(b, "%u <= context.n", below(12));
		break;
	case 3:
	case 4:
	case 5:
		add_like(b);
		break;
	case 6:
	case 7:
		buf_printf(b, "context.set.contains(\"a%u\")", below(12));
		break;
	case 8:
		buf_printf(b, "context.set.containsAny([\"a%u\", \"a%u\"])", below(12), below(12));
		break;
	case 9:
		if (below(2)) /* an operator that wants the set sorted */
			buf_printf(b, "context.set == [\"a%u\", \"a%u\"]", below(12), below(12));
		else
			buf_printf(b, "context.set.containsAll([\"a%u\"])", below(12));
		break;
	case 10:
		buf_printf(b, "[\"a%u\", \"a1\", %u].contains(context.s)", below(12), below(9));
		break;
	case 12:
		buf_printf(b, "context.opt > %u", below(12));
		break;
	case 13:
		buf_printf(b, "principal.level >= %u", below(12));
		break;
	case 16:
		buf_printf(b, "context.ip.isInRange(ip(\"10.0.%u.0/2%u\"))", below(3), below(5));
		break;
	case 17:
		buf_printf(b, "context.e.level == %u", below(3));
		break;
	case 18:
		buf_append_str(b, below(2) ? "principal.flag" : "true");
		break;
	case 19:
		buf_printf(b, "context.n + 9223372036854775%u > 0", 800 + below(8));
		break;
	case 20:
		buf_append_str(b, below(3) ? "resource in principal.list" : below(2) ? "1" : "false");
		break;
	case 21:
		buf_printf(b, "resource in C::\"%u\"", below(8));
		break;
	case 22:
		buf_printf(b, "action == Action::\"%u\"", below(4));
		break;
	case 23:
		buf_printf(b, "R::\"%u\" in C::\"%u\"", below(8), below(8));
		break;
	case 11:
	case 14:
	case 15:
	case 24:
	case 25:
	case 26:
		add_fixed(b);
		break;
	case 27:
		buf_append_str(b, "(");
		add_simple(b);
		buf_append_str(b, below(2) ? " || " : " && ");
		add_simple(b);
		buf_append_str(b, below(2) ? ") == true" : ")");
		break;
	default:
		buf_printf(b, "context.rec == {a: %u}", below(3));
	}
}

static void add_condition(struct buf *b, unsigned depth)
{
	unsigned kind = depth ? below(8) : 7;

	switch (kind) {
	case 0:
	case 1:
	case 2:
		buf_append_str(b, "(");
		add_condition(b, depth - 1);
		buf_append_str(b, kind == 0 ? " || " : " && ");
		add_condition(b, depth - 1);
		buf_append_str(b, ")");
		break;
	case 3:
		buf_append_str(b, "!(");
		add_condition(b, depth - 1);
		buf_append_str(b, ")");
		break;
	case 4:
		buf_append_str(b, "(if ");
		add_condition(b, 0);
		buf_append_str(b, " then ");
		add_condition(b, 0);
		buf_append_str(b, " else ");
		add_condition(b, 0);
		buf_append_str(b, ")");
		break;
	default:
		add_simple(b);
	}
}

/* What nearly always holds, and one threshold behind it: the form of pairs. */
static unsigned favoured; /* of a set: what most of its pairs begin with */

static void add_pair(struct buf *b)
{
	switch (below(4) ? favoured : below(6)) {
	case 0:
		buf_printf(b, "context.s != \"a%u\"", below(12));
		break;
	case 1:
		buf_append_str(b, "!(");
		add_like(b);
		buf_append_str(b, ")");
		break;
	case 2:
		buf_printf(b, "!context.set.contains(\"a%u\")", below(12));
		break;
	case 3:
		buf_printf(b, "context.ip.isInRange(ip(\"10.%u.0.0/1%u\"))", below(2), below(9));
		break;
	default:
		buf_printf(b, "!context.ip.isInRange(ip(\"%s/%u\"))", below(9) ? "10.0.1.0" : "0.0.0.0",
			   below(2) ? 24 : below(33)); /* some with many thresholds */
	}
	buf_append_str(b, " && ");
	if (below(20))
		buf_printf(b, "context.opt > %u", below(12));
	else
		buf_printf(b, "principal.level < %u", below(12));
	if (below(20) == 0)
		buf_append_str(b, " && context.n > 3");
}

/* Half of the sets are wide: many policies that ask the same, which is what makes switches. */
static void add_policy(struct buf *b, bool wide)
{
	buf_append_str(b, below(3) ? "permit(" : "forbid(");
	if (wide && below(8)) {
		buf_append_str(b, "principal, action, resource");
	} else {
		add_scope(b, "principal", "P", "G");
		buf_append_str(b, ", ");
		add_action(b);
		buf_append_str(b, ", ");
		add_scope(b, "resource", "R", "C");
	}
	buf_append_str(b, ")");
	if (wide && below(3) == 0) {
		buf_append_str(b, " when { ");
		if (below(6) == 0)
			buf_printf(b, "context.s == \"a%u\" && ", below(12));
		add_pair(b);
		buf_append_str(b, " };\n");
		return;
	}
	for (unsigned n = below(3); n > 0; n--) {
		buf_append_str(b, below(4) ? " when { " : " unless { ");
		add_condition(b, wide ? 0 : 2);
		for (unsigned k = below(3); k > 0; k--) {
			buf_append_str(b, " && ");
			add_condition(b, wide ? 0 : 2);
		}
		buf_append_str(b, " }");
	}
	buf_append_str(b, ";\n");
}

/* One, or the same several times; returns how many. */
static unsigned add_policies(struct buf *b, bool wide, unsigned most)
{
	unsigned n = below(9) || most < 6 ? 1 : 6;
	_cleanup_buf_ struct buf one = { 0 };

	add_policy(&one, wide);
	for (unsigned i = 0; i < n; i++)
		buf_append(b, buf_span(&one).p, buf_span(&one).n);
	return n;
}

static struct cedar_snapshot *random_snapshot(void)
{
	static const char entities[] =
		"[{\"uid\":{\"type\":\"P\",\"id\":\"0\"},\"attrs\":{\"level\":3,\"flag\":true,\"list\":["
		"{\"__entity\":{\"type\":\"C\",\"id\":\"1\"}}]},\"parents\":[{\"type\":\"G\",\"id\":\"1\"},"
		"{\"type\":\"G\",\"id\":\"2\"}],\"tags\":{\"a1\":1,\"a2\":2}},"
		"{\"uid\":{\"type\":\"P\",\"id\":\"1\"},\"attrs\":{\"level\":8,\"flag\":false,\"list\":[1]},"
		"\"parents\":[{\"type\":\"G\",\"id\":\"3\"},{\"type\":\"P\",\"id\":\"2\"}]},"
		"{\"uid\":{\"type\":\"P\",\"id\":\"2\"},\"attrs\":{\"level\":\"x\"},\"parents\":[]},"
		"{\"uid\":{\"type\":\"G\",\"id\":\"3\"},\"attrs\":{},\"parents\":[{\"type\":\"G\",\"id\":\"4\"}]},"
		"{\"uid\":{\"type\":\"R\",\"id\":\"0\"},\"attrs\":{\"owner\":{\"__entity\":{\"type\":\"P\",\"id\":"
		"\"0\"}}},\"parents\":[{\"type\":\"C\",\"id\":\"1\"},{\"type\":\"C\",\"id\":\"2\"}]},"
		"{\"uid\":{\"type\":\"R\",\"id\":\"1\"},\"attrs\":{\"owner\":7},\"parents\":[{\"type\":\"C\","
		"\"id\":\"3\"}]},"
		"{\"uid\":{\"type\":\"Action\",\"id\":\"0\"},\"attrs\":{},\"parents\":[{\"type\":\"Action\","
		"\"id\":\"all\"}]}]";
	_cleanup_(cedar_policies_free_p) struct cedar_policies *ps = NULL;
	_cleanup_(cedar_entities_free_p) struct cedar_entities *es = NULL;
	_cleanup_buf_ struct buf text = { 0 };
	struct cedar_snapshot *s = NULL;
	unsigned n = 1 + below(LIST_MAX - 1);
	bool wide = below(2);
	struct cedar_errors errors;
	struct cedar_error error;

	favoured = below(6);
	while (n > 0)
		n -= add_policies(&text, wide, n);
	assert_int_equal(cedar_policies_new(&ps), 0);
	assert_int_equal(cedar_entities_new(&es), 0);
	if (cedar_policies_add(ps, "random", buf_span(&text), &errors) < 0)
		fail_msg("%s", errors.e[0].message);
	assert_int_equal(cedar_entities_add_json(es, SPAN(entities), &error), 0);
	assert_int_equal(cedar_snapshot_new(ps, es, &error, &s), 0);
	return s;
}

/* --- requests --------------------------------------------------------------------------------- */

static const char *const digits[] = { "0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11" };
static const char *const words[] = { "a0", "a1", "a2",	"a3",  "a4",  "a5",   "a6",
				     "a7", "a8", "a10", "a11", "xab", "aabb", "" };

static const char *const addresses[] = { "10.0.1.7", "10.0.0.250", "10.0.1.0/24", "10.1.0.0/12",
					 "::1",	     "0.0.0.0/0",  "10.0.1.7/32" };

static struct span word(void)
{
	return span_of(words[below(ARRAY_SIZE(words))]);
}

static void put_or_unknown(struct cedar_build *b, bool unknowns, bool *ret_known)
{
	*ret_known = !unknowns || below(3);
	if (!*ret_known)
		cedar_put_unknown(b);
}

static void put_context(struct cedar_request *rq, bool unknowns)
{
	struct cedar_build *b = cedar_request_build(rq);
	bool known;

	cedar_open_record(b);
	if (below(10)) {
		cedar_key(b, SPAN("s"));
		put_or_unknown(b, unknowns, &known);
		if (known && below(12))
			cedar_put_string(b, word());
		else if (known)
			cedar_put_long(b, 1);
	}
	cedar_key(b, SPAN("n"));
	put_or_unknown(b, unknowns, &known);
	if (known)
		cedar_put_long(b, below(14));
	cedar_key(b, SPAN("set"));
	put_or_unknown(b, unknowns, &known);
	if (known) {
		cedar_open_set(b);
		for (unsigned k = below(5); k > 0; k--)
			cedar_put_string(b, word());
		cedar_close(b);
	}
	if (below(2)) {
		cedar_key(b, SPAN("opt"));
		put_or_unknown(b, unknowns, &known);
		if (known && below(9))
			cedar_put_long(b, below(12));
		else if (known)
			cedar_put_bool(b, true);
	}
	if (below(4)) {
		cedar_key(b, SPAN("e"));
		cedar_put_entity(b, below(2) ? SPAN("P") : SPAN("G"), span_of(digits[below(8)]));
	}
	cedar_key(b, SPAN("ip"));
	put_or_unknown(b, unknowns, &known);
	if (known && below(12))
		cedar_put_ip(b, span_of(addresses[below(ARRAY_SIZE(addresses))]));
	else if (known)
		cedar_put_string(b, word());
	cedar_key(b, SPAN("rec"));
	cedar_open_record(b);
	cedar_key(b, SPAN("a"));
	cedar_put_long(b, below(3));
	cedar_close(b);
	cedar_close(b);
	assert_int_equal(cedar_request_context(rq), 0);
}

static void put_request(struct cedar_request *rq, struct cedar_snapshot *s, bool unknowns)
{
	assert_int_equal(cedar_request_begin(rq, s), 0);
	assert_int_equal(cedar_request_principal(rq, SPAN("P"), span_of(digits[below(8)])), 0);
	assert_int_equal(cedar_request_action(rq, SPAN("Action"), span_of(digits[below(4)])), 0);
	assert_int_equal(cedar_request_resource(rq, SPAN("R"), span_of(digits[below(8)])), 0);
	put_context(rq, unknowns);
}

/* --- answers ---------------------------------------------------------------------------------- */

struct copy {
	enum cedar_decision decision;
	bool forbid_failed;
	uint32_t n[3];
	uint8_t reason[LIST_MAX], failure[LIST_MAX], depending[LIST_MAX];
};

static void copy_answer(const struct cedar_answer *a, struct copy *ret)
{
	*ret = (struct copy){ .decision = a->decision, .forbid_failed = a->forbid_failed };
	ret->n[0] = (uint32_t)a->n_reasons;
	ret->n[1] = (uint32_t)a->n_failures;
	ret->n[2] = (uint32_t)a->n_depending;
	for (size_t i = 0; i < a->n_reasons; i++)
		ret->reason[a->reasons[i]]++;
	for (size_t i = 0; i < a->n_failures; i++)
		ret->failure[a->failures[i].policy]++;
	for (size_t i = 0; i < a->n_depending; i++)
		ret->depending[a->depending[i]]++;
}

static struct copy ask(struct cedar_request *rq, unsigned flags)
{
	struct cedar_answer a;
	struct copy c;

	rq->flags = flags;
	assert_int_equal(cedar_authorize(rq, &a), 0);
	rq->flags = 0;
	copy_answer(&a, &c);
	return c;
}

static void same(const struct copy *a, const struct copy *b)
{
	assert_int_equal(a->decision, b->decision);
	assert_memory_equal(a, b, sizeof(*a));
}

static void check_decide(struct cedar_request *rq, const struct copy *whole)
{
	struct cedar_answer a;

	assert_int_equal(cedar_decide(rq, &a), 0);
	assert_int_equal(a.decision, whole->decision);
	if (a.decision == CEDAR_ALLOW)
		assert_int_equal(a.forbid_failed, whole->forbid_failed);
	for (size_t i = 0; i < a.n_reasons; i++)
		assert_int_equal(whole->reason[a.reasons[i]], 1);
}

static void all_ways(bool unknowns)
{
	_cleanup_(cedar_request_free_p) struct cedar_request *rq = NULL;
	unsigned seen[3] = { 0 }, failures = 0;
	uint32_t pairs = 0, alternatives = 0;

	assert_int_equal(cedar_request_new(0, &rq), 0);
	for (unsigned i = 0; i < SETS; i++) {
		_cleanup_(cedar_snapshot_unref_p) struct cedar_snapshot *s = random_snapshot();

		alternatives += s->alternatives.n;
		for (uint32_t k = 0; k < s->index.pair_sets.n; k++)
			pairs |= 1u << s->index.pair_sets.v[k].kind;
		for (unsigned k = 0; k < REQUESTS; k++) {
			struct copy linear, program, forget;

			put_request(rq, s, unknowns);
			linear = ask(rq, DECIDE_LINEAR);
			program = ask(rq, 0);
			forget = ask(rq, DECIDE_FORGET);
			same(&linear, &program);
			same(&linear, &forget);
			check_decide(rq, &linear);
			seen[linear.decision]++;
			failures += linear.n[1];
		}
	}
	/* A generator that reaches nothing would prove nothing. */
	assert_true(seen[CEDAR_DENY] && seen[CEDAR_ALLOW] && failures && alternatives);
	assert_int_equal(pairs, 1u << TEST_IN_RANGE | 1u << TEST_EQ | 1u << TEST_LIKE | 1u << TEST_CONTAINS);
	assert_int_equal(seen[CEDAR_DEPENDS] > 0, unknowns);
}

static void known_requests(void **unused)
{
	state = 0x9e3779b97f4a7c15;
	all_ways(false);
}

static void unknown_members(void **unused)
{
	state = 0x2545f4914f6cdd1d;
	all_ways(true);
}

/* Tests that the children of a switch share are asked there, one after the other: none of them may
 * become anything else, however many policies lie behind. */
static void common_tails(void **unused)
{
	_cleanup_(cedar_policies_free_p) struct cedar_policies *ps = NULL;
	_cleanup_(cedar_snapshot_unref_p) struct cedar_snapshot *s = NULL;
	_cleanup_(cedar_request_free_p) struct cedar_request *rq = NULL;
	_cleanup_buf_ struct buf text = { 0 };
	struct cedar_errors errors;
	struct cedar_error error;
	unsigned seen[3] = { 0 };

	for (unsigned i = 0; i < 6 * 12; i++)
		buf_printf(&text, "permit(principal, action, resource) when { context.n < %u && "
				  "context.set.contains(\"a1\") == false && !context.set.contains(\"a2\") && "
				  "context.opt > 3 };", i % 12);
	assert_int_equal(cedar_policies_new(&ps), 0);
	assert_int_equal(cedar_policies_add(ps, "tails", buf_span(&text), &errors), 0);
	assert_int_equal(cedar_snapshot_new(ps, NULL, &error, &s), 0);
	assert_int_equal(cedar_request_new(0, &rq), 0);
	state = 77;
	for (unsigned k = 0; k < 40 * REQUESTS; k++) {
		struct copy linear, program;

		put_request(rq, s, true);
		linear = ask(rq, DECIDE_LINEAR);
		program = ask(rq, 0);
		same(&linear, &program);
		seen[linear.decision]++;
	}
	assert_true(seen[CEDAR_DENY] && seen[CEDAR_ALLOW] && seen[CEDAR_DEPENDS]);
}

/* --- batches ---------------------------------------------------------------------------------- */

static void ask_single(struct cedar_request *rq, const struct cedar_item *item, struct copy *ret)
{
	struct cedar_answer a;

	rq->n_told = 0;
	assert_int_equal(cedar_request_action(rq, item->action.type, item->action.id), 0);
	assert_int_equal(cedar_request_resource(rq, item->resource.type, item->resource.id), 0);
	if (item->n_action_parents)
		assert_int_equal(cedar_request_entity(rq, item->action, false, item->action_parents,
						      item->n_action_parents), 0);
	if (item->n_resource_parents)
		assert_int_equal(cedar_request_entity(rq, item->resource, false,
						      item->resource_parents,
						      item->n_resource_parents), 0);
	assert_int_equal(cedar_authorize(rq, &a), 0);
	copy_answer(&a, ret);
}

static void batches_are_single_questions(void **unused)
{
	static const struct cedar_uid all = { { "Action", 6 }, { "all", 3 } };
	_cleanup_(cedar_request_free_p) struct cedar_request *rq = NULL;
	struct cedar_uid parent[16];
	struct cedar_item items[16];
	struct cedar_answer answers[16];

	state = 0x1234567890abcdef;
	assert_int_equal(cedar_request_new(0, &rq), 0);
	for (unsigned i = 0; i < SETS; i++) {
		_cleanup_(cedar_snapshot_unref_p) struct cedar_snapshot *s = random_snapshot();

		put_request(rq, s, true);
		for (unsigned k = 0; k < ARRAY_SIZE(items); k++) {
			/* R 0 and 1 and Action 0 are of the store, the others are told or not. */
			unsigned r = below(12), a = below(4);

			parent[k] = (struct cedar_uid){ SPAN("C"), span_of(digits[below(8)]) };
			items[k] = (struct cedar_item){
				.action = { SPAN("Action"), span_of(digits[a]) },
				.resource = { SPAN("R"), span_of(digits[r]) },
				.action_parents = &all, .n_action_parents = a > 1,
				.resource_parents = &parent[k], .n_resource_parents = r > 1 && below(2),
			};
		}
		assert_int_equal(cedar_authorize_each(rq, items, ARRAY_SIZE(items), answers), 0);
		for (unsigned k = 0; k < ARRAY_SIZE(items); k++) {
			struct copy batch, single;

			copy_answer(&answers[k], &batch);
			ask_single(rq, &items[k], &single);
			same(&batch, &single);
		}
	}
}

static void ask_told(struct span text, struct cedar_uid told)
{
	static const struct cedar_uid parent = { { "C", 1 }, { "1", 1 } };
	_cleanup_(cedar_policies_free_p) struct cedar_policies *ps = NULL;
	_cleanup_(cedar_snapshot_unref_p) struct cedar_snapshot *s = NULL;
	_cleanup_(cedar_request_free_p) struct cedar_request *rq = NULL;
	struct cedar_item items[5];
	struct cedar_answer a[5];
	struct cedar_errors errors;
	struct cedar_error error;

	assert_int_equal(cedar_policies_new(&ps), 0);
	assert_int_equal(cedar_policies_add(ps, "told", text, &errors), 0);
	assert_int_equal(cedar_snapshot_new(ps, NULL, &error, &s), 0);
	assert_int_equal(cedar_request_new(0, &rq), 0);
	put_request(rq, s, false);
	assert_int_equal(cedar_request_principal(rq, SPAN("P"), SPAN("7")), 0);
	for (unsigned k = 0; k < ARRAY_SIZE(items); k++)
		items[k] = (struct cedar_item){ .action = { SPAN("Action"), SPAN("0") }, .resource = told,
						.resource_parents = &parent, .n_resource_parents = k & 1 };
	assert_int_equal(cedar_authorize_each(rq, items, ARRAY_SIZE(items), a), 0);
	for (unsigned k = 0; k < ARRAY_SIZE(items); k++)
		assert_int_equal(a[k].n_reasons, k & 1);
}

/* What one question tells of an entity the next does not, be it found by its own name or because it
 * is the principal too. */
static void batches_forget_what_was_told(void **unused)
{
	ask_told(SPAN("permit(principal, action, resource) when { R::\"3\" in C::\"1\" };"),
		 (struct cedar_uid){ SPAN("R"), SPAN("3") });
	ask_told(SPAN("permit(principal, action, resource) when { principal in C::\"1\" };"),
		 (struct cedar_uid){ SPAN("P"), SPAN("7") });
}

static void batch_refuses(void **unused)
{
	static const struct cedar_uid parent = { { "C", 1 }, { "1", 1 } };
	_cleanup_(cedar_request_free_p) struct cedar_request *rq = NULL;
	_cleanup_(cedar_snapshot_unref_p) struct cedar_snapshot *s = NULL;
	struct cedar_item item = { .action = { SPAN("Action"), SPAN("0") },
				   .resource = { SPAN("R"), SPAN("0") },
				   .resource_parents = &parent, .n_resource_parents = 1 };
	struct cedar_answer a;

	state = 99;
	s = random_snapshot();
	assert_int_equal(cedar_request_new(0, &rq), 0);
	assert_int_equal(cedar_authorize_each(rq, &item, 1, &a), -EINVAL);
	put_request(rq, s, false);
	/* of the store: what it is below is known */
	assert_int_equal(cedar_authorize_each(rq, &item, 1, &a), -EEXIST);
	item.resource.id = SPAN("elsewhere");
	assert_int_equal(cedar_authorize_each(rq, &item, 1, &a), 0);
	assert_int_equal(cedar_authorize_each(rq, &item, 0, &a), 0);
	item.action.type = SPAN("no name");
	assert_int_equal(cedar_authorize_each(rq, &item, 1, &a), -EINVAL);
}

/* --- what a decision must not do -------------------------------------------------------------- */

static void decisions_allocate_nothing(void **unused)
{
#if COUNTS_ALLOCATIONS
	_cleanup_(cedar_request_free_p) struct cedar_request *rq = NULL;
	unsigned long before, decisions = 0;

	state = 0xfeedfacecafebeef;
	assert_int_equal(cedar_request_new(0, &rq), 0);
	for (unsigned i = 0; i < SETS / 5; i++) {
		_cleanup_(cedar_snapshot_unref_p) struct cedar_snapshot *s = random_snapshot();
		struct cedar_answer a;

		/* What such requests need is there after the first of them. */
		for (unsigned k = 0; k < 30; k++) {
			put_request(rq, s, false);
			assert_int_equal(cedar_authorize(rq, &a), 0);
		}
		put_request(rq, s, false);
		before = allocations;
		for (unsigned k = 0; k < 50; k++, decisions++) {
			assert_int_equal(cedar_authorize(rq, &a), 0);
			assert_int_equal(cedar_decide(rq, &a), 0);
			assert_int_equal(cedar_request_begin(rq, s), 0);
			put_request(rq, s, false);
		}
		assert_int_equal(allocations, before);
	}
	assert_true(decisions > 0);
#else
	print_message("skip: the sanitizer has its own allocator\n");
	skip();
#endif
}

/* Without memory there is an error, and nothing else: no answer, no crash. */
static void every_allocation_may_fail(void **unused)
{
#if COUNTS_ALLOCATIONS
	_cleanup_(cedar_policies_free_p) struct cedar_policies *ps = NULL;
	_cleanup_buf_ struct buf text = { 0 };
	struct cedar_snapshot *s = NULL;
	struct cedar_errors errors;
	struct cedar_error error;
	size_t failed = 0;
	int r;

	state = 0xabcdef;
	for (unsigned i = 0; i < 60; i++)
		add_policy(&text, i % 2);
	assert_int_equal(cedar_policies_new(&ps), 0);
	assert_int_equal(cedar_policies_add(ps, "random", buf_span(&text), &errors), 0);
	for (;; failed++) {
		allocations = 0;
		fail_at = failed;
		r = cedar_snapshot_new(ps, NULL, &error, &s);
		fail_at = SIZE_MAX;
		if (r == 0)
			break;
		assert_int_equal(r, -ENOMEM);
	}
	assert_true(failed > 20);
	for (failed = 0;; failed++) {
		_cleanup_(cedar_request_free_p) struct cedar_request *rq = NULL;

		allocations = 0;
		fail_at = failed;
		r = cedar_request_new(0, &rq);
		if (r == 0)
			r = cedar_request_begin(rq, s);
		fail_at = SIZE_MAX;
		if (r == 0)
			break;
		assert_int_equal(r, -ENOMEM);
	}
	assert_true(failed > 10);
	cedar_snapshot_unref(s);
#else
	print_message("skip: the sanitizer has its own allocator\n");
	skip();
#endif
}

/* In seccomp's strict mode any system call but read, write and exit is the end. */
static void decisions_call_no_kernel(void **unused)
{
#if COUNTS_ALLOCATIONS
	_cleanup_(cedar_request_free_p) struct cedar_request *rq = NULL;
	_cleanup_(cedar_snapshot_unref_p) struct cedar_snapshot *s = NULL;
	struct cedar_answer a;
	int status;
	pid_t pid;

	state = 7;
	s = random_snapshot();
	assert_int_equal(cedar_request_new(0, &rq), 0);
	put_request(rq, s, false);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT) < 0)
			_exit(77);
		for (unsigned k = 0; k < 1000; k++)
			(void)cedar_authorize(rq, &a);
		syscall(SYS_exit, 0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77) {
		printf("skip: no seccomp here\n");
		skip();
	}
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
#else
	print_message("skip: the sanitizer has its own allocator\n");
	skip();
#endif
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_requests),
		cmocka_unit_test(unknown_members),
		cmocka_unit_test(common_tails),
		cmocka_unit_test(batches_are_single_questions),
		cmocka_unit_test(batches_forget_what_was_told),
		cmocka_unit_test(batch_refuses),
		cmocka_unit_test(decisions_allocate_nothing),
		cmocka_unit_test(decisions_call_no_kernel),
		cmocka_unit_test(every_allocation_may_fail),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
