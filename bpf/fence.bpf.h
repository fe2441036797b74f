/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef TOLLGATE_FENCE_BPF_H
#define TOLLGATE_FENCE_BPF_H

/* What the programs of the fence share: whose a task and a socket are, and how a refusal is told. */
#include "bpf/scope.bpf.h"

#define EPERM 1

#define AF_UNIX 1
#define AF_INET 2
#define AF_INET6 10
#define AF_NETLINK 16
#define SOCK_STREAM 1
#define SOCK_DGRAM 2
#define S_IFMT 0170000
#define S_IFSOCK 0140000
#define S_IFCHR 0020000

/* The verdict is the caller's already; a full ring changes nothing of it. */
static __always_inline void fence_event(u32 reason, const struct tg_label *l, s64 what)
{
	struct tg_event *e;

	count(reason);
	e = event_new_exec(TG_EV_FENCE);
	if (!e)
		return;
	e->fence.reason = reason;
	e->fence.agent = l ? l->agent : 0;
	e->fence.outer = l ? l->outer : 0;
	e->fence.uid = (u32)bpf_get_current_uid_gid();
	e->fence.what = what;
	bpf_ringbuf_submit(e, 0);
}

static __always_inline int fence_refuse(u32 reason, const struct tg_label *l, s64 what)
{
	fence_event(reason, l, what);
	return observing() ? 0 : -EPERM;
}

/* The label of current. Hooks that every process of the machine meets often ask this only. */
static __always_inline struct tg_label *labelled(void)
{
	struct task_struct *t = bpf_get_current_task_btf();
	struct tg_label *l = label_of(t);

	return l ? l : label_late(t);
}

/* The same, or by its cgroup: a task of a unit or container that has not executed since. */
static __always_inline struct tg_label *fenced(void)
{
	struct tg_label *l = labelled();

	return l ? l : label_of_cgroup();
}

/* Whether what one agent makes is within another's reach: it is the same, or one encloses the other. */
static __always_inline bool akin(const struct tg_label *a, const struct tg_label *b)
{
	return a->agent == b->agent || a->agent == b->outer || a->outer == b->agent ||
	       (a->outer && a->outer == b->outer);
}

/* Of the nearest cgroup above the one that the socket was made in. The first member of a cgroup is its own
 * subsystem state, so a parent's address is the parent cgroup's. */
static __always_inline struct tg_label *label_of_sock(struct sock *sk, u64 daemon, bool *ret_ours)
{
	struct cgroup *c = BPF_CORE_READ(sk, sk_cgrp_data.cgroup);

	*ret_ours = false;
	for (int level = 0; level < SCOPE_DEPTH && c; level++) {
		u64 id = BPF_CORE_READ(c, kn, id);
		struct tg_label *l = bpf_map_lookup_elem(&scope_cgroups, &id);

		if (l && l->agent)
			return l;
		if (daemon && id == daemon)
			*ret_ours = true;
		c = (struct cgroup *)BPF_CORE_READ(c, self.parent);
	}
	return NULL;
}

/* Whether steering and the cgroup programs do not see what goes through this socket: it was made outside every
 * scope, or is of a family that no scope can make. */
static __always_inline bool sock_foreign(struct sock *sk)
{
	u16 family = BPF_CORE_READ(sk, __sk_common.skc_family);
	bool ours;

	if (family == AF_UNIX || family == AF_NETLINK)
		return false;
	if (family != AF_INET && family != AF_INET6)
		return true;
	return !label_of_sock(sk, 0, &ours);
}

/* Devices that put packets on a wire, or memory of the kernel within reach. */
static __always_inline bool device_barred(u32 major, u32 minor)
{
	enum { MEM = 1, MISC = 10 };
	enum { MEM_MEM = 1, MEM_KMEM = 2, MEM_PORT = 4 };
	enum { MISC_TUN = 200, MISC_VHOST_NET = 238, MISC_VHOST_VSOCK = 241 };

	if (major == MEM)
		return minor == MEM_MEM || minor == MEM_KMEM || minor == MEM_PORT;
	return major == MISC &&
	       (minor == MISC_TUN || minor == MISC_VHOST_NET || minor == MISC_VHOST_VSOCK);
}

#endif
