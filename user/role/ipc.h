/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_IPC_H
#define TOLLGATE_IPC_H

#include <stddef.h>
#include <stdint.h>

struct loop;
struct ipc;

#define IPC_MESSAGE_MAX (64 * 1024) /* one message; larger things travel as sealed memfds */
#define IPC_FDS_MAX 8
#define IPC_QUEUE_MAX 4096 /* messages waiting for a slow peer before the channel is given up */

/* A received message. Body and descriptors are valid during the callback; a descriptor that the
 * callback keeps is taken with ipc_take_fd(), the others are closed afterwards. */
struct ipc_msg {
	uint32_t type;
	uint64_t cookie; /* the sender's own, given back in the answer */
	const void *body;
	size_t len;
	int fds[IPC_FDS_MAX];
	unsigned nfds;
};

struct ipc_ops {
	/* A negative return means "malformed": the channel is closed and `closed` is called. */
	int (*message)(struct ipc *c, struct ipc_msg *m, void *arg);
	/* The peer is gone or broke the protocol. The channel is dead; free it here or later. */
	void (*closed)(struct ipc *c, void *arg);
};

/* A connected pair of SOCK_SEQPACKET sockets, close-on-exec. 0 or -errno. */
int ipc_pair(int ret_fds[2]);

/* Takes fd. Messages arrive through ops on the loop. 0 or -errno (fd is then still the caller's). */
int ipc_new(struct loop *l, int fd, const struct ipc_ops *ops, void *arg, struct ipc **ret);
void ipc_free(struct ipc *c);
/* Whether everything that was sent has left; -1, or the channel's descriptor (borrowed) if so. */
int ipc_idle_fd(const struct ipc *c);

/* Sends or queues one message; descriptors are duplicated when queued, always borrowed.
 * 0, -EMSGSIZE, -ENOBUFS (queue full: the caller treats the peer as failed), -EPIPE. */
int ipc_send(struct ipc *c, uint32_t type, uint64_t cookie, const void *body, size_t len,
	     const int *fds, unsigned nfds);

/* Waits on a raw channel descriptor, outside any loop, for one message of exactly len bytes and up to
 * nfds descriptors (missing ones are -1). For start-up and for one-shot roles. timeout_ms -1: for ever.
 * 0, -ETIMEDOUT, -EPIPE, -EBADMSG. */
int ipc_wait(int fd, int timeout_ms, uint32_t type, void *body, size_t len, int *ret_fds,
	     unsigned nfds);
int ipc_put(int fd, uint32_t type, uint64_t cookie, const void *body, size_t len, const int *fds,
	    unsigned nfds);

int ipc_take_fd(struct ipc_msg *m, unsigned i);

#endif
