/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef TOLLGATE_DEST_BPF_H
#define TOLLGATE_DEST_BPF_H

/* Destinations of the cgroup address hooks, and what is said of a refused one. */
#include "bpf/scope.bpf.h"

#define DNS_PORT 53

enum { REFUSE = 0, PASS = 1 };

struct dest {
	u32 a[4]; /* network order, mapped form for IPv4 */
	u16 port;
	u8 family;
	u8 mapped;
};

static __always_inline void refuse_event(struct bpf_sock_addr *ctx, const struct dest *d,
					 u32 reason, const struct tg_label *l)
{
	struct tg_event *e;

	count(reason);
	e = event_new_exec(TG_EV_CONNECT);
	if (!e)
		return;
	__builtin_memcpy(e->connect.dst, d->a, 16);
	e->connect.port = d->port;
	e->connect.family = d->family;
	e->connect.reason = reason;
	e->connect.agent = l ? l->agent : 0;
	e->connect.outer = l ? l->outer : 0;
	e->connect.uid = (u32)bpf_get_current_uid_gid();
	e->connect.protocol = ctx->protocol;
	e->connect.netns = bpf_get_netns_cookie(ctx);
	bpf_ringbuf_submit(e, 0);
}

/* The verdict of what a cgroup program refuses. */
static __always_inline int refused(void)
{
	return observing() ? PASS : REFUSE;
}

static __always_inline void dest4(const struct bpf_sock_addr *ctx, struct dest *d)
{
	d->family = 4;
	d->a[2] = bpf_htonl(0xffff);
	d->a[3] = ctx->user_ip4;
	d->port = bpf_ntohs(*(volatile u32 *)&ctx->user_port);
}

static __always_inline void dest6(const struct bpf_sock_addr *ctx, struct dest *d)
{
	d->a[0] = ctx->user_ip6[0];
	d->a[1] = ctx->user_ip6[1];
	d->a[2] = ctx->user_ip6[2];
	d->a[3] = ctx->user_ip6[3];
	d->port = bpf_ntohs(*(volatile u32 *)&ctx->user_port);
	d->mapped = !d->a[0] && !d->a[1] && d->a[2] == bpf_htonl(0xffff);
	d->family = d->mapped ? 4 : 6;
}

static __always_inline bool udp_passes(u16 port)
{
	struct tg_state *st = state_get();

	if (!st)
		return false;
	if (st->flags & TG_STATE_UDP_ANY)
		return true;
	return (st->flags & TG_STATE_UDP_DNS) && port == DNS_PORT;
}

static __always_inline bool names_steered(u16 port)
{
	struct tg_state *st = state_get();

	return st && (st->flags & TG_STATE_NAMES) && port == DNS_PORT;
}

#endif
