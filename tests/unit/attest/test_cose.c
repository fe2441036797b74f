// SPDX-License-Identifier: Apache-2.0
#include "attest/cose.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "attest/ed25519_key.h"
#include "tests/unit/attest/cose_maker.h"
#include "user/base/file.h"

static EVP_PKEY *key;
static uint8_t public[ED25519_KEY_SIZE];
static struct cose_maker maker;
static struct buf object;

static int make(void **state)
{
	char x[64];

	key = signer_key(7);
	signer_public(key, public, x);
	maker = (struct cose_maker){ COSE_TAG_SIGN1, COSE_ALG_ED25519, SPAN("kid"), SPAN("a/b+cose"), SPAN("a/b"),
				     { 0 }, SPAN("payload") };
	object = (struct buf){ 0 };
	return 0;
}

static int unmake(void **state)
{
	EVP_PKEY_free(key);
	buf_done(&object);
	return 0;
}

static void rebuild(void)
{
	buf_clear(&object);
	cose_make(&object, key, &maker);
}

static void refused(const char *code)
{
	const char *why = "accepted";
	struct cose_sign1 s;

	assert_int_equal(cose_sign1_read(buf_span(&object), &s, &why), -EINVAL);
	assert_string_equal(why, code);
}

static void accepted(void)
{
	const char *why = "";
	struct cose_sign1 s;

	if (cose_sign1_read(buf_span(&object), &s, &why) < 0)
		fail_msg("refused: %s", why);
	assert_true(cose_sign1_verify(&s, public));
}

static void sound(void **state)
{
	const char *why;
	struct cose_sign1 s;

	rebuild();
	accepted();
	assert_int_equal(cose_sign1_read(buf_span(&object), &s, &why), 0);
	assert_int_equal(s.alg, COSE_ALG_ED25519);
	assert_true(span_is(s.kid, "kid"));
	assert_true(span_is(s.type, "a/b+cose"));
	assert_true(span_is(s.content_type, "a/b"));
	assert_true(span_is(s.payload, "payload"));
	maker.alg = COSE_ALG_EDDSA;
	rebuild();
	accepted();
}

/* The lengths at which the head of the payload, and so of what is signed, grows. */
static void lengths(void **state)
{
	static char text[65537];
	static const size_t sizes[] = { 1, 23, 24, 255, 256, 65535, 65536 };

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		maker.payload = (struct span){ text, sizes[i] };
		rebuild();
		accepted();
	}
}

static void frames(void **state)
{
	char *room;

	maker.tag = 0;
	rebuild();
	refused("tag-missing");
	maker.tag = 98;
	rebuild();
	refused("tag-not-sign1");
	maker.tag = COSE_TAG_SIGN1;
	maker.payload = (struct span){ 0 };
	rebuild();
	refused("payload-detached");
	maker.payload = SPAN("payload");
	rebuild();
	assert_int_equal(buf_append(&object, "\0", 1), 0);
	refused("cbor-malformed");
	buf_clear(&object);
	assert_int_equal(buf_reserve(&object, COSE_MAX + 1, &room), 0);
	memset(room, 0, COSE_MAX + 1);
	buf_commit(&object, COSE_MAX + 1);
	refused("cose-too-long");
	buf_clear(&object);
	assert_int_equal(buf_append(&object, "\xd2\x83\x40\xa0\x40", 5), 0);
	refused("not-a-sign1");
	buf_clear(&object);
	assert_int_equal(buf_append(&object, "\xd2\x84\xa1\x01\x32\xa0\x40\x40", 8), 0);
	refused("not-a-sign1"); /* a protected header that is no byte string */
}

static void with_header(const char *bytes, size_t n)
{
	buf_clear(&object);
	put_sign1(&object, key, &maker, (struct span){ bytes, n });
}

static void protected_headers(void **state)
{
	maker.alg = 0;
	rebuild();
	refused("alg-missing");
	with_header("\xa2\x01\x32\x02\x81\x10", 6);
	refused("crit-not-understood");
	with_header("\xa1\x01\x61\x61", 4);
	refused("protected-header-malformed"); /* alg is a text */
	with_header("\xa2\x01\x32\x04\x61\x61", 6);
	refused("protected-header-malformed"); /* kid is a text */
	with_header("\xa2\x01\x32\x04\x40", 5);
	refused("protected-header-malformed"); /* kid is empty */
	with_header("\xa2\x01\x32\x01\x27", 5);
	refused("protected-header-malformed"); /* alg twice */
	with_header("\xa1\x01\x3b\xff\xff\xff\xff\xff\xff\xff\xff", 11);
	refused("protected-header-malformed"); /* alg is -2^64 */
	with_header("\xa1\x18\x01\x32", 4);
	refused("protected-header-malformed"); /* the label 1 in two bytes */
	with_header("\xa1\x40\x32", 3);
	refused("protected-header-malformed"); /* a label of bytes */
	with_header("\x81\x01", 2);
	refused("protected-header-malformed");
	with_header("", 0);
	refused("protected-header-malformed");
	with_header("\xa2\x01\x32\x07\x81\x81\x00", 7);
	accepted(); /* what is not understood and not critical is let be */
}

static void unprotected_headers(void **state)
{
	maker.unprotected = SPAN("\xa1\x01\x27");
	rebuild();
	refused("alg-unprotected");
	maker.unprotected = SPAN("\xa1\x02\x81\x10");
	rebuild();
	refused("crit-unprotected");
	maker.unprotected = SPAN("\xa1\x40\x00");
	rebuild();
	refused("unprotected-header-malformed");
	maker.unprotected = SPAN("\x80");
	rebuild();
	refused("not-a-sign1");
	maker.unprotected = SPAN("\xa2\x04\x41\x00\x19\x01\x8a\x81\x40");
	rebuild();
	accepted(); /* a kid that is not read, and a receipt */
}

static void every_changed_bit(void **state)
{
	_cleanup_buf_ struct buf copy = { 0 };
	size_t n;

	rebuild();
	n = buf_len(&object);
	assert_int_equal(buf_append(&copy, buf_span(&object).p, n), 0);
	for (size_t bit = 0; bit < 8 * n; bit++) {
		char *p = copy.data + copy.start + bit / 8;
		const char *why;
		struct cose_sign1 s;

		*p = (char)(*p ^ 1 << bit % 8);
		if (cose_sign1_read(buf_span(&copy), &s, &why) == 0 && cose_sign1_verify(&s, public))
			fail_msg("bit %zu makes no difference", bit);
		*p = (char)(*p ^ 1 << bit % 8);
	}
	for (size_t cut = 0; cut < n; cut++) {
		const char *why;
		struct cose_sign1 s;

		assert_int_equal(cose_sign1_read((struct span){ copy.data + copy.start, cut }, &s, &why), -EINVAL);
	}
}

static void other_algorithms(void **state)
{
	static const int64_t others[] = { -7, -49, 19, INT64_MAX, INT64_MIN };

	for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
		const char *why;
		struct cose_sign1 s;

		maker.alg = others[i];
		rebuild();
		assert_int_equal(cose_sign1_read(buf_span(&object), &s, &why), 0);
		assert_int_equal(s.alg, others[i]);
		assert_false(cose_sign1_verify(&s, public));
	}
}

/* A signature of 63 bytes is none, wherever its memory ends. */
static void short_signature(void **state)
{
	_cleanup_free_ uint8_t *exact = malloc(ED25519_SIGNATURE_SIZE - 1);
	const char *why;
	struct cose_sign1 s;

	rebuild();
	assert_int_equal(cose_sign1_read(buf_span(&object), &s, &why), 0);
	assert_non_null(exact);
	memcpy(exact, s.signature.p, ED25519_SIGNATURE_SIZE - 1);
	s.signature = (struct span){ (const char *)exact, ED25519_SIGNATURE_SIZE - 1 };
	assert_false(cose_sign1_verify(&s, public));
	rebuild();
	assert_int_equal(cose_sign1_read(buf_span(&object), &s, &why), 0);
	s.signature.n--; /* the missing byte lies behind it */
	assert_false(cose_sign1_verify(&s, public));
}

/* --- points and scalars --------------------------------------------------------------------------- */

static void keys_of_small_order(void **state)
{
	static const char *const bad[] = {
		"0000000000000000000000000000000000000000000000000000000000000000",
		"0000000000000000000000000000000000000000000000000000000000000080",
		"0100000000000000000000000000000000000000000000000000000000000000",
		"0100000000000000000000000000000000000000000000000000000000000080",
		"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
		"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
		"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
		"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
		"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
		/* p to 2^255-1: the coordinates 0 to 18 once more */
		"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"f0ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
	};
	uint8_t raw[ED25519_KEY_SIZE];

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal(hex_decode(bad[i], 64, raw, sizeof(raw)), 0);
		if (ed25519_key_is_sound(raw))
			fail_msg("%s", bad[i]);
	}
	assert_true(ed25519_key_is_sound(public));
	memset(raw, 0xff, sizeof(raw));
	raw[0] = 0xeb; /* p - 2 */
	raw[31] = 0x7f;
	assert_true(ed25519_key_is_sound(raw));
	raw[0] = 0xff;
	raw[30] = 0xfe;
	assert_true(ed25519_key_is_sound(raw));
}

/* S + L is the same number to a verifier that reduces it. */
static void scalars_are_reduced(void **state)
{
	static const uint8_t order[ED25519_KEY_SIZE] = { 0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7,
							 0xa2, 0xde, 0xf9, 0xde, 0x14, [31] = 0x10 };
	const char *why;
	struct cose_sign1 s;
	unsigned carry = 0;

	rebuild();
	assert_int_equal(cose_sign1_read(buf_span(&object), &s, &why), 0);
	assert_true(cose_sign1_verify(&s, public));
	for (unsigned i = 0; i < 32; i++) {
		uint8_t *p = (uint8_t *)(uintptr_t)s.signature.p + 32 + i;

		carry += *p + order[i];
		*p = (uint8_t)carry;
		carry >>= 8;
	}
	assert_int_equal(carry, 0);
	assert_false(cose_sign1_verify(&s, public));
}

/* --- vectors ---------------------------------------------------------------------------------------- */

static json_t *load(const char *path, bool *ret_skip)
{
	const char *dir = getenv("TOLLGATE_VECTORS");
	_cleanup_buf_ struct buf b = { 0 };
	char full[1024], error[JSON_TEXT_ERROR_SIZE];
	json_t *v = NULL;

	dir = dir ? dir : "../shared/vectors";
	snprintf(full, sizeof(full), "%s/trace/agent-manifest/python/tests/%s", dir, path);
	*ret_skip = access(dir, R_OK) < 0;
	if (*ret_skip) {
		print_message("skip: no %s\n", dir);
		return NULL;
	}
	assert_int_equal(file_read(full, JSON_TEXT_MAX, &b), 0);
	assert_int_equal(json_text_read(buf_span(&b), &v, error), 0);
	return v;
}

static void read_envelope(const json_t *v, struct buf *out)
{
	struct span hex = json_member_text(v, "envelope_hex");
	char *p;

	assert_int_equal(buf_reserve(out, hex.n / 2, &p), 0);
	assert_int_equal(hex_decode(hex.p, hex.n, (uint8_t *)p, hex.n / 2), 0);
	buf_commit(out, hex.n / 2);
}

/* Made by another implementation of COSE. */
static void other_signers(void **state)
{
	bool no_vectors;
	_cleanup_json_ json_t *v = load("interop/cose_sign1_eddsa.json", &no_vectors), *two = NULL;
	const char *why;
	struct cose_sign1 s;

	if (no_vectors)
		skip();
	read_envelope(v, &object);
	assert_int_equal(base64url_decode(json_member_text(v, "ed25519_public_b64url"), public, sizeof(public)), 0);
	accepted();
	assert_int_equal(cose_sign1_read(buf_span(&object), &s, &why), 0);
	assert_int_equal(s.alg, COSE_ALG_EDDSA);
	/* COSE_Sign is for several signers, one of them with an algorithm that is not known here. */
	two = load("interop/cose_sign_eddsa.json", &no_vectors);
	buf_clear(&object);
	read_envelope(two, &object);
	refused("tag-not-sign1");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, make, unmake)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(sound), TEST(lengths), TEST(frames), TEST(protected_headers), TEST(unprotected_headers),
		TEST(every_changed_bit), TEST(other_algorithms), TEST(short_signature),
		TEST(keys_of_small_order), TEST(scalars_are_reduced),
		TEST(other_signers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
