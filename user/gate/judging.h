/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_GATE_JUDGING_H
#define TOLLGATE_GATE_JUDGING_H

/* The working state of one message inside gate/; not for other rooms. */

#include "user/gate/ask.h"
#include "user/gate/conv.h"
#include "user/gate/gate.h"
#include "user/gate/judge.h"
#include "user/notary/record.h"

#define JUDGING_REASON_MAX 512
#define JUDGING_CALL_ID_MAX 64

/* JSON-RPC code of a denial: the first of the range that the specification leaves to servers. */
#define JUDGING_E_DENIED (-32000)

struct judging {
	struct gate_conv *conv;
	const struct gate_context *x;
	struct span text;
	const uint8_t *digest; /* of text, when it is known already */
	uint64_t started_ns;

	/* of the element being judged: the message, or one of a batch */
	struct jsonrpc_msg rpc;
	struct mcp_msg msg;
	const struct mcp_connection *connection; /* it is no message but a connection, or NULL */
	struct mcp_answer answer; /* of policy, when it was asked */
	bool answers; /* a request that is open: who made it waits for this */
	bool asked;
	bool deny; /* must not go on, whatever the mode */
	bool would_deny; /* policy, pin or catalog says no: the mode decides */
	int code; /* of the error that answers a denial */
	const char *reason_code;
	char reason[JUDGING_REASON_MAX];
	char call_id[JUDGING_CALL_ID_MAX];
	bool replaced; /* gate->out holds what goes on in the message's place */
	unsigned dropped; /* list elements cut */
	char dropped_names[256];
};

/* Not to be overruled by the mode: malformed, unmatched, or not recordable. */
void judging_refuse(struct judging *j, int code, const char *reason_code, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
/* What policy, pin or catalog says; the mode decides what follows. */
void judging_object(struct judging *j, const char *reason_code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Puts a question to policy and objects when the answer is no. */
void judging_ask(struct judging *j, enum mcp_action action, struct span item,
		 struct gate_input *input);

/* Holds a list result against pins and policy, and cuts what the agent may not have. */
void judging_list(struct judging *j, enum mcp_method asked);

/* Appends the error that answers this element to gate->out. 0 or -errno. */
int judging_answer(struct judging *j);

#endif
