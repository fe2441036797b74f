// SPDX-License-Identifier: Apache-2.0
/*
 * Hybrid public key encryption on OpenSSL's libcrypto, whose 3.0 has the parts and not the whole. Runs in the
 * proxy, which seals, and in tollgate(1), which opens. Numbers in comments are sections of RFC 9180.
 */
#include "user/notary/hpke.h"

#include <errno.h>
#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <string.h>

#include "user/base/cleanup.h"
#include "user/base/digest.h"

#define AEAD_KEY 16
#define AEAD_NONCE 12
#define LABELED_MAX 512 /* a label and what stands behind it: hashes and keys, no message */

static const char suite_kem[] = "KEM\x00\x20";
static const char suite_hpke[] = "HPKE\x00\x20\x00\x01\x00\x01";

#define SUITE_KEM ((struct span){ suite_kem, 5 })
#define SUITE_HPKE ((struct span){ suite_hpke, 10 })

DEFINE_CLEANUP(EVP_PKEY *, EVP_PKEY_free)
DEFINE_CLEANUP(EVP_PKEY_CTX *, EVP_PKEY_CTX_free)
DEFINE_CLEANUP(EVP_CIPHER_CTX *, EVP_CIPHER_CTX_free)
DEFINE_CLEANUP(BIO *, BIO_free)

struct context {
	uint8_t key[AEAD_KEY], nonce[AEAD_NONCE];
};

static struct span bytes(const void *p, size_t n)
{
	return (struct span){ p, n };
}

/* HMAC-SHA256 of the pieces. What is keyed here is short; info and pieces are the caller's and bounded by it. */
static int hmac(struct span key, const struct span *pieces, unsigned n, uint8_t ret[SHA256_SIZE])
{
	uint8_t text[LABELED_MAX];
	size_t at = 0;
	int r = 0;

	for (unsigned i = 0; i < n; i++) {
		if (pieces[i].n > sizeof(text) - at)
			return -EMSGSIZE;
		if (pieces[i].n)
			memcpy(text + at, pieces[i].p, pieces[i].n);
		at += pieces[i].n;
	}
	if (!HMAC(EVP_sha256(), key.n ? key.p : "", (int)key.n, text, at, ret, NULL))
		r = -EIO;
	OPENSSL_cleanse(text, sizeof(text));
	return r;
}

/* LabeledExtract, 4. */
static int extract(struct span suite, struct span salt, const char *label, struct span ikm, uint8_t ret[SHA256_SIZE])
{
	const struct span pieces[] = { SPAN("HPKE-v1"), suite, span_of(label), ikm };

	return hmac(salt, pieces, ARRAY_SIZE(pieces), ret);
}

/* LabeledExpand, 4, of at most one block. */
static int expand(struct span suite, const uint8_t prk[SHA256_SIZE], const char *label, struct span info, uint8_t *ret,
		  size_t n)
{
	const uint8_t length[2] = { 0, (uint8_t)n };
	const struct span pieces[] = {
		bytes(length, sizeof(length)), SPAN("HPKE-v1"), suite, span_of(label), info, bytes("\x01", 1),
	};
	uint8_t block[SHA256_SIZE];
	int r = hmac(bytes(prk, SHA256_SIZE), pieces, ARRAY_SIZE(pieces), block);

	if (r == 0)
		memcpy(ret, block, n);
	OPENSSL_cleanse(block, sizeof(block));
	return r;
}

/* X25519. libcrypto refuses the all-zero outcome, as 7.1.4 asks for. */
static int diffie_hellman(EVP_PKEY *own, const uint8_t peer[HPKE_KEY], uint8_t ret[HPKE_KEY])
{
	_cleanup_(EVP_PKEY_free_p) EVP_PKEY *other = EVP_PKEY_new_raw_public_key(EVP_PKEY_X25519, NULL, peer, HPKE_KEY);
	_cleanup_(EVP_PKEY_CTX_free_p) EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(own, NULL);
	size_t n = HPKE_KEY;

	return other && ctx && EVP_PKEY_derive_init(ctx) > 0 && EVP_PKEY_derive_set_peer(ctx, other) > 0 &&
	       EVP_PKEY_derive(ctx, ret, &n) > 0 && n == HPKE_KEY ? 0 : -EIO;
}

/* ExtractAndExpand, 4.1: the secret that both sides come to. */
static int shared_secret(const uint8_t dh[HPKE_KEY], const uint8_t enc[HPKE_ENC], const uint8_t recipient[HPKE_KEY],
			 uint8_t ret[SHA256_SIZE])
{
	uint8_t prk[SHA256_SIZE], both[HPKE_ENC + HPKE_KEY];
	int r = extract(SUITE_KEM, bytes(NULL, 0), "eae_prk", bytes(dh, HPKE_KEY), prk);

	memcpy(both, enc, HPKE_ENC);
	memcpy(both + HPKE_ENC, recipient, HPKE_KEY);
	if (r == 0)
		r = expand(SUITE_KEM, prk, "shared_secret", bytes(both, sizeof(both)), ret, SHA256_SIZE);
	OPENSSL_cleanse(prk, sizeof(prk));
	return r;
}

/* KeySchedule, 5.1, in base mode: no pre-shared key. */
static int key_schedule(const uint8_t shared[SHA256_SIZE], struct span info, struct context *ret)
{
	uint8_t context[1 + 2 * SHA256_SIZE] = { 0 }, secret[SHA256_SIZE];
	const struct span all = bytes(context, sizeof(context)), none = { NULL, 0 };
	int r = extract(SUITE_HPKE, none, "psk_id_hash", none, context + 1);

	if (r == 0)
		r = extract(SUITE_HPKE, none, "info_hash", info, context + 1 + SHA256_SIZE);
	if (r == 0)
		r = extract(SUITE_HPKE, bytes(shared, SHA256_SIZE), "secret", none, secret);
	if (r == 0)
		r = expand(SUITE_HPKE, secret, "key", all, ret->key, sizeof(ret->key));
	if (r == 0)
		r = expand(SUITE_HPKE, secret, "base_nonce", all, ret->nonce, sizeof(ret->nonce));
	OPENSSL_cleanse(secret, sizeof(secret));
	return r;
}

static int set_up(EVP_PKEY *own, const uint8_t peer[HPKE_KEY], const uint8_t enc[HPKE_ENC],
		  const uint8_t recipient[HPKE_KEY], struct span info, struct context *ret)
{
	uint8_t dh[HPKE_KEY], shared[SHA256_SIZE];
	int r = diffie_hellman(own, peer, dh);

	if (r == 0)
		r = shared_secret(dh, enc, recipient, shared);
	if (r == 0)
		r = key_schedule(shared, info, ret);
	OPENSSL_cleanse(dh, sizeof(dh));
	OPENSSL_cleanse(shared, sizeof(shared));
	return r;
}

static int encrypt(const struct context *c, struct span aad, const struct span *pieces, unsigned n, uint8_t *to)
{
	_cleanup_(EVP_CIPHER_CTX_free_p) EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	int len = 0;

	if (!ctx || EVP_EncryptInit_ex(ctx, EVP_aes_128_gcm(), NULL, c->key, c->nonce) <= 0 ||
	    (aad.n && EVP_EncryptUpdate(ctx, NULL, &len, (const uint8_t *)aad.p, (int)aad.n) <= 0))
		return -EIO;
	for (unsigned i = 0; i < n; i++) {
		const uint8_t *from = (const uint8_t *)pieces[i].p;

		if (pieces[i].n && EVP_EncryptUpdate(ctx, to, &len, from, (int)pieces[i].n) <= 0)
			return -EIO;
		to += pieces[i].n;
	}
	return EVP_EncryptFinal_ex(ctx, to, &len) > 0 &&
	       EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_GET_TAG, HPKE_TAG, to) > 0 ? 0 : -EIO;
}

static int seal_by(EVP_PKEY *ephemeral, const uint8_t recipient[HPKE_KEY], struct span info, struct span aad,
		   const struct span *pieces, unsigned n, struct buf *out)
{
	uint8_t enc[HPKE_ENC];
	size_t enc_n = sizeof(enc), total = 0;
	struct context c;
	char *to;
	int r;

	for (unsigned i = 0; i < n; i++) {
		if (pieces[i].n > HPKE_TEXT_MAX - total)
			return -EMSGSIZE;
		total += pieces[i].n;
	}
	if (EVP_PKEY_get_raw_public_key(ephemeral, enc, &enc_n) <= 0 || enc_n != sizeof(enc))
		return -EIO;
	r = set_up(ephemeral, recipient, enc, recipient, info, &c);
	if (r == 0)
		r = buf_reserve(out, total + HPKE_OVERHEAD, &to);
	if (r == 0) {
		memcpy(to, enc, sizeof(enc));
		r = encrypt(&c, aad, pieces, n, (uint8_t *)to + sizeof(enc));
	}
	if (r == 0)
		buf_commit(out, total + HPKE_OVERHEAD);
	OPENSSL_cleanse(&c, sizeof(c));
	return r;
}

int hpke_seal(const uint8_t recipient[HPKE_KEY], struct span info, struct span aad, const struct span *pieces,
	      unsigned n, struct buf *out)
{
	_cleanup_(EVP_PKEY_free_p) EVP_PKEY *ephemeral = EVP_PKEY_Q_keygen(NULL, NULL, "X25519");

	return ephemeral ? seal_by(ephemeral, recipient, info, aad, pieces, n, out) : -EIO;
}

static int decrypt(const struct context *c, struct span aad, struct span text, uint8_t *to)
{
	_cleanup_(EVP_CIPHER_CTX_free_p) EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	const size_t n = text.n - HPKE_TAG;
	uint8_t tag[HPKE_TAG];
	int len = 0;

	memcpy(tag, text.p + n, sizeof(tag));
	if (!ctx || EVP_DecryptInit_ex(ctx, EVP_aes_128_gcm(), NULL, c->key, c->nonce) <= 0 ||
	    (aad.n && EVP_DecryptUpdate(ctx, NULL, &len, (const uint8_t *)aad.p, (int)aad.n) <= 0) ||
	    (n && EVP_DecryptUpdate(ctx, to, &len, (const uint8_t *)text.p, (int)n) <= 0) ||
	    EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_SET_TAG, HPKE_TAG, tag) <= 0)
		return -EIO;
	return EVP_DecryptFinal_ex(ctx, to + n, &len) > 0 ? 0 : -EBADMSG;
}

int hpke_open(const uint8_t key[HPKE_KEY], struct span info, struct span aad, struct span sealed, struct buf *out)
{
	_cleanup_(EVP_PKEY_free_p) EVP_PKEY *own = EVP_PKEY_new_raw_private_key(EVP_PKEY_X25519, NULL, key, HPKE_KEY);
	uint8_t enc[HPKE_ENC], pub[HPKE_KEY];
	size_t pub_n = sizeof(pub), n;
	struct context c;
	char *to;
	int r;

	if (sealed.n < HPKE_OVERHEAD || sealed.n - HPKE_OVERHEAD > HPKE_TEXT_MAX)
		return -EBADMSG;
	n = sealed.n - HPKE_OVERHEAD;
	if (!own || EVP_PKEY_get_raw_public_key(own, pub, &pub_n) <= 0 || pub_n != sizeof(pub))
		return -EIO;
	memcpy(enc, sealed.p, sizeof(enc));
	if (set_up(own, enc, enc, pub, info, &c) < 0)
		return -EBADMSG; /* a point that is none */
	r = buf_reserve(out, n + 1, &to);
	if (r == 0)
		r = decrypt(&c, aad, bytes(sealed.p + HPKE_ENC, sealed.n - HPKE_ENC), (uint8_t *)to);
	if (r == 0)
		buf_commit(out, n);
	else if (r != -ENOMEM && r != -EMSGSIZE)
		OPENSSL_cleanse(to, n); /* what was not authentic is nobody's to see */
	OPENSSL_cleanse(&c, sizeof(c));
	return r;
}

static int raw_key(EVP_PKEY *k, bool private, uint8_t ret[HPKE_KEY])
{
	size_t n = HPKE_KEY;

	if (!k || EVP_PKEY_get_base_id(k) != EVP_PKEY_X25519)
		return -EINVAL;
	return (private ? EVP_PKEY_get_raw_private_key(k, ret, &n) : EVP_PKEY_get_raw_public_key(k, ret, &n)) > 0 &&
	       n == HPKE_KEY ? 0 : -EINVAL;
}

static BIO *bio_of(struct span pem)
{
	return pem.n && pem.n <= INT32_MAX ? BIO_new_mem_buf(pem.p, (int)pem.n) : NULL;
}

int hpke_public_parse(struct span pem, uint8_t ret[HPKE_KEY])
{
	_cleanup_(BIO_free_p) BIO *in = bio_of(pem);
	_cleanup_(EVP_PKEY_free_p) EVP_PKEY *k = in ? PEM_read_bio_PUBKEY(in, NULL, NULL, NULL) : NULL;

	return raw_key(k, false, ret);
}

/* A key under a pass phrase is refused rather than asked for. */
static int no_passphrase(char *to, int size, int rw, void *arg)
{
	return -1;
}

int hpke_private_parse(struct span pem, uint8_t ret[HPKE_KEY])
{
	_cleanup_(BIO_free_p) BIO *in = bio_of(pem);
	_cleanup_(EVP_PKEY_free_p) EVP_PKEY *k = in ? PEM_read_bio_PrivateKey(in, NULL, no_passphrase, NULL) : NULL;

	return raw_key(k, true, ret);
}
