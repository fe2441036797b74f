// SPDX-License-Identifier: Apache-2.0
/*
 * The server's side of an exchange, in the proxy: checks the response head, collects a body that is
 * to be judged, or hands the response on head first. What a client could take for an event stream
 * or for JSON is treated as such whatever else its media type says, because real clients search the
 * value for the word.
 */
#include <errno.h>

#include "user/net/conn_int.h"

#define INTERIM_MAX 8 /* 1xx answers before a final one */

static bool bad(struct net_conn *c, const char *why)
{
	return reply_fail(c, 502, why, -EPROTO);
}

static bool contains(struct span s, const char *lower)
{
	size_t n = strlen(lower);

	for (size_t i = 0; i + n <= s.n; i++)
		if (span_caseeq((struct span){ s.p + i, n }, lower))
			return true;
	return false;
}

static struct net_response describe(const struct net_conn *c)
{
	const struct http_head *h = &c->x.head;
	struct span in = buf_span(&c->server.in), head = { in.p, h->size };

	return (struct net_response){ .status = h->status,
				      .content_type = http_part(head, h->content_type),
				      .head = head,
				      .mode = c->x.mode };
}

static void ask_response(struct net_conn *c)
{
	struct net_response resp = describe(c);

	if (c->x.mode == NET_COLLECT && c->x.head.framing != HTTP_FRAMING_NONE)
		resp.body = c->x.head.framing == HTTP_FRAMING_CHUNKED
				    ? buf_span(&c->x.body)
				    : (struct span){ resp.head.p + resp.head.n,
						     c->x.seen - resp.head.n };
	conn_ask(c, ST_ASK_RESPONSE);
	conn_asked(c, c->ops->response ? c->ops->response(&c->x, &resp) : NET_DENY);
}

/* NET_COLLECT is the answer wherever there is doubt. */
static int choose_mode(struct net_conn *c)
{
	struct net_response resp = describe(c);
	bool events = contains(resp.content_type, "text/event-stream");
	bool json = contains(resp.content_type, "json");

	c->x.mode = NET_COLLECT;
	if (c->x.head.framing == HTTP_FRAMING_NONE || json)
		return events && json ? -EBADMSG : 0;
	if (events)
		c->x.mode = NET_EVENTS;
	else if (c->ops->mode && c->ops->mode(&c->x, &resp) == NET_PASS)
		c->x.mode = NET_PASS;
	return 0;
}

static bool begin_body(struct net_conn *c, struct span in)
{
	struct span head = { in.p, c->x.head.size };
	struct http_refusal no;

	if (framing_begin(&c->x.framing, HTTP_RESPONSE, head, &c->x.head, &no) < 0)
		return bad(c, no.why);
	c->x.last |= c->x.head.close;
	c->x.seen = head.n;
	if (choose_mode(c) < 0)
		return bad(c, "ambiguous Content-Type");
	if (c->dead)
		return false;
	if (c->x.mode != NET_PASS && c->x.head.encoded && c->x.head.framing != HTTP_FRAMING_NONE)
		return bad(c, "compressed answer cannot be inspected");
	if (c->x.mode != NET_COLLECT) {
		ask_response(c);
		return true;
	}
	if (c->x.head.length > c->net->limits.body_max)
		return bad(c, "answer too large");
	conn_state(c, ST_COLLECT, c->net->limits.response_ms);
	return true;
}

static bool interim(struct net_conn *c)
{
	if (c->x.head.status == 101)
		return bad(c, "server switched protocols");
	if (++c->x.interim > INTERIM_MAX)
		return bad(c, "too many interim answers");
	buf_consume(&c->server.in, c->x.head.size);
	c->x.scan = 0;
	return true;
}

bool step_answer(struct net_conn *c)
{
	struct span in = buf_span(&c->server.in);
	struct http_refusal no;
	long n = http_head_find(in, &c->x.scan);

	if (n < 0)
		return bad(c, "bare LF in answer");
	if ((n == 0 && in.n >= c->net->limits.head_max) || (size_t)n > c->net->limits.head_max)
		return bad(c, "answer's head too large");
	if (n == 0) {
		if (c->server.eof)
			return bad(c, in.n ? "server closed in its answer"
					   : "server closed without an answer");
		return false;
	}
	if (http_response_head((struct span){ in.p, (size_t)n }, c->x.is_head, &c->x.head, &no) < 0)
		return bad(c, no.why);
	if (c->x.head.status < 200)
		return interim(c);
	return begin_body(c, in);
}

/* 1: the message is whole; 0: more is to come; else an error has been answered. */
static int read_end(struct net_conn *c)
{
	if (!c->x.framing.done && c->server.eof) {
		if (c->server.broken || framing_eof(&c->x.framing) < 0) {
			bad(c, "server closed in its answer");
			return -EPROTO;
		}
		c->x.last = true;
	}
	return c->x.framing.done;
}

bool step_collect(struct net_conn *c)
{
	struct span in = buf_span(&c->server.in), body;
	struct http_refusal no;
	size_t used = 1;
	int r;

	while (!c->x.framing.done && used) {
		struct span rest = { in.p + c->x.seen, in.n - c->x.seen };

		if (framing_step(&c->x.framing, rest, &used, &body, &no) < 0)
			return bad(c, no.why);
		c->x.seen += used;
		if (c->x.framing.kind == HTTP_FRAMING_CHUNKED &&
		    buf_append(&c->x.body, body.p, body.n) < 0)
			return reply_fail(c, 503, "out of memory", -ENOMEM);
		if (c->x.seen - c->x.head.size > c->net->limits.body_max)
			return bad(c, "answer too large");
	}
	r = read_end(c);
	if (r == 1)
		ask_response(c);
	else if (r == 0)
		net_deadline(c, c->net->limits.response_ms);
	return r != 0;
}

static bool forward(struct net_conn *c)
{
	c->x.committed = true;
	if (c->x.mode == NET_EVENTS) {
		stream_begin(c);
		return !c->dead;
	}
	c->client.pass = c->x.seen;
	conn_state(c, c->x.mode == NET_PASS ? ST_PASS : ST_FLUSH, 0);
	return true;
}

bool step_response_answer(struct net_conn *c)
{
	if (c->answer == NET_LATER)
		return false;
	if (c->answer == NET_FORWARD)
		return forward(c);
	if (c->answer == NET_REPLACE && c->x.replace_ok && c->x.mode == NET_COLLECT &&
	    c->x.head.framing != HTTP_FRAMING_NONE)
		return reply_replaced(c);
	if (c->answer == NET_REPLY)
		return reply_staged(c);
	return reply_fail(c, 502, "answer denied", -EACCES);
}

bool step_pass(struct net_conn *c)
{
	struct span in = buf_span(&c->server.in), body;
	struct http_refusal no;
	size_t used = 1;
	int r;

	while (!c->x.framing.done && used) {
		struct span rest = { in.p + c->client.pass, in.n - c->client.pass };

		if (framing_step(&c->x.framing, rest, &used, &body, &no) < 0)
			return bad(c, no.why);
		c->client.pass += used;
	}
	r = read_end(c);
	if (r == 1)
		conn_state(c, ST_FLUSH, 0);
	else if (r == 0)
		net_deadline(c, c->net->limits.response_ms);
	return r != 0;
}
