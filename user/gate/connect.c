// SPDX-License-Identifier: Apache-2.0
/*
 * A connection that is not MCP, put to policy: as what it names, and as where it would go. Runs in the proxy on what
 * an agent's first bytes say.
 */
#include "user/gate/connect.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "policy/mcp_model.h"
#include "user/gate/judge.h"
#include "user/net/hello.h"
#include "user/net/net.h"
#include "user/net/reach.h"

#define TARGET_SIZE (NAME_SIZE + sizeof(":65535"))

static enum mcp_action action_of(const struct net_dest *d)
{
	switch (net_reach(d)) {
	case NET_REACH_PUBLIC:
		return MCP_CONNECT;
	case NET_REACH_INTERNAL:
		return MCP_CONNECT_INTERNAL;
	default:
		return MCP_CONNECT_METADATA;
	}
}

/* Nobody can say where a hidden name leads; a front that is permitted must not open what lies behind it. */
static void object(const struct gate_connect *to, struct gate_question *q)
{
	if (to->disagrees) {
		q->reason_code = "other_name";
		q->objection = "the agent asked for other names than this one to get the address";
	}
	if (!to->hello || !to->hello->encrypted)
		return;
	q->reason_code = "hidden_name";
	q->objection = "the TLS hello hides the host's name (encrypted client hello); turn that off in the client";
}

void gate_judge_connect(struct gate_conv *c, const struct gate_connect *to, struct gate_verdict *ret)
{
	const struct net_dest *d = to->dest;
	char address[INET6_ADDRSTRLEN] = "", target[TARGET_SIZE];
	struct span alpn[HELLO_ALPN_MAX];
	struct mcp_connection known = { .host = span_of(to->name), .port = net_dest_port(d), .alpn = alpn };
	struct gate_question q = { .action = action_of(d), .connection = &known };
	bool four = d->sa.sa_family == AF_INET;

	(void)inet_ntop(d->sa.sa_family, four ? (const void *)&d->in.sin_addr : &d->in6.sin6_addr, address,
			sizeof(address));
	if (*to->name)
		(void)snprintf(target, sizeof(target), "%s:%u", to->name, net_dest_port(d));
	else
		(void)snprintf(target, sizeof(target), four ? "%s:%u" : "[%s]:%u", address, net_dest_port(d));
	known.address = span_of(address);
	for (unsigned i = 0; to->hello && i < to->hello->alpn_n; i++)
		alpn[known.n_alpn++] = span_of(to->hello->alpn[i]);
	q.item = span_of(target);
	object(to, &q);
	gate_judge_question(c, &q, ret);
}
