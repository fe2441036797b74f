// SPDX-License-Identifier: Apache-2.0
/*
 * Which addresses are not the public network. A name that anybody may choose the addresses of must not lead to
 * them. Runs in the proxy.
 */
#include "user/net/reach.h"

#include <stdint.h>
#include <string.h>

#include "user/base/cleanup.h"
#include "user/net/net.h"

/* An IPv4 network, or one address. */
struct net4 {
	uint32_t addr;
	unsigned bits;
};

struct net6 {
	uint8_t addr[16];
	unsigned bits;
};

#define IP4(a, b, c, d) ((uint32_t)(a) << 24 | (b) << 16 | (c) << 8 | (d))
#define IP6(...) { __VA_ARGS__ }

static const struct net4 metadata4[] = {
	{ IP4(169, 254, 169, 254), 32 }, /* Amazon, Google, Azure, Oracle, OpenStack and most others */
	{ IP4(169, 254, 170, 2), 32 }, /* Amazon: credentials of a container */
	{ IP4(169, 254, 170, 23), 32 }, /* Amazon: credentials of a pod */
	{ IP4(169, 254, 169, 253), 32 }, /* Amazon: its resolver, which answers for private zones */
	{ IP4(168, 63, 129, 16), 32 }, /* Azure: the host's agent; a public address by its number */
	{ IP4(100, 100, 100, 200), 32 }, /* Alibaba */
	{ IP4(192, 0, 0, 192), 32 }, /* Oracle, before */
};

static const struct net6 metadata6[] = {
	{ IP6(0xfd, 0, 0x0e, 0xc2, [14] = 0x02, 0x54), 128 }, /* Amazon: fd00:ec2::254 */
	{ IP6(0xfd, 0, 0x0e, 0xc2, [15] = 0x23), 128 }, /* Amazon: credentials of a pod, fd00:ec2::23 */
	{ IP6(0xfd, 0x20, 0, 0xce, [14] = 0x02, 0x54), 128 }, /* Google: fd20:ce::254 */
};

static const struct net4 internal4[] = {
	{ IP4(0, 0, 0, 0), 8 }, /* this network; Linux takes 0.0.0.0 for itself */
	{ IP4(10, 0, 0, 0), 8 }, /* private, RFC 1918 */
	{ IP4(100, 64, 0, 0), 10 }, /* behind a carrier's translator, RFC 6598 */
	{ IP4(127, 0, 0, 0), 8 }, /* loopback */
	{ IP4(169, 254, 0, 0), 16 }, /* link-local */
	{ IP4(172, 16, 0, 0), 12 }, /* private */
	{ IP4(192, 0, 0, 0), 24 }, /* protocol assignments */
	{ IP4(192, 0, 2, 0), 24 }, /* documentation */
	{ IP4(192, 88, 99, 0), 24 }, /* 6to4 relays, RFC 7526 */
	{ IP4(192, 168, 0, 0), 16 }, /* private */
	{ IP4(198, 18, 0, 0), 15 }, /* benchmarks */
	{ IP4(198, 51, 100, 0), 24 }, /* documentation */
	{ IP4(203, 0, 113, 0), 24 }, /* documentation */
	{ IP4(224, 0, 0, 0), 3 }, /* multicast, reserved, broadcast */
};

static const struct net6 internal6[] = {
	{ IP6(0), 96 }, /* unspecified and loopback; IPv4-compatible ones are looked at below */
	{ IP6(0, 0x64, 0xff, 0x9b, 0, 0x01), 48 }, /* a network's own translation, RFC 8215 */
	{ IP6(0x01), 64 }, /* discard, RFC 6666 */
	{ IP6(0x20, 0x01), 23 }, /* protocol assignments, Teredo among them */
	{ IP6(0x20, 0x01, 0x0d, 0xb8), 32 }, /* documentation */
	{ IP6(0x3f, 0xff), 20 }, /* documentation, RFC 9637 */
	{ IP6(0x5f), 16 }, /* segment routing */
	{ IP6(0xfc), 7 }, /* unique local */
	{ IP6(0xfe, 0x80), 9 }, /* link-local, and site-local as it was */
	{ IP6(0xff), 8 }, /* multicast */
};

/* Where an IPv4 address stands inside an IPv6 one. */
static const struct {
	struct net6 net;
	unsigned at;
} carriers[] = {
	{ { IP6([10] = 0xff, 0xff), 96 }, 12 }, /* mapped */
	{ { IP6([8] = 0xff, 0xff), 96 }, 12 }, /* translated, RFC 2765 */
	{ { IP6(0, 0x64, 0xff, 0x9b), 96 }, 12 }, /* NAT64, RFC 6052 */
	{ { IP6(0x20, 0x02), 16 }, 2 }, /* 6to4 */
};

static bool in4(uint32_t a, const struct net4 *nets, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if ((a ^ nets[i].addr) >> (32 - nets[i].bits) == 0)
			return true;
	return false;
}

static bool is_in6(const uint8_t *a, const struct net6 *net)
{
	unsigned whole = net->bits / 8, rest = net->bits % 8;

	if (memcmp(a, net->addr, whole) != 0)
		return false;
	return rest == 0 || (a[whole] ^ net->addr[whole]) >> (8 - rest) == 0;
}

static bool in6(const uint8_t *a, const struct net6 *nets, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (is_in6(a, &nets[i]))
			return true;
	return false;
}

static uint32_t ip4_at(const uint8_t *p)
{
	return IP4((uint32_t)p[0], (uint32_t)p[1], (uint32_t)p[2], (uint32_t)p[3]);
}

static enum net_reach reach4(uint32_t a)
{
	if (in4(a, metadata4, ARRAY_SIZE(metadata4)))
		return NET_REACH_METADATA;
	return in4(a, internal4, ARRAY_SIZE(internal4)) ? NET_REACH_INTERNAL : NET_REACH_PUBLIC;
}

static enum net_reach reach6(const uint8_t *a)
{
	if (in6(a, metadata6, ARRAY_SIZE(metadata6)))
		return NET_REACH_METADATA;
	for (size_t i = 0; i < ARRAY_SIZE(carriers); i++)
		if (is_in6(a, &carriers[i].net))
			return reach4(ip4_at(a + carriers[i].at));
	/* Compatible addresses are not routed; one that carries the metadata service's is no accident. */
	if (is_in6(a, &internal6[0]) && reach4(ip4_at(a + 12)) == NET_REACH_METADATA)
		return NET_REACH_METADATA;
	return in6(a, internal6, ARRAY_SIZE(internal6)) ? NET_REACH_INTERNAL : NET_REACH_PUBLIC;
}

enum net_reach net_reach(const struct net_dest *d)
{
	return d->sa.sa_family == AF_INET ? reach4(ntohl(d->in.sin_addr.s_addr)) : reach6(d->in6.sin6_addr.s6_addr);
}
