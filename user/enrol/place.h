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
 * `empty` callback returns. Directories are absolute paths, as in user/kern/cgroup.h. */
struct place {
	uint64_t id; /* cgroup id, as the kernel programs see it */
	unsigned agent; /* as given to place_open() */
	uint64_t outer; /* id of the scope it lies in, 0: none */
	bool made; /* by us: removed when empty. Else it is somebody's unit or container */
	bool entered; /* a process has lived in it */
	const char *dir;
};

/* A scope has no process left. When this returns, the place is gone, and its cgroup removed if made. */
typedef void (*place_empty_fn)(struct place *p, void *arg);

/* loop watches for scopes that empty. 0 or -errno. */
int places_new(struct loop *l, place_empty_fn empty, void *arg, struct places **ret);
/* Forgets the scopes; cgroups and processes stay as they are. NULL is fine. */
void places_free(struct places *ps);

/* The innermost known scope that a cgroup is or lies in, or NULL. */
struct place *places_find(struct places *ps, const char *dir);
struct place *places_by_id(struct places *ps, uint64_t id);
/* Scopes in no order: i from 0 until NULL. */
struct place *places_at(struct places *ps, unsigned i);

/* Whether the cgroup or one above it belongs to another uid than root's: 1, 0, or -errno. What it owns it may empty:
 * moving a process needs write access to the common ancestor, which then is in its hands. */
int places_delegated(const struct places *ps, const char *dir);

/* Creates (or finds) the scope that agent `name`, numbered agent, would have for a process that now
 * lives in cgroup dir, without moving anything: the kernel programs are attached to it before a process
 * enters. The scope is a root-owned child of that cgroup, or, where that cgroup is delegated to another
 * uid (who could move processes out again), of tollgate.slice. A cgroup inside another agent's scope gets a
 * child of it; inside the same agent's, the scope it is in. To be followed by place_enter() that succeeds or by
 * place_drop(): until then the scope stays, though it be empty.
 * 0 or -errno; -EPERM when a cgroup of that name exists and is not root's. */
int place_open(struct places *ps, const char *dir, const char *name, unsigned agent, struct place **ret);

/* A cgroup that is a scope as it stands (selector unit or cgroup, or one found at start-up). An unknown
 * one; -EEXIST otherwise. One that is empty already is reported by the `empty` callback from the loop. */
int place_adopt(struct places *ps, const char *dir, unsigned agent, bool made, struct place **ret);

/* Moves the whole process into the scope. 0, -ESRCH when it is gone, or -errno. */
int place_enter(struct place *p, pid_t pid);

/* Ends what place_open() began, when no process enters. A scope that then is empty and that nobody else
 * is about to enter goes at once, with the callback if a process ever lived in it. */
void place_drop(struct places *ps, struct place *p);

/* Calls fn for each cgroup of the system named tollgate-<name> that is root's, outer ones first: for a
 * supervisor that starts over live scopes. The caller decides by id what it trusts. A negative return
 * of fn ends the walk and is handed back. */
typedef int (*place_scan_fn)(const char *dir, const char *name, uint64_t id, void *arg);
int places_scan(place_scan_fn fn, void *arg);

#endif
