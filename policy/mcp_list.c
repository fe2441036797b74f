// SPDX-License-Identifier: Apache-2.0
/* Lists of tools, judged as a whole: which of these may the agent see? Runs in the proxy, on names that servers
 * chose; what cannot be judged at once is judged one by one, so that nothing but time depends on it. */
#include "policy/mcp_impl.h"

/* Tools of the model's, all at once; false when one of them is none, or they do not fit the memory. */
static bool judge_tools(struct mcp_judge *j, struct mcp_model *m, const struct mcp_request *rq, const char *agent,
			const struct span *items, size_t n, bool *ret)
{
	struct mcp_request first = *rq;
	struct cedar_request *put;
	struct span id;

	first.item = items[0];
	if (mcp_judge_put(j, m->snapshot, &first, agent, &put) < 0)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (mcp_judge_name(j, rq->server, items[i], &id) < 0)
			return false;
		j->items[i] = (struct cedar_item){ .action = { SPAN("Action"), id },
						   .resource = { SPAN("Tool"), id } };
		if (!cedar_snapshot_has(m->snapshot, j->items[i].resource))
			return false;
	}
	if (cedar_authorize_each(put, j->items, n, j->answers) < 0)
		return false;
	for (size_t i = 0; i < n; i++)
		ret[i] = mcp_judge_allows(true, &j->answers[i]);
	return true;
}

/* For the agent and the one in whose scope it was started. */
static bool judge_tools_of_both(struct mcp_judge *j, struct mcp_model *m, const struct mcp_request *rq,
				const struct span *items, size_t n, bool *ret)
{
	bool outer[MCP_LIST_STEP];

	if (!judge_tools(j, m, rq, rq->agent, items, n, ret))
		return false;
	if (!rq->outer)
		return true;
	if (!judge_tools(j, m, rq, rq->outer, items, n, outer))
		return false;
	for (size_t i = 0; i < n; i++)
		ret[i] = ret[i] && outer[i];
	return true;
}

void mcp_judge_list(struct mcp_judge *j, struct mcp_model *m, const struct mcp_request *rq,
		    const struct span *items, size_t n, bool *ret)
{
	struct mcp_request one = *rq;
	struct mcp_answer a;

	for (size_t from = 0, k; from < n; from += k) {
		k = n - from < MCP_LIST_STEP ? n - from : MCP_LIST_STEP;
		if (rq->action == MCP_TOOL_LIST_ENTRY &&
		    judge_tools_of_both(j, m, rq, items + from, k, ret + from))
			continue;
		for (size_t i = from; i < from + k; i++) {
			one.item = items[i];
			mcp_judge_decide(j, m, &one, &a);
			ret[i] = a.decision == MCP_ALLOW;
		}
	}
}
