// SPDX-License-Identifier: Apache-2.0
/*
 * Which of a report's parts a claim carries, and in which member: cMCP's, platform by platform.
 */
#include <errno.h>
#include <openssl/pem.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <string.h>

#include "attest/azure_hcl.h"
#include "attest/claim_report.h"
#include "attest/json_text.h"
#include "attest/snp_cert.h"
#include "attest/snp_report.h"
#include "attest/tdx_quote.h"
#include "attest/tpm_pcrs.h"
#include "user/base/base64.h"
#include "user/base/cleanup.h"
#include "user/base/json_out.h"

#define STATED_PCRS 8 /* PCR 0 to 7: what the firmware measured */

static struct span part(const struct claim_report *r, const char *name)
{
	return attest_evidence_part(&r->evidence, name);
}

static int copy(struct span bytes, struct buf *out)
{
	return bytes.n ? buf_append(out, bytes.p, bytes.n) : -EBADMSG;
}

/* --- measurements -------------------------------------------------------------------------------- */

static void state_sha384(struct span bytes, struct claim_carried *c)
{
	uint8_t digest[SHA384_DIGEST_LENGTH];

	SHA384((const uint8_t *)bytes.p, bytes.n, digest);
	(void)snprintf(c->measurement, sizeof(c->measurement), "sha384:");
	hex_encode(digest, sizeof(digest), c->measurement + 7);
}

static int state_pcrs(struct span quote, struct span values, struct claim_carried *c)
{
	uint8_t all[STATED_PCRS * SHA256_SIZE], digest[SHA256_SIZE];
	struct tpm_attest a;
	struct tpm_pcrs pcrs;

	if (tpm_attest_parse(quote, &a) < 0 || tpm_pcrs_parse(values, &a.selection, &pcrs) < 0)
		return -EBADMSG;
	for (unsigned i = 0; i < STATED_PCRS; i++) {
		struct span v = tpm_pcrs_value(&pcrs, TPM_HASH_SHA256, i);

		if (v.n != SHA256_SIZE)
			return -EBADMSG;
		memcpy(all + i * SHA256_SIZE, v.p, SHA256_SIZE);
	}
	sha256(all, sizeof(all), digest);
	sha256_prefixed(digest, c->measurement);
	return 0;
}

static int state_snp(struct span report, struct claim_carried *c)
{
	const char *code, *why;
	struct snp_report s;

	if (snp_report_parse(report, &s, &code, &why) < 0)
		return -EBADMSG;
	state_sha384(s.measurement, c);
	return 0;
}

/* --- certificates -------------------------------------------------------------------------------- */

static int append_pem(const struct x509_certs *certs, struct buf *out)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *p;
	long n;
	int r = bio ? 0 : -ENOMEM;

	for (unsigned i = 0; i < certs->n && r == 0; i++)
		r = PEM_write_bio_X509(bio, certs->cert[i]) == 1 ? 0 : -ENOMEM;
	if (r == 0) {
		n = BIO_get_mem_data(bio, &p);
		r = buf_append(out, p, (size_t)n);
	}
	BIO_free(bio);
	return r;
}

/* Certificates that come with the evidence are a convenience: what cannot be read as one is left out, and the
 * verifier brings its own. */
static int carry_certs(struct span bytes, struct buf *out)
{
	_cleanup_certs_ struct x509_certs certs = { 0 };
	struct span der;
	int r = bytes.n ? snp_certs_add(&certs, bytes) : -EBADMSG;

	if (r == -EBADMSG && bytes.n && x509_der_trim(bytes, &der) == 0)
		r = x509_certs_add(&certs, der);
	return r == -ENOMEM ? r : r < 0 ? 0 : append_pem(&certs, out);
}

/* --- platforms ----------------------------------------------------------------------------------- */

static int carry_tpm(const struct claim_report *r, struct claim_carried *c)
{
	int e = state_pcrs(part(r, "quote"), part(r, "pcrs"), c);

	if (e == 0)
		e = copy(part(r, "quote"), &c->raw);
	c->platform.name = SPAN("tpm2");
	c->platform.quote_signature = part(r, "signature");
	if (e == 0 && !c->platform.quote_signature.n)
		e = -EBADMSG;
	return e < 0 ? e : carry_certs(part(r, "ek_certificate"), &c->ek_certs);
}

static int carry_snp(const struct claim_report *r, struct claim_carried *c)
{
	int e = state_snp(part(r, "report"), c);

	if (e == 0)
		e = copy(part(r, "report"), &c->raw);
	c->platform.name = SPAN("amd-sev-snp");
	return e < 0 ? e : carry_certs(part(r, "certs"), &c->certs);
}

/* A TD report can be checked on its own machine alone, so it is no evidence for anybody else. */
static int carry_tdx(const struct claim_report *r, struct claim_carried *c)
{
	const char *code, *why;
	struct tdx_quote q;

	if (!part(r, "quote").n)
		return -EOPNOTSUPP;
	if (tdx_quote_parse(part(r, "quote"), &q, &code, &why) < 0)
		return -EBADMSG;
	state_sha384(q.mrtd, c);
	c->platform.name = SPAN("intel-tdx");
	return copy(part(r, "quote"), &c->raw);
}

static void member_base64(struct json_out *j, const char *name, struct span s)
{
	_cleanup_buf_ struct buf b = { 0 };

	if (base64_append(&b, s.p, s.n) < 0 && !j->error)
		j->error = -ENOMEM;
	json_out_member_span(j, name, buf_span(&b));
}

static int ak_pem(struct span runtime_data, struct buf *out)
{
	struct azure_runtime rt;
	BIO *bio;
	char *p;
	long n;
	int r = azure_runtime_parse(runtime_data, &rt);

	if (r < 0)
		return r;
	bio = BIO_new(BIO_s_mem());
	r = bio && PEM_write_bio_PUBKEY(bio, rt.ak) == 1 ? 0 : -ENOMEM;
	if (r == 0) {
		n = BIO_get_mem_data(bio, &p);
		r = buf_append(out, p, (size_t)n);
	}
	BIO_free(bio);
	azure_runtime_done(&rt);
	return r;
}

/* The last form of azure_evidence.h. The chip's certificate is the verifier's to bring. */
static int carry_azure(const struct claim_report *r, struct claim_carried *c)
{
	_cleanup_buf_ struct buf pem = { 0 };
	struct azure_hcl hcl;
	struct json_out j;
	int e;

	if (azure_hcl_parse(part(r, "hcl_report"), &hcl) < 0)
		return -EBADMSG;
	if (hcl.type != AZURE_HCL_SNP)
		return -EOPNOTSUPP; /* cMCP has no word for Azure's TDX guests */
	e = state_snp(hcl.report, c);
	if (e == 0)
		e = ak_pem(hcl.runtime_data, &pem);
	if (e < 0)
		return e;
	c->platform.name = SPAN("azure-cvm-sev-snp");
	json_out_init(&j, &c->raw);
	json_out_object(&j);
	json_out_member_span(&j, "ak_pub_pem", buf_span(&pem));
	member_base64(&j, "quote_msg", part(r, "quote"));
	member_base64(&j, "quote_sig", part(r, "signature"));
	member_base64(&j, "runtime_data", hcl.runtime_data);
	member_base64(&j, "snp_report", hcl.report);
	json_out_member_int(&j, "v", 1);
	json_out_member_str(&j, "vcek_chain_pem", "");
	json_out_object_end(&j);
	return json_out_end(&j);
}

int claim_report_carry(const struct claim_report *r, struct claim_carried *ret)
{
	static const struct {
		const char *provider;
		int (*carry)(const struct claim_report *r, struct claim_carried *c);
	} platforms[] = { { "tpm", carry_tpm }, { "sev-snp", carry_snp }, { "tdx", carry_tdx },
			  { "azure", carry_azure } };
	int e = -EOPNOTSUPP;

	*ret = (struct claim_carried){ 0 };
	for (unsigned i = 0; i < ARRAY_SIZE(platforms); i++)
		if (strcmp(r->platform, platforms[i].provider) == 0)
			e = platforms[i].carry(r, ret);
	ret->platform.measurement = span_of(ret->measurement);
	ret->platform.raw_evidence = buf_span(&ret->raw);
	ret->platform.cert_chain = buf_span(&ret->certs);
	ret->platform.ek_cert_chain = buf_span(&ret->ek_certs);
	if (e < 0)
		claim_carried_done(ret);
	return e;
}

void claim_carried_done(struct claim_carried *c)
{
	buf_done(&c->raw);
	buf_done(&c->certs);
	buf_done(&c->ek_certs);
	*c = (struct claim_carried){ 0 };
}
