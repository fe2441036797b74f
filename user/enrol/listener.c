// SPDX-License-Identifier: Apache-2.0
/*
 * The sockets that what is steered ends at, one set per agent and network namespace. Runs in the
 * supervisor, which hands them to the keeper and a proxy. The supervisor itself must never be in a foreign
 * namespace, not even for a moment: whatever it did then would be done there.
 */
#include "user/enrol/listener.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
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

#define PORT_TRIES 32 /* ports that are free for connections and taken for datagrams */

struct job {
	int netns_fd;
	struct listener result;
	int r;
};

/* At an address of the namespace's loopback, which needs not be up: a sandbox brings it up after its exec, when it is
 * enrolled already. Without FREEBIND the address does not exist yet. */
static int bind_socket(int type, const struct sockaddr *addr, socklen_t len)
{
	_cleanup_close_ int fd = socket(addr->sa_family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int on = 1;

	if (fd < 0)
		return -errno;
	if (addr->sa_family == AF_INET6) {
		if (setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) < 0 ||
		    setsockopt(fd, IPPROTO_IPV6, IPV6_FREEBIND, &on, sizeof(on)) < 0)
			return -errno;
	} else if (setsockopt(fd, IPPROTO_IP, IP_FREEBIND, &on, sizeof(on)) < 0) {
		return -errno;
	}
	if (bind(fd, addr, len) < 0)
		return -errno;
	return take_fd(fd);
}

/* A datagram says nothing of who sent it; the mark that a scope's programs give its packets does. Set before the
 * socket is bound to a port that anybody knows, and for good. */
static int agents_only(int fd)
{
	struct sock_filter text[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)(SKF_AD_OFF + SKF_AD_MARK)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, TG_NAMES_MARK, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};
	struct sock_fprog p = { .len = ARRAY_SIZE(text), .filter = text };
	int on = 1;

	if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &p, sizeof(p)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_LOCK_FILTER, &on, sizeof(on)) < 0)
		return -errno;
	return 0;
}

/* Both at a port of the kernel's choice, or -EADDRINUSE when datagrams there are somebody else's. */
static int open_pair(struct sockaddr *addr, socklen_t len, int ret_fd[2], uint16_t *ret_port)
{
	_cleanup_close_ int tcp = bind_socket(SOCK_STREAM, addr, len), names = -1;
	union {
		struct sockaddr sa;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
	} bound;
	socklen_t size = sizeof(bound);
	int r;

	if (tcp < 0)
		return tcp;
	if (listen(tcp, LISTENER_BACKLOG) < 0 || getsockname(tcp, &bound.sa, &size) < 0)
		return -errno;
	names = bind_socket(SOCK_DGRAM, &bound.sa, size);
	if (names < 0)
		return names;
	r = agents_only(names);
	if (r < 0)
		return r;
	*ret_port = ntohs(addr->sa_family == AF_INET6 ? bound.in6.sin6_port : bound.in.sin_port);
	ret_fd[0] = take_fd(tcp);
	ret_fd[1] = take_fd(names);
	return 0;
}

static int open_family(struct sockaddr *addr, socklen_t len, int ret_fd[2], uint16_t *ret_port)
{
	int r = -EADDRINUSE;

	for (unsigned i = 0; i < PORT_TRIES && r == -EADDRINUSE; i++)
		r = open_pair(addr, len, ret_fd, ret_port);
	return r;
}

static int open_all(struct listener *ret)
{
	struct sockaddr_in a4 = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct sockaddr_in6 a6 = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	struct listener l = LISTENER_NONE;
	int four[2], six[2] = { -1, -1 }, r;

	r = open_family((struct sockaddr *)&a4, sizeof(a4), four, &l.port4);
	if (r < 0)
		return r;
	l.fd[LISTENER_TCP4] = four[0];
	l.fd[LISTENER_NAMES4] = four[1];
	r = flow_netns_cookie(four[0], &l.netns_cookie);
	if (r == 0) {
		r = open_family((struct sockaddr *)&a6, sizeof(a6), six, &l.port6);
		l.fd[LISTENER_TCP6] = six[0];
		l.fd[LISTENER_NAMES6] = six[1];
		/* No IPv6 in this kernel or namespace: then nothing can connect over it either. */
		if (r == -EAFNOSUPPORT || r == -EADDRNOTAVAIL)
			r = 0;
	}
	if (r < 0)
		listener_close(&l);
	else
		*ret = l;
	return r;
}

static void *run(void *arg)
{
	struct job *j = arg;

	/* Holds for this thread alone, and ends with it. */
	j->r = setns(j->netns_fd, CLONE_NEWNET) < 0 ? -errno : open_all(&j->result);
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

static bool option_is(int fd, int option, int want)
{
	socklen_t n = sizeof(int);
	int is;

	return getsockopt(fd, SOL_SOCKET, option, &is, &n) == 0 && is == want;
}

bool listener_is(int fd, enum listener_end end, uint16_t port, uint64_t netns_cookie)
{
	bool names = end == LISTENER_NAMES4 || end == LISTENER_NAMES6;
	struct sockaddr_storage at;
	const struct sockaddr_in *a4 = (const void *)&at;
	const struct sockaddr_in6 *a6 = (const void *)&at;
	socklen_t size = sizeof(at);
	uint64_t cookie;

	if (!option_is(fd, SO_TYPE, names ? SOCK_DGRAM : SOCK_STREAM) ||
	    !option_is(fd, names ? SO_LOCK_FILTER : SO_ACCEPTCONN, 1) ||
	    getsockname(fd, (struct sockaddr *)&at, &size) < 0 || flow_netns_cookie(fd, &cookie) < 0 ||
	    cookie != netns_cookie)
		return false;
	if (end == LISTENER_TCP4 || end == LISTENER_NAMES4)
		return at.ss_family == AF_INET && ntohs(a4->sin_port) == port &&
		       a4->sin_addr.s_addr == htonl(INADDR_LOOPBACK);
	return at.ss_family == AF_INET6 && ntohs(a6->sin6_port) == port && IN6_IS_ADDR_LOOPBACK(&a6->sin6_addr);
}

void listener_close(struct listener *l)
{
	for (unsigned i = 0; i < LISTENER_ENDS; i++) {
		if (l->fd[i] >= 0)
			close(l->fd[i]);
		l->fd[i] = -1;
	}
}
