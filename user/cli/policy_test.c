// SPDX-License-Identifier: Apache-2.0
/*
 * tollgate policy test: puts requests to policies as the daemon would and compares the decisions with what a
 * file expects. For use before a policy is reloaded, and in CI.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "user/base/log.h"
#include "user/cli/policy_cmd.h"
#include "user/cli/policy_results.h"
#include "user/cli/policy_suite.h"

struct suite {
	struct policy_suite files;
	struct mcp_model *model;
	struct mcp_judge *judge;
	struct policy_results results;
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

static void run_test(struct suite *s, const json_t *t)
{
	static struct policy_suite_room room;
	const char *want = policy_suite_text(t, "expect");
	struct mcp_request rq;
	struct mcp_answer a;
	_cleanup_buf_ struct buf got = { 0 };
	bool allow = want && strcmp(want, "allow") == 0;

	if (!want || (!allow && strcmp(want, "deny") != 0)) {
		policy_results_add(&s->results, t, false, "a test whose \"expect\" is neither allow nor deny");
		return;
	}
	if (policy_suite_request(t, &room, &rq) < 0) {
		policy_results_add(&s->results, t, false, "a test that asks for nothing that can be judged");
		return;
	}
	mcp_judge_decide(s->judge, s->model, &rq, &a);
	describe(&a, &got);
	policy_results_add(&s->results, t,
			   (a.decision == MCP_ALLOW) == allow &&
				   policy_results_by(t, a.reasons, a.n_reasons, a.total_reasons),
			   buf_cstr(&got));
}

static int run_all(struct suite *s, bool json)
{
	const json_t *tests = json_object_get(s->files.document, "tests");

	policy_results_begin(&s->results, json);
	for (size_t i = 0; i < json_array_size(tests); i++)
		run_test(s, json_array_get(tests, i));
	return policy_results_end(&s->results);
}

int policy_test(struct cli *cli, int n, char **words)
{
	struct suite s = { 0 };
	int r, status;

	for (int i = 0; i < n; i++)
		if (strcmp(words[i], "--dialect") == 0)
			return policy_test_dialect(cli, n, words);
	r = policy_suite_load(&s.files, "test", NULL, NULL, n, words);
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
