// SPDX-License-Identifier: Apache-2.0
/* A signed result is three parts under one signature; jose(1) reads them in tests/peer. */
#include "attest/jws.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include <openssl/pem.h>

#include "attest/jose.h"
#include "attest/x509.h"

static struct buf pem_of(EVP_PKEY *key, const char *passphrase)
{
	BIO *bio = BIO_new(BIO_s_mem());
	struct buf b = { 0 };
	char *p;
	long n;

	assert_int_equal(PEM_write_bio_PrivateKey(bio, key, passphrase ? EVP_aes_128_cbc() : NULL, NULL, 0, NULL,
						  (void *)(uintptr_t)passphrase), 1);
	n = BIO_get_mem_data(bio, &p);
	assert_int_equal(buf_append(&b, p, (size_t)n), 0);
	BIO_free(bio);
	return b;
}

static void what_is_signed_verifies(void **state)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	_cleanup_buf_ struct buf pem = pem_of(key, NULL), out = { 0 };
	const char *text, *dot;
	uint8_t raw[64];

	assert_int_equal(buf_append_str(&out, "before "), 0);
	assert_int_equal(jws_sign_es256(buf_span(&pem), "eat+jwt", SPAN("{\"iat\":1}"), &out), 0);
	text = buf_cstr(&out) + strlen("before ");
	dot = strrchr(text, '.');
	assert_non_null(strstr(text, ".eyJpYXQiOjF9."));
	assert_int_equal(base64url_decode(span_of(dot + 1), raw, sizeof(raw)), 0);
	assert_int_equal(x509_ecdsa_verify(key, EVP_sha256(), (struct span){ text, (size_t)(dot - text) }, raw, raw + 32,
					   32), 0);
	assert_int_equal(x509_ecdsa_verify(key, EVP_sha256(), (struct span){ text, (size_t)(dot - text) - 1 }, raw,
					   raw + 32, 32), -EKEYREJECTED);
	EVP_PKEY_free(key);
}

static void other_keys_sign_nothing(void **state)
{
	EVP_PKEY *keys[] = { EVP_EC_gen("P-384"), EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"), EVP_EC_gen("P-256") };
	_cleanup_buf_ struct buf out = { 0 };

	for (unsigned i = 0; i < 3; i++) {
		_cleanup_buf_ struct buf pem = pem_of(keys[i], i == 2 ? "secret" : NULL);

		assert_int_equal(jws_sign_es256(buf_span(&pem), "x", SPAN("{}"), &out), -EBADMSG);
		EVP_PKEY_free(keys[i]);
	}
	assert_int_equal(jws_sign_es256(SPAN("no key"), "x", SPAN("{}"), &out), -EBADMSG);
	assert_int_equal(jws_sign_es256((struct span){ 0 }, "x", SPAN("{}"), &out), -EBADMSG);
	assert_int_equal(buf_len(&out), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_signed_verifies),
		cmocka_unit_test(other_keys_sign_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
