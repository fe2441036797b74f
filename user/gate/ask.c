// SPDX-License-Identifier: Apache-2.0
/*
 * From a conversation and a message to a question for policy.
 */
#include "user/gate/ask.h"

#include <stdio.h>
#include <string.h>

#include "attest/attest.h"
#include "user/base/clock.h"
#include "user/gate/conv.h"
#include "user/gate/gate.h"
#include "user/gate/input.h"
#include "user/gate/snapshot.h"
#include "user/mcp/catalog.h"

#define SERVER_NAME_MAX 512

/* What policy is told of the conversation; false when it has no server that can be named. */
static bool question_of(struct gate_conv *c, enum mcp_action action, enum mcp_dir dir,
			char name[SERVER_NAME_MAX], struct mcp_request *ret)
{
	struct span server = gate_conv_server(c);

	if (server.n >= SERVER_NAME_MAX)
		return false;
	memcpy(name, server.p, server.n);
	name[server.n] = '\0';
	*ret = (struct mcp_request){
		.principal = dir == MCP_TO_SERVER ? MCP_PRINCIPAL_AGENT : MCP_PRINCIPAL_SERVER,
		.action = action,
		.agent = snapshot_agent_name(c->snap, c->agent),
		.outer = snapshot_agent_name(c->snap, c->outer_agent),
		.server = name,
		.calls = (int64_t)c->calls,
		.age = (int64_t)((clock_mono_ns() - c->opened_ns) / 1000000000u),
		.transport = c->transport,
		.attestation = attest_platform(),
		.time_ms = (int64_t)(clock_real_ns() / 1000000u),
	};
	return true;
}

enum mcp_decision gate_ask(struct gate_conv *c, enum mcp_action action, enum mcp_dir dir,
			   struct span item, struct gate_input *input, const struct mcp_connection *connection,
			   struct mcp_answer *ret)
{
	char name[SERVER_NAME_MAX];
	struct mcp_request rq;

	if (!question_of(c, action, dir, name, &rq)) {
		*ret = (struct mcp_answer){ .decision = MCP_DENY, .error = "server name too long" };
		return MCP_DENY;
	}
	rq.item = item;
	rq.connection = connection;
	if (input) {
		rq.input = gate_input_build;
		rq.input_ctx = input;
	}
	mcp_judge_decide(c->gate->judge, c->snap->model, &rq, ret);
	return ret->decision;
}

void gate_ask_list(struct gate_conv *c, enum mcp_action action, const struct span *items, size_t n, bool *ret)
{
	char name[SERVER_NAME_MAX];
	struct mcp_request rq;

	memset(ret, false, n * sizeof(*ret));
	if (question_of(c, action, MCP_TO_SERVER, name, &rq))
		mcp_judge_list(c->gate->judge, c->snap->model, &rq, items, n, ret);
}

void gate_ask_reason(const struct mcp_answer *a, char *ret, size_t size)
{
	const char *first = a->n_reasons ? a->reasons[0] : "?";

	switch (a->why) {
	case MCP_WHY_DEFAULT:
		(void)snprintf(ret, size, "no policy permits it for agent %s", a->principal);
		break;
	case MCP_WHY_FORBID:
		(void)snprintf(ret, size, "policy %s forbids it for agent %s", first, a->principal);
		break;
	case MCP_WHY_FORBID_ERRORED:
		(void)snprintf(ret, size, "policy %s could not be evaluated, so it denies: %s", first,
			       a->error);
		break;
	case MCP_WHY_FAILED:
		(void)snprintf(ret, size, "no decision could be made: %s", a->error);
		break;
	default:
		(void)snprintf(ret, size, "policy %s", first);
		break;
	}
}
