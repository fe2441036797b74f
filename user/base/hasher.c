// SPDX-License-Identifier: Apache-2.0
/*
 * A reusable SHA-256 state on OpenSSL's libcrypto: fetching the algorithm is what makes a one-shot
 * digest slow, so it happens once.
 */
#include "user/base/hasher.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdlib.h>

#include "user/base/cleanup.h"

struct hasher {
	EVP_MD_CTX *ctx;
};

DEFINE_CLEANUP(struct hasher *, hasher_free)

int hasher_new(struct hasher **ret)
{
	_cleanup_(hasher_free_p) struct hasher *h = calloc(1, sizeof(*h));

	if (!h)
		return -ENOMEM;
	h->ctx = EVP_MD_CTX_new();
	if (!h->ctx || !EVP_DigestInit_ex(h->ctx, EVP_sha256(), NULL))
		return -ENOMEM;
	*ret = take_ptr(h);
	return 0;
}

void hasher_free(struct hasher *h)
{
	if (!h)
		return;
	EVP_MD_CTX_free(h->ctx);
	free(h);
}

struct hasher *hasher_of_thread(void)
{
	static _Thread_local struct hasher *own;

	if (!own && hasher_new(&own) < 0)
		return NULL;
	return own;
}

void hasher_sha256(struct hasher *h, const struct span *pieces, unsigned n, uint8_t ret[SHA256_SIZE])
{
	/* On an initialised SHA-256 state these cannot fail: nothing is fetched or allocated. */
	(void)EVP_DigestInit_ex(h->ctx, NULL, NULL);
	for (unsigned i = 0; i < n; i++)
		(void)EVP_DigestUpdate(h->ctx, pieces[i].p, pieces[i].n);
	(void)EVP_DigestFinal_ex(h->ctx, ret, NULL);
}
