// SPDX-License-Identifier: Apache-2.0
/*
 * tollgate policy test: puts requests to policies as the daemon would and compares the decisions with what a
 * file expects. For use before a policy is reloaded, and in CI.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "user/base/json_out.h"
#include "user/base/log.h"
#include "user/cli/policy_cmd.h"
#include "user/cli/policy_report.h"
#include "user/cli/policy_suite.h"

struct suite {
	struct policy_suite files;
	struct mcp_model *model;
	struct mcp_judge *judge;
	struct json_out *out; /* NULL: text */
	unsigned passed, failed;
};

static int make_model(struct suite *s)
{
	_cleanup_buf_ struct buf why = { 0 };
	int r = mcp_model_new(&s->files.in, &why, &s->model);

	if (r == 0)
		r = mcp_judge_new(&s->judge);
	if (r < 0)
		fprintf(stderr, "%s%s", buf_len(&why) ? buf_cstr(&why) : err_text(r), buf_len(&why) ? "" : "\n");
	return r;
}

/* Without "policies" any will do; with it, exactly these must have decided. */
static bool same_policies(const json_t *want, const struct mcp_answer *a)
{
	if (!json_is_array(want))
		return true;
	for (size_t i = 0; i < json_array_size(want); i++) {
		const char *name = json_string_value(json_array_get(want, i));
		bool found = false;

		for (size_t k = 0; name && k < a->n_reasons; k++)
			found |= strcmp(a->reasons[k], name) == 0;
		if (!found)
			return false;
	}
	return json_array_size(want) == a->total_reasons;
}

static void describe(const struct mcp_answer *a, struct buf *out)
{
	(void)buf_append_str(out, a->decision == MCP_ALLOW ? "allow" : "deny");
	if (a->why == MCP_WHY_DEFAULT)
		(void)buf_append_str(out, ": no policy permits it");
	for (size_t i = 0; i < a->n_reasons; i++)
		(void)buf_printf(out, "%s%s", i ? ", " : " by ", a->reasons[i]);
	if (*a->error)
		(void)buf_printf(out, " (%s)", a->error);
}

static void report(struct suite *s, const json_t *t, bool ok, const char *got)
{
	const char *name = policy_suite_text(t, "name"), *want = policy_suite_text(t, "expect");

	s->passed += ok;
	s->failed += !ok;
	if (!s->out) {
		if (ok)
			printf("ok %s\n", name ? name : "(no name)");
		else
			printf("FAIL %s: expected %s, got %s\n", name ? name : "(no name)",
			       want ? want : "(nothing)", got);
		return;
	}
	json_out_object(s->out);
	json_out_member_str(s->out, "name", name);
	json_out_member_str(s->out, "expected", want);
	json_out_member_str(s->out, "got", got);
	json_out_member_bool(s->out, "ok", ok);
	json_out_object_end(s->out);
}

static void run_test(struct suite *s, const json_t *t)
{
	static const char *lists[3][POLICY_SUITE_LIST_MAX];
	const char *want = policy_suite_text(t, "expect");
	struct mcp_request rq;
	struct mcp_answer a;
	_cleanup_buf_ struct buf got = { 0 };
	bool allow = want && strcmp(want, "allow") == 0;

	if (!want || (!allow && strcmp(want, "deny") != 0)) {
		report(s, t, false, "a test whose \"expect\" is neither allow nor deny");
		return;
	}
	if (policy_suite_request(t, lists, &rq) < 0) {
		report(s, t, false, "a test that asks for nothing that can be judged");
		return;
	}
	mcp_judge_decide(s->judge, s->model, &rq, &a);
	describe(&a, &got);
	report(s, t, (a.decision == MCP_ALLOW) == allow && same_policies(json_object_get(t, "policies"), &a),
	       buf_cstr(&got));
}

static int run_all(struct suite *s, bool json)
{
	const json_t *tests = json_object_get(s->files.document, "tests");
	_cleanup_buf_ struct buf b = { 0 };
	struct json_out j;

	if (json) {
		json_out_init(&j, &b);
		s->out = &j;
		json_out_object(&j);
		json_out_key(&j, "tests");
		json_out_array(&j);
	}
	for (size_t i = 0; i < json_array_size(tests); i++)
		run_test(s, json_array_get(tests, i));
	if (!json) {
		printf("%u passed, %u failed\n", s->passed, s->failed);
	} else {
		json_out_array_end(&j);
		json_out_member_int(&j, "passed", s->passed);
		json_out_member_int(&j, "failed", s->failed);
		json_out_object_end(&j);
		if (policy_print_json(&b, json_out_end(&j)) != CLI_OK)
			return CLI_FAILED;
	}
	return s->failed || !s->passed ? CLI_FAILED : CLI_OK;
}

int policy_test(struct cli *cli, int n, char **words)
{
	struct suite s = { 0 };
	int r = policy_suite_load(&s.files, "test", NULL, NULL, n, words), status;

	if (r == 0)
		r = make_model(&s);
	if (r == -EDOM)
		status = policy_usage();
	else
		status = r < 0 ? CLI_FAILED : run_all(&s, cli->json || s.files.json);
	mcp_judge_free(s.judge);
	mcp_model_unref(s.model);
	policy_suite_done(&s.files);
	return status;
}
