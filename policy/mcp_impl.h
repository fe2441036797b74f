/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_POLICY_MCP_IMPL_H
#define TOLLGATE_POLICY_MCP_IMPL_H

#include <stdatomic.h>

#include "policy/cedar_schema.h"
#include "policy/mcp_model.h"
#include "policy/mem.h"

/* Shared by mcp_model.c, which makes models, mcp_judge.c and mcp_list.c, which ask them, mcp_explain.c, which asks
 * why, and the dialect of cmcp.h. */

struct mcp_policy {
	const char *name; /* @id, else policyN */
	const char *advice; /* or NULL */
};

struct mcp_model {
	atomic_uint refs;
	struct cedar_snapshot *snapshot;
	struct mcp_policy *policies;
	char hash[SHA256_PREFIXED_SIZE];
};

#define MCP_LIST_STEP 128 /* entries of a list judged at once: their answers are kept side by side */

struct mcp_judge {
	struct cedar_request *rq;
	struct arena names;
	struct cedar_item items[MCP_LIST_STEP];
	struct cedar_answer answers[MCP_LIST_STEP];
};

/* Whether "SERVER/x" can only be read one way. */
bool mcp_server_name_ok(const char *name);

/* Adds all texts that parse. -EINVAL: the reasons of the others, a line each, are appended to *errors. */
int mcp_add_texts(struct cedar_policies *ps, const struct mcp_policy_text *texts, size_t n, struct buf *errors);

/* What a model is made of: policies, entities (those of actions among them) and the schema. Errors as of
 * mcp_model_new(); what is there already is to be freed then too. */
int mcp_model_parts(const struct mcp_model_input *in, struct buf *errors, struct cedar_policies **ret_policies,
		    struct cedar_entities **ret_entities, struct cedar_schema **ret_schema);

/* Tells a request to a snapshot as mcp_judge_decide() would; *ret is the judge's. -EINVAL without agent or
 * server; else as cedar_request_context() and its like. */
int mcp_judge_put(struct mcp_judge *j, struct cedar_snapshot *s, const struct mcp_request *rq, const char *agent,
		  struct cedar_request **ret);

/* "first/second", in the judge's memory until the next mcp_judge_put(). 0 or -ENOSPC. */
int mcp_judge_name(struct mcp_judge *j, const char *first, struct span second, struct span *ret);

/* What the gate makes of an answer. A list entry is shown when some arguments would let it be used. */
static inline bool mcp_judge_allows(bool list_entry, const struct cedar_answer *a)
{
	return !a->forbid_failed &&
	       (a->decision == CEDAR_ALLOW || (a->decision == CEDAR_DEPENDS && list_entry));
}

#endif
