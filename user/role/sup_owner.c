// SPDX-License-Identifier: Apache-2.0
/*
 * Who owns a loopback server, for the proxies. To find the holder of a socket is to look at every process of the
 * machine, and an agent may open a connection for each call: who was found is asked alone for a moment.
 */
#include "user/base/clock.h"
#include "user/proc/sock.h"
#include "user/role/sup.h"

/* LIMIT: who else comes to hold a server's socket is noticed after this time. The socket itself, and who its known
 * holder is, are read for every connection. */
#define OWNER_KNOWN_NS 1000000000ull

static struct sup_owner *slot_of(struct supervisor *s, uint64_t ino)
{
	return &s->owners[ino % SUP_OWNERS];
}

static int find_holder(struct supervisor *s, struct proc_listener *l, struct proc_identity *ret)
{
	struct sup_owner *known = slot_of(s, l->ino);
	uint64_t now = clock_mono_ns();
	int r;

	if (known->ino == l->ino && now - known->since < OWNER_KNOWN_NS &&
	    proc_listener_held_by(l, known->pid, ret) == 0)
		return 0;
	*known = (struct sup_owner){ 0 };
	r = proc_listener_holder(l, ret);
	if (r == 0)
		*known = (struct sup_owner){ .ino = l->ino, .pid = ret->pid, .since = now };
	return r;
}

struct msg_owner_is sup_owner_of(struct supervisor *s, const struct msg_owner *q)
{
	struct msg_owner_is is = { 0 };
	struct proc_listener l = { 0 };

	is.error = proc_listener_find(q->pid, q->addr, q->port, &l);
	if (is.error == 0)
		is.error = find_holder(s, &l, &is.owner);
	is.socket = l.cookie;
	return is;
}
