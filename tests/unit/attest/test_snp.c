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
#include "tests/unit/attest/pki.h"
#include "user/base/cleanup.h"

#define OID "1.3.6.1.4.1.3704.1."

/* One hierarchy for each product, made once: RSA keys take their time. */
static struct {
	EVP_PKEY *ark_key, *ask_key, *asvk_key, *old_ask_key, *leaf_key;
	X509 *ark, *ask, *asvk, *old_ask;
	struct x509_certs roots;
} pki[SNP_PRODUCTS];

static const char *const names[SNP_PRODUCTS] = { "Milan", "Genoa", "Turin" };

static int make_pki(void **state)
{
	/* Authorities of all products may share keys: names tell them apart, and that is what is tested. */
	EVP_PKEY *keys[4] = { pki_rsa(), pki_rsa(), pki_rsa(), pki_rsa() };

	for (unsigned p = 0; p < SNP_PRODUCTS; p++) {
		char ark[32], ask[32], asvk[32];

		(void)snprintf(ark, sizeof(ark), "ARK-%s", names[p]);
		(void)snprintf(ask, sizeof(ask), "SEV-%s", names[p]);
		(void)snprintf(asvk, sizeof(asvk), "SEV-VLEK-%s", names[p]);
		pki[p].ark_key = keys[0];
		pki[p].ask_key = keys[1];
		pki[p].asvk_key = keys[2];
		pki[p].old_ask_key = keys[3];
		pki[p].leaf_key = pki_ec("P-384");
		pki[p].ark = pki_signed(pki_cert(ark, keys[0], NULL, 1, true, true), keys[0], PKI_PSS_SHA384);
		pki[p].ask = pki_signed(pki_cert(ask, keys[1], pki[p].ark, 2, true, true), keys[0], PKI_PSS_SHA384);
		pki[p].asvk = pki_signed(pki_cert(asvk, keys[2], pki[p].ark, 3, true, true), keys[0], PKI_PSS_SHA384);
		pki[p].old_ask = pki_signed(pki_cert(ask, keys[3], pki[p].ark, 4, true, true), keys[0], PKI_PSS_SHA384);
		assert_int_equal(x509_certs_ref(&pki[p].roots, pki[p].ark), 0);
	}
	return 0;
}

static int drop_pki(void **state)
{
	EVP_PKEY_free(pki[0].ark_key);
	EVP_PKEY_free(pki[0].ask_key);
	EVP_PKEY_free(pki[0].asvk_key);
	EVP_PKEY_free(pki[0].old_ask_key);
	for (unsigned p = 0; p < SNP_PRODUCTS; p++) {
		X509_free(pki[p].ark);
		X509_free(pki[p].ask);
		X509_free(pki[p].asvk);
		X509_free(pki[p].old_ask);
		EVP_PKEY_free(pki[p].leaf_key);
		x509_certs_done(&pki[p].roots);
	}
	return 0;
}

/* What may differ from a good case. */
struct make {
	enum snp_product product;
	enum snp_key key;
	unsigned version;
	const char *cn; /* of the leaf; NULL as the key demands */
	X509 *issuer; /* NULL: the right one */
	EVP_PKEY *issuer_key;
	const char *skip; /* an extension to leave out, without its prefix */
	const char *twice; /* one to give twice */
	bool wrapped_hwid;
	uint8_t hwid_first;
	enum pki_sign sign;
	EVP_PKEY *leaf_key;
	bool mask;
	int spl_reserved; /* value of reserved component .3.5 */
	bool expired;
	bool vlek_hwid, bad_csp, no_csp;
};

struct made {
	uint8_t report[SNP_REPORT_SIZE];
	X509 *leaf, *issuer;
	EVP_PKEY *key;
	struct buf certs, crl;
	enum snp_product product;
};

static const uint8_t tcb_of[SNP_PRODUCTS][8] = {
	{ 4, 1, 0, 0, 0, 0, 24, 219 }, { 10, 0, 0, 0, 0, 0, 27, 200 }, { 1, 2, 3, 4, 0, 0, 0, 81 },
};

static void integer(X509 *x, const struct make *m, const char *last, unsigned v)
{
	uint8_t der[4] = { 2, 1, (uint8_t)v };
	char oid[64];

	if (m->skip && strcmp(m->skip, last) == 0)
		return;
	if (v >= 128)
		memcpy(der, (uint8_t[]){ 2, 2, 0, (uint8_t)v }, 4);
	(void)snprintf(oid, sizeof(oid), OID "%s", last);
	pki_raw_ext(x, oid, der, v >= 128 ? 4 : 3);
	if (m->twice && strcmp(m->twice, last) == 0)
		pki_raw_ext(x, oid, der, v >= 128 ? 4 : 3);
}

static void add_extensions(X509 *x, const struct make *m)
{
	const uint8_t *t = tcb_of[m->product];
	bool turin = m->product == SNP_TURIN;
	uint8_t hwid[66] = { 4, 64 };
	size_t size = turin ? 8 : 64;
	char name[16];

	integer(x, m, "1", 0);
	(void)snprintf(name, sizeof(name), "\x16%c%s", (int)strlen(names[m->product]), names[m->product]);
	if (!m->skip || strcmp(m->skip, "2") != 0)
		pki_raw_ext(x, OID "2", name, strlen(name));
	integer(x, m, "3.1", t[turin ? 1 : 0]);
	integer(x, m, "3.2", t[turin ? 2 : 1]);
	integer(x, m, "3.3", t[turin ? 3 : 6]);
	integer(x, m, "3.5", (unsigned)m->spl_reserved);
	integer(x, m, "3.8", t[7]);
	if (turin)
		integer(x, m, "3.9", t[0]);
	memset(hwid + 2, 0xc1, size);
	hwid[1] = (uint8_t)size;
	hwid[2] = m->hwid_first;
	if ((m->key == SNP_KEY_VCEK || m->vlek_hwid) && (!m->skip || strcmp(m->skip, "4") != 0))
		pki_raw_ext(x, OID "4", m->wrapped_hwid ? hwid : hwid + 2, m->wrapped_hwid ? size + 2 : size);
	if (m->key == SNP_KEY_VLEK && !m->no_csp)
		pki_raw_ext(x, OID "5", m->bad_csp ? "\x16\x05test" : "\x16\x04test", 6);
}

static void put_le(uint8_t *p, uint64_t v, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		p[i] = (uint8_t)(v >> (8 * i));
}

/* Signs what the report holds now. */
static void sign_report(struct made *d)
{
	uint8_t sig[96];

	pki_raw_sign(d->key, EVP_sha384(), d->report, SNP_SIGNED_SIZE, sig, 48);
	memset(d->report + SNP_SIGNED_SIZE, 0, 512);
	for (unsigned i = 0; i < 48; i++) {
		d->report[SNP_SIGNED_SIZE + i] = sig[47 - i];
		d->report[SNP_SIGNED_SIZE + 72 + i] = sig[95 - i];
	}
}

static void fill_report(struct made *d, const struct make *m)
{
	static const uint8_t fms[SNP_PRODUCTS][3] = { { 0x19, 1, 1 }, { 0x19, 0x11, 1 }, { 0x1a, 2, 1 } };
	uint8_t *r = d->report;

	put_le(r, m->version, 4);
	put_le(r + 0x08, 0x30000, 8);
	put_le(r + 0x34, 1, 4);
	put_le(r + 0x48, (uint64_t)m->key << 2 | (m->mask ? 2 : 0), 4);
	memset(r + 0x50, 0xda, 64);
	memset(r + 0x90, 0x3e, 48);
	memcpy(r + 0x38, tcb_of[m->product], 8); /* current */
	memcpy(r + 0x180, tcb_of[m->product], 8); /* reported */
	memcpy(r + 0x1e0, tcb_of[m->product], 8); /* committed */
	memcpy(r + 0x1f0, tcb_of[m->product], 8); /* launch */
	if (m->version >= 3)
		memcpy(r + 0x188, fms[m->product], 3);
	if (m->key == SNP_KEY_VCEK && !m->mask) {
		memset(r + 0x1a0, 0xc1, m->product == SNP_TURIN ? 8 : 64);
		r[0x1a0] = m->hwid_first;
	}
	sign_report(d);
}

static void make(struct made *d, const struct make *m)
{
	bool vlek = m->key == SNP_KEY_VLEK;
	X509 *right = vlek ? pki[m->product].asvk : pki[m->product].ask;
	EVP_PKEY *right_key = vlek ? pki[m->product].asvk_key : pki[m->product].ask_key;

	*d = (struct made){ .product = m->product };
	d->key = m->leaf_key ? m->leaf_key : pki[m->product].leaf_key;
	d->issuer = m->issuer ? m->issuer : right;
	d->leaf = pki_cert(m->cn ? m->cn : vlek ? "SEV-VLEK" : "SEV-VCEK", d->key, d->issuer, 0, false, false);
	add_extensions(d->leaf, m);
	if (m->expired)
		ASN1_TIME_set(X509_getm_notAfter(d->leaf), PKI_NOW - PKI_DAY);
	pki_signed(d->leaf, m->issuer_key ? m->issuer_key : right_key, m->sign ? m->sign : PKI_PSS_SHA384);
	if (EVP_PKEY_get_bits(d->key) == 384)
		fill_report(d, m);
	pki_pem(d->leaf, &d->certs);
	pki_pem(d->issuer, &d->certs);
}

static void unmake(struct made *d)
{
	X509_free(d->leaf);
	buf_done(&d->certs);
	buf_done(&d->crl);
}

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
