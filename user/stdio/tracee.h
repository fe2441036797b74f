/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_STDIO_TRACEE_H
#define TOLLGATE_STDIO_TRACEE_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/time.h>
#include <sys/types.h>

#include "user/stdio/arch.h"

/* Stopping threads by ptrace and making one of them call the kernel. Role injector only. */

/* A time limit over all waits of a takeover. SIGALRM and ITIMER_REAL are used between the two calls. */
struct tracee_timer {
	uint64_t deadline; /* monotonic ns */
	struct sigaction old_action;
	struct itimerval old_timer;
	sigset_t old_mask;
};

int tracee_timer_start(struct tracee_timer *t, unsigned ms);
void tracee_timer_stop(struct tracee_timer *t);

/* Attaches with PTRACE_O_EXITKILL and asks the thread to stop. 0; -ESRCH; -EBUSY another tracer has it;
 * -EACCES the kernel refuses. */
int tracee_seize(pid_t tid);

/* Waits until a seized thread stands still. Signals on the way are delivered, but for SIGSTOPs that the
 * kernel sent (our own hold; the takeover ends with another). *ret_group_stop: it stood in a group stop
 * before. 0, -ESRCH, -ETIMEDOUT. */
int tracee_wait_stop(pid_t tid, const struct tracee_timer *t, bool *ret_group_stop);

/* Detaches; the thread goes on, or into the group stop that is due. */
void tracee_detach(pid_t tid);

#define TRACEE_SCRATCH 512

/* The thread of a process that makes calls for us. */
struct tracee {
	pid_t pid; /* the thread's own number */
	const struct tracee_timer *timer;
	struct arch_regs saved;
	uint64_t sigmask;
	uint64_t gadget; /* address of a system call instruction in its vDSO */
	uint64_t scratch; /* address of memory that is ours until the end */
	uint64_t requeue; /* signals that came meanwhile, bit signo-1 */
	bool begun;
	bool stop_seen; /* somebody else's SIGSTOP came meanwhile */
	unsigned steps;
	unsigned char kept[TRACEE_SCRATCH];
};

/* Saves what the calls will disturb: registers, signal mask, a piece of stack memory. The thread is
 * stopped. 0; -ENOEXEC 32-bit; -EOPNOTSUPP no usable instruction; -EFAULT; -ESRCH. */
int tracee_begin(struct tracee *t, pid_t pid, const struct tracee_timer *timer);

/* Makes the thread run one system call. Its result (negative errno included); -ESRCH when it died,
 * -ETIMEDOUT, -EFAULT when it ran something else, -EPERM when a seccomp filter trapped the call. */
long tracee_call(struct tracee *t, long nr, uint64_t a, uint64_t b, uint64_t c, uint64_t d);

/* Reads and writes the scratch memory. 0 or -EFAULT. */
int tracee_read(const struct tracee *t, size_t at, void *p, size_t n);
int tracee_write(const struct tracee *t, size_t at, const void *p, size_t n);

/* Puts everything back. An interrupted call restarts when the thread goes on. 0 or -errno. */
int tracee_end(struct tracee *t);

#endif
