/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_GATE_HTTP_ANSWER_H
#define TOLLGATE_GATE_HTTP_ANSWER_H

#include <stdbool.h>
#include <stdint.h>

#include "bpf/abi.h"
#include "user/base/span.h"
#include "user/net/net.h"

struct gate_http_side;
struct http_answer;
struct proc_identity;

/* The stream on which a server asked something that is denied. Borrowed. */
struct http_answer_to {
	const struct tg_origin *origin;
	const struct net_dest *dest;
	struct span head; /* of the request that opened the stream: its target, credentials and session id */
	bool ask_owner; /* a loopback server: only to the owner of this socket */
	bool had_owner;
	uint64_t owner_socket;
};

/*
 * Answers a server's request with an error in the host's place. On Streamable HTTP a client answers with a POST of its
 * own, so this is one: to the target of the stream, under its session, on a connection to the same owner, once the
 * log holds pos. The record of the denial is its record. 0, or -errno: the server gets no answer.
 */
int http_answer_send(struct gate_http_side *side, const struct http_answer_to *to, struct span body,
		     uint64_t pos);

/* The answer to ask_owner(), when its token is one of ours. */
bool http_answer_owner(struct gate_http_side *side, uint64_t token, const struct proc_identity *owner,
		       uint64_t socket);

/* Drops all that are on their way. */
void http_answers_free(struct gate_http_side *side);

#endif
