/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_PROC_RESOLVE_H
#define TOLLGATE_PROC_RESOLVE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Steps of all look-ups through one view: a path of links to links could take minutes. Some 100 ms. Asking what a mount
 * is reads a table, and counts for more. */
#define PROC_VIEW_STEPS 65536
#define PROC_VIEW_MOUNT_STEPS 64
#define PROC_VIEW_MOUNTS 8 /* remembered; a power of two */

/* The file system as a process sees it: by its root, its working directory and its own /proc/self. */
struct proc_view {
	pid_t pid;
	int root, cwd;
	unsigned steps; /* left */
	struct {
		uint64_t id; /* 0: none */
		bool on_proc;
	} mounts[PROC_VIEW_MOUNTS]; /* known to be no FUSE */
};

#define PROC_VIEW_NONE { .root = -1, .cwd = -1 }

/* The process should be stopped: a directory that it changes later is not followed. 0 or -errno. */
int proc_view_open(pid_t pid, struct proc_view *ret);
void proc_view_done(struct proc_view *v);

/*
 * Opens, with O_PATH, what a path names for the process; links are followed to the end, also those of /proc/self and
 * /proc/PID/fd, which openat2() would take for the caller's or refuse. The descriptor, or:
 * -ENOENT, -ENOTDIR, -ENAMETOOLONG, -ELOOP: it names nothing, for the process as well; -EOPNOTSUPP: the way leads over
 * FUSE, whose server is not asked; -E2BIG: it takes more steps than the view has left; else -errno.
 */
int proc_view_resolve(struct proc_view *v, const char *path);

#endif
