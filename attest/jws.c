// SPDX-License-Identifier: Apache-2.0
/*
 * Signs results for others to read. The key is the verifier's own and comes with each call; nothing keeps it.
 */
#include "attest/jws.h"

#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/pem.h>

#include "attest/jose.h"
#include "attest/x509.h"
#include "user/base/cleanup.h"
#include "user/base/digest.h"
#include "user/base/json_out.h"

#define COORDINATE 32
#define DER_MAX 80 /* of a signature by a P-256 key */

DEFINE_CLEANUP(EVP_PKEY *, EVP_PKEY_free)

/* A key that asks for a passphrase is none: nobody is there to answer. */
static int no_passphrase(char *buf, int size, int rwflag, void *arg)
{
	(void)buf;
	(void)size;
	(void)rwflag;
	(void)arg;
	return -1;
}

static int read_key(struct span pem, EVP_PKEY **ret)
{
	BIO *bio = pem.n <= JWS_KEY_MAX ? BIO_new_mem_buf(pem.p, (int)pem.n) : NULL;
	EVP_PKEY *key = bio ? PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL) : NULL;

	BIO_free(bio);
	if (key && x509_key_is_ec(key, NID_X9_62_prime256v1)) {
		*ret = key;
		return 0;
	}
	EVP_PKEY_free(key);
	return -EBADMSG;
}

/* RFC 7638: the digest of the key's required members, in order. */
static int append_thumbprint(EVP_PKEY *key, struct buf *out)
{
	_cleanup_buf_ struct buf jwk = { 0 };
	uint8_t point[1 + 2 * COORDINATE], digest[SHA256_SIZE];
	size_t n = 0;
	int r;

	if (EVP_PKEY_get_octet_string_param(key, OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY, point, sizeof(point), &n) != 1 ||
	    n != sizeof(point))
		return -EBADMSG;
	r = buf_append_str(&jwk, "{\"crv\":\"P-256\",\"kty\":\"EC\",\"x\":\"");
	if (r == 0)
		r = base64url_append(point + 1, COORDINATE, &jwk);
	if (r == 0)
		r = buf_append_str(&jwk, "\",\"y\":\"");
	if (r == 0)
		r = base64url_append(point + 1 + COORDINATE, COORDINATE, &jwk);
	if (r == 0)
		r = buf_append_str(&jwk, "\"}");
	if (r < 0)
		return r;
	sha256(buf_span(&jwk).p, buf_len(&jwk), digest);
	return base64url_append(digest, sizeof(digest), out);
}

static int append_header(EVP_PKEY *key, const char *typ, struct buf *out)
{
	_cleanup_buf_ struct buf header = { 0 }, kid = { 0 };
	struct json_out j;
	int r = append_thumbprint(key, &kid);

	if (r < 0)
		return r;
	json_out_init(&j, &header);
	json_out_object(&j);
	json_out_member_str(&j, "alg", "ES256");
	json_out_member_span(&j, "kid", buf_span(&kid));
	json_out_member_str(&j, "typ", typ);
	json_out_object_end(&j);
	r = json_out_end(&j);
	return r < 0 ? r : base64url_append(buf_span(&header).p, buf_len(&header), out);
}

/* JWS has the two numbers side by side, OpenSSL gives DER. */
static int sign(EVP_PKEY *key, struct span input, uint8_t ret[2 * COORDINATE])
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	uint8_t der[DER_MAX];
	const uint8_t *p = der;
	size_t n = sizeof(der);
	ECDSA_SIG *sig = NULL;
	int r = -ENOMEM;

	if (ctx && EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, key) == 1 &&
	    EVP_DigestSign(ctx, der, &n, (const uint8_t *)input.p, input.n) == 1)
		sig = d2i_ECDSA_SIG(NULL, &p, (long)n);
	if (sig && BN_bn2binpad(ECDSA_SIG_get0_r(sig), ret, COORDINATE) == COORDINATE &&
	    BN_bn2binpad(ECDSA_SIG_get0_s(sig), ret + COORDINATE, COORDINATE) == COORDINATE)
		r = 0;
	ECDSA_SIG_free(sig);
	EVP_MD_CTX_free(ctx);
	return r;
}

int jws_sign_es256(struct span key_pem, const char *typ, struct span payload, struct buf *out)
{
	_cleanup_(EVP_PKEY_free_p) EVP_PKEY *key = NULL;
	_cleanup_buf_ struct buf text = { 0 };
	uint8_t signature[2 * COORDINATE];
	int r = read_key(key_pem, &key);

	if (r == 0)
		r = append_header(key, typ, &text);
	if (r == 0)
		r = buf_append_str(&text, ".");
	if (r == 0)
		r = base64url_append(payload.p, payload.n, &text);
	if (r == 0)
		r = sign(key, buf_span(&text), signature);
	if (r == 0)
		r = buf_append_str(&text, ".");
	if (r == 0)
		r = base64url_append(signature, sizeof(signature), &text);
	return r < 0 ? r : buf_append(out, buf_span(&text).p, buf_len(&text));
}
