// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The fence that every kernel has: cgroup programs beside those that steer, attached to the same
 * cgroups. What is not a TCP connection that was steered, or a datagram that the state lets pass, does
 * not leave. They follow the cgroup that a socket was made in; what goes through sockets from elsewhere,
 * and families other than IP, is the security hooks' (fence_socket.bpf.c).
 */
#include "bpf/dest.bpf.h"
#include "bpf/fence.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#define ETH_P_IP 0x0800
#define ETH_P_IPV6 0x86DD
#define IP_PROTOCOL_AT 9
#define IP6_NEXT_AT 6
#define IP6_BYTES 40
#define UDP_DEST_AT 2
#define LOOPBACK_IFINDEX 1 /* the kernel gives it to lo in every namespace */

/* TCP and UDP, and no protocol that shares their socket types: UDP-Lite, SCTP, DCCP, raw, ping. Runs
 * when the protocol is settled. Not for other families than IP (since 4.10). */
SEC("cgroup/sock_create")
int sock_create_fence(struct bpf_sock *ctx)
{
	u32 protocol = ctx->protocol;

	if (ctx->type == SOCK_STREAM && (protocol == IPPROTO_TCP || protocol == IPPROTO_MPTCP))
		return PASS;
	if (ctx->type == SOCK_DGRAM && protocol == IPPROTO_UDP)
		return PASS;
	fence_event(TG_STAT_FENCE_SOCKET, NULL, ctx->family);
	return refused();
}

/* A listener's port that is free while its daemon is down would hand another agent's connections to who binds it.
 * After the bind, because only then a port that was not named is known. */
static __always_inline int bound(struct bpf_sock *ctx)
{
	struct tg_port_key key = { .netns = bpf_get_netns_cookie(ctx), .port = ctx->src_port };

	if (!bpf_map_lookup_elem(&listener_ports, &key))
		return PASS;
	fence_event(TG_STAT_FENCE_BIND, NULL, key.port);
	return refused();
}

SEC("cgroup/post_bind4")
int post_bind4_fence(struct bpf_sock *ctx)
{
	return bound(ctx);
}

SEC("cgroup/post_bind6")
int post_bind6_fence(struct bpf_sock *ctx)
{
	return bound(ctx);
}

/* Whether the socket was steered to this port of ours. */
static __always_inline bool to_names(struct __sk_buff *skb, u16 port)
{
	struct bpf_sock *sk = skb->sk;
	struct tg_origin *o;

	if (skb->ifindex != LOOPBACK_IFINDEX || !sk)
		return false;
	sk = bpf_sk_fullsock(sk);
	o = sk ? bpf_sk_storage_get(&origins, sk, 0, 0) : NULL;
	return o && o->via == port;
}

/* What really leaves, whatever call made it. A steered connection ends on this machine, so TCP has no business on
 * another interface than lo: neither past the rewritten address (a source route in the socket's options), nor as the
 * answer to a connection from elsewhere. */
SEC("cgroup_skb/egress")
int egress_fence(struct __sk_buff *skb)
{
	u32 at = IP6_BYTES;
	u16 port = 0;
	u8 first = 0, protocol = 0;

	if (skb->protocol == bpf_htons(ETH_P_IP)) {
		if (bpf_skb_load_bytes(skb, IP_PROTOCOL_AT, &protocol, 1) ||
		    bpf_skb_load_bytes(skb, 0, &first, 1))
			goto drop;
		at = (first & 0xf) * 4u;
	} else if (skb->protocol != bpf_htons(ETH_P_IPV6) ||
		   bpf_skb_load_bytes(skb, IP6_NEXT_AT, &protocol, 1)) {
		goto drop;
	}
	if (protocol == IPPROTO_TCP && skb->ifindex == LOOPBACK_IFINDEX)
		return PASS;
	if (protocol == IPPROTO_UDP && !bpf_skb_load_bytes(skb, at + UDP_DEST_AT, &port, 2)) {
		if (udp_passes(bpf_ntohs(port)))
			return PASS;
		if (to_names(skb, bpf_ntohs(port))) {
			skb->mark = TG_NAMES_MARK;
			return PASS;
		}
	}
drop:
	count(TG_STAT_FENCE_PACKET);
	return refused();
}

/* By the task's cgroup, at open and at mknod (since 4.15). */
SEC("cgroup/dev")
int device_fence(struct bpf_cgroup_dev_ctx *ctx)
{
	enum { CHAR = 2 };

	if ((ctx->access_type & 0xffff) != CHAR || !device_barred(ctx->major, ctx->minor))
		return PASS;
	fence_event(TG_STAT_FENCE_DEVICE, NULL, ctx->major << 20 | ctx->minor);
	return refused();
}
