/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_POLICY_MCP_IMPL_H
#define TOLLGATE_POLICY_MCP_IMPL_H

#include <stdatomic.h>

#include "policy/mcp_model.h"

/* Shared by mcp_model.c, which makes models, mcp_judge.c, which asks them, and the dialect of cmcp.h. */

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

#endif
