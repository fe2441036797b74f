// SPDX-License-Identifier: Apache-2.0
/*
 * Accepts steered connections of one agent, in the proxy, up to a limit. Beyond it, and when
 * descriptors run out, a connection is answered and closed at once: left in the backlog it would
 * hang without a reason.
 */
#include "user/net/listener.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "user/base/cleanup.h"
#include "user/net/conn_int.h"

#define ACCEPTS_PER_TURN 16 /* so a flood of connects does not starve the connections that live */

struct net_listener {
	struct loop_io *io;
	int fd;
	int spare; /* given up when no descriptor is left, to accept one more and refuse it */
	size_t max, count, refused;
	bool closed, accepting;
	net_accept_fn fn;
	void *arg;
};

static void refuse(struct net_listener *ls, int fd)
{
	static const char answer[] = "HTTP/1.1 503 Service Unavailable\r\n"
				     "Content-Type: application/json\r\n"
				     "Content-Length: 32\r\n"
				     "Connection: close\r\n\r\n"
				     "{\"error\":\"too many connections\"}";
	char sink[4096];

	ls->refused++;
	/* Read first what was sent: closing over unread bytes would reset the answer away. */
	(void)recv(fd, sink, sizeof(sink), MSG_DONTWAIT);
	(void)send(fd, answer, sizeof(answer) - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
	(void)shutdown(fd, SHUT_WR);
	close(fd);
}

static void refuse_with_spare(struct net_listener *ls)
{
	int fd;

	if (ls->spare < 0)
		return;
	close(ls->spare);
	fd = accept4(ls->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd >= 0)
		refuse(ls, fd);
	ls->spare = fcntl(ls->fd, F_DUPFD_CLOEXEC, 0);
}

static void free_if_unused(struct net_listener *ls)
{
	if (ls->closed && ls->count == 0 && !ls->accepting)
		free(ls);
}

static void ready(struct loop_io *io, uint32_t events, void *arg)
{
	struct net_listener *ls = arg;

	ls->accepting = true;
	for (int i = 0; i < ACCEPTS_PER_TURN && !ls->closed; i++) {
		int fd = accept4(ls->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd < 0 && (errno == EMFILE || errno == ENFILE))
			refuse_with_spare(ls);
		if (fd < 0)
			break;
		if (ls->count >= ls->max)
			refuse(ls, fd);
		else
			ls->fn(ls, fd, ls->arg);
	}
	ls->accepting = false;
	free_if_unused(ls);
}

int net_listener_new(struct net *n, int fd, size_t max, net_accept_fn fn, void *arg,
		     struct net_listener **ret)
{
	_cleanup_free_ struct net_listener *ls = calloc(1, sizeof(*ls));
	int flags = fcntl(fd, F_GETFL), r;

	if (!ls)
		return -ENOMEM;
	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
		return -errno;
	*ls = (struct net_listener){ .fd = fd, .max = max, .fn = fn, .arg = arg };
	r = loop_io_add(n->loop, fd, EPOLLIN, ready, ls, &ls->io);
	if (r < 0)
		return r;
	ls->spare = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	*ret = take_ptr(ls);
	return 0;
}

void net_listener_free(struct net_listener *ls)
{
	if (!ls || ls->closed)
		return;
	ls->closed = true;
	loop_io_remove(ls->io);
	if (ls->spare >= 0)
		close(ls->spare);
	close(ls->fd);
	free_if_unused(ls);
}

void net_listener_joined(struct net_listener *ls)
{
	ls->count++;
}

void net_listener_left(struct net_listener *ls)
{
	ls->count--;
	free_if_unused(ls);
}

size_t net_listener_count(const struct net_listener *ls)
{
	return ls->count;
}

size_t net_listener_refused(const struct net_listener *ls)
{
	return ls->refused;
}
