/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_NET_H
#define TOLLGATE_NET_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

#include "user/base/span.h"

struct loop;
struct net;

/* Where an agent wanted to connect to: AF_INET or AF_INET6, address and port set. IPv4-mapped
 * addresses are to be canonicalised by whoever fills it in (net_dest_set() does). */
struct net_dest {
	union {
		struct sockaddr sa;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
	};
};

/* family AF_INET with 4 bytes of address, or AF_INET6 with 16, in network order; port in host
 * order. -EINVAL for another family or port 0. */
int net_dest_set(struct net_dest *d, int family, const void *addr, unsigned port);
unsigned net_dest_port(const struct net_dest *d);
bool net_dest_is_loopback(const struct net_dest *d);

/* "127.0.0.1:80" or "[::1]:80". */
#define NET_DEST_TEXT_SIZE 56
void net_dest_text(const struct net_dest *d, char ret[NET_DEST_TEXT_SIZE]);

/* Limits of one engine. A zero member means the default behind it. */
struct net_limits {
	size_t head_max; /* bytes of a request or response head: 64 KiB */
	size_t body_max; /* bytes of a request body or a collected response body: 16 MiB */
	size_t event_max; /* bytes of one server-sent event: 16 MiB */
	/* Bytes that all connections together may hold: 512 MiB.
	 * LIMIT: one agent can use up what the agents of its proxy share; they are answered 503. */
	size_t buffered_max;
	unsigned first_ms; /* until a client's first byte: 10 s, then it counts as silent */
	unsigned head_ms; /* from the first byte of a request to the end of its head: 30 s */
	unsigned body_ms; /* between two reads of a request body: 30 s */
	unsigned request_ms; /* from the first byte of a request to its last: 600 s */
	unsigned idle_ms; /* between two requests on a connection: 600 s */
	unsigned connect_ms; /* until the server has accepted: 10 s */
	unsigned response_ms; /* from the request sent to the response head, and between two reads
				 of a collected body: 3,600 s, as tools may take long */
	unsigned write_ms; /* a peer that takes no byte: 120 s */
};

/* The HTTP engine of one proxy process: the memory pool, limits and clock its connections share.
 * limits may be NULL. 0 or -errno. Freeing it closes every connection (with their callbacks); not
 * to be done inside a callback. */
int net_new(struct loop *l, const struct net_limits *limits, struct net **ret);
void net_free(struct net *n);

/* Connections alive, and bytes of buffers they hold. */
size_t net_count(const struct net *n);
size_t net_buffered(const struct net *n);

#endif
