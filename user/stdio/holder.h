/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_STDIO_HOLDER_H
#define TOLLGATE_STDIO_HOLDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "user/proc/tree.h"
#include "user/stdio/tracee.h"

/* One process that holds descriptors of the conversation: stopped as a whole, changed by its own calls. */

#define HOLDER_THREADS_MAX 1024 /* above: refused; servers have tens */
#define HOLDER_FDS_MAX 64 /* duplicates in one process */
#define HOLDER_REGS_MAX 128 /* epoll registrations of them */
#define ENDS_MAX 6 /* different descriptions of the two objects: see struct stdio_end_fd */

/* A file description that replaces one or more of the original ones. Descriptors of one pipe opened apart
 * (/dev/stdin) have flags of their own and get a description of their own each kind. */
struct stdio_end_fd {
	unsigned which; /* 0: server's input, 1: output */
	int flags; /* O_ACCMODE, O_NONBLOCK and O_APPEND of the original */
	int fd; /* ours */
};

struct stdio_ends {
	struct stdio_end_fd v[ENDS_MAX];
	unsigned n;
};

#define STDIO_END_FLAGS (O_ACCMODE | O_NONBLOCK | O_APPEND)

/* The number of the end that stands for an original of these flags, or -ENOENT. */
int stdio_ends_find(const struct stdio_ends *e, unsigned which, int flags);

struct epoll_reg {
	int epfd, fd;
	uint32_t events;
	uint64_t data;
	bool moved; /* by another process that shares the epoll instance */
};

struct holder {
	pid_t pid;
	int pidfd;
	struct proc_pids threads; /* seized */
	size_t nstopped; /* the first so many stand still */
	bool group_stop; /* it was stopped by somebody before us */
	struct proc_fd *fds;
	size_t nfds;
	struct epoll_reg *regs;
	size_t nregs;
	struct tracee tracee;
	int temp[ENDS_MAX + 5]; /* descriptors made in it by us, to be closed there */
	unsigned ntemp;
	int end_fd[ENDS_MAX]; /* its descriptor of each end, -1 */
};

/* Seizes and stops every thread. 0; -ESRCH; -EBUSY traced; -EACCES; -ETIMEDOUT; -E2BIG. What was seized is
 * released by holder_release() in any case. */
int holder_stop(struct holder *h, pid_t pid, const struct tracee_timer *timer);

/* Lists its descriptors of the objects and their epoll registrations. old[0..nold-1] are the originals;
 * sdev their devices as fdinfo prints them. 0; -E2BIG; -EOPNOTSUPP when an io_uring may use one of them. */
int holder_inspect(struct holder *h, const struct proc_object *old, unsigned nold,
		   const uint64_t sdev[2]);

/* A copy of its descriptor in this process. The descriptor or -errno. */
int holder_getfd(const struct holder *h, int fd);

/* Makes a connected pair of the given type in it. S_IFSOCK falls back to a pipe when that is refused.
 * ret_fds[0] is the read end. 0 or -errno. */
int holder_make_pair(struct holder *h, mode_t type, int ret_fds[2], mode_t *ret_type);

/* Brings copies of up to ENDS_MAX descriptors of ours into it, close-on-exec; they are closed there with it. 0 or
 * -errno. */
int holder_bring(struct holder *h, const int *ours, unsigned n, int *ret);

/* Brings those ends that it needs and does not have yet into it. 0 or -errno. */
int holder_import(struct holder *h, const struct stdio_ends *ends);

/* Replaces every descriptor. After the first change that was made *ret_touched is true. 0 or -errno. */
int holder_replace(struct holder *h, const struct stdio_ends *ends, bool *ret_touched);

/* Some programs (Python without buffers) take a write() that a stop cut short for a whole one and lose the
 * rest. Writes the rest of such a call to the new output, from the thread's own memory, and lets the call
 * return all of it. What does not fit stays cut, as after any stop. */
void holder_complete_writes(struct holder *h, const struct stdio_ends *ends);

/* Closes in it what we made there and puts its thread back. 0 or -errno. */
int holder_restore(struct holder *h);

/* Leaves it under SIGSTOP and detaches. False when a thread did not stand still: it stays ours, and dies
 * with us. */
bool holder_release(struct holder *h);

#endif
