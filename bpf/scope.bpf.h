/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef TOLLGATE_SCOPE_BPF_H
#define TOLLGATE_SCOPE_BPF_H

/* Who is in scope: the task's own label, else the nearest cgroup that has one. */
#include "bpf/common.bpf.h"

/* LIMIT: a scope cgroup deeper than this below the root is not found by its id. */
#define SCOPE_DEPTH 24

#define IPPROTO_TCP 6
#define IPPROTO_UDP 17
#define IPPROTO_MPTCP 262

/* On kernels before 6.2 a look-up may miss while the same CPU is inside a storage operation;
 * callers that decide something fall back to the cgroup. */
static __always_inline struct tg_label *label_of(struct task_struct *t)
{
	struct tg_label *l = bpf_task_storage_get(&labels, t, 0, 0);

	return l && l->agent ? l : NULL;
}

/* Whether a process of some scope traces t: it could let t run on, whatever stops it. Our own injector may. While one
 * attaches, the parent is still the real one: the credentials are set after it. */
static __always_inline bool traced_by_agent(struct task_struct *t)
{
	return t->ptrace && t->ptracer_cred && label_of(t->parent);
}

/* The cgroup label of current that lies deepest, or NULL. */
static __always_inline struct tg_label *label_of_cgroup(void)
{
	struct tg_label *found = NULL, *l;

	for (int level = 0; level < SCOPE_DEPTH; level++) {
		u64 id = bpf_get_current_ancestor_cgroup_id(level);

		if (!id)
			break;
		l = bpf_map_lookup_elem(&scope_cgroups, &id);
		if (l)
			found = l;
	}
	return found;
}

static __always_inline bool current_below(u64 cgroup)
{
	if (!cgroup)
		return false;
	for (int level = 0; level < SCOPE_DEPTH; level++) {
		u64 id = bpf_get_current_ancestor_cgroup_id(level);

		if (id == cgroup)
			return true;
		if (!id)
			break;
	}
	return false;
}

/* Whether a refusal is told only. */
static __always_inline bool observing(void)
{
	struct tg_state *st = state_get();

	return st && (st->flags & TG_STATE_OBSERVE);
}

/* Gives current the label that its fork could not store, if there is one. */
static __always_inline struct tg_label *label_late(struct task_struct *current)
{
	u32 tid = (u32)bpf_get_current_pid_tgid();
	struct tg_state *st = state_get();
	struct tg_label *l, *kept;

	if (!st || !st->unlabelled)
		return NULL;
	kept = bpf_map_lookup_elem(&late_labels, &tid);
	if (!kept)
		return NULL;
	l = bpf_task_storage_get(&labels, current, kept, BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (!l)
		return kept;
	if (!bpf_map_delete_elem(&late_labels, &tid))
		__sync_fetch_and_add(&st->unlabelled, -1);
	return l;
}

#endif
