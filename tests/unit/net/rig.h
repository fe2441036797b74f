/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_TEST_NET_RIG_H
#define TOLLGATE_TEST_NET_RIG_H

/* A connection under test between two sockets of the test, client and origin, with a scripted gate
 * that writes down what it was asked. Everything runs in one thread; waiting means turning the
 * loop. */

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include "user/base/buf.h"
#include "user/base/cleanup.h"
#include "user/base/loop.h"
#include "user/net/conn.h"
#include "user/net/hello.h"
#include "user/net/listener.h"

#define RIG_TURNS 5000 /* of at most 2 ms: then what is waited for will not come */

struct rig {
	struct loop *loop;
	struct net *net;
	struct net_conn *conn; /* NULL once closed */
	int listener, client, origin;
	struct buf from_conn, at_origin; /* what the client and the origin received */
	bool client_eof, client_reset, origin_eof;
	struct net_dest dest;
	struct net_ops ops;
	struct buf log;
	struct net_exchange *x; /* of the last question */
	struct span asked; /* what it was about */
	/* script */
	enum net_verdict opaque, host, request, dialed, response, event;
	enum net_mode mode;
	unsigned reply_status;
	const char *reply, *replace;
	bool resume_inside, close_inside;
};

static inline struct rig *rig_of(struct net_conn *c)
{
	return net_conn_owner(c);
}

static inline void rig_span(struct rig *g, const char *name, struct span s)
{
	buf_printf(&g->log, " %s=%.*s", name, s.n > 200 ? 200 : (int)s.n, s.n ? s.p : "");
	if (s.n > 200)
		buf_printf(&g->log, "(%zu)", s.n);
}

static inline enum net_verdict rig_answer(struct rig *g, struct net_exchange *x, enum net_verdict v)
{
	g->x = x;
	if (g->reply)
		assert_int_equal(net_exchange_reply(x, g->reply_status, NULL, span_of(g->reply)),
				 0);
	if (g->replace)
		assert_int_equal(net_exchange_replace(x, span_of(g->replace)), 0);
	if (g->close_inside)
		net_conn_close(g->conn);
	if (v != NET_LATER || !g->resume_inside)
		return v;
	net_exchange_resume(x, NET_FORWARD);
	return NET_LATER;
}

static inline enum net_verdict rig_opaque(struct net_conn *c, const struct net_first *first)
{
	struct rig *g = rig_of(c);

	buf_printf(&g->log, "opaque kind=%d sni=%s bad=%d n=%zu\n", first->kind,
		   first->hello && *first->hello->name ? first->hello->name : "-",
		   first->kind == NET_FIRST_TLS && !first->hello, first->bytes.n);
	return g->opaque;
}

static inline enum net_verdict rig_host(struct net_conn *c, struct span name)
{
	struct rig *g = rig_of(c);

	rig_span(g, "host", name);
	buf_append_str(&g->log, "\n");
	return g->host;
}

static inline enum net_verdict rig_request(struct net_exchange *x, const struct net_request *req)
{
	struct rig *g = rig_of(net_exchange_conn(x));

	buf_printf(&g->log, "request");
	rig_span(g, "method", req->method);
	rig_span(g, "target", req->target);
	rig_span(g, "body", req->body);
	buf_append_str(&g->log, "\n");
	g->asked = req->body;
	return rig_answer(g, x, g->request);
}

static inline enum net_verdict rig_dialed(struct net_conn *c, struct net_exchange *x, int fd)
{
	struct rig *g = rig_of(c);

	assert_true(fcntl(fd, F_GETFD) >= 0);
	buf_append_str(&g->log, "dialed\n");
	if (!x)
		return g->dialed;
	return rig_answer(g, x, g->dialed);
}

static inline enum net_mode rig_mode(struct net_exchange *x, const struct net_response *resp)
{
	return rig_of(net_exchange_conn(x))->mode;
}

static inline enum net_verdict rig_response(struct net_exchange *x, const struct net_response *resp)
{
	struct rig *g = rig_of(net_exchange_conn(x));

	buf_printf(&g->log, "response %u mode=%d", resp->status, resp->mode);
	rig_span(g, "type", resp->content_type);
	rig_span(g, "body", resp->body);
	buf_append_str(&g->log, "\n");
	g->asked = resp->body;
	return rig_answer(g, x, g->response);
}

static inline enum net_verdict rig_event(struct net_exchange *x, const struct net_event *ev)
{
	struct rig *g = rig_of(net_exchange_conn(x));

	buf_printf(&g->log, "event%s", ev->incomplete ? "!" : "");
	rig_span(g, "type", ev->type);
	rig_span(g, "id", ev->id);
	rig_span(g, "data", ev->data);
	buf_append_str(&g->log, "\n");
	g->asked = ev->data;
	return rig_answer(g, x, g->event);
}

static inline void rig_failed(struct net_conn *c, struct net_exchange *x, unsigned status,
			      const char *why, struct buf *body)
{
	buf_printf(&rig_of(c)->log, "failed %u %s\n", status, why);
}

static inline void rig_finished(struct net_exchange *x, int error)
{
	struct rig *g = rig_of(net_exchange_conn(x));

	buf_printf(&g->log, "finished %d\n", error);
	g->x = NULL;
}

static inline void rig_closed(struct net_conn *c)
{
	struct rig *g = rig_of(c);

	buf_append_str(&g->log, "closed\n");
	g->conn = NULL;
}

static inline int rig_listen(struct sockaddr_in *ret)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	socklen_t n = sizeof(*ret);

	*ret = (struct sockaddr_in){ .sin_family = AF_INET,
				     .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)ret, n), 0);
	assert_int_equal(listen(fd, 16), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)ret, &n), 0);
	return fd;
}

/* Both ends of a new loopback connection, non-blocking. */
static inline void rig_pair(int *ret_client, int *ret_accepted)
{
	struct sockaddr_in a;
	int ls = rig_listen(&a), fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	do
		*ret_accepted = accept4(ls, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	while (*ret_accepted < 0 && errno == EAGAIN);
	assert_true(*ret_accepted >= 0);
	close(ls);
	fcntl(fd, F_SETFL, O_NONBLOCK);
	*ret_client = fd;
}

static inline void rig_connect(struct rig *g)
{
	int fd;

	rig_pair(&g->client, &fd);
	assert_int_equal(net_conn_new(g->net, NULL, fd, &g->dest, &g->ops, g, &g->conn), 0);
}

static inline void rig_init(struct rig *g, const struct net_limits *limits)
{
	struct sockaddr_in a;

	*g = (struct rig){ .listener = rig_listen(&a),
			   .client = -1,
			   .origin = -1,
			   .host = NET_FORWARD,
			   .request = NET_FORWARD,
			   .dialed = NET_FORWARD,
			   .response = NET_FORWARD,
			   .event = NET_FORWARD,
			   .ops = { rig_opaque, rig_host, rig_request, rig_dialed, rig_mode,
				    rig_response, rig_event, rig_failed, rig_finished,
				    rig_closed } };
	assert_int_equal(net_dest_set(&g->dest, AF_INET, &a.sin_addr, ntohs(a.sin_port)), 0);
	assert_int_equal(loop_new(&g->loop), 0);
	assert_int_equal(net_new(g->loop, limits, &g->net), 0);
	rig_connect(g);
}

static inline void rig_close(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* Forgets the present connection and starts another. */
static inline void rig_again(struct rig *g)
{
	if (g->conn)
		net_conn_close(g->conn);
	rig_close(&g->client);
	rig_close(&g->origin);
	/* what was dialed and never accepted */
	for (int fd; (fd = accept(g->listener, NULL, NULL)) >= 0;)
		close(fd);
	buf_clear(&g->from_conn);
	buf_clear(&g->at_origin);
	buf_clear(&g->log);
	g->client_eof = g->client_reset = g->origin_eof = false;
	rig_connect(g);
}

static inline void rig_done(struct rig *g)
{
	if (g->conn)
		net_conn_close(g->conn);
	assert_int_equal(net_count(g->net), 0);
	assert_int_equal(net_buffered(g->net), 0);
	net_free(g->net);
	loop_free(g->loop);
	rig_close(&g->client);
	rig_close(&g->origin);
	rig_close(&g->listener);
	buf_done(&g->from_conn);
	buf_done(&g->at_origin);
	buf_done(&g->log);
}

static inline void rig_drain(int fd, struct buf *b, bool *eof, bool *reset)
{
	char chunk[65536];
	ssize_t n;

	if (fd < 0 || *eof)
		return;
	while ((n = recv(fd, chunk, sizeof(chunk), MSG_DONTWAIT)) > 0)
		assert_int_equal(buf_append(b, chunk, (size_t)n), 0);
	if (n == 0 || errno != EAGAIN)
		*eof = true;
	if (n < 0 && errno == ECONNRESET && reset)
		*reset = true;
}

static inline void rig_turn(struct rig *g)
{
	(void)loop_once(g->loop, 0);
	if (g->origin < 0)
		g->origin = accept4(g->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	rig_drain(g->client, &g->from_conn, &g->client_eof, &g->client_reset);
	rig_drain(g->origin, &g->at_origin, &g->origin_eof, NULL);
}

/* Turns until cond holds. */
#define RIG_UNTIL(g, cond) \
	do { \
		int turns_ = 0; \
		rig_turn(g); \
		while (!(cond) && turns_++ < RIG_TURNS) { \
			if (turns_ > 50) \
				(void)loop_once((g)->loop, 2); \
			rig_turn(g); \
		} \
		if (!(cond)) \
			fail_msg("never: %s\nlog: %s\nclient: %.600s\norigin: %.600s", #cond, \
				 buf_cstr(&(g)->log), buf_cstr(&(g)->from_conn), \
				 buf_cstr(&(g)->at_origin)); \
	} while (0)

static inline bool rig_has(struct buf *b, const char *text)
{
	return buf_len(b) && memmem(b->data + b->start, buf_len(b), text, strlen(text));
}

static inline bool rig_is(struct buf *b, const char *text)
{
	return span_is(buf_span(b), text);
}

/* Sends all, turning the loop while the socket is full. */
static inline void rig_put(struct rig *g, int fd, const char *p, size_t n)
{
	while (n) {
		ssize_t sent = send(fd, p, n, MSG_NOSIGNAL);

		if (sent < 0 && errno != EAGAIN)
			return; /* refused in the middle: what follows shows */
		if (sent > 0) {
			p += sent;
			n -= (size_t)sent;
		} else {
			rig_turn(g);
		}
	}
}

static inline void rig_client(struct rig *g, const char *text)
{
	rig_put(g, g->client, text, strlen(text));
}

static inline void rig_origin(struct rig *g, const char *text)
{
	assert_true(g->origin >= 0);
	rig_put(g, g->origin, text, strlen(text));
}

/* "127.0.0.1:PORT" of the origin. */
static inline const char *rig_hostport(struct rig *g)
{
	static char text[NET_DEST_TEXT_SIZE];

	net_dest_text(&g->dest, text);
	return text;
}

/* A POST with the given fields ("A: b\r\n...") and body as they are. */
static inline const char *rig_post(struct rig *g, const char *fields, const char *body)
{
	static char text[8192];

	(void)snprintf(text, sizeof(text), "POST /mcp HTTP/1.1\r\nHost: %s\r\n%s\r\n%s",
		       rig_hostport(g), fields, body);
	return text;
}

#endif
