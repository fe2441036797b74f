/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_TESTS_PROBE_BYPASS_IP_H
#define TOLLGATE_TESTS_PROBE_BYPASS_IP_H

/* Ways out by IP sockets, and by what stands in their place. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <net/ethernet.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/wait.h>

#include "tests/probe/bypass_uring.h"

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif

/* --- TCP ------------------------------------------------------------------------------------------ */

static enum bypass tcp_to(const void *a, socklen_t n, int protocol)
{
	int fd = socket(((const struct sockaddr *)a)->sa_family, SOCK_STREAM, protocol);

	if (fd < 0)
		return bypass_failed("socket");
	return connect(fd, a, n) < 0 ? bypass_failed("connect") : bypass_sink(fd);
}

static enum bypass by_tcp4(const struct bypass_stage *s)
{
	struct sockaddr_in a = bypass_in(s->port);

	return tcp_to(&a, sizeof(a), 0);
}

static enum bypass by_tcp6(const struct bypass_stage *s)
{
	struct sockaddr_in6 a = bypass_in6(s->port, 0);

	return tcp_to(&a, sizeof(a), 0);
}

static enum bypass by_mapped(const struct bypass_stage *s)
{
	struct sockaddr_in6 a = bypass_in6(s->port, 1);

	return tcp_to(&a, sizeof(a), 0);
}

static enum bypass by_mptcp(const struct bypass_stage *s)
{
	struct sockaddr_in a = bypass_in(s->port);

	return tcp_to(&a, sizeof(a), IPPROTO_MPTCP);
}

static enum bypass fast_open(const void *a, socklen_t n)
{
	int fd = socket(((const struct sockaddr *)a)->sa_family, SOCK_STREAM, 0);

	return sendto(fd, "x", 1, MSG_FASTOPEN, a, n) < 0 ? bypass_failed("sendto") : bypass_sink(fd);
}

static enum bypass by_tfo4(const struct bypass_stage *s)
{
	struct sockaddr_in a = bypass_in(s->port);

	return fast_open(&a, sizeof(a));
}

static enum bypass by_tfo6(const struct bypass_stage *s)
{
	struct sockaddr_in6 a = bypass_in6(s->port, 0);

	return fast_open(&a, sizeof(a));
}

static enum bypass by_tfo_connect(const struct bypass_stage *s)
{
	struct sockaddr_in a = bypass_in(s->port);
	int one = 1, fd = socket(AF_INET, SOCK_STREAM, 0);

	if (setsockopt(fd, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, &one, sizeof(one)) < 0)
		return bypass_failed("TCP_FASTOPEN_CONNECT");
	if (connect(fd, (void *)&a, sizeof(a)) < 0)
		return bypass_failed("connect");
	return write(fd, "x", 1) < 0 ? bypass_failed("write") : bypass_sink(fd);
}

static enum bypass by_uring_connect(const struct bypass_stage *s)
{
	struct sockaddr_in a = bypass_in(s->port);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	return uring_connect(fd, &a, sizeof(a), 0) < 0 ? bypass_failed("connect") : bypass_sink(fd);
}

static enum bypass by_uring_sqpoll(const struct bypass_stage *s)
{
	struct sockaddr_in a = bypass_in(s->port);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	return uring_connect(fd, &a, sizeof(a), 1) < 0 ? bypass_failed("connect") : bypass_sink(fd);
}

static enum bypass by_uring_socket(const struct bypass_stage *s)
{
	struct sockaddr_in a = bypass_in(s->port);
	int fd = uring_socket(AF_INET, SOCK_STREAM);

	if (fd < 0)
		return bypass_failed("socket");
	return uring_connect(fd, &a, sizeof(a), 0) < 0 ? bypass_failed("connect") : bypass_sink(fd);
}

static enum bypass by_netns(const struct bypass_stage *s)
{
	struct sockaddr_in a = bypass_in(s->port);
	struct ifreq up = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	int fd, l;

	if (unshare(CLONE_NEWNET) < 0)
		return bypass_failed("unshare");
	fd = socket(AF_INET, SOCK_STREAM, 0);
	(void)ioctl(fd, SIOCSIFFLAGS, &up);
	l = socket(AF_INET, SOCK_STREAM, 0);
	if (bind(l, (void *)&a, sizeof(a)) < 0 || listen(l, 1) < 0)
		return bypass_failed("listen");
	/* Whoever listens there: it is not steered. */
	return connect(fd, (void *)&a, sizeof(a)) < 0 ? bypass_failed("connect") : BYPASS_THROUGH;
}

static enum bypass by_bind(const struct bypass_stage *s)
{
	struct sockaddr_in a = bypass_in(s->barred);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	return bind(fd, (void *)&a, sizeof(a)) < 0 ? bypass_failed("bind") : BYPASS_THROUGH;
}

static enum bypass by_listen(const struct bypass_stage *s)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	(void)s;
	return listen(fd, 1) < 0 ? bypass_failed("listen") : BYPASS_THROUGH;
}

/* --- datagrams ------------------------------------------------------------------------------------ */

/* Whether the outsider saw a datagram. */
static enum bypass seen(const struct bypass_stage *s)
{
	struct pollfd p = { .fd = s->udp_seen, .events = POLLIN };
	char c;

	if (poll(&p, 1, 2000) == 1 && read(s->udp_seen, &c, 1) == 1)
		return BYPASS_THROUGH;
	printf("  sent, and not seen\n");
	return BYPASS_ODD;
}

static enum bypass datagram_by(const struct bypass_stage *s, int fd, const void *a, socklen_t n)
{
	if (fd < 0)
		return bypass_failed("socket");
	return sendto(fd, "x", 1, 0, a, n) < 0 ? bypass_failed("sendto") : seen(s);
}

static enum bypass by_udp(const struct bypass_stage *s)
{
	struct sockaddr_in a = bypass_in(s->port);

	return datagram_by(s, socket(AF_INET, SOCK_DGRAM, 0), &a, sizeof(a));
}

static enum bypass by_udp6(const struct bypass_stage *s)
{
	struct sockaddr_in6 a = bypass_in6(s->port, 0);

	return datagram_by(s, socket(AF_INET6, SOCK_DGRAM, 0), &a, sizeof(a));
}

static enum bypass by_udp_mapped(const struct bypass_stage *s)
{
	struct sockaddr_in6 a = bypass_in6(s->port, 1);

	return datagram_by(s, socket(AF_INET6, SOCK_DGRAM, 0), &a, sizeof(a));
}

/* To whatever name server, here the outsider. */
static enum bypass by_dns(const struct bypass_stage *s)
{
	struct sockaddr_in a = bypass_in(53);

	return datagram_by(s, socket(AF_INET, SOCK_DGRAM, 0), &a, sizeof(a));
}

static enum bypass by_udp_connect(const struct bypass_stage *s)
{
	struct sockaddr_in a = bypass_in(s->port);
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	if (connect(fd, (void *)&a, sizeof(a)) < 0)
		return bypass_failed("connect");
	return send(fd, "x", 1, 0) < 0 ? bypass_failed("send") : seen(s);
}

static enum bypass by_sendmmsg(const struct bypass_stage *s)
{
	struct sockaddr_in a = bypass_in(s->port);
	struct iovec v = { .iov_base = (void *)"x", .iov_len = 1 };
	struct mmsghdr m = { .msg_hdr = { .msg_name = &a, .msg_namelen = sizeof(a), .msg_iov = &v, .msg_iovlen = 1 } };

	return sendmmsg(socket(AF_INET, SOCK_DGRAM, 0), &m, 1, 0) < 0 ? bypass_failed("sendmmsg") : seen(s);
}

static enum bypass by_uring_sendmsg(const struct bypass_stage *s)
{
	struct sockaddr_in a = bypass_in(s->port);
	struct iovec v = { .iov_base = (void *)"x", .iov_len = 1 };
	struct msghdr m = { .msg_name = &a, .msg_namelen = sizeof(a), .msg_iov = &v, .msg_iovlen = 1 };

	return uring_sendmsg(socket(AF_INET, SOCK_DGRAM, 0), &m) < 0 ? bypass_failed("sendmsg") : seen(s);
}

static enum bypass by_udp_unspec(const struct bypass_stage *s)
{
	struct sockaddr_in dns = bypass_in(53), a = bypass_in(s->port);
	struct sockaddr none = { .sa_family = AF_UNSPEC };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	(void)connect(fd, (void *)&dns, sizeof(dns));
	(void)connect(fd, &none, sizeof(none));
	return datagram_by(s, fd, &a, sizeof(a));
}

/* --- other protocols and families ----------------------------------------------------------------- */

static enum bypass makes(int family, int type, int protocol)
{
	int fd = socket(family, type, protocol);

	return fd < 0 ? bypass_failed("socket") : BYPASS_THROUGH;
}

static enum bypass by_udplite(const struct bypass_stage *s)
{
	(void)s;
	return makes(AF_INET, SOCK_DGRAM, IPPROTO_UDPLITE);
}

static enum bypass by_sctp(const struct bypass_stage *s)
{
	(void)s;
	return makes(AF_INET, SOCK_STREAM, IPPROTO_SCTP);
}

static enum bypass by_hdrincl(const struct bypass_stage *s)
{
	(void)s;
	return makes(AF_INET, SOCK_RAW, IPPROTO_RAW);
}

static enum bypass by_raw_icmp(const struct bypass_stage *s)
{
	(void)s;
	return makes(AF_INET, SOCK_RAW, IPPROTO_ICMP);
}

static enum bypass by_raw_connect(const struct bypass_stage *s)
{
	struct sockaddr_in a = bypass_in(0);
	int fd = socket(AF_INET, SOCK_RAW, IPPROTO_UDP);

	(void)s;
	if (fd < 0)
		return bypass_failed("socket");
	return connect(fd, (void *)&a, sizeof(a)) < 0 ? bypass_failed("connect") : BYPASS_THROUGH;
}

static enum bypass by_ping(const struct bypass_stage *s)
{
	(void)s;
	return makes(AF_INET, SOCK_DGRAM, IPPROTO_ICMP);
}

static enum bypass packet_by(int type)
{
	static const char frame[64] = { 0 };
	struct sockaddr_ll to = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_IP), .sll_halen = 6,
				  .sll_ifindex = (int)if_nametoindex("lo") };
	int fd = socket(AF_PACKET, type, 0);

	if (fd < 0)
		return bypass_failed("socket");
	return sendto(fd, frame, sizeof(frame), 0, (void *)&to, sizeof(to)) < 0 ? bypass_failed("sendto") :
										    BYPASS_THROUGH;
}

static enum bypass by_packet_dgram(const struct bypass_stage *s)
{
	(void)s;
	return packet_by(SOCK_DGRAM);
}

static enum bypass by_packet_raw(const struct bypass_stage *s)
{
	(void)s;
	return packet_by(SOCK_RAW);
}

static enum bypass by_vsock(const struct bypass_stage *s)
{
	(void)s;
	return makes(AF_VSOCK, SOCK_STREAM, 0);
}

static enum bypass by_uring_vsock(const struct bypass_stage *s)
{
	(void)s;
	return uring_socket(AF_VSOCK, SOCK_STREAM) < 0 ? bypass_failed("socket") : BYPASS_THROUGH;
}

static enum bypass by_xdp(const struct bypass_stage *s)
{
	(void)s;
	return makes(AF_XDP, SOCK_RAW, 0);
}

static enum bypass by_key(const struct bypass_stage *s)
{
	(void)s;
	return makes(AF_KEY, SOCK_RAW, 2);
}

static enum bypass by_families(const struct bypass_stage *s)
{
	static const struct {
		int family, type;
	} others[] = {
		{ AF_ALG, SOCK_SEQPACKET }, { AF_RDS, SOCK_SEQPACKET }, { AF_TIPC, SOCK_RDM }, { AF_BLUETOOTH, SOCK_RAW },
		{ AF_SMC, SOCK_STREAM }, { AF_CAN, SOCK_RAW }, { AF_KCM, SOCK_DGRAM }, { AF_QIPCRTR, SOCK_DGRAM },
	};
	enum bypass all = BYPASS_ABSENT, one;

	(void)s;
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		one = makes(others[i].family, others[i].type, 0);
		if (one == BYPASS_THROUGH)
			return one;
		if (one == BYPASS_REFUSED)
			all = one;
	}
	return all;
}

static enum bypass by_netlink(const struct bypass_stage *s)
{
	enum { SOCK_DIAG = 4 };

	(void)s;
	return makes(AF_NETLINK, SOCK_RAW, SOCK_DIAG);
}

static enum bypass by_tun(const struct bypass_stage *s)
{
	struct ifreq q = { .ifr_flags = IFF_TUN | IFF_NO_PI };
	int fd = open("/dev/net/tun", O_RDWR);

	(void)s;
	if (fd < 0)
		return bypass_failed("open");
	return ioctl(fd, TUNSETIFF, &q) < 0 ? bypass_failed("TUNSETIFF") : BYPASS_THROUGH;
}

/* --- sockets older than the scope ----------------------------------------------------------------- */

static enum bypass by_early_write(const struct bypass_stage *s)
{
	return write(s->early_tcp, "x", 1) < 0 ? bypass_failed("write") : BYPASS_THROUGH;
}

static enum bypass by_early_sendfile(const struct bypass_stage *s)
{
	int fd = open("/proc/self/exe", O_RDONLY);
	off_t at = 0;

	return sendfile(s->early_tcp, fd, &at, 1) < 0 ? bypass_failed("sendfile") : BYPASS_THROUGH;
}

static enum bypass by_early_splice(const struct bypass_stage *s)
{
	int p[2];

	if (pipe(p) < 0 || write(p[1], "x", 1) != 1)
		return bypass_failed("pipe");
	return splice(p[0], NULL, s->early_tcp, NULL, 1, 0) < 0 ? bypass_failed("splice") : BYPASS_THROUGH;
}

static enum bypass by_early_uring(const struct bypass_stage *s)
{
	return uring_write(s->early_tcp, "x", 1) < 0 ? bypass_failed("write") : BYPASS_THROUGH;
}

static enum bypass by_early_udp(const struct bypass_stage *s)
{
	struct sockaddr_in a = bypass_in(s->port);

	return datagram_by(s, s->early_udp, &a, sizeof(a));
}

static enum bypass by_early_connect(const struct bypass_stage *s)
{
	struct sockaddr_in a = bypass_in(s->port);

	return connect(s->early_fresh, (void *)&a, sizeof(a)) < 0 ? bypass_failed("connect") : BYPASS_THROUGH;
}

/* --- a wire: an interface that is not lo, with somebody behind it ---------------------------------- */

/* The steered address stays, and the packets go to the first hop of the route: the peer tells of headers with
 * options. */
static enum bypass by_source_route(const struct bypass_stage *s)
{
	uint8_t route[12] = { 1 /* no operation: aligns */, 131 /* LSRR */, 11, 4 };
	struct sockaddr_in a = bypass_in(s->port);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	struct pollfd p = { .fd = s->udp_seen, .events = POLLIN };
	char c;

	if (!s->wire)
		return BYPASS_ABSENT;
	inet_pton(AF_INET, BYPASS_WIRE_PEER, route + 4);
	inet_pton(AF_INET, BYPASS_WIRE_BEHIND, &a.sin_addr);
	memcpy(route + 8, &a.sin_addr, 4);
	if (setsockopt(fd, IPPROTO_IP, IP_OPTIONS, route, sizeof(route)) < 0)
		return bypass_failed("IP_OPTIONS");
	if (connect(fd, (void *)&a, sizeof(a)) < 0 && errno != EINPROGRESS)
		return bypass_failed("connect");
	return poll(&p, 1, 2000) == 1 && read(s->udp_seen, &c, 1) == 1 ? BYPASS_THROUGH : BYPASS_REFUSED;
}

/* The peer behind the wire connects all the time; the connection is there when our answer got out. */
static enum bypass by_inbound(const struct bypass_stage *s)
{
	struct sockaddr_in a = bypass_in(BYPASS_WIRE_PORT);
	int one = 1, fd = socket(AF_INET, SOCK_STREAM, 0);
	struct pollfd p = { .fd = fd, .events = POLLIN };

	if (!s->wire)
		return BYPASS_ABSENT;
	a.sin_addr.s_addr = INADDR_ANY;
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (void *)&a, sizeof(a)) < 0 || listen(fd, 4) < 0)
		return bypass_failed("listen");
	return poll(&p, 1, 3000) == 1 ? BYPASS_THROUGH : BYPASS_REFUSED;
}

#endif
