// SPDX-License-Identifier: Apache-2.0
/*
 * The connection to the server, in the proxy: to the steered destination and nowhere else, and
 * approved by the gate before a byte is sent.
 */
#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "user/base/cleanup.h"
#include "user/net/conn_int.h"

static bool failed(struct net_conn *c)
{
	return reply_fail(c, 502, "cannot connect to the server", -EHOSTUNREACH);
}

int net_dial(const struct net_dest *d, int *ret_fd)
{
	socklen_t n = d->sa.sa_family == AF_INET ? sizeof(d->in) : sizeof(d->in6);
	_cleanup_close_ int fd = socket(d->sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC,
					IPPROTO_TCP);

	if (fd < 0 || (connect(fd, &d->sa, n) < 0 && errno != EINPROGRESS))
		return -errno;
	*ret_fd = take_fd(fd);
	return 0;
}

bool net_is_self(int fd, const struct net_dest *d)
{
	struct net_dest self = { 0 };
	socklen_t n = sizeof(self);

	if (getsockname(fd, &self.sa, &n) < 0)
		return true;
	if (net_dest_port(&self) != net_dest_port(d))
		return false;
	return self.sa.sa_family == AF_INET ? self.in.sin_addr.s_addr == d->in.sin_addr.s_addr
					    : memcmp(&self.in6.sin6_addr, &d->in6.sin6_addr, 16) == 0;
}

bool conn_dial(struct net_conn *c)
{
	_cleanup_close_ int fd = -1;

	if (net_dial(&c->dest, &fd) < 0 || leg_watch(&c->server, fd, EPOLLOUT) < 0)
		return failed(c);
	(void)take_fd(fd);
	conn_state(c, ST_DIAL, c->net->limits.connect_ms);
	return false;
}

bool step_dial(struct net_conn *c)
{
	int error = 0;
	socklen_t n = sizeof(error);

	if (!(c->server.events & (EPOLLOUT | EPOLLERR | EPOLLHUP)))
		return false;
	if (getsockopt(c->server.fd, SOL_SOCKET, SO_ERROR, &error, &n) < 0 || error ||
	    net_is_self(c->server.fd, &c->dest))
		return failed(c);
	c->server.events = 0;
	conn_ask(c, ST_ASK_DIALED);
	conn_asked(c, c->ops->dialed ? c->ops->dialed(c, c->x.live ? &c->x : NULL, c->server.fd)
				     : NET_DENY);
	return true;
}

bool step_dialed_answer(struct net_conn *c)
{
	if (c->answer == NET_LATER)
		return false;
	if (c->answer == NET_REPLY && c->x.live)
		return reply_staged(c);
	if (c->answer != NET_FORWARD)
		return reply_fail(c, 502, "server not accepted", -EACCES);
	if (!c->x.live) {
		conn_state(c, ST_OPAQUE, 0);
		return true;
	}
	c->server.pass = c->x.held;
	c->x.held = 0;
	conn_state(c, ST_ANSWER, c->net->limits.response_ms);
	return true;
}
