// SPDX-License-Identifier: Apache-2.0
/* Recorded SEV-SNP evidence gets the verdict that its index states; one bit of it changed, it is refused. */
#include "attest/attest_verify.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <openssl/bn.h>
#include <stdio.h>
#include <string.h>

#include "attest/roots.h"
#include "attest/snp_cert.h"
#include "tests/unit/attest/index.h"
#include "user/base/cleanup.h"
#include "user/base/clock.h"
#include "user/base/digest.h"

#define HCL_REPORT_OFFSET 32 /* Azure puts a header before the report */

static int64_t at(const char *iso)
{
	uint64_t ns = 0;

	assert_int_equal(clock_parse_iso(iso, &ns), 0);
	return (int64_t)(ns / 1000000000u);
}

struct input {
	uint8_t report[SNP_REPORT_SIZE];
	size_t size;
	struct buf cert, crl;
	const char *when, *product;
	const char *policy; /* members of "snp" besides what the report itself says; "" for none */
	bool expect; /* report data and measurement of the report as recorded are expected */
	char expected[512];
	const struct attest_roots *roots;
};

/* Expected values are those of the recorded report, before a test changes it. */
static void load(struct input *in, const char *report, const char *cert, const char *crl, const char *when)
{
	_cleanup_buf_ struct buf b = { 0 };
	struct span s = vector_read(report, &b);
	char data[129], measurement[97];
	bool hcl = strncmp(report, "azure/", 6) == 0;

	*in = (struct input){ .when = when, .policy = "", .expect = true, .size = SNP_REPORT_SIZE };
	assert_true(s.n >= SNP_REPORT_SIZE + (hcl ? HCL_REPORT_OFFSET : 0));
	memcpy(in->report, s.p + (hcl ? HCL_REPORT_OFFSET : 0), SNP_REPORT_SIZE);
	if (cert)
		vector_read(cert, &in->cert);
	if (crl)
		vector_read(crl, &in->crl);
	hex_encode(in->report + 0x50, 64, data);
	hex_encode(in->report + 0x90, 48, measurement);
	(void)snprintf(in->expected, sizeof(in->expected), "\"report_data\":\"%s\",\"measurements\":\"%s\"", data, measurement);
}

static void unload(struct input *in)
{
	buf_done(&in->cert);
	buf_done(&in->crl);
}

static enum attest_status judge(struct input *in, struct attest_result *res)
{
	const struct span certs = buf_span(&in->cert), crl = buf_span(&in->crl);
	struct attest_snp snp = {
		.report = { (const char *)in->report, in->size }, .certs = &certs, .n_certs = 1, .crls = &crl,
		.n_crls = crl.n > 0, .product = in->product, .roots = in->roots,
	};
	struct policy_error e = { { 0 } };
	struct attest_policy p;
	char text[2048];
	enum attest_status s;

	(void)snprintf(text, sizeof(text), "{\"version\":1,\"optional\":[\"snp.crl\"],\"snp\":{%s%s%s}}",
		       in->expect ? in->expected : "", in->expect && *in->policy ? "," : "", in->policy);
	attest_policy_init(&p);
	if (attest_policy_read(&p, span_of(text), &e) < 0)
		fail_msg("%s", e.text);
	attest_result_init(res, "snp", at(in->when));
	assert_int_equal(attest_verify_snp(&snp, &p, res), 0);
	s = attest_appraise(res, &p);
	attest_policy_done(&p);
	return s;
}

static void finding_is(const struct attest_result *res, const char *field, enum attest_verdict v, const char *code)
{
	const struct attest_finding *f = attest_finding(res, field);

	if (!f || f->verdict != v || (code && strcmp(f->code, code) != 0))
		fail_msg("%s is %s (%s: %s), not %s (%s)", field, f ? attest_verdict_text(f->verdict) : "not there",
			 f ? f->code : "", f ? f->reason : "", attest_verdict_text(v), code ? code : "");
}

/* Judges, checks one finding and the status. */
static void gets(struct input *in, enum attest_status want, const char *field, enum attest_verdict v, const char *code)
{
	struct attest_result res;
	enum attest_status s = judge(in, &res);

	if (s != want)
		for (unsigned i = 0; i < res.n_findings; i++)
			printf("%s %s %s: %s\n", attest_verdict_text(res.findings[i].verdict), res.findings[i].field,
			       res.findings[i].code, res.findings[i].reason);
	assert_int_equal(s, want);
	if (field)
		finding_is(&res, field, v, code);
	attest_result_done(&res);
}

/* --- rows of the index -------------------------------------------------------------------------- */
static void no_expectation_is_no_pass(struct input *in)
{
	in->expect = false;
	gets(in, ATTEST_INCOMPLETE, "snp.report_data", ATTEST_NOT_CHECKED, "no-expectation");
	gets(in, ATTEST_INCOMPLETE, "snp.measurement", ATTEST_NOT_CHECKED, "no-expectation");
	in->expect = true;
}

static void genoa_v5(const char *file)
{
	struct input in;

	load(&in, "sev-snp/genoa-v5/report.bin", "sev-snp/genoa-v5/vcek.der", NULL, "2026-06-01");
	gets(&in, ATTEST_AFFIRMING, "snp.tcb", ATTEST_PASS, "certified");
	assert_int_equal(in.report[0], 5);
	assert_memory_equal(in.report + 0x50, "hello-attestation", 17);
	in.product = "genoa";
	gets(&in, ATTEST_AFFIRMING, "snp.chain", ATTEST_PASS, "chained");
	no_expectation_is_no_pass(&in);
	unload(&in);
}

static void milan_v2_azure(const char *file)
{
	struct input in;

	load(&in, "sev-snp/milan-v2-azure/report.bin", "sev-snp/milan-v2-azure/vcek.der", "sev-snp/crl/milan_vcek.crl",
	     "2025-06-01");
	gets(&in, ATTEST_INCOMPLETE, "snp.firmware", ATTEST_FAIL, "provisional");
	in.policy = "\"allow_provisional_firmware\":true";
	gets(&in, ATTEST_AFFIRMING, "snp.crl", ATTEST_PASS, "not-revoked");
	gets(&in, ATTEST_AFFIRMING, "snp.chip", ATTEST_PASS, "same-chip");
	no_expectation_is_no_pass(&in);
	unload(&in);
}

static void milan_v2_debug(const char *file)
{
	struct input in;

	load(&in, "sev-snp/milan-v2-gcp-debug/report.bin", "sev-snp/milan-v2-gcp-debug/vcek.der", NULL, "2025-06-01");
	gets(&in, ATTEST_REJECTED, "snp.debug", ATTEST_FAIL, "debug");
	gets(&in, ATTEST_REJECTED, "snp.signature", ATTEST_PASS, "valid");
	in.policy = "\"allow_debug\":true"; /* nothing but the policy stood in the way */
	gets(&in, ATTEST_AFFIRMING, "snp.chain", ATTEST_PASS, "chained");
	unload(&in);
}

static void milan_v3_vlek(const char *file)
{
	struct input in;

	load(&in, "sev-snp/milan-v3-vlek-aws/report.bin", "sev-snp/milan-v3-vlek-aws/vlek.der", NULL, "2025-06-01");
	gets(&in, ATTEST_INCOMPLETE, "snp.firmware", ATTEST_FAIL, "provisional");
	gets(&in, ATTEST_INCOMPLETE, "snp.vmpl", ATTEST_FAIL, "above-zero");
	gets(&in, ATTEST_INCOMPLETE, "snp.signature", ATTEST_PASS, "valid");
	in.policy = "\"allow_provisional_firmware\":true,\"max_vmpl\":1";
	gets(&in, ATTEST_AFFIRMING, "snp.chain", ATTEST_PASS, "chained");
	in.policy = "\"allow_provisional_firmware\":true,\"max_vmpl\":0";
	gets(&in, ATTEST_REJECTED, "snp.vmpl", ATTEST_FAIL, "vmpl");
	in.policy = "\"allow_provisional_firmware\":true,\"max_vmpl\":1,\"signing_keys\":[\"vcek\"]";
	gets(&in, ATTEST_REJECTED, "snp.signing_key", ATTEST_FAIL, "vlek");
	in.policy = "\"allow_provisional_firmware\":true,\"max_vmpl\":1,\"csp_ids\":[\"CN=cc-us-east-2.amazonaws.com\"]";
	gets(&in, ATTEST_AFFIRMING, "snp.csp", ATTEST_PASS, "allowed");
	in.policy = "\"allow_provisional_firmware\":true,\"max_vmpl\":1,\"csp_ids\":[\"CN=cc-us-east-1.amazonaws.com\"]";
	gets(&in, ATTEST_REJECTED, "snp.csp", ATTEST_FAIL, "not-allowed");
	in.policy = "";
	in.when = "2025-12-10T22:14:22Z"; /* a second after its end */
	gets(&in, ATTEST_REJECTED, "snp.chain", ATTEST_FAIL, "not-chained");
	unload(&in);
}

static void milan_v4(const char *file)
{
	_cleanup_buf_ struct buf b = { 0 };
	struct span s = vector_read("sev-snp/milan-v4-gce/report.bin", &b);
	const char *code, *why;
	struct snp_report r;
	enum snp_product p;

	assert_int_equal(snp_report_parse(s, &r, &code, &why), 0);
	assert_int_equal(r.version, 4);
	assert_int_equal(r.vmpl, 0);
	assert_int_equal(snp_product_of(&r, &p), 0);
	assert_int_equal(p, SNP_MILAN);
}

static void turin_v5(const char *file)
{
	struct input in;

	load(&in, "sev-snp/turin-v5-aci/report.bin", "sev-snp/turin-v5-aci/vcek.pem", NULL, "2026-06-01");
	gets(&in, ATTEST_AFFIRMING, "snp.tcb", ATTEST_PASS, "certified");
	in.policy = "\"minimum_tcb\":{\"turin\":{\"fmc\":1,\"bootloader\":1,\"tee\":1,\"snp\":4,\"microcode\":81}}";
	gets(&in, ATTEST_AFFIRMING, "snp.minimum_tcb", ATTEST_PASS, "reached");
	in.policy = "\"minimum_tcb\":{\"turin\":{\"fmc\":2}}"; /* one component is enough, and no sum makes up for it */
	gets(&in, ATTEST_REJECTED, "snp.minimum_tcb", ATTEST_FAIL, "below");
	in.policy = "\"deny_products\":[\"turin\"]";
	gets(&in, ATTEST_REJECTED, "snp.product", ATTEST_FAIL, "denied");
	in.policy = "";
	in.when = "2026-02-05T01:04:32Z"; /* a second before its begin */
	gets(&in, ATTEST_REJECTED, "snp.chain", ATTEST_FAIL, "not-chained");
	unload(&in);
}

static void genoa_azure(const char *file)
{
	struct input in;

	load(&in, "azure/genoa-openpcc/hcl_report.bin", "sev-snp/genoa-azure/vcek.pem", "sev-snp/crl/genoa_vcek.crl", "2025-07-01");
	gets(&in, ATTEST_AFFIRMING, "snp.crl", ATTEST_PASS, "not-revoked");
	unload(&in);
}

static void forged_vcek(const char *file)
{
	struct input in;

	load(&in, "sev-snp/milan-v2-azure/report.bin", "sev-snp/negative/vcek-forged-legacy-hwid.der", NULL, "2025-06-01");
	gets(&in, ATTEST_REJECTED, "snp.chain", ATTEST_FAIL, "not-chained");
	unload(&in);
}

static void read_cert(const char *file, struct x509_certs *ret)
{
	_cleanup_buf_ struct buf b = { 0 };
	char path[128];

	(void)snprintf(path, sizeof(path), "sev-snp/%s", file);
	assert_int_equal(x509_certs_add(ret, vector_read(path, &b)), 0);
}

/* A leaf without a report: it chains, and its extensions are read. */
static void leaf_alone(const char *file)
{
	_cleanup_certs_ struct x509_certs leaf = { 0 }, known = { 0 }, roots = { 0 }, chain = { 0 };
	const struct x509_trust t = { .roots = &roots, .untrusted = &known, .at = at("2025-06-01") };
	const char *why, *code;
	struct snp_cert c;

	read_cert(file, &leaf);
	assert_int_equal(attest_roots_amd(&roots), 0);
	assert_int_equal(attest_roots_amd_intermediates(&known), 0);
	assert_int_equal(x509_verify(leaf.cert[0], &t, &chain, &why), 0);
	assert_int_equal(chain.n, 3);
	assert_true(x509_cn_is(X509_get_subject_name(chain.cert[1]), "SEV-Turin"));
	assert_int_equal(snp_cert_parse(leaf.cert[0], &c, &code, &why), 0);
	assert_int_equal(c.product, SNP_TURIN);
	assert_int_equal(c.tcb.microcode, 9);
	assert_int_equal(c.tcb.fmc + c.tcb.bootloader + c.tcb.tee + c.tcb.snp, 0);
	assert_int_equal(c.hwid.n, 8);
}

/* The pinned root is the recorded one byte for byte; what it issued verifies, self-signature included. */
static void authority(const char *file)
{
	_cleanup_certs_ struct x509_certs x = { 0 }, roots = { 0 }, chain = { 0 };
	const struct x509_trust t = { .roots = &roots, .at = at("2025-06-01") };
	bool root = strstr(file, "_ark.der") != NULL, pinned = false;
	const char *why;

	read_cert(file, &x);
	assert_int_equal(attest_roots_amd(&roots), 0);
	for (unsigned i = 0; i < roots.n; i++)
		pinned |= X509_cmp(roots.cert[i], x.cert[0]) == 0;
	assert_int_equal(pinned, root);
	assert_int_equal(x509_verify(x.cert[0], &t, &chain, &why), 0);
	assert_int_equal(chain.n, root ? 1 : 2);
	if (root)
		assert_int_equal(X509_verify(x.cert[0], X509_get0_pubkey(x.cert[0])), 1);
}

static void crl(const char *file)
{
	bool genoa = strstr(file, "genoa") != NULL;
	_cleanup_certs_ struct x509_certs ask = { 0 }, roots = { 0 };
	_cleanup_crls_ struct x509_crls crls = { 0 };
	struct x509_trust t = { .roots = &roots, .crls = &crls, .at = at("2025-06-01") };
	_cleanup_buf_ struct buf b = { 0 };
	X509_REVOKED *revoked = NULL;
	const char *why;
	char path[128];

	(void)snprintf(path, sizeof(path), "sev-snp/%s", file);
	assert_int_equal(x509_crls_add(&crls, vector_read(path, &b)), 0);
	assert_int_equal(attest_roots_amd(&roots), 0);
	read_cert(genoa ? "roots/genoa_ask.der" : "roots/milan_ask.der", &ask);
	assert_int_equal(x509_verify(ask.cert[0], &t, NULL, &why), 0);
	t.at = at(genoa ? "2024-10-01" : "2025-05-01");
	assert_int_equal(x509_verify(ask.cert[0], &t, NULL, &why), -EKEYREJECTED);
	t.at = at(genoa ? "2025-11-04" : "2026-05-13");
	assert_int_equal(x509_verify(ask.cert[0], &t, NULL, &why), -EKEYREJECTED);
	assert_false(x509_lacks_crl(why));
	t.at = at("2025-06-01");
	x509_certs_done(&ask);
	read_cert("roots/turin_ask.der", &ask);
	assert_int_equal(x509_verify(ask.cert[0], &t, NULL, &why), -EKEYREJECTED); /* not its root's list */
	assert_true(x509_lacks_crl(why));
	if (genoa) { /* the first intermediate of Genoa, which old bundles carry */
		ASN1_INTEGER *serial = ASN1_INTEGER_new();

		assert_int_equal(ASN1_INTEGER_set(serial, 0x20001), 1);
		assert_int_equal(X509_CRL_get0_by_serial(crls.crl[0], &revoked, serial), 1);
		ASN1_INTEGER_free(serial);
	}
}

static const struct index_row rows[] = {
	{ "crl/genoa_vcek.crl", "signature by ARK", crl },
	{ "crl/milan_vcek.crl", "signature by ARK", crl },
	{ "genoa-azure/vcek.pem", "azure/genoa-openpcc", genoa_azure },
	{ "genoa-v5/report.bin", "VALID with vcek.der", genoa_v5 },
	{ "genoa-v5/vcek.der", "valid", genoa_v5 },
	{ "milan-v2-azure/report.bin", "VALID with vcek.der", milan_v2_azure },
	{ "milan-v2-azure/vcek.der", "valid", milan_v2_azure },
	{ "milan-v2-gcp-debug/report.bin", "POLICY REJECT: debug", milan_v2_debug },
	{ "milan-v2-gcp-debug/vcek.der", "valid under Milan ASK", milan_v2_debug },
	{ "milan-v3-vlek-aws/report.bin", "provisional firmware", milan_v3_vlek },
	{ "milan-v3-vlek-aws/vlek.der", "valid under ASVK, NOT under ASK", milan_v3_vlek },
	{ "milan-v4-gce/report.bin", "version 4 must parse", milan_v4 },
	{ "negative/vcek-forged-legacy-hwid.der", "REJECT", forged_vcek },
	{ "roots/genoa_ark.der", "valid", authority },
	{ "roots/genoa_ask.der", "valid", authority },
	{ "roots/genoa_asvk.der", "valid", authority },
	{ "roots/milan_ark.der", "valid", authority },
	{ "roots/milan_ask.der", "valid", authority },
	{ "roots/milan_asvk.der", "valid", authority },
	{ "roots/turin_ark.der", "valid", authority },
	{ "roots/turin_ask.der", "valid", authority },
	{ "roots/turin_asvk.der", "valid", authority },
	{ "turin-v5-aci/report.bin", "VALID with vcek.pem", turin_v5 },
	{ "turin-v5-aci/vcek.pem", "valid", turin_v5 },
	{ "turin-vcek-only/vcek.der", "valid under Turin ASK", leaf_alone },
};

static void every_row_of_the_index(void **state)
{
	unsigned ran = 0;

	if (!vectors_here())
		skip();
	assert_int_equal(index_run("sev-snp/", rows, ARRAY_SIZE(rows), &ran), 0);
	assert_int_equal(ran, ARRAY_SIZE(rows));
	print_message("rows of the index checked: %u\n", ran);
}

/* --- what the index says to derive -------------------------------------------------------------- */
static void genoa(struct input *in)
{
	load(in, "sev-snp/genoa-v5/report.bin", "sev-snp/genoa-v5/vcek.der", NULL, "2026-06-01");
}

static void a_flipped_bit_is_refused(void **state)
{
	struct input in;

	if (!vectors_here())
		skip();
	genoa(&in);
	gets(&in, ATTEST_AFFIRMING, NULL, ATTEST_PASS, NULL);
	/* Every eleventh byte of what is signed, and all of R and S. */
	for (unsigned i = 0; i < SNP_SIGNED_SIZE + 144; i += i < SNP_SIGNED_SIZE ? 11 : 1) {
		in.report[i] ^= 1;
		gets(&in, ATTEST_REJECTED, NULL, ATTEST_FAIL, NULL);
		in.report[i] ^= 1;
	}
	unload(&in);
}

static void a_signature_of_another_shape_is_refused(void **state)
{
	struct input in;
	uint8_t good[512];

	if (!vectors_here())
		skip();
	genoa(&in);
	memcpy(good, in.report + SNP_SIGNED_SIZE, sizeof(good));
	for (unsigned k = 0; k < 2; k++) /* R, then S, big-endian */
		for (unsigned i = 0; i < 48; i++)
			in.report[SNP_SIGNED_SIZE + 72 * k + i] = good[72 * k + 47 - i];
	gets(&in, ATTEST_REJECTED, "snp.signature", ATTEST_FAIL, "bad-signature");
	memcpy(in.report + SNP_SIGNED_SIZE, good + 72, 72); /* S where R belongs */
	memcpy(in.report + SNP_SIGNED_SIZE + 72, good, 72);
	gets(&in, ATTEST_REJECTED, "snp.signature", ATTEST_FAIL, "bad-signature");
	memset(in.report + SNP_SIGNED_SIZE, 0, 144);
	gets(&in, ATTEST_REJECTED, "snp.signature", ATTEST_FAIL, "bad-signature");
	memcpy(in.report + SNP_SIGNED_SIZE, good, sizeof(good));
	for (unsigned i = 48; i < 512; i += i == 71 ? 49 : 1) { /* the padding of R, of S, and behind them */
		in.report[SNP_SIGNED_SIZE + i] = 1;
		gets(&in, ATTEST_REJECTED, "snp.report", ATTEST_FAIL, "signature-padding");
		in.report[SNP_SIGNED_SIZE + i] = 0;
	}
	gets(&in, ATTEST_AFFIRMING, NULL, ATTEST_PASS, NULL);
	for (in.size = 0; in.size < SNP_REPORT_SIZE; in.size += in.size < 1100 ? 37 : 1)
		gets(&in, ATTEST_REJECTED, "snp.report", ATTEST_FAIL, "wrong-length");
	unload(&in);
}

static void another_platform_is_refused(void **state)
{
	struct input in;

	if (!vectors_here())
		skip();
	genoa(&in);
	in.report[0x180] ^= 1; /* the bootloader of REPORTED_TCB */
	gets(&in, ATTEST_REJECTED, "snp.tcb", ATTEST_FAIL, "tcb-mismatch");
	in.report[0x180] ^= 1;
	in.report[0x1a0] ^= 1;
	gets(&in, ATTEST_REJECTED, "snp.chip", ATTEST_FAIL, "chip-mismatch");
	memset(in.report + 0x1a0, 0, 64);
	gets(&in, ATTEST_REJECTED, "snp.chip", ATTEST_FAIL, "chip-mismatch");
	unload(&in);
	genoa(&in);
	in.report[0x48] = 1 << 2; /* SIGNING_KEY says VLEK, a VCEK is given */
	gets(&in, ATTEST_REJECTED, "snp.certificates", ATTEST_FAIL, "wrong-signing-key");
	in.report[0x48] = 2 << 2;
	gets(&in, ATTEST_REJECTED, "snp.report", ATTEST_FAIL, "unknown-signing-key");
	in.report[0x48] = 2; /* MASK_CHIP_KEY, and a chip */
	gets(&in, ATTEST_REJECTED, "snp.chip", ATTEST_FAIL, "mask-ignored");
	unload(&in);
	load(&in, "sev-snp/genoa-v5/report.bin", "sev-snp/milan-v2-azure/vcek.der", NULL, "2026-06-01");
	gets(&in, ATTEST_REJECTED, "snp.product", ATTEST_FAIL, "product-mismatch");
	unload(&in);
	load(&in, "sev-snp/genoa-v5/report.bin", "sev-snp/genoa-azure/vcek.pem", NULL, "2026-06-01");
	gets(&in, ATTEST_REJECTED, "snp.chip", ATTEST_FAIL, "chip-mismatch");
	unload(&in);
	genoa(&in);
	in.product = "milan";
	gets(&in, ATTEST_REJECTED, "snp.product", ATTEST_FAIL, "product-mismatch");
	unload(&in);
}

static void another_root_is_refused(void **state)
{
	_cleanup_certs_ struct x509_certs milan = { 0 }, vlek = { 0 }, ask = { 0 }, asvk = { 0 };
	const struct attest_roots swapped = { .amd = &milan };
	struct x509_trust t = { .roots = &milan, .untrusted = &ask };
	struct input in;
	const char *why;

	if (!vectors_here())
		skip();
	read_cert("roots/milan_ark.der", &milan);
	genoa(&in);
	in.roots = &swapped;
	gets(&in, ATTEST_REJECTED, "snp.chain", ATTEST_FAIL, "not-chained");
	unload(&in);
	/* A VLEK chains through the authority for VLEKs alone. */
	read_cert("milan-v3-vlek-aws/vlek.der", &vlek);
	read_cert("roots/milan_ask.der", &ask);
	read_cert("roots/milan_asvk.der", &asvk);
	t.at = at("2025-06-01");
	assert_int_equal(x509_verify(vlek.cert[0], &t, NULL, &why), -EKEYREJECTED);
	t.untrusted = &asvk;
	assert_int_equal(x509_verify(vlek.cert[0], &t, NULL, &why), 0);
}

static void expectations_that_differ_are_refused(void **state)
{
	static const struct {
		const char *policy, *field, *code;
	} cases[] = {
		{ "\"report_data\":[]", "snp.report_data", "unexpected" },
		{ "\"measurements\":[]", "snp.measurement", "unexpected" },
		{ "\"host_data\":[]", "snp.host_data", "unexpected" },
		{ "\"id_key_digests\":[]", "snp.id_key", "unexpected" },
		{ "\"author_key_digests\":[]", "snp.author_key", "no-author-key" },
		{ "\"family_ids\":[]", "snp.family_id", "unexpected" },
		{ "\"image_ids\":[]", "snp.image_id", "unexpected" },
		{ "\"chips\":[]", "snp.chip_list", "not-allowed" },
		{ "\"products\":[\"milan\"]", "snp.product", "not-allowed" },
		{ "\"min_abi_major\":1", "snp.abi", "demanded-abi" },
		{ "\"min_guest_svn\":1", "snp.guest_svn", "guest-svn" },
		{ "\"require_single_socket\":true", "snp.single_socket", "any-socket" },
		{ "\"forbid_smt\":true", "snp.smt", "smt-allowed" },
		{ "\"platform_set\":[\"tsme\"]", "snp.platform_info", "bits" },
		{ "\"platform_clear\":[\"smt\"]", "snp.platform_info", "bits" },
		{ "\"policy_set\":[\"ciphertext_hiding\"]", "snp.policy", "bits" },
		{ "\"policy_clear\":[\"smt\"]", "snp.policy", "bits" },
		{ "\"signing_keys\":[\"vlek\"]", "snp.signing_key", "vcek" },
		{ "\"minimum_tcb\":{\"genoa\":{\"microcode\":28}}", "snp.minimum_tcb", "below" },
	};
	struct input in;

	if (!vectors_here())
		skip();
	genoa(&in);
	in.expect = false;
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		in.policy = cases[i].policy;
		gets(&in, ATTEST_REJECTED, cases[i].field, ATTEST_FAIL, cases[i].code);
	}
	in.expect = true;
	in.policy = "\"minimum_tcb\":{\"genoa\":{\"microcode\":27},\"milan\":{\"microcode\":255}},\"platform_set\":[\"alias_check_complete\"]";
	gets(&in, ATTEST_AFFIRMING, NULL, ATTEST_PASS, NULL);
	unload(&in);
}

/* The host's table of certificates, in any order, with rows that are not known and padding behind. */
static void the_kernels_table_is_read(void **state)
{
	static const uint8_t vcek[16] = { 0x8d, 0x75, 0xda, 0x63, 0x64, 0xe6, 0x64, 0x45, 0xad, 0xc5, 0xf4, 0xb9, 0x3b, 0xe8, 0xac, 0xcd };
	static const uint8_t other[16] = { 1, 2, 3 };
	struct buf table = { 0 };
	struct input in;
	uint32_t offset = 3 * 24, length;

	if (!vectors_here())
		skip();
	genoa(&in);
	length = (uint32_t)buf_len(&in.cert);
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(buf_append(&table, i ? vcek : other, 16), 0);
		assert_int_equal(buf_append(&table, &offset, 4), 0);
		assert_int_equal(buf_append(&table, &length, 4), 0);
	}
	assert_int_equal(buf_append(&table, (uint8_t[24]){ 0 }, 24), 0);
	assert_int_equal(buf_append(&table, buf_span(&in.cert).p, length), 0);
	assert_int_equal(buf_append(&table, (uint8_t[100]){ 0 }, 100), 0);
	buf_done(&in.cert);
	in.cert = table;
	gets(&in, ATTEST_AFFIRMING, NULL, ATTEST_PASS, NULL);
	in.cert.data[20] = in.cert.data[44] = (char)0xff; /* both lengths now reach behind the table */
	in.cert.data[22] = in.cert.data[46] = (char)0xff;
	gets(&in, ATTEST_REJECTED, "snp.certificates", ATTEST_FAIL, NULL);
	unload(&in);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_row_of_the_index),
		cmocka_unit_test(a_flipped_bit_is_refused),
		cmocka_unit_test(a_signature_of_another_shape_is_refused),
		cmocka_unit_test(another_platform_is_refused),
		cmocka_unit_test(another_root_is_refused),
		cmocka_unit_test(expectations_that_differ_are_refused),
		cmocka_unit_test(the_kernels_table_is_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
