// SPDX-License-Identifier: Apache-2.0
/*
 * Signatures as a TPM writes them.
 */
#include "attest/tpm_signature.h"

#include <errno.h>
#include <openssl/ecdsa.h>
#include <openssl/rsa.h>

#include "attest/bytes.h"
#include "user/base/cleanup.h"

DEFINE_CLEANUP(EVP_MD_CTX *, EVP_MD_CTX_free)
DEFINE_CLEANUP(ECDSA_SIG *, ECDSA_SIG_free)

static bool hash_allowed(uint16_t alg)
{
	return alg == TPM_HASH_SHA256 || alg == TPM_HASH_SHA384 || alg == TPM_HASH_SHA512;
}

int tpm_signature_parse(struct span bytes, const EVP_PKEY *key, struct tpm_signature *ret)
{
	struct bytes b = bytes_of(bytes);
	struct tpm_signature s = { 0 };

	if (bytes.n > TPM_SIGNATURE_MAX)
		return -EBADMSG;
	if (EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA && bytes.n == (size_t)EVP_PKEY_get_size(key)) {
		*ret = (struct tpm_signature){ TPM_ALG_RSASSA, TPM_HASH_SHA256, true, .rsa = bytes };
		return 0;
	}
	s.scheme = bytes_u16be(&b);
	s.hash = bytes_u16be(&b);
	switch (s.scheme) {
	case TPM_ALG_RSASSA:
	case TPM_ALG_RSAPSS:
		s.rsa = bytes_lp16be(&b);
		break;
	case TPM_ALG_ECDSA:
		s.r = bytes_lp16be(&b);
		s.s = bytes_lp16be(&b);
		break;
	default:
		return b.failed ? -EBADMSG : -EOPNOTSUPP;
	}
	if (bytes_end(&b) < 0)
		return -EBADMSG;
	if (!hash_allowed(s.hash))
		return -EOPNOTSUPP;
	*ret = s;
	return 0;
}

/* OpenSSL wants r and s as DER. */
static int ecdsa_der(const struct tpm_signature *sig, uint8_t **ret, size_t *ret_n)
{
	_cleanup_(ECDSA_SIG_free_p) ECDSA_SIG *pair = ECDSA_SIG_new();
	BIGNUM *r = BN_bin2bn((const uint8_t *)sig->r.p, (int)sig->r.n, NULL);
	BIGNUM *s = BN_bin2bn((const uint8_t *)sig->s.p, (int)sig->s.n, NULL);
	int n;

	if (!pair || !r || !s || !ECDSA_SIG_set0(pair, r, s)) {
		BN_free(r);
		BN_free(s);
		return -ENOMEM;
	}
	n = i2d_ECDSA_SIG(pair, ret);
	if (n <= 0)
		return -ENOMEM;
	*ret_n = (size_t)n;
	return 0;
}

static int verify(const struct tpm_signature *sig, EVP_PKEY *key, struct span data, struct span bytes)
{
	_cleanup_(EVP_MD_CTX_free_p) EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	EVP_PKEY_CTX *pctx; /* owned by ctx */

	if (!ctx || EVP_DigestVerifyInit(ctx, &pctx, tpm_hash_md(sig->hash), NULL, key) <= 0)
		return -ENOMEM;
	/* Which salt length a TPM uses differs with its age (FIPS 186-4 or the longest that fits). */
	if (sig->scheme == TPM_ALG_RSAPSS &&
	    (EVP_PKEY_CTX_set_rsa_padding(pctx, RSA_PKCS1_PSS_PADDING) <= 0 ||
	     EVP_PKEY_CTX_set_rsa_pss_saltlen(pctx, RSA_PSS_SALTLEN_AUTO) <= 0))
		return -ENOMEM;
	return EVP_DigestVerify(ctx, (const uint8_t *)bytes.p, bytes.n, (const uint8_t *)data.p, data.n) == 1 ?
		       0 : -EKEYREJECTED;
}

int tpm_signature_verify(const struct tpm_signature *sig, EVP_PKEY *key, struct span data)
{
	const int type = EVP_PKEY_get_base_id(key);
	uint8_t *der = NULL;
	struct span bytes = sig->rsa;
	int r;

	if (type != (sig->scheme == TPM_ALG_ECDSA ? EVP_PKEY_EC : EVP_PKEY_RSA) || !hash_allowed(sig->hash))
		return -EKEYREJECTED;
	if (sig->scheme == TPM_ALG_ECDSA) {
		r = ecdsa_der(sig, &der, &bytes.n);
		if (r < 0)
			return r;
		bytes.p = (const char *)der;
	}
	r = verify(sig, key, data, bytes);
	OPENSSL_free(der);
	return r;
}
