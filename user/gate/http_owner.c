// SPDX-License-Identifier: Apache-2.0
/*
 * Who owns the socket that a loopback server listens on: asked before a request is judged, and again before a byte
 * is sent. Runs in the proxy, which cannot see it: the supervisor looks.
 */
#include "user/gate/http_parts.h"

#include <stdlib.h>

#include "user/gate/http_answer.h"
#include "user/proc/identity.h"

enum net_verdict http_owner_ask(struct gate_http *h, struct net_exchange *x, enum waiting what)
{
	h->waiting = what;
	h->x = x;
	if (h->side->ops->ask_owner(h->token, &h->origin, h->side->arg) < 0) {
		h->waiting = WAIT_NOTHING;
		return http_end_reply_error(x, 503, "who owns the server's socket cannot be asked now");
	}
	return NET_LATER;
}

enum net_verdict http_owner_dialed(struct net_conn *c, struct net_exchange *x, int fd)
{
	struct gate_http *h = net_conn_owner(c);

	(void)fd;
	if (!http_end_loopback(h) || !x)
		return NET_FORWARD;
	return http_owner_ask(h, x, WAIT_OWNER_DIALED);
}

static void owner_for_request(struct gate_http *h, const struct proc_identity *owner, uint64_t socket)
{
	struct net_exchange *x = h->x;
	struct net_request rq = h->request;
	enum net_verdict v;

	h->owner_known = true;
	h->owner_socket = socket;
	if (owner) {
		h->owner = malloc(sizeof(*h->owner));
		if (!h->owner) {
			http_end_resume(h, NET_DENY);
			return;
		}
		*h->owner = *owner;
	}
	h->waiting = WAIT_NOTHING;
	v = http_end_begin(h, x, &rq);
	if (v == NET_LATER)
		return;
	h->x = x;
	http_end_resume(h, v);
}

static void owner_for_dialed(struct gate_http *h, const struct proc_identity *owner, uint64_t socket)
{
	struct gate_verdict v;

	/* A plain connection needs no approved owner, only the same one that was judged. */
	if (socket == h->owner_socket && (owner || !h->owner)) {
		http_end_resume(h, NET_FORWARD);
		return;
	}
	gate_judge_refused(h->conv, "the owner of the server's socket changed while it was asked for", &v);
	if (h->x)
		http_end_resume(h, http_end_reply_error(h->x, 502, "the server's socket has another owner now"));
}

void gate_http_owner(struct gate_http_side *side, uint64_t token, const struct proc_identity *owner,
		     uint64_t socket)
{
	if (http_answer_owner(side, token, owner, socket))
		return;
	for (struct gate_http *h = side->ends; h; h = h->next) {
		if (h->token != token)
			continue;
		if (h->waiting == WAIT_OWNER_REQUEST)
			owner_for_request(h, owner, socket);
		else if (h->waiting == WAIT_OWNER_DIALED)
			owner_for_dialed(h, owner, socket);
		return;
	}
}
