/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_POLICY_MCP_EXPLAIN_H
#define TOLLGATE_POLICY_MCP_EXPLAIN_H

#include "policy/explain.h"
#include "policy/mcp_model.h"

/* Why a message is judged as it is: explain.h for the questions of mcp_model.h. */

struct mcp_explain;

/* As mcp_model_new() for the same input, but the policies are not validated. */
int mcp_explain_new(const struct mcp_model_input *in, struct buf *errors, struct mcp_explain **ret);
void mcp_explain_free(struct mcp_explain *x);
DEFINE_CLEANUP(struct mcp_explain *, mcp_explain_free)

/* Asks about one message as the named agent's (mcp_answer.principal); then mcp_explain_why() answers for
 * each policy below mcp_explain_policies(), -ENOENT beyond. 0 or -errno where mcp_judge_decide() could
 * not decide either. */
int mcp_explain_ask(struct mcp_explain *x, const struct mcp_request *rq, const char *agent);
size_t mcp_explain_policies(const struct mcp_explain *x);
int mcp_explain_why(const struct mcp_explain *x, size_t policy, struct cedar_why *ret);

#endif
