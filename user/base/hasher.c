// SPDX-License-Identifier: Apache-2.0
/*
 * A reusable SHA-256 state on OpenSSL's libcrypto. The calls of the digest itself, which OpenSSL 3 deprecates in
 * favour of EVP: there every beginning and end of a digest looks for engines and takes and clears memory, which costs
 * as much as the digest of the 64 bytes that most of ours have, a dozen times for every call of a tool.
 */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "user/base/hasher.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/sha.h>
#include <stdlib.h>

#include "user/base/cleanup.h"

struct hasher {
	SHA256_CTX ctx;
};

int hasher_new(struct hasher **ret)
{
	struct hasher *h = calloc(1, sizeof(*h));

	if (!h)
		return -ENOMEM;
	*ret = h;
	return 0;
}

void hasher_free(struct hasher *h)
{
	if (h)
		OPENSSL_cleanse(h, sizeof(*h)); /* the last digest may have been a key */
	free(h);
}

struct hasher *hasher_of_thread(void)
{
	static _Thread_local struct hasher *own;

	if (!own && hasher_new(&own) < 0)
		return NULL;
	return own;
}

/* None of these can fail: nothing is fetched or allocated. */

void hasher_begin(struct hasher *h)
{
	(void)SHA256_Init(&h->ctx);
}

void hasher_add(struct hasher *h, struct span piece)
{
	(void)SHA256_Update(&h->ctx, piece.p, piece.n);
}

void hasher_end(struct hasher *h, uint8_t ret[SHA256_SIZE])
{
	(void)SHA256_Final(ret, &h->ctx);
}

void hasher_sha256(struct hasher *h, const struct span *pieces, unsigned n, uint8_t ret[SHA256_SIZE])
{
	hasher_begin(h);
	for (unsigned i = 0; i < n; i++)
		hasher_add(h, pieces[i]);
	hasher_end(h, ret);
}
