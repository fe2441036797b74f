// SPDX-License-Identifier: Apache-2.0
/*
 * tollgate policy test: puts requests to policies as the daemon would and compares the decisions with what a
 * file expects. For use before a policy is reloaded, and in CI.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "policy/mcp_model.h"
#include "user/base/clock.h"
#include "user/base/file.h"
#include "user/base/json_out.h"
#include "user/base/log.h"
#include "user/cli/policy_catalog.h"
#include "user/cli/policy_cmd.h"
#include "user/cli/policy_report.h"
#include "user/mcp/catalog_model.h"

#define POLICIES_MAX 4096
#define LIST_MAX 64 /* labels, groups or policy names of one test */
#define TESTS_FILE_MAX (16u << 20)

struct suite {
	const char *catalog, *tests;
	struct mcp_policy_text *texts;
	struct buf *contents; /* of texts */
	size_t n_texts;
	json_t *document;
	struct mcp_agent *agents;
	size_t n_agents;
	const char *lists[LIST_MAX]; /* groups of all agents, one after the other */
	struct mcp_model *model;
	struct mcp_judge *judge;
	struct json_out *out; /* NULL: text */
	unsigned passed, failed;
};

static int complain(const char *path, const char *what)
{
	fprintf(stderr, "tollgate: policy test: %s: %s\n", path, what);
	return -EINVAL;
}

static const char *text_of(const json_t *object, const char *name)
{
	return json_string_value(json_object_get(object, name));
}

/* The strings of an array; how many. */
static size_t strings_of(const json_t *array, const char **ret, size_t max)
{
	size_t n = 0;

	for (size_t i = 0; i < json_array_size(array) && n < max; i++)
		if (json_is_string(json_array_get(array, i)))
			ret[n++] = json_string_value(json_array_get(array, i));
	return n;
}

/* --- loading ------------------------------------------------------------------------------------- */

static int load_texts(struct suite *s, int n, char **paths)
{
	s->texts = calloc((size_t)n, sizeof(*s->texts));
	s->contents = calloc((size_t)n, sizeof(*s->contents));
	if (!s->texts || !s->contents)
		return complain(paths[0], err_text(-ENOMEM));
	for (int i = 0; i < n; i++) {
		int r = file_read(paths[i], CEDAR_TEXT_MAX, &s->contents[i]);

		if (r < 0)
			return complain(paths[i], err_text(r));
		s->texts[s->n_texts++] = (struct mcp_policy_text){ paths[i], buf_span(&s->contents[i]) };
	}
	return 0;
}

static int load_tests(struct suite *s)
{
	_cleanup_buf_ struct buf text = { 0 };
	json_error_t e;
	char why[200];
	int r = file_read(s->tests, TESTS_FILE_MAX, &text);

	if (r < 0)
		return complain(s->tests, err_text(r));
	s->document = json_loadb(buf_span(&text).p, buf_len(&text), JSON_REJECT_DUPLICATES, &e);
	if (!s->document) {
		snprintf(why, sizeof(why), "line %d, column %d: %s", e.line, e.column, e.text);
		return complain(s->tests, why);
	}
	if (!json_is_array(json_object_get(s->document, "tests")))
		return complain(s->tests, "lacks the array \"tests\"");
	return 0;
}

static int load_agents(struct suite *s)
{
	const json_t *list = json_object_get(s->document, "agents");
	size_t used = 0;

	s->agents = calloc(json_array_size(list) + 1, sizeof(*s->agents));
	if (!s->agents)
		return complain(s->tests, err_text(-ENOMEM));
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *a = json_array_get(list, i), *uid = json_object_get(a, "uid");
		struct mcp_agent *agent = &s->agents[s->n_agents++];

		agent->name = text_of(a, "name");
		if (!agent->name)
			return complain(s->tests, "an agent lacks its name");
		agent->sponsor = text_of(a, "sponsor");
		agent->exe = text_of(a, "exe");
		agent->uid = json_is_integer(uid) ? json_integer_value(uid) : -1;
		agent->groups = &s->lists[used];
		agent->n_groups = strings_of(json_object_get(a, "groups"), &s->lists[used], LIST_MAX - used);
		used += agent->n_groups;
	}
	return 0;
}

static int make_model(struct suite *s)
{
	_cleanup_(catalog_model_free_p) struct catalog_model *catalog = NULL;
	struct mcp_model_input in = { 0 };
	_cleanup_buf_ struct buf why = { 0 };
	struct cedar_errors errors = { 0 };
	int r = policy_catalog_load(s->catalog, &errors, &catalog);

	if (r < 0) {
		policy_report_text(s->catalog, SPAN(""), &errors);
		return r;
	}
	catalog_model_fill(catalog, &in);
	in.texts = s->texts;
	in.n_texts = s->n_texts;
	in.agents = s->agents;
	in.n_agents = s->n_agents;
	r = mcp_model_new(&in, &why, &s->model);
	if (r == 0)
		r = mcp_judge_new(&s->judge);
	if (r < 0)
		fprintf(stderr, "%s", buf_len(&why) ? buf_cstr(&why) : err_text(r));
	return r;
}

/* --- one test ------------------------------------------------------------------------------------ */

static void put_value(struct cedar_build *b, const json_t *v)
{
	const char *name;
	json_t *member;

	switch (json_typeof(v)) {
	case JSON_TRUE:
	case JSON_FALSE:
		cedar_put_bool(b, json_is_true(v));
		break;
	case JSON_INTEGER:
		cedar_put_long(b, json_integer_value(v));
		break;
	case JSON_STRING:
		cedar_put_string(b, (struct span){ json_string_value(v), json_string_length(v) });
		break;
	case JSON_ARRAY:
		cedar_open_set(b);
		for (size_t i = 0; i < json_array_size(v); i++)
			if (!json_is_null(json_array_get(v, i)))
				put_value(b, json_array_get(v, i));
		cedar_close(b);
		break;
	case JSON_OBJECT:
		cedar_open_record(b);
		json_object_foreach ((json_t *)(uintptr_t)v, name, member) {
			if (json_is_null(member))
				continue;
			cedar_key(b, span_of(name));
			put_value(b, member);
		}
		cedar_close(b);
		break;
	default:
		cedar_build_fail(b, -ERANGE);
	}
}

static void put_input(void *ctx, struct cedar_build *b)
{
	put_value(b, ctx);
}

/* What is asked for is the member that the test has. */
static int take_action(const json_t *t, struct mcp_request *rq)
{
	static const struct {
		const char *member;
		enum mcp_action action;
	} asks[] = { { "tool", MCP_TOOL_CALL },		{ "listed", MCP_TOOL_LIST_ENTRY },
		     { "resource", MCP_RESOURCE_READ }, { "prompt", MCP_PROMPT_GET },
		     { "method", MCP_METHOD },		{ "connect", MCP_CONNECT } };
	static const struct {
		const char *name;
		enum mcp_action action;
	} plain[] = { { "spawn", MCP_SPAWN },
		      { "server/use", MCP_SERVER_USE },
		      { "sampling/createMessage", MCP_SAMPLING },
		      { "elicitation/create", MCP_ELICITATION },
		      { "roots/list", MCP_ROOTS } };
	const char *name = text_of(t, "action");

	for (unsigned i = 0; i < ARRAY_SIZE(asks); i++)
		if (text_of(t, asks[i].member)) {
			rq->action = asks[i].action;
			rq->item = span_of(text_of(t, asks[i].member));
			return 0;
		}
	for (unsigned i = 0; name && i < ARRAY_SIZE(plain); i++)
		if (strcmp(plain[i].name, name) == 0) {
			rq->action = plain[i].action;
			return 0;
		}
	return -EINVAL;
}

static int take_request(const json_t *t, const char *lists[3][LIST_MAX], struct mcp_request *rq)
{
	const json_t *session = json_object_get(t, "session"), *flow = json_object_get(t, "flow");
	const char *time = text_of(t, "time");
	uint64_t now = clock_real_ns();

	*rq = (struct mcp_request){ .agent = text_of(t, "agent"),
				    .outer = text_of(t, "outer"),
				    .server = text_of(t, "server"),
				    .workflow = text_of(session, "workflow"),
				    .calls = json_integer_value(json_object_get(session, "calls")),
				    .age = json_integer_value(json_object_get(session, "age")),
				    .transport = text_of(t, "transport") ? text_of(t, "transport") : "stdio",
				    .attestation = text_of(t, "attestation") ? text_of(t, "attestation")
									     : "software-only" };
	if (json_is_object(json_object_get(t, "input"))) {
		rq->input = put_input;
		rq->input_ctx = json_object_get(t, "input");
	}
	rq->labels = lists[0];
	rq->n_labels = strings_of(json_object_get(session, "labels"), lists[0], LIST_MAX);
	rq->flow_sources = lists[1];
	rq->n_flow_sources = strings_of(json_object_get(flow, "sources"), lists[1], LIST_MAX);
	rq->flow_labels = lists[2];
	rq->n_flow_labels = strings_of(json_object_get(flow, "labels"), lists[2], LIST_MAX);
	if (time && clock_parse_iso(time, &now) < 0)
		return -EINVAL;
	rq->time_ms = (int64_t)(now / 1000000);
	return take_action(t, rq);
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
	const char *name = text_of(t, "name"), *want = text_of(t, "expect");

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
	static const char *lists[3][LIST_MAX];
	const char *want = text_of(t, "expect");
	struct mcp_request rq;
	struct mcp_answer a;
	_cleanup_buf_ struct buf got = { 0 };
	bool allow = want && strcmp(want, "allow") == 0;

	if (!want || (!allow && strcmp(want, "deny") != 0)) {
		report(s, t, false, "a test whose \"expect\" is neither allow nor deny");
		return;
	}
	if (take_request(t, lists, &rq) < 0) {
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
	const json_t *tests = json_object_get(s->document, "tests");
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

static void done(struct suite *s)
{
	for (size_t i = 0; s->contents && i < s->n_texts; i++)
		buf_done(&s->contents[i]);
	free(s->contents);
	free(s->texts);
	free(s->agents);
	json_decref(s->document);
	mcp_judge_free(s->judge);
	mcp_model_unref(s->model);
}

int policy_test(struct cli *cli, int n, char **words)
{
	struct suite s = { 0 };
	int files = 0, r;

	for (int i = 0; i < n; i++) {
		if (strcmp(words[i], "--catalog") == 0 && i + 1 < n)
			s.catalog = words[++i];
		else if (strcmp(words[i], "--tests") == 0 && i + 1 < n)
			s.tests = words[++i];
		else if (words[i][0] == '-')
			return policy_usage();
		else
			words[files++] = words[i];
	}
	if (!s.catalog || !s.tests || files == 0 || files > POLICIES_MAX)
		return policy_usage();
	r = load_texts(&s, files, words);
	if (r == 0)
		r = load_tests(&s);
	if (r == 0)
		r = load_agents(&s);
	if (r == 0)
		r = make_model(&s);
	r = r < 0 ? CLI_FAILED : run_all(&s, cli->json);
	done(&s);
	return r;
}
