/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_AZURE_VERIFY_H
#define TOLLGATE_AZURE_VERIFY_H

#include <openssl/evp.h>

#include "attest/attest_verify.h"

/*
 * Evidence of an Azure confidential guest: silicon signs a report, the report carries the hash of the
 * paravisor's runtime data, the runtime data names the virtual TPM's attestation key, and that key signs
 * the quote. Findings "azure.*", and those of "snp.*" or "tdx.*" and "tpm.*" for the parts.
 *
 * LIMIT: the launch measurement is the paravisor's, Microsoft's code; the guest's own kernel and programs
 * stand in the quote's PCRs only, which that paravisor keeps.
 */
struct attest_azure {
	struct span evidence; /* JSON, see azure_evidence.h */
	struct span nonce; /* what was asked for; how it is carried depends on the evidence's form */
	bool have_nonce;
	const struct span *crls; /* of AMD's roots */
	unsigned n_crls;
	const struct span *collateral; /* of Intel's service, as in struct attest_tdx */
	unsigned n_collateral;
	const struct attest_roots *roots; /* NULL: the pinned ones */
};
int attest_verify_azure(const struct attest_azure *in, const struct attest_policy *p, struct attest_result *res);

/* The silicon's report and what it binds. type is AZURE_HCL_*; proof holds certificates (SNP) or is the
 * quote (TDX). On success of the binding *ret_ak is the virtual TPM's key, which the caller frees. 0,
 * -EBADMSG when no key is bound (the findings say why), -ENOMEM. */
int azure_judge_report(const struct attest_azure *in, unsigned type, struct span report, struct span runtime_data,
		       struct span proof, const struct attest_policy *p, struct attest_result *res,
		       EVP_PKEY **ret_ak);

#endif
