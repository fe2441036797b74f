// SPDX-License-Identifier: Apache-2.0
/*
 * A request of our own, in the proxy: an answer that a server waits for and that its client will never send. What the
 * server says to it is read as far as its head and goes nowhere.
 */
#include "user/net/post.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "user/base/cleanup.h"
#include "user/net/conn_int.h"

#define ANSWER_MAX 8192u /* bytes of the answer that are looked at for the end of its head */

struct net_post {
	struct net *net;
	struct net_dest dest;
	const struct net_post_ops *ops;
	void *arg;
	int fd;
	struct loop_io *io;
	struct loop_timer *timer;
	struct buf out, in;
	size_t scan; /* of http_head_find() */
	bool asked, accepted;
};

void net_post_free(struct net_post *p)
{
	if (!p)
		return;
	loop_io_remove(p->io);
	loop_timer_remove(p->timer);
	if (p->fd >= 0)
		close(p->fd);
	buf_done(&p->out);
	buf_done(&p->in);
	p->net->posts--;
	free(p);
}

static void finish(struct net_post *p, int error)
{
	p->ops->done(p, error, p->arg);
	net_post_free(p);
}

static void send_some(struct net_post *p)
{
	struct span out = buf_span(&p->out);
	ssize_t n = send(p->fd, out.p, out.n, MSG_NOSIGNAL);

	if (n < 0 && errno != EAGAIN && errno != EINTR) {
		finish(p, -errno);
		return;
	}
	buf_consume(&p->out, n > 0 ? (size_t)n : 0);
	if (loop_io_set(p->io, EPOLLIN | (buf_len(&p->out) ? EPOLLOUT : 0)) < 0)
		finish(p, -EIO);
}

static void hear_some(struct net_post *p)
{
	char *to;
	ssize_t n;

	if (buf_reserve(&p->in, ANSWER_MAX, &to) < 0) {
		finish(p, -ENOMEM);
		return;
	}
	n = recv(p->fd, to, ANSWER_MAX, 0);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		finish(p, n < 0 ? -errno : -ECONNRESET);
		return;
	}
	buf_commit(&p->in, (size_t)n);
	if (http_head_find(buf_span(&p->in), &p->scan) != 0 || buf_len(&p->in) >= ANSWER_MAX)
		finish(p, 0);
}

static void connected(struct net_post *p)
{
	enum net_verdict v;
	int error = 0;
	socklen_t n = sizeof(error);

	if (getsockopt(p->fd, SOL_SOCKET, SO_ERROR, &error, &n) < 0 || error || net_is_self(p->fd, &p->dest)) {
		finish(p, -EHOSTUNREACH);
		return;
	}
	p->asked = true;
	if (loop_io_set(p->io, 0) < 0) { /* nothing is of interest while the question is open */
		finish(p, -EIO);
		return;
	}
	v = p->ops->dialed ? p->ops->dialed(p, p->arg) : NET_DENY;
	if (v != NET_LATER)
		net_post_resume(p, v);
}

static void ready(struct loop_io *io, uint32_t events, void *arg)
{
	struct net_post *p = arg;

	(void)io;
	if (!p->asked)
		connected(p);
	else if (!p->accepted)
		finish(p, -ECONNRESET); /* it hung up while the question was open */
	else if (events & EPOLLOUT && buf_len(&p->out))
		send_some(p);
	else
		hear_some(p);
}

static void expired(struct loop_timer *t, void *arg)
{
	(void)t;
	finish(arg, -ETIMEDOUT);
}

void net_post_resume(struct net_post *p, enum net_verdict v)
{
	if (!p->asked || p->accepted || v == NET_LATER)
		return;
	if (v != NET_FORWARD) {
		finish(p, -EACCES);
		return;
	}
	p->accepted = true;
	send_some(p);
}

static int begin(struct net_post *p, struct span request)
{
	int r = buf_append(&p->out, request.p, request.n);

	if (r >= 0)
		r = net_dial(&p->dest, &p->fd);
	if (r >= 0)
		r = loop_io_add(p->net->loop, p->fd, EPOLLOUT, ready, p, &p->io);
	if (r >= 0)
		r = loop_timer_add(p->net->loop, expired, p, &p->timer);
	return r < 0 ? r : loop_timer_arm(p->timer, NET_POST_MS * 1000000ull, 0);
}

int net_post_new(struct net *n, const struct net_dest *dest, struct span request,
		 const struct net_post_ops *ops, void *arg, struct net_post **ret)
{
	struct net_post *p;
	int r;

	if (n->posts >= NET_POSTS_MAX)
		return -EBUSY;
	p = calloc(1, sizeof(*p));
	if (!p)
		return -ENOMEM;
	*p = (struct net_post){ .net = n, .dest = *dest, .ops = ops, .arg = arg, .fd = -1 };
	p->out.limit = request.n;
	n->posts++;
	r = begin(p, request);
	if (r < 0) {
		net_post_free(p);
		return r;
	}
	*ret = p;
	return 0;
}
