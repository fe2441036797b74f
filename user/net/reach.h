/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_NET_REACH_H
#define TOLLGATE_NET_REACH_H

struct net_dest;

/* How far away an address is. Zero is what needs the most explicit permission. */
enum net_reach {
	NET_REACH_METADATA = 0, /* a cloud's service that gives credentials to whoever asks */
	NET_REACH_INTERNAL, /* this machine, this link, a private network, or nothing that is assigned */
	NET_REACH_PUBLIC,
};

/*
 * Of where a connection to this address ends: an IPv4 address that is carried in an IPv6 one (mapped, compatible,
 * translated, NAT64, 6to4) counts as itself. By the registries of special-purpose addresses (RFC 6890) and the
 * clouds' own documents; an address that they do not list is public.
 */
enum net_reach net_reach(const struct net_dest *d);

#endif
