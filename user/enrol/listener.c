// SPDX-License-Identifier: Apache-2.0
/*
 * The sockets that steered connections end at, one pair per agent and network namespace. Runs in the
 * supervisor, which hands them to the keeper and a proxy. The supervisor itself must never be in a foreign
 * namespace, not even for a moment: whatever it did then would be done there.
 */
#include "user/enrol/listener.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "user/base/cleanup.h"
#include "user/kern/flow.h"

struct job {
	int netns_fd;
	struct listener result;
	int r;
};

/* A listening socket on the namespace's loopback at a port of the kernel's choice. */
static int open_one(const struct sockaddr *addr, socklen_t len, uint16_t *ret_port)
{
	_cleanup_close_ int fd = socket(addr->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_storage bound;
	socklen_t size = sizeof(bound);
	int on = 1;

	if (fd < 0)
		return -errno;
	/* A sandbox brings its loopback up after its exec, when it is enrolled already: without FREEBIND
	 * the address does not exist yet. */
	if (addr->sa_family == AF_INET6) {
		if (setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) < 0 ||
		    setsockopt(fd, IPPROTO_IPV6, IPV6_FREEBIND, &on, sizeof(on)) < 0)
			return -errno;
	} else if (setsockopt(fd, IPPROTO_IP, IP_FREEBIND, &on, sizeof(on)) < 0) {
		return -errno;
	}
	if (bind(fd, addr, len) < 0 || listen(fd, LISTENER_BACKLOG) < 0 ||
	    getsockname(fd, (struct sockaddr *)&bound, &size) < 0)
		return -errno;
	*ret_port = ntohs(addr->sa_family == AF_INET6 ? ((struct sockaddr_in6 *)&bound)->sin6_port
						      : ((struct sockaddr_in *)&bound)->sin_port);
	return take_fd(fd);
}

static int open_pair(struct listener *ret)
{
	struct sockaddr_in a4 = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct sockaddr_in6 a6 = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	struct listener l = { .fd4 = -1, .fd6 = -1 };
	int r;

	l.fd4 = open_one((struct sockaddr *)&a4, sizeof(a4), &l.port4);
	if (l.fd4 < 0)
		return l.fd4;
	r = flow_netns_cookie(l.fd4, &l.netns_cookie);
	if (r == 0) {
		l.fd6 = open_one((struct sockaddr *)&a6, sizeof(a6), &l.port6);
		/* No IPv6 in this kernel or namespace: then nothing can connect over it either. */
		if (l.fd6 < 0 && l.fd6 != -EAFNOSUPPORT && l.fd6 != -EADDRNOTAVAIL)
			r = l.fd6;
	}
	if (r < 0) {
		listener_close(&l);
		return r;
	}
	if (l.fd6 < 0)
		l.fd6 = -1;
	*ret = l;
	return 0;
}

static void *run(void *arg)
{
	struct job *j = arg;

	/* Holds for this thread alone, and ends with it. */
	j->r = setns(j->netns_fd, CLONE_NEWNET) < 0 ? -errno : open_pair(&j->result);
	return NULL;
}

int listener_open(int netns_fd, struct listener *ret)
{
	struct job j = { .netns_fd = netns_fd };
	sigset_t all, before;
	pthread_t t;
	int r;

	/* Signals are for the loop of the main thread. */
	sigfillset(&all);
	r = -pthread_sigmask(SIG_SETMASK, &all, &before);
	if (r < 0)
		return r;
	r = -pthread_create(&t, NULL, run, &j);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (r < 0)
		return r;
	(void)pthread_join(t, NULL);
	if (j.r == 0)
		*ret = j.result;
	return j.r;
}

int listener_open_pid(pid_t pid, struct listener *ret)
{
	_cleanup_close_ int fd = -1;
	char path[40];

	(void)snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? -ESRCH : -errno;
	return listener_open(fd, ret);
}

void listener_close(struct listener *l)
{
	if (l->fd4 >= 0)
		close(l->fd4);
	if (l->fd6 >= 0)
		close(l->fd6);
	l->fd4 = l->fd6 = -1;
}
