/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_LISTENER_H
#define TOLLGATE_LISTENER_H

#include <stdint.h>
#include <sys/types.h>

#define LISTENER_BACKLOG 1024 /* connections that may wait while a proxy restarts */

/* The two sockets that one network namespace's steered connections end at. They keep the namespace alive:
 * close them when the scope empties. */
struct listener {
	int fd4, fd6; /* close-on-exec, non-blocking; fd6 is -1 where the namespace has no IPv6 */
	uint16_t port4, port6; /* host order; of 127.0.0.1 and ::1 */
	uint64_t netns_cookie; /* bpf_get_netns_cookie() of the sockets */
};

/* Opens the pair inside the namespace (a descriptor of /proc/PID/ns/net). The work is done by a thread
 * that enters the namespace and ends there: the caller never leaves its own. The sockets belong to the
 * caller's cgroup. They can be bound before the namespace's loopback is up. 0 or -errno. */
int listener_open(int netns_fd, struct listener *ret);
/* By process: -ESRCH when it is gone. */
int listener_open_pid(pid_t pid, struct listener *ret);

/* Closes both. */
void listener_close(struct listener *l);

#endif
