// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The fence by security hooks, sockets: what the cgroup programs cannot see. They judge the task that
 * acts now, so it is its label that counts, and the cgroup that the socket was made in; a task that left
 * its cgroup keeps its label. Loaded where BPF is among the kernel's active security modules (5.7).
 */
#include "bpf/fence.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#define MAY_WRITE 2
#define NETLINK_ROUTE 0

struct msghdr;

static __always_inline bool socket_permitted(int family, int type, int protocol)
{
	switch (family) {
	case AF_UNIX:
		return true;
	case AF_NETLINK:
		return protocol == NETLINK_ROUTE;
	case AF_INET:
	case AF_INET6:
		if (type == SOCK_STREAM)
			return !protocol || protocol == IPPROTO_TCP || protocol == IPPROTO_MPTCP;
		return type == SOCK_DGRAM && (!protocol || protocol == IPPROTO_UDP);
	}
	return false;
}

/* Every family, also by io_uring, before the family's own code runs. Outside of its cgroup a task makes no IP
 * socket: nothing would steer it. */
SEC("lsm/socket_create")
int BPF_PROG(socket_create_fence, int family, int type, int protocol, int kern)
{
	struct tg_label *l;

	if (kern)
		return 0;
	l = fenced();
	if (!l)
		return 0;
	if (!socket_permitted(family, type, protocol))
		return fence_refuse(TG_STAT_FENCE_SOCKET, l, family);
	if ((family == AF_INET || family == AF_INET6) && !label_of_cgroup())
		return fence_refuse(TG_STAT_FENCE_CGROUP, l, family);
	return 0;
}

static __always_inline int use(struct socket *sock, struct tg_label *l)
{
	struct sock *sk = BPF_CORE_READ(sock, sk);

	if (!l || !sk || !sock_foreign(sk))
		return 0;
	return fence_refuse(TG_STAT_FENCE_FOREIGN, l, BPF_CORE_READ(sk, __sk_common.skc_family));
}

SEC("lsm/socket_connect")
int BPF_PROG(socket_connect_fence, struct socket *sock, struct sockaddr *address, int addrlen)
{
	return use(sock, fenced());
}

/* Fast open, datagrams, write(), io_uring, and splice() and sendfile() since 6.5. */
SEC("lsm/socket_sendmsg")
int BPF_PROG(socket_sendmsg_fence, struct socket *sock, struct msghdr *msg, int size)
{
	return use(sock, labelled());
}

/* Only before 6.5: splice() and sendfile() to a socket pass no socket hook there. Every write of the machine comes by
 * here, so it is loaded only where it is needed. */
SEC("lsm/file_permission")
int BPF_PROG(file_permission_fence, struct file *file, int mask)
{
	struct socket *sock;

	if (!(mask & MAY_WRITE) || (file->f_inode->i_mode & S_IFMT) != S_IFSOCK)
		return 0;
	sock = file->private_data;
	return use(sock, labelled());
}

/* listen() on a socket without a port takes any that is free, also one of ours whose daemon is down; the hook is
 * called before it is known which. */
SEC("lsm/socket_listen")
int BPF_PROG(socket_listen_fence, struct socket *sock, int backlog)
{
	struct tg_label *l = fenced();
	struct tg_port_key key = {};
	struct sock *sk;
	u16 family;

	sk = l ? BPF_CORE_READ(sock, sk) : NULL;
	if (!sk)
		return 0;
	family = BPF_CORE_READ(sk, __sk_common.skc_family);
	if (family != AF_INET && family != AF_INET6)
		return 0;
	key.port = BPF_CORE_READ(sk, __sk_common.skc_num);
	key.netns = BPF_CORE_READ(sk, __sk_common.skc_net.net, net_cookie);
	if (key.port && !bpf_map_lookup_elem(&listener_ports, &key))
		return 0;
	return fence_refuse(TG_STAT_FENCE_BIND, l, key.port);
}

/* Descriptors that arrive by SCM_RIGHTS or pidfd_getfd(): connections and packet devices of outsiders. */
SEC("lsm/file_receive")
int BPF_PROG(file_receive_fence, struct file *file)
{
	struct tg_label *l = fenced();
	u32 mode, dev;

	if (!l)
		return 0;
	mode = file->f_inode->i_mode & S_IFMT;
	dev = file->f_inode->i_rdev;
	if (mode == S_IFCHR && device_barred(dev >> 20, dev & 0xfffff))
		return fence_refuse(TG_STAT_FENCE_RECEIVED, l, dev);
	if (mode == S_IFSOCK) {
		struct socket *sock = file->private_data;
		struct sock *sk = BPF_CORE_READ(sock, sk);

		if (sk && sock_foreign(sk))
			return fence_refuse(TG_STAT_FENCE_RECEIVED, l,
					    BPF_CORE_READ(sk, __sk_common.skc_family));
	}
	return 0;
}

/* An outsider behind a UNIX socket acts with its own rights: a container engine, a user's service manager, a
 * multiplexer. The daemon's own sockets refuse by themselves, on record. LIMIT: no outsider can be permitted yet. */
static __always_inline int reach(struct sock *other)
{
	struct tg_label *l = fenced(), *theirs;
	struct tg_state *st = state_get();
	bool ours;

	if (!l)
		return 0;
	theirs = label_of_sock(other, st ? st->daemon_cgroup : 0, &ours);
	if (ours || (theirs && akin(l, theirs)))
		return 0;
	return fence_refuse(TG_STAT_FENCE_UNIX, l, AF_UNIX);
}

SEC("lsm/unix_stream_connect")
int BPF_PROG(unix_stream_connect_fence, struct sock *sock, struct sock *other, struct sock *newsk)
{
	return reach(other);
}

SEC("lsm/unix_may_send")
int BPF_PROG(unix_may_send_fence, struct socket *sock, struct socket *other)
{
	return reach(BPF_CORE_READ(other, sk));
}
