// SPDX-License-Identifier: Apache-2.0
/* tollgate policy explain: why a request of a file of tests is allowed or denied. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "policy/mcp_explain.h"
#include "user/base/json_out.h"
#include "user/base/log.h"
#include "user/cli/policy_cmd.h"
#include "user/cli/policy_report.h"
#include "user/cli/policy_suite.h"

struct explanation {
	struct policy_suite files;
	struct mcp_model *model;
	struct mcp_judge *judge;
	struct mcp_explain *explain;
	struct json_out *out; /* NULL: text */
	unsigned explained;
};

static const char *const standings[] = {
	[CEDAR_OUT_OF_SCOPE] = "out of scope",	 [CEDAR_HOLDS] = "holds",
	[CEDAR_CONJUNCT_FALSE] = "does not hold", [CEDAR_CONJUNCT_FAILED] = "fails",
	[CEDAR_CONJUNCT_DEPENDS] = "depends on the arguments",
};

static const char *effect_of(const struct cedar_why *w)
{
	return w->effect == CEDAR_PERMIT ? "permit" : "forbid";
}

/* --- as text ------------------------------------------------------------------------------------- */

static void print_span(struct span s)
{
	(void)fwrite(s.p, 1, s.n, stdout);
}

static void print_policy(const struct cedar_why *w)
{
	printf("  %s:%u:%u: %s %s: %s", w->text_name, w->line, w->column, effect_of(w), w->name,
	       standings[w->standing]);
	if (w->standing == CEDAR_HOLDS) {
		putchar('\n');
		return;
	}
	fputs(w->unless ? ": unless " : ": ", stdout);
	print_span(buf_span(&w->conjunct));
	putchar('\n');
	if (*w->error)
		printf("      %s\n", w->error);
	for (uint32_t i = 0; i < w->n_values; i++) {
		fputs("      ", stdout);
		print_span(buf_span(&w->values[i].path));
		fputs(" = ", stdout);
		print_span(buf_span(&w->values[i].value));
		putchar('\n');
	}
}

/* By which policies, or why by none. */
static void print_decision(const char *name, const struct mcp_answer *a)
{
	printf("%s: %s", name ? name : "(no name)", a->decision == MCP_ALLOW ? "allow" : "deny");
	if (a->why == MCP_WHY_DEFAULT)
		fputs(": no policy permits it", stdout);
	else if (a->why == MCP_WHY_FAILED)
		printf(": %s", a->error);
	for (size_t i = 0; i < a->n_reasons; i++)
		printf("%s%s", i ? ", " : " by ", a->reasons[i]);
	if (a->total_reasons > a->n_reasons)
		printf(" and %zu more", a->total_reasons - a->n_reasons);
	if (a->why == MCP_WHY_FORBID_ERRORED)
		fputs(", for a forbid that fails denies", stdout);
	if (*a->principal)
		printf(" (for %s)", a->principal);
	putchar('\n');
}

/* --- as JSON ------------------------------------------------------------------------------------- */

static void put_policy(struct json_out *j, const struct cedar_why *w)
{
	json_out_object(j);
	json_out_member_str(j, "policy", w->name);
	json_out_member_str(j, "effect", effect_of(w));
	json_out_member_str(j, "file", w->text_name);
	json_out_member_int(j, "line", w->line);
	json_out_member_int(j, "column", w->column);
	json_out_member_str(j, "standing", standings[w->standing]);
	if (w->standing != CEDAR_HOLDS) {
		json_out_member_bool(j, "unless", w->unless);
		json_out_member_span(j, "conjunct", buf_span(&w->conjunct));
		json_out_member_str(j, "error", *w->error ? w->error : NULL);
		json_out_key(j, "values");
		json_out_object(j);
		for (uint32_t i = 0; i < w->n_values; i++) {
			json_out_key_span(j, buf_span(&w->values[i].path));
			json_out_string(j, buf_span(&w->values[i].value));
		}
		json_out_object_end(j);
	}
	json_out_object_end(j);
}

static void put_decision(struct json_out *j, const char *name, const struct mcp_answer *a)
{
	json_out_object(j);
	json_out_member_str(j, "name", name);
	json_out_member_str(j, "decision", a->decision == MCP_ALLOW ? "allow" : "deny");
	json_out_member_str(j, "principal", a->principal);
	json_out_member_str(j, "error", *a->error ? a->error : NULL);
	json_out_key(j, "decided_by");
	json_out_array(j);
	for (size_t i = 0; i < a->n_reasons; i++)
		json_out_string(j, span_of(a->reasons[i]));
	json_out_array_end(j);
	json_out_key(j, "policies");
	json_out_array(j);
}

/* --- one request --------------------------------------------------------------------------------- */

/* What became of each policy; those that decided first. */
static int tell_policies(struct explanation *x)
{
	size_t n = mcp_explain_policies(x->explain), elsewhere = 0;

	for (unsigned pass = 0; pass < 2; pass++) {
		for (size_t i = 0; i < n; i++) {
			_cleanup_why_ struct cedar_why w = { 0 };
			int r = mcp_explain_why(x->explain, i, &w);

			if (r < 0)
				return r;
			elsewhere += pass == 0 && w.standing == CEDAR_OUT_OF_SCOPE;
			if (w.standing == CEDAR_OUT_OF_SCOPE || (w.standing == CEDAR_HOLDS) != (pass == 0))
				continue;
			if (x->out)
				put_policy(x->out, &w);
			else
				print_policy(&w);
		}
	}
	if (elsewhere && !x->out)
		printf("  %zu more: the scope is another\n", elsewhere);
	return 0;
}

static int explain_test(struct explanation *x, const json_t *t)
{
	static struct policy_suite_room room;
	const char *name = policy_suite_text(t, "name");
	struct mcp_request rq;
	struct mcp_answer a;
	int r = 0;

	if (policy_suite_request(t, &room, &rq) < 0)
		return policy_suite_complain(&x->files, x->files.tests, "a test asks for nothing that can be judged");
	x->explained++;
	mcp_judge_decide(x->judge, x->model, &rq, &a);
	if (x->out)
		put_decision(x->out, name, &a);
	else
		print_decision(name, &a);
	if (a.why != MCP_WHY_FAILED) {
		r = mcp_explain_ask(x->explain, &rq, a.principal);
		if (r == 0)
			r = tell_policies(x);
		if (r < 0)
			(void)policy_suite_complain(&x->files, name ? name : "(no name)", err_text(r));
	}
	if (x->out) {
		json_out_array_end(x->out);
		json_out_object_end(x->out);
	}
	return r;
}

static int explain_all(struct explanation *x, const char *only)
{
	const json_t *tests = json_object_get(x->files.document, "tests");
	int r = 0;

	for (size_t i = 0; i < json_array_size(tests); i++) {
		const json_t *t = json_array_get(tests, i);
		const char *name = policy_suite_text(t, "name");

		if (only && (!name || strcmp(name, only) != 0))
			continue;
		if (explain_test(x, t) < 0)
			r = -EINVAL;
	}
	if (r == 0 && x->explained == 0)
		r = policy_suite_complain(&x->files, x->files.tests, only ? "has no test of this name" : "has no test");
	return r;
}

static int explain_as_json(struct explanation *x, const char *only)
{
	_cleanup_buf_ struct buf b = { 0 };
	struct json_out j;
	int r;

	json_out_init(&j, &b);
	x->out = &j;
	json_out_object(&j);
	json_out_key(&j, "tests");
	json_out_array(&j);
	r = explain_all(x, only);
	json_out_array_end(&j);
	json_out_object_end(&j);
	return policy_print_json(&b, json_out_end(&j)) == CLI_OK && r == 0 ? CLI_OK : CLI_FAILED;
}

static int load(struct explanation *x)
{
	_cleanup_buf_ struct buf why = { 0 };
	int r = mcp_model_new(&x->files.in, &why, &x->model);

	if (r == 0)
		r = mcp_judge_new(&x->judge);
	if (r == 0)
		r = mcp_explain_new(&x->files.in, &why, &x->explain);
	if (r < 0)
		fprintf(stderr, "%s%s", buf_len(&why) ? buf_cstr(&why) : err_text(r), buf_len(&why) ? "" : "\n");
	return r;
}

int policy_explain(struct cli *cli, int n, char **words)
{
	struct explanation x = { 0 };
	const char *only = NULL;
	int r = policy_suite_load(&x.files, "explain", "--test", &only, n, words), status;

	if (r == 0)
		r = load(&x);
	if (r == -EDOM)
		status = policy_usage();
	else if (r < 0)
		status = CLI_FAILED;
	else if (cli->json || x.files.json)
		status = explain_as_json(&x, only);
	else
		status = explain_all(&x, only) < 0 ? CLI_FAILED : CLI_OK;
	mcp_explain_free(x.explain);
	mcp_judge_free(x.judge);
	mcp_model_unref(x.model);
	policy_suite_done(&x.files);
	return status;
}
