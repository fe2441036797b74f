// SPDX-License-Identifier: Apache-2.0
/*
 * One socket of a connection: one read and one write per step, never blocking. What a leg sends is
 * either made here (out) or received bytes of the other leg that were released (pass), never
 * anything else.
 */
#include <errno.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "user/net/conn_int.h"

#define KEEPALIVE_S 60 /* a peer that vanished without FIN is noticed in a few minutes */

static struct leg *other(struct leg *l)
{
	return l == &l->conn->client ? &l->conn->server : &l->conn->client;
}

void leg_init(struct leg *l, struct net_conn *c)
{
	size_t most = c->net->limits.body_max + c->net->limits.head_max + 2 * NET_BLOCK;

	l->conn = c;
	l->fd = -1;
	l->in.limit = most;
	l->out.limit = most + 2 * c->net->limits.event_max + NET_OUT_HIGH;
}

static void ready(struct loop_io *io, uint32_t events, void *arg)
{
	struct leg *l = arg;

	l->events |= events;
	conn_run(l->conn);
}

int leg_watch(struct leg *l, int fd, uint32_t events)
{
	int on = 1, seconds = KEEPALIVE_S, r;

	r = loop_io_add(l->conn->net->loop, fd, events, ready, l, &l->io);
	if (r < 0)
		return r;
	/* Best effort: without them the connection is slower or lives longer, not wrong. */
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	(void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	(void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &seconds, sizeof(seconds));
	l->fd = fd;
	l->events = 0;
	l->eof = l->shut = l->broken = false;
	return 0;
}

void leg_close(struct leg *l, bool reset)
{
	struct leg *o = other(l);

	if (l->pass) {
		buf_consume(&o->in, l->pass);
		l->pass = 0;
	}
	buf_clear(&l->in);
	buf_clear(&l->out);
	o->pass = 0;
	if (l->fd < 0)
		return;
	loop_io_remove(l->io);
	l->io = NULL;
	if (reset)
		(void)setsockopt(l->fd, SOL_SOCKET, SO_LINGER, &(struct linger){ 1, 0 },
				 sizeof(struct linger));
	close(l->fd);
	l->fd = -1;
}

void leg_read(struct leg *l, size_t want)
{
	struct net_conn *c = l->conn;
	ssize_t n;
	size_t room;
	char *p;
	int r;

	r = net_buf_room(c->net, &l->in, want, &p, &room);
	if (r < 0) {
		conn_kill(c, r);
		return;
	}
	n = recv(l->fd, p, room, 0);
	if (n > 0) {
		buf_commit(&l->in, (size_t)n);
		l->received += (size_t)n;
		return;
	}
	if (n < 0 && (errno == EAGAIN || errno == EINTR) && !(l->events & (EPOLLHUP | EPOLLERR)))
		return;
	if (n < 0 && l == &c->client) {
		conn_kill(c, -errno);
		return;
	}
	if (n < 0)
		l->broken = true;
	l->eof = true;
}

static ssize_t put(struct leg *l, struct buf *b, size_t n)
{
	ssize_t sent = send(l->fd, b->data + b->start, n, MSG_NOSIGNAL);

	if (sent > 0)
		buf_consume(b, (size_t)sent);
	return sent;
}

/* A client that takes no more ends the connection. A server may have answered before. */
static void refused(struct leg *l, int error)
{
	struct leg *o = other(l);

	if (l == &l->conn->client || l->conn->state == ST_OPAQUE) {
		conn_kill(l->conn, error);
		return;
	}
	l->broken = true;
	buf_consume(&o->in, l->pass);
	l->pass = 0;
	buf_clear(&l->out);
}

bool leg_flush(struct leg *l)
{
	struct leg *o = other(l);
	bool any = false;
	ssize_t n = 1;

	if (l->fd < 0)
		return false;
	while (n > 0 && buf_len(&l->out)) {
		n = put(l, &l->out, buf_len(&l->out));
		any |= n > 0;
	}
	while (n > 0 && l->pass) {
		n = put(l, &o->in, l->pass);
		if (n > 0)
			l->pass -= (size_t)n;
		any |= n > 0;
	}
	if (n < 0 && errno != EAGAIN && errno != EINTR)
		refused(l, -errno);
	return any;
}

bool leg_idle(const struct leg *l)
{
	return buf_len(&l->out) == 0 && l->pass == 0;
}

void leg_shut(struct leg *l)
{
	if (l->fd < 0 || l->shut)
		return;
	(void)shutdown(l->fd, SHUT_WR);
	l->shut = true;
}
