// SPDX-License-Identifier: Apache-2.0
/*
 * Parts of certificates, and signatures in the raw form in which hardware writes them.
 */
#include "attest/x509.h"

#include <errno.h>
#include <limits.h>
#include <openssl/asn1.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/objects.h>
#include <stdio.h>
#include <string.h>


static struct span only_cn(const X509_NAME *name)
{
	int i = X509_NAME_get_index_by_NID((X509_NAME *)name, NID_commonName, -1);
	const ASN1_STRING *s;

	if (i < 0 || X509_NAME_get_index_by_NID((X509_NAME *)name, NID_commonName, i) >= 0)
		return (struct span){ 0 };
	s = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, i));
	return (struct span){ (const char *)ASN1_STRING_get0_data(s),
			      (size_t)ASN1_STRING_length(s) };
}

bool x509_cn_is(const X509_NAME *name, const char *cn)
{
	return span_is(only_cn(name), cn);
}

const char *x509_cn(const X509_NAME *name, char *ret, size_t size)
{
	struct span cn = only_cn(name);

	if (cn.n == 0)
		cn = SPAN("?");
	(void)snprintf(ret, size, "%.*s", (int)(cn.n < 64 ? cn.n : 64), cn.p);
	return ret;
}

int x509_extension(const X509 *cert, const char *oid, struct span *ret)
{
	ASN1_OBJECT *o = OBJ_txt2obj(oid, 1);
	int i, r = 0;

	if (!o)
		return -ENOMEM;
	i = X509_get_ext_by_OBJ(cert, o, -1);
	if (i < 0) {
		r = -ENOENT;
	} else if (X509_get_ext_by_OBJ(cert, o, i) >= 0) {
		r = -EBADMSG;
	} else {
		const ASN1_OCTET_STRING *s = X509_EXTENSION_get_data(X509_get_ext(cert, i));

		*ret = (struct span){ (const char *)ASN1_STRING_get0_data(s),
				      (size_t)ASN1_STRING_length(s) };
	}
	ASN1_OBJECT_free(o);
	return r;
}

int x509_der_trim(struct span bytes, struct span *ret)
{
	const unsigned char *p = (const unsigned char *)bytes.p;
	int tag, class;
	struct span tail;
	long n;
	int r;

	if (bytes.n == 0 || bytes.n > LONG_MAX)
		return -EBADMSG;
	r = ASN1_get_object(&p, &n, &tag, &class, (long)bytes.n);
	ERR_clear_error();
	if ((r & 0x80) || (r & 1) || tag != V_ASN1_SEQUENCE || n < 0)
		return -EBADMSG;
	*ret = (struct span){ bytes.p, (size_t)((const char *)p - bytes.p) + (size_t)n };
	tail = (struct span){ bytes.p + ret->n, bytes.n - ret->n };
	for (size_t i = 0; i < tail.n; i++)
		if (tail.p[i] != tail.p[0] || (tail.p[0] != 0 && (uint8_t)tail.p[0] != 0xff))
			return -EBADMSG;
	return 0;
}

bool x509_key_is_ec(EVP_PKEY *key, int nid)
{
	char group[64];
	size_t n = 0;

	return key && EVP_PKEY_is_a(key, "EC") &&
	       EVP_PKEY_get_group_name(key, group, sizeof(group), &n) == 1 &&
	       OBJ_txt2nid(group) == nid;
}

static ECDSA_SIG *make_sig(const uint8_t *r, const uint8_t *s, size_t n)
{
	ECDSA_SIG *sig = ECDSA_SIG_new();
	BIGNUM *br = BN_bin2bn(r, (int)n, NULL), *bs = BN_bin2bn(s, (int)n, NULL);

	if (sig && br && bs && ECDSA_SIG_set0(sig, br, bs) == 1)
		return sig;
	BN_free(br);
	BN_free(bs);
	ECDSA_SIG_free(sig);
	return NULL;
}

int x509_ecdsa_verify(EVP_PKEY *key, const EVP_MD *md, struct span data, const uint8_t *r,
		      const uint8_t *s, size_t n)
{
	ECDSA_SIG *sig = n <= 256 ? make_sig(r, s, n) : NULL;
	unsigned char *der = NULL;
	int len = sig ? i2d_ECDSA_SIG(sig, &der) : -1;
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	int ret = -ENOMEM;

	if (ctx && len > 0)
		ret = EVP_DigestVerifyInit(ctx, NULL, md, NULL, key) == 1 &&
				      EVP_DigestVerify(ctx, der, (size_t)len,
						       (const unsigned char *)data.p, data.n) == 1 ?
			      0 :
			      -EKEYREJECTED;
	EVP_MD_CTX_free(ctx);
	OPENSSL_free(der);
	ECDSA_SIG_free(sig);
	ERR_clear_error();
	return ret;
}

int x509_p256_key(const uint8_t xy[64], EVP_PKEY **ret)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
	unsigned char point[65] = { POINT_CONVERSION_UNCOMPRESSED };
	EVP_PKEY *key = NULL;
	OSSL_PARAM params[] = {
		OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, (char *)"P-256", 5),
		OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_PUB_KEY, point, sizeof(point)),
		OSSL_PARAM_END,
	};
	int r = -EBADMSG;

	memcpy(point + 1, xy, 64);
	if (ctx && EVP_PKEY_fromdata_init(ctx) == 1 &&
	    EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY, params) == 1) {
		*ret = key;
		r = 0;
	}
	EVP_PKEY_CTX_free(ctx);
	ERR_clear_error();
	return r;
}
