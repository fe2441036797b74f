// SPDX-License-Identifier: Apache-2.0
/*
 * What a stopped holder does with the conversation's descriptors: duplicates, epoll registrations, and
 * whether an io_uring may have one of them. Role injector; reads /proc only.
 *
 * What is not visible in /proc (a descriptor in flight in a socket's queue, one that an io_uring has) shows as a
 * reference without a holder: takeover.c refuses it.
 */
#include "user/stdio/epoll_info.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "user/base/buf.h"
#include "user/base/cleanup.h"
#include "user/base/file.h"
#include "user/proc/file.h"
#include "user/stdio/holder.h"

#define INFO_MAX (8u << 20) /* 80 bytes a registration: 100,000 of them */

static int read_info(pid_t pid, int fd, struct buf *ret)
{
	_cleanup_close_ int f = -1;
	char name[32];

	(void)snprintf(name, sizeof(name), "fdinfo/%d", fd);
	f = proc_open(pid, name, O_RDONLY);
	return f < 0 ? f : file_read_fd(f, INFO_MAX, ret);
}

static bool next_line(struct span *text, struct span *ret)
{
	const char *nl;

	if (text->n == 0)
		return false;
	nl = memchr(text->p, '\n', text->n);
	ret->p = text->p;
	ret->n = nl ? (size_t)(nl - text->p) : text->n;
	text->p += ret->n + (nl ? 1 : 0);
	text->n -= ret->n + (nl ? 1 : 0);
	return true;
}

/* "NAME:" with blanks around, then a number. */
static bool labelled(struct span *s, const char *name, unsigned base, uint64_t *ret)
{
	size_t n = strlen(name);

	proc_skip_blanks(s);
	if (s->n < n || memcmp(s->p, name, n) != 0)
		return false;
	s->p += n;
	s->n -= n;
	proc_skip_blanks(s);
	return proc_number(s, base, ret);
}

/* "tfd: FD events: HEX data: HEX  pos:N ino:HEX sdev:HEX" */
bool epoll_info_parse(struct span line, struct epoll_info *ret)
{
	uint64_t fd, events, pos;
	struct epoll_info e;

	if (!labelled(&line, "tfd:", 10, &fd) || fd > INT32_MAX ||
	    !labelled(&line, "events:", 16, &events) || events > UINT32_MAX ||
	    !labelled(&line, "data:", 16, &e.data) || !labelled(&line, "pos:", 10, &pos) ||
	    !labelled(&line, "ino:", 16, &e.ino) || !labelled(&line, "sdev:", 16, &e.sdev))
		return false;
	e.fd = (int)fd;
	e.events = (uint32_t)events;
	*ret = e;
	return true;
}

static bool holds_fd(const struct holder *h, int fd)
{
	for (size_t i = 0; i < h->nfds; i++)
		if (h->fds[i].fd == fd)
			return true;
	return false;
}

static int add_reg(struct holder *h, int epfd, const struct epoll_info *e)
{
	if (h->nregs >= HOLDER_REGS_MAX)
		return -E2BIG;
	if (!h->regs) {
		h->regs = calloc(HOLDER_REGS_MAX, sizeof(*h->regs));
		if (!h->regs)
			return -ENOMEM;
	}
	h->regs[h->nregs++] =
		(struct epoll_reg){ .epfd = epfd, .fd = e->fd, .events = e->events, .data = e->data };
	return 0;
}

/* A registration whose number no longer names the object cannot be removed by it and is left: it tells of
 * readiness, it gives no access. */
static int read_epoll(struct holder *h, int epfd, const struct proc_object *old, unsigned nold,
		      const uint64_t sdev[2])
{
	_cleanup_buf_ struct buf text = { 0 };
	struct span all, line;
	int r = read_info(h->pid, epfd, &text);

	all = buf_span(&text);
	while (r == 0 && next_line(&all, &line)) {
		struct epoll_info e;

		if (line.n < 4 || memcmp(line.p, "tfd:", 4) != 0)
			continue;
		if (!epoll_info_parse(line, &e))
			return -EOPNOTSUPP;
		for (unsigned i = 0; r == 0 && i < nold; i++)
			if (e.ino == old[i].ino && e.sdev == sdev[i] && holds_fd(h, e.fd)) {
				r = add_reg(h, epfd, &e);
				break;
			}
	}
	return r;
}

/* Registered files are listed by name; requests under way by kind only, so any of them counts. */
static int read_uring(struct holder *h, int fd, const struct proc_object *old, unsigned nold)
{
	_cleanup_buf_ struct buf text = { 0 };
	int r = read_info(h->pid, fd, &text);
	struct span s = buf_span(&text);
	char name[40];

	if (r < 0)
		return r;
	for (unsigned i = 0; i < nold; i++) {
		(void)snprintf(name, sizeof(name), "%s:[%llu]",
			       old[i].type == S_IFIFO ? "pipe" : "socket",
			       (unsigned long long)old[i].ino);
		if (memmem(s.p, s.n, name, strlen(name)))
			return -EOPNOTSUPP;
	}
	/* Without these lines the kernel did not look. */
	if (!memmem(s.p, s.n, "UserFiles:", 10) || !memmem(s.p, s.n, "PollList:", 9) ||
	    memmem(s.p, s.n, "op=", 3))
		return -EOPNOTSUPP;
	return 0;
}

int holder_inspect(struct holder *h, const struct proc_object *old, unsigned nold, const uint64_t sdev[2])
{
	struct proc_object look[4];
	_cleanup_free_ struct proc_fd *all = NULL;
	size_t nall;
	int r;

	for (unsigned i = 0; i < nold; i++)
		look[i] = old[i];
	look[nold] = (struct proc_object){ .anon = "[eventpoll]" };
	look[nold + 1] = (struct proc_object){ .anon = "[io_uring]" };
	r = proc_fds_find(h->pid, h->pid, look, nold + 2, &all, &nall);
	if (r < 0)
		return r;
	free(h->fds);
	h->nfds = h->nregs = 0;
	h->fds = calloc(HOLDER_FDS_MAX, sizeof(*h->fds));
	if (!h->fds)
		return -ENOMEM;
	for (size_t i = 0; i < nall; i++) {
		if (all[i].which >= nold)
			continue;
		if (h->nfds >= HOLDER_FDS_MAX)
			return -E2BIG;
		h->fds[h->nfds++] = all[i];
	}
	for (size_t i = 0; r == 0 && i < nall; i++) {
		if (all[i].which == nold)
			r = read_epoll(h, all[i].fd, old, nold, sdev);
		else if (all[i].which == nold + 1)
			r = read_uring(h, all[i].fd, old, nold);
	}
	return r;
}
