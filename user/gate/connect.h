/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_GATE_CONNECT_H
#define TOLLGATE_GATE_CONNECT_H

#include <stdbool.h>

struct gate_conv;
struct gate_verdict;
struct net_dest;
struct tls_hello;

/* A connection that is not MCP. */
struct gate_connect {
	const struct net_dest *dest; /* where it would go */
	const char *name; /* the host that it is for, in name_read()'s spelling; "": the address itself */
	const struct tls_hello *hello; /* NULL: not TLS */
	bool disagrees; /* the agent was given this address for other names only */
};

/*
 * Judges it: Action::"connect", or "connect/internal" or "connect/metadata" where the address is not the public
 * network's, on Host::"NAME:PORT". What hides its name, or shows another than its address has, is objected to whatever
 * policy says. ret->act is FORWARD or DROP; there is a record either way.
 */
void gate_judge_connect(struct gate_conv *c, const struct gate_connect *to, struct gate_verdict *ret);

#endif
