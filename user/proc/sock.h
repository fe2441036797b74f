/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_PROC_SOCK_H
#define TOLLGATE_PROC_SOCK_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "user/proc/identity.h"

/* A listening TCP socket, as /proc/PID/net/tcp and tcp6 show it. */
struct proc_listener {
	uint64_t ino;
	uint64_t cookie; /* SO_COOKIE */
	uint32_t uid; /* of its creator */
	int family; /* AF_INET or AF_INET6: of the socket, not of the address asked for */
};

/*
 * Which socket would accept a connection to addr:port in the network namespace of process ns_pid? The most
 * specific listener is taken as the kernel takes it (exact address before any, IPv4 socket before
 * IPv6). addr has 16 bytes, IPv4 as ::ffff:a.b.c.d; port in host order. The cookie is not filled in.
 * 0; -ENOENT nobody listens; -ENOTUNIQ several sockets of one rank; -EACCES, -ESRCH as met.
 * LIMIT: SO_BINDTODEVICE is not visible here.
 */
int proc_listener_find(pid_t ns_pid, const uint8_t addr[16], uint16_t port, struct proc_listener *ret);

/* Who holds it: looks at every process. Fills in the identity of the one that does, and the cookie; init's copy
 * (socket activation) does not count beside another's. 0; -ENOTUNIQ holders that are not the same program of the same
 * user; -ESRCH nobody; -EACCES. */
int proc_listener_holder(struct proc_listener *l, struct proc_identity *ret_owner);

/* Both. */
int proc_listener_owner(pid_t ns_pid, const uint8_t addr[16], uint16_t port, struct proc_listener *ret,
			struct proc_identity *ret_owner);

/* proc_listener_holder() where pid is known to hold it, if it still does: looks at nobody else.
 * 0, -ESRCH, -EACCES. */
int proc_listener_held_by(struct proc_listener *l, pid_t pid, struct proc_identity *ret_owner);

/* One table's text (family AF_INET: tcp, AF_INET6: tcp6) for the best listeners of addr:port; *rank
 * carries the best rank so far and inos the sockets of that rank, at most max. Returns their number
 * so far (from have), or -E2BIG. For proc_listener_find() and the fuzzer. */
int proc_listener_scan(const char *text, size_t n, int family, const uint8_t addr[16], uint16_t port,
		       unsigned *rank, struct proc_listener *list, unsigned have, unsigned max);

#endif
