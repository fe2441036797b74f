// SPDX-License-Identifier: Apache-2.0
#include "policy/mcp_model.h"

#include <errno.h>
#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static const char *const groups[] = { "coding", "trusted" };
static const struct mcp_agent agents[] = {
	{ .name = "claude",
	  .sponsor = "alice",
	  .groups = groups,
	  .n_groups = 2,
	  .exe = "/usr/bin/node",
	  .uid = 1000 },
	{ .name = "intern", .uid = -1 },
};
#define PATH_INPUT \
	"{\"type\":\"object\",\"properties\":{\"path\":{\"type\":\"string\"}},\"required\":[\"path\"]}"
static const struct mcp_tool fs_tools[] = { { "read_file", NULL, SPAN(PATH_INPUT) },
					    { "delete_file", "high", SPAN(PATH_INPUT) } };
static const struct mcp_tool crm_tools[] = { { "query", "pii", SPAN(PATH_INPUT) } };
static const char *const methods[] = { "ping", "tools/list", "completion/complete" };
static const struct mcp_server servers[] = {
	{ .name = "fs", .boundary = "internal", .tools = fs_tools, .n_tools = 2 },
	{ .name = "crm", .tools = crm_tools, .n_tools = 1 },
};

static struct mcp_model *model_of(const char *text)
{
	struct mcp_policy_text t = { "test.cedar", span_of(text) };
	struct mcp_model_input in = { &t, 1, agents, 2, servers, 2, methods, 3 };
	_cleanup_buf_ struct buf errors = { 0 };
	struct mcp_model *m = NULL;
	int r = mcp_model_new(&in, &errors, &m);

	if (r < 0)
		print_message("%s", buf_cstr(&errors));
	assert_int_equal(r, 0);
	return m;
}

/* The bytes of args become context.input: "x=text" pairs, ','-separated. */
static void put_input(void *ctx, struct cedar_build *b)
{
	const char *p = ctx;

	cedar_open_record(b);
	while (*p) {
		size_t k = strcspn(p, "="), n = strcspn(p, ",");

		cedar_key(b, (struct span){ p, k });
		cedar_put_string(b, (struct span){ p + k + 1, n - k - 1 });
		p += n + (p[n] == ',');
	}
	cedar_close(b);
}

static struct mcp_request call(const char *agent, const char *server, const char *tool,
			       const char *args)
{
	return (struct mcp_request){
		.action = MCP_TOOL_CALL,
		.agent = agent,
		.server = server,
		.item = span_of(tool),
		.input = args ? put_input : NULL,
		.input_ctx = (void *)args,
		.transport = "stdio",
		.attestation = "software-only",
		.time_ms = 1700000000000,
	};
}

static void decide(const char *policy, const struct mcp_request *rq, struct mcp_answer *ret)
{
	_cleanup_(mcp_model_unref_p) struct mcp_model *m = model_of(policy);
	_cleanup_(mcp_judge_free_p) struct mcp_judge *j = NULL;
	static char error[MCP_ERROR_TEXT_MAX], reason[64], advice[64];

	assert_int_equal(mcp_judge_new(&j), 0);
	mcp_judge_decide(j, m, rq, ret);
	/* strings of the model end with it */
	snprintf(error, sizeof(error), "%s", ret->error);
	snprintf(reason, sizeof(reason), "%s", ret->n_reasons ? ret->reasons[0] : "");
	snprintf(advice, sizeof(advice), "%s", ret->advice ? ret->advice : "");
	ret->reasons[0] = reason;
	ret->advice = ret->advice ? advice : NULL;
}

static enum mcp_decision decision(const char *policy, struct mcp_request rq)
{
	struct mcp_answer a;

	decide(policy, &rq, &a);
	return a.decision;
}

static void denies_by_default(void **state)
{
	struct mcp_request rq = call("claude", "fs", "read_file", "");
	struct mcp_answer a;

	decide("", &rq, &a);
	assert_int_equal(a.decision, MCP_DENY);
	assert_int_equal(a.why, MCP_WHY_DEFAULT);
	assert_int_equal(a.n_reasons, 0);
	assert_string_equal(a.principal, "claude");
}

static void permits_and_forbids_with_names(void **state)
{
	static const char policy[] =
		"@id(\"files\") permit(principal in AgentGroup::\"coding\", action in Action::\"tools/call\", resource in Server::\"fs\");\n"
		"@id(\"no-delete\") @advice(\"ask the owner\")\n"
		"forbid(principal, action == Action::\"fs/delete_file\", resource);\n"
		"permit(principal, action == Action::\"crm/query\", resource) when { resource has sensitivity && resource.sensitivity == \"pii\" };";
	struct mcp_request rq = call("claude", "fs", "read_file", "path=/etc/x");
	struct mcp_answer a;

	decide(policy, &rq, &a);
	assert_int_equal(a.decision, MCP_ALLOW);
	assert_int_equal(a.why, MCP_WHY_PERMIT);
	assert_string_equal(a.reasons[0], "files");
	assert_null(a.advice);
	rq = call("claude", "fs", "delete_file", "path=/etc/x");
	decide(policy, &rq, &a);
	assert_int_equal(a.decision, MCP_DENY);
	assert_int_equal(a.why, MCP_WHY_FORBID);
	assert_string_equal(a.reasons[0], "no-delete");
	assert_string_equal(a.advice, "ask the owner");
	rq = call("intern", "fs", "read_file", "");
	decide(policy, &rq, &a);
	assert_int_equal(a.why, MCP_WHY_DEFAULT);
	rq = call("intern", "crm", "query", "");
	decide(policy, &rq, &a);
	assert_int_equal(a.decision, MCP_ALLOW);
	assert_string_equal(a.reasons[0], "policy2");
}

static void knows_the_entities(void **state)
{
	static const char *const hold[] = {
		"principal.name == \"claude\" && principal has sponsor && principal.sponsor == \"alice\"",
		"principal has exe && principal.exe like \"*/node\"",
		"principal has uid && principal.uid == 1000 && principal is Agent && principal in AgentGroup::\"trusted\"",
		"action in Action::\"tools/call\" && action == Action::\"fs/delete_file\"",
		"resource is Tool && resource.name == \"delete_file\" && resource has sensitivity && resource.sensitivity == \"high\"",
		"resource in Server::\"fs\" && resource in Boundary::\"internal\" && resource.server == Server::\"fs\"",
		"resource.server.name == \"fs\" && resource.server has boundary && resource.server.boundary == \"internal\"",
		"context.input.path == \"/x\" && context.transport == \"stdio\"",
		"context.attestation == \"software-only\" && context.time < datetime(\"2030-01-01\")",
		"context.session.labels.isEmpty() && context.session.calls == 0 && !(context.session has workflow)",
		"context.flow.sources.isEmpty() && context.flow.labels.isEmpty()",
	};
	char policy[512];

	for (size_t i = 0; i < ARRAY_SIZE(hold); i++) {
		snprintf(policy, sizeof(policy),
			 "permit(principal, action in Action::\"tools/call\", resource) when { %s };", hold[i]);
		print_message("%s\n", hold[i]);
		assert_int_equal(decision(policy, call("claude", "fs", "delete_file", "path=/x")),
				 MCP_ALLOW);
	}
}

static void session_reaches_policy(void **state)
{
	static const char *const labels[] = { "pii", "secret" };
	static const char policy[] =
		"permit(principal, action, resource) when { context.session.labels.contains(\"pii\") &&"
		" context.session.calls == 7 && context.session.age >= 60 && context.session has workflow && context.session.workflow == \"w\" &&"
		" context.flow.sources.containsAny([\"crm/query\"]) };";
	struct mcp_request rq = call("claude", "fs", "read_file", "");

	assert_int_equal(decision(policy, rq), MCP_DENY);
	rq.labels = labels;
	rq.n_labels = 2;
	rq.calls = 7;
	rq.age = 61;
	rq.workflow = "w";
	rq.flow_sources = (const char *const[]){ "crm/query" };
	rq.n_flow_sources = 1;
	assert_int_equal(decision(policy, rq), MCP_ALLOW);
}

static void put_long_path(void *ctx, struct cedar_build *b)
{
	(void)ctx;
	cedar_open_record(b);
	cedar_key(b, SPAN("path"));
	cedar_put_long(b, 1);
	cedar_close(b);
}

static void errored_forbid_denies(void **state)
{
	static const char policy[] = "permit(principal, action, resource);\n"
				     "@id(\"etc\") forbid(principal, action in Action::\"tools/call\", resource) when {\n"
				     "  context.input.path like \"/etc/*\"\n};";
	struct mcp_request rq = call("claude", "fs", "read_file", "size=1");
	struct mcp_answer a;

	decide(policy, &rq, &a);
	assert_int_equal(a.decision, MCP_DENY);
	assert_int_equal(a.why, MCP_WHY_FORBID_ERRORED);
	assert_string_equal(a.reasons[0], "etc");
	assert_int_equal(a.n_failed, 1);
	assert_string_equal(a.error, "test.cedar:3:17: etc: the record does not have the attribute `path`");
	rq.input = put_long_path;
	decide(policy, &rq, &a);
	assert_int_equal(a.why, MCP_WHY_FORBID_ERRORED);
	assert_non_null(strstr(a.error, "expected string, got long"));
	/* no arguments at all: input is an empty record */
	rq.input = NULL;
	decide(policy, &rq, &a);
	assert_int_equal(a.why, MCP_WHY_FORBID_ERRORED);
}

static void errored_permit_is_only_counted(void **state)
{
	struct mcp_request rq = call("claude", "fs", "read_file", "path=/x");
	struct mcp_answer a;

	rq.calls = 1;
	decide("permit(principal, action, resource) when { context.session.calls + 9223372036854775807 > 0 };\n"
	       "@id(\"ok\") permit(principal, action, resource);",
	       &rq, &a);
	assert_int_equal(a.decision, MCP_ALLOW);
	assert_int_equal(a.n_failed, 1);
	assert_string_equal(a.reasons[0], "ok");
	assert_non_null(strstr(a.error, ": policy0: "));
	assert_non_null(strstr(a.error, "overflow"));
}

#define CALL "action in Action::\"tools/call\""
#define FAILS "context.session.calls + 9223372036854775807 > 0"

static void lists_show_what_arguments_may_allow(void **state)
{
	static const struct {
		const char *policy;
		enum mcp_decision decision;
		enum mcp_why why;
	} cases[] = {
		{ "permit(principal, action, resource);", MCP_ALLOW, MCP_WHY_PERMIT },
		{ "", MCP_DENY, MCP_WHY_DEFAULT },
		{ "permit(principal, " CALL ", resource) when { context.input.path like \"/srv/*\" };",
		  MCP_ALLOW, MCP_WHY_INPUT },
		{ "permit(principal, " CALL ", resource) when { context.input.path like \"/srv/*\" && principal.name == \"x\" };",
		  MCP_DENY, MCP_WHY_DEFAULT },
		{ "permit(principal, " CALL ", resource) when { context.input.path == \"x\" } when { " FAILS " };",
		  MCP_DENY, MCP_WHY_DEFAULT },
		{ "permit(principal, action, resource); forbid(principal, " CALL ", resource) when { context.input.path == \"b\" };",
		  MCP_ALLOW, MCP_WHY_INPUT },
		{ "permit(principal, action, resource); forbid(principal, action, resource) when { resource is Tool };",
		  MCP_DENY, MCP_WHY_FORBID },
		{ "permit(principal, action, resource); forbid(principal, action, resource) when { " FAILS " };",
		  MCP_DENY, MCP_WHY_FORBID_ERRORED },
		{ "permit(principal, action, resource) when { context has input };", MCP_ALLOW,
		  MCP_WHY_PERMIT },
		{ "permit(principal, " CALL ", resource) when { 1 == 2 && context.input.path == \"x\" };",
		  MCP_DENY, MCP_WHY_DEFAULT },
		{ "permit(principal, " CALL ", resource) when { 1 == 1 || context.input.path == \"x\" };",
		  MCP_ALLOW, MCP_WHY_PERMIT },
	};
	struct mcp_request rq = call("claude", "fs", "read_file", NULL);
	struct mcp_answer a;

	rq.action = MCP_TOOL_LIST_ENTRY;
	rq.calls = 1;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		print_message("%s\n", cases[i].policy);
		decide(cases[i].policy, &rq, &a);
		assert_int_equal(a.decision, cases[i].decision);
		assert_int_equal(a.why, cases[i].why);
	}
}

/* --- lists ------------------------------------------------------------------------------------ */

#define MANY 500

static char many_name[MANY][16];
static struct mcp_tool many_tools[MANY];
static const char *const risks[] = { NULL, "high", "pii" };

static struct mcp_model *model_of_many(const char *policy)
{
	struct mcp_server server = { .name = "fs", .tools = many_tools, .n_tools = MANY };
	struct mcp_policy_text t = { "test.cedar", span_of(policy) };
	struct mcp_model_input in = { &t, 1, agents, 2, &server, 1, methods, 3 };
	_cleanup_buf_ struct buf errors = { 0 };
	struct mcp_model *m = NULL;

	for (size_t i = 0; i < MANY; i++) {
		snprintf(many_name[i], sizeof(many_name[i]), "tool%zu", i);
		many_tools[i] = (struct mcp_tool){ many_name[i], risks[i % 3], SPAN(PATH_INPUT) };
	}
	if (mcp_model_new(&in, &errors, &m) < 0)
		fail_msg("%s", buf_cstr(&errors));
	return m;
}

/* Every answer of the list must be that of the entry alone; *ret_shown counts them. */
static void list_as_one_by_one(struct mcp_model *m, struct mcp_request *rq, const struct span *items, size_t n,
			       size_t *ret_shown)
{
	_cleanup_(mcp_judge_free_p) struct mcp_judge *j = NULL;
	bool shown[MANY + 2];
	struct mcp_answer a;

	*ret_shown = 0;
	assert_int_equal(mcp_judge_new(&j), 0);
	mcp_judge_list(j, m, rq, items, n, shown);
	for (size_t i = 0; i < n; i++) {
		rq->item = items[i];
		mcp_judge_decide(j, m, rq, &a);
		assert_int_equal(shown[i], a.decision == MCP_ALLOW);
		*ret_shown += shown[i];
	}
}

static void a_list_is_judged_as_its_entries_are(void **state)
{
	static const struct {
		const char *policy;
		size_t shown; /* of the tools, to claude in nobody's scope */
	} cases[] = {
		{ "", 0 },
		{ "permit(principal, action, resource);", MANY },
		{ "permit(principal == Agent::\"claude\", action, resource == Tool::\"fs/tool7\");", 1 },
		{ "permit(principal, action == Action::\"fs/tool3\", resource) when { context.input.path == \"x\" };", 1 },
		{ "permit(principal, " CALL ", resource); forbid(principal, " CALL ", resource) when "
		  "{ resource is Tool && resource has sensitivity && resource.sensitivity == \"high\" };", 333 },
		{ "permit(principal, " CALL ", resource); forbid(principal, action == Action::\"fs/tool9\", resource) when "
		  "{ " FAILS " };", MANY - 1 },
		{ "permit(principal, " CALL ", resource) when { context.session.calls > 0 && principal.name == \"claude\" };",
		  MANY },
	};
	struct span items[MANY + 2];
	struct mcp_request rq = call("claude", "fs", "", NULL);
	size_t shown;

	rq.calls = 1;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_(mcp_model_unref_p) struct mcp_model *m = model_of_many(cases[i].policy);

		print_message("%s\n", cases[i].policy);
		for (size_t k = 0; k < MANY; k++)
			items[k] = span_of(many_name[k]);
		rq.action = MCP_TOOL_LIST_ENTRY;
		rq.agent = "claude";
		rq.outer = NULL;
		rq.server = "fs";
		list_as_one_by_one(m, &rq, items, MANY, &shown);
		assert_int_equal(shown, cases[i].shown);
		rq.outer = "intern";
		list_as_one_by_one(m, &rq, items, MANY, &shown);
		rq.agent = NULL;
		list_as_one_by_one(m, &rq, items, MANY, &shown);
		assert_int_equal(shown, 0);
		rq.agent = "stranger"; /* whom the model does not know */
		rq.outer = NULL;
		items[MANY] = SPAN("unlisted");
		items[MANY + 1] = SPAN("");
		list_as_one_by_one(m, &rq, items, MANY + 2, &shown);
		rq.server = "other/";
		list_as_one_by_one(m, &rq, items, MANY, &shown);
		assert_int_equal(shown, 0);
		rq.server = "fs";
		rq.action = MCP_PROMPT_LIST_ENTRY;
		list_as_one_by_one(m, &rq, items, 3, &shown);
		rq.action = MCP_RESOURCE_READ;
		list_as_one_by_one(m, &rq, items, 3, &shown);
	}
}

/* Answers that do not fit the request's memory, each for itself, still come. */
static void a_list_too_large_for_one_pass(void **state)
{
	_cleanup_buf_ struct buf policy = { 0 };
	_cleanup_(mcp_model_unref_p) struct mcp_model *m = NULL;
	struct mcp_request rq = call("claude", "fs", "", NULL);
	static char name[1 << 16]; /* forty of them are more than the names of a message may take */
	struct span items[40];
	size_t shown;

	assert_int_equal(buf_append_str(&policy, "permit(principal, action, resource);"), 0);
	m = model_of_many(buf_cstr(&policy));
	memset(name, 'n', sizeof(name));
	for (size_t i = 0; i < ARRAY_SIZE(items); i++)
		items[i] = i & 1 ? (struct span){ name, sizeof(name) } : span_of(many_name[i]);
	rq.action = MCP_TOOL_LIST_ENTRY;
	list_as_one_by_one(m, &rq, items, ARRAY_SIZE(items), &shown);
	assert_int_equal(shown, ARRAY_SIZE(items));
}

static void both_agents_must_be_allowed(void **state)
{
	static const char policy[] = "permit(principal == Agent::\"claude\", action, resource);";
	struct mcp_request rq = call("claude", "fs", "read_file", "");
	struct mcp_answer a;

	rq.outer = "intern";
	decide(policy, &rq, &a);
	assert_int_equal(a.decision, MCP_DENY);
	assert_string_equal(a.principal, "intern");
	rq.outer = "claude";
	decide(policy, &rq, &a);
	assert_int_equal(a.decision, MCP_ALLOW);
	rq.agent = "intern";
	decide(policy, &rq, &a);
	assert_string_equal(a.principal, "intern");
	assert_int_equal(a.decision, MCP_DENY);
}

static void other_actions(void **state)
{
	struct mcp_request rq = call("claude", "fs", "file:///etc/passwd", NULL);

	rq.action = MCP_RESOURCE_READ;
	assert_int_equal(
		decision(
			"permit(principal, action == Action::\"resources/read\", resource is Resource in Server::\"fs\")"
			" when { resource.uri like \"file:///etc/*\" && resource.server == Server::\"fs\" };",
			rq),
		MCP_ALLOW);
	assert_int_equal(
		decision("permit(principal, action, resource == Resource::\"file:///etc/passwd\");",
			 rq),
		MCP_ALLOW);
	rq.action = MCP_PROMPT_GET;
	rq.item = SPAN("greet");
	assert_int_equal(
		decision(
			"permit(principal, action == Action::\"prompts/get\", resource == Prompt::\"fs/greet\");",
			rq),
		MCP_ALLOW);
	rq.action = MCP_PROMPT_LIST_ENTRY;
	assert_int_equal(decision("permit(principal, action == Action::\"prompts/get\", resource);", rq), MCP_ALLOW);
	rq.action = MCP_METHOD;
	rq.item = SPAN("completion/complete");
	assert_int_equal(
		decision(
			"permit(principal is Agent, action in Action::\"method\", resource == Server::\"fs\");",
			rq),
		MCP_ALLOW);
	assert_int_equal(
		decision(
			"permit(principal, action == Action::\"method/completion/complete\", resource);",
			rq),
		MCP_ALLOW);
	assert_int_equal(
		decision(
			"permit(principal, action in [Action::\"connect\", Action::\"method\"], resource);",
			rq),
		MCP_ALLOW);
	assert_int_equal(
		decision("permit(principal, action in Action::\"tools/call\", resource);", rq),
		MCP_DENY);
	rq.principal = MCP_PRINCIPAL_SERVER;
	assert_int_equal(
		decision(
			"permit(principal == Server::\"fs\", action, resource == Agent::\"claude\");",
			rq),
		MCP_ALLOW);
	rq.action = MCP_SAMPLING;
	assert_int_equal(
		decision(
			"permit(principal is Server in Boundary::\"internal\", action == Action::\"sampling/createMessage\","
			" resource in AgentGroup::\"coding\");",
			rq),
		MCP_ALLOW);
	rq.principal = MCP_PRINCIPAL_AGENT;
	rq.action = MCP_SPAWN;
	assert_int_equal(
		decision(
			"permit(principal, action == Action::\"spawn\", resource == Server::\"fs\");",
			rq),
		MCP_ALLOW);
}

static void hosts(void **state)
{
	struct mcp_connection to = { .address = SPAN("198.51.100.7"), .port = 443 };
	struct mcp_request rq = { .action = MCP_CONNECT,
				  .agent = "claude",
				  .item = SPAN("api.example.com:443"),
				  .connection = &to };
	struct mcp_answer a;

	assert_int_equal(
		decision("permit(principal, action == Action::\"connect\", resource) when {"
			 " resource.name like \"*.example.com\" && resource has port && resource.port == 443 };",
			 rq),
		MCP_ALLOW);
	rq.item = SPAN("[::1]:8080");
	assert_int_equal(
		decision(
			"permit(principal, action == Action::\"connect\", resource) when {"
			" resource.name == \"::1\" && resource has port && resource.port == 8080 };",
			rq),
		MCP_ALLOW);
	rq.item = SPAN("nowhere");
	assert_int_equal(
		decision("permit(principal, action, resource) unless { resource has port };", rq),
		MCP_ALLOW);
	rq.item = SPAN("x:99999999999999999999");
	assert_int_equal(
		decision("permit(principal, action, resource) unless { resource has port };", rq),
		MCP_ALLOW);
	rq.item = SPAN("");
	decide("permit(principal, action == Action::\"connect\", resource) when { resource has port && resource.port > 0 };",
	       &rq, &a);
	assert_int_equal(a.decision, MCP_DENY);
}

/* What is known of a connection, and that each kind of address needs a permit of its own. */
static void connections(void **state)
{
	static const struct span alpn[] = { SPAN("h2"), SPAN("http/1.1") };
	struct mcp_connection to = { .host = SPAN("api.example.com"), .address = SPAN("198.51.100.7"),
				     .port = 443, .alpn = alpn, .n_alpn = 2 };
	struct mcp_request rq = { .action = MCP_CONNECT, .agent = "claude",
				  .item = SPAN("api.example.com:443"), .connection = &to };
	const char *any = "permit(principal, action == Action::\"connect\", resource);";

	assert_int_equal(decision("permit(principal, action == Action::\"connect\", resource) when {"
				  " context has host && context.host == \"api.example.com\" &&"
				  " context.address.isInRange(ip(\"198.51.100.0/24\")) && context.port == 443 &&"
				  " [\"h2\", \"http/1.1\"].containsAll(context.alpn) };", rq), MCP_ALLOW);
	assert_int_equal(decision("permit(principal, action == Action::\"connect\", resource) when {"
				  " [\"h2\"].containsAll(context.alpn) };", rq), MCP_DENY);
	assert_int_equal(decision(any, rq), MCP_ALLOW);
	to.host = SPAN("");
	assert_int_equal(decision("permit(principal, action == Action::\"connect\", resource) when {"
				  " context has host };", rq), MCP_DENY);
	to.address = SPAN("fd00:ec2::254");
	rq.action = MCP_CONNECT_METADATA;
	assert_int_equal(decision(any, rq), MCP_DENY);
	assert_int_equal(decision("permit(principal, action == Action::\"connect/internal\", resource);", rq), MCP_DENY);
	assert_int_equal(decision("permit(principal, action == Action::\"connect/metadata\", resource) when {"
				  " context.address == ip(\"fd00:ec2::254\") };", rq), MCP_ALLOW);
	rq.action = MCP_CONNECT_INTERNAL;
	assert_int_equal(decision(any, rq), MCP_DENY);
	assert_int_equal(decision("permit(principal, action == Action::\"connect/internal\", resource);", rq), MCP_ALLOW);
	to.address = SPAN("no address");
	assert_int_equal(decision("permit(principal, action, resource);", rq), MCP_DENY);
	rq.connection = NULL;
	assert_int_equal(decision("permit(principal, action, resource);", rq), MCP_DENY);
}

static void names_to_resolve(void **state)
{
	struct mcp_request rq = { .action = MCP_RESOLVE, .agent = "claude", .item = SPAN("api.example.com") };

	assert_int_equal(decision("permit(principal, action == Action::\"connect\", resource);", rq), MCP_DENY);
	assert_int_equal(decision("permit(principal, action in [Action::\"connect\", Action::\"resolve\"], resource)"
				  " when { resource.name like \"*.example.com\" };", rq), MCP_ALLOW);
	assert_int_equal(decision("permit(principal, action == Action::\"resolve\", resource)"
				  " when { resource has port };", rq), MCP_DENY);
}

/* A name must never be read as another server's tool, or as a method. */
static void names_have_one_reading(void **state)
{
	static const char all[] = "permit(principal, action, resource);";
	static const char *const bad[] = { "", "a/b", "method" };
	struct mcp_server s = { .tools = crm_tools, .n_tools = 1 };
	struct mcp_model_input in = { NULL, 0, agents, 2, &s, 1, NULL, 0 };
	struct mcp_model *m = NULL;
	struct mcp_answer a;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		_cleanup_buf_ struct buf errors = { 0 };
		struct mcp_request rq = call("claude", bad[i], "query", "");

		s.name = bad[i];
		assert_int_equal(mcp_model_new(&in, &errors, &m), -EINVAL);
		assert_true(buf_len(&errors) > 0);
		decide(all, &rq, &a);
		assert_int_equal(a.decision, MCP_DENY);
		assert_int_equal(a.why, MCP_WHY_FAILED);
		assert_true(*a.error);
	}
	/* a tool whose action would be one of the model's own */
	struct mcp_request rq = call("claude", "resources", "read", "");
	decide(all, &rq, &a);
	assert_int_equal(a.why, MCP_WHY_FAILED);
	rq.agent = NULL;
	decide(all, &rq, &a);
	assert_int_equal(a.why, MCP_WHY_FAILED);
}

static void unlisted_tools_have_no_attributes(void **state)
{
	struct mcp_request rq = call("stranger", "unlisted", "tool", "");
	struct mcp_answer a;

	decide("permit(principal, action in Action::\"tools/call\", resource in Server::\"unlisted\")"
	       " when { resource.name == \"tool\" && principal.name == \"stranger\" };",
	       &rq, &a);
	assert_int_equal(a.decision, MCP_ALLOW);
	decide("permit(principal, action, resource); forbid(principal, action, resource is Tool)"
	       " unless { resource has sensitivity };",
	       &rq, &a);
	assert_int_equal(a.why, MCP_WHY_FORBID);
}

static void put_nothing(void *ctx, struct cedar_build *b)
{
}

static void put_two(void *ctx, struct cedar_build *b)
{
	put_input((void *)"", b);
	put_input((void *)"", b);
}

static void put_deep(void *ctx, struct cedar_build *b)
{
	for (int i = 0; i < 1000; i++)
		cedar_open_set(b);
}

static void put_failure(void *ctx, struct cedar_build *b)
{
	cedar_build_fail(b, -EINVAL);
}

static void bad_input_denies(void **state)
{
	static void (*const bad[])(void *, struct cedar_build *) = { put_nothing, put_two, put_deep,
								     put_failure };
	struct mcp_request rq = call("claude", "fs", "read_file", "");
	struct mcp_answer a;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		rq.input = bad[i];
		decide("permit(principal, action, resource);", &rq, &a);
		assert_int_equal(a.decision, MCP_DENY);
		assert_int_equal(a.why, MCP_WHY_FAILED);
		assert_true(*a.error);
	}
}

static void errors_have_places(void **state)
{
	struct mcp_policy_text t[] = {
		{ "a.cedar", SPAN("permit(principal, action, resource);\nnonsense;") },
		{ "b.cedar", SPAN("permit(principal, action, resource) when { foo };") }
	};
	struct mcp_model_input in = { t, 2, NULL, 0, NULL, 0, NULL, 0 };
	_cleanup_buf_ struct buf errors = { 0 };
	struct mcp_model *m = NULL;

	assert_int_equal(mcp_model_new(&in, &errors, &m), -EINVAL);
	assert_null(m);
	assert_string_equal(
		buf_cstr(&errors),
		"a.cedar:2:1: unexpected `nonsense`, expected `permit` or `forbid`\n"
		"b.cedar:1:44: `foo` is not a variable: there are principal, action, resource and context\n");
}

static void hash_is_of_names_and_texts(void **state)
{
	struct mcp_policy_text t[] = { { "a", SPAN("permit(principal,action,resource);") },
				       { "b", SPAN("") } };
	struct mcp_policy_text swapped[] = { t[1], t[0] };
	struct mcp_policy_text moved[] = { { "ab", t[0].text }, { "", SPAN("") } };
	struct mcp_model_input in = { .texts = t, .n_texts = 2 };
	_cleanup_buf_ struct buf errors = { 0 };
	struct mcp_model *m[4] = { NULL };

	assert_int_equal(mcp_model_new(&in, &errors, &m[0]), 0);
	in.texts = swapped;
	assert_int_equal(mcp_model_new(&in, &errors, &m[1]), 0);
	in.texts = moved;
	assert_int_equal(mcp_model_new(&in, &errors, &m[2]), 0);
	in.texts = t;
	in.n_texts = 1;
	assert_int_equal(mcp_model_new(&in, &errors, &m[3]), 0);
	assert_int_equal(strlen(mcp_model_hash(m[0])), 71);
	assert_string_equal(mcp_model_hash(m[0]), mcp_model_hash(m[1]));
	assert_string_not_equal(mcp_model_hash(m[0]), mcp_model_hash(m[2]));
	assert_string_not_equal(mcp_model_hash(m[0]), mcp_model_hash(m[3]));
	assert_int_equal(mcp_model_policies(m[0]), 1);
	/* The form is fixed: domain tag, then name and digest of each, all with 8-byte lengths. */
	assert_string_equal(
		mcp_model_hash(m[3]),
		"sha256:5c7cb523331d27ee204783d543dbd2e14c95179a69abc8dee3dd34c417e8f9dd");
	for (int i = 0; i < 4; i++)
		mcp_model_unref(m[i]);
}

#if defined(__SANITIZE_ADDRESS__)
static size_t heap_used(void)
{
	return 0; /* the sanitizer's allocator does not count */
}
#else
static size_t heap_used(void)
{
	return mallinfo2().uordblks;
}
#endif

static void decisions_do_not_allocate(void **state)
{
	_cleanup_(mcp_model_unref_p) struct mcp_model *m = model_of(
		"permit(principal, " CALL ", resource) when { [context.input.path, \"x\"].contains(\"/x\") };"
		"forbid(principal, " CALL ", resource) when { " FAILS " };");
	_cleanup_(mcp_judge_free_p) struct mcp_judge *j = NULL;
	struct mcp_request rq = call("claude", "fs", "unlisted", "path=/x,y=z");
	struct mcp_answer a;
	size_t before;

	rq.calls = 1;
	assert_int_equal(mcp_judge_new(&j), 0);
	for (int i = 0; i < 4; i++)
		mcp_judge_decide(j, m, &rq, &a);
	before = heap_used();
	for (int i = 0; i < 1000; i++)
		mcp_judge_decide(j, m, &rq, &a);
	assert_int_equal(heap_used(), before);
	assert_int_equal(a.why, MCP_WHY_FORBID_ERRORED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(denies_by_default),
		cmocka_unit_test(permits_and_forbids_with_names),
		cmocka_unit_test(knows_the_entities),
		cmocka_unit_test(session_reaches_policy),
		cmocka_unit_test(errored_forbid_denies),
		cmocka_unit_test(errored_permit_is_only_counted),
		cmocka_unit_test(lists_show_what_arguments_may_allow),
		cmocka_unit_test(a_list_is_judged_as_its_entries_are),
		cmocka_unit_test(a_list_too_large_for_one_pass),
		cmocka_unit_test(both_agents_must_be_allowed),
		cmocka_unit_test(other_actions),
		cmocka_unit_test(hosts),
		cmocka_unit_test(connections),
		cmocka_unit_test(names_to_resolve),
		cmocka_unit_test(names_have_one_reading),
		cmocka_unit_test(unlisted_tools_have_no_attributes),
		cmocka_unit_test(bad_input_denies),
		cmocka_unit_test(errors_have_places),
		cmocka_unit_test(hash_is_of_names_and_texts),
		cmocka_unit_test(decisions_do_not_allocate),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
