/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_NET_LISTENER_H
#define TOLLGATE_NET_LISTENER_H

#include <stddef.h>

#include "user/net/net.h"

struct net_listener;

/* An accepted connection (non-blocking, close-on-exec), owned by the callee. */
typedef void (*net_accept_fn)(struct net_listener *ls, int fd, void *arg);

/* Accepts on fd (listening, owned from success on). While max connections made with this listener
 * are alive, a further one is answered 503 and closed. 0 or -errno. */
int net_listener_new(struct net *n, int fd, size_t max, net_accept_fn fn, void *arg,
		     struct net_listener **ret);

/* Stops accepting and closes the socket. Its connections live on. NULL is fine. */
void net_listener_free(struct net_listener *ls);

size_t net_listener_count(const struct net_listener *ls);
/* Connections answered 503 so far. */
size_t net_listener_refused(const struct net_listener *ls);

#endif
