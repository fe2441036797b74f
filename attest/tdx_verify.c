// SPDX-License-Identifier: Apache-2.0
/*
 * Verification of a TDX quote: form, PCK chain, revocation, and the three signatures that tie the TD's
 * report to that chain.
 */
#include "attest/tdx_verify.h"

#include <errno.h>
#include <openssl/evp.h>
#include <openssl/objects.h>
#include <stdio.h>
#include <string.h>

#include "attest/bytes.h"
#include "attest/roots.h"
#include "attest/tpm_hash.h"
#include "user/base/cleanup.h"
#include "user/base/digest.h"

static void check_done(struct tdx_check *c)
{
	tdx_collateral_done(&c->collateral);
	x509_certs_done(&c->chain);
	tdx_tcb_info_done(&c->tcb_info);
	tdx_qe_identity_done(&c->qe_identity);
}

/* Leaf, authority, root, in this order and nothing else: a chain that needs sorting was not made by the
 * platform. The root itself may be left out. */
static bool in_order(const struct x509_certs *c)
{
	if (c->n < 2 || c->n > 3)
		return false;
	for (unsigned i = 0; i + 1 < c->n; i++)
		if (X509_NAME_cmp(X509_get_issuer_name(c->cert[i]),
				  X509_get_subject_name(c->cert[i + 1])) != 0)
			return false;
	return x509_cn_is(X509_get_subject_name(c->cert[0]), "Intel SGX PCK Certificate") &&
	       (x509_cn_is(X509_get_subject_name(c->cert[1]), "Intel SGX PCK Platform CA") ||
		x509_cn_is(X509_get_subject_name(c->cert[1]), "Intel SGX PCK Processor CA"));
}

static int check_chain(struct tdx_check *c)
{
	_cleanup_certs_ struct x509_certs given = { 0 };
	const struct x509_trust t = {
		.roots = c->roots, .untrusted = &given, .at = c->res->at, .strict = true
	};
	const char *why;
	int r = x509_certs_add(&given, c->quote.pck_chain);

	if (r == -ENOMEM)
		return r;
	if (r < 0 || !in_order(&given)) {
		attest_fail(c->res, "tdx.chain", r < 0 ? "malformed" : "wrong-order", "%s",
			    r < 0 ? "the quote holds no readable PCK certificates" :
				    "they are not PCK, its authority and root in order");
		return 0;
	}
	if (tdx_pck_parse(given.cert[0], &c->pck) < 0) {
		attest_fail(c->res, "tdx.chain", "no-sgx-extension",
			    "the PCK certificate does not name its platform");
		return 0;
	}
	r = x509_verify(given.cert[0], &t, &c->chain, &why);
	if (r == -ENOMEM)
		return r;
	c->have_pck = r == 0;
	if (!c->have_pck) /* its spans lie in the certificate, which lives on in a verified chain alone */
		c->pck = (struct tdx_pck){ 0 };
	attest_check(c->res, r == 0, "tdx.chain", r == 0 ? "chained" : "not-chained", "%s%s",
		     r == 0 ? "to Intel's root" : "no chain to Intel's root at that time: ", why);
	return 0;
}

static int check_crl(struct tdx_check *c)
{
	const struct x509_trust t = { .roots = c->roots,
				      .untrusted = &c->chain,
				      .crls = &c->collateral.crls,
				      .at = c->res->at,
				      .strict = true };
	const char *why;
	int r;

	if (!c->have_pck)
		return 0;
	if (c->collateral.crls.n == 0) {
		attest_unchecked(c->res, "tdx.crl", "no-crl", "no revocation lists are given");
		return 0;
	}
	if (x509_crls_forged(&c->collateral.crls, &c->chain)) {
		attest_fail(c->res, "tdx.crl", "forged",
			    "a revocation list is not signed by its issuer");
		return 0;
	}
	r = x509_verify(c->chain.cert[0], &t, NULL, &why);
	if (r == -ENOMEM)
		return r;
	if (r == 0)
		attest_pass(c->res, "tdx.crl", "not-revoked",
			    "no certificate of the chain is revoked");
	else if (x509_lacks_crl(why))
		attest_unchecked(c->res, "tdx.crl", "no-crl",
				 "not all revocation lists of the chain are given");
	else
		attest_fail(c->res, "tdx.crl", "revoked-or-stale", "%s", why);
	return 0;
}

static int verify_p256(EVP_PKEY *key, struct span data, struct span signature)
{
	const uint8_t *p = (const uint8_t *)signature.p;

	if (!x509_key_is_ec(key, NID_X9_62_prime256v1))
		return -EKEYREJECTED;
	return x509_ecdsa_verify(key, EVP_sha256(), data, p, p + 32, 32);
}

/* The report of the quoting enclave is signed by the PCK, and its report data is the digest of the
 * attestation key, followed by zeros. */
static int check_qe_report(struct tdx_check *c)
{
	const struct tdx_quote *q = &c->quote;
	struct tdx_qe_report qe;
	const struct span pieces[] = { q->attestation_key, q->qe_auth };
	uint8_t digest[SHA256_SIZE];
	int r;

	if (!c->have_pck)
		return 0;
	r = verify_p256(X509_get0_pubkey(c->chain.cert[0]), q->qe_report, q->qe_signature);
	if (r == -ENOMEM)
		return r;
	if (r < 0) {
		attest_fail(c->res, "tdx.qe", "bad-signature",
			    "the quoting enclave's report is not signed by the PCK");
		return 0;
	}
	r = tpm_hash(TPM_HASH_SHA256, pieces, 2, digest);
	if (r < 0)
		return r;
	tdx_qe_report_parse(q->qe_report, &qe);
	if (memcmp(qe.report_data.p, digest, sizeof(digest)) != 0 ||
	    !bytes_all_zero((struct span){ qe.report_data.p + 32, 32 })) {
		attest_fail(c->res, "tdx.qe", "other-key",
			    "the quoting enclave does not vouch for the attestation key");
		return 0;
	}
	c->have_qe = true;
	attest_pass(c->res, "tdx.qe", "vouched",
		    "the PCK signed the quoting enclave, which vouches for the key");
	return 0;
}

static int check_signature(struct tdx_check *c)
{
	EVP_PKEY *key = NULL;
	int r = x509_p256_key((const uint8_t *)c->quote.attestation_key.p, &key);

	if (r == 0)
		r = verify_p256(key, c->quote.signed_bytes, c->quote.signature);
	EVP_PKEY_free(key);
	if (r == -ENOMEM)
		return r;
	attest_check(c->res, r == 0, "tdx.signature", r == 0 ? "valid" : "bad-signature",
		     "%s by the attestation key", r == 0 ? "signed" : "not signed");
	return 0;
}

static void claims(struct tdx_check *c)
{
	static const char *const rtmr[TDX_RTMRS] = { "rtmr0", "rtmr1", "rtmr2", "rtmr3" };
	struct attest_result *res = c->res;
	const struct tdx_quote *q = &c->quote;
	char hex[24];

	json_out_member_int(&res->claims, "version", q->version);
	json_out_member_str(&res->claims, "body",
			    q->body_type == TDX_BODY_10 ? "td-1.0" :
			    q->body_type == TDX_BODY_15 ? "td-1.5" :
							  "td-1.5-ex");
	attest_claim_hex(res, "mrtd", q->mrtd);
	for (unsigned i = 0; i < TDX_RTMRS; i++)
		attest_claim_hex(res, rtmr[i], q->rtmr[i]);
	attest_claim_hex(res, "report_data", q->report_data);
	attest_claim_hex(res, "mrconfigid", q->mrconfigid);
	attest_claim_hex(res, "mrowner", q->mrowner);
	attest_claim_hex(res, "mrownerconfig", q->mrownerconfig);
	if (q->body_type != TDX_BODY_10)
		attest_claim_hex(res, "mrservicetd", q->mrservicetd);
	attest_claim_hex(res, "mrseam", q->mrseam);
	attest_claim_hex(res, "tee_tcb_svn", q->svn);
	if (q->body_type != TDX_BODY_10)
		attest_claim_hex(res, "tee_tcb_svn2", q->svn2);
	if (q->extension.n)
		attest_claim_hex(res, "body_extension", q->extension);
	(void)snprintf(hex, sizeof(hex), "0x%llx", (unsigned long long)q->td_attributes);
	json_out_member_str(&res->claims, "td_attributes", hex);
	attest_claim_hex(res, "xfam", q->xfam);
	json_out_member_int(&res->claims, "trailing_bytes", (int64_t)q->trailing);
}

static void platform_claims(struct tdx_check *c)
{
	if (!c->have_pck)
		return;
	attest_claim_hex(c->res, "fmspc", c->pck.fmspc);
	attest_claim_hex(c->res, "ppid", c->pck.ppid);
	if (c->pck.platform_instance.n)
		attest_claim_hex(c->res, "platform_instance", c->pck.platform_instance);
	json_out_member_int(&c->res->claims, "pcesvn", c->pck.pcesvn);
}

static int read_collateral(struct tdx_check *c, const struct attest_tdx *in)
{
	for (unsigned i = 0; i < in->n_collateral; i++) {
		int r = tdx_collateral_add(&c->collateral, in->collateral[i]);

		if (r == -ENOMEM)
			return r;
		/* What is no statement may be anything that lies in the same folder; what it should have
		 * been is then missing, and said so where it is looked for. */
		if (r < 0 && in->collateral[i].n > 0 && in->collateral[i].p[0] != '{')
			attest_skipped(c->res, "tdx.collateral", "not-understood",
				       "file %u is of no kind that is known", i + 1);
		else if (r < 0)
			attest_fail(c->res, "tdx.collateral",
				    r == -EMSGSIZE ? "too-much" : "malformed",
				    "file %u of the collateral is %s", i + 1,
				    r == -EMSGSIZE ? "more than is looked at" :
						     "malformed or of no kind that is known");
	}
	return 0;
}

int attest_verify_tdx(const struct attest_tdx *in, const struct attest_policy *p,
		      struct attest_result *res)
{
	_cleanup_(check_done) struct tdx_check c = { .res = res,
						     .policy = &p->tdx,
						     .qe_status = TDX_NOT_SUPPORTED };
	_cleanup_certs_ struct x509_certs pinned = { 0 };
	const char *code, *why;
	int r;

	if (tdx_quote_parse(in->quote, &c.quote, &code, &why) < 0) {
		attest_fail(res, "tdx.quote", code, "%s", why);
		res->complete = true;
		return 0;
	}
	attest_pass(res, "tdx.quote", "well-formed", "format %u, %zu bytes behind it",
		    c.quote.version, c.quote.trailing);
	claims(&c);
	r = attest_roots_intel(&pinned);
	c.roots = in->roots && in->roots->intel ? in->roots->intel : &pinned;
	if (r == 0)
		r = read_collateral(&c, in);
	if (r == 0)
		r = check_chain(&c);
	if (r == 0)
		r = check_crl(&c);
	if (r == 0)
		r = check_qe_report(&c);
	if (r == 0)
		r = check_signature(&c);
	platform_claims(&c);
	if (r == 0)
		r = tdx_check_collateral(&c);
	if (r < 0)
		return -ENOMEM;
	tdx_check_policy(&c, in->event_log);
	res->complete = true;
	return 0;
}
