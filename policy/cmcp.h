/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_POLICY_CMCP_H
#define TOLLGATE_POLICY_CMCP_H

/*
 * A compatibility dialect: policies written for the cMCP runtime (v0.4), put the questions that it puts.
 * Its requests are not those of mcp_model.h, nor of the schema that its bundles carry:
 *
 *	principal  Agent::"anonymous"
 *	action     Action::"ReadFile" for the tool read_file: parts between '_' capitalised and joined
 *	resource   Resource::"read_file"
 *	context    of a call: arguments, server_identity, compliance_domain, baa_covered,
 *	           destination_class ("external"), session_max_sensitivity, attestation_platform, workflow_id;
 *	           of a result: egress (true), sensitivity_level, injection_events, reset_count,
 *	           response_size_bytes, workflow_id
 *
 * There are no entities, nothing is validated, and a policy that fails is skipped, a forbid too: egress
 * lacks what policies for calls read, and would be denied throughout otherwise. In arguments null members
 * and elements are left out, and a number with a fraction or an exponent becomes its text as Python
 * writes it.
 */

#include "policy/cedar.h"
#include "policy/mcp_model.h"

#define CMCP_ARGUMENTS_MAX (1u << 20) /* bytes: that runtime takes no larger message */
#define CMCP_NAME_MAX 256 /* bytes of a tool's name; MCP advises 128 characters */
#define CMCP_REASONS_MAX MCP_REASONS_MAX

/* Parses the policies of a bundle, which must be in order of names to be numbered as there. -EINVAL:
 * the reasons, a line each, are appended to *errors. -ENOMEM, -E2BIG. */
int cmcp_load(const struct mcp_policy_text *texts, size_t n, struct buf *errors, struct cedar_snapshot **ret);

struct cmcp_call {
	struct span tool;
	struct span arguments; /* a JSON object; empty: {} */
	/* Strings may be NULL where the member is to be absent. */
	const char *server_identity; /* URL */
	const char *compliance_domain;
	bool requires_baa;
	const char *session_max_sensitivity;
	const char *attestation_platform;
	const char *workflow_id;
};

struct cmcp_result {
	struct span tool;
	int64_t sensitivity_level, injection_events, reset_count, response_size_bytes;
	const char *workflow_id; /* or NULL */
};

/* The AARM vocabulary that a policy can bring about. All but allow block. */
enum cmcp_decision {
	CMCP_DENY = 0,
	CMCP_STEP_UP, /* someone is to approve */
	CMCP_DEFER,
	CMCP_ALLOW,
};

/*
 * A forbid's @aarm_decision says how it denies ("deny", "step_up", "defer"; case and space around it do
 * not matter, nothing else is taken); without one, an annotation approver, escalate, escalation or hitl
 * means step_up. Where forbids differ, the first in the order of the enumeration holds.
 */
struct cmcp_answer {
	enum cmcp_decision decision;
	const char *reasons[CMCP_REASONS_MAX]; /* @id of the policy, else policyN; of the snapshot */
	size_t n_reasons; /* in reasons */
	size_t total_reasons;
	const char *advice; /* of a forbid: its approver, escalate, escalation or hitl; or NULL */
	size_t n_failed; /* policies that were skipped */
	bool forbid_failed; /* one of them a forbid: it decided nothing */
	char error[MCP_ERROR_TEXT_MAX]; /* why no question could be put, or the first failure; "" without */
};

struct cmcp_judge; /* per-thread memory */

int cmcp_judge_new(struct cmcp_judge **ret);
void cmcp_judge_free(struct cmcp_judge *j);
DEFINE_CLEANUP(struct cmcp_judge *, cmcp_judge_free)

/* Always give an answer; what goes wrong is a denial with error set. Denied without asking a policy: a
 * tool whose name is not of printable ASCII without '"' and '\', or holds "::", which that runtime takes
 * for an entity; arguments that are no JSON object, have an integer beyond 64 bits, or an object that
 * Cedar's JSON form would take for an entity, a call or an expression ("__entity", "__extn", "__expr"). */
void cmcp_judge_call(struct cmcp_judge *j, struct cedar_snapshot *s, const struct cmcp_call *call,
		     struct cmcp_answer *ret);
void cmcp_judge_result(struct cmcp_judge *j, struct cedar_snapshot *s, const struct cmcp_result *result,
		       struct cmcp_answer *ret);

#endif
