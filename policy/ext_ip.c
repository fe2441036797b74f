// SPDX-License-Identifier: Apache-2.0
/* IP addresses and ranges: one address with a prefix; the bits behind the prefix are kept. */
#include "policy/ext.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#define IP_TEXT_MAX 43 /* eight groups of four, seven colons, "/128" */

static unsigned bits(const struct cip *ip)
{
	return ip->v6 ? 128 : 32;
}

static unsigned count(struct span s, char c)
{
	unsigned n = 0;

	for (size_t i = 0; i < s.n; i++)
		n += s.p[i] == c;
	return n;
}

static int parse_prefix(struct span s, unsigned max, uint8_t *ret)
{
	unsigned v = 0;

	if (s.n == 0 || s.n > (max == 32 ? 2 : 3) || (s.n > 1 && s.p[0] == '0'))
		return -EINVAL;
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return -EINVAL;
		v = v * 10 + (unsigned)(s.p[i] - '0');
	}
	if (v > max)
		return -EINVAL;
	*ret = (uint8_t)v;
	return 0;
}

/* Dotted decimal without prefix, as most are; false for all else, good or not. */
static inline bool parse_plain_v4(const char *p, const char *end, struct cip *ret)
{
	uint32_t addr = 0;

	for (unsigned part = 0; part < 4; part++) {
		unsigned v, d;

		if (part && (p == end || *p++ != '.'))
			return false;
		if (p == end || (v = (unsigned)(*p++ - '0')) > 9)
			return false;
		if (p < end && (d = (unsigned)(*p - '0')) <= 9) {
			if (v == 0)
				return false;
			v = v * 10 + d;
			/* Whether there is a third digit is as good as random. */
			d = ++p < end ? (unsigned)(*p - '0') : 10;
			p += d <= 9;
			v = d <= 9 ? v * 10 + d : v;
		}
		if (v > 255)
			return false;
		addr = addr << 8 | v;
	}
	if (p != end)
		return false;
	ret->v6 = 0;
	ret->prefix = 32;
	memset(ret->addr, 0, sizeof(ret->addr));
	addr = htonl(addr);
	memcpy(ret->addr, &addr, sizeof(addr));
	return true;
}

static __attribute__((noinline)) int parse_any(struct span s, struct cip *ret)
{
	const char *slash = s.n ? memchr(s.p, '/', s.n) : NULL;
	size_t n = slash ? (size_t)(slash - s.p) : s.n;
	char text[IP_TEXT_MAX + 1] = "";
	struct cip ip = { 0 };

	if (s.n == 0 || s.n > IP_TEXT_MAX || memchr(s.p, '\0', s.n))
		return -EINVAL;
	/* IPv4 within IPv6 would make one address two values. */
	if (count(s, ':') >= 2 && count(s, '.') >= 2)
		return -EINVAL;
	memcpy(text, s.p, n);
	if (inet_pton(AF_INET, text, ip.addr) != 1) {
		if (inet_pton(AF_INET6, text, ip.addr) != 1)
			return -EINVAL;
		ip.v6 = 1;
	}
	ip.prefix = (uint8_t)bits(&ip);
	if (slash &&
	    parse_prefix((struct span){ slash + 1, s.n - n - 1 }, bits(&ip), &ip.prefix) < 0)
		return -EINVAL;
	*ret = ip;
	return 0;
}

int ext_ip_parse(struct span s, struct cip *ret)
{
	return parse_plain_v4(s.p, s.p + s.n, ret) ? 0 : parse_any(s, ret);
}

bool ext_ip_is(enum ext_fn what, const struct cip *ip)
{
	static const uint8_t one[16] = { [15] = 1 };

	switch (what) {
	case EXT_IS_IPV4:
		return !ip->v6;
	case EXT_IS_IPV6:
		return ip->v6;
	case EXT_IS_LOOPBACK:
		return ip->v6 ? ip->prefix == 128 && memcmp(ip->addr, one, 16) == 0
			      : ip->prefix >= 8 && ip->addr[0] == 127;
	case EXT_IS_MULTICAST:
		return ip->v6 ? ip->prefix >= 8 && ip->addr[0] == 0xff
			      : ip->prefix >= 4 && ip->addr[0] >> 4 == 14;
	default:
		return false;
	}
}

bool ext_ip_in_range(const struct cip *ip, const struct cip *range)
{
	unsigned whole = range->prefix / 8, rest = range->prefix % 8;

	if (ip->v6 != range->v6 || ip->prefix < range->prefix)
		return false;
	if (!ip->v6)
		return range->prefix == 0 ||
		       (ext_ip_v4(ip) ^ ext_ip_v4(range)) >> (32 - range->prefix) == 0;
	if (memcmp(ip->addr, range->addr, whole) != 0)
		return false;
	return rest == 0 || (ip->addr[whole] ^ range->addr[whole]) >> (8 - rest) == 0;
}

bool ext_ip_equal(const struct cip *a, const struct cip *b)
{
	return a->v6 == b->v6 && a->prefix == b->prefix &&
	       memcmp(a->addr, b->addr, bits(a) / 8) == 0;
}
