// SPDX-License-Identifier: Apache-2.0
/* Policies written for the cMCP runtime, asked as it asks. */
#include "policy/cmcp.h"

#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

#include "policy/cmcp_value.h"
#include "user/base/file.h"

static struct cmcp_judge *judge;
static struct cmcp_answer answer;

static struct cedar_snapshot *load(const char *text)
{
	struct mcp_policy_text t = { "a.cedar", span_of(text) };
	_cleanup_buf_ struct buf errors = { 0 };
	struct cedar_snapshot *s = NULL;
	int r = cmcp_load(&t, 1, &errors, &s);

	if (r < 0)
		fail_msg("%s", buf_cstr(&errors));
	return s;
}

/* What the policies say to a call of read_file with everything known. */
static enum cmcp_decision decide(const char *policies, const char *arguments)
{
	_cleanup_(cedar_snapshot_unref_p) struct cedar_snapshot *s = load(policies);
	struct cmcp_call call = { .tool = SPAN("read_file"),
				  .arguments = span_of(arguments),
				  .server_identity = "https://files.example/mcp",
				  .compliance_domain = "internal",
				  .session_max_sensitivity = "public",
				  .attestation_platform = "software-only",
				  .workflow_id = "default" };

	cmcp_judge_call(judge, s, &call, &answer);
	return answer.decision;
}

#define PERMIT_WHEN(what) "permit(principal, action, resource) when { " what " };"

static void assert_holds(const char *policies, const char *arguments)
{
	if (decide(policies, arguments) != CMCP_ALLOW)
		fail_msg("%s with %s: %s", policies, arguments, answer.error);
}

static void the_request_has_the_runtimes_shape(void **state)
{
	assert_holds("permit(principal == Agent::\"anonymous\", action == Action::\"ReadFile\","
		     " resource == Resource::\"read_file\");", "");
	assert_holds(PERMIT_WHEN("context == {arguments: {}, server_identity: \"https://files.example/mcp\","
				 " compliance_domain: \"internal\", baa_covered: true, destination_class: \"external\","
				 " session_max_sensitivity: \"public\", attestation_platform: \"software-only\","
				 " workflow_id: \"default\"}"), "{}");
	assert_int_equal(decide(PERMIT_WHEN("resource.name == \"read_file\""), ""), CMCP_DENY);
	assert_int_equal(answer.n_failed, 1);
	assert_string_equal(answer.error, "a.cedar:1:53: policy0: entity `Resource::\"read_file\"` does not exist");
	/* The published schema's names are not what the runtime asks with. */
	assert_int_equal(decide("permit(principal, action == cMCP::Action::\"call_tool\", resource);", ""), CMCP_DENY);
	assert_int_equal(answer.total_reasons, 0);
}

static void absent_members_are_absent(void **state)
{
	_cleanup_(cedar_snapshot_unref_p) struct cedar_snapshot *s =
		load(PERMIT_WHEN("context == {arguments: {}, baa_covered: false, destination_class: \"external\"}"));
	struct cmcp_call call = { .tool = SPAN("x"), .requires_baa = true };

	cmcp_judge_call(judge, s, &call, &answer);
	assert_int_equal(answer.decision, CMCP_ALLOW);
}

static void tools_become_actions(void **state)
{
	static const char *const names[][2] = {
		{ "read_file", "ReadFile" },   { "read__file", "ReadFile" }, { "crm.query", "Crm.query" },
		{ "CRM_queryALL", "CrmQueryall" }, { "_", "" },		     { "2fa_send", "2faSend" },
	};
	char text[200];

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		_cleanup_(cedar_snapshot_unref_p) struct cedar_snapshot *s = NULL;
		struct cmcp_call call = { .tool = span_of(names[i][0]) };

		snprintf(text, sizeof(text), "permit(principal, action == Action::\"%s\", resource == Resource::\"%s\");",
			 names[i][1], names[i][0]);
		s = load(text);
		cmcp_judge_call(judge, s, &call, &answer);
		assert_int_equal(answer.decision, CMCP_ALLOW);
	}
}

static void odd_names_are_denied(void **state)
{
	_cleanup_(cedar_snapshot_unref_p) struct cedar_snapshot *s = load("permit(principal, action, resource);");
	static const char *const names[] = { "", "a\"b", "a\\b", "A::b", "a\nb", "caf\xc3\xa9", "a\x7f" };
	char longest[CMCP_NAME_MAX + 2];
	struct cmcp_call call;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		call = (struct cmcp_call){ .tool = span_of(names[i]) };
		cmcp_judge_call(judge, s, &call, &answer);
		assert_int_equal(answer.decision, CMCP_DENY);
		assert_string_equal(answer.error, "the tool's name cannot be put to policies of this dialect");
	}
	memset(longest, 'a', sizeof(longest));
	call = (struct cmcp_call){ .tool = { longest, CMCP_NAME_MAX + 1 } };
	cmcp_judge_call(judge, s, &call, &answer);
	assert_int_equal(answer.decision, CMCP_DENY);
	call.tool.n = CMCP_NAME_MAX;
	cmcp_judge_call(judge, s, &call, &answer);
	assert_int_equal(answer.decision, CMCP_ALLOW);
	call.tool = SPAN("a:b:");
	cmcp_judge_call(judge, s, &call, &answer);
	assert_int_equal(answer.decision, CMCP_ALLOW);
}

/* --- arguments ----------------------------------------------------------------------------------- */

static void arguments_are_read_as_there(void **state)
{
	assert_holds(PERMIT_WHEN("context.arguments == {a: 1, b: [true, \"x\"], c: {d: \"0.5\"}}"),
		     "{\"a\": 1, \"b\": [null, true, \"x\"], \"c\": {\"d\": 5e-1, \"e\": null}, \"f\": null}");
	assert_holds(PERMIT_WHEN("context.arguments.a == \"-1.25\" && context.arguments.b == \"1e+16\""),
		     "{\"a\":-12.5e-1,\"b\":1.0E+16}");
	assert_holds(PERMIT_WHEN("context.arguments.a == 9223372036854775807"), "{\"a\":9223372036854775807}");
}

static void bad_arguments_are_denied(void **state)
{
	static const char *const bad[][2] = {
		{ "[]", "the arguments are no JSON object" },
		{ "{", "arguments:1:2: " },
		{ "{\"a\":1,\"a\":2}", "arguments:1:1: the object has a key twice" },
		{ "{\"a\":NaN}", "arguments:1:6: " },
		{ "{\"a\":9223372036854775808}", "the arguments have a number out of range" },
		{ "{\"a\":{\"__entity\":{\"type\":\"Agent\",\"id\":\"x\"}}}", "the arguments cannot be put to policy" },
		{ "{\"__extn\":{\"fn\":\"ip\",\"arg\":\"::1\"}}", "the arguments cannot be put to policy" },
		{ "{\"a\":[{\"__expr\":\"1\"}]}", "the arguments cannot be put to policy" },
	};
	char deep[600];

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal(decide("permit(principal, action, resource);", bad[i][0]), CMCP_DENY);
		if (strncmp(answer.error, bad[i][1], strlen(bad[i][1])) != 0)
			fail_msg("%s: %s", bad[i][0], answer.error);
		assert_int_equal(answer.total_reasons, 0);
	}
	snprintf(deep, sizeof(deep), "{\"a\":%0200d}", 0);
	memset(deep + 5, '[', 200);
	assert_int_equal(decide("permit(principal, action, resource);", deep), CMCP_DENY);
	memset(deep + 5, '[', 150);
	memset(deep + 155, ']', 150);
	strcpy(deep + 305, "}");
	assert_int_equal(decide("permit(principal, action, resource);", deep), CMCP_DENY);
	assert_string_equal(answer.error, "the arguments are nested too deep");
}

static void long_numbers(void **state)
{
	char text[CMCP_NUMBER_MAX + 40] = "{\"a\":0.";

	memset(text + 7, '1', CMCP_NUMBER_MAX - 1);
	strcpy(text + 6 + CMCP_NUMBER_MAX, "}");
	assert_holds(PERMIT_WHEN("context.arguments.a == \"0.1111111111111111\""), text);
	strcpy(text + 6 + CMCP_NUMBER_MAX, "1}");
	assert_int_equal(decide("permit(principal, action, resource);", text), CMCP_DENY);
	assert_string_equal(answer.error, "the arguments have a number out of range");
}

static void floats_are_written_as_python_does(void **state)
{
	static const struct {
		double v;
		const char *text;
	} cases[] = {
		{ 0.0, "0.0" }, { -0.0, "-0.0" }, { 1.0, "1.0" }, { 0.1, "0.1" }, { 100.0, "100.0" },
		{ 123.456, "123.456" }, { 0.0001, "0.0001" }, { 0.00001, "1e-05" }, { 0.000123, "0.000123" },
		{ 1e15, "1000000000000000.0" }, { 1e16, "1e+16" }, { 1.5e16, "1.5e+16" }, { 1.0 / 3, "0.3333333333333333" },
		{ 2.0 / 3, "0.6666666666666666" }, { 1e22, "1e+22" }, { 1e100, "1e+100" }, { 5e-324, "5e-324" },
		{ 1.7976931348623157e308, "1.7976931348623157e+308" }, { 9007199254740993.0, "9007199254740992.0" },
		{ 12345678901234567.0, "1.2345678901234568e+16" }, { INFINITY, "inf" }, { -INFINITY, "-inf" },
	};
	char text[CMCP_FLOAT_SIZE];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		cmcp_float_text(cases[i].v, text);
		assert_string_equal(text, cases[i].text);
	}
}

/* --- answers ------------------------------------------------------------------------------------- */

static void obligations(void **state)
{
#define FORBID "forbid(principal, action, resource);"
	static const struct {
		const char *policies;
		enum cmcp_decision want;
	} cases[] = {
		{ FORBID, CMCP_DENY },
		{ "@aarm_decision(\"step_up\")" FORBID, CMCP_STEP_UP },
		{ "@aarm_decision(\" Defer \")" FORBID, CMCP_DEFER },
		{ "@aarm_decision(\"deny\") @approver(\"x\")" FORBID, CMCP_DENY },
		{ "@aarm_decision(\"allow\") @approver(\"x\")" FORBID, CMCP_DENY },
		{ "@aarm_decision(\"modify\")" FORBID, CMCP_DENY },
		{ "@aarm_decision(\"stepup\")" FORBID, CMCP_DENY },
		{ "@aarm_decision(\"stepup\") @hitl(\"x\")" FORBID, CMCP_STEP_UP },
		{ "@escalate " FORBID, CMCP_STEP_UP },
		{ "@escalation(\"x\")" FORBID, CMCP_STEP_UP },
		{ "@note(\"x\")" FORBID, CMCP_DENY },
		{ "@aarm_decision(\"defer\")" FORBID "@aarm_decision(\"step_up\")" FORBID, CMCP_STEP_UP },
		{ "@aarm_decision(\"defer\")" FORBID FORBID, CMCP_DENY },
		/* A permit asks for nothing. */
		{ "@aarm_decision(\"defer\") permit(principal, action, resource);", CMCP_ALLOW },
		{ "@hitl permit(principal, action, resource); " FORBID, CMCP_DENY },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_int_equal(decide(cases[i].policies, ""), cases[i].want);
	assert_int_equal(decide("@id(\"no\") @approver(\"desk\")" FORBID, ""), CMCP_STEP_UP);
	assert_string_equal(answer.advice, "desk");
	assert_int_equal(answer.n_reasons, 1);
	assert_string_equal(answer.reasons[0], "no");
}

static void failing_forbids_are_skipped_and_told(void **state)
{
	assert_int_equal(decide("permit(principal, action, resource);"
				"forbid(principal, action, resource) when { context.nothing };", ""), CMCP_ALLOW);
	assert_true(answer.forbid_failed);
	assert_int_equal(answer.n_failed, 1);
	assert_non_null(strstr(answer.error, "policy1: "));
}

static void results_have_a_context_of_their_own(void **state)
{
	_cleanup_(cedar_snapshot_unref_p) struct cedar_snapshot *s =
		load("permit(principal, action == Action::\"ReadFile\", resource == Resource::\"read_file\")"
		     "when { context == {egress: true, sensitivity_level: 3, injection_events: 1, reset_count: 2,"
		     " response_size_bytes: 4096, workflow_id: \"w\"} };");
	struct cmcp_result result = { SPAN("read_file"), 3, 1, 2, 4096, "w" };

	cmcp_judge_result(judge, s, &result, &answer);
	assert_int_equal(answer.decision, CMCP_ALLOW);
	result.sensitivity_level = 2;
	cmcp_judge_result(judge, s, &result, &answer);
	assert_int_equal(answer.decision, CMCP_DENY);
	result.tool = SPAN("a\"b");
	cmcp_judge_result(judge, s, &result, &answer);
	assert_int_equal(answer.decision, CMCP_DENY);
	assert_true(*answer.error);
}

static void texts_with_errors_do_not_load(void **state)
{
	struct mcp_policy_text t[] = { { "a", SPAN("permit(") }, { "b", SPAN("permit(principal, action, resource);") } };
	_cleanup_buf_ struct buf errors = { 0 };
	struct cedar_snapshot *s = NULL;

	assert_int_equal(cmcp_load(t, 2, &errors, &s), -EINVAL);
	assert_null(s);
	assert_string_equal(buf_cstr(&errors), "a:1:8: unexpected end of the text, expected `principal`\n");
}

/* --- bundles that others made -------------------------------------------------------------------- */

static struct cedar_snapshot *load_files(const char *dir, const char *const *names, size_t n)
{
	const char *vectors = getenv("TOLLGATE_VECTORS"), *root = vectors ? vectors : "../shared/vectors";
	struct mcp_policy_text texts[4];
	struct buf contents[4] = { 0 };
	_cleanup_buf_ struct buf errors = { 0 };
	struct cedar_snapshot *s = NULL;
	char path[512];

	snprintf(path, sizeof(path), "%s/trace/cmcp/%s", root, dir);
	if (access(path, R_OK) < 0) {
		print_message("skip: no %s\n", path);
		skip();
	}
	for (size_t i = 0; i < n; i++) {
		snprintf(path, sizeof(path), "%s/trace/cmcp/%s/%s", root, dir, names[i]);
		assert_int_equal(file_read(path, 1 << 20, &contents[i]), 0);
		texts[i] = (struct mcp_policy_text){ names[i], buf_span(&contents[i]) };
	}
	assert_int_equal(cmcp_load(texts, n, &errors, &s), 0);
	for (size_t i = 0; i < n; i++)
		buf_done(&contents[i]);
	return s;
}

static void published_bfsi_bundle(void **state)
{
	static const char *const files[] = { "allow-approved-tools.cedar", "block-mnpi-to-communication.cedar",
					     "block-phi-to-uncovered.cedar" };
	_cleanup_(cedar_snapshot_unref_p) struct cedar_snapshot *s =
		load_files("examples/bfsi-demo/policies", files, ARRAY_SIZE(files));
	static const struct {
		const char *tool, *sensitivity;
		bool requires_baa;
		enum cmcp_decision want;
		const char *by;
	} cases[] = {
		{ "crm.query", "public", false, CMCP_ALLOW, "policy0" },
		{ "communication.send", "public", true, CMCP_ALLOW, "policy0" },
		{ "communication.send", "mnpi", false, CMCP_DENY, "policy1" },
		{ "crm.query", "mnpi", true, CMCP_ALLOW, "policy0" },
		{ "kyc.verify", "hipaa_phi", false, CMCP_ALLOW, "policy0" },
		{ "kyc.verify", "hipaa_phi", true, CMCP_DENY, "policy2" },
	};
	struct cmcp_result result = { .tool = SPAN("kyc.verify"), .sensitivity_level = 3 };

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct cmcp_call call = { .tool = span_of(cases[i].tool),
					  .requires_baa = cases[i].requires_baa,
					  .session_max_sensitivity = cases[i].sensitivity };

		cmcp_judge_call(judge, s, &call, &answer);
		assert_int_equal(answer.decision, cases[i].want);
		assert_int_equal(answer.n_reasons, 1);
		assert_string_equal(answer.reasons[0], cases[i].by);
		assert_int_equal(answer.n_failed, 0);
	}
	/* Results are asked about without what the forbid reads, which must not stop all of them. */
	cmcp_judge_result(judge, s, &result, &answer);
	assert_int_equal(answer.decision, CMCP_ALLOW);
	assert_true(answer.forbid_failed);
}

static void published_minimal_bundles(void **state)
{
	static const char *const all[] = { "allow-all.cedar" }, *const ehr[] = { "allow_ehr_tools.cedar" };
	_cleanup_(cedar_snapshot_unref_p) struct cedar_snapshot *minimal = load_files("examples/minimal/policies", all, 1),
		*v1 = load_files("experiments/claim1-policy-hash-binding/fixtures/bundle-v1", ehr, 1);
	struct cmcp_call call = { .tool = SPAN("echo"), .session_max_sensitivity = "public" };

	cmcp_judge_call(judge, minimal, &call, &answer);
	assert_int_equal(answer.decision, CMCP_ALLOW);
	/* Written to the published schema, so that the runtime's question never meets it. */
	call.tool = SPAN("ehr.get_patient");
	cmcp_judge_call(judge, v1, &call, &answer);
	assert_int_equal(answer.decision, CMCP_DENY);
	assert_int_equal(answer.total_reasons, 0);
}

static int make_judge(void **state)
{
	return cmcp_judge_new(&judge);
}

static int free_judge(void **state)
{
	cmcp_judge_free(judge);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_request_has_the_runtimes_shape),
		cmocka_unit_test(absent_members_are_absent),
		cmocka_unit_test(tools_become_actions),
		cmocka_unit_test(odd_names_are_denied),
		cmocka_unit_test(arguments_are_read_as_there),
		cmocka_unit_test(bad_arguments_are_denied),
		cmocka_unit_test(long_numbers),
		cmocka_unit_test(floats_are_written_as_python_does),
		cmocka_unit_test(obligations),
		cmocka_unit_test(failing_forbids_are_skipped_and_told),
		cmocka_unit_test(results_have_a_context_of_their_own),
		cmocka_unit_test(texts_with_errors_do_not_load),
		cmocka_unit_test(published_bfsi_bundle),
		cmocka_unit_test(published_minimal_bundles),
	};

	return cmocka_run_group_tests(tests, make_judge, free_judge);
}
