// SPDX-License-Identifier: Apache-2.0
/*
 * The descriptors of a takeover: the original ends, and the new objects that replace them. Role injector.
 * The numbers of new descriptors are read from the server's memory, so what they name is checked.
 */
#include "user/stdio/take.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "user/base/cleanup.h"
#include "user/base/file.h"

#define PROBE "tollgate" /* sent through a new socket pair to see that its ends belong together */

/* The server's own descriptor of an object; NULL when it has none. */
static const struct proc_fd *server_fd(struct take *t, unsigned which)
{
	struct holder *h = take_holder(t, t->job->server);

	for (size_t i = 0; i < h->nfds; i++)
		if (h->fds[i].which == which)
			return &h->fds[i];
	return NULL;
}

static int check_socket(int fd)
{
	socklen_t len = sizeof(int);
	int domain, type;

	if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) < 0 ||
	    getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) < 0)
		return -errno;
	return domain == AF_UNIX && type == SOCK_STREAM ? 0 : -EOPNOTSUPP;
}

int take_originals(struct take *t)
{
	struct holder *h = take_holder(t, t->job->server);
	int *const to[2] = { &t->out->orig_in, &t->out->orig_out };
	int r = holder_inspect(h, t->old, t->nold, t->sdev);

	if (r < 0)
		return take_fail_errno(t, r, "cannot read its descriptors", h->pid);
	for (unsigned i = 0; i < 2; i++) {
		unsigned which = i < t->nold ? i : 0;
		const struct proc_fd *f = server_fd(t, which);
		struct stat st;
		int fd;

		if (!f)
			return take_fail(t, STDIO_GONE, "process %d does not hold both ends", (int)h->pid);
		fd = holder_getfd(h, f->fd);
		if (fd < 0)
			return take_fail_errno(t, fd, "cannot copy its descriptor", h->pid);
		*to[i] = fd;
		if (fstat(fd, &st) < 0 || (st.st_mode & S_IFMT) != t->old[which].type ||
		    st.st_ino != t->old[which].ino)
			return take_fail(t, STDIO_GONE, "process %d changed its descriptors", (int)h->pid);
		t->sdev[which] = (uint64_t)major(st.st_dev) << 20 | minor(st.st_dev);
		r = S_ISSOCK(st.st_mode) ? check_socket(fd) : 0;
		if (r < 0)
			return take_fail_errno(t, r, "not a stream socket of the UNIX family", h->pid);
	}
	return 0;
}

/* Do the two ends belong together? Their numbers were read from the server's memory. */
static int check_pair(int near, int far, mode_t type)
{
	char got[sizeof(PROBE)];
	struct stat a, b;

	if (fstat(near, &a) < 0 || fstat(far, &b) < 0)
		return -errno;
	if ((a.st_mode & S_IFMT) != type || (b.st_mode & S_IFMT) != type)
		return -EFAULT;
	if (type == S_IFIFO)
		return a.st_ino == b.st_ino && a.st_dev == b.st_dev ? 0 : -EFAULT;
	if (check_socket(near) < 0 || check_socket(far) < 0 || a.st_ino == b.st_ino ||
	    send(far, PROBE, sizeof(got), MSG_DONTWAIT | MSG_NOSIGNAL) != (ssize_t)sizeof(got) ||
	    recv(near, got, sizeof(got), MSG_DONTWAIT) != (ssize_t)sizeof(got) ||
	    memcmp(got, PROBE, sizeof(got)) != 0)
		return -EFAULT;
	return 0;
}

/* A pipe's capacity follows the original's, so that what blocked before blocks now. Best effort. */
static void copy_capacity(int from, int to)
{
	int a = fcntl(from, F_GETPIPE_SZ), b = fcntl(to, F_GETPIPE_SZ);

	if (a > 0 && b > 0 && a != b)
		(void)fcntl(to, F_SETPIPE_SZ, a);
}

static int add_end(struct take *t, unsigned which, int flags, int fd)
{
	if (t->ends.n == ENDS_MAX)
		return -E2BIG;
	t->ends.v[t->ends.n++] = (struct stdio_end_fd){ .which = which, .flags = flags, .fd = fd };
	return 0;
}

/* Makes the new object number `which` in the server: the near end becomes an end to give out, the far end
 * is ours alone, so it can be made non-blocking. ret_* are set on success only. */
static int make_object(struct take *t, unsigned which, int *ret_far, uint32_t *ret_mode, uint64_t *ret_ino)
{
	struct holder *h = take_holder(t, t->job->server);
	int there[2], r, flags = server_fd(t, which)->flags & STDIO_END_FLAGS;
	_cleanup_close_ int near = -1;
	_cleanup_close_ int far = -1;
	struct stat st;
	mode_t type;

	r = holder_make_pair(h, t->old[which].type, there, &type);
	if (r < 0)
		return take_fail_errno(t, r, "cannot make new descriptors", h->pid);
	if (type != t->old[which].type && t->nold == 1)
		return take_fail(t, STDIO_REFUSED, "process %d may not make sockets", (int)h->pid);
	/* A pipe's first descriptor reads. The server reads object 0 and writes object 1. */
	near = holder_getfd(h, there[which]);
	far = holder_getfd(h, there[!which]);
	if (near < 0 || far < 0)
		r = near < 0 ? near : far;
	else
		r = check_pair(near, far, type);
	if (r == 0 && (fcntl(near, F_SETFL, flags & (O_NONBLOCK | O_APPEND)) < 0 || fstat(near, &st) < 0))
		r = -errno;
	if (r == 0)
		r = fd_nonblock(far);
	if (r < 0)
		return take_fail_errno(t, r, "the new descriptors are not usable", h->pid);
	if (t->old[which].type == S_IFIFO) {
		flags = (flags & ~O_ACCMODE) | (which ? O_WRONLY : O_RDONLY);
		copy_capacity(which ? t->out->orig_out : t->out->orig_in, far);
	}
	h->end_fd[t->ends.n] = there[which];
	(void)add_end(t, which, flags, take_fd(near)); /* the first two always fit */
	*ret_far = take_fd(far);
	*ret_mode = type;
	*ret_ino = st.st_ino;
	return 0;
}

int take_make_objects(struct take *t)
{
	struct stdio_taken *o = t->out;
	int r = make_object(t, 0, &o->to_server, &o->new_mode0, &o->new_ino0);

	if (r < 0)
		return r;
	if (t->nold == 2)
		return make_object(t, 1, &o->from_server, &o->new_mode1, &o->new_ino1);
	o->new_mode1 = o->new_mode0;
	o->new_ino1 = o->new_ino0;
	o->from_server = fcntl(o->to_server, F_DUPFD_CLOEXEC, 0);
	return o->from_server < 0 ? take_fail_errno(t, -errno, "cannot copy a descriptor", getpid()) : 0;
}

int take_make_variant(struct take *t, const struct proc_fd *f)
{
	int base = -1, flags = f->flags & STDIO_END_FLAGS, r;
	_cleanup_close_ int fd = -1;
	char self[32];

	for (unsigned i = 0; i < t->ends.n && base < 0; i++)
		if (t->ends.v[i].which == f->which)
			base = t->ends.v[i].fd;
	if (t->old[f->which].type != S_IFIFO || base < 0)
		return -EOPNOTSUPP;
	(void)snprintf(self, sizeof(self), "/proc/self/fd/%d", base);
	fd = open(self, (flags & O_ACCMODE) | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 || fcntl(fd, F_SETFL, flags & (O_NONBLOCK | O_APPEND)) < 0)
		return -errno;
	r = add_end(t, f->which, flags, fd);
	if (r == 0)
		(void)take_fd(fd);
	return r;
}

/* The original description of a pipe may be shared with the host: its flags stay, we open our own. */
static void reopen_pipe(int *fd, int access)
{
	char self[32];
	int own;

	(void)snprintf(self, sizeof(self), "/proc/self/fd/%d", *fd);
	own = open(self, access | O_NONBLOCK | O_CLOEXEC);
	if (own < 0)
		return;
	close(*fd);
	*fd = own;
}

void take_count_unread(struct take *t)
{
	struct stdio_taken *o = t->out;
	bool pipe_out = t->old[t->nold - 1].type == S_IFIFO;
	int in = 0, out = 0;

	(void)ioctl(o->orig_in, FIONREAD, &in);
	(void)ioctl(o->orig_out, pipe_out ? FIONREAD : SIOCOUTQ, &out);
	o->unread_in = in > 0 ? (uint64_t)in : 0;
	o->unread_out = out > 0 ? (uint64_t)out : 0;
	if (t->old[0].type == S_IFIFO)
		reopen_pipe(&o->orig_in, O_RDONLY);
	if (pipe_out)
		reopen_pipe(&o->orig_out, O_WRONLY);
}
