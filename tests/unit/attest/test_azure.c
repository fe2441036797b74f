// SPDX-License-Identifier: Apache-2.0
#include "attest/azure_verify.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <openssl/pem.h>
#include <string.h>

#include "attest/azure_evidence.h"
#include "attest/azure_hcl.h"
#include "attest/snp_report.h"
#include "attest/tpm_verify.h"
#include "tests/unit/attest/covered.h"
#include "user/base/base64.h"
#include "user/base/cleanup.h"
#include "user/base/digest.h"

#define AT 1767225600 /* 2026-01-01 */
#define AT_CVM 1784592000 /* 2026-07-21 */

/* --- forms of our own --------------------------------------------------------------------------- */
static void le32(struct buf *b, size_t v)
{
	uint8_t c[4] = { (uint8_t)v, (uint8_t)(v >> 8), (uint8_t)(v >> 16), (uint8_t)(v >> 24) };

	assert_int_equal(buf_append(b, c, 4), 0);
}

static void make_hcl(struct buf *b, uint32_t type, struct span runtime)
{
	static const uint8_t zero[SNP_REPORT_SIZE];

	buf_append(b, "HCLA", 4);
	le32(b, 2);
	le32(b, 32 + SNP_REPORT_SIZE + 20 + runtime.n);
	le32(b, 2);
	le32(b, 0);
	buf_append(b, zero, 12);
	buf_append(b, zero, SNP_REPORT_SIZE);
	le32(b, 20 + runtime.n);
	le32(b, 1);
	le32(b, type);
	le32(b, 1);
	le32(b, runtime.n);
	buf_append(b, runtime.p, runtime.n);
	buf_append(b, zero, 100);
}

static void a_paravisors_report_is_read_strictly(void **state)
{
	const struct span runtime = SPAN("{\"keys\":[]}");
	_cleanup_buf_ struct buf b = { 0 };
	struct azure_hcl h;
	unsigned refused = 0;

	make_hcl(&b, AZURE_HCL_SNP, runtime);
	assert_int_equal(azure_hcl_parse(buf_span(&b), &h), 0);
	assert_int_equal(h.type, AZURE_HCL_SNP);
	assert_int_equal(h.report.n, SNP_REPORT_SIZE);
	assert_true(span_eq(h.runtime_data, runtime));
	for (size_t n = 0; n < 32 + SNP_REPORT_SIZE + 20 + runtime.n; n++)
		assert_int_equal(azure_hcl_parse((struct span){ buf_span(&b).p, n }, &h), -EBADMSG);
	/* Every field outside report, reserved bytes and runtime data is judged. */
	for (size_t i = 0; i < buf_len(&b); i++) {
		b.data[b.start + i] ^= 0x40;
		refused += azure_hcl_parse(buf_span(&b), &h) == -EBADMSG;
		b.data[b.start + i] ^= 0x40;
	}
	assert_int_equal(refused, 20 + 20 + 100);
	buf_clear(&b);
	make_hcl(&b, AZURE_HCL_TDX, runtime);
	assert_int_equal(azure_hcl_parse(buf_span(&b), &h), 0);
	assert_int_equal(h.report.n, AZURE_TD_REPORT_SIZE);
	buf_clear(&b);
	make_hcl(&b, 3, runtime);
	assert_int_equal(azure_hcl_parse(buf_span(&b), &h), -EBADMSG);
}

static void runtime_data_names_one_key(void **state)
{
	char n[512], json[2048];
	static const char *const bad[] = {
		"", "[]", "{}", "{\"keys\":{}}", "{\"keys\":[{\"kid\":\"HCLEkPub\",\"kty\":\"RSA\",\"n\":\"%s\",\"e\":\"AQAB\"}]}",
		"{\"keys\":[{\"kid\":\"HCLAkPub\",\"kty\":\"EC\",\"n\":\"%s\",\"e\":\"AQAB\"}]}",
		"{\"keys\":[{\"kid\":\"HCLAkPub\",\"kty\":\"RSA\",\"n\":\"%.100s\",\"e\":\"AQAB\"}]}",
		"{\"keys\":[{\"kid\":\"HCLAkPub\",\"kty\":\"RSA\",\"n\":\"%s\",\"e\":\"Aw\"}]}",
		"{\"keys\":[{\"kid\":\"HCLAkPub\",\"kty\":\"RSA\",\"n\":\"%s\",\"e\":\"AQAB\",\"e\":\"AQAB\"}]}",
		"{\"keys\":[{\"kid\":\"HCLAkPub\",\"kty\":\"RSA\",\"n\":\"%s\",\"e\":\"AQAB\"},"
		"{\"kid\":\"HCLAkPub\",\"kty\":\"RSA\",\"n\":\"%.342s\",\"e\":\"AQAB\"}]}",
	};
	EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)2048);
	_cleanup_buf_ struct buf b64 = { 0 };
	struct azure_runtime rt;
	uint8_t modulus[256];
	BIGNUM *bn = NULL;

	assert_int_equal(EVP_PKEY_get_bn_param(key, "n", &bn), 1);
	assert_int_equal(BN_bn2bin(bn, modulus), 256);
	assert_int_equal(base64_append(&b64, modulus, 256), 0);
	(void)snprintf(n, sizeof(n), "%s", buf_cstr(&b64));
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
#pragma GCC diagnostic ignored "-Wformat-extra-args"
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		(void)snprintf(json, sizeof(json), bad[i], n, n);
		assert_int_equal(azure_runtime_parse(span_of(json), &rt), -EBADMSG);
	}
#pragma GCC diagnostic pop
	(void)snprintf(json, sizeof(json), "{\"keys\":[{\"kid\":\"HCLAkPub\",\"kty\":\"RSA\",\"n\":\"%s\",\"e\":\"AQAB\"}],"
		       "\"user-data\":\"AB\",\"vm-configuration\":{\"secure-boot\":true}}", n);
	assert_int_equal(azure_runtime_parse(span_of(json), &rt), 0);
	assert_int_equal(EVP_PKEY_eq(rt.ak, key), 1);
	EVP_PKEY_free(key);
	BN_free(bn);
	assert_true(rt.secure_boot);
	assert_string_equal(rt.user_data, "ab");
	azure_runtime_done(&rt);
}

static void evidence_of_no_form_is_refused(void **state)
{
	static const char *const bad[] = {
		"", "[]", "{}", "{\"hcl_report\":1}", "{\"evidence\":[]}",
		"{\"version\":2,\"hcl_report\":\"QQ==\",\"tpm_quote\":{\"message\":\"00\",\"signature\":\"00\",\"pcrs\":[]},\"vcek\":\"QQ\"}",
		"{\"version\":1,\"hcl_report\":\"QQ==\",\"tpm_quote\":{\"message\":\"0\",\"signature\":\"00\",\"pcrs\":[]},\"vcek\":\"QQ\"}",
		"{\"version\":1,\"hcl_report\":\"Q*==\",\"tpm_quote\":{\"message\":\"00\",\"signature\":\"00\",\"pcrs\":[]},\"vcek\":\"QQ\"}",
		"{\"version\":1,\"hcl_report\":\"QQ==\",\"tpm_quote\":{\"message\":\"00\",\"signature\":\"00\"},\"vcek\":\"QQ\"}",
		"{\"version\":1,\"hcl_report\":\"QQ==\",\"tpm_quote\":{\"message\":\"00\",\"signature\":\"00\",\"pcrs\":[]}}",
		"{\"version\":1,\"hcl_report\":\"QQ==\",\"tpm_quote\":{\"message\":\"00\",\"signature\":\"00\",\"pcrs\":[]},\"vcek\":\"QQ\","
		"\"td_quote\":\"QQ\"}",
		"{\"version\":1,\"version\":1,\"hcl_report\":\"QQ==\",\"tpm_quote\":{\"message\":\"00\",\"signature\":\"00\",\"pcrs\":[]},"
		"\"vcek\":\"QQ\"}",
		"{\"report\":[256],\"quote\":{\"message\":[1],\"signature\":[1],\"pcrs\":[]},\"vcek\":\"\"}",
		"{\"report\":[1.5],\"quote\":{\"message\":[1],\"signature\":[1],\"pcrs\":[]},\"vcek\":\"\"}",
		"{\"report\":[-1],\"quote\":{\"message\":[1],\"signature\":[1],\"pcrs\":[]},\"vcek\":\"\"}",
		"{\"v\":1,\"snp_report\":\"QQ\",\"runtime_data\":\"QQ\",\"quote_msg\":\"QQ\",\"quote_sig\":\"QQ\",\"vcek_chain_pem\":\"QQ\"}",
	};
	static const char good[] =
		"{\"version\":1,\"hcl_report\":\"QQ\",\"tpm_quote\":{\"message\":\"00\",\"signature\":\"00\",\"pcrs\":[]},\"vcek\":\"-_8\"}";
	struct azure_evidence e;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal(azure_evidence_parse(span_of(bad[i]), &e), -EBADMSG);
		azure_evidence_done(&e);
	}
	assert_int_equal(azure_evidence_parse(span_of(good), &e), 0);
	assert_true(span_eq(buf_span(&e.vcek), SPAN("\xfb\xff")));
	azure_evidence_done(&e);
}

/* --- recorded guests ---------------------------------------------------------------------------- */
/* What stays open without lists of what to expect, which are not these tests' matter. */
#define OPEN_SNP "\"snp.crl\",\"snp.measurement\","
#define OPEN_TDX "\"tdx.crl\",\"tdx.qe_identity\",\"tdx.tcb_info\",\"tdx.tcb\",\"tdx.mrtd\",\"tdx.rtmr0\",\"tdx.rtmr1\",\"tdx.rtmr2\","

static const struct guest {
	const char *folder;
	bool tdx;
	const char *nonce; /* text, or NULL: taken from the quote; "": none was asked for */
	const char *others; /* files that are decoded from the evidence */
} guests[] = {
	{ "snp-genoa-v3", false, NULL, "vcek.der" },
	{ "snp-milan-v2-nonce", false, "challenge", "vcek.der" },
	{ "snp-milan-v3-empty-nonce", false, "", "vcek.der" },
	{ "snp-milan-v3-live", false, "attestation-test-fixture", "vcek.der" },
	{ "tdx-live", true, "attestation-test-fixture", "td_quote.bin" },
};

static bool here;

static const char *path_of(const struct guest *g, const char *file)
{
	static char path[2][96];
	static unsigned next;

	(void)snprintf(path[next++ % 2], sizeof(path[0]), "azure/%s/%s", g->folder, file);
	return path[(next - 1) % 2];
}

/* Judges; the named field has the verdict. */
static void expect(const struct attest_azure *in, const char *policy, int64_t at, enum attest_status want,
		   const char *field, enum attest_verdict verdict)
{
	struct policy_error pe = { { 0 } };
	const struct attest_finding *f;
	struct attest_policy p;
	struct attest_result res;
	enum attest_status got;

	attest_policy_init(&p);
	if (policy && attest_policy_read(&p, span_of(policy), &pe) < 0)
		fail_msg("%s", pe.text);
	attest_result_init(&res, "azure", at);
	assert_int_equal(attest_verify_azure(in, &p, &res), 0);
	got = attest_appraise(&res, &p);
	f = attest_finding(&res, field);
	if (got != want || !f || f->verdict != verdict) {
		for (unsigned i = 0; i < res.n_findings; i++)
			if (attest_blocks(&res.findings[i], &p))
				print_message("%s %s: %s\n", attest_verdict_text(res.findings[i].verdict),
					      res.findings[i].field, res.findings[i].reason);
		fail_msg("%s: %s, expected %s", field, attest_status_text(got), attest_status_text(want));
	}
	attest_result_done(&res);
	attest_policy_done(&p);
}

static const char *policy_for(const struct guest *g, const struct azure_evidence *e)
{
	static char policy[1024];
	char hex[65];

	hex_encode(buf_span(&e->pcrs).p, 32, hex);
	(void)snprintf(policy, sizeof(policy), "{\"version\":1,\"optional\":[%s\"x\"],\"tpm\":{\"pcrs\":{\"sha256\":{\"0\":\"%s\"}}}}",
		       g->tdx ? OPEN_TDX : OPEN_SNP, hex);
	return policy;
}

static void expect_same(const struct guest *g, const char *file, struct span decoded)
{
	_cleanup_buf_ struct buf b = { 0 };

	assert_true(span_eq(judged(path_of(g, file), &b), decoded));
}

static void a_guest_is_known_from_silicon_to_quote(void **state)
{
	if (!here)
		skip();
	for (size_t i = 0; i < ARRAY_SIZE(guests); i++) {
		const struct guest *g = &guests[i];
		_cleanup_buf_ struct buf json = { 0 }, der = { 0 };
		struct attest_azure in = { .have_nonce = true };
		struct azure_evidence e;
		struct tpm_attest a;

		in.evidence = judged(path_of(g, "evidence.json"), &json);
		assert_int_equal(azure_evidence_parse(in.evidence, &e), 0);
		expect_same(g, "hcl_report.bin", buf_span(&e.hcl));
		expect_same(g, "pcrs.bin", buf_span(&e.pcrs));
		expect_same(g, "quote.msg", buf_span(&e.quote));
		expect_same(g, "quote.sig", buf_span(&e.signature));
		if (g->tdx) {
			expect_same(g, g->others, buf_span(&e.td_quote));
		} else { /* one form has it as PEM */
			_cleanup_certs_ struct x509_certs c1 = { 0 }, c2 = { 0 };

			assert_int_equal(x509_certs_add(&c1, judged(path_of(g, g->others), &der)), 0);
			assert_int_equal(x509_certs_add(&c2, buf_span(&e.vcek)), 0);
			assert_int_equal(X509_cmp(c1.cert[0], c2.cert[0]), 0);
		}
		assert_int_equal(tpm_attest_parse(buf_span(&e.quote), &a), 0);
		in.nonce = g->nonce ? span_of(g->nonce) : a.extra;
		if (in.nonce.n) {
			expect(&in, policy_for(g, &e), AT, ATTEST_AFFIRMING, "tpm.expected", ATTEST_PASS);
		} else { /* a nonce was required and the quote has none */
			expect(&in, policy_for(g, &e), AT, ATTEST_REJECTED, "tpm.nonce", ATTEST_FAIL);
			in.nonce = SPAN("required");
			expect(&in, policy_for(g, &e), AT, ATTEST_REJECTED, "tpm.nonce", ATTEST_FAIL);
			in.have_nonce = false;
			expect(&in, policy_for(g, &e), AT, ATTEST_INCOMPLETE, "tpm.nonce", ATTEST_NOT_CHECKED);
			in.have_nonce = true;
		}
		in.nonce = SPAN("replayed");
		expect(&in, policy_for(g, &e), AT, ATTEST_REJECTED, "tpm.nonce", ATTEST_FAIL);
		azure_evidence_done(&e);
	}
}

static void put_hex(struct buf *out, const struct buf *bytes)
{
	_cleanup_free_ char *hex = malloc(2 * buf_len(bytes) + 1);

	hex_encode(buf_span(bytes).p, buf_len(bytes), hex);
	buf_append_str(out, hex);
}

/* The parts put together again, as one form. */
static void assemble(const struct azure_evidence *e, bool tdx, struct buf *out)
{
	buf_append_str(out, "{\"version\":1,\"hcl_report\":\"");
	base64_append(out, buf_span(&e->hcl).p, buf_len(&e->hcl));
	buf_append_str(out, "\",\"tpm_quote\":{\"message\":\"");
	put_hex(out, &e->quote);
	buf_append_str(out, "\",\"signature\":\"");
	put_hex(out, &e->signature);
	buf_append_str(out, "\",\"pcrs\":[\"");
	put_hex(out, &e->pcrs);
	buf_append_str(out, tdx ? "\"]},\"td_quote\":\"" : "\"]},\"vcek\":\"");
	base64_append(out, buf_span(tdx ? &e->td_quote : &e->vcek).p, buf_len(tdx ? &e->td_quote : &e->vcek));
	buf_append_str(out, "\"}");
}

static void load(unsigned guest, struct azure_evidence *e)
{
	_cleanup_buf_ struct buf json = { 0 };

	assert_int_equal(azure_evidence_parse(vector_read(path_of(&guests[guest], "evidence.json"), &json), e), 0);
}

static void reject(const struct azure_evidence *e, unsigned guest, bool tdx, const char *field)
{
	_cleanup_buf_ struct buf json = { 0 };
	struct attest_azure in = { .have_nonce = true };
	struct tpm_attest a;

	assemble(e, tdx, &json);
	in.evidence = buf_span(&json);
	in.nonce = SPAN("x");
	if (tpm_attest_parse(buf_span(&e->quote), &a) == 0)
		in.nonce = a.extra;
	expect(&in, policy_for(&guests[guest], e), AT, field ? ATTEST_REJECTED : ATTEST_AFFIRMING,
	       field ? field : "tpm.pcrs", field ? ATTEST_FAIL : ATTEST_PASS);
}

static void swap(struct buf *a, struct buf *b)
{
	struct buf t = *a;

	*a = *b;
	*b = t;
}

#define RUNTIME_AT (0x4c0 + 20)

static void broken_links_are_refused(void **state)
{
	const unsigned snp[] = { 1, 3 }, tdx = 4;
	struct azure_evidence e, other;

	if (!here)
		skip();
	load(snp[0], &e);
	load(snp[1], &other);
	reject(&e, snp[0], false, NULL); /* as it was */
	e.hcl.data[e.hcl.start + RUNTIME_AT + 700] ^= 1;
	reject(&e, snp[0], false, "azure.runtime_data");
	e.hcl.data[e.hcl.start + RUNTIME_AT + 700] ^= 1;
	e.hcl.data[e.hcl.start + 32 + 0x50 + 40] = 1; /* second half of the report's data */
	reject(&e, snp[0], false, "azure.report_data_tail");
	reject(&e, snp[0], false, "snp.signature");
	e.hcl.data[e.hcl.start + 32 + 0x50 + 40] = 0;
	e.hcl.data[e.hcl.start + 32 + 0x90] ^= 1; /* measurement */
	reject(&e, snp[0], false, "snp.signature");
	e.hcl.data[e.hcl.start + 32 + 0x90] ^= 1;
	e.pcrs.data[e.pcrs.start + 40] ^= 1;
	reject(&e, snp[0], false, "tpm.pcrs");
	e.pcrs.data[e.pcrs.start + 40] ^= 1;
	e.signature.data[e.signature.start + 40] ^= 1;
	reject(&e, snp[0], false, "tpm.signature");
	e.signature.data[e.signature.start + 40] ^= 1;
	/* The quote of another guest, whole: its key is not the one in this guest's runtime data. */
	swap(&e.quote, &other.quote);
	swap(&e.signature, &other.signature);
	swap(&e.pcrs, &other.pcrs);
	reject(&e, snp[0], false, "tpm.signature");
	swap(&e.quote, &other.quote);
	swap(&e.signature, &other.signature);
	swap(&e.pcrs, &other.pcrs);
	swap(&e.vcek, &other.vcek); /* another chip's certificate */
	reject(&e, snp[0], false, "snp.signature");
	swap(&e.vcek, &other.vcek);
	azure_evidence_done(&other);
	/* One kind of silicon's header over the other's body. */
	load(tdx, &other);
	reject(&other, tdx, true, NULL);
	other.hcl.data[other.hcl.start + 0x4c8] = AZURE_HCL_SNP;
	reject(&other, tdx, true, "azure.evidence");
	swap(&other.vcek, &e.vcek);
	reject(&other, tdx, false, "snp.report");
	swap(&other.vcek, &e.vcek);
	other.hcl.data[other.hcl.start + 0x4c8] = AZURE_HCL_TDX;
	reject(&other, tdx, false, "azure.evidence");
	other.hcl.data[other.hcl.start + 32 + 128] ^= 1; /* the TD report is not the one that was quoted */
	reject(&other, tdx, true, "azure.td_report");
	other.hcl.data[other.hcl.start + 32 + 128] ^= 1;
	e.hcl.data[e.hcl.start + 0x4c8] = AZURE_HCL_TDX;
	swap(&other.td_quote, &e.td_quote);
	reject(&e, snp[0], true, "azure.runtime_data");
	azure_evidence_done(&e);
	azure_evidence_done(&other);
}

#define CVM "azure/cvm-snp-2026-07-20/"

/* Its quote covers PCR 16 only: it carries the nonce under a key that silicon binds, and says nothing of
 * the boot. */
static void a_quote_that_only_carries_the_nonce(void **state)
{
	static const char policy[] =
		"{\"version\":1,\"optional\":[" OPEN_SNP "\"tpm.resettable\",\"tpm.selection\",\"tpm.pcrs\",\"tpm.expected\"]}";
	static const struct {
		const char *file;
		size_t at; /* of the part in struct azure_evidence */
	} parts[] = {
		{ "quote.msg", offsetof(struct azure_evidence, quote) },
		{ "quote.tpmt_sig", offsetof(struct azure_evidence, signature) },
		{ "runtime_data.json", offsetof(struct azure_evidence, runtime_data) },
		{ "snp_report.bin", offsetof(struct azure_evidence, snp_report) },
		{ "vcek_chain.pem", offsetof(struct azure_evidence, vcek) },
		{ "ak.pem", offsetof(struct azure_evidence, ak_pem) },
	};
	_cleanup_buf_ struct buf json = { 0 }, hex = { 0 };
	struct attest_azure in = { .have_nonce = true };
	struct azure_evidence e;
	uint8_t nonce[64];
	char *key;

	if (!here)
		skip();
	in.evidence = judged(CVM "cmcp_evidence.bin", &json);
	assert_int_equal(hex_decode(judged(CVM "cmcp_nonce.hex", &hex).p, 128, nonce, 64), 0);
	in.nonce = (struct span){ (char *)nonce, 64 };
	expect(&in, policy, AT_CVM, ATTEST_AFFIRMING, "azure.ak_stated", ATTEST_PASS);
	expect(&in, NULL, AT_CVM, ATTEST_INCOMPLETE, "tpm.resettable", ATTEST_FAIL);
	assert_int_equal(azure_evidence_parse(in.evidence, &e), 0);
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		_cleanup_buf_ struct buf b = { 0 };
		char path[96];

		(void)snprintf(path, sizeof(path), CVM "%s", parts[i].file);
		assert_true(span_eq(judged(path, &b), buf_span((struct buf *)((char *)&e + parts[i].at))));
	}
	azure_evidence_done(&e);
	nonce[0] ^= 1;
	expect(&in, policy, AT_CVM, ATTEST_REJECTED, "tpm.nonce", ATTEST_FAIL);
	nonce[0] ^= 1;
	key = strstr(buf_cstr(&json), "ak_pub_pem");
	key = strstr(key, "MIIB");
	key[60] = key[60] == 'A' ? 'B' : 'A'; /* the key as stated is another than the bound one */
	expect(&in, policy, AT_CVM, ATTEST_REJECTED, "azure.ak_stated", ATTEST_FAIL);
}

/* A paravisor's report by itself, with the chip's certificate from elsewhere. */
static void a_report_without_a_quote_still_binds_the_key(void **state)
{
	_cleanup_buf_ struct buf b = { 0 }, pem = { 0 };
	struct attest_azure in = { 0 };
	struct attest_policy p;
	struct attest_result res;
	struct azure_hcl hcl;
	EVP_PKEY *ak = NULL;

	if (!here)
		skip();
	assert_int_equal(azure_hcl_parse(judged("azure/genoa-openpcc/hcl_report.bin", &b), &hcl), 0);
	attest_policy_init(&p);
	attest_result_init(&res, "azure", AT);
	assert_int_equal(azure_judge_report(&in, hcl.type, hcl.report, hcl.runtime_data,
					    vector_read("sev-snp/genoa-azure/vcek.pem", &pem), &p, &res, &ak), 0);
	assert_int_equal(attest_finding(&res, "snp.signature")->verdict, ATTEST_PASS);
	assert_int_equal(attest_finding(&res, "snp.chain")->verdict, ATTEST_PASS);
	assert_int_equal(attest_finding(&res, "azure.runtime_data")->verdict, ATTEST_PASS);
	assert_non_null(ak);
	assert_int_equal(attest_appraise(&res, &p), ATTEST_REJECTED); /* a part is no judgement */
	EVP_PKEY_free(ak);
	attest_result_done(&res);
	attest_policy_done(&p);
}

/* Whatever lies in the PEM block, which here may be the whole NV index with zeros behind the certificate. */
static void add_padded(struct x509_certs *c, struct span pem)
{
	BIO *bio = BIO_new_mem_buf(pem.p, (int)pem.n);
	char *name = NULL, *header = NULL;
	uint8_t *data = NULL;
	struct span der;
	long n;

	assert_int_equal(PEM_read_bio(bio, &name, &header, &data, &n), 1);
	assert_int_equal(x509_der_trim((struct span){ (char *)data, (size_t)n }, &der), 0);
	assert_int_equal(x509_certs_add(c, der), 0);
	OPENSSL_free(name);
	OPENSSL_free(header);
	OPENSSL_free(data);
	BIO_free(bio);
}

/* Certificates of virtual TPMs' keys whose authority is not distributed: readable, and not trusted. */
static void keys_certificates_alone_prove_nothing(void **state)
{
	static const char *const names[] = { "azure/ak-certs/azure_ak_01.pem", "azure/ak-certs/azure_ak_03.pem" };

	if (!here)
		skip();
	for (unsigned i = 0; i < 2; i++) {
		_cleanup_certs_ struct x509_certs c = { 0 }, roots = { 0 };
		_cleanup_buf_ struct buf b = { 0 }, root = { 0 };
		const char *why = NULL;

		add_padded(&c, judged(names[i], &b));
		assert_int_equal(x509_certs_add(&roots, vector_read("tpm/roots/gcp_ek_ak_ca_root.crt", &root)), 0);
		assert_int_equal(x509_verify(c.cert[0], &(struct x509_trust){ .roots = &roots, .at = AT }, NULL, &why),
				 -EKEYREJECTED);
		assert_non_null(why);
	}
}

/* A report whose chip identifier was blanked before it was published: the signature must not hold. */
static void a_redacted_report_is_refused(void **state)
{
	_cleanup_buf_ struct buf b = { 0 }, pem = { 0 };
	const char *name = "../trace/agent-manifest/python/tests/vectors/snp/azure_hcl_report_redacted.bin";
	struct attest_azure in = { 0 };
	struct attest_policy p;
	struct attest_result res;
	struct azure_hcl hcl;
	EVP_PKEY *ak = NULL;

	if (!here || access(vector_path(name), R_OK) < 0)
		skip();
	assert_int_equal(azure_hcl_parse(vector_read(name, &b), &hcl), 0);
	attest_policy_init(&p);
	attest_result_init(&res, "azure", AT);
	(void)azure_judge_report(&in, hcl.type, hcl.report, hcl.runtime_data,
				 vector_read("azure/snp-milan-v3-live/vcek.der", &pem), &p, &res, &ak);
	assert_int_equal(attest_finding(&res, "snp.signature")->verdict, ATTEST_FAIL);
	EVP_PKEY_free(ak);
	attest_result_done(&res);
	attest_policy_done(&p);
}

static void every_row_is_judged(void **state)
{
	if (!here)
		skip();
	expect_all_covered("azure/", NULL, 41);
}

static int setup(void **state)
{
	here = vectors_here();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_paravisors_report_is_read_strictly),
		cmocka_unit_test(runtime_data_names_one_key),
		cmocka_unit_test(evidence_of_no_form_is_refused),
		cmocka_unit_test(a_guest_is_known_from_silicon_to_quote),
		cmocka_unit_test(broken_links_are_refused),
		cmocka_unit_test(a_quote_that_only_carries_the_nonce),
		cmocka_unit_test(a_report_without_a_quote_still_binds_the_key),
		cmocka_unit_test(keys_certificates_alone_prove_nothing),
		cmocka_unit_test(a_redacted_report_is_refused),
		cmocka_unit_test(every_row_is_judged),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
