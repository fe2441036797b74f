// SPDX-License-Identifier: Apache-2.0
/*
 * Event streams, in the proxy: every event with data is a question to the gate, and leaves the
 * moment it is answered. Events are framed as chunks of our own, whatever framing they came in,
 * except to a client of an answer that ends with the connection.
 */
#include <errno.h>
#include <stdio.h>

#include "user/net/conn_int.h"

#define CHUNK_OVERHEAD 32 /* size in hex, two line ends, the NUL of printf */

static bool cut(struct net_conn *c, const char *why)
{
	return reply_fail(c, 502, why, -EPROTO);
}

void stream_begin(struct net_conn *c)
{
	enum http_framing framing = c->x.head.framing;
	struct span in = buf_span(&c->server.in), head = { in.p, c->x.head.size };
	int r;

	c->x.chunk_out = framing == HTTP_FRAMING_CHUNKED ||
			 (framing == HTTP_FRAMING_LENGTH && !c->x.head.http10);
	c->x.last |= !c->x.chunk_out;
	net_buf_ready(c->net, &c->client.out);
	if (framing == HTTP_FRAMING_LENGTH)
		r = reply_head(c, head, c->x.chunk_out ? "Transfer-Encoding: chunked\r\n" : "");
	else
		r = buf_append(&c->client.out, head.p, head.n);
	if (r < 0) {
		conn_kill(c, r);
		return;
	}
	buf_consume(&c->server.in, head.n);
	sse_done(&c->x.sse);
	c->x.sse.joined.limit = c->x.body.limit;
	conn_state(c, ST_EVENTS, 0);
}

static int emit(struct net_conn *c, struct span bytes)
{
	struct buf *out = &c->client.out;
	char *room;
	int r;

	if (bytes.n == 0)
		return 0;
	net_buf_ready(c->net, out);
	r = buf_reserve(out, bytes.n + CHUNK_OVERHEAD, &room); /* all of it or nothing */
	if (r < 0)
		return r;
	if (c->x.chunk_out)
		r = buf_printf(out, "%zx\r\n", bytes.n);
	if (r == 0)
		r = buf_append(out, bytes.p, bytes.n);
	if (r == 0 && c->x.chunk_out)
		r = buf_append(out, "\r\n", 2);
	return r;
}

static bool emitted(struct net_conn *c, int r)
{
	if (r < 0)
		conn_kill(c, r);
	return r == 0;
}

/* Payload not handled yet: what was put aside, or else what stands at the front of server.in. */
static struct span pending(const struct net_conn *c)
{
	struct span in = buf_span(&c->server.in);

	if (buf_len(&c->x.body))
		return buf_span(&c->x.body);
	return (struct span){ in.p, c->x.piece };
}

static void used_up(struct net_conn *c, size_t n)
{
	if (buf_len(&c->x.body)) {
		buf_consume(&c->x.body, n);
		net_buf_release(c->net, &c->x.body);
	} else {
		buf_consume(&c->server.in, n);
		c->x.piece -= n;
	}
}

static bool handle(struct net_conn *c)
{
	if (c->x.event.data.n == 0) {
		int r = emit(c, c->x.event.raw);

		used_up(c, c->x.event.raw.n);
		return emitted(c, r);
	}
	conn_ask(c, ST_ASK_EVENT);
	conn_asked(c, c->ops->event ? c->ops->event(&c->x, &c->x.event) : NET_DENY);
	return true;
}

static bool finish(struct net_conn *c)
{
	if (c->x.chunk_out && !emitted(c, buf_append_str(&c->client.out, "0\r\n\r\n")))
		return false;
	conn_state(c, ST_FLUSH, 0);
	return true;
}

/* Part of an event: kept, so that its beginning and end come to stand together. */
static bool put_aside(struct net_conn *c)
{
	struct span in = buf_span(&c->server.in);

	if (buf_len(&c->x.body) + c->x.piece > c->net->limits.event_max)
		return cut(c, "event too large");
	if (!emitted(c, buf_append(&c->x.body, in.p, c->x.piece)))
		return false;
	buf_consume(&c->server.in, c->x.piece);
	c->x.piece = 0;
	return true;
}

/* Strips framing up to the next payload, which becomes the piece. */
static bool next_piece(struct net_conn *c)
{
	struct span in = buf_span(&c->server.in), body;
	struct http_refusal no;
	size_t used;

	if (!c->x.framing.done && in.n) {
		if (framing_step(&c->x.framing, in, &used, &body, &no) < 0)
			return cut(c, no.why);
		buf_consume(&c->server.in, used - body.n);
		c->x.piece = body.n;
	} else if (!c->x.framing.done) {
		if (!c->server.eof)
			return false;
		if (c->server.broken || framing_eof(&c->x.framing) < 0)
			return cut(c, "server closed in an event stream");
		c->x.last = true;
	}
	c->x.end = c->x.framing.done;
	return true;
}

bool step_events(struct net_conn *c)
{
	int r;

	if (buf_len(&c->client.out) >= NET_OUT_HIGH)
		return false;
	r = sse_next(&c->x.sse, pending(c), &c->x.event);
	if (r > 0)
		return handle(c);
	if (r < 0)
		return cut(c, "out of memory");
	if (c->x.piece)
		return put_aside(c);
	if (!c->x.end)
		return next_piece(c);
	r = sse_last(&c->x.sse, pending(c), &c->x.event);
	if (r < 0)
		return cut(c, "out of memory");
	return r > 0 ? handle(c) : finish(c);
}

static int replaced(struct net_conn *c)
{
	_cleanup_buf_ struct buf text = { .limit = c->client.out.limit };
	int r;

	if (!c->x.replace_ok)
		return -EINVAL;
	if (c->x.event.incomplete)
		return 0; /* it would become a whole event that the server never sent */
	r = sse_render(&c->x.event, buf_span(&c->x.staged), &text);
	return r < 0 ? r : emit(c, buf_span(&text));
}

bool step_event_answer(struct net_conn *c)
{
	int r = 0;

	switch (c->answer) {
	case NET_LATER:
		return false;
	case NET_FORWARD:
		r = emit(c, c->x.event.raw);
		break;
	case NET_REPLACE:
		r = replaced(c);
		break;
	case NET_DROP:
		break;
	default:
		return reply_fail(c, 502, "event denied", -EACCES);
	}
	if (r < 0)
		return reply_fail(c, 502, "event could not be written", r);
	used_up(c, c->x.event.raw.n);
	c->state = ST_EVENTS;
	return true;
}

int net_exchange_send_event(struct net_exchange *x, const char *type, struct span data)
{
	struct net_conn *c = x->conn;
	_cleanup_buf_ struct buf text = { .limit = c->client.out.limit };
	int r;

	if ((c->state != ST_EVENTS && c->state != ST_ASK_EVENT) || c->dead)
		return -ENOTCONN;
	r = sse_write(type, data, &text);
	if (r == 0)
		r = emit(c, buf_span(&text));
	if (r == 0)
		conn_run(c);
	return r;
}
