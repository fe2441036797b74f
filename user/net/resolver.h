/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_NET_RESOLVER_H
#define TOLLGATE_NET_RESOLVER_H

#include "user/net/dns.h"

struct loop;
struct resolver;
struct resolver_query;

#define RESOLVER_QUERIES_MAX 256 /* under way at once, of all agents of a proxy */
#define RESOLVER_CACHE_MAX 1024 /* answers that are kept */
#define RESOLVER_TTL_MAX 3600u /* seconds; a zone may say more, and be wrong for as long */
#define RESOLVER_NEGATIVE_TTL_MAX 60u /* the same for what does not exist: it may have been made meanwhile */

/*
 * Asks name servers for a proxy, by c-ares, and keeps answers for as long as they hold. It looks into no hosts file
 * and adds no domain to a name.
 *
 * To be made while the role may still read files: the servers of /etc/resolv.conf and the seed of query numbers
 * are read now. 0, -ENOMEM, or -EIO when c-ares fails.
 */
int resolver_new(struct loop *l, struct resolver **ret);
/* Calls no function of an open query. */
void resolver_free(struct resolver *r);

/* Other servers: "192.0.2.53,[2001:db8::53]:5353". 0 or -EINVAL. */
int resolver_servers(struct resolver *r, const char *list);

/* error: 0, or -errno when no server gave an answer that can be read. answer is valid during the call. */
typedef void (*resolver_fn)(void *arg, int error, const struct dns_answer *answer);

/*
 * Asks for a host name (name_read()) and DNS_A, DNS_AAAA or DNS_HTTPS. 1: the answer is known, and in *ret_answer.
 * 0: fn is called once, later, unless the query is cancelled before; it is gone then. -EAGAIN: too many are under
 * way. -EIO: no server can be asked. -ENOMEM.
 */
int resolver_ask(struct resolver *r, const char *name, enum dns_type type, resolver_fn fn, void *arg,
		 struct dns_answer *ret_answer, struct resolver_query **ret_query);
void resolver_cancel(struct resolver_query *q);

/* Asked of servers, and answered from what was kept, so far. */
void resolver_counts(const struct resolver *r, unsigned long *ret_asked, unsigned long *ret_kept);

#endif
