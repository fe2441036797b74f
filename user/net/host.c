// SPDX-License-Identifier: Apache-2.0
/*
 * Compares a Host field with the steered destination, in the proxy. An agent that connects to an
 * approved address and names another host must not be taken for that host's client; spellings of an
 * address that only some resolvers understand (127.1, 0x7f.0.0.1) are refused, never interpreted.
 */
#include <arpa/inet.h>

#include "user/net/head.h"

#define DEFAULT_PORT 80 /* RFC 9110 4.2.1 */

/* ":port" or nothing. */
static bool port_matches(struct span s, unsigned port)
{
	unsigned v = 0;

	if (s.n == 0)
		return port == DEFAULT_PORT;
	if (s.n < 2 || s.n > 6 || s.p[0] != ':' || s.p[1] == '0')
		return false;
	for (size_t i = 1; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
		v = v * 10 + (unsigned)(s.p[i] - '0');
	}
	return v == port;
}

static bool is_dest(int family, const void *addr, const struct net_dest *dest)
{
	struct net_dest d;

	if (net_dest_set(&d, family, addr, 1) < 0 || d.sa.sa_family != dest->sa.sa_family)
		return false;
	if (d.sa.sa_family == AF_INET)
		return d.in.sin_addr.s_addr == dest->in.sin_addr.s_addr;
	return memcmp(&d.in6.sin6_addr, &dest->in6.sin6_addr, sizeof(d.in6.sin6_addr)) == 0;
}

static bool name_char(char ch)
{
	return (ch >= '0' && ch <= '9') || ((ch | 0x20) >= 'a' && (ch | 0x20) <= 'z') ||
	       ch == '-' || ch == '_' || ch == '.';
}

/* WHATWG URL: a host whose last label is a number is an address, well-formed or not. */
static bool ends_in_number(struct span name)
{
	size_t end = name.n, at;

	if (end && name.p[end - 1] == '.')
		end--;
	for (at = end; at && name.p[at - 1] != '.'; at--)
		;
	return at < end && name.p[at] >= '0' && name.p[at] <= '9';
}

enum http_host http_host_match(struct span host, const struct net_dest *dest, struct span *ret_name)
{
	unsigned port = net_dest_port(dest);
	struct in6_addr in6;
	struct in_addr in;
	char text[INET6_ADDRSTRLEN];
	size_t n = 0;

	if (host.n && host.p[0] == '[') {
		const char *end = memchr(host.p, ']', host.n);

		n = end ? (size_t)(end - host.p) - 1 : 0;
		if (n == 0 || n >= sizeof(text) || memchr(host.p + 1, '\0', n))
			return HTTP_HOST_BAD;
		memcpy(text, host.p + 1, n);
		text[n] = '\0';
		if (inet_pton(AF_INET6, text, &in6) != 1 || !is_dest(AF_INET6, &in6, dest))
			return HTTP_HOST_BAD;
		n += 2;
		return port_matches((struct span){ host.p + n, host.n - n }, port) ? HTTP_HOST_SAME
										   : HTTP_HOST_BAD;
	}
	while (n < host.n && name_char(host.p[n]))
		n++;
	if (n == 0 || n > 253 || !port_matches((struct span){ host.p + n, host.n - n }, port))
		return HTTP_HOST_BAD;
	*ret_name = (struct span){ host.p, n };
	if (!ends_in_number(*ret_name))
		return HTTP_HOST_NAME;
	if (n >= INET_ADDRSTRLEN)
		return HTTP_HOST_BAD;
	memcpy(text, host.p, n);
	text[n] = '\0';
	return inet_pton(AF_INET, text, &in) == 1 && is_dest(AF_INET, &in, dest) ? HTTP_HOST_SAME
										 : HTTP_HOST_BAD;
}
