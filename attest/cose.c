// SPDX-License-Identifier: Apache-2.0
/*
 * COSE_Sign1. The order of checks is the order in which a reader may begin to believe: encoding, tag,
 * shape, headers; the signature is for the caller, who knows the key.
 */
#include "attest/cose.h"

#include <errno.h>

#include "attest/cbor.h"
#include "user/base/buf.h"

/* RFC 9052 table 3; typ is RFC 9596. */
#define LABEL_ALG 1
#define LABEL_CRIT 2
#define LABEL_CONTENT_TYPE 3
#define LABEL_KID 4
#define LABEL_TYP 16

static int refuse(const char *code, const char **ret_code)
{
	*ret_code = code;
	return -EINVAL;
}

static bool is_label(const struct cbor_item *name, uint64_t label)
{
	return name->type == CBOR_UINT && name->value == label;
}

static int take_alg(const struct cbor_item *v, struct cose_sign1 *s)
{
	if ((v->type != CBOR_UINT && v->type != CBOR_NINT) || v->value > INT64_MAX)
		return -EINVAL;
	s->alg = v->type == CBOR_UINT ? (int64_t)v->value : -1 - (int64_t)v->value;
	return 0;
}

static int take_bytes(const struct cbor_item *v, enum cbor_type type, struct span *ret)
{
	if (v->type != type || v->bytes.n == 0)
		return -EINVAL;
	*ret = v->bytes;
	return 0;
}

static int take_parameter(const struct cbor_item *name, const struct cbor_item *v, struct cose_sign1 *s)
{
	if (is_label(name, LABEL_ALG))
		return take_alg(v, s);
	if (is_label(name, LABEL_KID))
		return take_bytes(v, CBOR_BYTES, &s->kid);
	if (is_label(name, LABEL_CONTENT_TYPE))
		return take_bytes(v, CBOR_TEXT, &s->content_type);
	if (is_label(name, LABEL_TYP))
		return take_bytes(v, CBOR_TEXT, &s->type);
	return 0;
}

static int read_protected(struct cose_sign1 *s, const char **ret_code)
{
	struct span at = s->protected_header;
	struct cbor_item map, name, value;
	bool alg = false;

	if (cbor_check(at) < 0 || cbor_read(&at, &map) < 0 || map.type != CBOR_MAP)
		return refuse("protected-header-malformed", ret_code);
	for (uint64_t i = 0; i < map.value; i++) {
		struct span after;

		if (cbor_read(&at, &name) < 0 || (name.type > CBOR_NINT && name.type != CBOR_TEXT))
			return refuse("protected-header-malformed", ret_code);
		after = at;
		if (cbor_skip(&after) < 0 || cbor_read(&at, &value) < 0)
			return refuse("protected-header-malformed", ret_code);
		/* Nothing that may be critical is understood here beyond what is read anyway. */
		if (is_label(&name, LABEL_CRIT))
			return refuse("crit-not-understood", ret_code);
		if (take_parameter(&name, &value, s) < 0)
			return refuse("protected-header-malformed", ret_code);
		alg = alg || is_label(&name, LABEL_ALG);
		at = after;
	}
	return alg ? 0 : refuse("alg-missing", ret_code);
}

static int check_unprotected(struct span *at, const char **ret_code)
{
	struct cbor_item map, name;

	if (cbor_read(at, &map) < 0 || map.type != CBOR_MAP)
		return refuse("not-a-sign1", ret_code);
	for (uint64_t i = 0; i < map.value; i++) {
		if (cbor_read(at, &name) < 0 || (name.type > CBOR_NINT && name.type != CBOR_TEXT) ||
		    cbor_skip(at) < 0)
			return refuse("unprotected-header-malformed", ret_code);
		if (is_label(&name, LABEL_ALG))
			return refuse("alg-unprotected", ret_code);
		if (is_label(&name, LABEL_CRIT))
			return refuse("crit-unprotected", ret_code);
	}
	return 0;
}

int cose_sign1_read(struct span text, struct cose_sign1 *ret, const char **ret_code)
{
	struct cose_sign1 s = { 0 };
	struct cbor_item item;
	int r;

	if (text.n > COSE_MAX)
		return refuse("cose-too-long", ret_code);
	if (cbor_check(text) < 0)
		return refuse("cbor-malformed", ret_code);
	if (cbor_read(&text, &item) < 0 || item.type != CBOR_TAG)
		return refuse("tag-missing", ret_code);
	if (item.value != COSE_TAG_SIGN1)
		return refuse("tag-not-sign1", ret_code);
	if (cbor_read(&text, &item) < 0 || item.type != CBOR_ARRAY || item.value != 4)
		return refuse("not-a-sign1", ret_code);
	if (cbor_read(&text, &item) < 0 || item.type != CBOR_BYTES)
		return refuse("not-a-sign1", ret_code);
	s.protected_header = item.bytes;
	r = read_protected(&s, ret_code);
	if (r == 0)
		r = check_unprotected(&text, ret_code);
	if (r < 0)
		return r;
	if (cbor_read(&text, &item) < 0)
		return refuse("not-a-sign1", ret_code);
	if (item.type == CBOR_SIMPLE && item.value == CBOR_NULL)
		return refuse("payload-detached", ret_code);
	if (item.type != CBOR_BYTES)
		return refuse("not-a-sign1", ret_code);
	s.payload = item.bytes;
	if (cbor_read(&text, &item) < 0 || item.type != CBOR_BYTES)
		return refuse("not-a-sign1", ret_code);
	s.signature = item.bytes;
	*ret = s;
	return 0;
}

static int put_bytes(struct span bytes, struct buf *out)
{
	uint8_t head[5] = { CBOR_BYTES << 5 };
	size_t n = 1;
	int r;

	if (bytes.n < 24) {
		head[0] |= (uint8_t)bytes.n;
	} else {
		n = bytes.n <= UINT8_MAX ? 1 : bytes.n <= UINT16_MAX ? 2 : 4;
		head[0] |= n == 1 ? 24 : n == 2 ? 25 : 26;
		for (size_t i = 0; i < n; i++)
			head[1 + i] = (uint8_t)(bytes.n >> (8 * (n - 1 - i)));
		n++;
	}
	r = buf_append(out, head, n);
	return r < 0 ? r : buf_append(out, bytes.p, bytes.n);
}

/* RFC 9052 section 4.4: [ "Signature1", protected, external data, payload ]. */
static int put_sig_structure(const struct cose_sign1 *s, struct buf *out)
{
	int r = buf_append_str(out, "\x84\x6aSignature1");

	if (r == 0)
		r = put_bytes(s->protected_header, out);
	if (r == 0)
		r = put_bytes(SPAN(""), out);
	return r < 0 ? r : put_bytes(s->payload, out);
}

bool cose_sign1_verify(const struct cose_sign1 *s, const uint8_t key[ED25519_KEY_SIZE])
{
	_cleanup_buf_ struct buf b = { 0 };

	return (s->alg == COSE_ALG_EDDSA || s->alg == COSE_ALG_ED25519) &&
	       s->signature.n == ED25519_SIGNATURE_SIZE && put_sig_structure(s, &b) == 0 &&
	       ed25519_verify(key, buf_span(&b), (const uint8_t *)s->signature.p);
}
