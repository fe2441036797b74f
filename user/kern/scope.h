/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_KERN_SCOPE_H
#define TOLLGATE_KERN_SCOPE_H

#include <stdint.h>
#include <sys/types.h>

#include "bpf/abi.h"

struct kern;

/* Attaches the steering programs to the topmost cgroup of a scope and pins the links, all or
 * none. -EEXIST when dir itself or an ancestor has them already, -EBUSY when a descendant has:
 * programs are attached once, to the topmost, or the outer ones would see our listener as the
 * destination. */
int kern_scope_attach(struct kern *k, const char *dir);

/* For a scope that should have them: attaches anew unless every program is attached. What an ancestor holds needs
 * nothing of its own. 0 or -errno. */
int kern_scope_repair(struct kern *k, const char *dir);

/* Detaches from that cgroup (by id: the directory may be gone) and forgets it. -ENOENT. */
int kern_scope_detach(struct kern *k, uint64_t cgroup);

/* Ids of the cgroups that have links: fills at most n, sets *ret_n to how many there are. */
int kern_scope_attached(struct kern *k, uint64_t *ids, unsigned n, unsigned *ret_n);

/* Says whose a cgroup and everything below it is; the nearest ancestor with an entry counts. It
 * makes tasks of a unit or container known at their next exec and is the fallback when a task has
 * no label. label->agent 0 removes the entry. */
int kern_scope_cgroup(struct kern *k, uint64_t cgroup, const struct tg_label *label);

/* Labels every thread of a live process; children inherit. label->agent 0 takes the label away. The
 * caller holds the process (fanotify, SIGSTOP) or checks its start time afterwards. -ESRCH. */
int kern_scope_label(struct kern *k, pid_t pid, const struct tg_label *label);

/* -ENOENT when it has none. */
int kern_scope_of(struct kern *k, pid_t pid, struct tg_label *ret);

/* Walks all labelled processes. fn returns 0 to go on; another value stops and is returned. */
typedef int (*kern_scope_fn)(const struct tg_scope_task *t, void *arg);
int kern_scope_each(struct kern *k, kern_scope_fn fn, void *arg);

/* Attaches sockops and getsockopt to the cgroup in which the listeners live. The caller has joined
 * it before it makes its first listener: a socket belongs to the cgroup it was made in for ever.
 * Its tasks alone may continue stopped processes. Replaces an earlier daemon cgroup. */
int kern_daemon_attach(struct kern *k, const char *dir);

/* Makes a cgroup the canary's scope: as an agent's, but it counts as none, so what is attached only while there are
 * agents is not. What an earlier canary's cgroup had goes. 0 or -errno. */
int kern_canary_attach(struct kern *k, const char *dir);

#endif
