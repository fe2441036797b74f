// SPDX-License-Identifier: Apache-2.0
/* Files of requests with the policies and the catalog that they are put to. */
#include "user/cli/policy_suite.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "user/base/clock.h"
#include "user/base/file.h"
#include "user/base/log.h"
#include "user/cli/policy_catalog.h"
#include "user/cli/policy_report.h"
#include "user/mcp/catalog_model.h"

#define TESTS_FILE_MAX (16u << 20)

int policy_suite_complain(const struct policy_suite *s, const char *path, const char *what)
{
	fprintf(stderr, "tollgate: policy %s: %s: %s\n", s->command, path, what);
	return -EINVAL;
}

const char *policy_suite_text(const json_t *object, const char *name)
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

static int load_texts(struct policy_suite *s, int n, char **paths)
{
	s->texts = calloc((size_t)n, sizeof(*s->texts));
	s->contents = calloc((size_t)n, sizeof(*s->contents));
	if (!s->texts || !s->contents)
		return policy_suite_complain(s, paths[0], err_text(-ENOMEM));
	for (int i = 0; i < n; i++) {
		int r = file_read(paths[i], CEDAR_TEXT_MAX, &s->contents[i]);

		if (r < 0)
			return policy_suite_complain(s, paths[i], err_text(r));
		s->texts[s->n_texts++] = (struct mcp_policy_text){ paths[i], buf_span(&s->contents[i]) };
	}
	return 0;
}

int policy_suite_load_tests(struct policy_suite *s)
{
	_cleanup_buf_ struct buf text = { 0 };
	json_error_t e;
	char why[200];
	int r = file_read(s->tests, TESTS_FILE_MAX, &text);

	if (r < 0)
		return policy_suite_complain(s, s->tests, err_text(r));
	s->document = json_loadb(buf_span(&text).p, buf_len(&text), JSON_REJECT_DUPLICATES, &e);
	if (!s->document) {
		snprintf(why, sizeof(why), "line %d, column %d: %s", e.line, e.column, e.text);
		return policy_suite_complain(s, s->tests, why);
	}
	if (!json_is_array(json_object_get(s->document, "tests")))
		return policy_suite_complain(s, s->tests, "lacks the array \"tests\"");
	return 0;
}

static int load_agents(struct policy_suite *s)
{
	const json_t *list = json_object_get(s->document, "agents");
	size_t used = 0;

	s->agents = calloc(json_array_size(list) + 1, sizeof(*s->agents));
	if (!s->agents)
		return policy_suite_complain(s, s->tests, err_text(-ENOMEM));
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *a = json_array_get(list, i), *uid = json_object_get(a, "uid");
		struct mcp_agent *agent = &s->agents[s->n_agents++];

		agent->name = policy_suite_text(a, "name");
		if (!agent->name)
			return policy_suite_complain(s, s->tests, "an agent lacks its name");
		agent->sponsor = policy_suite_text(a, "sponsor");
		agent->exe = policy_suite_text(a, "exe");
		agent->uid = json_is_integer(uid) ? json_integer_value(uid) : -1;
		agent->groups = &s->lists[used];
		agent->n_groups = strings_of(json_object_get(a, "groups"), &s->lists[used],
					     POLICY_SUITE_LIST_MAX - used);
		used += agent->n_groups;
	}
	return 0;
}

static int load_catalog(struct policy_suite *s)
{
	struct cedar_errors errors = { 0 };
	int r = policy_catalog_load(s->catalog, &errors, &s->model);

	if (r < 0) {
		policy_report_text(s->catalog, SPAN(""), &errors);
		return r;
	}
	catalog_model_fill(s->model, &s->in);
	s->in.texts = s->texts;
	s->in.n_texts = s->n_texts;
	s->in.agents = s->agents;
	s->in.n_agents = s->n_agents;
	return 0;
}

int policy_suite_load(struct policy_suite *s, const char *command, const char *option, const char **ret_option,
		      int n, char **words)
{
	int files = 0, r;

	*s = (struct policy_suite){ .command = command };
	for (int i = 0; i < n; i++) {
		if (strcmp(words[i], "--json") == 0)
			s->json = true;
		else if (strcmp(words[i], "--catalog") == 0 && i + 1 < n)
			s->catalog = words[++i];
		else if (strcmp(words[i], "--tests") == 0 && i + 1 < n)
			s->tests = words[++i];
		else if (option && strcmp(words[i], option) == 0 && i + 1 < n)
			*ret_option = words[++i];
		else if (words[i][0] == '-')
			return -EDOM;
		else
			words[files++] = words[i];
	}
	if (!s->catalog || !s->tests || files == 0 || files > POLICY_SUITE_FILES_MAX)
		return -EDOM;
	r = load_texts(s, files, words);
	if (r == 0)
		r = policy_suite_load_tests(s);
	if (r == 0)
		r = load_agents(s);
	return r < 0 ? r : load_catalog(s);
}

void policy_suite_done(struct policy_suite *s)
{
	for (size_t i = 0; s->contents && i < s->n_texts; i++)
		buf_done(&s->contents[i]);
	free(s->contents);
	free(s->texts);
	free(s->agents);
	json_decref(s->document);
	catalog_model_free(s->model);
}

/* --- one request --------------------------------------------------------------------------------- */

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
		     { "method", MCP_METHOD },		{ "connect", MCP_CONNECT },
		     { "connect/internal", MCP_CONNECT_INTERNAL },
		     { "connect/metadata", MCP_CONNECT_METADATA },
		     { "resolve", MCP_RESOLVE } };
	static const struct {
		const char *name;
		enum mcp_action action;
	} plain[] = { { "spawn", MCP_SPAWN },
		      { "server/use", MCP_SERVER_USE },
		      { "sampling/createMessage", MCP_SAMPLING },
		      { "elicitation/create", MCP_ELICITATION },
		      { "roots/list", MCP_ROOTS } };
	const char *name = policy_suite_text(t, "action");

	for (unsigned i = 0; i < ARRAY_SIZE(asks); i++)
		if (policy_suite_text(t, asks[i].member)) {
			rq->action = asks[i].action;
			rq->item = span_of(policy_suite_text(t, asks[i].member));
			return 0;
		}
	for (unsigned i = 0; name && i < ARRAY_SIZE(plain); i++)
		if (strcmp(plain[i].name, name) == 0) {
			rq->action = plain[i].action;
			return 0;
		}
	return -EINVAL;
}

/* Of a connection: its host, and its port as the item has it. An address that the test leaves open is one of those
 * that documents use. */
static void take_connection(const json_t *t, struct policy_suite_room *room, struct mcp_request *rq)
{
	const char *address = policy_suite_text(t, "address"), *host = policy_suite_text(t, "host");
	const json_t *alpn = json_object_get(t, "alpn");
	const char *colon = rq->item.n ? memrchr(rq->item.p, ':', rq->item.n) : NULL;
	struct mcp_connection *c = &room->connection;

	*c = (struct mcp_connection){ .host = span_of(host ? host : ""),
				      .address = span_of(address ? address : "192.0.2.1"), .alpn = room->alpn };
	for (const char *p = colon; p && ++p < rq->item.p + rq->item.n && c->port < 65536;)
		c->port = c->port * 10 + (*p - '0');
	for (size_t i = 0; i < json_array_size(alpn) && i < POLICY_SUITE_LIST_MAX; i++) {
		const char *s = json_string_value(json_array_get(alpn, i));

		if (s)
			room->alpn[c->n_alpn++] = span_of(s);
	}
	rq->connection = c;
}

int policy_suite_request(const json_t *t, struct policy_suite_room *room, struct mcp_request *rq)
{
	const json_t *session = json_object_get(t, "session"), *flow = json_object_get(t, "flow");
	const char *time = policy_suite_text(t, "time"), *transport = policy_suite_text(t, "transport");
	const char *attestation = policy_suite_text(t, "attestation");
	uint64_t now = clock_real_ns();

	*rq = (struct mcp_request){ .agent = policy_suite_text(t, "agent"),
				    .outer = policy_suite_text(t, "outer"),
				    .server = policy_suite_text(t, "server"),
				    .workflow = policy_suite_text(session, "workflow"),
				    .calls = json_integer_value(json_object_get(session, "calls")),
				    .age = json_integer_value(json_object_get(session, "age")),
				    .transport = transport ? transport : "stdio",
				    .attestation = attestation ? attestation : "software-only" };
	if (json_is_object(json_object_get(t, "input"))) {
		rq->input = put_input;
		rq->input_ctx = json_object_get(t, "input");
	}
	rq->labels = room->lists[0];
	rq->n_labels = strings_of(json_object_get(session, "labels"), room->lists[0], POLICY_SUITE_LIST_MAX);
	rq->flow_sources = room->lists[1];
	rq->n_flow_sources = strings_of(json_object_get(flow, "sources"), room->lists[1], POLICY_SUITE_LIST_MAX);
	rq->flow_labels = room->lists[2];
	rq->n_flow_labels = strings_of(json_object_get(flow, "labels"), room->lists[2], POLICY_SUITE_LIST_MAX);
	if (time && clock_parse_iso(time, &now) < 0)
		return -EINVAL;
	rq->time_ms = (int64_t)(now / 1000000);
	if (take_action(t, rq) < 0)
		return -EINVAL;
	if (rq->action == MCP_CONNECT || rq->action == MCP_CONNECT_INTERNAL || rq->action == MCP_CONNECT_METADATA)
		take_connection(t, room, rq);
	return 0;
}
