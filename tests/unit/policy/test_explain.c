// SPDX-License-Identifier: Apache-2.0
#include "policy/explain.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "policy/cedar_schema.h"
#include "user/base/cleanup.h"

static const char entities[] =
	"[{\"uid\":{\"type\":\"U\",\"id\":\"a\"},\"attrs\":{\"n\":3,\"s\":\"x\\\"\",\"on\":true,\"off\":false,"
	"\"ip\":{\"__extn\":{\"fn\":\"ip\",\"arg\":\"10.0.0.1\"}},\"d\":{\"__extn\":{\"fn\":\"decimal\",\"arg\":\"-0.5\"}},"
	"\"r\":{\"__entity\":{\"type\":\"R\",\"id\":\"r\"}},\"set\":[2,1]},\"parents\":[{\"type\":\"G\",\"id\":\"g\"}]}]";

static struct cedar_why why;
static struct cedar_policies *set;
static struct cedar_pieces *pieces;
static struct cedar_request *rq;

/* One question, U::"a" does Action::"x" to R::"r" with {"path": "/etc", "long": "aaa...", "deep": {"a": 1}} and
 * an unknown `later`, put to the pieces of these policies. */
static void ask(const char *policies)
{
	_cleanup_(cedar_entities_free_p) struct cedar_entities *es = NULL;
	struct cedar_errors errors;
	struct cedar_error error;
	struct cedar_build *b;
	static char many[500];

	cedar_pieces_free(take_ptr(pieces));
	cedar_policies_free(take_ptr(set));
	assert_int_equal(cedar_policies_new(&set), 0);
	if (cedar_policies_add(set, "p", span_of(policies), &errors) < 0)
		fail_msg("%s: %s", policies, errors.e[0].message);
	assert_int_equal(cedar_entities_new(&es), 0);
	assert_int_equal(cedar_entities_add_json(es, SPAN(entities), &error), 0);
	assert_int_equal(cedar_pieces_new(set, es, &error, &pieces), 0);
	assert_int_equal(cedar_request_begin(rq, cedar_pieces_snapshot(pieces)), 0);
	assert_int_equal(cedar_request_principal(rq, SPAN("U"), SPAN("a")), 0);
	assert_int_equal(cedar_request_action(rq, SPAN("Action"), SPAN("x")), 0);
	assert_int_equal(cedar_request_resource(rq, SPAN("R"), SPAN("r")), 0);
	b = cedar_request_build(rq);
	cedar_open_record(b);
	cedar_key(b, SPAN("path"));
	cedar_put_string(b, SPAN("/etc"));
	cedar_key(b, SPAN("long"));
	memset(many, 'a', sizeof(many));
	cedar_put_string(b, (struct span){ many, sizeof(many) });
	cedar_key(b, SPAN("deep"));
	cedar_open_record(b);
	cedar_key(b, SPAN("a"));
	cedar_put_long(b, 1);
	cedar_close(b);
	cedar_key(b, SPAN("later"));
	cedar_put_unknown(b);
	cedar_close(b);
	assert_int_equal(cedar_request_context(rq), 0);
	assert_int_equal(cedar_pieces_ask(pieces, rq), 0);
}

static void look(size_t policy)
{
	cedar_why_done(&why);
	memset(&why, 0, sizeof(why));
	assert_int_equal(cedar_pieces_why(pieces, rq, policy, &why), 0);
}

static void has_value(const char *path, const char *value)
{
	for (uint32_t i = 0; i < why.n_values; i++) {
		if (strcmp(buf_cstr(&why.values[i].path), path) != 0)
			continue;
		assert_string_equal(buf_cstr(&why.values[i].value), value);
		return;
	}
	fail_msg("no value of %s", path);
}

/* The conjunct that does not hold when this is the condition, and the value of its only path. */
static void expect(const char *condition, enum cedar_standing standing, const char *conjunct, const char *path,
		   const char *value)
{
	_cleanup_buf_ struct buf text = { 0 };

	assert_int_equal(buf_printf(&text, "forbid(principal, action, resource) %s;", condition), 0);
	ask(buf_cstr(&text));
	look(0);
	assert_int_equal(why.standing, standing);
	assert_int_equal(why.effect, CEDAR_FORBID);
	if (standing == CEDAR_HOLDS)
		return;
	assert_string_equal(buf_cstr(&why.conjunct), conjunct);
	assert_int_equal(why.n_values, path ? 1 : 0);
	if (path)
		has_value(path, value);
}

static void the_first_conjunct_that_does_not_hold(void **state)
{
	expect("when { principal.n == 3 && context.path == \"/etc\" }", CEDAR_HOLDS, NULL, NULL, NULL);
	expect("", CEDAR_HOLDS, NULL, NULL, NULL);
	expect("when { principal.n == 3 && context.path == \"/srv\" && 1 == 2 }", CEDAR_CONJUNCT_FALSE,
	       "context.path == \"/srv\"", "context.path", "\"/etc\"");
	expect("when { principal.n == 3 } when { principal.n > 3 || principal.n < 1 }", CEDAR_CONJUNCT_FALSE,
	       "principal.n > 3 || principal.n < 1", "principal.n", "3");
	assert_false(why.unless);
	expect("unless { principal.n > 3 || principal.n == 3 }", CEDAR_CONJUNCT_FALSE, "principal.n == 3", "principal.n",
	       "3");
	assert_true(why.unless);
	expect("unless { principal.n > 3 && principal.n == 3 }", CEDAR_HOLDS, NULL, NULL, NULL);
	/* What stands behind a guard is not blamed for what the guard is there for. */
	expect("when { context has nope && context.nope == 1 }", CEDAR_CONJUNCT_FALSE, "context has nope", NULL, NULL);
}

static void what_failed_says_how(void **state)
{
	expect("when { principal.n == 3 && context.nope.more == 1 }", CEDAR_CONJUNCT_FAILED, "context.nope.more == 1",
	       "context.nope.more", "absent");
	assert_string_equal(why.error, "the record does not have the attribute `nope`");
	expect("when { principal.s > 1 }", CEDAR_CONJUNCT_FAILED, "principal.s > 1", "principal.s", "\"x\\\"\"");
	expect("when { principal.n.x == 1 }", CEDAR_CONJUNCT_FAILED, "principal.n.x == 1", "principal.n.x", "absent");
	expect("when { context.later == 1 }", CEDAR_CONJUNCT_DEPENDS, "context.later == 1", "context.later",
	       "not known yet");
	/* What can be true no more decides, whatever becomes known. */
	expect("when { context.later == 1 } unless { principal.n == 3 }", CEDAR_CONJUNCT_FALSE, "principal.n == 3",
	       "principal.n", "3");
	/* An error would not: a forbid that fails is told apart from one that does not hold. */
	expect("when { context.later == 1 && principal.n.x }", CEDAR_CONJUNCT_DEPENDS, "context.later == 1",
	       "context.later", "not known yet");
}

static void values_are_written_as_policies_would(void **state)
{
	expect("when { principal.off }", CEDAR_CONJUNCT_FALSE, "principal.off", "principal.off", "false");
	expect("when { !principal.on }", CEDAR_CONJUNCT_FALSE, "!principal.on", "principal.on", "true");
	expect("when { principal.r == 1 }", CEDAR_CONJUNCT_FALSE, "principal.r == 1", "principal.r", "R::\"r\"");
	expect("when { principal.ip == 1 }", CEDAR_CONJUNCT_FALSE, "principal.ip == 1", "principal.ip",
	       "ip(\"10.0.0.1/32\")");
	expect("when { principal.d == 1 }", CEDAR_CONJUNCT_FALSE, "principal.d == 1", "principal.d",
	       "decimal(\"-0.5000\")");
	expect("when { principal.set.contains(3) }", CEDAR_CONJUNCT_FALSE, "principal.set.contains(3)", "principal.set",
	       "[1, 2]");
	expect("when { context.deep has b }", CEDAR_CONJUNCT_FALSE, "context.deep has b", "context.deep", "{\"a\": 1}");
	expect("when { principal in G::\"h\" }", CEDAR_CONJUNCT_FALSE, "principal in G::\"h\"", "principal", "U::\"a\"");
	expect("when { [context.deep.a].contains(2) }", CEDAR_CONJUNCT_FALSE, "[context.deep.a].contains(2)",
	       "context.deep.a", "1");
	ask("permit(principal, action, resource) when { context.long == principal.s };");
	look(0);
	assert_int_equal(why.n_values, 2);
	has_value("principal.s", "\"x\\\"\"");
	for (uint32_t i = 0; i < 2; i++)
		assert_true(buf_len(&why.values[i].value) <= CEDAR_WHY_VALUE_MAX + 3);
	ask("permit(principal, action, resource) when { [principal.a, principal.b, principal.c, principal.d, principal.e,"
	    " principal.f, principal.g, principal.h, principal.i] == 1 };");
	look(0);
	assert_int_equal(why.n_values, CEDAR_WHY_VALUES_MAX);
}

static void names_places_and_scopes(void **state)
{
	ask("permit(principal == U::\"b\", action, resource) when { context.nope };\n"
	    "  @id(\"named\") permit(principal in G::\"g\", action == Action::\"x\", resource is R);\n"
	    "@id permit(principal, action in [Action::\"y\"], resource);");
	look(0);
	assert_int_equal(why.standing, CEDAR_OUT_OF_SCOPE);
	assert_string_equal(why.name, "policy0");
	look(1);
	assert_int_equal(why.standing, CEDAR_HOLDS);
	assert_string_equal(why.name, "named");
	assert_string_equal(why.text_name, "p");
	assert_int_equal(why.line, 2);
	assert_int_equal(why.column, 3);
	assert_int_equal(why.effect, CEDAR_PERMIT);
	look(2);
	assert_int_equal(why.standing, CEDAR_OUT_OF_SCOPE);
	assert_string_equal(why.name, "policy2");
	assert_int_equal(cedar_pieces_why(pieces, rq, 3, &why), -ENOENT);
}

static int setup(void **state)
{
	return cedar_request_new(0, &rq);
}

static int teardown(void **state)
{
	cedar_why_done(&why);
	cedar_request_free(rq);
	cedar_pieces_free(pieces);
	cedar_policies_free(set);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_conjunct_that_does_not_hold),
		cmocka_unit_test(what_failed_says_how),
		cmocka_unit_test(values_are_written_as_policies_would),
		cmocka_unit_test(names_places_and_scopes),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
