/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_KERN_CGROUP_H
#define TOLLGATE_KERN_CGROUP_H

#include <limits.h>
#include <stdint.h>
#include <sys/types.h>

/* Directories are absolute paths. */

/* Mount point of the cgroup2 hierarchy, from /proc/self/mountinfo (on hybrid hosts it is not
 * /sys/fs/cgroup). -ENOENT when none is mounted. */
int cgroup_root(char ret[static PATH_MAX]);

/* Directory of a process's cgroup. -ENOENT when the process or its cgroup is gone or hidden. */
int cgroup_of_pid(pid_t pid, char ret[static PATH_MAX]);

/* Part of dir below the cgroup2 mount, with a leading '/', pointing into dir. NULL when not below
 * it. */
const char *cgroup_relative(const char *dir);

/* The 64-bit id that bpf_get_current_cgroup_id() gives. */
int cgroup_id(const char *dir, uint64_t *ret);

/* The other way. -ENOENT when it is gone. Needs CAP_DAC_READ_SEARCH. */
int cgroup_of_id(uint64_t id, char ret[static PATH_MAX]);

/* Makes <parent>/<name>, 0755, owned by root. An existing one is fine. name must be one
 * component. */
int cgroup_create(const char *parent, const char *name, char ret[static PATH_MAX]);

/* Removes an empty one. -EBUSY while it is populated. */
int cgroup_remove(const char *dir);

/* Moves a whole process. pid 0 is the caller. */
int cgroup_move(const char *dir, pid_t pid);

/* Freezes all that is in it and below (5.2), and waits until it stands. 0; -EALREADY: somebody else froze it;
 * -ETIMEDOUT: not all of it stands after a second or so, but what does, stays frozen. */
int cgroup_freeze(const char *dir);
int cgroup_thaw(const char *dir);

/* 1 when a live process is in it or below, 0, or -errno. */
int cgroup_populated(const char *dir);

/* A descriptor that polls EPOLLPRI when populated changes. Owned by the caller, or -errno. */
int cgroup_events_fd(const char *dir);

#endif
