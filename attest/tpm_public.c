// SPDX-License-Identifier: Apache-2.0
/*
 * Public areas of TPM objects: parsing, Name, and the key as OpenSSL's.
 */
#include "attest/tpm_public.h"

#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/param_build.h>
#include <openssl/x509.h>
#include <string.h>

#include "attest/bytes.h"
#include "user/base/cleanup.h"

#define RSA_BITS_MIN 2048
#define RSA_BITS_MAX 4096
#define EC_POINT_MAX (1 + 2 * 66) /* P-521, uncompressed */

DEFINE_CLEANUP(OSSL_PARAM_BLD *, OSSL_PARAM_BLD_free)
DEFINE_CLEANUP(OSSL_PARAM *, OSSL_PARAM_free)
DEFINE_CLEANUP(EVP_PKEY_CTX *, EVP_PKEY_CTX_free)
DEFINE_CLEANUP(EVP_PKEY *, EVP_PKEY_free)
DEFINE_CLEANUP(BIGNUM *, BN_free)

static const struct {
	uint16_t curve;
	uint16_t size;
	const char *name;
} curves[] = {
	{ 0x0003, 32, "prime256v1" },
	{ 0x0004, 48, "secp384r1" },
	{ 0x0005, 66, "secp521r1" },
};

/* Bare or with its length in front; a bare area begins with its type, never with its own length. */
static struct span unframed(struct span s)
{
	if (s.n >= 2 && ((size_t)(uint8_t)s.p[0] << 8 | (uint8_t)s.p[1]) == s.n - 2)
		return (struct span){ s.p + 2, s.n - 2 };
	return s;
}

/* TPMT_SYM_DEF_OBJECT */
static void read_symmetric(struct bytes *b)
{
	if (bytes_u16be(b) != TPM_ALG_NULL)
		(void)bytes_take(b, 4); /* key bits, mode */
}

/* TPMT_RSA_SCHEME or TPMT_ECC_SCHEME; every scheme but RSAES and ECDAA carries one hash. */
static void read_scheme(struct bytes *b, struct tpm_public *p)
{
	enum { RSAES = 0x0015, ECDAA = 0x001a };

	p->scheme = bytes_u16be(b);
	if (p->scheme == TPM_ALG_NULL || p->scheme == RSAES)
		return;
	p->scheme_hash = bytes_u16be(b);
	if (p->scheme == ECDAA)
		(void)bytes_u16be(b);
}

int tpm_public_parse(struct span bytes, struct tpm_public *ret)
{
	struct tpm_public p = { .bytes = unframed(bytes) };
	struct bytes b = bytes_of(p.bytes);

	if (bytes.n > TPM_PUBLIC_MAX)
		return -EBADMSG;
	p.type = bytes_u16be(&b);
	p.name_alg = bytes_u16be(&b);
	p.attributes = bytes_u32be(&b);
	p.policy = bytes_lp16be(&b);
	read_symmetric(&b);
	read_scheme(&b, &p);
	if (p.type == TPM_ALG_RSA) {
		p.bits = bytes_u16be(&b);
		p.exponent = bytes_u32be(&b);
		p.n = bytes_lp16be(&b);
	} else if (p.type == TPM_ALG_ECC) {
		p.curve = bytes_u16be(&b);
		if (bytes_u16be(&b) != TPM_ALG_NULL) /* key derivation */
			(void)bytes_u16be(&b);
		p.x = bytes_lp16be(&b);
		p.y = bytes_lp16be(&b);
	} else {
		return -EBADMSG;
	}
	if (bytes_end(&b) < 0)
		return -EBADMSG;
	*ret = p;
	return 0;
}

int tpm_name_of(uint16_t alg, struct span bytes, struct tpm_name *ret)
{
	struct tpm_name n = { .n = 2 + tpm_hash_size(alg) };

	if (n.n == 2 || tpm_hash(alg, &bytes, 1, n.bytes + 2) < 0)
		return -EBADMSG;
	n.bytes[0] = (uint8_t)(alg >> 8);
	n.bytes[1] = (uint8_t)alg;
	*ret = n;
	return 0;
}

int tpm_public_name(const struct tpm_public *pub, struct tpm_name *ret)
{
	return tpm_name_of(pub->name_alg, pub->bytes, ret);
}

int tpm_nv_public_parse(struct span bytes, struct tpm_nv_public *ret)
{
	struct tpm_nv_public p = { .bytes = unframed(bytes) };
	struct bytes b = bytes_of(p.bytes);

	if (bytes.n > TPM_PUBLIC_MAX)
		return -EBADMSG;
	p.index = bytes_u32be(&b);
	p.name_alg = bytes_u16be(&b);
	p.attributes = bytes_u32be(&b);
	p.policy = bytes_lp16be(&b);
	p.size = bytes_u16be(&b);
	if (bytes_end(&b) < 0)
		return -EBADMSG;
	*ret = p;
	return 0;
}

static int make_key(const char *type, OSSL_PARAM_BLD *bld, EVP_PKEY **ret)
{
	_cleanup_(OSSL_PARAM_free_p) OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(bld);
	_cleanup_(EVP_PKEY_CTX_free_p) EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
	_cleanup_(EVP_PKEY_CTX_free_p) EVP_PKEY_CTX *check = NULL;
	_cleanup_(EVP_PKEY_free_p) EVP_PKEY *key = NULL;

	if (!params || !ctx || EVP_PKEY_fromdata_init(ctx) <= 0)
		return -ENOMEM;
	if (EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY, params) <= 0)
		return -EBADMSG;
	check = EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);
	if (!check)
		return -ENOMEM;
	if (EVP_PKEY_public_check(check) <= 0)
		return -EBADMSG;
	*ret = take_ptr(key);
	return 0;
}

static int rsa_key(const struct tpm_public *pub, EVP_PKEY **ret)
{
	_cleanup_(OSSL_PARAM_BLD_free_p) OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
	_cleanup_(BN_free_p) BIGNUM *n = BN_bin2bn((const uint8_t *)pub->n.p, (int)pub->n.n, NULL);
	_cleanup_(BN_free_p) BIGNUM *e = BN_new();
	const uint32_t exponent = pub->exponent ? pub->exponent : 65537;

	if (!bld || !n || !e || !BN_set_word(e, exponent))
		return -ENOMEM;
	if (BN_num_bits(n) < RSA_BITS_MIN || BN_num_bits(n) > RSA_BITS_MAX || BN_num_bits(n) != pub->bits ||
	    exponent < 65537 || exponent % 2 == 0)
		return -EBADMSG;
	if (!OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_N, n) ||
	    !OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_E, e))
		return -ENOMEM;
	return make_key("RSA", bld, ret);
}

static int ec_key(const struct tpm_public *pub, EVP_PKEY **ret)
{
	_cleanup_(OSSL_PARAM_BLD_free_p) OSSL_PARAM_BLD *bld = NULL;
	uint8_t point[EC_POINT_MAX] = { 4 }; /* uncompressed */
	size_t i = 0, n;

	while (i < ARRAY_SIZE(curves) && curves[i].curve != pub->curve)
		i++;
	if (i == ARRAY_SIZE(curves) || pub->x.n > curves[i].size || pub->y.n > curves[i].size)
		return -EBADMSG;
	n = curves[i].size;
	if (pub->x.n)
		memcpy(point + 1 + n - pub->x.n, pub->x.p, pub->x.n);
	if (pub->y.n)
		memcpy(point + 1 + 2 * n - pub->y.n, pub->y.p, pub->y.n);
	bld = OSSL_PARAM_BLD_new();
	if (!bld || !OSSL_PARAM_BLD_push_utf8_string(bld, OSSL_PKEY_PARAM_GROUP_NAME, curves[i].name, 0) ||
	    !OSSL_PARAM_BLD_push_octet_string(bld, OSSL_PKEY_PARAM_PUB_KEY, point, 1 + 2 * n))
		return -ENOMEM;
	return make_key("EC", bld, ret);
}

int tpm_public_key(const struct tpm_public *pub, EVP_PKEY **ret)
{
	return pub->type == TPM_ALG_RSA ? rsa_key(pub, ret) : ec_key(pub, ret);
}

int tpm_public_spki(struct span public, struct buf *spki)
{
	_cleanup_(EVP_PKEY_free_p) EVP_PKEY *pkey = NULL;
	struct tpm_public area;
	uint8_t *der = NULL;
	int r = tpm_public_parse(public, &area), n;

	if (r == 0)
		r = tpm_public_key(&area, &pkey);
	if (r < 0)
		return r;
	n = i2d_PUBKEY(pkey, &der);
	r = n > 0 ? buf_append(spki, der, (size_t)n) : -ENOMEM;
	OPENSSL_free(der);
	return r;
}
