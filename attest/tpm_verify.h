/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_TPM_VERIFY_H
#define TOLLGATE_TPM_VERIFY_H

#include "attest/attest_verify.h"
#include "attest/tpm_attest.h"
#include "attest/tpm_pcrs.h"
#include "attest/tpm_public.h"

/*
 * Verification of what a TPM signed. Findings are named "tpm.*". The quote's own parts are judged the same
 * way wherever it comes from; who vouches for the key differs, so the key is an input here.
 */
struct tpm_quote {
	struct span quote; /* TPMS_ATTEST */
	struct span signature;
	struct span pcrs; /* a form of tpm_pcrs_parse(), or empty: the digest stays open */
	struct span nonce;
	bool have_nonce; /* false: freshness stays open. An empty nonce cannot be asked for */
	struct span event_log, ima; /* empty: none given */
	/* The key is bound by other hardware, and the quote carries the nonce under it: registers that prove
	 * nothing leave the boot open instead of making the evidence false. */
	bool carrier;
};

/* Judges quote and logs under a key that something else vouches for; pub is the key's public area or NULL
 * when only the key itself is known. */
void tpm_judge_quote(const struct tpm_quote *in, EVP_PKEY *key, const struct tpm_public *pub,
		     const struct attest_policy *p, struct attest_result *res);

/* Logs against the quoted values; tpm_logs.c. pcrs is NULL when they could not be proven. */
void tpm_judge_event_log(struct span log, const struct tpm_pcrs *pcrs, struct attest_result *res);
void tpm_judge_ima(struct span log, const struct tpm_pcrs *pcrs, const struct attest_policy *p,
		   struct attest_result *res);

/* Provider "tpm". */
struct attest_tpm {
	struct tpm_quote quote;
	struct span ak; /* TPMT_PUBLIC, TPM2B_PUBLIC, or a PEM key, which proves no attributes */
	struct span ak_certs; /* PEM or DER: the key's certificate, then intermediates; or empty */
	const struct x509_certs *roots; /* the only ends of that chain; NULL: none */
	struct span enrolment; /* a record of tpm_enrolment.h, or empty */
};
int attest_verify_tpm(const struct attest_tpm *in, const struct attest_policy *p, struct attest_result *res);

/* A key's public area or PEM. key is to be freed; pub is filled and *ret_has_pub set for a public area.
 * 0, -EBADMSG, -ENOMEM. */
int tpm_ak_read(struct span bytes, EVP_PKEY **ret_key, struct tpm_public *ret_pub, bool *ret_has_pub);

/* TPM2_Certify: the attestation key says that the object with this public area lives in its TPM. Findings
 * "tpm.certify.*". */
void tpm_judge_certify(struct span attest, struct span signature, EVP_PKEY *ak, struct span object_public,
		       struct attest_result *res);

/* TPM2_NV_Certify: the attestation key says what an NV index holds; kind is TPM_NT_COUNTER or
 * TPM_NT_EXTEND. The contents borrow from attest and are empty when anything failed. Findings
 * "tpm.nv.*". */
struct span tpm_judge_nv(struct span attest, struct span signature, EVP_PKEY *ak, struct span nv_public,
			 uint32_t kind, struct span nonce, struct attest_result *res);

#endif
