// SPDX-License-Identifier: Apache-2.0
/* Ed25519 keys in files, through OpenSSL: signing policy bundles and knowing who did. */
#include "user/cli/policy_key.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include "user/base/base64.h"
#include "user/base/cleanup.h"
#include "user/base/log.h"

DEFINE_CLEANUP(BIO *, BIO_free_all)
DEFINE_CLEANUP(EVP_PKEY *, EVP_PKEY_free)
DEFINE_CLEANUP(EVP_MD_CTX *, EVP_MD_CTX_free)

static int fail(char *error, int r, const char *path, const char *why)
{
	(void)snprintf(error, POLICY_BUNDLE_ERROR_MAX, "%s: %s", path, why);
	return r;
}

/* OpenSSL would ask at the terminal, which a script has not. */
static int no_password(char *buf, int size, int rwflag, void *ctx)
{
	return -1;
}

static int open_key(const char *path, BIO **ret, char *error)
{
	errno = 0;
	*ret = BIO_new_file(path, "re");
	if (*ret)
		return 0;
	return fail(error, errno ? -errno : -EIO, path, err_text(errno ? -errno : -EIO));
}

int policy_key_public(const char *word, uint8_t ret[ED25519_KEY_SIZE], char error[POLICY_BUNDLE_ERROR_MAX])
{
	_cleanup_(EVP_PKEY_free_p) EVP_PKEY *key = NULL;
	_cleanup_(BIO_free_all_p) BIO *file = NULL;
	size_t n = ED25519_KEY_SIZE;
	int r;

	if (hex_decode(word, strlen(word), ret, ED25519_KEY_SIZE) == 0 ||
	    base64url_decode(span_of(word), ret, ED25519_KEY_SIZE) == 0)
		return 0;
	r = open_key(word, &file, error);
	if (r < 0)
		return r;
	key = PEM_read_bio_PUBKEY(file, NULL, no_password, NULL);
	if (!key)
		return fail(error, -EINVAL, word, "holds no public key in PEM");
	if (EVP_PKEY_id(key) != EVP_PKEY_ED25519 || EVP_PKEY_get_raw_public_key(key, ret, &n) != 1)
		return fail(error, -EINVAL, word, "the key is not of Ed25519");
	return 0;
}

static int append_base64url(struct buf *out, const uint8_t *p, size_t n)
{
	size_t from = buf_len(out);
	int r = base64_append(out, p, n);

	if (r < 0)
		return r;
	for (size_t i = out->start + from; i < out->end; i++) {
		if (out->data[i] == '+')
			out->data[i] = '-';
		else if (out->data[i] == '/')
			out->data[i] = '_';
	}
	while (buf_len(out) > from && out->data[out->end - 1] == '=')
		out->end--;
	return 0;
}

int policy_key_sign(const char *path, struct span message, struct buf *ret_signature,
		    char error[POLICY_BUNDLE_ERROR_MAX])
{
	_cleanup_(EVP_MD_CTX_free_p) EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	_cleanup_(EVP_PKEY_free_p) EVP_PKEY *key = NULL;
	_cleanup_(BIO_free_all_p) BIO *file = NULL;
	uint8_t signature[ED25519_SIGNATURE_SIZE];
	size_t n = sizeof(signature);
	int r = open_key(path, &file, error);

	if (r < 0)
		return r;
	key = PEM_read_bio_PrivateKey(file, NULL, no_password, NULL);
	if (!key)
		return fail(error, -EINVAL, path, "holds no private key in PEM that can be read without a password");
	if (EVP_PKEY_id(key) != EVP_PKEY_ED25519)
		return fail(error, -EINVAL, path, "the key is not of Ed25519");
	if (!ctx || EVP_DigestSignInit(ctx, NULL, NULL, NULL, key) != 1 ||
	    EVP_DigestSign(ctx, signature, &n, (const uint8_t *)message.p, message.n) != 1)
		return fail(error, -EIO, path, "cannot sign with it");
	r = append_base64url(ret_signature, signature, n);
	return r < 0 ? fail(error, r, path, err_text(r)) : 0;
}
