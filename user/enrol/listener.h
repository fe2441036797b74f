/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_LISTENER_H
#define TOLLGATE_LISTENER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define LISTENER_BACKLOG 1024 /* connections that may wait while a proxy restarts */

/* Where something steered ends. Connections and datagrams of a family share a port. */
enum listener_end {
	LISTENER_TCP4 = 0,
	LISTENER_TCP6,
	LISTENER_NAMES4, /* datagrams, from agents only: questions to name servers */
	LISTENER_NAMES6,
	LISTENER_ENDS,
};

#define LISTENER_NONE { .fd = { -1, -1, -1, -1 } }

/* The sockets that one network namespace's steered traffic ends at. They keep the namespace alive:
 * close them when the scope empties. */
struct listener {
	int fd[LISTENER_ENDS]; /* close-on-exec, non-blocking; -1 for IPv6 where the namespace has none */
	uint16_t port4, port6; /* host order; of 127.0.0.1 and ::1 */
	uint64_t netns_cookie; /* bpf_get_netns_cookie() of the sockets */
};

static inline uint16_t listener_port(const struct listener *l, enum listener_end end)
{
	return end == LISTENER_TCP4 || end == LISTENER_NAMES4 ? l->port4 : l->port6;
}

/* Opens all of them inside the namespace (a descriptor of /proc/PID/ns/net). The work is done by a thread
 * that enters the namespace and ends there: the caller never leaves its own. The sockets belong to the
 * caller's cgroup. They can be bound before the namespace's loopback is up. 0 or -errno. */
int listener_open(int netns_fd, struct listener *ret);
/* By process: -ESRCH when it is gone. */
int listener_open_pid(pid_t pid, struct listener *ret);

/* Whether fd is that end, with that port of its loopback, in the network namespace of that cookie: it listens, or takes
 * datagrams through a filter that nobody can take off. */
bool listener_is(int fd, enum listener_end end, uint16_t port, uint64_t netns_cookie);

/* Closes all. */
void listener_close(struct listener *l);

#endif
