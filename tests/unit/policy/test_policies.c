// SPDX-License-Identifier: Apache-2.0
/* The policy set: ids, templates, links and what they decide. */
#include "policy/cedar_text.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

#include "policy/policies.h"

static struct cedar_policies *set_of(const char *text)
{
	struct cedar_policies *ps = NULL;
	struct cedar_errors e;

	assert_int_equal(cedar_policies_new(&ps), 0);
	if (cedar_policies_add_templates(ps, "test", span_of(text), &e) < 0)
		fail_msg("%s", e.e[0].message);
	return ps;
}

static const struct cedar_uid alice = { { "U", 1 }, { "alice", 5 } }, box = { { "R", 1 }, { "box", 3 } },
			      odd = { { "A B", 3 }, { "x", 1 } };

static void ids_share_one_counter(void **state)
{
	_cleanup_(cedar_policies_free_p) struct cedar_policies *ps =
		set_of("permit(principal,action,resource);\n"
		       "permit(principal == ?principal,action,resource);\n"
		       "forbid(principal,action,resource);");
	struct cedar_errors e;

	assert_int_equal(cedar_policies_count(ps), 2);
	assert_int_equal(cedar_templates_count(ps), 1);
	assert_true(span_is(ps->policies.v[1].id, "policy2"));
	assert_true(span_is(ps->templates.v[0].id, "policy1"));
	assert_int_equal(cedar_policies_add(ps, "b", SPAN("permit(principal,action,resource);"), &e), 0);
	assert_true(span_is(ps->policies.v[2].id, "policy3"));
}

static void links_need_the_right_entities(void **state)
{
	_cleanup_(cedar_policies_free_p) struct cedar_policies *ps =
		set_of("permit(principal == ?principal,action,resource);\n"
		       "permit(principal in ?principal,action,resource is R in ?resource);"
		       "permit(principal,action,resource);");
	static const struct {
		const char *template, *id;
		const struct cedar_uid *principal, *resource;
		const char *error; /* NULL: none */
	} cases[] = {
		{ "policy0", "a", &alice, NULL, NULL },
		{ "policy0", "a", &alice, NULL, "used already" },
		{ "policy0", "policy1", &alice, NULL, "used already" },
		{ "policy0", "b", NULL, NULL, "gives no entity for ?principal" },
		{ "policy0", "b", &alice, &box, "no slot ?resource" },
		{ "policy0", "b", &odd, NULL, "not a name" },
		{ "policy1", "b", &alice, NULL, "gives no entity for ?resource" },
		{ "policy1", "b", &alice, &box, NULL },
		{ "policy2", "c", NULL, NULL, "no such template" },
		{ "a", "c", &alice, NULL, "no such template" },
		{ "nope", "c", &alice, NULL, "no such template" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct cedar_error error;
		int r = cedar_policies_link(ps, span_of(cases[i].template), span_of(cases[i].id),
					    cases[i].principal, cases[i].resource, &error);

		assert_int_equal(r, cases[i].error ? -EINVAL : 0);
		if (cases[i].error && !strstr(error.message, cases[i].error))
			fail_msg("%zu: %s", i, error.message);
	}
	assert_int_equal(cedar_policies_count(ps), 3);
}

/* A number that a text would take next may be a link's id already. */
static void numbers_may_be_taken(void **state)
{
	_cleanup_(cedar_policies_free_p) struct cedar_policies *ps =
		set_of("permit(principal == ?principal,action,resource);");
	struct cedar_error error;
	struct cedar_errors e;

	assert_int_equal(
		cedar_policies_link(ps, SPAN("policy0"), SPAN("policy1"), &alice, NULL, &error), 0);
	assert_int_equal(cedar_policies_add(ps, "b", SPAN("permit(principal,action,resource);"), &e),
			 -EINVAL);
	assert_non_null(strstr(e.e[0].message, "used twice"));
	assert_int_equal(cedar_policies_count(ps), 1);
}

static enum cedar_decision ask(struct cedar_snapshot *s, const char *who, const char **ret_reason)
{
	_cleanup_(cedar_request_free_p) struct cedar_request *rq = NULL;
	struct cedar_policy_info info = { .id = "" };
	struct cedar_answer a;

	assert_int_equal(cedar_request_new(0, &rq), 0);
	assert_int_equal(cedar_request_begin(rq, s), 0);
	assert_int_equal(cedar_request_principal(rq, SPAN("U"), span_of(who)), 0);
	assert_int_equal(cedar_request_action(rq, SPAN("Action"), SPAN("x")), 0);
	assert_int_equal(cedar_request_resource(rq, SPAN("R"), SPAN("box")), 0);
	assert_int_equal(cedar_authorize(rq, &a), 0);
	if (a.n_reasons == 1)
		cedar_snapshot_policy(s, a.reasons[0], &info);
	*ret_reason = info.id;
	return a.decision;
}

/* A template decides nothing; its link decides for its entity and answers by its own id and place. */
static void links_decide(void **state)
{
	_cleanup_(cedar_policies_free_p) struct cedar_policies *ps =
		set_of("\n  @id(\"t\") permit(principal == ?principal,action,resource in ?resource)"
		       " when { principal == U::\"alice\" };\n"
		       "forbid(principal == U::\"eve\",action,resource);");
	_cleanup_(cedar_snapshot_unref_p) struct cedar_snapshot *before = NULL, *s = NULL;
	struct cedar_policy_info info;
	struct cedar_error error;
	const char *reason;

	assert_int_equal(cedar_snapshot_new(ps, NULL, &error, &before), 0);
	assert_int_equal(ask(before, "alice", &reason), CEDAR_DENY);
	assert_int_equal(
		cedar_policies_link(ps, SPAN("policy0"), SPAN("for alice"), &alice, &box, &error), 0);
	assert_int_equal(cedar_snapshot_new(ps, NULL, &error, &s), 0);
	assert_int_equal(ask(s, "alice", &reason), CEDAR_ALLOW);
	assert_string_equal(reason, "for alice");
	assert_int_equal(ask(s, "bob", &reason), CEDAR_DENY);
	assert_int_equal(ask(s, "eve", &reason), CEDAR_DENY);
	assert_string_equal(reason, "policy1");
	cedar_snapshot_policy(s, 1, &info);
	assert_string_equal(info.id, "for alice");
	assert_int_equal(info.line, 2);
	assert_int_equal(info.column, 3);
	assert_string_equal(cedar_snapshot_annotation(s, 1, "id"), "t");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ids_share_one_counter),
		cmocka_unit_test(links_need_the_right_entities),
		cmocka_unit_test(numbers_may_be_taken),
		cmocka_unit_test(links_decide),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
