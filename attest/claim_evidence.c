// SPDX-License-Identifier: Apache-2.0
/*
 * The hardware that a statement names: its evidence, from the report that came along or from the statement
 * itself, judged by the platform's verifier and bound to the key that signs and the root of the records.
 */
#include <errno.h>
#include <openssl/pem.h>
#include <string.h>

#include "attest/azure_verify.h"
#include "attest/bundle.h"
#include "attest/claim_internal.h"
#include "attest/claim_report.h"
#include "attest/json_text.h"
#include "attest/provider.h"
#include "attest/tpm_attest.h"
#include "user/base/cleanup.h"

#define EVIDENCE_MAX (1u << 20) /* a report and its chain are some ten thousand bytes */

static const char *const no_fields[] = { NULL };
static const char *const tpm_fields[] = { "tpm.signature", "tpm.magic", "tpm.nonce", "tpm.ak.attributes",
					  "tpm.ak.provenance", NULL };
static const char *const snp_fields[] = { "snp.signature", "snp.chain", "snp.report_data", NULL };
static const char *const tdx_fields[] = { "tdx.signature", "tdx.chain", "tdx.report_data", NULL };
static const char *const azure_fields[] = { "azure.runtime_data", "snp.signature", "snp.chain", "tpm.signature",
					    "tpm.magic", "tpm.nonce", NULL };

/* Platforms whose evidence is judged here. */
static const struct hardware {
	const char *platform, *provider;
	const char *raw, *signature, *certs; /* the parts that a claim's members are */
	const char *const *proven; /* what must have passed for the hardware to be proven to be some */
} known[] = {
	{ "tpm2", "tpm", "quote", "signature", NULL, tpm_fields },
	{ "amd-sev-snp", "sev-snp", "report", NULL, "certs", snp_fields },
	{ "intel-tdx", "tdx", "quote", NULL, NULL, tdx_fields },
	{ "azure-cvm-sev-snp", "azure", NULL, NULL, NULL, azure_fields },
};

static const struct hardware *hardware_of(const struct stated_hardware *s)
{
	for (unsigned i = 0; i < ARRAY_SIZE(known); i++)
		if (span_is(json_member_text(s->runtime, "platform"), known[i].platform))
			return &known[i];
	return NULL;
}

/* Decodes a member whose length is not known beforehand. 0, -EINVAL, -EFBIG or -ENOMEM. */
static int decode_member(const json_t *evidence, const char *name, struct buf *out)
{
	struct span text = json_member_text(evidence, name);
	size_t n = text.n / 4 * 3 + (text.n % 4 ? text.n % 4 - 1 : 0);
	char *p;
	int r;

	if (n > EVIDENCE_MAX)
		return -EFBIG;
	r = text.n % 4 == 1 ? -EINVAL : buf_reserve(out, n + 1, &p);
	if (r < 0)
		return r;
	r = base64url_decode(text, (uint8_t *)p, n);
	if (r == 0)
		buf_commit(out, n);
	return r;
}

/* --- from what the statement carries -------------------------------------------------------------- */

static int part_of_member(const struct stated_hardware *s, const char *member, const char *name,
			  struct attest_evidence *e)
{
	struct buf *part = name ? attest_evidence_add(e, name) : NULL;

	return part ? decode_member(s->carried, member, part) : 0;
}

/* Some tools give the structure with its length before it; the signature is over what follows. */
static void strip_length(struct attest_evidence *e)
{
	struct buf *b = &e->parts[0].bytes;
	struct span s = buf_span(b);

	if (s.n > 2 && (size_t)((uint8_t)s.p[0] << 8 | (uint8_t)s.p[1]) == s.n - 2)
		buf_consume(b, 2);
}

/* The attestation key as its certificate has it: a claim has no member for the key's public area. */
static int key_of_certificate(struct span certs, struct attest_evidence *e)
{
	_cleanup_certs_ struct x509_certs c = { 0 };
	struct buf *part = attest_evidence_add(e, "ak_public");
	BIO *bio;
	char *p;
	long n;
	int r = certs.n ? x509_certs_add(&c, certs) : -EBADMSG;

	if (r < 0)
		return r == -ENOMEM ? r : 0; /* without a key there is nothing to judge, which is told */
	bio = BIO_new(BIO_s_mem());
	r = bio && part && PEM_write_bio_PUBKEY(bio, X509_get0_pubkey(c.cert[0])) == 1 ? 0 : -ENOMEM;
	if (r == 0) {
		n = BIO_get_mem_data(bio, &p);
		r = buf_append(part, p, (size_t)n);
	}
	BIO_free(bio);
	return r;
}

static int report_of_members(const struct stated_hardware *s, const struct hardware *h, struct span ak_certs,
			     struct claim_report *ret)
{
	int r;

	*ret = (struct claim_report){ 0 };
	memcpy(ret->platform, h->provider, strlen(h->provider));
	memcpy(ret->nonce, s->nonce, sizeof(ret->nonce));
	ret->evidence.platform = ret->platform;
	memcpy(ret->evidence.bound.sha512, s->nonce, CLAIM_NONCE_SIZE);
	sha256(s->nonce, CLAIM_NONCE_SIZE, ret->evidence.bound.sha256);
	r = part_of_member(s, "raw_evidence", h->raw, &ret->evidence);
	if (r == 0)
		r = part_of_member(s, "quote_signature", h->signature, &ret->evidence);
	if (r == 0)
		r = part_of_member(s, "cert_chain", h->certs, &ret->evidence);
	if (r == 0 && h->proven == tpm_fields) {
		strip_length(&ret->evidence);
		r = key_of_certificate(ak_certs, &ret->evidence);
	}
	if (r < 0)
		claim_report_done(ret);
	return r;
}

/* --- judging -------------------------------------------------------------------------------------- */

/* cMCP's TPM quotes cover the first half of the nonce, the key, alone. */
static void accept_half(const struct stated_hardware *s, struct attest_evidence *e, struct attest_result *res)
{
	struct tpm_attest a;

	if (tpm_attest_parse(attest_evidence_part(e, "quote"), &a) < 0 ||
	    !span_eq(a.extra, (struct span){ (const char *)s->nonce, SHA256_SIZE }))
		return;
	memcpy(e->bound.sha256, s->nonce, SHA256_SIZE);
	attest_withheld(res, s->root, "root-not-quoted",
			"the quote covers the key and not the root of the records");
}

static int judge_parts(const struct stated_hardware *s, const struct hardware *h, const struct claim_report *report,
		       const struct claim_hardware *with, const struct attest_policy *p, struct attest_result *res)
{
	struct attest_bundle bundle = { .evidence = report->evidence };
	const struct attest_bundle_input in = {
		.bundle = &bundle, .ak_certs = with->ak_certs, .enrolment = with->enrolment, .roots = with->roots,
		.proof = with->proof, .silicon = with->silicon,
	};
	struct attest_policy none;
	int r;

	memcpy(bundle.platform, report->platform, sizeof(bundle.platform));
	if (h->proven == tpm_fields)
		accept_half(s, &bundle.evidence, res);
	attest_policy_init(&none);
	r = attest_judge_parts(&in, p ? p : &none, res);
	attest_policy_done(&none);
	return r;
}

/* What the statement says of the hardware is what the report gives. */
static int judge_stated(const struct stated_hardware *s, const struct claim_report *report, struct attest_result *res)
{
	const char *stated = json_string_value(json_object_get(s->runtime, "measurement"));
	_cleanup_buf_ struct buf raw = { 0 }, signature = { 0 };
	struct claim_carried c;
	int r = claim_report_carry(report, &c);

	if (r == -ENOMEM)
		return r;
	if (r < 0) {
		attest_unchecked(res, s->measurement, "measurement-not-shown",
				 "the evidence does not show what the statement's measurement is of");
		return 0;
	}
	attest_check(res, strcmp(stated, c.measurement) == 0, s->measurement, "measurement-of-report",
		     "the statement says %.110s", stated);
	if (s->carried) {
		r = decode_member(s->carried, "raw_evidence", &raw);
		if (r == 0)
			r = decode_member(s->carried, "quote_signature", &signature);
		attest_check(res, r == 0 && span_eq(buf_span(&raw), c.platform.raw_evidence) &&
				     span_eq(buf_span(&signature), c.platform.quote_signature),
			     s->evidence, "same-evidence", "what the claim carries compared with the report beside it");
	}
	claim_carried_done(&c);
	return r == -ENOMEM ? r : 0;
}

static int judge_report(const struct stated_hardware *s, const struct hardware *h, const struct claim_hardware *with,
			const struct attest_policy *p, struct attest_result *res)
{
	const struct claim_report *report = with->report;
	int r;

	if (!attest_check(res, strcmp(report->platform, h->provider) == 0, s->evidence, "platform-of-report",
			  "the report is provider %s's, the statement says %s", report->platform, h->platform) ||
	    !attest_check(res, memcmp(report->nonce, s->nonce, CLAIM_NONCE_SIZE) == 0, s->evidence, "report-of-nonce",
			  "the report's nonce compared with the statement's"))
		return 0;
	r = judge_stated(s, report, res);
	return r < 0 ? r : judge_parts(s, h, report, with, p, res);
}

static int judge_azure_member(const struct stated_hardware *s, const struct claim_hardware *with,
			      const struct attest_policy *p, struct attest_result *res)
{
	struct attest_azure in = with->silicon;
	_cleanup_buf_ struct buf raw = { 0 };
	int r = decode_member(s->carried, "raw_evidence", &raw);

	if (r == -ENOMEM)
		return r;
	if (!attest_check(res, r == 0, s->evidence, "evidence-form", "raw_evidence in base64url, at most %u bytes",
			  EVIDENCE_MAX))
		return 0;
	attest_unchecked(res, s->measurement, "measurement-not-shown", "no report is at hand to compare with");
	in.evidence = buf_span(&raw);
	in.nonce = (struct span){ (const char *)s->nonce, CLAIM_NONCE_SIZE };
	in.have_nonce = true;
	attest_unchecked(res, "binding.identity", "self-asserted",
			 "nothing that was measured yields the daemon's digest: its identity is its own word");
	r = attest_verify_azure(&in, p, res);
	res->complete = false; /* that was a part only */
	return r;
}

static int judge_members(const struct stated_hardware *s, const struct hardware *h, const struct claim_hardware *with,
			 const struct attest_policy *p, struct attest_result *res)
{
	struct claim_report report;
	int r = report_of_members(s, h, with->ak_certs, &report);

	if (r == -ENOMEM)
		return r;
	if (!attest_check(res, r == 0, s->evidence, "evidence-form",
			  "members of attestation_evidence in base64url, at most %u bytes each", EVIDENCE_MAX))
		return 0;
	if (h->proven == tpm_fields && !attest_evidence_part(&report.evidence, "ak_public").n) {
		attest_unchecked(res, s->evidence, "key-not-given",
				 "neither the report nor a certificate of the attestation key is at hand");
	} else {
		r = judge_stated(&(struct stated_hardware){ .runtime = s->runtime, .evidence = s->evidence,
							    .measurement = s->measurement }, &report, res);
		if (r == 0)
			r = judge_parts(s, h, &report, with, p, res);
	}
	claim_report_done(&report);
	return r;
}

/* Nothing above was false, or the whole is rejected; here it must also have been there. */
static void conclude(const struct stated_hardware *s, const struct hardware *h, struct attest_result *res)
{
	const struct attest_finding *root = attest_finding(res, s->root);
	const char *open = root && root->verdict != ATTEST_PASS ? s->root : NULL;

	for (const char *const *field = h ? h->proven : no_fields; *field && !open; field++) {
		const struct attest_finding *f = attest_finding(res, *field);

		if (!f || f->verdict != ATTEST_PASS)
			open = *field;
	}
	if (h && !open)
		attest_pass(res, s->hardware, "hardware-verified", "%s vouches for the key and the root of the records",
			    h->platform);
	else
		attest_withheld(res, s->hardware, "not-proven", "nothing shows that hardware vouches for the key: %s",
				open ? open : s->evidence);
}

/* A chain that the statement brings for its attestation key is as good as any, when it ends at a pinned root. */
static int find_key_chain(const struct stated_hardware *s, const struct hardware *h, struct claim_hardware *with,
			  struct buf *chain)
{
	int r = h && h->proven == tpm_fields && !with->ak_certs.n ? decode_member(s->carried, "cert_chain", chain) : 0;

	if (r == 0 && buf_len(chain))
		with->ak_certs = buf_span(chain);
	return r == -ENOMEM ? r : 0;
}

int claim_evidence_verify(const struct stated_hardware *s, const struct claim_expect *expect,
			  struct attest_result *res)
{
	struct claim_hardware with = expect->hardware ? *expect->hardware : (struct claim_hardware){ 0 };
	const struct attest_policy *p = expect->evidence_policy;
	const struct hardware *h = hardware_of(s);
	_cleanup_buf_ struct buf chain = { 0 };
	int r = find_key_chain(s, h, &with, &chain);

	if (r < 0)
		return r;

	if (s->must_carry && !json_member_text(s->carried, "raw_evidence").n)
		attest_fail(res, s->evidence, "evidence-missing", "the statement says %s and carries no evidence of it",
			    json_member_text(s->runtime, "platform").p);
	else if (!h)
		attest_unchecked(res, s->evidence, "evidence-not-judged",
				 "evidence of %s is not judged inside a statement",
				 json_member_text(s->runtime, "platform").p);
	else if (with.report)
		r = judge_report(s, h, &with, p, res);
	else if (!h->raw)
		r = judge_azure_member(s, &with, p, res);
	else
		r = judge_members(s, h, &with, p, res);
	if (r == 0)
		conclude(s, h, res);
	return r;
}
