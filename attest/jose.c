// SPDX-License-Identifier: Apache-2.0
#include "attest/jose.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#include "attest/ed25519_key.h"
#include "attest/json_text.h"
#include "user/base/base64.h"

static int digit(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '-' ? 62 : c == '_' ? 63 : -1;
}

int base64url_decode(struct span text, uint8_t *ret, size_t n)
{
	uint32_t bits = 0;
	unsigned have = 0;
	size_t at = 0;

	if (text.n != (n * 4 + 2) / 3)
		return -EINVAL;
	for (size_t i = 0; i < text.n; i++) {
		int d = digit(text.p[i]);

		if (d < 0)
			return -EINVAL;
		bits = bits << 6 | (uint32_t)d;
		have += 6;
		if (have >= 8) {
			have -= 8;
			ret[at++] = (uint8_t)(bits >> have);
			bits &= (1u << have) - 1;
		}
	}
	return bits ? -EINVAL : 0;
}

static size_t base64url_key(const uint8_t key[ED25519_KEY_SIZE], char ret[44])
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	size_t n = 0;

	for (unsigned bit = 0; bit < ED25519_KEY_SIZE * 8; bit += 6) {
		unsigned at = bit / 8, low = at + 1 < ED25519_KEY_SIZE ? key[at + 1] : 0;

		ret[n++] = digits[((key[at] << 8 | low) >> (10 - bit % 8)) & 63];
	}
	ret[n] = '\0';
	return n;
}

int base64url_append(const void *p, size_t n, struct buf *out)
{
	_cleanup_buf_ struct buf b = { 0 };
	int r = base64_append(&b, p, n);
	struct span s = buf_span(&b);

	while (r == 0 && s.n && s.p[s.n - 1] == '=')
		s.n--;
	for (size_t i = 0; r == 0 && i < s.n; i++) {
		char c = s.p[i] == '+' ? '-' : s.p[i] == '/' ? '_' : s.p[i];

		r = buf_append(out, &c, 1);
	}
	return r;
}

int jwk_ed25519(const json_t *jwk, uint8_t ret[ED25519_KEY_SIZE])
{
	uint8_t key[ED25519_KEY_SIZE];

	if (!span_is(json_member_text(jwk, "kty"), "OKP") ||
	    !span_is(json_member_text(jwk, "crv"), "Ed25519") ||
	    base64url_decode(json_member_text(jwk, "x"), key, sizeof(key)) < 0)
		return -EINVAL;
	memcpy(ret, key, sizeof(key));
	return 0;
}

void jwk_ed25519_thumbprint(const uint8_t key[ED25519_KEY_SIZE], uint8_t ret[SHA256_SIZE])
{
	char x[44], text[128];
	int n;

	base64url_key(key, x);
	n = snprintf(text, sizeof(text), "{\"crv\":\"Ed25519\",\"kty\":\"OKP\",\"x\":\"%s\"}", x);
	sha256(text, (size_t)n, ret);
}

bool ed25519_verify(const uint8_t key[ED25519_KEY_SIZE], struct span message,
		    const uint8_t signature[ED25519_SIGNATURE_SIZE])
{
	EVP_PKEY *pkey = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, key, ED25519_KEY_SIZE);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool ok = pkey && ctx && ed25519_key_is_sound(key) && EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, pkey) == 1 &&
		  EVP_DigestVerify(ctx, signature, ED25519_SIGNATURE_SIZE, (const uint8_t *)message.p,
				   message.n) == 1;

	EVP_MD_CTX_free(ctx);
	EVP_PKEY_free(pkey);
	return ok;
}

bool ed25519_verify_text(const uint8_t key[ED25519_KEY_SIZE], struct span message, struct span signature)
{
	uint8_t raw[ED25519_SIGNATURE_SIZE];

	return base64url_decode(signature, raw, sizeof(raw)) == 0 && ed25519_verify(key, message, raw);
}
