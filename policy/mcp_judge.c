// SPDX-License-Identifier: Apache-2.0
/*
 * One MCP message into one Cedar request, and Cedar's answer into the gate's. Runs in the proxy, on
 * names and arguments that agents and servers chose. Everything that goes wrong here is a denial.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/mcp_impl.h"

#define NAMES_LIMIT (1u << 20) /* bytes of composed names of one message: URIs may be long */

/* What is asked, in Cedar's terms. */
struct question {
	struct mcp_judge *j;
	struct mcp_model *m; /* of the answer */
	const struct mcp_request *rq;
	const char *agent;
	struct cedar_uid action, resource;
	bool list_entry;
};

int mcp_judge_new(struct mcp_judge **ret)
{
	_cleanup_(mcp_judge_free_p) struct mcp_judge *j = calloc(1, sizeof(*j));
	int r = j ? cedar_request_new(0, &j->rq) : -ENOMEM;

	if (r < 0)
		return r;
	j->names.limit = NAMES_LIMIT;
	*ret = take_ptr(j);
	return 0;
}

void mcp_judge_free(struct mcp_judge *j)
{
	if (!j)
		return;
	cedar_request_free(j->rq);
	arena_done(&j->names);
	free(j);
}

/* --- entities that the model may not know ----------------------------------------------------- */

int mcp_judge_name(struct mcp_judge *j, const char *first, struct span second, struct span *ret)
{
	size_t n = strlen(first);
	char *p;

	if (second.n > NAMES_LIMIT || n > NAMES_LIMIT)
		return -ENOSPC;
	p = arena_alloc(&j->names, n + 1 + second.n);
	if (!p)
		return -ENOSPC;
	memcpy(p, first, n);
	p[n] = '/';
	if (second.n)
		memcpy(p + n + 1, second.p, second.n);
	*ret = (struct span){ p, n + 1 + second.n };
	return 0;
}

static void string_member(struct cedar_build *b, const char *key, struct span value)
{
	cedar_key(b, span_of(key));
	cedar_put_string(b, value);
}

/* Tells an entity of the request whose attributes are a name and, when given, the server it is in.
 * Being known to the model already is fine; *ret_known says whether it was. */
static int tell(struct question *q, struct cedar_uid uid, const char *key, struct span name,
		const char *server, bool *ret_known)
{
	struct cedar_build *b = cedar_request_build(q->j->rq);
	struct cedar_uid parent = { SPAN("Server"), span_of(server) };
	int r;

	cedar_open_record(b);
	string_member(b, key, name);
	if (server) {
		cedar_key(b, SPAN("server"));
		cedar_put_entity(b, parent.type, parent.id);
	}
	cedar_close(b);
	r = cedar_request_entity(q->j->rq, uid, true, &parent, server ? 1 : 0);
	if (ret_known)
		*ret_known = r == -EEXIST;
	return r == -EEXIST ? 0 : r;
}

static int tell_server(struct question *q)
{
	struct cedar_uid uid = { SPAN("Server"), span_of(q->rq->server) };

	return tell(q, uid, "name", uid.id, NULL, NULL);
}

/* An action of this one message, below a group. -EEXIST when its name means something else. */
static int tell_action(struct question *q, struct span id, struct span group)
{
	struct cedar_uid parent = { SPAN("Action"), group };

	q->action = (struct cedar_uid){ SPAN("Action"), id };
	return cedar_request_entity(q->j->rq, q->action, false, &parent, 1);
}

static int ask_tool(struct question *q)
{
	struct span id;
	bool known = false;
	int r = mcp_judge_name(q->j, q->rq->server, q->rq->item, &id);

	if (r < 0)
		return r;
	q->resource = (struct cedar_uid){ SPAN("Tool"), id };
	r = tell(q, q->resource, "name", q->rq->item, q->rq->server, &known);
	if (r < 0)
		return r;
	if (!known)
		return tell_action(q, id, SPAN("tools/call"));
	q->action = (struct cedar_uid){ SPAN("Action"), id };
	return 0;
}

static int ask_prompt(struct question *q)
{
	struct span id;
	int r = mcp_judge_name(q->j, q->rq->server, q->rq->item, &id);

	if (r < 0)
		return r;
	q->action = (struct cedar_uid){ SPAN("Action"), SPAN("prompts/get") };
	q->resource = (struct cedar_uid){ SPAN("Prompt"), id };
	return tell(q, q->resource, "name", q->rq->item, q->rq->server, NULL);
}

/* Whether the resource is a Host: no server of the catalog has a part in it. */
static bool is_host(enum mcp_action a)
{
	return a == MCP_CONNECT || a == MCP_CONNECT_INTERNAL || a == MCP_CONNECT_METADATA || a == MCP_RESOLVE;
}

static struct span connect_action(enum mcp_action a)
{
	return a == MCP_CONNECT ? SPAN("connect") :
	       a == MCP_CONNECT_INTERNAL ? SPAN("connect/internal") :
	       a == MCP_CONNECT_METADATA ? SPAN("connect/metadata") : SPAN("resolve");
}

/* "host:port"; an IPv6 address stands in brackets, which are not part of the name. */
static int ask_host(struct question *q)
{
	struct cedar_build *b = cedar_request_build(q->j->rq);
	struct span item = q->rq->item, name = item;
	const char *colon = item.n ? memrchr(item.p, ':', item.n) : NULL;
	int64_t port = colon && colon + 1 < item.p + item.n ? 0 : -1;

	for (const char *p = colon; port >= 0 && ++p < item.p + item.n;)
		port = *p >= '0' && *p <= '9' && port < 65536 ? port * 10 + (*p - '0') : -1;
	if (port >= 0)
		name.n = (size_t)(colon - item.p);
	if (name.n >= 2 && name.p[0] == '[' && name.p[name.n - 1] == ']')
		name = (struct span){ name.p + 1, name.n - 2 };
	q->action = (struct cedar_uid){ SPAN("Action"), connect_action(q->rq->action) };
	q->resource = (struct cedar_uid){ SPAN("Host"), item };
	cedar_open_record(b);
	string_member(b, "name", name);
	if (port >= 0) {
		cedar_key(b, SPAN("port"));
		cedar_put_long(b, port);
	}
	cedar_close(b);
	return cedar_request_entity(q->j->rq, q->resource, true, NULL, 0);
}

static int ask_method(struct question *q)
{
	struct span id;
	int r = mcp_judge_name(q->j, "method", q->rq->item, &id);

	if (r == 0)
		r = tell_action(q, id, SPAN("method"));
	/* No server is called "method", so one that is known is this one. */
	return r == -EEXIST ? 0 : r;
}

/* Action and resource. *ret_server: the principal is the server. */
static int ask(struct question *q, bool *ret_server)
{
	struct cedar_uid server = { SPAN("Server"), span_of(q->rq->server) };
	struct cedar_uid agent = { SPAN("Agent"), span_of(q->agent) };
	const char *action = NULL;
	int r = 0;

	*ret_server = false;
	switch (q->rq->action) {
	case MCP_TOOL_CALL:
	case MCP_TOOL_LIST_ENTRY:
		return ask_tool(q);
	case MCP_PROMPT_GET:
	case MCP_PROMPT_LIST_ENTRY:
		return ask_prompt(q);
	case MCP_CONNECT:
	case MCP_CONNECT_INTERNAL:
	case MCP_CONNECT_METADATA:
	case MCP_RESOLVE:
		return ask_host(q);
	case MCP_RESOURCE_READ:
		q->action = (struct cedar_uid){ SPAN("Action"), SPAN("resources/read") };
		q->resource = (struct cedar_uid){ SPAN("Resource"), q->rq->item };
		return tell(q, q->resource, "uri", q->rq->item, q->rq->server, NULL);
	case MCP_METHOD:
		*ret_server = q->rq->principal == MCP_PRINCIPAL_SERVER;
		r = ask_method(q);
		break;
	case MCP_SPAWN:
		action = "spawn";
		break;
	case MCP_SERVER_USE:
		action = "server/use";
		break;
	case MCP_SAMPLING:
		action = "sampling/createMessage";
		*ret_server = true;
		break;
	case MCP_ELICITATION:
		action = "elicitation/create";
		*ret_server = true;
		break;
	case MCP_ROOTS:
		action = "roots/list";
		*ret_server = true;
		break;
	default:
		return -EINVAL;
	}
	if (action)
		q->action = (struct cedar_uid){ SPAN("Action"), span_of(action) };
	q->resource = *ret_server ? agent : server;
	return r;
}

/* --- context ---------------------------------------------------------------------------------- */

static void string_set(struct cedar_build *b, const char *key, const char *const *v, size_t n)
{
	cedar_key(b, span_of(key));
	cedar_open_set(b);
	for (size_t i = 0; i < n; i++)
		cedar_put_string(b, span_of(v[i]));
	cedar_close(b);
}

static void optional_string(struct cedar_build *b, const char *key, const char *v)
{
	if (v && *v)
		string_member(b, key, span_of(v));
}

static void put_connection(struct cedar_build *b, const struct mcp_connection *c)
{
	if (c->host.n)
		string_member(b, "host", c->host);
	cedar_key(b, SPAN("address"));
	cedar_put_ip(b, c->address);
	cedar_key(b, SPAN("port"));
	cedar_put_long(b, c->port);
	cedar_key(b, SPAN("alpn"));
	cedar_open_set(b);
	for (size_t i = 0; i < c->n_alpn; i++)
		cedar_put_string(b, c->alpn[i]);
	cedar_close(b);
}

static int put_context(struct question *q)
{
	const struct mcp_request *rq = q->rq;
	struct cedar_build *b = cedar_request_build(q->j->rq);

	cedar_open_record(b);
	if (q->list_entry) {
		cedar_key(b, SPAN("input"));
		cedar_put_unknown(b);
	} else if (rq->input) {
		cedar_key(b, SPAN("input"));
		rq->input(rq->input_ctx, b);
	} else if (rq->action == MCP_TOOL_CALL) {
		cedar_key(b, SPAN("input"));
		cedar_open_record(b);
		cedar_close(b);
	}
	if (is_host(rq->action) && rq->connection)
		put_connection(b, rq->connection);
	cedar_key(b, SPAN("session"));
	cedar_open_record(b);
	string_set(b, "labels", rq->labels, rq->n_labels);
	cedar_key(b, SPAN("calls"));
	cedar_put_long(b, rq->calls);
	cedar_key(b, SPAN("age"));
	cedar_put_long(b, rq->age);
	optional_string(b, "workflow", rq->workflow);
	cedar_close(b);
	cedar_key(b, SPAN("flow"));
	cedar_open_record(b);
	string_set(b, "sources", rq->flow_sources, rq->n_flow_sources);
	string_set(b, "labels", rq->flow_labels, rq->n_flow_labels);
	cedar_close(b);
	optional_string(b, "transport", rq->transport);
	optional_string(b, "attestation", rq->attestation);
	cedar_key(b, SPAN("time"));
	cedar_put_datetime_ms(b, rq->time_ms);
	cedar_close(b);
	return cedar_request_context(q->j->rq);
}

static int put_question(struct question *q, struct cedar_snapshot *s)
{
	struct cedar_uid agent = { SPAN("Agent"), span_of(q->agent) }, principal = agent;
	bool from_server = false;
	int r = cedar_request_begin(q->j->rq, s);

	arena_reset(&q->j->names);
	if (r == 0)
		r = tell(q, agent, "name", agent.id, NULL, NULL);
	if (r == 0 && q->rq->server)
		r = tell_server(q);
	if (r == 0)
		r = ask(q, &from_server);
	if (r < 0)
		return r;
	if (from_server)
		principal = (struct cedar_uid){ SPAN("Server"), span_of(q->rq->server) };
	r = cedar_request_principal(q->j->rq, principal.type, principal.id);
	if (r == 0)
		r = cedar_request_action(q->j->rq, q->action.type, q->action.id);
	if (r == 0)
		r = cedar_request_resource(q->j->rq, q->resource.type, q->resource.id);
	return r < 0 ? r : put_context(q);
}

/* Of who and what there is to judge; NULL: nothing. */
static const char *missing(const struct question *q)
{
	if (!q->agent)
		return "the agent is not known";
	if (is_host(q->rq->action))
		return q->rq->connection || q->rq->action == MCP_RESOLVE ?
			       NULL : "the connection's address is not known";
	if (!mcp_server_name_ok(q->rq->server))
		return "the server has no usable name";
	return NULL;
}

static struct question question_of(struct mcp_judge *j, const struct mcp_request *rq, const char *agent)
{
	return (struct question){ .j = j, .rq = rq, .agent = agent,
				  .list_entry = rq->action == MCP_TOOL_LIST_ENTRY ||
						rq->action == MCP_PROMPT_LIST_ENTRY };
}

int mcp_judge_put(struct mcp_judge *j, struct cedar_snapshot *s, const struct mcp_request *rq, const char *agent,
		  struct cedar_request **ret)
{
	struct question q = question_of(j, rq, agent);
	int r = missing(&q) ? -EINVAL : put_question(&q, s);

	if (r == 0)
		*ret = j->rq;
	return r;
}

/* --- the answer ------------------------------------------------------------------------------- */

static void add_reason(const struct question *q, uint32_t policy, struct mcp_answer *ret)
{
	const struct mcp_policy *p = &q->m->policies[policy];

	if (ret->n_reasons < MCP_REASONS_MAX)
		ret->reasons[ret->n_reasons++] = p->name;
	ret->total_reasons++;
	if (!ret->advice)
		ret->advice = p->advice;
}

static void add_reasons(const struct question *q, const uint32_t *policies, size_t n,
			struct mcp_answer *ret)
{
	for (size_t i = 0; i < n; i++)
		add_reason(q, policies[i], ret);
}

static bool is_forbid(const struct question *q, uint32_t policy)
{
	struct cedar_policy_info info;

	cedar_snapshot_policy(q->m->snapshot, policy, &info);
	return info.effect == CEDAR_FORBID;
}

/* The first failure of a forbid, or else of a permit, in words. */
static void describe_failure(const struct question *q, const struct cedar_answer *a,
			     struct mcp_answer *ret)
{
	const struct cedar_failure *f = &a->failures[0];
	struct cedar_policy_info info;
	struct cedar_error what;

	for (size_t i = 0; a->forbid_failed && i < a->n_failures; i++) {
		f = &a->failures[i];
		if (is_forbid(q, f->policy))
			break;
	}
	cedar_snapshot_policy(q->m->snapshot, f->policy, &info);
	if (cedar_explain(q->j->rq, f, &what) < 0)
		(void)snprintf(what.message, sizeof(what.message), "it cannot be said why");
	(void)snprintf(ret->error, sizeof(ret->error), "%s:%u:%u: %s: %s", info.text_name,
		       what.line, what.column, q->m->policies[f->policy].name, what.message);
}

static void give_answer(const struct question *q, const struct cedar_answer *a,
			struct mcp_answer *ret)
{
	ret->decision = mcp_judge_allows(q->list_entry, a) ? MCP_ALLOW : MCP_DENY;
	ret->n_failed = a->n_failures;
	if (a->n_failures)
		describe_failure(q, a, ret);
	if (a->decision == CEDAR_DENY && a->n_reasons) {
		ret->why = MCP_WHY_FORBID;
		add_reasons(q, a->reasons, a->n_reasons, ret);
	} else if (a->forbid_failed) {
		ret->why = MCP_WHY_FORBID_ERRORED;
		for (size_t i = 0; i < a->n_failures; i++) {
			if (is_forbid(q, a->failures[i].policy))
				add_reason(q, a->failures[i].policy, ret);
		}
	} else if (a->decision == CEDAR_DENY) {
		ret->why = MCP_WHY_DEFAULT;
	} else if (a->decision == CEDAR_ALLOW) {
		ret->why = MCP_WHY_PERMIT;
		add_reasons(q, a->reasons, a->n_reasons, ret);
	} else if (q->list_entry) {
		ret->why = MCP_WHY_INPUT;
		add_reasons(q, a->depending, a->n_depending, ret);
	}
}

static const char *failure_words(int r)
{
	switch (r) {
	case -ENOSPC:
		return "the message needs more memory than a decision may take";
	case -ELOOP:
		return "the arguments are nested too deep";
	case -EEXIST:
		return "an argument is given twice, or the name means something else";
	case -ENOMEM:
		return "no memory";
	default:
		return "the message cannot be put to policy";
	}
}

static void judge_one(struct mcp_judge *j, struct mcp_model *m, const struct mcp_request *rq,
		      const char *agent, struct mcp_answer *ret)
{
	struct question q = question_of(j, rq, agent);
	const char *what = missing(&q);
	struct cedar_answer a;
	int r;

	q.m = m;
	*ret = (struct mcp_answer){ .principal = agent ? agent : "" };
	if (what)
		(void)snprintf(ret->error, sizeof(ret->error), "%s", what);
	r = what ? -EINVAL : put_question(&q, m->snapshot);
	if (r == 0)
		r = cedar_authorize(j->rq, &a);
	if (r == 0)
		give_answer(&q, &a, ret);
	else if (!*ret->error)
		(void)snprintf(ret->error, sizeof(ret->error), "%s", failure_words(r));
}

void mcp_judge_decide(struct mcp_judge *j, struct mcp_model *m, const struct mcp_request *rq,
		      struct mcp_answer *ret)
{
	struct mcp_answer outer;

	judge_one(j, m, rq, rq->agent, ret);
	if (ret->decision != MCP_ALLOW || !rq->outer)
		return;
	judge_one(j, m, rq, rq->outer, &outer);
	if (outer.decision != MCP_ALLOW)
		*ret = outer;
}
