/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_PLACE_H
#define TOLLGATE_PLACE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct loop;
struct places;

#define PLACE_NAME_PREFIX "tollgate-"
#define PLACE_SLICE "tollgate.slice" /* at the top, for processes that live in a delegated cgroup */

/* One scope: a cgroup that one agent's processes live in. Owned by struct places; valid until its
 * `empty` callback returns. */
struct place {
	uint64_t id; /* cgroup id, as the kernel programs see it */
	int fd; /* of the cgroup directory */
	unsigned agent; /* as given to place_process() */
	uint64_t outer; /* id of the scope it lies in, 0: none */
	bool made; /* by us: removed when empty. Else it is somebody's unit or container */
	const char *path; /* below the cgroup2 mount, "/..." */
};

struct place_ops {
	/* A scope has no process left. When it returns, the place is gone, and its cgroup removed if made. */
	void (*empty)(struct place *p, void *arg);
};

/* root_fd: the cgroup2 mount (borrowed for the lifetime). loop watches for scopes that empty.
 * 0 or -errno. */
int places_new(struct loop *l, int root_fd, const struct place_ops *ops, void *arg,
	       struct places **ret);
/* Forgets the scopes; cgroups and processes stay as they are. NULL is fine. */
void places_free(struct places *ps);

/* Scope of a path below the mount: the innermost known one, or NULL. */
struct place *places_find(struct places *ps, const char *cgroup);
struct place *places_by_id(struct places *ps, uint64_t id);
/* Scopes in no order: i from 0 until NULL. */
struct place *places_at(struct places *ps, unsigned i);

/* Creates (or finds) the scope that agent `name`, numbered agent, would have for a process that now
 * lives in `cgroup` ("/..." below the mount), without moving anything: the kernel programs are attached to
 * it before a process enters. The scope is a root-owned child of that cgroup, or, where that cgroup is
 * delegated to another uid (who could move processes out again), of tollgate.slice. A cgroup inside
 * another agent's scope gets a child of it; inside the same agent's, the scope it is in.
 * 0 or -errno; -EPERM when a cgroup of that name exists and is not root's. */
int place_open(struct places *ps, const char *cgroup, const char *name, unsigned agent,
	       struct place **ret);

/* A cgroup that is a scope as it stands (selector unit or cgroup, or one found at start-up). */
int place_adopt(struct places *ps, const char *cgroup, unsigned agent, bool made, struct place **ret);

/* Moves the whole process into the scope. 0, -ESRCH when it is gone, or -errno. */
int place_enter(struct place *p, pid_t pid);

/* Calls fn for each cgroup below the mount whose name is tollgate-<x> (x without the prefix), outer
 * ones first: for a supervisor that starts over live scopes. The caller decides by id what it trusts.
 * A negative return ends the walk and is handed back. */
int places_scan(struct places *ps, int (*fn)(const char *cgroup, const char *name, uint64_t id,
					     void *arg), void *arg);

/* The cgroup2 path of a live process, "/..." below the mount, from /proc/PID/cgroup. 0 or -errno. */
int place_of_process(pid_t pid, char *ret, size_t size);

#endif
