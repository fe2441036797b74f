/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_TEST_TPM_MAKER_H
#define TOLLGATE_TEST_TPM_MAKER_H

/* Builds what a TPM would sign, with keys of OpenSSL: so that a lie can be signed validly too. */

#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <stdint.h>

#include "attest/tpm_attest.h"
#include "attest/tpm_public.h"
#include "user/base/buf.h"

#define MAKER_AK 0x00050072u /* an attestation key's attributes */

static inline void be(struct buf *b, uint64_t v, unsigned n)
{
	for (unsigned i = n; i > 0; i--) {
		uint8_t c = (uint8_t)(v >> (8 * (i - 1)));

		assert_int_equal(buf_append(b, &c, 1), 0);
	}
}

static inline void be_lp(struct buf *b, struct span s)
{
	be(b, s.n, 2);
	assert_int_equal(buf_append(b, s.p, s.n), 0);
}

/* TPMT_PUBLIC of a P-256 or RSA key. */
static inline void make_public(struct buf *b, EVP_PKEY *key, uint32_t attributes, uint16_t scheme)
{
	bool rsa = EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA;
	uint8_t point[65], n[512];
	BIGNUM *bn = NULL;
	size_t len;

	be(b, rsa ? TPM_ALG_RSA : TPM_ALG_ECC, 2);
	be(b, TPM_HASH_SHA256, 2);
	be(b, attributes, 4);
	be(b, 0, 2); /* no policy */
	be(b, TPM_ALG_NULL, 2);
	be(b, scheme, 2);
	if (scheme != TPM_ALG_NULL)
		be(b, TPM_HASH_SHA256, 2);
	if (rsa) {
		be(b, 2048, 2);
		be(b, 0, 4);
		assert_int_equal(EVP_PKEY_get_bn_param(key, "n", &bn), 1);
		be_lp(b, (struct span){ (char *)n, (size_t)BN_bn2bin(bn, n) });
		BN_free(bn);
		return;
	}
	be(b, 3, 2);
	be(b, TPM_ALG_NULL, 2);
	assert_int_equal(EVP_PKEY_get_octet_string_param(key, "encoded-pub-key", point, sizeof(point), &len), 1);
	assert_int_equal(len, 65);
	be_lp(b, (struct span){ (char *)point + 1, 32 });
	be_lp(b, (struct span){ (char *)point + 33, 32 });
}

static inline void make_head(struct buf *b, uint32_t magic, uint16_t type, struct span extra)
{
	be(b, magic, 4);
	be(b, type, 2);
	be_lp(b, SPAN("signer"));
	be_lp(b, extra);
	be(b, 1000, 8);
	be(b, 7, 4); /* resets */
	be(b, 1, 4);
	be(b, 1, 1);
	be(b, 0x2020000000000001u, 8);
}

static inline void make_selection(struct buf *b, uint16_t alg, uint32_t mask)
{
	be(b, alg, 2);
	be(b, 3, 1);
	for (unsigned i = 0; i < 3; i++)
		be(b, mask >> (8 * i) & 0xff, 1);
}

/* TPMT_SIGNATURE over data. */
static inline void make_signature(struct buf *b, EVP_PKEY *key, struct span data, uint16_t scheme)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	EVP_PKEY_CTX *pctx;
	uint8_t sig[512], half[32];
	size_t n = sizeof(sig);

	assert_int_equal(EVP_DigestSignInit(ctx, &pctx, EVP_sha256(), NULL, key), 1);
	if (scheme == TPM_ALG_RSAPSS)
		assert_true(EVP_PKEY_CTX_set_rsa_padding(pctx, RSA_PKCS1_PSS_PADDING) > 0);
	assert_int_equal(EVP_DigestSign(ctx, sig, &n, (const uint8_t *)data.p, data.n), 1);
	EVP_MD_CTX_free(ctx);
	be(b, scheme, 2);
	be(b, TPM_HASH_SHA256, 2);
	if (scheme == TPM_ALG_ECDSA) {
		const uint8_t *p = sig;
		ECDSA_SIG *e = d2i_ECDSA_SIG(NULL, &p, (long)n);

		BN_bn2binpad(ECDSA_SIG_get0_r(e), half, 32);
		be_lp(b, (struct span){ (char *)half, 32 });
		BN_bn2binpad(ECDSA_SIG_get0_s(e), half, 32);
		be_lp(b, (struct span){ (char *)half, 32 });
		ECDSA_SIG_free(e);
	} else {
		be_lp(b, (struct span){ (char *)sig, n });
	}
}

#endif
