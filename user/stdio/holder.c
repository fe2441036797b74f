// SPDX-License-Identifier: Apache-2.0
/*
 * A process that holds the conversation's descriptors, from stop to release. Role injector.
 */
#include "user/stdio/holder.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "user/base/cleanup.h"

static int seize_new_threads(struct holder *h, size_t *ret_new)
{
	_cleanup_pids_ struct proc_pids now = { 0 };
	size_t before = h->threads.n;
	int r = proc_threads(h->pid, &now);

	for (size_t i = 0; r == 0 && i < now.n; i++) {
		if (proc_pids_has(&h->threads, now.v[i]))
			continue;
		if (h->threads.n >= HOLDER_THREADS_MAX)
			return -E2BIG;
		r = tracee_seize(now.v[i]);
		if (r == 0)
			r = proc_pids_add(&h->threads, now.v[i]);
		else if (r == -ESRCH)
			r = 0;
	}
	*ret_new = h->threads.n - before;
	return r;
}

static void forget_thread(struct holder *h, size_t i)
{
	h->threads.n--;
	memmove(&h->threads.v[i], &h->threads.v[i + 1], (h->threads.n - i) * sizeof(h->threads.v[0]));
}

int holder_stop(struct holder *h, pid_t pid, const struct tracee_timer *timer)
{
	size_t fresh;
	int r;

	*h = (struct holder){ .pid = pid, .pidfd = -1 };
	h->pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (h->pidfd < 0)
		return -errno;
	/* A thread may start another until it stands still itself: list again until none is new. */
	do {
		r = seize_new_threads(h, &fresh);
		while (r == 0 && h->nstopped < h->threads.n) {
			bool group = false;

			r = tracee_wait_stop(h->threads.v[h->nstopped], timer, &group);
			if (r == 0) {
				h->nstopped++;
				h->group_stop |= group;
			} else if (r == -ESRCH) {
				forget_thread(h, h->nstopped);
				r = 0;
			}
		}
	} while (r == 0 && fresh > 0);
	if (r == 0 && !proc_pids_has(&h->threads, pid))
		r = -ESRCH;
	return r;
}

int holder_getfd(const struct holder *h, int fd)
{
	int got = (int)syscall(SYS_pidfd_getfd, h->pidfd, fd, 0);

	return got < 0 ? -errno : got;
}

int stdio_ends_find(const struct stdio_ends *e, unsigned which, int flags)
{
	for (unsigned i = 0; i < e->n; i++)
		if (e->v[i].which == which && e->v[i].flags == (flags & STDIO_END_FLAGS))
			return (int)i;
	return -ENOENT;
}

static void note_temp(struct holder *h, int fd)
{
	if (h->ntemp < ARRAY_SIZE(h->temp))
		h->temp[h->ntemp++] = fd;
}

static void forget_temp(struct holder *h, int fd)
{
	for (unsigned i = 0; i < h->ntemp; i++)
		if (h->temp[i] == fd)
			h->temp[i] = h->temp[--h->ntemp];
}

static int call_pair(struct holder *h, mode_t type, int sock_type, int ret[2])
{
	struct tracee *t = &h->tracee;
	long r;
	int fd[2];

	if (type == S_IFSOCK)
		r = tracee_call(t, SYS_socketpair, AF_UNIX, (uint64_t)(sock_type | SOCK_CLOEXEC), 0,
				t->scratch);
	else
		r = tracee_call(t, SYS_pipe2, t->scratch, O_CLOEXEC, 0, 0);
	if (r < 0)
		return (int)r;
	r = tracee_read(t, 0, fd, sizeof(fd));
	if (r < 0)
		return (int)r;
	note_temp(h, fd[0]);
	note_temp(h, fd[1]);
	ret[0] = fd[0];
	ret[1] = fd[1];
	return 0;
}

int holder_make_pair(struct holder *h, mode_t type, int ret_fds[2], mode_t *ret_type)
{
	int r = call_pair(h, type, SOCK_STREAM, ret_fds);

	*ret_type = type;
	if (type == S_IFSOCK && r < 0 && r != -ESRCH && r != -ETIMEDOUT && r != -EFAULT) {
		*ret_type = S_IFIFO;
		r = call_pair(h, S_IFIFO, 0, ret_fds);
	}
	return r;
}

/* The message that brings descriptors in, laid out in the holder's scratch memory. */
struct import_frame {
	struct msghdr mh;
	struct iovec iov;
	char control[CMSG_SPACE(ENDS_MAX * sizeof(int))] __attribute__((aligned(8)));
	char byte[8];
};

_Static_assert(sizeof(struct import_frame) <= TRACEE_SCRATCH, "fits the scratch memory");

static int send_fds(int sock, const int *fds, unsigned n)
{
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(ENDS_MAX * sizeof(int))];
	} control = { 0 };
	char byte = 0;
	struct iovec iov = { &byte, 1 };
	struct msghdr mh = { .msg_iov = &iov,
			     .msg_iovlen = 1,
			     .msg_control = &control,
			     .msg_controllen = CMSG_SPACE(n * sizeof(int)) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&mh);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(n * sizeof(int));
	memcpy(CMSG_DATA(c), fds, n * sizeof(int));
	return sendmsg(sock, &mh, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -errno : 0;
}

static int receive_there(struct holder *h, int sock, unsigned n, int *ret)
{
	struct import_frame f = { 0 };
	uint64_t base = h->tracee.scratch;
	const struct cmsghdr *c = (const struct cmsghdr *)f.control;
	long r;

	f.iov.iov_base = (void *)(uintptr_t)(base + offsetof(struct import_frame, byte));
	f.iov.iov_len = 1;
	f.mh.msg_iov = (void *)(uintptr_t)(base + offsetof(struct import_frame, iov));
	f.mh.msg_iovlen = 1;
	f.mh.msg_control = (void *)(uintptr_t)(base + offsetof(struct import_frame, control));
	f.mh.msg_controllen = sizeof(f.control);
	r = tracee_write(&h->tracee, 0, &f, sizeof(f));
	if (r == 0)
		r = tracee_call(&h->tracee, SYS_recvmsg, (uint64_t)sock, base,
				MSG_CMSG_CLOEXEC | MSG_DONTWAIT, 0);
	if (r < 0)
		return (int)r;
	r = tracee_read(&h->tracee, 0, &f, sizeof(f));
	if (r < 0)
		return (int)r;
	if (c->cmsg_type != SCM_RIGHTS || c->cmsg_len != CMSG_LEN(n * sizeof(int)))
		return -EMFILE; /* the kernel installs as many as fit the table's limit */
	memcpy(ret, CMSG_DATA(c), n * sizeof(int));
	for (unsigned i = 0; i < n; i++)
		note_temp(h, ret[i]);
	return 0;
}

static int close_there(struct holder *h, int fd)
{
	long r = tracee_call(&h->tracee, SYS_close, (uint64_t)fd, 0, 0, 0);

	if (r == 0)
		forget_temp(h, fd);
	return (int)r;
}

int holder_bring(struct holder *h, const int *ours, unsigned n, int *ret)
{
	_cleanup_close_ int sock = -1;
	int channel[2], r;

	if (n > ENDS_MAX)
		return -E2BIG;
	r = call_pair(h, S_IFSOCK, SOCK_DGRAM, channel);
	if (r < 0)
		return r;
	sock = holder_getfd(h, channel[1]);
	if (sock < 0)
		return sock;
	r = send_fds(sock, ours, n);
	if (r == 0)
		r = receive_there(h, channel[0], n, ret);
	if (r == 0)
		r = close_there(h, channel[0]);
	if (r == 0)
		r = close_there(h, channel[1]);
	return r;
}

int holder_import(struct holder *h, const struct stdio_ends *ends)
{
	int ours[ENDS_MAX], there[ENDS_MAX], r;
	unsigned index[ENDS_MAX], n = 0;

	for (unsigned i = 0; i < ends->n; i++) {
		bool needed = false;

		for (size_t k = 0; k < h->nfds; k++)
			needed |= stdio_ends_find(ends, h->fds[k].which, h->fds[k].flags) == (int)i;
		if (!needed || h->end_fd[i] >= 0)
			continue;
		index[n] = i;
		ours[n++] = ends->v[i].fd;
	}
	if (n == 0)
		return 0;
	r = holder_bring(h, ours, n, there);
	for (unsigned i = 0; r == 0 && i < n; i++)
		h->end_fd[index[i]] = there[i];
	return r;
}

static int reg_remove(struct holder *h, struct epoll_reg *reg)
{
	long r = tracee_call(&h->tracee, SYS_epoll_ctl, (uint64_t)reg->epfd, EPOLL_CTL_DEL,
			     (uint64_t)reg->fd, 0);

	if (r == -ENOENT) {
		reg->moved = true;
		return 0;
	}
	return (int)r;
}

static int reg_add(struct holder *h, const struct epoll_reg *reg)
{
	struct epoll_event ev = { .events = reg->events, .data.u64 = reg->data };
	int r;

	if (reg->moved)
		return 0;
	r = tracee_write(&h->tracee, 0, &ev, sizeof(ev));
	if (r < 0)
		return r;
	return (int)tracee_call(&h->tracee, SYS_epoll_ctl, (uint64_t)reg->epfd, EPOLL_CTL_ADD,
				(uint64_t)reg->fd, h->tracee.scratch);
}

int holder_replace(struct holder *h, const struct stdio_ends *ends, bool *ret_touched)
{
	long r = 0;

	for (size_t i = 0; r == 0 && i < h->nregs; i++) {
		r = reg_remove(h, &h->regs[i]);
		if (r == 0)
			*ret_touched = true;
	}
	for (size_t i = 0; r >= 0 && i < h->nfds; i++) {
		int end = stdio_ends_find(ends, h->fds[i].which, h->fds[i].flags);

		if (end < 0 || h->end_fd[end] < 0)
			return -EBADF;
		r = tracee_call(&h->tracee, SYS_dup3, (uint64_t)h->end_fd[end], (uint64_t)h->fds[i].fd,
				(uint64_t)(h->fds[i].flags & O_CLOEXEC), 0);
		if (r >= 0)
			*ret_touched = true;
	}
	for (size_t i = 0; r >= 0 && i < h->nregs; i++)
		r = reg_add(h, &h->regs[i]);
	return r < 0 ? (int)r : 0;
}

/* Writes the bytes at addr into fd without waiting; how many went in. */
static uint64_t copy_out(pid_t pid, uint64_t addr, uint64_t n, int fd)
{
	uint64_t done = 0;
	char chunk[4096]; /* PIPE_BUF: what a pipe that is ready takes without waiting */

	while (done < n) {
		size_t want = n - done < sizeof(chunk) ? n - done : sizeof(chunk);
		struct iovec here = { chunk, want }, there = { (void *)(uintptr_t)(addr + done), want };
		struct pollfd p = { .fd = fd, .events = POLLOUT };
		ssize_t put;

		if (process_vm_readv(pid, &here, 1, &there, 1, 0) != (ssize_t)want ||
		    poll(&p, 1, 0) != 1 || !(p.revents & POLLOUT))
			break;
		put = write(fd, chunk, want);
		if (put <= 0)
			break;
		done += (uint64_t)put;
	}
	return done;
}

static bool find_cut_write(const struct holder *h, const struct arch_regs *regs,
			   const struct stdio_ends *ends, struct arch_write *ret, int *ret_end)
{
	if (!arch_regs_cut_write(regs, ret))
		return false;
	for (size_t i = 0; i < h->nfds; i++) {
		const struct proc_fd *f = &h->fds[i];

		if (f->fd != ret->fd)
			continue;
		*ret_end = stdio_ends_find(ends, f->which, f->flags);
		/* Who asked not to wait expects to be cut short. */
		return *ret_end >= 0 && !(f->flags & O_NONBLOCK);
	}
	return false;
}

void holder_complete_writes(struct holder *h, const struct stdio_ends *ends)
{
	for (size_t i = 0; i < h->nstopped; i++) {
		pid_t tid = h->threads.v[i];
		bool leader = tid == h->pid;
		struct arch_regs regs = h->tracee.saved;
		struct arch_write w;
		uint64_t more;
		int end;

		if (!leader && arch_regs_get(tid, &regs) < 0)
			continue;
		if (!find_cut_write(h, &regs, ends, &w, &end))
			continue;
		more = copy_out(h->pid, w.buf + w.done, w.n - w.done, ends->v[end].fd);
		arch_regs_set_result(&regs, (long)(w.done + more));
		if (leader)
			h->tracee.saved = regs; /* set by tracee_end() */
		else
			(void)arch_regs_set(tid, &regs);
	}
}

int holder_restore(struct holder *h)
{
	int r = 0, r2;

	while (r == 0 && h->tracee.begun && h->ntemp > 0) {
		unsigned before = h->ntemp;

		r = close_there(h, h->temp[h->ntemp - 1]);
		if (r == 0 && h->ntemp == before)
			r = -EFAULT;
	}
	r2 = tracee_end(&h->tracee);
	return r < 0 ? r : r2;
}

bool holder_release(struct holder *h)
{
	bool all = h->nstopped == h->threads.n;

	h->group_stop |= h->tracee.stop_seen;
	/* Sent while every thread stands still, so the first that goes on takes it and stops them all
	 * before any runs an instruction of its own. */
	if (h->pidfd >= 0 && h->threads.n > 0)
		(void)syscall(SYS_pidfd_send_signal, h->pidfd, SIGSTOP, NULL, 0);
	for (size_t i = 0; i < h->nstopped; i++)
		tracee_detach(h->threads.v[i]);
	if (h->pidfd >= 0)
		close(h->pidfd);
	proc_pids_done(&h->threads);
	free(h->fds);
	free(h->regs);
	h->pidfd = -1;
	h->fds = NULL;
	h->regs = NULL;
	h->nfds = h->nregs = h->nstopped = 0;
	return all;
}
