/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_GATE_JUDGE_H
#define TOLLGATE_GATE_JUDGE_H

#include <stdbool.h>
#include <stdint.h>

#include "policy/mcp_model.h"
#include "user/base/span.h"
#include "user/mcp/jsonrpc.h"
#include "user/mcp/message.h"

struct gate_conv;

enum gate_act {
	GATE_DROP = 0, /* goes nowhere, no answer is due */
	GATE_ANSWER, /* bytes go back to the sender in the message's place */
	GATE_REPLACE, /* bytes go on instead of what was received */
	GATE_FORWARD, /* what was received goes on, untouched */
};

/* The request of one HTTP exchange, kept apart from the conversation's other requests because its answer
 * comes on the same exchange. */
struct gate_call {
	bool open;
	enum mcp_method method;
	uint64_t started_ns;
	size_t id_n, item_n;
	char id[JSONRPC_ID_MAX];
	char item[512];
};

struct gate_verdict {
	enum gate_act act;
	struct span bytes; /* ANSWER, REPLACE: valid until the gate judges again */
	uint64_t pos; /* the log must have reached this before anything is released */
	enum mcp_method method; /* what it was, as far as it could be read */
	bool request; /* it was a request (an answer is awaited when it was forwarded) */
	bool denied;
	int code; /* denied: of the JSON-RPC error */
	const char *reason; /* denied: a sentence, valid until the gate judges again */
};

struct gate_context {
	enum mcp_dir dir;
	struct gate_call *call; /* HTTP: the exchange's own request, filled in or looked up; else NULL */
	bool late; /* the server had the bytes before the verdict */
	const uint8_t *digest; /* SHA-256 of the whole text, when it is known already; else NULL */
};

/* Judges one message: text without its line end. Always gives a verdict; what cannot be read, judged or
 * recorded is denied. */
void gate_judge(struct gate_conv *c, const struct gate_context *x, struct span text,
		struct gate_verdict *ret);

/* What is judged without being a message. */
struct gate_question {
	enum mcp_action action;
	struct span item;
	const struct mcp_connection *connection; /* of MCP_CONNECT and its like */
	const char *reason_code, *objection; /* it may not be, whatever policy says; or NULL */
};

/* ret->act is FORWARD or DROP. */
void gate_judge_question(struct gate_conv *c, const struct gate_question *q, struct gate_verdict *ret);

/* Something a host does that is not a message: opening a stream, ending a session ("http/GET"). Judged as
 * a method of that name; ret->act is FORWARD or DROP. */
void gate_judge_plain(struct gate_conv *c, const char *name, struct gate_verdict *ret);

/* Something the transport refused by itself, before there was a message: recorded, never let through. */
void gate_judge_refused(struct gate_conv *c, const char *why, struct gate_verdict *ret);

/* A message over the size limit, of which only the raw id (or nothing) is known. A host's is answered; a server's
 * answer is replaced by an error for the host that waits for it (ret->act is REPLACE). */
void gate_judge_overlong(struct gate_conv *c, const struct gate_context *x, struct span id,
			 uint64_t bytes, struct gate_verdict *ret);

#endif
