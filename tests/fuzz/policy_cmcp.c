// SPDX-License-Identifier: Apache-2.0
/*
 * A tool's name, a line end, and arguments in JSON, put to policies as the cMCP runtime would; eight bytes
 * of the input also as a double, whose text must read back as it.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/cmcp.h"
#include "policy/cmcp_value.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char policies[] =
	"permit(principal == Agent::\"anonymous\", action, resource);"
	"@approver(\"x\") forbid(principal, action == Action::\"ReadFile\", resource) when {"
	" context.arguments.path like \"*..*\" };"
	"@aarm_decision(\"defer\") forbid(principal, action, resource == Resource::\"pay\") when {"
	" context.arguments.amount > 10 || [1, \"0.5\"].contains(context.arguments.rate) };";

static void check_float(double v)
{
	char text[CMCP_FLOAT_SIZE];

	cmcp_float_text(v, text);
	if (isnan(v) ? strcmp(text, "nan") != 0 : strtod(text, NULL) != v)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct cedar_snapshot *s;
	static struct cmcp_judge *judge;
	struct mcp_policy_text t = { "fuzz", SPAN(policies) };
	const char *p = (const char *)data, *line = size ? memchr(p, '\n', size) : NULL;
	_cleanup_buf_ struct buf errors = { 0 };
	struct cmcp_call call = { .workflow_id = "w" };
	struct cmcp_answer a;
	double v;

	if (!s && (cmcp_load(&t, 1, &errors, &s) < 0 || cmcp_judge_new(&judge) < 0))
		abort();
	if (size >= sizeof(v)) {
		memcpy(&v, data, sizeof(v));
		check_float(v);
	}
	if (!line)
		return 0;
	call.tool = (struct span){ p, (size_t)(line - p) };
	call.arguments = (struct span){ line + 1, size - call.tool.n - 1 };
	cmcp_judge_call(judge, s, &call, &a);
	if (a.decision == CMCP_ALLOW && a.total_reasons != 1)
		abort();
	if (a.decision != CMCP_ALLOW && !*a.error && a.total_reasons == 0)
		abort(); /* the permit holds for all that could be asked */
	return 0;
}
