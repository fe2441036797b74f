// SPDX-License-Identifier: Apache-2.0
/*
 * Typed messages between roles over SOCK_SEQPACKET. A message has a fixed header, a body whose layout
 * the type fixes (msg.h), and descriptors. The peer may be less trusted: lengths are checked here, fields
 * by the receiver, and a malformed message ends the channel.
 */
#include "user/role/ipc.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "user/base/cleanup.h"
#include "user/base/loop.h"

#define IPC_MAGIC 0x746f6c6cu

struct header {
	uint32_t magic;
	uint32_t type;
	uint64_t cookie;
};

struct queued {
	struct queued *next;
	int fds[IPC_FDS_MAX];
	unsigned nfds;
	size_t len;
	struct header h;
	unsigned char body[];
};

struct ipc {
	struct loop *loop;
	struct loop_io *io;
	int fd;
	const struct ipc_ops *ops;
	void *arg;
	struct queued *head, **tail;
	unsigned queued;
	bool dead, dispatching, freed;
	_Alignas(8) unsigned char body[IPC_MESSAGE_MAX]; /* read as the structures of msg.h */
};

int ipc_pair(int ret_fds[2])
{
	return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ret_fds) < 0 ? -errno : 0;
}

static ssize_t send_raw(int fd, const struct header *h, const void *body, size_t len, const int *fds,
			unsigned nfds, int flags)
{
	char control[CMSG_SPACE(sizeof(int) * IPC_FDS_MAX)] = { 0 };
	struct iovec iov[2] = { { (void *)h, sizeof(*h) }, { (void *)body, len } };
	struct msghdr mh = { .msg_iov = iov, .msg_iovlen = len ? 2 : 1 };

	if (nfds) {
		struct cmsghdr *c;

		mh.msg_control = control;
		mh.msg_controllen = CMSG_SPACE(sizeof(int) * nfds);
		c = CMSG_FIRSTHDR(&mh);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int) * nfds);
		memcpy(CMSG_DATA(c), fds, sizeof(int) * nfds);
	}
	return sendmsg(fd, &mh, MSG_NOSIGNAL | flags);
}

static void close_fds(int *fds, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		if (fds[i] >= 0)
			close(fds[i]);
		fds[i] = -1;
	}
}

/* Receives one message; returns the body length, or -errno (-EPIPE at the end, -EBADMSG when malformed). */
static ssize_t receive_raw(int fd, struct header *h, void *body, size_t max, int *fds, unsigned *ret_nfds)
{
	char control[CMSG_SPACE(sizeof(int) * IPC_FDS_MAX)];
	struct iovec iov[2] = { { h, sizeof(*h) }, { body, max } };
	struct msghdr mh = { .msg_iov = iov, .msg_iovlen = 2, .msg_control = control,
			     .msg_controllen = sizeof(control) };
	ssize_t n = recvmsg(fd, &mh, MSG_CMSG_CLOEXEC);
	unsigned nfds = 0;

	if (n < 0)
		return -errno;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&mh); c; c = CMSG_NXTHDR(&mh, c))
		if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS) {
			nfds = (unsigned)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));
			memcpy(fds, CMSG_DATA(c), nfds * sizeof(int));
		}
	*ret_nfds = nfds;
	if (n == 0)
		return -EPIPE;
	if ((size_t)n < sizeof(*h) || h->magic != IPC_MAGIC ||
	    (mh.msg_flags & (MSG_TRUNC | MSG_CTRUNC))) {
		close_fds(fds, nfds);
		return -EBADMSG;
	}
	return n - (ssize_t)sizeof(*h);
}

static void unqueue(struct ipc *c)
{
	struct queued *q = c->head;

	c->head = q->next;
	if (!c->head)
		c->tail = &c->head;
	c->queued--;
	close_fds(q->fds, q->nfds);
	free(q);
}

static void die(struct ipc *c)
{
	if (c->dead)
		return;
	c->dead = true;
	loop_io_remove(c->io);
	c->io = NULL;
	if (c->ops->closed)
		c->ops->closed(c, c->arg);
}

static void flush(struct ipc *c)
{
	while (c->head) {
		struct queued *q = c->head;

		if (send_raw(c->fd, &q->h, q->body, q->len, q->fds, q->nfds, MSG_DONTWAIT) < 0) {
			if (errno == EAGAIN || errno == ENOBUFS)
				return;
			die(c);
			return;
		}
		unqueue(c);
	}
	(void)loop_io_set(c->io, EPOLLIN);
}

static void receive_one(struct ipc *c)
{
	struct ipc_msg m = { .body = c->body };
	struct header h = { 0 };
	ssize_t n = receive_raw(c->fd, &h, c->body, sizeof(c->body), m.fds, &m.nfds);
	int r;

	if (n == -EAGAIN || n == -EINTR)
		return;
	if (n < 0) {
		die(c);
		return;
	}
	m.type = h.type;
	m.cookie = h.cookie;
	m.len = (size_t)n;
	r = c->ops->message(c, &m, c->arg);
	close_fds(m.fds, m.nfds);
	if (r < 0 && !c->freed)
		die(c);
}

static void ready(struct loop_io *io, uint32_t events, void *arg)
{
	struct ipc *c = arg;

	(void)io;
	c->dispatching = true;
	if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
		receive_one(c);
	if (!c->dead && !c->freed && (events & EPOLLOUT))
		flush(c);
	c->dispatching = false;
	if (c->freed)
		ipc_free(c);
}

int ipc_new(struct loop *l, int fd, const struct ipc_ops *ops, void *arg, struct ipc **ret)
{
	_cleanup_free_ struct ipc *c = calloc(1, sizeof(*c));
	int fl = fcntl(fd, F_GETFL), r;

	if (!c)
		return -ENOMEM;
	if (fl < 0 || fcntl(fd, F_SETFL, fl | O_NONBLOCK) < 0)
		return -errno;
	c->loop = l;
	c->fd = fd;
	c->ops = ops;
	c->arg = arg;
	c->tail = &c->head;
	r = loop_io_add(l, fd, EPOLLIN, ready, c, &c->io);
	if (r < 0)
		return r;
	*ret = take_ptr(c);
	return 0;
}

void ipc_free(struct ipc *c)
{
	if (!c)
		return;
	if (c->dispatching) { /* inside a callback of this very channel: ready() frees it */
		c->freed = true;
		return;
	}
	loop_io_remove(c->io);
	while (c->head)
		unqueue(c);
	close(c->fd);
	free(c);
}

int ipc_idle_fd(const struct ipc *c)
{
	return c && !c->dead && !c->head ? c->fd : -1;
}

static int enqueue(struct ipc *c, const struct header *h, const void *body, size_t len, const int *fds,
		   unsigned nfds)
{
	struct queued *q;

	if (c->queued >= IPC_QUEUE_MAX)
		return -ENOBUFS;
	q = malloc(sizeof(*q) + len);
	if (!q)
		return -ENOMEM;
	q->next = NULL;
	q->nfds = 0;
	q->len = len;
	q->h = *h;
	if (len)
		memcpy(q->body, body, len);
	for (; q->nfds < nfds; q->nfds++) {
		q->fds[q->nfds] = fcntl(fds[q->nfds], F_DUPFD_CLOEXEC, 3);
		if (q->fds[q->nfds] < 0) {
			int r = -errno;

			close_fds(q->fds, q->nfds);
			free(q);
			return r;
		}
	}
	*c->tail = q;
	c->tail = &q->next;
	c->queued++;
	return loop_io_set(c->io, EPOLLIN | EPOLLOUT);
}

int ipc_send(struct ipc *c, uint32_t type, uint64_t cookie, const void *body, size_t len,
	     const int *fds, unsigned nfds)
{
	struct header h = { IPC_MAGIC, type, cookie };

	if (!c || c->dead)
		return -EPIPE;
	if (len > IPC_MESSAGE_MAX || nfds > IPC_FDS_MAX)
		return -EMSGSIZE;
	if (!c->head) {
		if (send_raw(c->fd, &h, body, len, fds, nfds, MSG_DONTWAIT) >= 0)
			return 0;
		if (errno != EAGAIN && errno != ENOBUFS)
			return -errno;
	}
	return enqueue(c, &h, body, len, fds, nfds);
}

int ipc_put(int fd, uint32_t type, uint64_t cookie, const void *body, size_t len, const int *fds,
	    unsigned nfds)
{
	struct header h = { IPC_MAGIC, type, cookie };

	if (len > IPC_MESSAGE_MAX || nfds > IPC_FDS_MAX)
		return -EMSGSIZE;
	return send_raw(fd, &h, body, len, fds, nfds, 0) < 0 ? -errno : 0;
}

int ipc_wait(int fd, int timeout_ms, uint32_t type, void *body, size_t len, int *ret_fds,
	     unsigned nfds)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	int fds[IPC_FDS_MAX];
	struct header h;
	unsigned got = 0;
	ssize_t n;
	int r;

	do
		r = poll(&p, 1, timeout_ms);
	while (r < 0 && errno == EINTR);
	if (r <= 0)
		return r < 0 ? -errno : -ETIMEDOUT;
	n = receive_raw(fd, &h, body, len, fds, &got);
	if (n < 0)
		return (int)n;
	if (h.type != type || (size_t)n != len || got > nfds) {
		close_fds(fds, got);
		return -EBADMSG;
	}
	for (unsigned i = 0; i < nfds; i++)
		ret_fds[i] = i < got ? fds[i] : -1;
	return 0;
}

int ipc_take_fd(struct ipc_msg *m, unsigned i)
{
	return i < m->nfds ? take_fd(m->fds[i]) : -1;
}
