/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_TEST_SNP_MAKER_H
#define TOLLGATE_TEST_SNP_MAKER_H

/* SEV-SNP reports and certificates with authorities of our own. Include after cmocka.h. */
#include <stdio.h>
#include <string.h>

#include "attest/snp_cert.h"
#include "tests/unit/attest/pki.h"

#define OID "1.3.6.1.4.1.3704.1."

/* One hierarchy for each product, made once: RSA keys take their time. */
static struct {
	EVP_PKEY *ark_key, *ask_key, *asvk_key, *old_ask_key, *leaf_key;
	X509 *ark, *ask, *asvk, *old_ask;
	struct x509_certs roots;
} pki[SNP_PRODUCTS];

static const char *const names[SNP_PRODUCTS] = { "Milan", "Genoa", "Turin" };

static inline int make_pki(void **state)
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

static inline int drop_pki(void **state)
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

static inline void integer(X509 *x, const struct make *m, const char *last, unsigned v)
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

static inline void add_extensions(X509 *x, const struct make *m)
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

static inline void put_le(uint8_t *p, uint64_t v, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		p[i] = (uint8_t)(v >> (8 * i));
}

/* Signs what the report holds now. */
static inline void sign_report(struct made *d)
{
	uint8_t sig[96];

	pki_raw_sign(d->key, EVP_sha384(), d->report, SNP_SIGNED_SIZE, sig, 48);
	memset(d->report + SNP_SIGNED_SIZE, 0, 512);
	for (unsigned i = 0; i < 48; i++) {
		d->report[SNP_SIGNED_SIZE + i] = sig[47 - i];
		d->report[SNP_SIGNED_SIZE + 72 + i] = sig[95 - i];
	}
}

static inline void fill_report(struct made *d, const struct make *m)
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

static inline void make(struct made *d, const struct make *m)
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

static inline void unmake(struct made *d)
{
	X509_free(d->leaf);
	buf_done(&d->certs);
	buf_done(&d->crl);
}

#endif
