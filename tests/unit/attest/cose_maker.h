/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_TESTS_ATTEST_COSE_MAKER_H
#define TOLLGATE_TESTS_ATTEST_COSE_MAKER_H

#include "attest/cbor.h"
#include "attest/cose.h"
#include "tests/unit/attest/signer.h"

/* Writes CBOR and COSE_Sign1 as a signer does, and wrong ones as nobody should. */

static inline void put_head(struct buf *b, enum cbor_type type, uint64_t v)
{
	unsigned n = v < 24 ? 0 : v <= UINT8_MAX ? 1 : v <= UINT16_MAX ? 2 : v <= UINT32_MAX ? 4 : 8;
	uint8_t head[9] = { (uint8_t)(type << 5 | (n == 0 ? v : n == 1 ? 24 : n == 2 ? 25 : n == 4 ? 26 : 27)) };

	for (unsigned i = 0; i < n; i++)
		head[1 + i] = (uint8_t)(v >> (8 * (n - 1 - i)));
	assert_int_equal(buf_append(b, head, 1 + n), 0);
}

static inline void put_string(struct buf *b, enum cbor_type type, struct span s)
{
	put_head(b, type, s.n);
	assert_int_equal(buf_append(b, s.p, s.n), 0);
}

struct cose_maker {
	uint64_t tag; /* 0: none */
	int64_t alg; /* 0: none */
	struct span kid, type, content_type; /* p NULL: none */
	struct span unprotected; /* an encoded map; p NULL: an empty one */
	struct span payload; /* p NULL: null */
};

static inline void put_protected(struct buf *b, const struct cose_maker *m)
{
	put_head(b, CBOR_MAP, !!m->alg + !!m->kid.p + !!m->type.p + !!m->content_type.p);
	if (m->alg) {
		put_head(b, CBOR_UINT, 1);
		put_head(b, m->alg < 0 ? CBOR_NINT : CBOR_UINT, (uint64_t)(m->alg < 0 ? -1 - m->alg : m->alg));
	}
	if (m->content_type.p) {
		put_head(b, CBOR_UINT, 3);
		put_string(b, CBOR_TEXT, m->content_type);
	}
	if (m->kid.p) {
		put_head(b, CBOR_UINT, 4);
		put_string(b, CBOR_BYTES, m->kid);
	}
	if (m->type.p) {
		put_head(b, CBOR_UINT, 16);
		put_string(b, CBOR_TEXT, m->type);
	}
}

/* The object with a protected header that is given as bytes. */
static inline void put_sign1(struct buf *out, EVP_PKEY *key, const struct cose_maker *m, struct span header)
{
	_cleanup_buf_ struct buf message = { 0 };
	_cleanup_json_ json_t *holder = json_object();
	uint8_t signature[ED25519_SIGNATURE_SIZE];

	put_head(&message, CBOR_ARRAY, 4);
	put_string(&message, CBOR_TEXT, SPAN("Signature1"));
	put_string(&message, CBOR_BYTES, header);
	put_string(&message, CBOR_BYTES, SPAN(""));
	put_string(&message, CBOR_BYTES, m->payload);
	signer_sign(key, holder, "s", buf_span(&message));
	assert_int_equal(base64url_decode(json_member_text(holder, "s"), signature, sizeof(signature)), 0);
	if (m->tag)
		put_head(out, CBOR_TAG, m->tag);
	put_head(out, CBOR_ARRAY, 4);
	put_string(out, CBOR_BYTES, header);
	if (m->unprotected.p)
		assert_int_equal(buf_append(out, m->unprotected.p, m->unprotected.n), 0);
	else
		put_head(out, CBOR_MAP, 0);
	if (m->payload.p)
		put_string(out, CBOR_BYTES, m->payload);
	else
		put_head(out, CBOR_SIMPLE, CBOR_NULL);
	put_string(out, CBOR_BYTES, (struct span){ (const char *)signature, sizeof(signature) });
}

static inline void cose_make(struct buf *out, EVP_PKEY *key, const struct cose_maker *m)
{
	_cleanup_buf_ struct buf header = { 0 };

	put_protected(&header, m);
	put_sign1(out, key, m, buf_span(&header));
}

#endif
