// SPDX-License-Identifier: Apache-2.0
/*
 * The epoll loop of a role: descriptors, timers (timerfd) and signals (signalfd).
 * A source removed while its event is pending in the present round is freed after the round.
 */
#include "user/base/loop.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "user/base/cleanup.h"

#define LOOP_EVENTS_PER_ROUND 64

struct loop_io {
	struct loop *loop;
	int fd;
	uint32_t events;
	loop_io_fn fn;
	void *arg;
	struct loop_io *next_dead;
};

struct loop_timer {
	struct loop_io *io;
	int fd;
	loop_timer_fn fn;
	void *arg;
};

struct loop {
	int epfd;
	bool stopped;
	int code;
	struct loop_io *dead;
	struct loop_io *signal_io;
	int signal_fd;
	loop_signal_fn signal_fn;
	void *signal_arg;
	void (*after)(void *arg);
	void *after_arg;
};

int loop_new(struct loop **ret)
{
	struct loop *l = calloc(1, sizeof(*l));

	if (!l)
		return -ENOMEM;
	l->signal_fd = -1;
	l->epfd = epoll_create1(EPOLL_CLOEXEC);
	if (l->epfd < 0) {
		int r = -errno;

		free(l);
		return r;
	}
	*ret = l;
	return 0;
}

static void bury(struct loop *l)
{
	while (l->dead) {
		struct loop_io *io = l->dead;

		l->dead = io->next_dead;
		free(io);
	}
}

void loop_free(struct loop *l)
{
	if (!l)
		return;
	loop_io_remove(l->signal_io);
	if (l->signal_fd >= 0)
		close(l->signal_fd);
	bury(l);
	close(l->epfd);
	free(l);
}

int loop_once(struct loop *l, int timeout_ms)
{
	struct epoll_event ev[LOOP_EVENTS_PER_ROUND];
	int n = epoll_wait(l->epfd, ev, LOOP_EVENTS_PER_ROUND, timeout_ms);

	if (n < 0)
		return errno == EINTR ? 0 : -errno;
	for (int i = 0; i < n; i++) {
		struct loop_io *io = ev[i].data.ptr;

		if (io->fn)
			io->fn(io, ev[i].events, io->arg);
	}
	if (l->after)
		l->after(l->after_arg);
	bury(l);
	return n;
}

int loop_run(struct loop *l)
{
	while (!l->stopped) {
		int r = loop_once(l, -1);

		if (r < 0)
			return r;
	}
	return l->code;
}

void loop_stop(struct loop *l, int code)
{
	l->stopped = true;
	l->code = code;
}

int loop_io_add(struct loop *l, int fd, uint32_t events, loop_io_fn fn, void *arg,
		struct loop_io **ret)
{
	struct loop_io *io = calloc(1, sizeof(*io));
	struct epoll_event ev = { .events = events };

	if (!io)
		return -ENOMEM;
	*io = (struct loop_io){ .loop = l, .fd = fd, .events = events, .fn = fn, .arg = arg };
	ev.data.ptr = io;
	if (epoll_ctl(l->epfd, EPOLL_CTL_ADD, fd, &ev) < 0) {
		int r = -errno;

		free(io);
		return r;
	}
	*ret = io;
	return 0;
}

int loop_io_set(struct loop_io *io, uint32_t events)
{
	struct epoll_event ev = { .events = events, .data.ptr = io };

	if (io->events == events)
		return 0;
	if (epoll_ctl(io->loop->epfd, EPOLL_CTL_MOD, io->fd, &ev) < 0)
		return -errno;
	io->events = events;
	return 0;
}

int loop_io_fd(const struct loop_io *io)
{
	return io->fd;
}

void loop_io_remove(struct loop_io *io)
{
	if (!io)
		return;
	(void)epoll_ctl(io->loop->epfd, EPOLL_CTL_DEL, io->fd, NULL);
	io->fn = NULL;
	io->next_dead = io->loop->dead;
	io->loop->dead = io;
}

static void timer_ready(struct loop_io *io, uint32_t events, void *arg)
{
	struct loop_timer *t = arg;
	uint64_t ticks;

	(void)io;
	(void)events;
	if (read(t->fd, &ticks, sizeof(ticks)) == (ssize_t)sizeof(ticks))
		t->fn(t, t->arg);
}

int loop_timer_add(struct loop *l, loop_timer_fn fn, void *arg, struct loop_timer **ret)
{
	_cleanup_free_ struct loop_timer *t = calloc(1, sizeof(*t));
	_cleanup_close_ int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	int r;

	if (!t)
		return -ENOMEM;
	if (fd < 0)
		return -errno;
	*t = (struct loop_timer){ .fd = fd, .fn = fn, .arg = arg };
	r = loop_io_add(l, fd, EPOLLIN, timer_ready, t, &t->io);
	if (r < 0)
		return r;
	(void)take_fd(fd);
	*ret = take_ptr(t);
	return 0;
}

static struct timespec to_timespec(uint64_t ns)
{
	return (struct timespec){ (time_t)(ns / 1000000000u), (long)(ns % 1000000000u) };
}

int loop_timer_arm(struct loop_timer *t, uint64_t delay_ns, uint64_t period_ns)
{
	struct itimerspec its = { .it_value = to_timespec(delay_ns ? delay_ns : 1),
				  .it_interval = to_timespec(period_ns) };

	return timerfd_settime(t->fd, 0, &its, NULL) < 0 ? -errno : 0;
}

void loop_timer_remove(struct loop_timer *t)
{
	if (!t)
		return;
	loop_io_remove(t->io);
	close(t->fd);
	free(t);
}

static void signal_ready(struct loop_io *io, uint32_t events, void *arg)
{
	struct loop *l = arg;
	struct signalfd_siginfo si;

	(void)io;
	(void)events;
	while (read(l->signal_fd, &si, sizeof(si)) == (ssize_t)sizeof(si))
		l->signal_fn((int)si.ssi_signo, l->signal_arg);
}

int loop_signals(struct loop *l, const int *signos, loop_signal_fn fn, void *arg)
{
	sigset_t set;

	if (l->signal_io)
		return -EBUSY;
	sigemptyset(&set);
	for (; *signos; signos++)
		sigaddset(&set, *signos);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return -errno;
	l->signal_fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	if (l->signal_fd < 0)
		return -errno;
	l->signal_fn = fn;
	l->signal_arg = arg;
	return loop_io_add(l, l->signal_fd, EPOLLIN, signal_ready, l, &l->signal_io);
}

void loop_after(struct loop *l, void (*fn)(void *arg), void *arg)
{
	l->after = fn;
	l->after_arg = arg;
}
