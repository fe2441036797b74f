// SPDX-License-Identifier: Apache-2.0
/*
 * SHA-256 and hex, on OpenSSL's libcrypto.
 */
#define OPENSSL_SUPPRESS_DEPRECATED /* sha256() */
#include "user/base/digest.h"

#include <endian.h>
#include <errno.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <string.h>
#include <unistd.h>

void sha256(const void *p, size_t n, uint8_t ret[SHA256_SIZE])
{
	SHA256_CTX ctx;

	/* Not SHA256(): that takes memory, and leaves ret as it was when there is none. These cannot fail. */
	(void)SHA256_Init(&ctx);
	(void)SHA256_Update(&ctx, p, n);
	(void)SHA256_Final(ret, &ctx);
}

int sha256_fd(int fd, uint8_t ret[SHA256_SIZE])
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	unsigned char chunk[32768];
	off_t at = 0;
	int r = -ENOMEM;
	ssize_t n;

	if (!ctx || !EVP_DigestInit_ex(ctx, EVP_sha256(), NULL))
		goto out;
	while ((n = pread(fd, chunk, sizeof(chunk), at)) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			r = -errno;
			goto out;
		}
		if (!EVP_DigestUpdate(ctx, chunk, (size_t)n))
			goto out;
		at += n;
	}
	if (EVP_DigestFinal_ex(ctx, ret, NULL))
		r = 0;
out:
	EVP_MD_CTX_free(ctx);
	return r;
}

/* The eight digits of four bytes, the first byte's in the lowest. */
static uint64_t hex_of(uint32_t bytes)
{
	uint64_t v = bytes;

	v = (v | v << 16) & 0x0000ffff0000ffff;
	v = (v | v << 8) & 0x00ff00ff00ff00ff;
	v = (v >> 4 | v << 8) & 0x0f0f0f0f0f0f0f0f;
	/* '0' and, from ten on, the way from '9' + 1 to 'a' */
	return v + 0x3030303030303030 + ((v + 0x0606060606060606) >> 4 & 0x0101010101010101) * ('a' - '9' - 1);
}

void hex_encode(const void *p, size_t n, char *ret)
{
	static const char digits[] = "0123456789abcdef";
	const uint8_t *b = p;

	for (; n >= 4; n -= 4, b += 4, ret += 8) {
		uint32_t bytes;
		uint64_t hex;

		memcpy(&bytes, b, sizeof(bytes));
		hex = htole64(hex_of(le32toh(bytes)));
		memcpy(ret, &hex, sizeof(hex));
	}
	for (; n; n--, b++) {
		*ret++ = digits[*b >> 4];
		*ret++ = digits[*b & 15];
	}
	*ret = '\0';
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

int hex_decode(const char *s, size_t len, uint8_t *ret, size_t n)
{
	if (len != 2 * n)
		return -EINVAL;
	for (size_t i = 0; i < len; i++)
		if (hex_value(s[i]) < 0)
			return -EINVAL;
	for (size_t i = 0; i < n; i++)
		ret[i] = (uint8_t)(hex_value(s[2 * i]) << 4 | hex_value(s[2 * i + 1]));
	return 0;
}

void sha256_prefixed(const uint8_t digest[SHA256_SIZE], char ret[SHA256_PREFIXED_SIZE])
{
	memcpy(ret, "sha256:", 7);
	hex_encode(digest, SHA256_SIZE, ret + 7);
}
