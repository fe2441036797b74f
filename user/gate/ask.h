/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_GATE_ASK_H
#define TOLLGATE_GATE_ASK_H

#include "policy/mcp_model.h"
#include "user/mcp/message.h"

struct gate_conv;
struct gate_input;

/* Puts one question about a conversation to the policy of its epoch. item names the tool, prompt, URI or
 * method; input is NULL when the message has no arguments, connection when it is a message. Returns the decision; ret
 * says why. */
enum mcp_decision gate_ask(struct gate_conv *c, enum mcp_action action, enum mcp_dir dir,
			   struct span item, struct gate_input *input, const struct mcp_connection *connection,
			   struct mcp_answer *ret);

/* The same for the elements of a list: whether the agent may have each of them. */
void gate_ask_list(struct gate_conv *c, enum mcp_action action, const struct span *items, size_t n, bool *ret);

/* A sentence for records and clients: who denied and by which rule. */
void gate_ask_reason(const struct mcp_answer *a, char *ret, size_t size);

#endif
