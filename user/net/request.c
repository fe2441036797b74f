// SPDX-License-Identifier: Apache-2.0
/*
 * The client's side of an exchange, in the proxy: collects one whole request, has it checked, asks
 * the gate and releases the received bytes. One edit is made: an Accept-Encoding other than
 * identity is taken out, because a compressed answer could not be inspected. Expect: 100-continue
 * is answered here, and passed on (the server's own 100 is swallowed).
 */
#include <errno.h>

#include "user/net/conn_int.h"

static bool refuse(struct net_conn *c, const struct http_refusal *no)
{
	return reply_fail(c, no->status, no->why, -EBADMSG);
}

/* Between requests a server may close, but not speak. */
static bool server_is_quiet(struct net_conn *c)
{
	if (c->server.fd < 0 || (!c->server.eof && buf_len(&c->server.in) == 0))
		return true;
	if (buf_len(&c->server.in) || buf_len(&c->client.in) == 0)
		return false;
	leg_close(&c->server, false); /* the next request dials anew */
	return true;
}

static bool need_more(struct net_conn *c, size_t have)
{
	if (have >= c->net->limits.head_max)
		return reply_fail(c, 431, "request head too large", -EMSGSIZE);
	if (c->client.eof && have)
		return reply_fail(c, 400, "request ends early", -ECONNRESET);
	if (c->client.eof) {
		conn_kill(c, 0);
	} else if (have && !c->x.begun) {
		c->x.begun = true;
		c->x.begun_at = net_now_ms();
		net_deadline(c, c->net->limits.head_ms);
	}
	return false;
}

static bool host_accepted(struct net_conn *c, struct span host)
{
	struct span name;

	switch (http_host_match(host, &c->dest, &name)) {
	case HTTP_HOST_SAME:
		return true;
	case HTTP_HOST_NAME:
		return c->ops->host && c->ops->host(c, name) == NET_FORWARD;
	default:
		return false;
	}
}

/* The whole head is there; the body may be. */
static bool begin_body(struct net_conn *c, struct span in)
{
	struct span head = { in.p, c->x.head.size };
	struct http_refusal no;

	c->x.is_head = span_is(http_part(head, c->x.head.method), "HEAD");
	c->x.last = c->x.head.close;
	if (!host_accepted(c, http_part(head, c->x.head.host)))
		return reply_fail(c, 421, "Host is not the server connected to", -EACCES);
	if (c->dead)
		return false;
	if (c->x.head.length > c->net->limits.body_max)
		return reply_fail(c, 413, "request body too large", -EMSGSIZE);
	if (framing_begin(&c->x.framing, HTTP_REQUEST, head, &c->x.head, &no) < 0)
		return refuse(c, &no);
	c->x.seen = head.n;
	if (c->x.head.expect && in.n == head.n && !c->x.framing.done &&
	    buf_append_str(&c->client.out, "HTTP/1.1 100 Continue\r\n\r\n") < 0)
		conn_kill(c, -ENOMEM);
	c->state = ST_BODY;
	return !c->dead;
}

bool step_head(struct net_conn *c)
{
	struct span in = buf_span(&c->client.in);
	struct http_refusal no;
	long n;

	if (!server_is_quiet(c)) {
		conn_kill(c, 0);
		return false;
	}
	n = http_head_find(in, &c->x.scan);
	if (n < 0)
		return reply_fail(c, 400, "bare LF in head", -EBADMSG);
	if (n == 0)
		return need_more(c, in.n);
	if ((size_t)n > c->net->limits.head_max)
		return reply_fail(c, 431, "request head too large", -EMSGSIZE);
	if (http_request_head((struct span){ in.p, (size_t)n }, &c->x.head, &no) < 0)
		return refuse(c, &no);
	return begin_body(c, in);
}

static void ask_request(struct net_conn *c)
{
	const struct http_head *h = &c->x.head;
	struct span in = buf_span(&c->client.in), head = { in.p, h->size };
	struct net_request req = {
		.method = http_part(head, h->method),
		.target = http_part(head, h->target),
		.host = http_part(head, h->host),
		.content_type = http_part(head, h->content_type),
		.head = head,
		.chunked = h->framing == HTTP_FRAMING_CHUNKED,
		.encoded = h->encoded,
	};

	req.body = req.chunked ? buf_span(&c->x.body)
			       : (struct span){ in.p + h->size, c->x.seen - h->size };
	c->x.held = c->x.seen;
	c->x.live = true;
	conn_ask(c, ST_ASK_REQUEST);
	conn_asked(c, c->ops->request ? c->ops->request(&c->x, &req) : NET_DENY);
}

/* The sooner of: the next bytes are due, the whole is due. False when the whole is overdue: a
 * client that never pauses must not put the timer off. */
static bool body_deadline(struct net_conn *c)
{
	const struct net_limits *l = &c->net->limits;
	uint64_t now = net_now_ms(), end;

	if (!c->x.begun) {
		c->x.begun = true;
		c->x.begun_at = now;
	}
	end = c->x.begun_at + l->request_ms;
	if (end <= now)
		return false;
	net_deadline(c, end - now < l->body_ms ? (unsigned)(end - now) : l->body_ms);
	return true;
}

bool step_body(struct net_conn *c)
{
	struct span in = buf_span(&c->client.in), body;
	struct http_refusal no;
	size_t used = 1;

	while (!c->x.framing.done && used) {
		struct span rest = { in.p + c->x.seen, in.n - c->x.seen };

		if (framing_step(&c->x.framing, rest, &used, &body, &no) < 0)
			return refuse(c, &no);
		c->x.seen += used;
		if (c->x.framing.kind == HTTP_FRAMING_CHUNKED &&
		    buf_append(&c->x.body, body.p, body.n) < 0)
			return reply_fail(c, 503, "out of memory", -ENOMEM);
		if (c->x.seen - c->x.head.size > c->net->limits.body_max)
			return reply_fail(c, 413, "request body too large", -EMSGSIZE);
	}
	if (c->x.framing.done) {
		ask_request(c);
		return true;
	}
	if (c->client.eof)
		return reply_fail(c, 400, "request ends early", -ECONNRESET);
	if (!body_deadline(c))
		return reply_fail(c, 408, "request took too long", -ETIMEDOUT);
	return false;
}

/* Takes the lines out by moving what stands before them: the request stays in one piece. */
static void strip_accept_encoding(struct net_conn *c)
{
	char *base = c->client.in.data + c->client.in.start;
	size_t pos = 0, from = c->x.head.size;
	struct http_field f;

	while (http_field_next((struct span){ base, from }, &pos, &f)) {
		if (!span_caseeq(f.name, "accept-encoding"))
			continue;
		pos = (size_t)(f.line.p - base) + f.line.n;
		memmove(base + f.line.n, base, (size_t)(f.line.p - base));
		buf_consume(&c->client.in, f.line.n);
		c->x.held -= f.line.n;
		base += f.line.n;
		from -= f.line.n;
		pos -= f.line.n;
	}
}

bool step_request_answer(struct net_conn *c)
{
	if (c->answer == NET_LATER)
		return false;
	if (c->answer == NET_REPLY)
		return reply_staged(c);
	if (c->answer != NET_FORWARD)
		return reply_fail(c, 403, "denied", -EACCES);
	if (c->x.head.strip)
		strip_accept_encoding(c);
	buf_clear(&c->x.body);
	net_buf_release(c->net, &c->x.body);
	c->x.scan = c->x.seen = 0;
	/* It closed, or spoke, while it was not asked. */
	if (c->server.eof || buf_len(&c->server.in))
		leg_close(&c->server, false);
	if (c->server.fd < 0)
		return conn_dial(c);
	c->server.pass = c->x.held;
	c->x.held = 0;
	conn_state(c, ST_ANSWER, c->net->limits.response_ms);
	return true;
}
