/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_POLICY_MCP_IMPL_H
#define TOLLGATE_POLICY_MCP_IMPL_H

#include <stdatomic.h>

#include "policy/cedar_schema.h"
#include "policy/mcp_model.h"

/* Shared by mcp_model.c, which makes models, mcp_judge.c, which asks them, mcp_explain.c, which asks why, and
 * the dialect of cmcp.h. */

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

#endif
