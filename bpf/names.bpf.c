// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Datagrams: what asks a name server goes to the agent's listener, whatever server was meant, and
 * nothing else goes anywhere. Connected ones are steered where they are connected (steer.bpf.c).
 * Answers come back as from the server that was asked, because resolvers drop what comes from
 * elsewhere. LIMIT: a socket that asks several servers sees every answer as from the last.
 */
#include "bpf/steer.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* The record of a socket that was steered, when this is where it was steered to. */
static __always_inline struct tg_origin *steered_to(struct bpf_sock_addr *ctx, const struct dest *d)
{
	struct bpf_sock *sk = ctx->sk;
	struct tg_origin *o;

	if (!is_loopback(d))
		return NULL;
	o = sk ? bpf_sk_storage_get(&origins, sk, 0, 0) : NULL;
	return o && o->via == d->port ? o : NULL;
}

/* The port to send to instead, or 0. */
static __always_inline u16 names_port(struct bpf_sock_addr *ctx, const struct dest *d)
{
	/* A connected socket with a mapped peer comes by here as well, with where connect6 sent it. */
	if (steered_to(ctx, d))
		return d->port;
	if (names_steered(d->port))
		return steer(ctx, d);
	refuse_event(ctx, d, TG_STAT_FENCE_DATAGRAM, label_of_cgroup());
	return 0;
}

/* Datagrams whose destination comes with the call; connected ones were judged by connect4 and connect6.
 * Sees mapped addresses and io_uring too (since 4.18). */
SEC("cgroup/sendmsg4")
int sendmsg4_fence(struct bpf_sock_addr *ctx)
{
	struct dest d = {};
	u16 p;

	dest4(ctx, &d);
	if (udp_passes(d.port)) {
		count(TG_STAT_CONNECT_UDP_ALLOWED);
		return PASS;
	}
	p = names_port(ctx, &d);
	if (!p)
		return refused();
	rewrite4(ctx, p);
	return PASS;
}

SEC("cgroup/sendmsg6")
int sendmsg6_fence(struct bpf_sock_addr *ctx)
{
	struct dest d = {};
	u16 p;

	dest6(ctx, &d);
	if (udp_passes(d.port)) {
		count(TG_STAT_CONNECT_UDP_ALLOWED);
		return PASS;
	}
	p = names_port(ctx, &d);
	if (!p)
		return refused();
	rewrite6(ctx, d.mapped, p);
	return PASS;
}

/* The source of what is received (since 5.2). */
SEC("cgroup/recvmsg4")
int recvmsg4_mask(struct bpf_sock_addr *ctx)
{
	struct dest from = {};
	struct tg_origin *o;

	dest4(ctx, &from);
	o = steered_to(ctx, &from);
	if (o) {
		ctx->user_ip4 = *(u32 *)(o->dst + 12);
		ctx->user_port = bpf_htons(o->port);
	}
	return PASS;
}

/* Also what an IPv6 socket gets from an IPv4 one. */
SEC("cgroup/recvmsg6")
int recvmsg6_mask(struct bpf_sock_addr *ctx)
{
	struct dest from = {};
	struct tg_origin *o;

	dest6(ctx, &from);
	o = steered_to(ctx, &from);
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
