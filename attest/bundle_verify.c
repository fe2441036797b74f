// SPDX-License-Identifier: Apache-2.0
/*
 * Judges an evidence file: first what the node states, then whether hardware is bound to that statement.
 */
#include <errno.h>
#include <openssl/x509.h>
#include <string.h>

#include "attest/azure_hcl.h"
#include "attest/bundle.h"
#include "attest/bundle_tee.h"
#include "attest/expect.h"
#include "attest/tpm_verify.h"
#include "user/base/cleanup.h"
#include "user/base/digest.h"

DEFINE_CLEANUP(EVP_PKEY *, EVP_PKEY_free)

/* "sha256:<hex>" to its bytes, empty for anything else. */
static struct span digest_of(struct span text, uint8_t ret[32])
{
	if (text.n != 7 + 64 || memcmp(text.p, "sha256:", 7) != 0 || hex_decode(text.p + 7, 64, ret, 32) < 0)
		return (struct span){ 0 };
	return (struct span){ (const char *)ret, 32 };
}

static void judge_hash(struct attest_result *res, const char *field, const struct policy_set *set, struct span text,
		       bool needed)
{
	uint8_t bytes[32];

	attest_expect(res, field, set, digest_of(text, bytes), needed);
}

static void judge_statement(const struct attest_bundle_input *in, const struct binding_policy *p,
			    struct attest_result *res)
{
	const struct attest_binding *b = &in->bundle->binding;
	char mode[32];

	if (in->have_nonce)
		(void)attest_check(res, in->nonce.n && span_eq(in->nonce, b->nonce), "binding.nonce", "nonce",
				   "the statement's nonce compared with the one that was asked for");
	else
		attest_unchecked(res, "binding.nonce", "no-nonce",
				 "no nonce was given to compare with: the evidence may be old");
	attest_expect(res, "binding.public_key", &p->public_keys, b->public_key, true);
	judge_hash(res, "binding.policy_hash", &p->policy_hashes, b->policy_hash, true);
	judge_hash(res, "binding.catalog_hash", &p->catalog_hashes, b->catalog_hash, true);
	judge_hash(res, "binding.program_hash", &p->program_hashes, b->program_hash, false);
	judge_hash(res, "binding.kernel_program_hash", &p->kernel_program_hashes, b->kernel_program_hash, false);
	(void)snprintf(mode, sizeof(mode), "%.*s", (int)(b->mode.n < sizeof(mode) ? b->mode.n : 0), b->mode.p);
	if (p->modes.given)
		(void)attest_check(res, policy_texts_have(&p->modes, mode), "binding.mode", "mode", "the mode is %s",
				   mode);
	else
		attest_skipped(res, "binding.mode", "no-expectation", "the mode is %s, none was expected", mode);
}

/* The key that the statement names beside the log's must be one that the TPM certified. */
static void judge_cosign(const struct attest_bundle *b, EVP_PKEY *ak, struct attest_result *res)
{
	const struct span spki = b->binding.cosign_key;
	struct span area = attest_evidence_part(&b->evidence, "cosign_public");
	_cleanup_(EVP_PKEY_free_p) EVP_PKEY *stated = NULL, *certified = NULL;
	const uint8_t *der = (const uint8_t *)spki.p;
	struct tpm_public pub;
	bool has;

	if (spki.n == 0) {
		attest_skipped(res, "tpm.certify.name", "none", "the statement names no co-signing key");
		return;
	}
	tpm_judge_certify(attest_evidence_part(&b->evidence, "cosign_certify"),
			  attest_evidence_part(&b->evidence, "cosign_certify_signature"), ak, area, res);
	stated = d2i_PUBKEY(NULL, &der, (long)spki.n);
	(void)attest_check(res, stated && der == (const uint8_t *)spki.p + spki.n &&
			   tpm_ak_read(area, &certified, &pub, &has) == 0 && EVP_PKEY_eq(stated, certified) == 1,
			   "binding.cosign_key", "same-key",
			   "the co-signing key that is stated compared with the certified one");
}

static void judge_indices(const struct attest_bundle *b, EVP_PKEY *ak, struct attest_result *res)
{
	const struct span qualifying = { (const char *)b->evidence.bound.sha256, 32 };
	struct span attest = attest_evidence_part(&b->evidence, "nv_counter"), v;

	if (attest.n) {
		v = tpm_judge_nv(attest, attest_evidence_part(&b->evidence, "nv_counter_signature"), ak,
				 attest_evidence_part(&b->evidence, "nv_counter_public"), TPM_NT_COUNTER, qualifying,
				 res);
		if (v.n)
			attest_claim_hex(res, "nv_counter", v);
	}
	attest = attest_evidence_part(&b->evidence, "nv_measured");
	if (attest.n) {
		v = tpm_judge_nv(attest, attest_evidence_part(&b->evidence, "nv_measured_signature"), ak,
				 attest_evidence_part(&b->evidence, "nv_measured_public"), TPM_NT_EXTEND, qualifying,
				 res);
		if (v.n)
			attest_claim_hex(res, "nv_measured", v);
	}
}

static struct tpm_quote quote_of(const struct attest_bundle *b)
{
	return (struct tpm_quote){
		.quote = attest_evidence_part(&b->evidence, "quote"),
		.signature = attest_evidence_part(&b->evidence, "signature"),
		.pcrs = attest_evidence_part(&b->evidence, "pcrs"),
		.event_log = attest_evidence_part(&b->evidence, "event_log"),
		.ima = attest_evidence_part(&b->evidence, "ima"),
		/* Qualifying data is the statement's digest, so the quote's nonce is always known. */
		.nonce = { (const char *)b->evidence.bound.sha256, 32 },
		.have_nonce = true,
	};
}

static int judge_tpm(const struct attest_bundle_input *in, const struct attest_policy *p, struct attest_result *res)
{
	const struct attest_bundle *b = in->bundle;
	struct attest_tpm tpm = {
		.quote = quote_of(b), .ak = attest_evidence_part(&b->evidence, "ak_public"),
		.ak_certs = in->ak_certs, .roots = in->roots, .enrolment = in->enrolment,
	};
	_cleanup_(EVP_PKEY_free_p) EVP_PKEY *ak = NULL;
	struct tpm_public pub;
	bool has;
	int r = attest_verify_tpm(&tpm, p, res);

	res->complete = false; /* that was a part only */
	if (r < 0 || tpm_ak_read(tpm.ak, &ak, &pub, &has) < 0)
		return r;
	judge_cosign(b, ak, res);
	judge_indices(b, ak, res);
	return 0;
}

static int judge_azure(const struct attest_bundle_input *in, const struct attest_policy *p, struct attest_result *res)
{
	const struct attest_bundle *b = in->bundle;
	_cleanup_(EVP_PKEY_free_p) EVP_PKEY *ak = NULL;
	struct tpm_quote quote = quote_of(b);
	struct azure_hcl hcl;
	int r;

	if (!attest_check(res, azure_hcl_parse(attest_evidence_part(&b->evidence, "hcl_report"), &hcl) == 0,
			  "azure.hcl", "hcl", "the form of the paravisor's report"))
		return 0;
	if (in->proof.n == 0) {
		attest_unchecked(res, "azure.silicon", "no-proof", hcl.type == AZURE_HCL_SNP ?
				 "the chip's certificate was not given" : "the quote of the TD report was not given");
		return 0;
	}
	r = azure_judge_report(&in->silicon, hcl.type, hcl.report, hcl.runtime_data, in->proof, p, res, &ak);
	if (r < 0)
		return r == -EBADMSG ? 0 : r;
	tpm_judge_quote(&quote, ak, NULL, p, res);
	return 0;
}

/* A daemon that was modified states the hash of the genuine one: what it states is its own word, however it
 * compares, until the kernel's measurements say the same. */
static void judge_identity(const struct attest_bundle *b, const struct tpm_policy *p, struct attest_result *res)
{
	const struct attest_finding *measured = attest_finding(res, "tpm.identity");
	uint8_t bytes[32];

	if (!measured || measured->verdict != ATTEST_PASS)
		attest_unchecked(res, "binding.identity", "self-asserted",
				 "nothing that was measured yields the daemon's digest: its identity is its own word");
	else
		(void)attest_check(res, policy_set_has(&p->programs, digest_of(b->binding.program_hash, bytes)) ||
				   b->binding.program_hash.n == 0, "binding.identity", "measured",
				   "the program hash that is stated compared with the measured programs");
}

int attest_judge_parts(const struct attest_bundle_input *in, const struct attest_policy *p,
		       struct attest_result *res)
{
	const char *platform = in->bundle->platform;
	int r = 0;

	if (strcmp(platform, "tpm") == 0)
		r = judge_tpm(in, p, res);
	else if (strcmp(platform, "azure") == 0)
		r = judge_azure(in, p, res);
	else if (strcmp(platform, "sev-snp") == 0)
		r = bundle_judge_snp(in, p, res);
	else if (strcmp(platform, "tdx") == 0)
		r = bundle_judge_tdx(in, p, res);
	else
		attest_unchecked(res, "binding.hardware", "none",
				 "platform %s: no hardware that is judged here is bound to the statement", platform);
	judge_identity(in->bundle, &p->tpm, res);
	return r;
}

int attest_verify_bundle(const struct attest_bundle_input *in, const struct attest_policy *p,
			 struct attest_result *res)
{
	int r;

	judge_statement(in, &p->binding, res);
	r = attest_judge_parts(in, p, res);
	res->complete = r == 0;
	return r;
}
