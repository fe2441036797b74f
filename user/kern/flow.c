// SPDX-License-Identifier: Apache-2.0
/*
 * What an accepted connection was meant for. Used by every role that accepts; it must not need
 * libbpf, a map or a privilege.
 */
#include "user/kern/flow.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71
#endif

static bool is_mapped(const uint8_t a[16])
{
	static const uint8_t prefix[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };

	return memcmp(a, prefix, sizeof(prefix)) == 0;
}

int flow_origin(int fd, struct tg_origin *ret)
{
	struct tg_origin o = { 0 };
	socklen_t n = sizeof(o);

	if (getsockopt(fd, TG_SOL, TG_SO_ORIGIN, &o, &n) < 0)
		return errno == ENOPROTOOPT ? -EPROTO : -errno;
	if (n != sizeof(o) || !o.agent || !o.port ||
	    (o.family != 4 && o.family != 6) || is_mapped(o.dst) != (o.family == 4))
		return -EPROTO;
	*ret = o;
	return 0;
}

void flow_address(const struct tg_origin *o, struct sockaddr_storage *ret, socklen_t *ret_len)
{
	memset(ret, 0, sizeof(*ret));
	if (o->family == 4) {
		struct sockaddr_in *in = (struct sockaddr_in *)ret;

		in->sin_family = AF_INET;
		in->sin_port = htons(o->port);
		memcpy(&in->sin_addr, o->dst + 12, 4);
		*ret_len = sizeof(*in);
	} else {
		struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)ret;

		in6->sin6_family = AF_INET6;
		in6->sin6_port = htons(o->port);
		memcpy(&in6->sin6_addr, o->dst, 16);
		*ret_len = sizeof(*in6);
	}
}

int flow_netns_cookie(int sock, uint64_t *ret)
{
	uint64_t cookie;
	socklen_t n = sizeof(cookie);

	if (getsockopt(sock, SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &n) < 0)
		return -errno;
	*ret = cookie;
	return 0;
}
