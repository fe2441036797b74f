/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_STDIO_TAKEOVER_H
#define TOLLGATE_STDIO_TAKEOVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct stdio_cage;
struct walk;

#define STDIO_HOLDERS_MAX 64 /* processes that share one conversation's descriptors */
#define STDIO_TEXT_MAX 256

/* Why a takeover did not happen. Travels between roles as a number: append only. */
enum stdio_reason {
	STDIO_DONE = 0,
	STDIO_GONE, /* a process ended, or nobody holds the objects (any more) */
	STDIO_TRACED, /* a holder has a tracer already */
	STDIO_THIRTYTWO_BIT, /* a holder runs 32-bit code */
	STDIO_UNKNOWN_HOLDER, /* a process outside the tree holds an object, or something that no process shows */
	STDIO_TIMEOUT, /* a holder did not stop, or a call did not end, in time */
	STDIO_REFUSED, /* the kernel refused the attach or an injected call: sandbox, limit, security module */
	STDIO_UNSUPPORTED, /* descriptor of another kind, split tables, io_uring */
	STDIO_LIMIT, /* more processes, threads, descriptors than this room handles */
	STDIO_FAULT, /* the injector's own failure */
};

/* Stable lower-case word for records and messages. */
const char *stdio_reason_name(enum stdio_reason reason);

struct stdio_job {
	pid_t host; /* never touched */
	pid_t root; /* whose descendants are expected to hold the objects; usually the host */
	pid_t server;
	uint64_t server_start; /* start ticks of the server; 0: not checked */
	uint32_t mode0, mode1; /* S_IFMT part: S_IFIFO or S_IFSOCK of the server's standard input, output */
	uint64_t ino0, ino1; /* equal when one socket serves both */
	uint32_t timeout_ms; /* for the whole; 0: STDIO_TIMEOUT_MS */
	/* One pass over the holders of the two objects, as they are now: in the agents' scopes, where all should be,
	 * or everywhere on the machine. 0, -errno, -E2BIG when there are no more passes. */
	int (*walk)(void *arg, bool everywhere, struct walk *ret);
	void *walk_arg;
	const struct stdio_cage *cage; /* what the server and all below it are confined to; NULL: nothing */
};

#define STDIO_WALKS_SCOPE 5 /* passes of each kind that one takeover may ask for */
#define STDIO_WALKS_ALL 3

#define STDIO_TIMEOUT_MS 2000

struct stdio_taken {
	enum stdio_reason reason;
	/* The tree is half changed or could not be released: it must be killed, resuming it would leave
	 * a way round the gate. Never set with STDIO_DONE. */
	bool dirty;
	int orig_in; /* what the host writes; read end */
	int orig_out; /* what the host reads; write end */
	int to_server, from_server; /* far ends of the server's new descriptors; non-blocking */
	uint32_t new_mode0, new_mode1; /* a socket becomes a pipe where a sandbox forbids socketpair() */
	uint64_t new_ino0, new_ino1; /* of the server's new descriptors */
	/* At the swap, everything stopped: bytes the server had not read, and bytes it had written that the
	 * host had not read. unread_out of a socket is an upper bound; 0 is exact. */
	uint64_t unread_in, unread_out;
	/* Processes left stopped, without those that somebody else had stopped before. The server is among them
	 * unless it was never reached: one that the caller stopped is then still stopped. */
	pid_t holders[STDIO_HOLDERS_MAX];
	unsigned nholders;
	unsigned nthreads, nsteps; /* threads stopped, calls injected */
	char text[STDIO_TEXT_MAX]; /* reason in words, for the log; no bytes of the server's choosing */
};

/*
 * Takes over the two descriptions in a running tree: stops every thread of every holder, replaces every
 * descriptor of theirs, renews epoll registrations. Role injector only: it uses ptrace with
 * PTRACE_O_EXITKILL, waits with SIGALRM and ITIMER_REAL and expects to be single-threaded; the caller's
 * death kills the tree. On return nothing is traced and the holders are stopped, whatever the outcome:
 * the caller resumes or kills them. On failure that is not dirty the tree holds what it held before.
 * The four descriptors are -1 unless STDIO_DONE; close-on-exec, the caller's. orig_in and orig_out are
 * reopened non-blocking when they are pipes (needs permission on the pipe's inode; otherwise they are the
 * originals with their flags untouched and a reader must use RWF_NOWAIT).
 */
enum stdio_reason stdio_take(const struct stdio_job *job, struct stdio_taken *ret);

/*
 * Puts one process, stopped right after its exec, into a cage; nothing of it is taken over. Afterwards it is stopped
 * as before; what failed half-way is dirty and must be killed. Otherwise as stdio_take(); ret has no descriptors.
 */
enum stdio_reason stdio_confine(pid_t pid, uint64_t start, const struct stdio_cage *cage, unsigned timeout_ms,
				struct stdio_taken *ret);

/* SIGCONT to processes that stdio_take() left stopped. Those that are gone are passed over. */
void stdio_resume(const pid_t *pids, size_t n);

/* Closes the four descriptors. */
void stdio_taken_done(struct stdio_taken *t);

#endif
