// SPDX-License-Identifier: Apache-2.0
/*
 * gateway.attestation_evidence: what the hardware said, for verifiers that take nothing on trust.
 */
#include <errno.h>
#include <string.h>

#include <openssl/sha.h>

#include "attest/attest_verify.h"
#include "attest/claim_internal.h"
#include "attest/json_text.h"

#define EVIDENCE_MAX (1u << 20) /* a report and its chain are some ten thousand bytes */
#define SNP_MEASUREMENT_AT 0x90
#define SNP_MEASUREMENT_SIZE 48

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

/* cMCP states a hash of the launch measurement, not the measurement. */
static void check_measurement(const json_t *claim, struct span report, struct attest_result *res)
{
	const char *stated = json_string_value(json_path(claim, "trace.runtime.measurement"));
	char want[7 + 2 * SHA384_DIGEST_LENGTH + 1] = "sha384:";
	uint8_t digest[SHA384_DIGEST_LENGTH];

	if (report.n < SNP_MEASUREMENT_AT + SNP_MEASUREMENT_SIZE)
		return;
	SHA384((const uint8_t *)report.p + SNP_MEASUREMENT_AT, SNP_MEASUREMENT_SIZE, digest);
	hex_encode(digest, sizeof(digest), want + 7);
	attest_check(res, strcmp(stated, want) == 0, "claim.measurement", "measurement-of-report",
		     "the claim says %.110s", stated);
}

static int verify_snp(const json_t *claim, const uint8_t nonce[64], struct span report, struct span chain,
		      const struct claim_expect *expect, struct attest_result *res)
{
	struct attest_snp in = { .report = report, .certs = &chain, .n_certs = 1 };
	struct attest_policy policy;
	int r;

	attest_policy_init(&policy);
	if (expect->evidence_policy)
		policy = *expect->evidence_policy;
	/* The claim's own nonce is what the report must cover, whatever else is expected of it. */
	policy.snp.report_data = (struct policy_set){ 0 };
	r = policy_set_only(&policy.snp.report_data, (struct span){ (const char *)nonce, 64 });
	if (r == 0)
		r = attest_verify_snp(&in, &policy, res);
	policy_set_done(&policy.snp.report_data);
	if (r == 0)
		check_measurement(claim, report, res);
	return r;
}

int claim_evidence_verify(const json_t *claim, const uint8_t nonce[64], const struct claim_expect *expect,
			  struct attest_result *res)
{
	const json_t *evidence = json_path(claim, "gateway.attestation_evidence");
	const char *platform = json_string_value(json_path(claim, "trace.runtime.platform"));
	_cleanup_buf_ struct buf raw = { 0 }, chain = { 0 };
	int r;

	if (!json_member_text(evidence, "raw_evidence").n) {
		attest_fail(res, "claim.evidence", "evidence-missing",
			    "the claim says %s and carries no evidence of it", platform);
		return 0;
	}
	r = decode_member(evidence, "raw_evidence", &raw);
	if (r == 0)
		r = decode_member(evidence, "cert_chain", &chain);
	if (r == -ENOMEM)
		return r;
	if (!attest_check(res, r == 0, "claim.evidence", "evidence-form",
			  "raw_evidence and cert_chain in base64url, at most %u bytes", EVIDENCE_MAX))
		return 0;
	if (strcmp(platform, "amd-sev-snp") == 0)
		return verify_snp(claim, nonce, buf_span(&raw), buf_span(&chain), expect, res);
	attest_unchecked(res, "claim.evidence", "evidence-not-judged",
			 "evidence of %s is not judged inside a claim", platform);
	return 0;
}
