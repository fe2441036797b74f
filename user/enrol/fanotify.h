/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_FANOTIFY_H
#define TOLLGATE_FANOTIFY_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct fan;
struct loop;

/* An exec that waits for an answer. Everything in it is borrowed for the callback. */
struct fan_event {
	uint64_t token; /* for fan_answer() */
	pid_t pid; /* thread group that executes */
	int pidfd; /* of it; -1 on kernels before 5.15 */
	int fd; /* the file, read-only */
	const char *path; /* of the file as the supervisor's root sees it; "" when it has none */
	int watch; /* which fan_watch() it is, -1 for an inode that is no longer the path's */
};

enum fan_verdict {
	FAN_VERDICT_DENY = 0, /* execve() fails with EPERM */
	FAN_VERDICT_ALLOW,
	FAN_VERDICT_LATER, /* keep it held; the holder calls fan_answer() with the token */
};

/*
 * What the callback must never do: ptrace the held process. SEIZE needs the mutex that execve() holds
 * (from the second event of a "#!" exec on, on older kernels from the first), so both would wait for ever.
 * Reading /proc/PID, moving it between cgroups, pidfd_getfd() and signals are safe.
 */
typedef enum fan_verdict (*fan_fn)(const struct fan_event *e, void *arg);

/* Holds on exec are valid while the process that called this lives: when it dies the kernel lets every
 * held exec go, so the exec guard behind it (pinned) must judge those. No hold times out by itself.
 * Needs CAP_SYS_ADMIN. 0 or -errno. */
int fan_new(struct loop *l, fan_fn fn, void *arg, struct fan **ret);

/* Denies what is still held, then lets go of all marks. NULL is fine. */
void fan_free(struct fan *f);

/* Watches the file that path names now, and again when another file takes its place. A path that does
 * not exist yet is watched for. Returns the watch's number (0, 1, ... in order of calls) or -errno. */
int fan_watch(struct fan *f, const char *path);

/* The path given for a watch, or NULL. An event's watch names it even where the process came to the file by
 * another name (a hard link, a bind mount): selectors should be asked with this path. */
const char *fan_path(const struct fan *f, int watch);

/* Looks at every watched path now: for a caller that knows of a change. Also runs by itself on a change
 * in the file's folder and every two seconds. Count of marks renewed, or -errno of the last failure. */
int fan_recheck(struct fan *f);

/* Whether the watched path is a file that is marked. */
bool fan_watching(const struct fan *f, int watch);

/* Answers an event that the callback left for later; needed too when the process was killed meanwhile.
 * 0, -ENOENT for an unknown token, or -errno. */
int fan_answer(struct fan *f, uint64_t token, bool allow);

/* Execs of this process (ours) are let through without asking. The caller's own pid always is. */
int fan_exempt(struct fan *f, pid_t pid);
void fan_unexempt(struct fan *f, pid_t pid);

struct fan_stats {
	uint64_t events, allowed, denied, remarked, lost;
	unsigned held; /* now */
};
void fan_stats(const struct fan *f, struct fan_stats *ret);

#endif
