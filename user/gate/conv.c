// SPDX-License-Identifier: Apache-2.0
/*
 * Conversations: opened when an agent first speaks to a server, bound to that server's identity, and moved
 * to a new epoch between two messages. Runs in the proxy.
 */
#include "user/gate/conv.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/mcp_model.h"
#include "user/base/clock.h"
#include "user/gate/ask.h"
#include "user/gate/gate.h"
#include "user/gate/note.h"
#include "user/gate/snapshot.h"
#include "user/mcp/catalog.h"
#include "user/proc/identity.h"

const char *gate_conv_address(const struct gate_conv *c)
{
	static char text[CONV_ADDRESS_MAX + CONV_PATH_MAX + 16];

	if (c->identity && strcmp(c->transport, "stdio") == 0)
		return *c->identity->script ? c->identity->script : c->identity->exe;
	(void)snprintf(text, sizeof(text), strchr(c->host, ':') ? "http://[%s]:%u%s" : "http://%s:%u%s",
		       c->host, c->port, c->path);
	return text;
}

struct span gate_conv_server(const struct gate_conv *c)
{
	return c->server ? c->server->name : SPAN("");
}

/* A server is what the catalog approves only as the catalog declares it: another declaration, also one that a reload
 * brought, is another server. */
static void hold_to_declaration(const struct gate_conv *c, struct catalog_match *m)
{
	const struct catalog_server *s = m->server;

	if (*c->spawn.refused) {
		memcpy(m->reason, c->spawn.refused, sizeof(m->reason));
		m->server = NULL;
		m->measured = false;
	} else if (s && memcmp(s->declared, c->spawn.declared, sizeof(s->declared)) != 0) {
		(void)snprintf(m->reason, sizeof(m->reason),
			       "server %.*s was not started under what the catalog declares of it now: start it anew",
			       (int)(s->name.n < 80 ? s->name.n : 80), s->name.p);
		m->server = NULL;
		m->measured = false;
	} else {
		m->measured |= c->spawn.measured;
	}
}

/* Binds the conversation to a server of the present catalog, and asks whether the agent may use it. */
bool gate_conv_bare(const struct gate_conv *c)
{
	return strcmp(c->transport, "opaque") == 0 || strcmp(c->transport, "dns") == 0;
}

static void find_server(struct gate_conv *c)
{
	struct catalog_match m = { 0 };
	struct catalog_http_target t = {
		.loopback = c->loopback, .host = span_of(c->host), .port = c->port,
		.path = span_of(c->path), .owner = c->identity,
	};
	struct mcp_answer a;

	if (gate_conv_bare(c))
		return; /* a connection, not a server: judged by where it goes */
	if (strcmp(c->transport, "stdio") == 0)
		catalog_server_find_stdio(c->snap->catalog, c->identity, &m);
	else
		catalog_server_find_http(c->snap->catalog, &t, &m);
	if (strcmp(c->transport, "stdio") == 0)
		hold_to_declaration(c, &m);
	c->server = m.server;
	c->measured = m.measured;
	memcpy(c->why_unlisted, m.reason, sizeof(c->why_unlisted));
	c->why_unlisted[sizeof(c->why_unlisted) - 1] = '\0';
	c->use_denied = false;
	if (c->server)
		c->use_denied = gate_ask(c, MCP_SERVER_USE, MCP_TO_SERVER, SPAN(""), NULL, NULL, &a) != MCP_ALLOW;
}

static int copy_peers(struct gate_conv *c, const struct gate_peers *p)
{
	c->agent = p->agent;
	c->outer_agent = p->outer_agent;
	c->agent_pid = p->agent_pid;
	c->agent_uid = p->agent_uid;
	c->transport = p->transport;
	c->port = p->port;
	c->loopback = p->loopback;
	c->running = p->running;
	if (p->host && strlen(p->host) >= sizeof(c->host))
		return -ENAMETOOLONG;
	if (p->path && strlen(p->path) >= sizeof(c->path))
		return -ENAMETOOLONG;
	(void)snprintf(c->host, sizeof(c->host), "%s", p->host ? p->host : "");
	(void)snprintf(c->path, sizeof(c->path), "%s", p->path ? p->path : "");
	if (p->spawn)
		c->spawn = *p->spawn;
	if (p->server) {
		c->identity = malloc(sizeof(*c->identity));
		if (!c->identity)
			return -ENOMEM;
		*c->identity = *p->server;
	}
	return 0;
}

static void conv_free(struct gate_conv *c)
{
	pending_done(&c->pending);
	for (unsigned i = 0; i < c->ndrift; i++)
		free(c->drift[i]);
	chain_done(&c->chain);
	snapshot_unref(c->snap);
	free(c->identity);
	free(c);
}

int gate_conv_open(struct gate *g, const struct gate_peers *p, struct gate_conv **ret)
{
	struct gate_conv *c;
	int r;

	if (!g->current || !g->recorder)
		return -EAGAIN;
	if (g->nconvs >= g->limits.conversations_max)
		return -ENOSPC;
	if (!snapshot_agent_name(g->current, p->agent))
		return -ESRCH;
	c = calloc(1, sizeof(*c));
	if (!c)
		return -ENOMEM;
	c->gate = g;
	c->snap = snapshot_ref(g->current);
	c->opened_ns = c->last_ns = clock_mono_ns();
	r = copy_peers(c, p);
	if (r >= 0) {
		find_server(c);
		r = note_begin(c);
	}
	if (r < 0) {
		conv_free(c);
		return r;
	}
	c->next = g->convs;
	c->link = &g->convs;
	if (c->next)
		c->next->link = &c->next;
	g->convs = c;
	g->nconvs++;
	*ret = c;
	return 0;
}

void gate_conv_close(struct gate_conv *c, const char *why)
{
	struct record rec;

	if (!c)
		return;
	note_init(&rec, c, RECORD_SESSION_END, RECORD_NA);
	rec.reason = span_of(why);
	/* A full log denies messages; that a conversation ended it can only miss. */
	(void)note_put(c, &rec);
	*c->link = c->next;
	if (c->next)
		c->next->link = c->link;
	c->gate->nconvs--;
	conv_free(c);
}

int gate_conv_refresh(struct gate_conv *c)
{
	struct snapshot *before = c->snap;
	int r;

	if (before == c->gate->current || !c->gate->current)
		return 0;
	c->snap = snapshot_ref(c->gate->current);
	find_server(c);
	r = note_segment(c, before->epoch);
	if (r < 0) {
		snapshot_unref(c->snap);
		c->snap = before;
		find_server(c);
		return r;
	}
	snapshot_unref(before);
	for (; c->ndrift > 0; c->ndrift--)
		free(c->drift[c->ndrift - 1]);
	c->drift_all = false;
	return 0;
}

void gate_conv_drifted(struct gate_conv *c, struct span tool)
{
	char *name;

	if (c->drift_all || gate_conv_has_drifted(c, tool))
		return;
	name = c->ndrift < CONV_DRIFT_MAX ? strndup(tool.p, tool.n) : NULL;
	if (name)
		c->drift[c->ndrift++] = name;
	else
		c->drift_all = true;
}

bool gate_conv_has_drifted(const struct gate_conv *c, struct span tool)
{
	for (unsigned i = 0; i < c->ndrift; i++)
		if (span_is(tool, c->drift[i]))
			return true;
	return c->drift_all;
}

void gate_conv_describe(const struct gate_conv *c, struct json_out *j)
{
	json_out_object(j);
	json_out_member_str(j, "session", c->chain.session_id);
	json_out_member_str(j, "agent", snapshot_agent_name(c->snap, c->agent));
	json_out_member_str(j, "outer_agent", snapshot_agent_name(c->snap, c->outer_agent));
	json_out_member_int(j, "pid", c->agent_pid);
	if (c->server)
		json_out_member_span(j, "server", c->server->name);
	else
		json_out_member_str(j, "server", NULL);
	json_out_member_str(j, "address", gate_conv_address(c));
	json_out_member_str(j, "transport", c->transport);
	json_out_member_str(j, "protocol", mcp_version_text(c->version));
	json_out_member_int(j, "calls", (int64_t)c->calls);
	json_out_member_int(j, "denied", (int64_t)c->denied);
	json_out_object_end(j);
}
