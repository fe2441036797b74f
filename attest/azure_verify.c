// SPDX-License-Identifier: Apache-2.0
/*
 * Judges the chain from silicon to the quote of Azure's virtual TPM.
 */
#include "attest/azure_verify.h"

#include <errno.h>
#include <string.h>

#include "attest/azure_evidence.h"
#include "attest/azure_hcl.h"
#include "attest/bytes.h"
#include "attest/snp_report.h"
#include "attest/tdx_quote.h"
#include "attest/tpm_verify.h"
#include "user/base/cleanup.h"
#include "user/base/digest.h"

#define REPORT_DATA_SIZE 64
#define TD_REPORT_DATA_AT 128

DEFINE_CLEANUP(EVP_PKEY *, EVP_PKEY_free)

/* What the silicon was asked to sign, wherever its report keeps that. */
static int report_data_of(unsigned type, struct span report, struct span proof, struct span *ret)
{
	const char *code, *why;
	struct snp_report snp;
	struct tdx_quote tdx;
	int r;

	if (type == AZURE_HCL_SNP) {
		r = snp_report_parse(report, &snp, &code, &why);
		*ret = r == 0 ? snp.report_data : (struct span){ 0 };
	} else {
		r = tdx_quote_parse(proof, &tdx, &code, &why);
		*ret = r == 0 ? tdx.report_data : (struct span){ 0 };
	}
	return r;
}

static bool judge_binding(unsigned type, struct span report, struct span runtime_data, struct span proof,
			  uint8_t want[REPORT_DATA_SIZE], struct attest_result *res)
{
	struct span data = { 0 };
	bool hash, tail;

	memset(want, 0, REPORT_DATA_SIZE);
	sha256(runtime_data.p, runtime_data.n, want);
	(void)report_data_of(type, report, proof, &data);
	hash = data.n == REPORT_DATA_SIZE && memcmp(data.p, want, SHA256_SIZE) == 0;
	tail = data.n == REPORT_DATA_SIZE && memcmp(data.p + SHA256_SIZE, want + SHA256_SIZE, SHA256_SIZE) == 0;
	(void)attest_check(res, hash, "azure.runtime_data", "hash",
			   "the hash of the runtime data compared with the one that the silicon signed");
	(void)attest_check(res, tail, "azure.report_data_tail", "zero",
			   "the second half of what the silicon signed must be zero");
	/* The TD report says the same, or it is not the one that was quoted. */
	if (type == AZURE_HCL_TDX && report.n &&
	    !attest_check(res, memcmp(report.p + TD_REPORT_DATA_AT, want, REPORT_DATA_SIZE) == 0, "azure.td_report",
			  "report-data", "the TD report's data compared with the quote's"))
		return false;
	return hash && tail;
}

/* The silicon's part, by the verifier for it. What its report data must be is not the caller's to say: it is
 * the hash of the runtime data, and the caller's nonce is in the quote. */
static int judge_silicon(const struct attest_azure *in, unsigned type, struct span report, struct span proof,
			 const uint8_t want[REPORT_DATA_SIZE], const struct attest_policy *p,
			 struct attest_result *res)
{
	const struct span expected = { (const char *)want, REPORT_DATA_SIZE };
	struct attest_policy bound = *p;
	struct policy_set *set = type == AZURE_HCL_SNP ? &bound.snp.report_data : &bound.tdx.report_data;
	int r;

	*set = (struct policy_set){ 0 }; /* the caller's set stays the caller's */
	r = policy_set_only(set, expected);
	if (r < 0)
		return r;
	if (type == AZURE_HCL_SNP)
		r = attest_verify_snp(&(struct attest_snp){ .report = report, .certs = &proof, .n_certs = 1,
							    .crls = in->crls, .n_crls = in->n_crls,
							    .roots = in->roots },
				      &bound, res);
	else
		r = attest_verify_tdx(&(struct attest_tdx){ .quote = proof, .collateral = in->collateral,
							    .n_collateral = in->n_collateral, .roots = in->roots },
				      &bound, res);
	policy_set_done(set);
	res->complete = false; /* that was a part only */
	return r;
}

static void claim_runtime(const struct azure_runtime *rt, struct attest_result *res)
{
	json_out_key(&res->claims, "azure");
	json_out_object(&res->claims);
	json_out_member_bool(&res->claims, "secure_boot", rt->secure_boot);
	json_out_member_str(&res->claims, "user_data", rt->user_data);
	json_out_member_str(&res->claims, "vm_id", rt->vm_id);
	json_out_object_end(&res->claims);
}

int azure_judge_report(const struct attest_azure *in, unsigned type, struct span report, struct span runtime_data,
		       struct span proof, const struct attest_policy *p, struct attest_result *res,
		       EVP_PKEY **ret_ak)
{
	uint8_t want[REPORT_DATA_SIZE];
	struct azure_runtime rt;
	bool bound = judge_binding(type, report, runtime_data, proof, want, res);
	int r = judge_silicon(in, type, report, proof, want, p, res);

	if (r < 0)
		return r;
	r = azure_runtime_parse(runtime_data, &rt);
	if (r == -ENOMEM)
		return r;
	if (!attest_check(res, r == 0, "azure.ak", "runtime-key", r == 0 ?
			  "the runtime data names the virtual TPM's attestation key" :
			  "the runtime data names no attestation key of a size that is accepted") || !bound) {
		if (r == 0)
			azure_runtime_done(&rt);
		return -EBADMSG;
	}
	claim_runtime(&rt, res);
	*ret_ak = take_ptr(rt.ak);
	azure_runtime_done(&rt);
	return 0;
}

/* Some evidence states the key twice; the one that the silicon vouches for judges the other. */
static void judge_stated_key(struct span pem, EVP_PKEY *ak, struct attest_result *res)
{
	_cleanup_(EVP_PKEY_free_p) EVP_PKEY *stated = NULL;
	struct tpm_public pub;
	bool has;

	if (pem.n == 0)
		return;
	(void)attest_check(res, tpm_ak_read(pem, &stated, &pub, &has) == 0 && EVP_PKEY_eq(stated, ak) == 1,
			   "azure.ak_stated", "same-key", "the key in the evidence compared with the runtime data's");
}

static int judge(const struct attest_azure *in, const struct azure_evidence *e, unsigned type, struct span report,
		 struct span runtime_data, const struct attest_policy *p, struct attest_result *res)
{
	_cleanup_(EVP_PKEY_free_p) EVP_PKEY *ak = NULL;
	struct span proof = buf_span(type == AZURE_HCL_SNP ? &e->vcek : &e->td_quote);
	uint8_t hashed[SHA256_SIZE];
	struct tpm_quote quote = {
		.quote = buf_span(&e->quote), .signature = buf_span(&e->signature), .pcrs = buf_span(&e->pcrs),
		.nonce = in->nonce, .have_nonce = in->have_nonce, .carrier = true,
	};
	int r;

	if (proof.n == 0 && e->nonce_hashed) {
		attest_unchecked(res, "azure.silicon", "no-proof", "the chip's certificate was not given");
		return 0;
	}
	if (proof.n == 0) {
		attest_fail(res, "azure.evidence", "wrong-proof", type == AZURE_HCL_SNP ?
			    "the report is SEV-SNP's and comes without a certificate" :
			    "the report is TDX's and comes without a quote");
		return 0;
	}
	r = azure_judge_report(in, type, report, runtime_data, proof, p, res, &ak);
	if (r < 0)
		return r == -EBADMSG ? 0 : r;
	judge_stated_key(buf_span(&e->ak_pem), ak, res);
	if (e->nonce_hashed && in->have_nonce && in->nonce.n) {
		sha256(in->nonce.p, in->nonce.n, hashed);
		quote.nonce = (struct span){ (const char *)hashed, sizeof(hashed) };
	}
	tpm_judge_quote(&quote, ak, NULL, p, res);
	return 0;
}

int attest_verify_azure(const struct attest_azure *in, const struct attest_policy *p, struct attest_result *res)
{
	struct attest_policy none;
	struct azure_evidence e;
	struct azure_hcl hcl;
	int r = azure_evidence_parse(in->evidence, &e);

	attest_policy_init(&none);
	if (r == 0 && buf_len(&e.hcl)) {
		r = azure_hcl_parse(buf_span(&e.hcl), &hcl);
		if (attest_check(res, r == 0, "azure.hcl", "hcl", r == 0 ? "the paravisor's report is well-formed" :
				 "the paravisor's report is malformed"))
			r = judge(in, &e, hcl.type, hcl.report, hcl.runtime_data, p ? p : &none, res);
		else
			r = 0;
	} else if (r == 0) {
		r = judge(in, &e, AZURE_HCL_SNP, buf_span(&e.snp_report), buf_span(&e.runtime_data), p ? p : &none,
			  res);
	} else if (r == -EBADMSG) {
		attest_fail(res, "azure.evidence", "malformed", "the evidence is JSON of no known form");
		r = 0;
	}
	attest_policy_done(&none);
	azure_evidence_done(&e);
	res->complete = r == 0;
	return r;
}
