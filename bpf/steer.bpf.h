/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef TOLLGATE_STEER_BPF_H
#define TOLLGATE_STEER_BPF_H

/* Which port of ours a destination becomes, and the record of it at the socket. */
#include "bpf/dest.bpf.h"

/* Whether task storage may be used here; older kernels allow it in tracing programs only. Stands in steer.bpf.c. */
extern const volatile bool cfg_labels_in_cgroup_hooks;

static __always_inline bool is_loopback(const struct dest *d)
{
	if (d->family == 4)
		return !d->a[3] || (bpf_ntohl(d->a[3]) >> 24) == 127;
	return !d->a[0] && !d->a[1] && !d->a[2] && (!d->a[3] || d->a[3] == bpf_htonl(1));
}

static __always_inline struct tg_label *scope_of_current(bool *by_cgroup)
{
	struct tg_label *l;

	*by_cgroup = false;
	if (cfg_labels_in_cgroup_hooks) {
		l = bpf_task_storage_get(&labels, bpf_get_current_task_btf(), 0, 0);
		if (l && l->agent)
			return l;
	}
	l = label_of_cgroup();
	*by_cgroup = true;
	return l && l->agent ? l : NULL;
}

static __always_inline void origin_fill(struct tg_origin *o, const struct dest *d,
					const struct tg_label *l, bool by_cgroup, u64 netns, u16 via)
{
	struct task_struct *t = (struct task_struct *)bpf_get_current_task();
	u64 ids = bpf_get_current_pid_tgid();
	struct tg_file_key exe;

	exe_key(t, &exe);
	__builtin_memcpy(o->dst, d->a, 16);
	o->port = d->port;
	o->family = d->family;
	o->flags = (d->mapped ? TG_ORIGIN_MAPPED : 0) | (by_cgroup ? TG_ORIGIN_CGROUP : 0);
	o->tgid = ids >> 32;
	o->tid = (u32)ids;
	o->uid = (u32)bpf_get_current_uid_gid();
	o->agent = l->agent;
	o->outer = l->outer;
	o->instance = l->instance;
	o->start = task_start(t);
	o->connect_ns = bpf_ktime_get_ns();
	o->cgroup = bpf_get_current_cgroup_id();
	o->netns = netns;
	o->exe_ino = exe.ino;
	o->exe_dev = exe.dev;
	o->via = via;
}

/* The port to connect to instead, or 0: refuse. Writes the socket's record first. */
static __always_inline u16 steer(struct bpf_sock_addr *ctx, const struct dest *d)
{
	struct tg_listener_key key = {};
	struct tg_port_key port = {};
	struct tg_listener *to;
	struct tg_origin *o;
	struct tg_label *l;
	struct bpf_sock *sk = ctx->sk; /* once: a second read is another, untested pointer */
	bool by_cgroup;
	u16 p;

	l = scope_of_current(&by_cgroup);
	if (!l) {
		refuse_event(ctx, d, TG_STAT_CONNECT_NO_SCOPE, NULL);
		return 0;
	}
	if (ctx->protocol != IPPROTO_TCP && !(ctx->protocol == IPPROTO_UDP && names_steered(d->port))) {
		refuse_event(ctx, d, TG_STAT_CONNECT_PROTOCOL, l);
		return 0;
	}
	key.netns = port.netns = bpf_get_netns_cookie(ctx);
	key.agent = l->agent;
	port.port = d->port;
	if (is_loopback(d) && bpf_map_lookup_elem(&listener_ports, &port)) {
		refuse_event(ctx, d, TG_STAT_CONNECT_SELF, l);
		return 0;
	}
	to = bpf_map_lookup_elem(&listeners, &key);
	p = !to ? 0 : d->family == 4 ? to->port4 : to->port6;
	if (!p) {
		refuse_event(ctx, d, TG_STAT_CONNECT_NO_LISTENER, l);
		return 0;
	}
	o = sk ? bpf_sk_storage_get(&origins, sk, 0, BPF_LOCAL_STORAGE_GET_F_CREATE) : NULL;
	if (!o) {
		refuse_event(ctx, d, TG_STAT_CONNECT_NO_STORAGE, l);
		return 0;
	}
	origin_fill(o, d, l, by_cgroup, key.netns, p);
	count(ctx->protocol == IPPROTO_TCP ? TG_STAT_CONNECT_STEERED : TG_STAT_DATAGRAM_STEERED);
	return p;
}

static __always_inline void rewrite4(struct bpf_sock_addr *ctx, u16 port)
{
	ctx->user_ip4 = bpf_htonl(0x7f000001);
	ctx->user_port = bpf_htons(port);
}

/* An IPv4-mapped destination is an IPv4 one, and must stay mapped. */
static __always_inline void rewrite6(struct bpf_sock_addr *ctx, bool mapped, u16 port)
{
	if (!mapped) {
		ctx->user_ip6[0] = 0;
		ctx->user_ip6[1] = 0;
		ctx->user_ip6[2] = 0;
	}
	ctx->user_ip6[3] = bpf_htonl(mapped ? 0x7f000001 : 1);
	ctx->user_port = bpf_htons(port);
}

#endif
