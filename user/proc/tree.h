/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_PROC_TREE_H
#define TOLLGATE_PROC_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* A list that would grow beyond this is refused (-E2BIG), never cut: what is not listed would be
 * overlooked. It is the default of pid_max on machines with few cores. */
#define PROC_PIDS_MAX 32768
#define PROC_FDS_MAX 1048576 /* descriptors looked at in one table: the default of fs.nr_open */

/* A growing list of pids; zero-initialised is empty. */
struct proc_pids {
	pid_t *v;
	size_t n, cap;
};

void proc_pids_done(struct proc_pids *l);
int proc_pids_add(struct proc_pids *l, pid_t pid);
bool proc_pids_has(const struct proc_pids *l, pid_t pid);

#define _cleanup_pids_ __attribute__((cleanup(proc_pids_done)))

/* From /proc/PID/stat; the process's name may hold anything. */
struct proc_stat {
	char state; /* R S D T t Z X I */
	bool kthread; /* of the kernel, without a user's memory */
	pid_t ppid;
	uint64_t start_ticks;
};

/* 0, -ESRCH, or -EBADMSG when the kernel's line is not understood. */
int proc_stat_read(pid_t pid, struct proc_stat *ret);
/* The same from a line's bytes; for proc_stat_read() and the fuzzer. */
int proc_stat_parse(const char *s, size_t n, struct proc_stat *ret);

/* pid of the process that traces this one, 0 when none. 0 or -errno. */
int proc_tracer(pid_t pid, pid_t *ret);

/* All processes; the threads of one; the children of all its threads. Appended to ret. 0 or -errno. */
int proc_all(struct proc_pids *ret);
int proc_threads(pid_t pid, struct proc_pids *ret);
int proc_children(pid_t pid, struct proc_pids *ret);

/* 1 when every thread is stopped, so that none can be on its way out of a system call; 0 when one is not (a parent
 * that waits for vfork() is not until its child executes); -errno, -ESRCH: gone. */
int proc_stands(pid_t pid);

/* Gone, or every thread of it has ended: it has no descriptors and runs nothing any more. */
bool proc_ended(pid_t pid);

/* root and everything below it, parents before children. Processes that come or go meanwhile may be
 * missed: stop them and ask again. -ESRCH when root is gone. */
int proc_descendants(pid_t root, struct proc_pids *ret);

/* Walks up the parents: 0 for root itself, 1 for its children. -ENOENT when it is not below, -ESRCH when a process
 * vanished on the way. */
int proc_depth(pid_t pid, pid_t root);
bool proc_is_below(pid_t pid, pid_t root);

/* A pipe or socket, named as /proc/PID/fd names it: no file system is asked, so nothing that an agent
 * mounted can block the reader. Named pipes have no such name and never match. */
struct proc_object {
	mode_t type; /* S_IFIFO or S_IFSOCK */
	uint64_t ino;
	int access; /* O_RDONLY: descriptors that can read; O_WRONLY: that can write; -1 or a socket: any */
	const char *anon; /* with type 0: any descriptor of this anonymous kind, as "[eventpoll]" */
};

struct proc_fd {
	int fd;
	unsigned which; /* index of the object it refers to */
	int flags; /* as F_GETFL, with O_CLOEXEC when it closes on exec */
};

/* Descriptors of task tid (of process pid) that refer to one of the objects, as a malloc()ed array.
 * None is no error. -ESRCH when the task is gone, -E2BIG beyond PROC_FDS_MAX. */
int proc_fds_find(pid_t pid, pid_t tid, const struct proc_object *objects, unsigned n,
		  struct proc_fd **ret, size_t *ret_n);

/* Does the process hold one of the objects, in any of its threads? Threads may have descriptor tables of
 * their own; *ret_split tells that such a one, or one behind an ended first thread, holds it.
 * 1, 0, or -errno (-ESRCH: gone; -EACCES: we may not look). */
int proc_holds(pid_t pid, const struct proc_object *objects, unsigned n, bool *ret_split);

/* Every process on the machine that holds one of the objects. A process that the kernel hides even from
 * CAP_SYS_PTRACE is passed over: it is beyond us, and beyond an agent. Descriptors that are only in flight
 * in a socket's queue or registered with an io_uring are not visible to this. 0 or -errno. */
int proc_holders(const struct proc_object *objects, unsigned n, struct proc_pids *ret);

#endif
