// SPDX-License-Identifier: Apache-2.0
/* The policies of a model taken apart, and a message put to the pieces as it would be to the model. */
#include "policy/mcp_explain.h"

#include <errno.h>
#include <stdlib.h>

#include "policy/mcp_impl.h"

struct mcp_explain {
	struct cedar_policies *ps;
	struct cedar_pieces *pieces; /* of ps */
	struct mcp_judge *judge;
	struct cedar_request *rq; /* the judge's; NULL: nothing was asked yet */
};

int mcp_explain_new(const struct mcp_model_input *in, struct buf *errors, struct mcp_explain **ret)
{
	_cleanup_(mcp_explain_free_p) struct mcp_explain *x = calloc(1, sizeof(*x));
	_cleanup_(cedar_entities_free_p) struct cedar_entities *es = NULL;
	_cleanup_(cedar_schema_free_p) struct cedar_schema *schema = NULL;
	struct cedar_error error = { 0 };
	int r = x ? mcp_model_parts(in, errors, &x->ps, &es, &schema) : -ENOMEM;

	if (r == 0) {
		r = cedar_pieces_new(x->ps, es, &error, &x->pieces);
		if (r < 0 && *error.message)
			(void)buf_printf(errors, "%s\n", error.message);
	}
	if (r == 0)
		r = mcp_judge_new(&x->judge);
	if (r == 0)
		*ret = take_ptr(x);
	return r;
}

void mcp_explain_free(struct mcp_explain *x)
{
	if (!x)
		return;
	mcp_judge_free(x->judge);
	cedar_pieces_free(x->pieces);
	cedar_policies_free(x->ps);
	free(x);
}

int mcp_explain_ask(struct mcp_explain *x, const struct mcp_request *rq, const char *agent)
{
	int r;

	x->rq = NULL;
	r = mcp_judge_put(x->judge, cedar_pieces_snapshot(x->pieces), rq, agent, &x->rq);
	if (r == 0)
		r = cedar_pieces_ask(x->pieces, x->rq);
	if (r < 0)
		x->rq = NULL;
	return r;
}

size_t mcp_explain_policies(const struct mcp_explain *x)
{
	return cedar_policies_count(x->ps);
}

int mcp_explain_why(const struct mcp_explain *x, size_t policy, struct cedar_why *ret)
{
	return x->rq ? cedar_pieces_why(x->pieces, x->rq, policy, ret) : -ENOENT;
}
