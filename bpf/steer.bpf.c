// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * TCP steering, client side. Attached to the topmost cgroup of each scope, and nowhere else: the
 * rest of the machine pays nothing. Every path that lacks something it needs ends in EPERM. Sockets
 * made before the task joined the cgroup, and what is neither TCP nor connected UDP, do not come by
 * here: those are the fence's. LIMIT: the peer name of an MPTCP socket is not masked, the record is
 * its subflow's.
 */
#include "bpf/steer.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* Whether task storage may be used here; older kernels allow it in tracing programs only. */
const volatile bool cfg_labels_in_cgroup_hooks = false;

/* Sees TCP incl. fast open, io_uring and MPTCP, and connected UDP (since 4.17). */
SEC("cgroup/connect4")
int connect4_steer(struct bpf_sock_addr *ctx)
{
	struct dest d = {};
	u16 p;

	dest4(ctx, &d);
	if (ctx->protocol == IPPROTO_UDP && udp_passes(d.port)) {
		count(TG_STAT_CONNECT_UDP_ALLOWED);
		return PASS;
	}
	p = steer(ctx, &d);
	if (!p)
		return refused();
	rewrite4(ctx, p);
	return PASS;
}

/* An IPv4-mapped destination of a connection comes by here only. */
SEC("cgroup/connect6")
int connect6_steer(struct bpf_sock_addr *ctx)
{
	struct dest d = {};
	u16 p;

	dest6(ctx, &d);
	if (ctx->protocol == IPPROTO_UDP && udp_passes(d.port)) {
		count(TG_STAT_CONNECT_UDP_ALLOWED);
		return PASS;
	}
	p = steer(ctx, &d);
	if (!p)
		return refused();
	rewrite6(ctx, d.mapped, p);
	return PASS;
}

/* Clients compare the peer's address with what they asked for (Happy Eyeballs, TLS and HTTP
 * libraries); 5.8. Only a steered socket has a record. */
SEC("cgroup/getpeername4")
int getpeername4_mask(struct bpf_sock_addr *ctx)
{
	struct bpf_sock *sk = ctx->sk;
	struct tg_origin *o = sk ? bpf_sk_storage_get(&origins, sk, 0, 0) : NULL;

	if (o) {
		ctx->user_ip4 = *(u32 *)(o->dst + 12);
		ctx->user_port = bpf_htons(o->port);
	}
	return PASS;
}

SEC("cgroup/getpeername6")
int getpeername6_mask(struct bpf_sock_addr *ctx)
{
	struct bpf_sock *sk = ctx->sk;
	struct tg_origin *o = sk ? bpf_sk_storage_get(&origins, sk, 0, 0) : NULL;

	if (o) {
		u32 *a = (u32 *)o->dst;

		ctx->user_ip6[0] = a[0];
		ctx->user_ip6[1] = a[1];
		ctx->user_ip6[2] = a[2];
		ctx->user_ip6[3] = a[3];
		ctx->user_port = bpf_htons(o->port);
	}
	return PASS;
}
