// SPDX-License-Identifier: Apache-2.0
/*
 * The binding statement: what evidence is asked to cover, as bytes and as digests.
 */
#include <errno.h>
#include <openssl/sha.h>
#include <string.h>

#include "attest/attest.h"

#define DOMAIN "tollgate/attest-binding/v1" /* with its NUL */

static int put_lp(struct buf *out, struct span s, size_t max)
{
	uint8_t n[4] = { (uint8_t)(s.n >> 24), (uint8_t)(s.n >> 16), (uint8_t)(s.n >> 8), (uint8_t)s.n };
	int r;

	if (s.n > max)
		return -EMSGSIZE;
	r = buf_append(out, n, sizeof(n));
	return r < 0 ? r : buf_append(out, s.p, s.n);
}

int attest_statement(const struct attest_binding *b, struct buf *out)
{
	const struct span fields[] = {
		b->public_key, b->cosign_key, b->policy_hash, b->catalog_hash, b->mode,
		b->program_hash, b->kernel_program_hash, b->boot_id, b->origin,
	};
	uint8_t size[8];
	int r;

	for (int i = 0; i < 8; i++)
		size[i] = (uint8_t)(b->tree_size >> (56 - 8 * i));
	r = buf_append(out, DOMAIN, sizeof(DOMAIN));
	if (r == 0)
		r = put_lp(out, b->nonce, ATTEST_NONCE_MAX);
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]) && r == 0; i++)
		r = put_lp(out, fields[i], ATTEST_TEXT_MAX);
	if (r == 0)
		r = buf_append(out, size, sizeof(size));
	return r < 0 ? r : put_lp(out, b->tree_root, ATTEST_NONCE_MAX);
}

int attest_binding(const struct attest_binding *b, struct attest_digests *ret)
{
	_cleanup_buf_ struct buf s = { 0 };
	int r = attest_statement(b, &s);

	if (r < 0)
		return r;
	/* They take memory, and leave the digest as it was when there is none. */
	if (!SHA256((const uint8_t *)buf_span(&s).p, buf_len(&s), ret->sha256) ||
	    !SHA512((const uint8_t *)buf_span(&s).p, buf_len(&s), ret->sha512))
		return -ENOMEM;
	return 0;
}
