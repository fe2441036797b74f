// SPDX-License-Identifier: Apache-2.0
/* Claims of confidential guests: reports over the claim's 64 bytes, signed by authorities of our own; and what real
 * machines gave. */
#include "attest/claim_report.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "attest/azure_evidence.h"
#include "attest/azure_hcl.h"
#include "attest/claim_internal.h"
#include "tests/unit/attest/snp_maker.h"
#define MAKER_NOW PKI_NOW
#include "tests/unit/attest/claim_maker.h"
#include "tests/unit/attest/tdx_maker.h"
#include "tests/unit/attest/vectors.h"

static struct attest_policy policy;

static int setup(void **state)
{
	static const char text[] = "{\"version\":1,\"optional\":[\"binding.identity\",\"snp.crl\",\"snp.measurement\","
				   "\"tdx.mrtd\",\"tdx.rtmr0\",\"tdx.rtmr1\",\"tdx.rtmr2\",\"tdx.crl\",\"tdx.tcb\","
				   "\"tdx.tcb_info\",\"tdx.qe_identity\",\"tdx.module\"]}";
	struct policy_error e = { { 0 } };

	attest_policy_init(&policy);
	if (attest_policy_read(&policy, span_of(text), &e) < 0)
		fail_msg("%s", e.text);
	return node_setup(state);
}

static int teardown(void **state)
{
	attest_result_done(&seen);
	attest_policy_done(&policy);
	return node_teardown(state);
}

static json_t *claim_over(const struct claim_report *r)
{
	struct claim_carried c;
	json_t *claim;

	assert_int_equal(claim_report_carry(r, &c), 0);
	claim = node_document(&c.platform, gateway_claim_make);
	claim_carried_done(&c);
	return claim;
}

static void sev_snp(void **state)
{
	static const char *const names_of[] = { "report", "certs" };
	const struct attest_roots roots = { .amd = &pki[SNP_GENOA].roots };
	struct claim_hardware known = { .silicon = { .roots = &roots } };
	_cleanup_json_ json_t *claim = NULL, *lied = NULL;
	struct claim_report report;
	struct made d;

	make(&d, &(struct make){ .product = SNP_GENOA, .version = 3, .hwid_first = 4 });
	memcpy(d.report + 0x50, node.nonce, sizeof(node.nonce));
	sign_report(&d);
	node_report(&report, "sev-snp", 2, names_of, (struct span[]){ { (char *)d.report, sizeof(d.report) },
								      buf_span(&d.certs) });
	claim = claim_over(&report);
	assert_true(span_is(json_member_text(json_path(claim, "trace.runtime"), "platform"), "amd-sev-snp"));
	known.report = &report;
	assert_int_equal(stranger(claim, &known, &policy), ATTEST_AFFIRMING);
	seen_has(ATTEST_PASS, "claim.hardware", "hardware-verified");
	known.report = NULL; /* the claim carries all of it */
	assert_int_equal(stranger(claim, &known, &policy), ATTEST_AFFIRMING);
	seen_has(ATTEST_PASS, "snp.report_data", "expected");
	assert_int_equal(stranger(claim, NULL, &policy), ATTEST_REJECTED); /* not AMD's root */
	claim_report_done(&report);

	/* A report over another nonce, in a claim for ours. */
	d.report[0x50] ^= 1;
	sign_report(&d);
	node_report(&report, "sev-snp", 2, names_of, (struct span[]){ { (char *)d.report, sizeof(d.report) },
								      buf_span(&d.certs) });
	lied = claim_over(&report);
	assert_int_equal(stranger(lied, &known, &policy), ATTEST_REJECTED);
	assert_int_equal(attest_finding(&seen, "snp.report_data")->verdict, ATTEST_FAIL);
	claim_report_done(&report);
	unmake(&d);
}

static void tdx(void **state)
{
	const struct attest_roots roots = { .intel = &tdx_pki.roots };
	struct claim_hardware known = { .silicon = { .roots = &roots } };
	struct quote_make m = { .version = 4, .body = TDX_BODY_10, .svn = { 6, 1, 3 }, .report_data = node.nonce };
	_cleanup_buf_ struct buf quote = { 0 }, other = { 0 };
	_cleanup_json_ json_t *claim = NULL, *lied = NULL;
	uint8_t foreign[64] = { 1 };
	struct claim_report report;

	make_quote(&quote, &m);
	node_report(&report, "tdx", 1, (const char *const[]){ "quote" }, (struct span[]){ buf_span(&quote) });
	claim = claim_over(&report);
	claim_report_done(&report);
	assert_true(span_is(json_member_text(json_path(claim, "trace.runtime"), "platform"), "intel-tdx"));
	/* Without Intel's collateral the quote is authentic, and its platform's state is open. */
	assert_int_not_equal(stranger(claim, &known, &policy), ATTEST_REJECTED);
	seen_has(ATTEST_PASS, "claim.hardware", "hardware-verified");
	assert_int_equal(stranger(claim, NULL, &policy), ATTEST_REJECTED); /* not Intel's root */
	m.report_data = foreign;
	make_quote(&other, &m);
	node_report(&report, "tdx", 1, (const char *const[]){ "quote" }, (struct span[]){ buf_span(&other) });
	lied = claim_over(&report);
	claim_report_done(&report);
	assert_int_equal(stranger(lied, &known, &policy), ATTEST_REJECTED);
	assert_int_equal(attest_finding(&seen, "tdx.report_data")->verdict, ATTEST_FAIL);
}

/* --- real machines -------------------------------------------------------------------------------- */

/* What cMCP carried from an Azure guest, as a claim would. */
static void azure_of_another(void **state)
{
	_cleanup_buf_ struct buf raw = { 0 }, hex = { 0 }, text = { 0 };
	_cleanup_json_ json_t *runtime = NULL, *carried = NULL;
	uint8_t nonce[CLAIM_NONCE_SIZE];
	const struct claim_expect expect = { .evidence_policy = &policy };

	if (!vectors_here())
		skip();
	vector_read("azure/cvm-snp-2026-07-20/cmcp_evidence.bin", &raw);
	vector_read("azure/cvm-snp-2026-07-20/cmcp_nonce.hex", &hex);
	assert_int_equal(hex_decode(buf_span(&hex).p, 2 * sizeof(nonce), nonce, sizeof(nonce)), 0);
	assert_int_equal(base64url_append(buf_span(&raw).p, buf_len(&raw), &text), 0);
	runtime = json_pack("{s:s, s:s}", "platform", "azure-cvm-sev-snp", "measurement", "sha384:00");
	carried = json_pack("{s:s}", "raw_evidence", buf_cstr(&text));
	for (unsigned i = 0; i < 2; i++) {
		nonce[40] ^= i;
		attest_result_done(&seen);
		attest_result_init(&seen, "claim", 1784550000); /* the day it was taken */
		assert_int_equal(claim_evidence_verify(&(struct stated_hardware){
			.runtime = runtime, .carried = carried, .must_carry = true, .nonce = nonce, .evidence = "claim.evidence",
			.measurement = "claim.measurement", .root = "claim.root", .hardware = "claim.hardware" },
			&expect, &seen), 0);
		seen_has(ATTEST_PASS, "azure.runtime_data", "hash");
		seen_has(ATTEST_PASS, "snp.signature", "valid");
		seen_has(i ? ATTEST_FAIL : ATTEST_PASS, "tpm.nonce", "nonce");
		seen_has(i ? ATTEST_FAIL : ATTEST_PASS, "claim.hardware", i ? "not-proven" : "hardware-verified");
	}
}

/* What our own provider reads of such a guest becomes the same form, without the chip's certificate. */
static void azure_of_ours(void **state)
{
	static const char *const names_of[] = { "hcl_report", "quote", "signature" };
	_cleanup_buf_ struct buf hcl_report = { 0 }, quote = { 0 }, signature = { 0 };
	struct claim_report report;
	struct claim_carried c;
	struct azure_evidence e;
	struct azure_hcl hcl;

	if (!vectors_here())
		skip();
	vector_read("azure/snp-genoa-v3/hcl_report.bin", &hcl_report);
	vector_read("azure/snp-genoa-v3/quote.msg", &quote);
	vector_read("azure/snp-genoa-v3/quote.sig", &signature);
	node_report(&report, "azure", 3, names_of, (struct span[]){ buf_span(&hcl_report), buf_span(&quote),
								    buf_span(&signature) });
	assert_int_equal(claim_report_carry(&report, &c), 0);
	assert_true(span_is(c.platform.name, "azure-cvm-sev-snp"));
	assert_int_equal(azure_evidence_parse(c.platform.raw_evidence, &e), 0);
	assert_int_equal(azure_hcl_parse(buf_span(&hcl_report), &hcl), 0);
	assert_true(span_eq(buf_span(&e.snp_report), hcl.report));
	assert_true(span_eq(buf_span(&e.runtime_data), hcl.runtime_data));
	assert_true(span_eq(buf_span(&e.quote), buf_span(&quote)));
	assert_true(e.nonce_hashed && buf_len(&e.vcek) == 0);
	azure_evidence_done(&e);
	claim_carried_done(&c);
	claim_report_done(&report);
	/* cMCP has no word for Azure's TDX guests: their claims are software-only. */
	buf_clear(&hcl_report);
	vector_read("azure/tdx-live/hcl_report.bin", &hcl_report);
	node_report(&report, "azure", 3, names_of, (struct span[]){ buf_span(&hcl_report), buf_span(&quote),
								    buf_span(&signature) });
	assert_int_equal(claim_report_carry(&report, &c), -EOPNOTSUPP);
	claim_report_done(&report);
}

static int all_setup(void **state)
{
	return make_pki(state) == 0 ? tdx_pki_make(state) : -1;
}

static int all_teardown(void **state)
{
	return drop_pki(state) == 0 ? tdx_pki_drop(state) : -1;
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = { TEST(sev_snp), TEST(tdx), TEST(azure_of_another), TEST(azure_of_ours) };

	return cmocka_run_group_tests(tests, all_setup, all_teardown);
}
