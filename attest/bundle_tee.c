// SPDX-License-Identifier: Apache-2.0
/*
 * Evidence files from SEV-SNP and TDX guests. What the report data must be is not the caller's to say: it is the
 * digest of the statement.
 */
#include "attest/bundle_tee.h"

#include "attest/attest_verify.h"

static int bind(struct policy_set *set, const struct attest_evidence *e)
{
	*set = (struct policy_set){ 0 }; /* the caller's set stays the caller's */
	return policy_set_only(set, (struct span){ (const char *)e->bound.sha512, sizeof(e->bound.sha512) });
}

int bundle_judge_snp(const struct attest_bundle_input *in, const struct attest_policy *p, struct attest_result *res)
{
	const struct attest_evidence *e = &in->bundle->evidence;
	const struct span certs[] = { attest_evidence_part(e, "certs"), in->proof };
	const unsigned first = certs[0].n == 0, n = (certs[0].n != 0) + (certs[1].n != 0);
	struct attest_policy bound = *p;
	int r = bind(&bound.snp.report_data, e);

	if (r == 0)
		r = attest_verify_snp(&(struct attest_snp){ .report = attest_evidence_part(e, "report"),
							    .certs = certs + first, .n_certs = n,
							    .crls = in->silicon.crls, .n_crls = in->silicon.n_crls,
							    .roots = in->silicon.roots }, &bound, res);
	policy_set_done(&bound.snp.report_data);
	res->complete = false; /* that was a part only */
	return r;
}

int bundle_judge_tdx(const struct attest_bundle_input *in, const struct attest_policy *p, struct attest_result *res)
{
	const struct attest_evidence *e = &in->bundle->evidence;
	struct attest_policy bound = *p;
	int r;

	if (attest_evidence_part(e, "quote").n == 0) {
		attest_unchecked(res, "binding.hardware", "no-quote", attest_evidence_part(e, "td_report").n ?
				 "a TD report can be checked on its own machine alone: the kernel gave no quote" :
				 "there is no quote");
		return 0;
	}
	r = bind(&bound.tdx.report_data, e);
	if (r == 0)
		r = attest_verify_tdx(&(struct attest_tdx){ .quote = attest_evidence_part(e, "quote"),
							    .collateral = in->silicon.collateral,
							    .n_collateral = in->silicon.n_collateral,
							    .event_log = attest_evidence_part(e, "event_log"),
							    .roots = in->silicon.roots }, &bound, res);
	policy_set_done(&bound.tdx.report_data);
	res->complete = false;
	return r;
}
