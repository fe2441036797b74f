// SPDX-License-Identifier: Apache-2.0
/*
 * The first bytes of a steered connection, in the proxy: HTTP/1 goes to the request parser,
 * everything else is the gate's decision and is denied or copied unseen. What merely resembles
 * HTTP/1 is not given the benefit of the doubt: it is "other", which denies by default.
 */
#include <errno.h>
#include <sys/epoll.h>

#include "user/net/conn_int.h"
#include "user/net/hello.h"

#define METHOD_MAX 24
#define FIRST_LINE_MAX 8192 /* an unknown method must show its version within so many bytes */

enum guess { GUESS_MORE, GUESS_HTTP, GUESS_TLS, GUESS_OTHER };

/* Methods that need no further evidence; PRI opens HTTP/2 and is refused by the request parser. */
static bool is_known_method(struct span m)
{
	static const char *const methods[] = { "GET",	  "POST",  "PUT",   "DELETE",  "HEAD",
					       "OPTIONS", "PATCH", "TRACE", "CONNECT", "PRI" };

	for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++)
		if (span_is(m, methods[i]))
			return true;
	return false;
}

static bool method_char(char ch)
{
	return (ch >= 'A' && ch <= 'Z') || ch == '-' || ch == '_';
}

static enum guess guess_line(struct span in, size_t method)
{
	const char *lf = memchr(in.p, '\n', in.n);
	size_t n = lf ? (size_t)(lf - in.p) : in.n;

	if (!lf)
		return in.n >= FIRST_LINE_MAX ? GUESS_OTHER : GUESS_MORE;
	if (n && in.p[n - 1] == '\r')
		n--;
	for (size_t i = method + 1; i + 7 < n; i++)
		if (in.p[i] == ' ' && memcmp(in.p + i + 1, "HTTP/1.", 7) == 0)
			return GUESS_HTTP;
	return GUESS_OTHER;
}

static enum guess guess(struct span in)
{
	size_t n = 0;

	if (in.n == 0)
		return GUESS_MORE;
	if ((unsigned char)in.p[0] == 0x16) {
		if (in.n == 1)
			return GUESS_MORE;
		return in.p[1] == 3 ? GUESS_TLS : GUESS_OTHER;
	}
	while (n < in.n && n <= METHOD_MAX && method_char(in.p[n]))
		n++;
	if (n == 0 || n > METHOD_MAX)
		return GUESS_OTHER;
	if (n == in.n)
		return GUESS_MORE;
	if (in.p[n] != ' ')
		return GUESS_OTHER;
	if (is_known_method((struct span){ in.p, n }))
		return GUESS_HTTP;
	return guess_line(in, n);
}

static void ask_opaque(struct net_conn *c, enum net_first_kind kind, const struct tls_hello *hello)
{
	struct net_first first = {
		.kind = kind, .bytes = buf_span(&c->client.in), .hello = hello
	};

	conn_ask(c, ST_ASK_OPAQUE);
	conn_asked(c, c->ops->opaque ? c->ops->opaque(c, &first) : NET_DENY);
}

/* False when more of the hello is needed and may come. */
static bool ask_tls(struct net_conn *c, bool final)
{
	struct tls_hello hello;
	int r = hello_read(buf_span(&c->client.in), &hello);

	if (r == -EAGAIN && !final)
		return false;
	ask_opaque(c, NET_FIRST_TLS, r == 0 ? &hello : NULL);
	return true;
}

bool step_first(struct net_conn *c)
{
	struct span in = buf_span(&c->client.in);
	enum guess g = guess(in);

	if (in.n == 0 && c->client.eof) {
		conn_kill(c, 0);
		return false;
	}
	if (in.n && !c->x.begun) {
		c->x.begun = true;
		c->x.begun_at = net_now_ms();
		net_deadline(c, c->net->limits.head_ms);
	}
	if (g == GUESS_MORE && c->client.eof)
		g = GUESS_OTHER;
	if (g == GUESS_MORE)
		return false;
	if (g == GUESS_TLS)
		return ask_tls(c, c->client.eof);
	if (g == GUESS_HTTP)
		c->state = ST_HEAD;
	else
		ask_opaque(c, NET_FIRST_OTHER, NULL);
	return true;
}

/* Silent, or stuck in the middle of what could have become something. */
void first_expired(struct net_conn *c)
{
	struct span in = buf_span(&c->client.in);

	if (in.n == 0)
		ask_opaque(c, NET_FIRST_SILENT, NULL);
	else if (guess(in) == GUESS_TLS)
		ask_tls(c, true);
	else
		ask_opaque(c, NET_FIRST_OTHER, NULL);
}

/* RFC 8446 6: a fatal alert access_denied, which a TLS client reports by name. */
static bool deny(struct net_conn *c)
{
	static const char alert[] = { 21, 3, 3, 0, 2, 2, 49 };

	if (guess(buf_span(&c->client.in)) == GUESS_TLS &&
	    buf_append(&c->client.out, alert, sizeof(alert)) == 0) {
		buf_clear(&c->client.in);
		c->x.last = true;
		conn_state(c, ST_FLUSH, 0);
		return true;
	}
	c->reset = true;
	conn_kill(c, -EACCES);
	return false;
}

bool step_opaque_answer(struct net_conn *c)
{
	if (c->answer == NET_LATER)
		return false;
	if (c->answer != NET_FORWARD)
		return deny(c);
	return conn_dial(c);
}

/* All that arrives is released; an end of one direction is handed on once its bytes are gone. */
bool step_opaque(struct net_conn *c)
{
	c->server.pass = buf_len(&c->client.in);
	c->client.pass = buf_len(&c->server.in);
	if (c->client.eof && leg_idle(&c->server))
		leg_shut(&c->server);
	if (c->server.eof && leg_idle(&c->client))
		leg_shut(&c->client);
	if (c->server.broken)
		c->reset = true;
	if (c->server.broken || (c->client.shut && c->server.shut))
		conn_kill(c, c->server.broken ? -ECONNRESET : 0);
	return false;
}
