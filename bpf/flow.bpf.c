// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * How a steered connection's record gets from the client's socket to the accepted one, and how the
 * proxy asks for it. The record waits in a map only between SYN and handshake: it is keyed by the
 * connection's 4-tuple, which exists from TCP_CONNECT_CB on, and the accepted child takes it before
 * accept() can return.
 */
#include "bpf/common.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#define AF_INET 2
#define AF_INET6 10
#define SOL_IP 0
#define SOL_IPV6 41
#define SO_ORIGINAL_DST 80
#define OP_TCP_CONNECT_CB 3
#define OP_PASSIVE_ESTABLISHED_CB 5
#define OP_STATE_CB 10
#define STATE_CB_FLAG (1 << 2)
#define TCP_CLOSE 7

/* The connecting socket's own address is the source on both sides. */
static __always_inline void flow_key(struct bpf_sock_ops *s, struct tg_flow_key *k, bool client)
{
	u32 a[4] = { 0, 0, bpf_htonl(0xffff), 0 };

	k->netns = bpf_get_netns_cookie(s);
	k->pad = 0;
	/* The barriers keep the compiler from joining the loads into one with a computed
	 * address. */
	if (s->family == AF_INET) {
		a[3] = client ? s->local_ip4 : s->remote_ip4;
		barrier();
	} else if (client) {
		a[0] = s->local_ip6[0];
		a[1] = s->local_ip6[1];
		a[2] = s->local_ip6[2];
		a[3] = s->local_ip6[3];
		barrier();
	} else {
		a[0] = s->remote_ip6[0];
		a[1] = s->remote_ip6[1];
		a[2] = s->remote_ip6[2];
		a[3] = s->remote_ip6[3];
		barrier();
	}
	__builtin_memcpy(k->src, a, 16);
	k->sport = client ? s->local_port : bpf_ntohl(s->remote_port);
	k->dport = client ? bpf_ntohl(s->remote_port) : s->local_port;
}

/* On a scope's cgroup. TCP_CONNECT_CB comes when the source port is chosen and the SYN is not
 * sent. */
SEC("sockops")
int sockops_client(struct bpf_sock_ops *s)
{
	struct bpf_sock *sk;
	struct tg_flow_key k;
	struct tg_origin *o;

	switch (s->op) {
	case OP_TCP_CONNECT_CB:
		sk = s->sk;
		o = sk ? bpf_sk_storage_get(&origins, sk, 0, 0) : NULL;
		if (!o)
			break;
		flow_key(s, &k, true);
		/* This hook cannot refuse: without an entry the proxy finds no record and
		 * closes. */
		count(bpf_map_update_elem(&flows, &k, o, BPF_ANY) ? TG_STAT_FLOW_FULL :
								    TG_STAT_FLOW_INSERTED);
		bpf_sock_ops_cb_flags_set(s, STATE_CB_FLAG);
		break;
	case OP_STATE_CB:
		if (s->args[1] != TCP_CLOSE)
			break;
		flow_key(s, &k, true);
		if (!bpf_map_delete_elem(&flows, &k))
			count(TG_STAT_FLOW_ABORTED);
		break;
	}
	return 1;
}

/* On the daemon's cgroup: the child takes the record over. */
SEC("sockops")
int sockops_server(struct bpf_sock_ops *s)
{
	struct bpf_sock *sk;
	struct tg_flow_key k;
	struct tg_origin *o;

	if (s->op != OP_PASSIVE_ESTABLISHED_CB)
		return 1;
	flow_key(s, &k, false);
	o = bpf_map_lookup_elem(&flows, &k);
	if (!o) {
		count(TG_STAT_FLOW_MISSING);
		return 1;
	}
	sk = s->sk;
	if (sk && bpf_sk_storage_get(&origins, sk, o, BPF_LOCAL_STORAGE_GET_F_CREATE))
		count(TG_STAT_FLOW_TAKEN);
	else
		count(TG_STAT_FLOW_NO_STORAGE);
	bpf_map_delete_elem(&flows, &k);
	return 1;
}

struct v4_address {
	u16 family;
	u16 port;
	u32 address;
	u8 zero[8];
};

struct v6_address {
	u16 family;
	u16 port;
	u32 flow;
	u32 address[4];
	u32 scope;
};

/* On the daemon's cgroup. The full record under our own name, the address under netfilter's. Runs
 * for every getsockopt of the cgroup: everything else passes untouched. Since 5.3; other results
 * than 0 since 5.18. */
SEC("cgroup/getsockopt")
int getsockopt_origin(struct bpf_sockopt *ctx)
{
	void *val = ctx->optval, *end = ctx->optval_end;
	struct bpf_sock *sk = ctx->sk;
	struct tg_origin *o;
	struct tg_origin *full = val;
	struct v4_address *v4 = val;
	struct v6_address *v6 = val;
	bool ours = ctx->level == TG_SOL && ctx->optname == TG_SO_ORIGIN;
	bool dst4 = ctx->level == SOL_IP && ctx->optname == SO_ORIGINAL_DST;
	bool dst6 = ctx->level == SOL_IPV6 && ctx->optname == SO_ORIGINAL_DST;

	if (!ours && !dst4 && !dst6) {
		/* A larger buffer than the program may see must be left alone. */
		if (ctx->optlen > end - val)
			ctx->optlen = 0;
		return 1;
	}
	o = sk ? bpf_sk_storage_get(&origins, sk, 0, 0) : NULL;
	if (!o || (dst4 && o->family != 4) || (dst6 && o->family != 6)) {
		ctx->retval = -ENOENT;
		return 1;
	}
	if (ours && (void *)(full + 1) <= end) {
		*full = *o;
		ctx->optlen = sizeof(*full);
	} else if (dst4 && (void *)(v4 + 1) <= end) {
		__builtin_memset(v4, 0, sizeof(*v4));
		v4->family = AF_INET;
		v4->port = bpf_htons(o->port);
		v4->address = *(u32 *)(o->dst + 12);
		ctx->optlen = sizeof(*v4);
	} else if (dst6 && (void *)(v6 + 1) <= end) {
		__builtin_memset(v6, 0, sizeof(*v6));
		v6->family = AF_INET6;
		v6->port = bpf_htons(o->port);
		__builtin_memcpy(v6->address, o->dst, 16);
		ctx->optlen = sizeof(*v6);
	} else {
		ctx->retval = -EINVAL; /* the buffer is too small */
		return 1;
	}
	ctx->retval = 0;
	return 1;
}
