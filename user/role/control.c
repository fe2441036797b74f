// SPDX-License-Identifier: Apache-2.0
/*
 * Control socket of the supervisor. Peers are local and mostly root, but what they send is bounded and
 * split into words only; nothing else is parsed.
 */
#include "user/role/control.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "user/base/buf.h"
#include "user/base/cleanup.h"
#include "user/base/json_out.h"
#include "user/base/log.h"
#include "user/base/loop.h"

#define CONTROL_WORDS_MAX 16
#define CONTROL_BACKLOG 16

struct control {
	struct loop *loop;
	struct loop_io *io;
	int fd;
	const struct control_ops *ops;
	void *arg;
	struct control_peer *peers;
	unsigned npeers;
};

struct control_peer {
	struct control *control;
	struct control_peer *next;
	struct loop_io *io;
	int fd, pidfd;
	struct ucred cred;
	bool asked;
	struct buf in, out;
};

static void peer_free(struct control_peer *p)
{
	struct control *c = p->control;

	for (struct control_peer **at = &c->peers; *at; at = &(*at)->next)
		if (*at == p) {
			*at = p->next;
			break;
		}
	c->npeers--;
	loop_io_remove(p->io);
	close(p->fd);
	if (p->pidfd >= 0)
		close(p->pidfd);
	buf_done(&p->in);
	buf_done(&p->out);
	free(p);
}

pid_t control_peer_pid(const struct control_peer *p)
{
	return p->cred.pid;
}

int control_peer_pidfd(const struct control_peer *p)
{
	return p->pidfd;
}

static void peer_write(struct control_peer *p)
{
	while (buf_len(&p->out) > 0) {
		struct span s = buf_span(&p->out);
		ssize_t n = send(p->fd, s.p, s.n, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno == EAGAIN && p->io) {
			(void)loop_io_set(p->io, EPOLLOUT);
			return;
		}
		if (n < 0)
			break;
		buf_consume(&p->out, (size_t)n);
	}
	peer_free(p);
}

void control_reply(struct control_peer *p, struct span json)
{
	if (buf_append(&p->out, json.p, json.n) < 0 || buf_append(&p->out, "\n", 1) < 0)
		buf_clear(&p->out);
	peer_write(p);
}

void control_refuse(struct control_peer *p, const char *object, const char *action,
		    const char *reason)
{
	_cleanup_buf_ struct buf b = { 0 };
	struct json_out j;

	json_out_init(&j, &b);
	json_out_object(&j);
	json_out_key(&j, "error");
	json_out_object(&j);
	json_out_member_str(&j, "object", object);
	json_out_member_str(&j, "action", action);
	json_out_member_str(&j, "reason", reason);
	json_out_object_end(&j);
	json_out_object_end(&j);
	(void)json_out_end(&j);
	control_reply(p, buf_span(&b));
}

static void dispatch(struct control_peer *p, char *line)
{
	struct control *c = p->control;
	char *words[CONTROL_WORDS_MAX], *save = NULL;
	unsigned n = 0;

	for (char *w = strtok_r(line, " ", &save); w; w = strtok_r(NULL, " ", &save)) {
		if (n == CONTROL_WORDS_MAX) {
			control_refuse(p, "control", "read request", "too many words");
			return;
		}
		words[n++] = w;
	}
	if (n == 0)
		control_refuse(p, "control", "read request", "empty line");
	else if (!c->ops->allowed(p->cred.pid, p->cred.uid, c->arg))
		control_refuse(p, words[0], "ask",
			       "only root outside every agent's scope may use the control socket");
	else
		c->ops->request(p, n, words, c->arg);
}

static void peer_ready(struct loop_io *io, uint32_t events, void *arg)
{
	struct control_peer *p = arg;
	char chunk[512], *end;
	ssize_t n;

	if (buf_len(&p->out) > 0) {
		peer_write(p);
		return;
	}
	n = recv(p->fd, chunk, sizeof(chunk), MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (p->asked) {
		/* Waiting for an answer: the request stands even when its asker has gone. */
		if (n <= 0) {
			loop_io_remove(p->io);
			p->io = NULL;
		}
		return;
	}
	if (n <= 0 || buf_append(&p->in, chunk, (size_t)n) < 0 || !buf_cstr(&p->in)) {
		peer_free(p);
		return;
	}
	end = memchr(p->in.data + p->in.start, '\n', buf_len(&p->in));
	if (!end && buf_len(&p->in) < CONTROL_LINE_MAX)
		return;
	p->asked = true;
	if (!end) {
		control_refuse(p, "control", "read request", "line too long");
		return;
	}
	*end = '\0';
	dispatch(p, p->in.data + p->in.start);
}

static int peer_pidfd(int fd, pid_t pid)
{
	int pidfd = -1;
#ifdef SO_PEERPIDFD
	socklen_t len = sizeof(pidfd);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERPIDFD, &pidfd, &len) == 0)
		return pidfd;
#endif
	/* Before Linux 6.5 the pid may have been given on between connect and here. */
	pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	return pidfd;
}

static void accept_ready(struct loop_io *io, uint32_t events, void *arg)
{
	struct control *c = arg;
	_cleanup_close_ int fd = accept4(c->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct control_peer *p;
	socklen_t len = sizeof(p->cred);

	(void)io;
	(void)events;
	if (fd < 0 || c->npeers >= CONTROL_PEERS_MAX)
		return;
	p = calloc(1, sizeof(*p));
	if (!p)
		return;
	p->control = c;
	p->in.limit = 2 * CONTROL_LINE_MAX;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &p->cred, &len) < 0 ||
	    loop_io_add(c->loop, fd, EPOLLIN, peer_ready, p, &p->io) < 0) {
		free(p);
		return;
	}
	p->pidfd = peer_pidfd(fd, p->cred.pid);
	p->fd = take_fd(fd);
	p->next = c->peers;
	c->peers = p;
	c->npeers++;
}

int control_new(struct loop *l, const char *path, const struct control_ops *ops, void *arg,
		struct control **ret)
{
	_cleanup_free_ struct control *c = calloc(1, sizeof(*c));
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	_cleanup_close_ int fd = -1;
	int r;

	if (!c)
		return -ENOMEM;
	if (strlen(path) >= sizeof(a.sun_path))
		return -ENAMETOOLONG;
	memcpy(a.sun_path, path, strlen(path));
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	(void)unlink(path);
	if (bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0 || chmod(path, 0660) < 0 ||
	    listen(fd, CONTROL_BACKLOG) < 0)
		return -errno;
	*c = (struct control){ .loop = l, .fd = fd, .ops = ops, .arg = arg };
	r = loop_io_add(l, fd, EPOLLIN, accept_ready, c, &c->io);
	if (r < 0)
		return r;
	(void)take_fd(fd);
	*ret = take_ptr(c);
	return 0;
}

void control_free(struct control *c)
{
	if (!c)
		return;
	while (c->peers)
		peer_free(c->peers);
	loop_io_remove(c->io);
	close(c->fd);
	free(c);
}
