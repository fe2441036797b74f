/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_GATE_HTTP_END_H
#define TOLLGATE_GATE_HTTP_END_H

#include <stdint.h>

#include "bpf/abi.h"
#include "user/net/listener.h"

struct gate;
struct gate_http;
struct gate_names;
struct http_answer;
struct http_sessions;
struct proc_identity;
struct resolver;

/*
 * The HTTP side of a proxy's gate. A connection is judged as what its first bytes say it is; a loopback
 * server is known by who owns its listening socket, asked before the request is judged and again before a byte
 * is sent, so that an owner that changed in between is not taken for the approved one.
 */
struct gate_http_ops {
	/* Asks who listens at the destination; gate_http_owner() gives the answer under the same token. */
	int (*ask_owner)(uint64_t token, const struct tg_origin *o, void *arg);
};

struct gate_http_side {
	struct gate *gate;
	struct net *net;
	struct http_sessions *sessions;
	struct resolver *resolver; /* NULL: connections go to the addresses that agents chose */
	struct gate_names *names; /* what agents asked for; NULL: not known */
	const struct gate_http_ops *ops;
	void *arg;
	struct gate_http *ends; /* open connections */
	struct http_answer *answers; /* to servers, on their way */
	uint64_t last_token;
};

/* An accepted connection (fd is taken) that the kernel says came from this origin. 0 or -errno. */
int gate_http_open(struct gate_http_side *side, struct net_listener *from, int fd,
		   const struct tg_origin *o);

/* The answer to ask_owner(): owner is NULL when nobody known listens there; socket tells listening
 * sockets apart. */
void gate_http_owner(struct gate_http_side *side, uint64_t token, const struct proc_identity *owner,
		     uint64_t socket);

#endif
