// SPDX-License-Identifier: Apache-2.0
/* SEV-SNP evidence made with keys and authorities of our own. */
#include "attest/attest_verify.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "attest/snp_cert.h"
#include "tests/unit/attest/snp_maker.h"
#include "user/base/cleanup.h"

static void judged(struct made *d, const char *policy, bool pinned, enum attest_status want, const char *field, const char *code)
{
	const struct attest_roots roots = { .amd = &pki[d->product].roots };
	const struct span certs = buf_span(&d->certs), crl = buf_span(&d->crl);
	struct attest_snp in = { .report = { (char *)d->report, sizeof(d->report) }, .certs = &certs, .n_certs = 1,
				 .crls = &crl, .n_crls = crl.n > 0, .roots = pinned ? NULL : &roots };
	struct policy_error e = { { 0 } };
	struct attest_result res;
	struct attest_policy p;
	const struct attest_finding *f;
	enum attest_status s;
	char text[1024];

	(void)snprintf(text, sizeof(text), "{\"version\":1,\"optional\":[\"snp.crl\",\"snp.report_data\",\"snp.measurement\"],\"snp\":{%s}}", policy);
	attest_policy_init(&p);
	assert_int_equal(attest_policy_read(&p, span_of(text), &e), 0);
	attest_result_init(&res, "snp", PKI_NOW);
	assert_int_equal(attest_verify_snp(&in, &p, &res), 0);
	s = attest_appraise(&res, &p);
	f = field ? attest_finding(&res, field) : NULL;
	if (s != want || (field && (!f || strcmp(f->code, code) != 0))) {
		for (unsigned i = 0; i < res.n_findings; i++)
			printf("%s %s %s: %s\n", attest_verdict_text(res.findings[i].verdict), res.findings[i].field,
			       res.findings[i].code, res.findings[i].reason);
		fail_msg("%s, %s is not %s", attest_status_text(s), field ? field : "", code ? code : "");
	}
	attest_result_done(&res);
	attest_policy_done(&p);
}

static void one(const struct make *m, enum attest_status want, const char *field, const char *code)
{
	struct made d;

	make(&d, m);
	judged(&d, "", false, want, field, code);
	unmake(&d);
}

static void good_evidence_of_every_kind(void **state)
{
	for (unsigned p = 0; p < SNP_PRODUCTS; p++)
		for (unsigned v = 2; v <= 5; v++)
			for (unsigned k = 0; k < 2; k++) {
				const struct make m = { .product = (enum snp_product)p, .version = v,
							.key = (enum snp_key)k, .hwid_first = 4 };
				struct made d;

				make(&d, &m);
				judged(&d, "", false, ATTEST_AFFIRMING, "snp.tcb", "certified");
				judged(&d, "", false, ATTEST_AFFIRMING, "snp.minimum_tcb", "no-expectation");
				judged(&d, k ? "" : "\"csp_ids\":[]", false, ATTEST_AFFIRMING, NULL, NULL); /* of VLEKs */
				judged(&d, "", true, ATTEST_REJECTED, "snp.chain", "not-chained"); /* not AMD's root */
				unmake(&d);
			}
	one(&(struct make){ .product = SNP_GENOA, .version = 3, .wrapped_hwid = true }, ATTEST_AFFIRMING, "snp.chip", "same-chip");
	one(&(struct make){ .product = SNP_TURIN, .version = 5, .wrapped_hwid = true }, ATTEST_AFFIRMING, "snp.chip", "same-chip");
}

static void keys_must_hang_where_they_belong(void **state)
{
	const unsigned g = SNP_GENOA;

	one(&(struct make){ .product = SNP_GENOA, .version = 3, .key = SNP_KEY_VLEK, .issuer = pki[g].ask,
			    .issuer_key = pki[g].ask_key }, ATTEST_REJECTED, "snp.chain", "wrong-chain");
	one(&(struct make){ .product = SNP_GENOA, .version = 3, .issuer = pki[g].asvk, .issuer_key = pki[g].asvk_key },
	    ATTEST_REJECTED, "snp.chain", "wrong-chain");
	one(&(struct make){ .product = SNP_GENOA, .version = 3, .issuer = pki[g].ark, .issuer_key = pki[g].ark_key },
	    ATTEST_REJECTED, "snp.chain", "wrong-chain"); /* the root issues no leaves */
	one(&(struct make){ .product = SNP_GENOA, .version = 3, .cn = "SEV-VLEK" }, ATTEST_REJECTED, "snp.certificates",
	    "wrong-signing-key");
	one(&(struct make){ .product = SNP_GENOA, .version = 3, .cn = "SEV-VCEK2" }, ATTEST_REJECTED, "snp.certificates", "no-leaf");
	one(&(struct make){ .product = SNP_GENOA, .version = 3, .sign = PKI_PSS_SHA256 }, ATTEST_REJECTED, "snp.chain", "wrong-chain");
	one(&(struct make){ .product = SNP_GENOA, .version = 3, .expired = true }, ATTEST_REJECTED, "snp.chain", "not-chained");
	/* Issued by the right name with another key: the authority of another time. */
	one(&(struct make){ .product = SNP_GENOA, .version = 3, .issuer_key = pki[g].asvk_key }, ATTEST_REJECTED, "snp.chain", "not-chained");
}

/* Which of two leaves signed is not guessed; the same one twice is no question. */
static void two_leaves_are_ambiguous(void **state)
{
	struct make m = { .product = SNP_MILAN, .version = 3 };
	struct made a, b;

	make(&a, &m);
	m.hwid_first = 9;
	make(&b, &m);
	pki_pem(a.leaf, &a.certs);
	judged(&a, "", false, ATTEST_AFFIRMING, "snp.chain", "chained");
	pki_pem(b.leaf, &a.certs);
	judged(&a, "", false, ATTEST_REJECTED, "snp.certificates", "ambiguous");
	unmake(&a);
	unmake(&b);
}

static void a_leaf_on_another_curve_is_refused(void **state)
{
	EVP_PKEY *key = pki_ec("P-256");
	struct make m = { .product = SNP_MILAN, .version = 3 };
	struct made good, other;

	make(&good, &m);
	m.leaf_key = key;
	make(&other, &m);
	memcpy(other.report, good.report, sizeof(good.report));
	judged(&other, "", false, ATTEST_REJECTED, "snp.signature", "wrong-key");
	unmake(&good);
	unmake(&other);
	EVP_PKEY_free(key);
}

static void what_is_compared_must_be_there(void **state)
{
	static const struct {
		const char *oid, *code;
	} exts[] = {
		{ "2", "no-product" }, { "3.1", "no-tcb" }, { "3.2", "no-tcb" }, { "3.3", "no-tcb" },
		{ "3.8", "no-tcb" }, { "3.9", "no-tcb" }, { "4", "no-hwid" },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(exts); i++)
		one(&(struct make){ .product = SNP_TURIN, .version = 5, .skip = exts[i].oid }, ATTEST_REJECTED,
		    "snp.certificates", exts[i].code);
	one(&(struct make){ .product = SNP_TURIN, .version = 5, .twice = "3.8" }, ATTEST_REJECTED, "snp.certificates", "no-tcb");
	one(&(struct make){ .product = SNP_MILAN, .version = 3, .spl_reserved = 1 }, ATTEST_REJECTED, "snp.certificates", "no-tcb");
	one(&(struct make){ .product = SNP_MILAN, .version = 3, .key = SNP_KEY_VLEK, .vlek_hwid = true }, ATTEST_REJECTED,
	    "snp.certificates", "hwid-in-vlek");
	one(&(struct make){ .product = SNP_MILAN, .version = 3, .key = SNP_KEY_VLEK, .bad_csp = true }, ATTEST_REJECTED,
	    "snp.certificates", "bad-csp-id");
	one(&(struct make){ .product = SNP_MILAN, .version = 3, .key = SNP_KEY_VLEK, .no_csp = true }, ATTEST_AFFIRMING,
	    "snp.csp", "no-expectation");
	/* Without it Genoa's layout is whole: the component is Turin's alone. */
	one(&(struct make){ .product = SNP_GENOA, .version = 3, .skip = "3.9" }, ATTEST_AFFIRMING, "snp.tcb", "certified");
}

static void a_revoked_authority_is_refused(void **state)
{
	const unsigned g = SNP_GENOA;
	const struct make old = { .product = SNP_GENOA, .version = 3, .issuer = pki[g].old_ask, .issuer_key = pki[g].old_ask_key };
	const struct make new = { .product = SNP_GENOA, .version = 3 };
	X509_CRL *crl = pki_crl(pki[g].ark, pki[g].ark_key, PKI_PSS_SHA384, 4, true);
	X509_CRL *other = pki_crl(pki[SNP_MILAN].ark, pki[SNP_MILAN].ark_key, PKI_PSS_SHA384, -1, true);
	X509_CRL *forged = pki_crl(pki[g].ark, pki[g].asvk_key, PKI_PSS_SHA384, -1, true);
	struct made d;

	make(&d, &old);
	judged(&d, "", false, ATTEST_AFFIRMING, "snp.crl", "no-crl");
	pki_crl_der(crl, &d.crl);
	judged(&d, "", false, ATTEST_REJECTED, "snp.crl", "revoked-or-stale");
	/* Another generation of the same name in the bundle does not help. */
	pki_pem(pki[g].ask, &d.certs);
	judged(&d, "", false, ATTEST_REJECTED, "snp.crl", "revoked-or-stale");
	unmake(&d);
	make(&d, &new);
	pki_pem(pki[g].old_ask, &d.certs); /* nor does it harm */
	pki_crl_der(crl, &d.crl);
	judged(&d, "", false, ATTEST_AFFIRMING, "snp.crl", "not-revoked");
	buf_clear(&d.crl);
	pki_crl_der(other, &d.crl); /* of another product: as if there were none */
	judged(&d, "", false, ATTEST_AFFIRMING, "snp.crl", "no-crl");
	buf_clear(&d.crl);
	pki_crl_der(forged, &d.crl);
	judged(&d, "", false, ATTEST_REJECTED, "snp.crl", "forged");
	buf_clear(&d.crl);
	assert_int_equal(buf_append_str(&d.crl, "no list"), 0);
	judged(&d, "", false, ATTEST_REJECTED, "snp.crl", "malformed");
	unmake(&d);
	X509_CRL_free(crl);
	X509_CRL_free(forged);
	X509_CRL_free(other);
}

/* Signed reports that say what they should not: here the signature is good, the content is not. */
static void signed_content_is_judged(void **state)
{
	static const struct {
		unsigned offset, value;
		enum attest_status status;
		const char *field, *code;
	} cases[] = {
		{ 0x000, 1, ATTEST_REJECTED, "snp.report", "unknown-version" },
		{ 0x000, 6, ATTEST_REJECTED, "snp.report", "unknown-version" },
		{ 0x034, 2, ATTEST_REJECTED, "snp.report", "unknown-algorithm" },
		{ 0x04c, 1, ATTEST_REJECTED, "snp.report", "reserved-set" },
		{ 0x048, 0x20, ATTEST_REJECTED, "snp.report", "reserved-set" },
		{ 0x048, 7 << 2, ATTEST_REJECTED, "snp.report", "unknown-signing-key" },
		{ 0x18b, 1, ATTEST_REJECTED, "snp.report", "reserved-set" },
		{ 0x1eb, 1, ATTEST_REJECTED, "snp.report", "reserved-set" },
		{ 0x1f8, 1, ATTEST_REJECTED, "snp.report", "reserved-set" }, /* mitigations begin with version 5 */
		{ 0x29f, 1, ATTEST_REJECTED, "snp.report", "reserved-set" },
		{ 0x00a, 0x0b, ATTEST_REJECTED, "snp.debug", "debug" },
		{ 0x00a, 0x07, ATTEST_REJECTED, "snp.migration", "migration-agent" },
		{ 0x00a, 0x01, ATTEST_REJECTED, "snp.policy", "reserved-clear" },
		{ 0x00c, 0x01, ATTEST_INCOMPLETE, "snp.policy", "unknown-bits" },
		{ 0x030, 1, ATTEST_INCOMPLETE, "snp.vmpl", "above-zero" },
		{ 0x030, 4, ATTEST_REJECTED, "snp.vmpl", "not-from-guest" },
		{ 0x189, 0x31, ATTEST_REJECTED, "snp.product", "unknown-product" },
		{ 0x189, 0x01, ATTEST_REJECTED, "snp.product", "product-mismatch" },
		{ 0x180, 9, ATTEST_REJECTED, "snp.tcb", "tcb-mismatch" },
		{ 0x180, 11, ATTEST_REJECTED, "snp.tcb", "tcb-mismatch" },
		{ 0x182, 1, ATTEST_REJECTED, "snp.tcb", "reserved-set" },
		{ 0x1e0, 9, ATTEST_REJECTED, "snp.firmware", "order" }, /* committed below reported */
		{ 0x038, 11, ATTEST_INCOMPLETE, "snp.firmware", "provisional" },
		{ 0x1e8, 1, ATTEST_INCOMPLETE, "snp.firmware", "provisional" }, /* current build */
		{ 0x1ec, 1, ATTEST_REJECTED, "snp.firmware", "order" }, /* committed build above it */
		{ 0x1a0, 0xc2, ATTEST_REJECTED, "snp.chip", "chip-mismatch" },
		{ 0x040, 0xff, ATTEST_AFFIRMING, "snp.platform_info", "no-expectation" }, /* bits to come are no fault */
	};

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct make m = { .product = SNP_GENOA, .version = 3 };
		struct made d;

		make(&d, &m);
		d.report[cases[i].offset] = (uint8_t)cases[i].value;
		sign_report(&d);
		judged(&d, "", false, cases[i].status, cases[i].field, cases[i].code);
		unmake(&d);
	}
}

static void a_masked_chip_is_open(void **state)
{
	const struct make m = { .product = SNP_GENOA, .version = 3, .mask = true };
	struct made d;

	make(&d, &m);
	judged(&d, "", false, ATTEST_INCOMPLETE, "snp.chip", "masked");
	judged(&d, "\"deny_chips\":[]", false, ATTEST_INCOMPLETE, "snp.chip_list", "not-known");
	judged(&d, "\"chips\":[]", false, ATTEST_REJECTED, "snp.chip_list", "not-allowed");
	unmake(&d);
}

/* Launched under old firmware and updated since: the secrets of the launch were exposed to the old one. */
static void the_launch_counts_too(void **state)
{
	const struct make m = { .product = SNP_GENOA, .version = 3 };
	struct made d;

	make(&d, &m);
	judged(&d, "\"minimum_tcb\":{\"genoa\":{\"microcode\":200}}", false, ATTEST_AFFIRMING, "snp.minimum_tcb", "reached");
	d.report[0x1f7] = 255; /* a launch under newer firmware does not make up for what is reported */
	sign_report(&d);
	judged(&d, "\"minimum_tcb\":{\"genoa\":{\"microcode\":201}}", false, ATTEST_REJECTED, "snp.minimum_tcb", "below");
	d.report[0x1f7] = 199;
	sign_report(&d);
	judged(&d, "\"minimum_tcb\":{\"genoa\":{\"microcode\":200}}", false, ATTEST_REJECTED, "snp.minimum_tcb", "below");
	unmake(&d);
}

/* The ABI that the guest demands compares as major and minor, not each alone. */
static void the_demanded_abi(void **state)
{
	static const struct {
		const char *policy;
		bool good;
	} cases[] = {
		{ "\"min_abi_minor\":9", true }, { "\"min_abi_major\":1", true }, { "\"min_abi_major\":1,\"min_abi_minor\":5", true },
		{ "\"min_abi_major\":1,\"min_abi_minor\":6", false }, { "\"min_abi_major\":2", false },
	};
	const struct make m = { .product = SNP_GENOA, .version = 3 };
	struct made d;

	make(&d, &m);
	d.report[8] = 5;
	d.report[9] = 1;
	sign_report(&d);
	judged(&d, "", false, ATTEST_AFFIRMING, "snp.abi", "no-expectation");
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++)
		judged(&d, cases[i].policy, false, cases[i].good ? ATTEST_AFFIRMING : ATTEST_REJECTED, "snp.abi", "demanded-abi");
	unmake(&d);
}

static void row(struct buf *b, const uint8_t guid[16], uint32_t offset, uint32_t length)
{
	assert_int_equal(buf_append(b, guid, 16), 0);
	assert_int_equal(buf_append(b, &offset, 4), 0);
	assert_int_equal(buf_append(b, &length, 4), 0);
}

/* The table that the kernel gives: rows, a row of zeros, certificates. */
static void tables_are_read_inside_their_bounds(void **state)
{
	static const uint8_t vcek[16] = { 0x8d, 0x75, 0xda, 0x63, 0x64, 0xe6, 0x64, 0x45, 0xad, 0xc5, 0xf4, 0xb9, 0x3b, 0xe8, 0xac, 0xcd };
	static const uint8_t unknown[16] = { 1 }, zero[16];
	const struct make m = { .product = SNP_GENOA, .version = 3 };
	struct buf der = { 0 };
	struct made d;

	make(&d, &m);
	pki_der(d.leaf, &der);
	for (unsigned i = 0; i < 6; i++) {
		_cleanup_certs_ struct x509_certs c = { 0 };
		_cleanup_buf_ struct buf t = { 0 };
		const uint32_t n = (uint32_t)buf_len(&der), at = 4 * 24;

		row(&t, unknown, 3, 17); /* no certificate, and none of ours */
		row(&t, vcek, at, i == 1 ? n + 1 : i == 2 ? UINT32_MAX : i == 3 ? n - 1 : n);
		row(&t, vcek, i == 4 ? at + n + 1 : 0, 0); /* an empty one */
		row(&t, i == 5 ? unknown : zero, 0, 0);
		assert_int_equal(buf_append(&t, buf_span(&der).p, n), 0);
		if (i == 5) /* no end, and no room for another row */
			t.end = t.start + at + 8;
		assert_int_equal(snp_certs_add(&c, buf_span(&t)), i == 0 ? 0 : -EBADMSG);
		assert_int_equal(c.n, i == 0);
	}
	buf_done(&der);
	unmake(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_evidence_of_every_kind),
		cmocka_unit_test(keys_must_hang_where_they_belong),
		cmocka_unit_test(two_leaves_are_ambiguous),
		cmocka_unit_test(a_leaf_on_another_curve_is_refused),
		cmocka_unit_test(what_is_compared_must_be_there),
		cmocka_unit_test(a_revoked_authority_is_refused),
		cmocka_unit_test(signed_content_is_judged),
		cmocka_unit_test(a_masked_chip_is_open),
		cmocka_unit_test(the_launch_counts_too),
		cmocka_unit_test(the_demanded_abi),
		cmocka_unit_test(tables_are_read_inside_their_bounds),
	};

	return cmocka_run_group_tests(tests, make_pki, drop_pki);
}
