// SPDX-License-Identifier: Apache-2.0
/*
 * Answers made here, in the proxy: the gate's replies and replacements, and this room's own errors.
 * An answer that follows a request read to its end leaves the connection usable; any other ends it.
 */
#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>

#include "user/net/conn_int.h"

#define LINGER_MS 2000u /* for the client to read an answer that ends the connection */

static const char *reason(unsigned status)
{
	static const struct {
		unsigned status;
		const char *text;
	} reasons[] = {
		{ 200, "OK" },
		{ 202, "Accepted" },
		{ 204, "No Content" },
		{ 400, "Bad Request" },
		{ 401, "Unauthorized" },
		{ 403, "Forbidden" },
		{ 404, "Not Found" },
		{ 405, "Method Not Allowed" },
		{ 408, "Request Timeout" },
		{ 413, "Content Too Large" },
		{ 415, "Unsupported Media Type" },
		{ 417, "Expectation Failed" },
		{ 421, "Misdirected Request" },
		{ 429, "Too Many Requests" },
		{ 431, "Request Header Fields Too Large" },
		{ 501, "Not Implemented" },
		{ 502, "Bad Gateway" },
		{ 503, "Service Unavailable" },
		{ 504, "Gateway Timeout" },
		{ 505, "HTTP Version Not Supported" },
	};

	for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
		if (reasons[i].status == status)
			return reasons[i].text;
	return "Status";
}

/* Lets go of the request and of whatever the server may still say about it. */
static void abandon(struct net_conn *c)
{
	bool whole = c->state == ST_ASK_RESPONSE && c->x.mode == NET_COLLECT &&
		     leg_idle(&c->server);

	if (c->state <= ST_BODY) {
		c->x.last = true;
		buf_clear(&c->client.in);
	} else if (whole) {
		buf_consume(&c->server.in, c->x.seen);
	} else if (c->state != ST_ASK_REQUEST) {
		leg_close(&c->server, false);
	}
	buf_consume(&c->client.in, c->x.held);
	c->x.held = 0;
}

static bool answer(struct net_conn *c, unsigned status, const char *type, struct span body)
{
	struct buf *out = &c->client.out;
	int r;

	abandon(c);
	net_buf_ready(c->net, out);
	r = buf_printf(out, "HTTP/1.1 %u %s\r\n", status, reason(status));
	if (r == 0 && body.n)
		r = buf_printf(out, "Content-Type: %s\r\n", type);
	if (r == 0 && status != 204 && status != 304)
		r = buf_printf(out, "Content-Length: %zu\r\n", body.n);
	if (r == 0)
		r = buf_append_str(out, c->x.last ? "Connection: close\r\n\r\n" : "\r\n");
	if (r == 0 && !c->x.is_head)
		r = buf_append(out, body.p, body.n);
	c->x.committed = true;
	conn_state(c, ST_FLUSH, 0);
	if (r < 0)
		conn_kill(c, r);
	return r == 0;
}

/* Too late for an error: the client notices that the message is not whole. */
static bool cut(struct net_conn *c)
{
	/* Without a length, only a reset tells an end from the end. */
	c->reset = c->x.framing.kind == HTTP_FRAMING_EOF;
	c->x.last = true;
	conn_state(c, ST_FLUSH, 0);
	return true;
}

bool reply_fail(struct net_conn *c, unsigned status, const char *why, int error)
{
	bool opaque = c->state == ST_ASK_OPAQUE || (!c->x.live && c->state > ST_BODY);
	_cleanup_buf_ struct buf body = { 0 };
	struct net_exchange *x = c->x.live ? &c->x : NULL;
	int r = 0;

	if (opaque || c->x.committed)
		status = 0;
	if (!c->x.error)
		c->x.error = error;
	if (c->ops->failed)
		c->ops->failed(c, x, status, why, &body);
	if (c->dead)
		return false;
	if (opaque) {
		c->reset = true;
		conn_kill(c, error);
		return false;
	}
	if (status == 0)
		return cut(c);
	if (buf_len(&body) == 0)
		r = buf_printf(&body, "{\"error\":\"%s\"}", why);
	if (r < 0)
		conn_kill(c, r);
	return r == 0 && answer(c, status, "application/json", buf_span(&body));
}

bool reply_staged(struct net_conn *c)
{
	if (!c->x.reply_status)
		return reply_fail(c, 502, "denied", -EACCES);
	return answer(c, c->x.reply_status, c->x.reply_type, buf_span(&c->x.staged));
}

int reply_head(struct net_conn *c, struct span head, const char *add)
{
	const char *lf = memchr(head.p, '\n', head.n);
	struct buf *out = &c->client.out;
	struct http_field f;
	size_t pos = 0;
	int r = buf_append(out, head.p, (size_t)(lf - head.p) + 1);

	while (r == 0 && http_field_next(head, &pos, &f))
		if (!span_caseeq(f.name, "content-length") &&
		    !span_caseeq(f.name, "transfer-encoding") && !span_caseeq(f.name, "trailer"))
			r = buf_append(out, f.line.p, f.line.n);
	if (r == 0)
		r = buf_append_str(out, add);
	return r < 0 ? r : buf_append_str(out, "\r\n");
}

bool reply_replaced(struct net_conn *c)
{
	struct span body = buf_span(&c->x.staged), in = buf_span(&c->server.in);
	char length[48];
	int r;

	(void)snprintf(length, sizeof(length), "Content-Length: %zu\r\n", body.n);
	net_buf_ready(c->net, &c->client.out);
	r = reply_head(c, (struct span){ in.p, c->x.head.size }, length);
	if (r == 0)
		r = buf_append(&c->client.out, body.p, body.n);
	buf_consume(&c->server.in, c->x.seen);
	c->x.committed = true;
	conn_state(c, ST_FLUSH, 0);
	if (r < 0)
		conn_kill(c, r);
	return r == 0;
}

/* Closes so that the client can still read the answer (RFC 9112 9.6). */
static bool close_after(struct net_conn *c)
{
	leg_close(&c->server, false);
	if (c->reset || c->client.eof) {
		conn_kill(c, 0);
		return false;
	}
	leg_shut(&c->client);
	buf_clear(&c->client.in);
	conn_state(c, ST_LINGER, LINGER_MS);
	return true;
}

bool step_flush(struct net_conn *c)
{
	bool last;

	if (!leg_idle(&c->client))
		return false;
	/* An answer before its request was sent, or bytes nobody asked for: out of step. */
	last = c->x.last || !leg_idle(&c->server) || c->server.eof || buf_len(&c->server.in);
	exchange_end(c);
	if (c->dead)
		return false;
	exchange_reset(c);
	if (last)
		return close_after(c);
	conn_state(c, ST_HEAD, c->net->limits.idle_ms);
	return true;
}

bool step_linger(struct net_conn *c)
{
	buf_clear(&c->client.in);
	if (c->client.eof)
		conn_kill(c, 0);
	return false;
}

static int stage(struct net_exchange *x, struct span body)
{
	buf_clear(&x->staged);
	return buf_append(&x->staged, body.p, body.n);
}

/* Visible ASCII and spaces: it becomes part of a head. */
static bool is_media_type(const char *s)
{
	size_t n = strlen(s);

	if (n == 0 || n >= sizeof(((struct net_exchange *)NULL)->reply_type))
		return false;
	for (; *s; s++)
		if (*s < 0x20 || *s > 0x7e)
			return false;
	return true;
}

int net_exchange_reply(struct net_exchange *x, unsigned status, const char *type, struct span body)
{
	int r;

	x->reply_status = 0;
	if (!type)
		type = "application/json";
	if (status < 200 || status > 599 || !is_media_type(type) ||
	    ((status == 204 || status == 304) && body.n))
		return -EINVAL;
	r = stage(x, body);
	if (r < 0)
		return r;
	memcpy(x->reply_type, type, strlen(type) + 1);
	x->reply_status = status;
	return 0;
}

int net_exchange_replace(struct net_exchange *x, struct span data)
{
	int r = stage(x, data);

	x->replace_ok = r == 0;
	return r;
}
