// SPDX-License-Identifier: Apache-2.0
/*
 * The hash algorithms of PCR banks, by their TCG numbers.
 */
#include "attest/tpm_hash.h"

#include <errno.h>

#include "user/base/cleanup.h"

static const struct {
	uint16_t alg;
	uint8_t size;
	const char *name;
	const EVP_MD *(*md)(void);
} hashes[] = {
	{ TPM_HASH_SHA1, 20, "sha1", EVP_sha1 },
	{ TPM_HASH_SHA256, 32, "sha256", EVP_sha256 },
	{ TPM_HASH_SHA384, 48, "sha384", EVP_sha384 },
	{ TPM_HASH_SHA512, 64, "sha512", EVP_sha512 },
};

size_t tpm_hash_size(uint16_t alg)
{
	for (size_t i = 0; i < ARRAY_SIZE(hashes); i++)
		if (hashes[i].alg == alg)
			return hashes[i].size;
	return 0;
}

const char *tpm_hash_name(uint16_t alg)
{
	for (size_t i = 0; i < ARRAY_SIZE(hashes); i++)
		if (hashes[i].alg == alg)
			return hashes[i].name;
	return NULL;
}

uint16_t tpm_hash_by_name(struct span name)
{
	for (size_t i = 0; i < ARRAY_SIZE(hashes); i++)
		if (span_is(name, hashes[i].name))
			return hashes[i].alg;
	return 0;
}

const EVP_MD *tpm_hash_md(uint16_t alg)
{
	for (size_t i = 0; i < ARRAY_SIZE(hashes); i++)
		if (hashes[i].alg == alg)
			return hashes[i].md();
	return NULL;
}

int tpm_hash(uint16_t alg, const struct span *pieces, unsigned n, uint8_t *ret)
{
	const EVP_MD *md = tpm_hash_md(alg);
	EVP_MD_CTX *ctx;
	int ok;

	if (!md)
		return -EINVAL;
	ctx = EVP_MD_CTX_new();
	if (!ctx)
		return -ENOMEM;
	ok = EVP_DigestInit_ex(ctx, md, NULL);
	for (unsigned i = 0; i < n && ok; i++)
		ok = EVP_DigestUpdate(ctx, pieces[i].p, pieces[i].n);
	if (ok)
		ok = EVP_DigestFinal_ex(ctx, ret, NULL);
	EVP_MD_CTX_free(ctx);
	return ok ? 0 : -ENOMEM;
}

int tpm_hash_extend(uint16_t alg, uint8_t *reg, const void *digest)
{
	const size_t n = tpm_hash_size(alg);
	const struct span pieces[] = { { (const char *)reg, n }, { digest, n } };

	return tpm_hash(alg, pieces, ARRAY_SIZE(pieces), reg);
}
