// SPDX-License-Identifier: Apache-2.0
/* Entities and requests against a schema: reading with types, what conforms, what is said when it does not. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "policy/cedar_schema.h"
#include "policy/entity.h"

static const char schema_text[] =
	"entity Group; entity Kind enum [\"a\", \"b\"];\n"
	"entity User in [Group] = { n: Long, o?: String, f?: User, k?: Kind, ip?: ipaddr, d?: decimal, t?: datetime, du?: duration,\n"
	"  us?: Set<User>, r?: { x: Long, u?: User }, act?: Action } tags Set<User>;\n"
	"action all; action read in all appliesTo { principal: [User], resource: [User, Kind], context: { ip: ipaddr, u?: User } };\n"
	"action write in read;\n";

static struct cedar_schema *schema;

static struct cedar_policies *no_policies;

static int set_up(void **state)
{
	struct cedar_errors errors;

	assert_int_equal(cedar_policies_new(&no_policies), 0);
	return cedar_schema_new(span_of(schema_text), CEDAR_SCHEMA_CEDAR, &errors, &schema);
}

static int tear_down(void **state)
{
	cedar_schema_free(schema);
	cedar_policies_free(no_policies);
	return 0;
}

static int add(struct cedar_entities *es, const char *text, struct cedar_error *error)
{
	return cedar_entities_add_json_schema(es, schema, span_of(text), error);
}

/* One user with these attributes, parents and tags. */
static int add_user(struct cedar_entities *es, const char *attrs, const char *parents, const char *tags, struct cedar_error *error)
{
	char text[1000];

	snprintf(text, sizeof(text), "[{\"uid\":{\"type\":\"User\",\"id\":\"u\"},\"attrs\":%s,\"parents\":%s,\"tags\":%s}]", attrs,
		 parents, tags);
	return add(es, text, error);
}

static void conforming(void **state)
{
	static const char *const attrs[] = {
		"{\"n\":1}",
		"{\"n\":1,\"o\":\"x\",\"f\":{\"__entity\":{\"type\":\"User\",\"id\":\"v\"}}}",
		"{\"n\":1,\"f\":{\"type\":\"User\",\"id\":\"v\"},\"k\":{\"type\":\"Kind\",\"id\":\"b\"}}",
		"{\"n\":1,\"ip\":\"10.0.0.0/8\",\"d\":\"1.5\",\"t\":\"2026-01-31\",\"du\":\"1h\"}",
		"{\"n\":1,\"ip\":{\"__extn\":{\"fn\":\"ip\",\"arg\":\"::1\"}},\"d\":{\"fn\":\"decimal\",\"arg\":\"1.5\"}}",
		"{\"n\":1,\"t\":{\"__extn\":{\"fn\":\"offset\",\"args\":[{\"__extn\":{\"fn\":\"datetime\",\"arg\":\"2026-01-31\"}},"
		"{\"__extn\":{\"fn\":\"duration\",\"arg\":\"1h\"}}]}}}",
		"{\"n\":1,\"t\":{\"fn\":\"offset\",\"args\":[\"2026-01-31\",{\"fn\":\"duration\",\"arg\":\"1h\"}]}}",
		"{\"n\":1,\"us\":[{\"type\":\"User\",\"id\":\"v\"},{\"__entity\":{\"type\":\"User\",\"id\":\"w\"}}]}",
		"{\"n\":1,\"us\":[],\"r\":{\"x\":2,\"u\":{\"type\":\"User\",\"id\":\"v\"}}}",
		"{\"n\":1,\"act\":{\"type\":\"Action\",\"id\":\"read\"}}",
	};

	for (size_t i = 0; i < ARRAY_SIZE(attrs); i++) {
		_cleanup_(cedar_entities_free_p) struct cedar_entities *es = NULL;
		struct cedar_error error;

		assert_int_equal(cedar_entities_new(&es), 0);
		if (add_user(es, attrs[i], "[{\"type\":\"Group\",\"id\":\"g\"}]", "{\"t\":[{\"type\":\"User\",\"id\":\"v\"}]}", &error) < 0)
			fail_msg("%s: %s", attrs[i], error.message);
		/* The user and three actions. */
		assert_int_equal(cedar_entities_count(es), 4);
		assert_int_equal(cedar_entities_validate(schema, es, &error), 0);
	}
}

static void refused(void **state)
{
	static const struct {
		const char *attrs, *parents, *tags, *what;
	} bad[] = {
		{ "{}", "[]", "{}", "lacks `n`" },
		{ "{\"n\":\"1\"}", "[]", "{}", "u n: expected long, found string" },
		{ "{\"n\":1,\"zz\":1}", "[]", "{}", "u zz: the schema does not declare it" },
		{ "{\"n\":1,\"f\":{\"type\":\"Group\",\"id\":\"v\"}}", "[]", "{}", "an entity of type `User`, found one of `Group`" },
		{ "{\"n\":1,\"f\":\"v\"}", "[]", "{}", "u f: expected entity, found string" },
		{ "{\"n\":1,\"k\":{\"type\":\"Kind\",\"id\":\"c\"}}", "[]", "{}", "`c` is not among the ids of `Kind`" },
		{ "{\"n\":1,\"ip\":\"10.0.0.0.1\"}", "[]", "{}", "cannot be read" },
		{ "{\"n\":1,\"ip\":{\"__extn\":{\"fn\":\"decimal\",\"arg\":\"1.5\"}}}", "[]", "{}", "expected" },
		{ "{\"n\":1,\"t\":{\"fn\":\"offset\",\"args\":[\"2026-01-31\",\"1h\",\"1h\"]}}", "[]", "{}", "cannot be read" },
		{ "{\"n\":1,\"t\":{\"fn\":\"nope\",\"args\":[]}}", "[]", "{}", "cannot be read" },
		{ "{\"n\":1,\"o\":{\"__extn\":{\"fn\":\"ip\",\"arg\":\"::1\"}}}", "[]", "{}", "expected string" },
		{ "{\"n\":1,\"us\":[1]}", "[]", "{}", "u us[]: expected entity, found long" },
		{ "{\"n\":1,\"us\":{}}", "[]", "{}", "u us: expected set, found record" },
		{ "{\"n\":1,\"r\":{\"x\":1,\"u\":1}}", "[]", "{}", "u r.u: expected entity" },
		{ "{\"n\":1,\"r\":{}}", "[]", "{}", "u r: lacks `x`" },
		{ "{\"n\":1,\"r\":{\"__entity\":{\"type\":\"User\",\"id\":\"v\"}}}", "[]", "{}", "u r: expected record" },
		{ "{\"n\":1,\"act\":{\"type\":\"Action\",\"id\":\"nope\"}}", "[]", "{}", "no action `nope`" },
		{ "{\"n\":1}", "[{\"type\":\"User\",\"id\":\"g\"}]", "{}", "does not let it be in a `User`" },
		{ "{\"n\":1}", "[{\"type\":\"Nope\",\"id\":\"g\"}]", "{}", "no entity type `Nope`" },
		{ "{\"n\":1}", "[]", "{\"t\":1}", "u t: expected set, found long" },
		{ "{\"n\":1}", "[]", "{\"t\":[1]}", "u t[]: expected entity" },
		{ "{\"n\":null}", "[]", "{}", "cannot be read" },
		{ "{\"n\":1.5}", "[]", "{}", "cannot be read" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		_cleanup_(cedar_entities_free_p) struct cedar_entities *es = NULL;
		struct cedar_error error;

		assert_int_equal(cedar_entities_new(&es), 0);
		if (add_user(es, bad[i].attrs, bad[i].parents, bad[i].tags, &error) != -EINVAL)
			fail_msg("taken: %s %s", bad[i].attrs, bad[i].tags);
		if (!strstr(error.message, bad[i].what) || error.line != 1)
			fail_msg("%s: %s", bad[i].attrs, error.message);
	}
}

static void kinds_and_actions(void **state)
{
	static const struct {
		const char *uid, *parents, *attrs, *what;
	} list[] = {
		{ "{\"type\":\"Kind\",\"id\":\"a\"}", "[]", "{}", NULL },
		{ "{\"type\":\"Kind\",\"id\":\"c\"}", "[]", "{}", "`c` is not among the ids" },
		{ "{\"type\":\"Kind\",\"id\":\"a\"}", "[]", "{\"x\":1}", "does not declare it" },
		{ "{\"type\":\"Nope\",\"id\":\"a\"}", "[]", "{}", "no entity type `Nope`" },
		{ "{\"type\":\"Action\",\"id\":\"all\"}", "[]", "{}", NULL },
		{ "{\"type\":\"Action\",\"id\":\"read\"}", "[{\"type\":\"Action\",\"id\":\"all\"}]", "{}", NULL },
		{ "{\"type\":\"Action\",\"id\":\"write\"}", "[{\"type\":\"Action\",\"id\":\"read\"}]", "{}", NULL },
		/* With the ancestors spelt out it says the same. */
		{ "{\"type\":\"Action\",\"id\":\"write\"}", "[{\"type\":\"Action\",\"id\":\"all\"},{\"type\":\"Action\",\"id\":\"read\"}]",
		  "{}", NULL },
		{ "{\"type\":\"Action\",\"id\":\"write\"}", "[{\"type\":\"Action\",\"id\":\"all\"}]", "{}", "in more groups" },
		{ "{\"type\":\"Action\",\"id\":\"read\"}", "[]", "{}", "in more groups" },
		{ "{\"type\":\"Action\",\"id\":\"all\"}", "[{\"type\":\"Action\",\"id\":\"read\"}]", "{}", "does not have it in" },
		{ "{\"type\":\"Action\",\"id\":\"all\"}", "[]", "{\"x\":1}", "neither attributes nor tags" },
		{ "{\"type\":\"Action\",\"id\":\"none\"}", "[]", "{}", "no action `none`" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(list); i++) {
		_cleanup_(cedar_entities_free_p) struct cedar_entities *es = NULL;
		_cleanup_(cedar_snapshot_unref_p) struct cedar_snapshot *s = NULL;
		struct cedar_error error = { 0 };
		char text[400];
		int r;

		snprintf(text, sizeof(text), "[{\"uid\":%s,\"attrs\":%s,\"parents\":%s}]", list[i].uid, list[i].attrs, list[i].parents);
		assert_int_equal(cedar_entities_new(&es), 0);
		r = add(es, text, &error);
		if (r != (list[i].what ? -EINVAL : 0) || (list[i].what && !strstr(error.message, list[i].what)))
			fail_msg("%s: %d %s", text, r, error.message);
		/* Told twice, an action is there once, and the store is whole. */
		if (r == 0) {
			assert_int_equal(cedar_schema_entities(schema, es), 0);
			assert_int_equal(cedar_snapshot_new(no_policies, es, &error, &s), 0);
		}
	}
}

/* Groups of actions hold because the schema's action entities are there. */
static void groups(void **state)
{
	_cleanup_(cedar_entities_free_p) struct cedar_entities *es = NULL;
	_cleanup_(cedar_policies_free_p) struct cedar_policies *ps = NULL;
	_cleanup_(cedar_snapshot_unref_p) struct cedar_snapshot *s = NULL;
	_cleanup_(cedar_request_free_p) struct cedar_request *rq = NULL;
	struct cedar_errors errors;
	struct cedar_error error;
	struct cedar_answer a;

	assert_int_equal(cedar_policies_new(&ps), 0);
	assert_int_equal(cedar_policies_add(ps, "p", SPAN("permit(principal, action in Action::\"all\", resource);"), &errors), 0);
	assert_int_equal(cedar_entities_new(&es), 0);
	assert_int_equal(add(es, "[]", &error), 0);
	assert_int_equal(cedar_snapshot_new(ps, es, &error, &s), 0);
	assert_int_equal(cedar_request_new(0, &rq), 0);
	assert_int_equal(cedar_request_begin(rq, s), 0);
	cedar_request_principal(rq, SPAN("User"), SPAN("u"));
	cedar_request_action(rq, SPAN("Action"), SPAN("write"));
	cedar_request_resource(rq, SPAN("User"), SPAN("u"));
	assert_int_equal(cedar_authorize(rq, &a), 0);
	assert_int_equal(a.decision, CEDAR_ALLOW);
}

struct question {
	const char *type, *id, *action, *rtype, *rid, *context, *what;
};

static void requests(void **state)
{
	static const struct question list[] = {
		{ "User", "u", "read", "User", "v", "{\"ip\":\"10.0.0.1\"}", NULL },
		{ "User", "u", "read", "Kind", "a", "{\"ip\":\"10.0.0.1\",\"u\":{\"type\":\"User\",\"id\":\"x\"}}", NULL },
		{ "User", "u", "read", "Kind", "c", "{\"ip\":\"10.0.0.1\"}", "`c` is not among the ids" },
		{ "Group", "u", "read", "User", "v", "{\"ip\":\"10.0.0.1\"}", "does not apply to a principal of type `Group`" },
		{ "User", "u", "read", "Group", "v", "{\"ip\":\"10.0.0.1\"}", "does not apply to a resource of type `Group`" },
		{ "Nope", "u", "read", "User", "v", "{\"ip\":\"10.0.0.1\"}", "no entity type `Nope`" },
		{ "User", "u", "write", "User", "v", "{}", "does not apply to a principal" },
		{ "User", "u", "nope", "User", "v", "{}", "no action" },
		{ "User", "u", "read", "User", "v", "{}", "context: lacks `ip`" },
		{ "User", "u", "read", "User", "v", "{\"ip\":\"10.0.0.1\",\"x\":1}", "context x: the schema does not declare it" },
		{ "User", "u", "read", "User", "v", "{\"ip\":1}", "context ip: expected" },
		{ "User", "u", "read", "User", "v", "{\"ip\":\"x\"}", "cannot be read" },
		{ "User", "u", "read", "User", "v", "[]", "cannot be read" },
		{ "User", "u", "read", "User", "v", "{\"ip\"}", "expected `:`" },
	};
	_cleanup_(cedar_entities_free_p) struct cedar_entities *es = NULL;
	_cleanup_(cedar_snapshot_unref_p) struct cedar_snapshot *s = NULL;
	_cleanup_(cedar_request_free_p) struct cedar_request *rq = NULL;
	struct cedar_error error;

	assert_int_equal(cedar_entities_new(&es), 0);
	assert_int_equal(add_user(es, "{\"n\":1}", "[]", "{}", &error), 0);
	assert_int_equal(cedar_snapshot_new(no_policies, es, &error, &s), 0);
	assert_int_equal(cedar_request_new(0, &rq), 0);
	for (size_t i = 0; i < ARRAY_SIZE(list); i++) {
		const struct question *q = &list[i];
		int r;

		assert_int_equal(cedar_request_begin(rq, s), 0);
		assert_int_equal(cedar_request_validate(schema, rq, &error), -EINVAL);
		cedar_request_principal(rq, span_of(q->type), span_of(q->id));
		cedar_request_action(rq, SPAN("Action"), span_of(q->action));
		cedar_request_resource(rq, span_of(q->rtype), span_of(q->rid));
		r = cedar_request_context_json(rq, schema, span_of(q->context), &error);
		if (r == 0)
			r = cedar_request_validate(schema, rq, &error);
		if (r != (q->what ? -EINVAL : 0) || (q->what && !strstr(error.message, q->what)))
			fail_msg("%zu %s: %d %s", i, q->context, r, error.message);
	}
	/* What is not known yet conforms. */
	assert_int_equal(cedar_request_begin(rq, s), 0);
	cedar_request_principal(rq, SPAN("User"), SPAN("u"));
	cedar_request_action(rq, SPAN("Action"), SPAN("read"));
	cedar_request_resource(rq, SPAN("User"), SPAN("v"));
	struct cedar_build *b = cedar_request_build(rq);

	cedar_open_record(b);
	cedar_key(b, SPAN("ip"));
	cedar_put_unknown(b);
	cedar_close(b);
	assert_int_equal(cedar_request_context(rq), 0);
	assert_int_equal(cedar_request_validate(schema, rq, &error), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(conforming), cmocka_unit_test(refused),  cmocka_unit_test(kinds_and_actions),
		cmocka_unit_test(groups),     cmocka_unit_test(requests),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
