// SPDX-License-Identifier: Apache-2.0
/*
 * tollgate policy test --dialect cmcp: requests in the words of the cMCP runtime, put to a bundle that was
 * written for it.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/cmcp.h"
#include "user/base/log.h"
#include "user/cli/policy_bundle.h"
#include "user/cli/policy_cmd.h"
#include "user/cli/policy_results.h"
#include "user/cli/policy_suite.h"

struct suite {
	struct policy_suite files; /* tests and document */
	const char *dialect, *bundle;
	bool json;
	struct cedar_snapshot *policies;
	struct cmcp_judge *judge;
	struct policy_results results;
};

static const char *const decisions[] = {
	[CMCP_DENY] = "deny", [CMCP_STEP_UP] = "step_up", [CMCP_DEFER] = "defer", [CMCP_ALLOW] = "allow"
};

static int load(struct suite *s)
{
	_cleanup_policy_bundle_ struct policy_bundle b;
	char error[POLICY_BUNDLE_ERROR_MAX] = "";
	_cleanup_buf_ struct buf why = { 0 };
	int r = policy_bundle_load(s->bundle, &b, error);

	if (r < 0) {
		fprintf(stderr, "tollgate: policy test: %s\n", error);
		return r;
	}
	r = cmcp_load(b.texts, b.n_texts, &why, &s->policies);
	if (r == 0)
		r = cmcp_judge_new(&s->judge);
	if (r < 0)
		fprintf(stderr, "%s%s", buf_len(&why) ? buf_cstr(&why) : err_text(r), buf_len(&why) ? "" : "\n");
	return r < 0 ? r : policy_suite_load_tests(&s->files);
}

static int64_t number(const json_t *object, const char *name)
{
	return json_integer_value(json_object_get(object, name));
}

static void ask_about_result(struct suite *s, const json_t *t, const json_t *egress, struct cmcp_answer *a)
{
	struct cmcp_result result = {
		.tool = span_of(policy_suite_text(t, "tool")),
		.sensitivity_level = number(egress, "sensitivity_level"),
		.injection_events = number(egress, "injection_events"),
		.reset_count = number(egress, "reset_count"),
		.response_size_bytes = number(egress, "response_size_bytes"),
		.workflow_id = policy_suite_text(t, "workflow_id"),
	};

	cmcp_judge_result(s->judge, s->policies, &result, a);
}

static int ask_about_call(struct suite *s, const json_t *t, struct cmcp_answer *a)
{
	const json_t *arguments = json_object_get(t, "arguments");
	_cleanup_free_ char *text = arguments ? json_dumps(arguments, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;
	struct cmcp_call call = {
		.tool = span_of(policy_suite_text(t, "tool")),
		.arguments = span_of(text),
		.server_identity = policy_suite_text(t, "server_identity"),
		.compliance_domain = policy_suite_text(t, "compliance_domain"),
		.requires_baa = json_is_true(json_object_get(t, "requires_baa")),
		.session_max_sensitivity = policy_suite_text(t, "session_max_sensitivity"),
		.attestation_platform = policy_suite_text(t, "attestation_platform"),
		.workflow_id = policy_suite_text(t, "workflow_id"),
	};

	if (arguments && !text)
		return -ENOMEM;
	cmcp_judge_call(s->judge, s->policies, &call, a);
	return 0;
}

static void describe(const struct cmcp_answer *a, struct buf *out)
{
	(void)buf_append_str(out, decisions[a->decision]);
	for (size_t i = 0; i < a->n_reasons; i++)
		(void)buf_printf(out, "%s%s", i ? ", " : " by ", a->reasons[i]);
	if (a->decision == CMCP_DENY && a->total_reasons == 0 && !*a->error)
		(void)buf_append_str(out, ": no policy permits it");
	if (*a->error)
		(void)buf_printf(out, " (%s)", a->error);
}

static bool is_decision(const char *want)
{
	for (size_t i = 0; want && i < ARRAY_SIZE(decisions); i++)
		if (strcmp(want, decisions[i]) == 0)
			return true;
	return false;
}

static void run_test(struct suite *s, const json_t *t)
{
	const char *want = policy_suite_text(t, "expect");
	const json_t *egress = json_object_get(t, "egress");
	_cleanup_buf_ struct buf got = { 0 };
	struct cmcp_answer a;

	if (!is_decision(want)) {
		policy_results_add(&s->results, t, false,
				   "a test whose \"expect\" is none of allow, deny, step_up, defer");
		return;
	}
	if (json_is_object(egress)) {
		ask_about_result(s, t, egress, &a);
	} else if (ask_about_call(s, t, &a) < 0) {
		policy_results_add(&s->results, t, false, NULL);
		return;
	}
	describe(&a, &got);
	policy_results_add(&s->results, t,
			   strcmp(want, decisions[a.decision]) == 0 &&
				   policy_results_by(t, a.reasons, a.n_reasons, a.total_reasons),
			   buf_cstr(&got));
}

static int run_all(struct suite *s)
{
	const json_t *tests = json_object_get(s->files.document, "tests");

	policy_results_begin(&s->results, s->json);
	for (size_t i = 0; i < json_array_size(tests); i++)
		run_test(s, json_array_get(tests, i));
	return policy_results_end(&s->results);
}

static int take_words(struct suite *s, int n, char **words)
{
	for (int i = 0; i < n; i++) {
		if (strcmp(words[i], "--json") == 0)
			s->json = true;
		else if (strcmp(words[i], "--dialect") == 0 && i + 1 < n)
			s->dialect = words[++i];
		else if (strcmp(words[i], "--bundle") == 0 && i + 1 < n)
			s->bundle = words[++i];
		else if (strcmp(words[i], "--tests") == 0 && i + 1 < n)
			s->files.tests = words[++i];
		else
			return -EDOM;
	}
	if (s->dialect && strcmp(s->dialect, "cmcp") != 0) {
		fprintf(stderr, "tollgate: policy test: --dialect: there is only cmcp, not %s\n", s->dialect);
		return -EDOM;
	}
	return s->bundle && s->files.tests ? 0 : -EDOM;
}

int policy_test_dialect(struct cli *cli, int n, char **words)
{
	struct suite s = { .files.command = "test", .json = cli->json };
	int status;

	if (take_words(&s, n, words) < 0)
		status = policy_usage();
	else
		status = load(&s) < 0 ? CLI_FAILED : run_all(&s);
	cmcp_judge_free(s.judge);
	cedar_snapshot_unref(s.policies);
	policy_suite_done(&s.files);
	return status;
}
