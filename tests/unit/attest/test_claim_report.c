// SPDX-License-Identifier: Apache-2.0
/* Claims and the hardware that stands behind them, on a TPM of OpenSSL's keys: so that each lie is signed validly. */
#include "attest/claim_report.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "attest/tpm_hash.h"
#include "tests/unit/attest/claim_maker.h"
#include "tests/unit/attest/tpm_maker.h"

#define PCR_MASK 0xffffu
#define EVERYTHING "\"tpm.ak.provenance\",\"tpm.expected\",\"tpm.selection\",\"claim.hardware\",\"claim.platform\"," \
	"\"claim.evidence\",\"claim.root\",\"record.hardware\",\"record.platform\",\"record.appraisal\",\"tpm.ak.attributes\"," \
	"\"claim.measurement\",\"tpm.pcrs\""

static EVP_PKEY *ak;
static struct attest_policy policy; /* the key, and PCR 0 and 7 */
static struct claim_report report;
static struct claim_hardware known;
static char ak_name[2 * TPM_NAME_MAX + 1];

static void fill_pcrs(struct buf *b)
{
	for (unsigned i = 0; i < 16; i++) {
		uint8_t v[32] = { (uint8_t)(i + 1) };

		assert_int_equal(buf_append(b, v, sizeof(v)), 0);
	}
}

static void make_report(struct claim_report *r, EVP_PKEY *key, struct span extra, uint32_t attributes)
{
	static const char *const names[] = { "quote", "signature", "pcrs", "ak_public" };
	_cleanup_buf_ struct buf quote = { 0 }, signature = { 0 }, pcrs = { 0 }, public = { 0 };
	uint8_t digest[32];

	fill_pcrs(&pcrs);
	sha256(buf_span(&pcrs).p, buf_len(&pcrs), digest);
	make_head(&quote, TPM_GENERATED_MAGIC, TPM_ST_QUOTE, extra);
	be(&quote, 1, 4);
	make_selection(&quote, TPM_HASH_SHA256, PCR_MASK);
	be_lp(&quote, (struct span){ (char *)digest, 32 });
	make_signature(&signature, key, buf_span(&quote), TPM_ALG_ECDSA);
	make_public(&public, key, attributes, TPM_ALG_ECDSA);
	node_report(r, "tpm", 4, names, (struct span[]){ buf_span(&quote), buf_span(&signature), buf_span(&pcrs),
							 buf_span(&public) });
}

static struct span qualifying(void)
{
	static uint8_t digest[32];

	sha256(node.nonce, sizeof(node.nonce), digest);
	return (struct span){ (const char *)digest, sizeof(digest) };
}

static void read_policy(const char *fmt, const char *a, const char *b)
{
	struct policy_error e = { { 0 } };
	char text[2048];

	attest_policy_done(&policy);
	attest_policy_init(&policy);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	(void)snprintf(text, sizeof(text), fmt, a, b);
#pragma GCC diagnostic pop
	if (attest_policy_read(&policy, span_of(text), &e) < 0)
		fail_msg("%s", e.text);
}

static int setup(void **state)
{
	struct tpm_public pub;
	struct tpm_name name;

	ak = EVP_EC_gen("P-256");
	assert_int_equal(node_setup(state), 0);
	make_report(&report, ak, qualifying(), MAKER_AK);
	assert_int_equal(tpm_public_parse(attest_evidence_part(&report.evidence, "ak_public"), &pub), 0);
	assert_int_equal(tpm_public_name(&pub, &name), 0);
	hex_encode(name.bytes, name.n, ak_name);
	read_policy("{\"version\":1,\"optional\":[\"binding.identity\"],\"tpm\":{\"ak_names\":\"%s\",\"pcrs\":{\"sha256\":{"
		    "\"0\":\"0100000000000000000000000000000000000000000000000000000000000000\",\"7\":\"%s\"}}}}", ak_name,
		    "0800000000000000000000000000000000000000000000000000000000000000");
	known = (struct claim_hardware){ .report = &report };
	return 0;
}

static int teardown(void **state)
{
	attest_result_done(&seen);
	attest_policy_done(&policy);
	claim_report_done(&report);
	EVP_PKEY_free(ak);
	return node_teardown(state);
}

/* The claim over a report, as the notary makes it. */
static json_t *claim_over(const struct claim_report *r)
{
	struct claim_carried c;
	json_t *claim;

	assert_int_equal(claim_report_carry(r, &c), 0);
	claim = node_document(&c.platform, gateway_claim_make);
	claim_carried_done(&c);
	return claim;
}

static void proven_by_a_pinned_key(void **state)
{
	_cleanup_json_ json_t *claim = claim_over(&report), *record = NULL;
	struct claim_carried c;

	assert_int_equal(stranger(claim, &known, &policy), ATTEST_AFFIRMING);
	seen_has(ATTEST_PASS, "claim.hardware", "hardware-verified");
	seen_has(ATTEST_PASS, "claim.evidence", "same-evidence");
	seen_has(ATTEST_PASS, "tpm.nonce", "nonce");
	assert_int_equal(claim_report_carry(&report, &c), 0);
	record = node_document(&c.platform, trust_record_make);
	claim_carried_done(&c);
	assert_int_equal(stranger(record, &known, &policy), ATTEST_AFFIRMING);
	seen_has(ATTEST_PASS, "record.hardware", "hardware-verified");
	seen_has(ATTEST_NOT_CHECKED, "record.appraisal", "appraised-here");
	assert_int_equal(stranger(record, NULL, &policy), ATTEST_INCOMPLETE);
	seen_has(ATTEST_FAIL, "record.hardware", "evidence-not-given");
}

static void no_policy_affirms_without_hardware(void **state)
{
	_cleanup_json_ json_t *software = node_document(NULL, gateway_claim_make);
	_cleanup_json_ json_t *record = node_document(NULL, trust_record_make), *claim = claim_over(&report);

	read_policy("{\"version\":1,\"optional\":[\"binding.identity\",%s%s]}", EVERYTHING, "");
	assert_int_equal(stranger(software, NULL, &policy), ATTEST_INCOMPLETE);
	seen_has(ATTEST_FAIL, "claim.platform", "software-only");
	assert_int_equal(stranger(record, NULL, &policy), ATTEST_INCOMPLETE);
	assert_int_equal(stranger(claim, &known, &policy), ATTEST_INCOMPLETE); /* nobody pinned the key */
	seen_has(ATTEST_FAIL, "claim.hardware", "not-proven");
	assert_int_equal(stranger(claim, NULL, &policy), ATTEST_INCOMPLETE);
	seen_has(ATTEST_NOT_CHECKED, "claim.evidence", "key-not-given");
}

/* What the daemon says of itself is not looked at: only what the kernel measured would be. */
static void identity_stays_open(void **state)
{
	_cleanup_json_ json_t *claim = claim_over(&report);

	read_policy("{\"version\":1,\"tpm\":{\"ak_names\":\"%s\",\"pcrs\":{\"sha256\":{\"0\":\"%s\"}}}}", ak_name,
		    "0100000000000000000000000000000000000000000000000000000000000000");
	assert_int_equal(stranger(claim, &known, &policy), ATTEST_INCOMPLETE);
	seen_has(ATTEST_NOT_CHECKED, "binding.identity", "self-asserted");
}

/* --- lies ---------------------------------------------------------------------------------------- */

static void rejected(struct claim_report *lie, const json_t *claim, const char *field, const char *code)
{
	const struct claim_hardware with = { .report = lie };

	assert_int_equal(stranger(claim, &with, &policy), ATTEST_REJECTED);
	seen_has(ATTEST_FAIL, field, code);
	claim_report_done(lie);
}

static void other_evidence_is_refused(void **state)
{
	_cleanup_json_ json_t *claim = claim_over(&report), *lied = NULL;
	EVP_PKEY *other = EVP_EC_gen("P-256");
	struct claim_report lie;

	make_report(&lie, other, qualifying(), MAKER_AK);
	rejected(&lie, claim, "claim.evidence", "same-evidence");
	make_report(&lie, other, qualifying(), MAKER_AK);
	lied = claim_over(&lie);
	rejected(&lie, lied, "tpm.ak.name", "name");
	json_decref(lied);
	make_report(&lie, ak, SPAN("another nonce of thirty-two byte"), MAKER_AK);
	lied = claim_over(&lie);
	rejected(&lie, lied, "tpm.nonce", "nonce");
	json_decref(lied);
	make_report(&lie, ak, (struct span){ 0 }, MAKER_AK);
	lied = claim_over(&lie);
	rejected(&lie, lied, "tpm.nonce", "nonce-empty");
	json_decref(lied);
	make_report(&lie, ak, qualifying(), MAKER_AK & ~TPM_OBJ_RESTRICTED);
	lied = claim_over(&lie);
	rejected(&lie, lied, "tpm.ak.attributes", "attributes");
	make_report(&lie, ak, qualifying(), MAKER_AK);
	node_part(&lie, "pcrs")->data[5] ^= 1;
	rejected(&lie, claim, "tpm.pcrs", "digest");
	make_report(&lie, ak, qualifying(), MAKER_AK);
	node_part(&lie, "signature")->data[20] ^= 1;
	rejected(&lie, claim, "claim.evidence", "same-evidence");
	make_report(&lie, ak, qualifying(), MAKER_AK);
	lie.nonce[63] ^= 1;
	rejected(&lie, claim, "claim.evidence", "report-of-nonce");
	make_report(&lie, ak, qualifying(), MAKER_AK);
	strcpy(lie.platform, "sev-snp");
	rejected(&lie, claim, "claim.evidence", "platform-of-report");
	EVP_PKEY_free(other);
}

static void a_measurement_is_the_reports(void **state)
{
	_cleanup_json_ json_t *claim = NULL;
	struct claim_carried c;

	assert_int_equal(claim_report_carry(&report, &c), 0);
	c.platform.measurement = SPAN(MAKER_HASH("4444"));
	claim = node_document(&c.platform, gateway_claim_make);
	claim_carried_done(&c);
	assert_int_equal(stranger(claim, &known, &policy), ATTEST_REJECTED);
	seen_has(ATTEST_FAIL, "claim.measurement", "measurement-of-report");
}

/* cMCP's own claims: the quote covers the key's thumbprint. The key is proven, the root of the records is not. */
static void half_a_nonce_proves_half(void **state)
{
	_cleanup_json_ json_t *claim = NULL;
	struct claim_report half;

	make_report(&half, ak, (struct span){ (const char *)node.nonce, 32 }, MAKER_AK);
	claim = claim_over(&half);
	known.report = &half;
	assert_int_equal(stranger(claim, &known, &policy), ATTEST_INCOMPLETE);
	seen_has(ATTEST_FAIL, "claim.root", "root-not-quoted");
	seen_has(ATTEST_PASS, "tpm.nonce", "nonce");
	seen_has(ATTEST_FAIL, "claim.hardware", "not-proven");
	claim_report_done(&half);
}

/* --- documents ----------------------------------------------------------------------------------- */

static void a_document_is_read_back(void **state)
{
	_cleanup_buf_ struct buf text = { 0 }, again = { 0 };
	_cleanup_json_ json_t *v = NULL;
	char error[JSON_TEXT_ERROR_SIZE];
	struct claim_report read;

	assert_int_equal(claim_report_json(&report, &text), 0);
	assert_int_equal(json_text_read(buf_span(&text), &v, error), 0);
	assert_int_equal(claim_kind(v), CLAIM_REPORT);
	assert_int_equal(claim_report_read(v, &read), 0);
	assert_memory_equal(&read.evidence.bound, &report.evidence.bound, sizeof(read.evidence.bound));
	assert_int_equal(claim_report_json(&read, &again), 0);
	assert_true(span_eq(buf_span(&text), buf_span(&again)));
	claim_report_done(&read);
}

static void other_documents_are_not(void **state)
{
	static const char *const bad[] = {
		"{}", "[]", "{\"binding\":\"tollgate/claim-binding/v2\",\"nonce\":\"%s\",\"parts\":{},\"platform\":\"tpm\",\"taken\":1}",
		"{\"binding\":\"tollgate/claim-binding/v1\",\"nonce\":\"00\",\"parts\":{},\"platform\":\"tpm\",\"taken\":1}",
		"{\"binding\":\"tollgate/claim-binding/v1\",\"nonce\":\"%s\",\"parts\":[],\"platform\":\"tpm\",\"taken\":1}",
		"{\"binding\":\"tollgate/claim-binding/v1\",\"nonce\":\"%s\",\"platform\":\"tpm\",\"taken\":1}",
		"{\"binding\":\"tollgate/claim-binding/v1\",\"nonce\":\"%s\",\"parts\":{\"x\":\"AA==\"},\"platform\":\"tpm\",\"taken\":1}",
		"{\"binding\":\"tollgate/claim-binding/v1\",\"nonce\":\"%s\",\"parts\":{\"quote\":1},\"platform\":\"tpm\",\"taken\":1}",
		"{\"binding\":\"tollgate/claim-binding/v1\",\"nonce\":\"%s\",\"parts\":{\"quote\":\"A\"},\"platform\":\"tpm\",\"taken\":1}",
		"{\"binding\":\"tollgate/claim-binding/v1\",\"nonce\":\"%s\",\"parts\":{},\"platform\":\"a platform too long\",\"taken\":1}",
		"{\"binding\":\"tollgate/claim-binding/v1\",\"nonce\":\"%s\",\"parts\":{},\"platform\":\"tpm\",\"taken\":1,\"more\":1}",
		"{\"binding\":\"tollgate/claim-binding/v1\",\"nonce\":\"%s\",\"parts\":{},\"platform\":\"tpm\",\"taken\":-1}",
		"{\"binding\":\"tollgate/claim-binding/v1\",\"nonce\":\"%s\",\"parts\":{},\"platform\":\"tpm\",\"taken\":9223372036854775807}",
	};
	char hex[2 * CLAIM_NONCE_SIZE + 1], text[512], error[JSON_TEXT_ERROR_SIZE];

	hex_encode(node.nonce, sizeof(node.nonce), hex);
	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		_cleanup_json_ json_t *v = NULL;
		struct claim_report read;

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
		(void)snprintf(text, sizeof(text), bad[i], hex);
#pragma GCC diagnostic pop
		assert_int_equal(json_text_read(span_of(text), &v, error), 0);
		assert_int_equal(claim_report_read(v, &read), -EBADMSG);
	}
}

static void claims_have_no_word_for_others(void **state)
{
	struct claim_carried c;
	struct claim_report r;

	node_report(&r, "opaque", 1, (const char *const[]){ "token" }, (struct span[]){ SPAN("a.b.c") });
	assert_int_equal(claim_report_carry(&r, &c), -EOPNOTSUPP);
	claim_report_done(&r);
	/* A TD report can be checked on its own machine alone. */
	node_report(&r, "tdx", 1, (const char *const[]){ "td_report" }, (struct span[]){ SPAN("report") });
	assert_int_equal(claim_report_carry(&r, &c), -EOPNOTSUPP);
	claim_report_done(&r);
	node_report(&r, "tpm", 1, (const char *const[]){ "quote" }, (struct span[]){ SPAN("none") });
	assert_int_equal(claim_report_carry(&r, &c), -EBADMSG);
	claim_report_done(&r);
	node_report(&r, "azure", 1, (const char *const[]){ "hcl_report" }, (struct span[]){ SPAN("none") });
	assert_int_equal(claim_report_carry(&r, &c), -EBADMSG);
	claim_report_done(&r);
	/* No hardware is no report. */
	assert_int_equal(claim_report_take(&(struct attest_config){ .provider = "software-only" }, node.nonce, &r),
			 -EOPNOTSUPP);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(proven_by_a_pinned_key),
		TEST(no_policy_affirms_without_hardware),
		TEST(identity_stays_open),
		TEST(other_evidence_is_refused),
		TEST(a_measurement_is_the_reports),
		TEST(half_a_nonce_proves_half),
		TEST(a_document_is_read_back),
		TEST(other_documents_are_not),
		TEST(claims_have_no_word_for_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
