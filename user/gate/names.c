// SPDX-License-Identifier: Apache-2.0
/*
 * What becomes of a question for a name: limited, judged, recorded, resolved, answered, in this order. Runs in the
 * proxy on an agent's bytes. LIMIT: records say which agent asked, not which of its processes.
 */
#include "user/gate/names_parts.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "user/base/clock.h"
#include "user/gate/conv.h"
#include "user/gate/gate.h"
#include "user/gate/judge.h"

#define CLASS_IN 1
#define NS_PER_S 1000000000ull

struct names_agent *names_agent_of(struct gate_names *n, uint32_t agent)
{
	struct names_agent *a = n->agents;

	while (a && a->agent != agent)
		a = a->next;
	if (a)
		return a;
	a = calloc(1, sizeof(*a));
	if (!a)
		return NULL;
	a->agent = agent;
	a->next = n->agents;
	n->agents = a;
	return a;
}

static int open_conv(struct gate_names *n, struct names_agent *a)
{
	struct gate_peers p = { .agent = a->agent, .transport = "dns", .host = "", .path = "" };

	return a->conv ? 0 : gate_conv_open(n->gate, &p, &a->conv);
}

/* Whether one more may be asked now. The first too many of each second is recorded. */
static bool within_rate(struct names_agent *a)
{
	uint64_t now = clock_mono_ns(), cost = NS_PER_S / NAMES_RATE;
	struct gate_verdict v;

	if (a->full_at < now)
		a->full_at = now;
	if (a->full_at - now < NAMES_BURST * cost) {
		a->full_at += cost;
		return true;
	}
	if (now - a->told_at >= NS_PER_S) {
		a->told_at = now;
		gate_judge_refused(a->conv, "the agent asks for names too often", &v);
	}
	return false;
}

/* --- a question's end ------------------------------------------------------------------------------ */

static void forget(struct names_ask *ask)
{
	gate_forget(ask->names->gate, ask);
	resolver_cancel(ask->query);
	*ask->link = ask->next;
	if (ask->next)
		ask->next->link = ask->link;
	ask->agent->pending--;
	free(ask);
}

static void reply(const struct names_ask *ask, enum dns_rcode rcode, const struct dns_answer *a)
{
	uint8_t text[DNS_MESSAGE_MAX];

	names_send(ask, text, dns_reply_write(&ask->q, rcode, a, ask->stream ? DNS_MESSAGE_MAX : ask->q.room, text));
}

static void finish(struct names_ask *ask, enum dns_rcode rcode, const struct dns_answer *a)
{
	struct names_ask last = *ask;

	last.q.wire = (struct span){ last.wire, last.q.wire.n };
	forget(ask);
	reply(&last, rcode, a);
}

void names_drop(struct gate_names *n, const struct name_stub *stub, const struct names_stream *stream)
{
	struct names_ask *next;

	for (struct names_ask *ask = n->asks; ask; ask = next) {
		next = ask->next;
		if ((stub && ask->stub == stub) || (stream && ask->stream == stream))
			forget(ask);
	}
}

/* --- resolving ------------------------------------------------------------------------------------ */

static void answered(struct names_ask *ask, const struct dns_answer *a)
{
	if (ask->q.type != DNS_HTTPS)
		names_remember(ask->agent, ask->q.name, ask->q.type == DNS_A, a);
	finish(ask, a->rcode, a);
}

static void on_answer(void *arg, int error, const struct dns_answer *a)
{
	struct names_ask *ask = arg;

	ask->query = NULL;
	if (error < 0)
		finish(ask, DNS_SERVER_FAILURE, NULL);
	else
		answered(ask, a);
}

static void on_recorded(void *arg, int error)
{
	struct names_ask *ask = arg;
	struct dns_answer a;
	int r = error < 0 ? error :
			    resolver_ask(ask->names->resolver, ask->q.name, ask->q.type, on_answer, ask, &a,
					 &ask->query);

	if (r < 0)
		finish(ask, DNS_SERVER_FAILURE, NULL);
	else if (r == 1)
		answered(ask, &a);
}

static void resolve(const struct names_ask *from, uint64_t pos)
{
	struct gate_names *n = from->names;
	struct names_ask *ask = from->agent->pending < NAMES_PENDING_MAX ? malloc(sizeof(*ask)) : NULL;

	if (!ask) {
		reply(from, DNS_SERVER_FAILURE, NULL);
		return;
	}
	*ask = *from;
	memcpy(ask->wire, from->q.wire.p, from->q.wire.n);
	ask->q.wire.p = ask->wire;
	ask->next = n->asks;
	ask->link = &n->asks;
	if (ask->next)
		ask->next->link = &ask->next;
	n->asks = ask;
	ask->agent->pending++;
	if (gate_recorded(n->gate, pos))
		on_recorded(ask, 0);
	else if (gate_when_recorded(n->gate, pos, on_recorded, ask) < 0)
		finish(ask, DNS_SERVER_FAILURE, NULL);
}

/* --- judging -------------------------------------------------------------------------------------- */

/* What is not asked for the sake of a connection carries data out, and in (TXT, NULL and their like). */
static const char *objection(const struct dns_question *q)
{
	if (q->class != CLASS_IN || (q->type != DNS_A && q->type != DNS_AAAA && q->type != DNS_HTTPS))
		return "only a host's addresses (A, AAAA) and its HTTPS bindings may be asked for";
	return *q->name ? NULL : "this is no host name";
}

static void judge(struct names_ask *ask)
{
	const struct dns_question *q = &ask->q;
	struct gate_question what = { .action = MCP_RESOLVE, .item = span_of(*q->name ? q->name : q->shown),
				      .reason_code = "question", .objection = objection(q) };
	struct gate_verdict v;
	bool refused = what.objection;

	if (!gate_room(ask->names->gate)) {
		reply(ask, DNS_SERVER_FAILURE, NULL);
		return;
	}
	gate_judge_question(ask->agent->conv, &what, &v);
	/* Nothing that cannot be asked is resolved, whatever the mode. */
	if (v.act == GATE_FORWARD && !refused)
		resolve(ask, v.pos);
	else
		reply(ask, refused ? DNS_REFUSED : DNS_NO_SUCH_NAME, NULL);
}

bool names_take(const struct names_ask *from, struct span msg)
{
	struct names_ask ask = *from;
	int r = dns_question_read(msg, &ask.q);

	if (r == -EBADMSG)
		return false;
	if (open_conv(ask.names, ask.agent) < 0)
		reply(&ask, DNS_SERVER_FAILURE, NULL);
	else if (!within_rate(ask.agent))
		reply(&ask, DNS_REFUSED, NULL);
	else if (r < 0)
		reply(&ask, DNS_FORMAT_ERROR, NULL);
	else
		judge(&ask);
	return true;
}

/* --- its life ------------------------------------------------------------------------------------- */

int gate_names_new(struct gate *g, struct loop *l, struct resolver *r, struct gate_names **ret)
{
	struct gate_names *n = calloc(1, sizeof(*n));

	if (!n)
		return -ENOMEM;
	*n = (struct gate_names){ .gate = g, .loop = l, .resolver = r };
	*ret = n;
	return 0;
}

void gate_names_free(struct gate_names *n)
{
	if (!n)
		return;
	while (n->streams)
		names_stream_end(n->streams);
	while (n->stubs)
		gate_names_unlisten(n->stubs);
	while (n->asks)
		forget(n->asks);
	while (n->agents) {
		struct names_agent *a = n->agents;

		n->agents = a->next;
		gate_conv_close(a->conv, "the proxy ends");
		free(a);
	}
	free(n);
}
