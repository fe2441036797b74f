/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_TEST_PKI_H
#define TOLLGATE_TEST_PKI_H

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <string.h>

#include "user/base/buf.h"

/* Certificate authorities of our own, for evidence that stands alone. Include after cmocka.h. */
#define PKI_NOW 1750000000 /* 2025-06-15 */
#define PKI_DAY 86400

enum pki_sign {
	PKI_ECDSA_SHA256,
	PKI_PSS_SHA384, /* as AMD signs */
	PKI_PSS_SHA256,
};

static inline EVP_PKEY *pki_ec(const char *curve)
{
	EVP_PKEY *k = EVP_EC_gen(curve);

	assert_non_null(k);
	return k;
}

static inline EVP_PKEY *pki_rsa(void)
{
	EVP_PKEY *k = EVP_RSA_gen(2048);

	assert_non_null(k);
	return k;
}

static inline void pki_sign_init(EVP_MD_CTX *ctx, EVP_PKEY *key, enum pki_sign how)
{
	EVP_PKEY_CTX *pk = NULL;

	assert_int_equal(EVP_DigestSignInit(ctx, &pk, how == PKI_PSS_SHA384 ? EVP_sha384() : EVP_sha256(), NULL, key), 1);
	if (how != PKI_ECDSA_SHA256) {
		assert_int_equal(EVP_PKEY_CTX_set_rsa_padding(pk, RSA_PKCS1_PSS_PADDING), 1);
		assert_int_equal(EVP_PKEY_CTX_set_rsa_pss_saltlen(pk, RSA_PSS_SALTLEN_DIGEST), 1);
	}
}

static inline X509_NAME *pki_name(const char *cn)
{
	X509_NAME *n = X509_NAME_new();

	assert_int_equal(X509_NAME_add_entry_by_txt(n, "O", MBSTRING_ASC, (const unsigned char *)"Test", -1, -1, 0), 1);
	assert_int_equal(X509_NAME_add_entry_by_txt(n, "CN", MBSTRING_ASC, (const unsigned char *)cn, -1, -1, 0), 1);
	return n;
}

static inline void pki_raw_ext(X509 *x, const char *oid, const void *p, size_t n)
{
	ASN1_OBJECT *o = OBJ_txt2obj(oid, 1);
	ASN1_OCTET_STRING *s = ASN1_OCTET_STRING_new();
	X509_EXTENSION *e;

	assert_int_equal(ASN1_OCTET_STRING_set(s, p, (int)n), 1);
	e = X509_EXTENSION_create_by_OBJ(NULL, o, 0, s);
	assert_int_equal(X509_add_ext(x, e, -1), 1);
	X509_EXTENSION_free(e);
	ASN1_OCTET_STRING_free(s);
	ASN1_OBJECT_free(o);
}

static inline void pki_ext(X509 *x, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509_EXTENSION *e;

	X509V3_set_ctx(&ctx, issuer ? issuer : x, x, NULL, NULL, 0);
	e = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	assert_non_null(e);
	assert_int_equal(X509_add_ext(x, e, -1), 1);
	X509_EXTENSION_free(e);
}

/* An unsigned certificate, valid for a year around PKI_NOW. issuer NULL: by itself. */
static inline X509 *pki_cert(const char *cn, EVP_PKEY *key, X509 *issuer, long serial, bool ca, bool key_ids)
{
	X509_NAME *name = pki_name(cn);
	X509 *x = X509_new();

	assert_int_equal(X509_set_version(x, 2), 1);
	assert_int_equal(ASN1_INTEGER_set(X509_get_serialNumber(x), serial), 1);
	assert_int_equal(X509_set_subject_name(x, name), 1);
	assert_int_equal(X509_set_issuer_name(x, issuer ? X509_get_subject_name(issuer) : name), 1);
	ASN1_TIME_set(X509_getm_notBefore(x), PKI_NOW - 180 * PKI_DAY);
	ASN1_TIME_set(X509_getm_notAfter(x), PKI_NOW + 180 * PKI_DAY);
	assert_int_equal(X509_set_pubkey(x, key), 1);
	if (key_ids)
		pki_ext(x, NULL, NID_subject_key_identifier, "hash");
	if (key_ids)
		pki_ext(x, issuer, NID_authority_key_identifier, "keyid:always");
	if (ca) {
		pki_ext(x, NULL, NID_basic_constraints, "critical,CA:TRUE");
		pki_ext(x, NULL, NID_key_usage, "critical,keyCertSign,cRLSign");
	} else if (key_ids) {
		pki_ext(x, NULL, NID_basic_constraints, "critical,CA:FALSE");
		pki_ext(x, NULL, NID_key_usage, "critical,digitalSignature");
	}
	X509_NAME_free(name);
	return x;
}

static inline X509 *pki_signed(X509 *x, EVP_PKEY *key, enum pki_sign how)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();

	pki_sign_init(ctx, key, how);
	assert_true(X509_sign_ctx(x, ctx) > 0);
	EVP_MD_CTX_free(ctx);
	return x;
}

/* A revocation list of a month around PKI_NOW with one serial, or none when negative. */
static inline X509_CRL *pki_crl(X509 *issuer, EVP_PKEY *key, enum pki_sign how, long serial, bool key_ids)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	ASN1_TIME *t = ASN1_TIME_set(NULL, PKI_NOW - 15 * PKI_DAY);
	X509_CRL *c = X509_CRL_new();

	assert_int_equal(X509_CRL_set_version(c, 1), 1);
	assert_int_equal(X509_CRL_set_issuer_name(c, X509_get_subject_name(issuer)), 1);
	assert_int_equal(X509_CRL_set1_lastUpdate(c, t), 1);
	if (serial >= 0) {
		X509_REVOKED *r = X509_REVOKED_new();
		ASN1_INTEGER *s = ASN1_INTEGER_new();

		assert_int_equal(ASN1_INTEGER_set(s, serial), 1);
		assert_int_equal(X509_REVOKED_set_serialNumber(r, s), 1);
		assert_int_equal(X509_REVOKED_set_revocationDate(r, t), 1);
		assert_int_equal(X509_CRL_add0_revoked(c, r), 1);
		ASN1_INTEGER_free(s);
	}
	assert_non_null(ASN1_TIME_set(t, PKI_NOW + 15 * PKI_DAY));
	assert_int_equal(X509_CRL_set1_nextUpdate(c, t), 1);
	if (key_ids) {
		ASN1_INTEGER *number = ASN1_INTEGER_new();
		X509_EXTENSION *e;
		X509V3_CTX v3;

		assert_int_equal(ASN1_INTEGER_set(number, 1), 1);
		assert_int_equal(X509_CRL_add1_ext_i2d(c, NID_crl_number, number, 0, 0), 1);
		X509V3_set_ctx(&v3, issuer, NULL, NULL, c, 0);
		e = X509V3_EXT_conf_nid(NULL, &v3, NID_authority_key_identifier, "keyid:always");
		assert_int_equal(X509_CRL_add_ext(c, e, -1), 1);
		X509_EXTENSION_free(e);
		ASN1_INTEGER_free(number);
	}
	pki_sign_init(ctx, key, how);
	assert_true(X509_CRL_sign_ctx(c, ctx) > 0);
	EVP_MD_CTX_free(ctx);
	ASN1_TIME_free(t);
	return c;
}

static inline void pki_der(X509 *x, struct buf *out)
{
	unsigned char *der = NULL;
	int n = i2d_X509(x, &der);

	assert_true(n > 0);
	assert_int_equal(buf_append(out, der, (size_t)n), 0);
	OPENSSL_free(der);
}

static inline void pki_crl_der(X509_CRL *x, struct buf *out)
{
	unsigned char *der = NULL;
	int n = i2d_X509_CRL(x, &der);

	assert_true(n > 0);
	assert_int_equal(buf_append(out, der, (size_t)n), 0);
	OPENSSL_free(der);
}

static inline void pki_pem(X509 *x, struct buf *out)
{
	BIO *b = BIO_new(BIO_s_mem());
	char *p;
	long n;

	assert_int_equal(PEM_write_bio_X509(b, x), 1);
	n = BIO_get_mem_data(b, &p);
	assert_int_equal(buf_append(out, p, (size_t)n), 0);
	BIO_free(b);
}

/* An ECDSA signature as two big-endian numbers of n bytes. */
static inline void pki_raw_sign(EVP_PKEY *key, const EVP_MD *md, const void *p, size_t len, uint8_t *ret, int n)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	unsigned char der[256];
	const unsigned char *d = der;
	size_t size = sizeof(der);
	ECDSA_SIG *sig;

	assert_int_equal(EVP_DigestSignInit(ctx, NULL, md, NULL, key), 1);
	assert_int_equal(EVP_DigestSign(ctx, der, &size, p, len), 1);
	sig = d2i_ECDSA_SIG(NULL, &d, (long)size);
	assert_non_null(sig);
	assert_int_equal(BN_bn2binpad(ECDSA_SIG_get0_r(sig), ret, n), n);
	assert_int_equal(BN_bn2binpad(ECDSA_SIG_get0_s(sig), ret + n, n), n);
	ECDSA_SIG_free(sig);
	EVP_MD_CTX_free(ctx);
}

#endif
