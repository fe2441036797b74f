// SPDX-License-Identifier: Apache-2.0
/* Expressions: what they give, or how they fail and where. */
#include "policy/cedar.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <cmocka.h>

#include "user/base/buf.h"

static struct cedar_request *rq;

static const char entities[] =
	"[{\"uid\":{\"type\":\"U\",\"id\":\"a\"},\"attrs\":{\"n\":1,\"r\":{\"x\":{\"y\":2}},\"e\":{\"__entity\":{\"type\":\"U\",\"id\":\"b\"}},"
	"\"ghost\":{\"__entity\":{\"type\":\"U\",\"id\":\"ghost\"}}},\"parents\":[{\"type\":\"G\",\"id\":\"g\"}],\"tags\":{\"t\":\"v\"}},"
	"{\"uid\":{\"type\":\"U\",\"id\":\"b\"},\"attrs\":{\"z\":true},\"parents\":[]},"
	"{\"uid\":{\"type\":\"G\",\"id\":\"g\"},\"attrs\":{},\"parents\":[{\"type\":\"G\",\"id\":\"h\"}]}]";

static void put_context(void)
{
	struct cedar_build *b = cedar_request_build(rq);

	cedar_open_record(b);
	cedar_key(b, SPAN("i"));
	cedar_put_long(b, 5);
	cedar_key(b, SPAN("s"));
	cedar_put_string(b, SPAN("hello"));
	cedar_key(b, SPAN("unseen name"));
	cedar_put_string(b, SPAN("x"));
	cedar_key(b, SPAN("set"));
	cedar_open_set(b);
	for (int i = 0; i < 40; i++)
		cedar_put_long(b, i % 20);
	cedar_close(b);
	cedar_key(b, SPAN("who"));
	cedar_put_entity(b, SPAN("U"), SPAN("nobody at all"));
	cedar_key(b, SPAN("when"));
	cedar_put_datetime_ms(b, 1000);
	cedar_key(b, SPAN("long"));
	cedar_put_duration_ms(b, 60000);
	cedar_key(b, SPAN("price"));
	cedar_put_decimal(b, SPAN("1.50"));
	cedar_key(b, SPAN("from"));
	cedar_put_ip(b, SPAN("10.1.2.3"));
	cedar_close(b);
	assert_int_equal(cedar_request_context(rq), 0);
}

/* "true", "false", or the text of the failure. */
static const char *eval(const char *e, struct cedar_error *ret_failure)
{
	_cleanup_(cedar_policies_free_p) struct cedar_policies *ps = NULL;
	_cleanup_(cedar_entities_free_p) struct cedar_entities *es = NULL;
	_cleanup_(cedar_snapshot_unref_p) struct cedar_snapshot *s = NULL;
	_cleanup_buf_ struct buf text = { 0 };
	struct cedar_errors errors;
	struct cedar_error error;
	struct cedar_answer a;
	static char out[256];

	assert_int_equal(cedar_policies_new(&ps), 0);
	assert_int_equal(cedar_entities_new(&es), 0);
	assert_int_equal(cedar_entities_add_json(es, SPAN(entities), &error), 0);
	buf_printf(&text, "permit(principal,action,resource) when {\n%s };", e);
	if (cedar_policies_add(ps, "test", buf_span(&text), &errors) < 0)
		fail_msg("%s: %s", e, errors.e[0].message);
	assert_int_equal(cedar_snapshot_new(ps, es, &error, &s), 0);
	assert_int_equal(cedar_request_begin(rq, s), 0);
	assert_int_equal(cedar_request_principal(rq, SPAN("U"), SPAN("a")), 0);
	assert_int_equal(cedar_request_action(rq, SPAN("Action"), SPAN("x")), 0);
	assert_int_equal(cedar_request_resource(rq, SPAN("R"), SPAN("not in the store")), 0);
	put_context();
	assert_int_equal(cedar_authorize(rq, &a), 0);
	if (a.n_failures) {
		assert_int_equal(cedar_explain(rq, &a.failures[0], &error), 0);
		if (ret_failure)
			*ret_failure = error;
		snprintf(out, sizeof(out), "%s", error.message);
		return out;
	}
	return a.decision == CEDAR_ALLOW ? "true" : "false";
}

static void check(const char *e, const char *want)
{
	const char *got = eval(e, NULL);

	if (strcmp(got, want) != 0)
		print_message("%s\n", e);
	assert_string_equal(got, want);
}

static void truths(void **state)
{
	static const char *const cases[] = {
		"1 + 2 * 3 - 4 == 3",
		"10 - 2 - 3 == 5",
		"2 * 3 * 4 == 24",
		"-(-5) == 5",
		"0 - 9223372036854775807 - 1 < 0",
		"context.i >= 5 && context.i <= 5 && !(context.i > 5) && !(context.i < 5) && context.i != 6",
		"(if context.i == 5 then \"a\" else 1) == \"a\"",
		"(if false then context.nope else 1) == 1",
		"true || context.nope",
		"!(false && context.nope)",
		"[1, 2] == [2, 1, 1]",
		"{a: 1, \"b\": [2]} == {b: [2], a: 1}",
		"[[1, 2], [3]].contains([2, 1])",
		"context.set == [0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19]",
		"context.set.contains(19) && !context.set.contains(20)",
		"context.set.containsAll([0, 19])",
		"context.set.containsAny([99, 0]) && ![].containsAny(context.set)",
		"context.set.containsAll([])",
		"[context.i, context.s].contains(5) && !([context.i].isEmpty())",
		"{a: context.i, b: context.s} == {b: \"hello\", a: 5}",
		"{a: context.i}.a == 5 && {a: context.i} has a && !({a: context.i} has b)",
		"context.s like \"h*o\"",
		"principal == U::\"a\" && principal != U::\"b\" && principal is U",
		"principal in G::\"g\" && principal in G::\"h\"",
		"principal in [G::\"x\", G::\"h\"] && !(principal in [])",
		"resource in resource && resource is R && !(resource in G::\"g\")",
		"context.who in context.who && context.who is U && context.who == U::\"nobody at all\"",
		"!(context.who in [principal, resource])",
		"principal.e in [U::\"b\"] && principal.e.z",
		"U::\"b\".z",
		"principal is U in G::\"h\" && !(principal is R in 1)",
		"principal has n && principal has r.x.y && !(principal has r.x.z)",
		"!(principal has ghost.z) && !(resource has a) && !(context.who has a.b)",
		"principal.r.x.y == 2 && principal[\"r\"][\"x\"][\"y\"] == 2",
		"principal.hasTag(\"t\") && principal.getTag(\"t\") == \"v\" && !principal.hasTag(context.s)",
		"!resource.hasTag(\"t\") && !principal.e.hasTag(\"t\")",
		"context.when == datetime(\"1970-01-01T00:00:01Z\") && context.when < datetime(\"2000-01-01\")",
		"context.when.offset(context.long).durationSince(context.when).toMinutes() == 1",
		"context.when.toDate() == datetime(\"1970-01-01\")",
		"context.when.toTime() == duration(\"1s\") && context.long > duration(\"1s\")",
		"context.price.lessThan(decimal(\"1.6\")) && context.price.greaterThanOrEqual(decimal(\"1.5000\"))",
		"context.price.lessThanOrEqual(decimal(\"1.5\")) && !context.price.greaterThan(decimal(\"1.5\")) && context.price == decimal(\"1.5\")",
		"context.from.isInRange(ip(\"10.0.0.0/8\")) && context.from.isIpv4() && !context.from.isLoopback()",
		"context == context && !(context == {})",
		"action == Action::\"x\" && action in [Action::\"x\"]",
		"!(1 == \"1\") && !([] == {}) && !(decimal(\"1.0\") == 1)",
		"(1 == 1) == (2 == 2)",
		"\"a\\u{301}\" != \"\\u{e1}\"",
		"if if true then false else true then false else true",
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		check(cases[i], "true");
}

static void failures(void **state)
{
	static const char *const cases[][2] = {
		{ "1", "type error: expected bool, got long" },
		{ "true && \"a\"", "type error: expected bool, got string" },
		{ "(true && 1) || true", "type error: expected bool, got long" },
		{ "(false || context.i) == true", "type error: expected bool, got long" },
		{ "(if 1 then true else true)", "type error: expected bool, got long" },
		{ "!context", "type error: expected bool, got record" },
		{ "context.nope", "the record does not have the attribute `nope`" },
		{ "principal.nope", "`U::\"a\"` does not have the attribute `nope`" },
		{ "resource.nope", "entity `R::\"not in the store\"` does not exist" },
		{ "context.who.x", "entity `U::\"nobody at all\"` does not exist" },
		{ "principal.ghost.z", "entity `U::\"ghost\"` does not exist" },
		{ "context.i.x", "type error: expected one of [entity, record], got long" },
		{ "principal has n.x", "type error: expected one of [entity, record], got long" },
		{ "[] has a", "type error: expected one of [entity, record], got set" },
		{ "principal.getTag(\"no\") == 1", "`U::\"a\"` does not have the tag `no`" },
		{ "resource.getTag(\"no\") == 1",
		  "entity `R::\"not in the store\"` does not exist" },
		{ "context.hasTag(\"a\")", "type error: expected entity, got record" },
		{ "principal.hasTag(1)", "type error: expected string, got long" },
		{ "context.i + \"a\" == 1", "type error: expected long, got string" },
		{ "9223372036854775807 + context.i == 1", "integer overflow in adding" },
		{ "-9223372036854775807 - context.i == 1", "integer overflow in subtracting" },
		{ "9223372036854775807 * context.i == 1", "integer overflow in multiplying" },
		{ "--9223372036854775808 == 1", "integer overflow in negating" },
		{ "-context.s == 1", "type error: expected long, got string" },
		{ "1 < true", "type error: expected long, got bool" },
		{ "true < 1", "type error: expected one of [long, datetime, duration], got bool" },
		{ "context.when < context.long", "type error: expected datetime, got duration" },
		{ "principal < 1",
		  "type error: expected one of [long, datetime, duration], got entity `U::\"a\"`" },
		{ "1 in [1]", "type error: expected entity, got long" },
		{ "principal in 1", "type error: expected one of [entity, set], got long" },
		{ "principal in [principal, 1]", "type error: expected entity, got long" },
		{ "principal in [[principal]]", "type error: expected entity, got set" },
		{ "context is U", "type error: expected entity, got record" },
		{ "1 is U in 1", "type error: expected entity, got long" },
		{ "principal is U in 1", "type error: expected one of [entity, set], got long" },
		{ "1 like \"*\"", "type error: expected string, got long" },
		{ "1 == [context.nope].contains(1)",
		  "the record does not have the attribute `nope`" },
		{ "\"\".isEmpty()", "type error: expected set, got string" },
		{ "[1].containsAll(1)", "type error: expected set, got long" },
		{ "context.contains(1)", "type error: expected set, got record" },
		{ "decimal(\"1\") == 1", "decimal: not well-formed: `1`" },
		{ "ip(context.s) == 1", "ip: not well-formed: `hello`" },
		{ "[ip(\"x\")].isEmpty()", "ip: not well-formed: `x`" },
		{ "datetime(1) == 1", "type error: expected string, got long" },
		{ "decimal() == 1", "decimal: wrong number of values: 0 instead of 1" },
		{ "context.from.isIpv4(1)", "isIpv4: wrong number of values: 2 instead of 1" },
		{ "context.from.isInRange()", "isInRange: wrong number of values: 1 instead of 2" },
		{ "context.from.isInRange(1)", "type error: expected ipaddr, got long" },
		{ "context.s.lessThan(context.s)", "type error: expected decimal, got string" },
		{ "context.when.offset(duration(\"9223372036854775807ms\")) == 1",
		  "offset: the result does not fit in 64 bits" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		check(cases[i][0], cases[i][1]);
}

static void failures_have_places(void **state)
{
	struct cedar_error f = { 0 };

	eval("true && context.i ==\n   5 && context.s + 1 == 2", &f);
	assert_int_equal(f.line, 3);
	assert_int_equal(f.column, 19);
	eval("principal.r.x.nope", &f);
	assert_int_equal(f.line, 2);
	assert_int_equal(f.column, 15);
	eval("\"\xc3\xa9\xc3\xa9\" == context.who.name", &f);
	assert_int_equal(f.column, 21);
}

static int set_up(void **state)
{
	return cedar_request_new(0, &rq);
}

static int tear_down(void **state)
{
	cedar_request_free(rq);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(truths),
		cmocka_unit_test(failures),
		cmocka_unit_test(failures_have_places),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
