/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_NET_POST_H
#define TOLLGATE_NET_POST_H

#include "user/base/span.h"
#include "user/net/conn.h"

struct net_post;

#define NET_POSTS_MAX 16u /* at once: a server that provokes more gets no answer to some */
#define NET_POST_MS 10000u /* from dialing to the end of the answer's head */

struct net_post_ops {
	/* Connected, no byte sent: NET_FORWARD, NET_DENY, or NET_LATER until net_post_resume(). */
	enum net_verdict (*dialed)(struct net_post *p, void *arg);
	/* Once, last: 0 when the server has answered (whatever it said; that goes nowhere), else -errno. p is
	 * invalid afterwards. */
	void (*done)(struct net_post *p, int error, void *arg);
};

/* Sends one request of our own (a whole head and body, copied) to a server, on a connection for it alone. ->done is
 * not called before this returns. 0, or -errno and nothing was begun; -EBUSY beyond NET_POSTS_MAX. */
int net_post_new(struct net *n, const struct net_dest *dest, struct span request,
		 const struct net_post_ops *ops, void *arg, struct net_post **ret);
/* Answers ->dialed. May call ->done before it returns. */
void net_post_resume(struct net_post *p, enum net_verdict v);
/* Ends it without ->done. NULL is fine. */
void net_post_free(struct net_post *p);

#endif
