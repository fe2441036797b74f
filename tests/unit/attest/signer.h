/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_TESTS_ATTEST_SIGNER_H
#define TOLLGATE_TESTS_ATTEST_SIGNER_H

#include <string.h>

#include <openssl/evp.h>

#include "attest/jose.h"
#include "attest/json_text.h"

/* An Ed25519 key of the test's own, which signs JSON the way statements are signed. */

static inline void signer_base64url(const uint8_t *p, size_t n, char *ret)
{
	EVP_EncodeBlock((unsigned char *)ret, p, (int)n);
	for (char *c = ret; *c; c++)
		*c = *c == '+' ? '-' : *c == '/' ? '_' : *c == '=' ? '\0' : *c;
}

static inline EVP_PKEY *signer_key(uint8_t first)
{
	uint8_t seed[ED25519_KEY_SIZE] = { first };

	return EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed, sizeof(seed));
}

/* The public key as bytes, and as the x of a JWK (44 bytes with its NUL). */
static inline void signer_public(EVP_PKEY *key, uint8_t raw[ED25519_KEY_SIZE], char x[64])
{
	size_t n = ED25519_KEY_SIZE;

	assert_int_equal(EVP_PKEY_get_raw_public_key(key, raw, &n), 1);
	signer_base64url(raw, ED25519_KEY_SIZE, x);
}

/* Sets the member of object to the signature over message, in base64url. */
static inline void signer_sign(EVP_PKEY *key, json_t *object, const char *member, struct span message)
{
	uint8_t raw[ED25519_SIGNATURE_SIZE];
	char text[2 * ED25519_SIGNATURE_SIZE];
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	size_t n = sizeof(raw);

	assert_int_equal(EVP_DigestSignInit(ctx, NULL, NULL, NULL, key), 1);
	assert_int_equal(EVP_DigestSign(ctx, raw, &n, (const uint8_t *)message.p, message.n), 1);
	EVP_MD_CTX_free(ctx);
	signer_base64url(raw, sizeof(raw), text);
	json_object_set_new(object, member, json_string(text));
}

/* The same over the object's canonical form without its "signature", which is set. */
static inline void signer_sign_form(EVP_PKEY *key, json_t *object, enum json_form form)
{
	_cleanup_buf_ struct buf b = { 0 };

	assert_int_equal(json_canonical(object, form, "signature", &b), 0);
	signer_sign(key, object, "signature", buf_span(&b));
}

#endif
