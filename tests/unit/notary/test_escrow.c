// SPDX-License-Identifier: Apache-2.0
#include "user/notary/hpke.c" /* its sender, with an ephemeral key that is given */

#include "tests/unit/notary/log_fixture.h"
#include "user/notary/escrow.h"
#include "user/notary/salt.h"
#include "user/notary/view.h"

/* RFC 9180 A.1.1: what other implementations give for the same keys. */
static const char rfc_info[] = "4f6465206f6e2061204772656369616e2055726e";
static const char rfc_ephemeral[] = "52c4a758a802cd8b936eceea314432798d5baf2d7e9235dc084ab1b9cfa2f736";
static const char rfc_private[] = "4612c550263fc8ad58375df3f557aac531d26850903e55a9f23f21d8534e8ac8";
static const char rfc_public[] = "3948cfe0ad1ddb695d780e59077195da6c56506b027329794ab02bca80815c4d";
static const char rfc_enc[] = "37fda3567bdbd628e88668c3c8d7e97d1d1253b6d4ea6d44c150f741f1bf4431";
static const char rfc_shared[] = "fe0e18c9f024ce43799ae393c7e8fe8fce9d218875e8227b0187c04e7d2ea1fc";
static const char rfc_key[] = "4531685d41d65f03dc48f6b8302c05b0";
static const char rfc_nonce[] = "56d890e5accaaf011cff4b7d";
static const char rfc_text[] = "4265617574792069732074727574682c20747275746820626561757479";
static const char rfc_aad[] = "436f756e742d30";
static const char rfc_sealed[] = "f938558b5d72f1a23810b4be2ab4f84331acc02fc97babc53a52ae8218a355a96d8770ac83d07bea87e13c512a";

static struct span from_hex(const char *hex, uint8_t *to)
{
	assert_int_equal(hex_decode(hex, strlen(hex), to, strlen(hex) / 2), 0);
	return (struct span){ (const char *)to, strlen(hex) / 2 };
}

static void rfc_9180_comes_out(void **state)
{
	uint8_t b[8][64], dh[HPKE_KEY], shared[SHA256_SIZE];
	const struct span info = from_hex(rfc_info, b[0]), aad = from_hex(rfc_aad, b[1]), text = from_hex(rfc_text, b[2]);
	const uint8_t *recipient = (const uint8_t *)from_hex(rfc_public, b[3]).p;
	const uint8_t *private = (const uint8_t *)from_hex(rfc_private, b[4]).p;
	const uint8_t *enc = (const uint8_t *)from_hex(rfc_enc, b[5]).p;
	_cleanup_buf_ struct buf sealed = { 0 }, opened = { 0 };
	struct context c;
	EVP_PKEY *ephemeral;
	uint8_t want[128];

	ephemeral = EVP_PKEY_new_raw_private_key(EVP_PKEY_X25519, NULL, (const uint8_t *)from_hex(rfc_ephemeral, b[6]).p, 32);
	assert_non_null(ephemeral);
	assert_int_equal(diffie_hellman(ephemeral, recipient, dh), 0);
	assert_int_equal(shared_secret(dh, enc, recipient, shared), 0);
	assert_memory_equal(shared, from_hex(rfc_shared, want).p, sizeof(shared));
	assert_int_equal(key_schedule(shared, info, &c), 0);
	assert_memory_equal(c.key, from_hex(rfc_key, want).p, sizeof(c.key));
	assert_memory_equal(c.nonce, from_hex(rfc_nonce, want).p, sizeof(c.nonce));
	assert_int_equal(seal_by(ephemeral, recipient, info, aad, &text, 1, &sealed), 0);
	assert_memory_equal(buf_span(&sealed).p, enc, HPKE_ENC);
	assert_int_equal(buf_len(&sealed), HPKE_ENC + strlen(rfc_sealed) / 2);
	assert_memory_equal(buf_span(&sealed).p + HPKE_ENC, from_hex(rfc_sealed, want).p, strlen(rfc_sealed) / 2);
	assert_int_equal(hpke_open(private, info, aad, buf_span(&sealed), &opened), 0);
	assert_true(span_eq(buf_span(&opened), text));
	EVP_PKEY_free(ephemeral);
}

static void what_was_changed_does_not_open(void **state)
{
	static const uint8_t zero[HPKE_KEY];
	uint8_t key[64], pub[64], other[HPKE_KEY] = { 9 };
	const struct span info = SPAN("info"), aad = SPAN("aad"), text = SPAN("a payload");
	_cleanup_buf_ struct buf sealed = { 0 }, opened = { 0 };
	char *p;

	(void)from_hex(rfc_private, key);
	(void)from_hex(rfc_public, pub);
	assert_int_equal(hpke_seal(pub, info, aad, &text, 1, &sealed), 0);
	assert_int_equal(buf_len(&sealed), text.n + HPKE_OVERHEAD);
	assert_int_equal(hpke_open(other, info, aad, buf_span(&sealed), &opened), -EBADMSG);
	assert_int_equal(hpke_open(key, SPAN("infO"), aad, buf_span(&sealed), &opened), -EBADMSG);
	assert_int_equal(hpke_open(key, info, SPAN("aaD"), buf_span(&sealed), &opened), -EBADMSG);
	p = (char *)(uintptr_t)buf_span(&sealed).p;
	for (size_t i = 0; i < buf_len(&sealed); i++) {
		p[i] ^= 0x40;
		assert_int_equal(hpke_open(key, info, aad, buf_span(&sealed), &opened), -EBADMSG);
		p[i] ^= 0x40;
		assert_int_equal(hpke_open(key, info, aad, (struct span){ p, i }, &opened), -EBADMSG);
	}
	assert_int_equal(buf_len(&opened), 0);
	assert_int_equal(hpke_open(key, info, aad, buf_span(&sealed), &opened), 0);
	assert_int_equal(hpke_seal(zero, info, aad, &text, 1, &sealed), -EIO); /* a point of small order */
}

static void keys_are_read_as_openssl_writes_them(void **state)
{
	static const char public[] = "-----BEGIN PUBLIC KEY-----\n"
		"MCowBQYDK2VuAyEAOUjP4K0d22ldeA5ZB3GV2mxWUGsCcyl5SrAryoCBXE0=\n-----END PUBLIC KEY-----\n";
	static const char private[] = "-----BEGIN PRIVATE KEY-----\n"
		"MC4CAQAwBQYDK2VuBCIEIEYSxVAmP8itWDdd8/VXqsUx0mhQkD5VqfI/IdhTTorI\n-----END PRIVATE KEY-----\n";
	uint8_t key[HPKE_KEY], want[64];

	assert_int_equal(hpke_public_parse(span_of(public), key), 0);
	assert_memory_equal(key, from_hex(rfc_public, want).p, HPKE_KEY);
	assert_int_equal(hpke_private_parse(span_of(private), key), 0);
	assert_int_equal(hpke_public_parse(span_of(private), key), -EINVAL);
	assert_int_equal(hpke_private_parse(span_of(public), key), -EINVAL);
	assert_int_equal(hpke_public_parse(SPAN("rubbish"), key), -EINVAL);
	assert_int_equal(hpke_public_parse((struct span){ 0 }, key), -EINVAL);
}

static struct record_line call(struct log_fixture *f, struct span payload, struct buf *escrow)
{
	char commit[SHA256_PREFIXED_SIZE];
	struct record_line line;
	struct record rec;
	uint8_t pub[64];

	(void)from_hex(rfc_public, pub);
	assert_int_equal(escrow_seal(pub, &f->chain, SALT_REQUEST, payload, escrow), 0);
	record_init(&rec, RECORD_TOOL_CALL, RECORD_ALLOW);
	salt_commit_next(&f->chain, SALT_REQUEST, payload, commit);
	rec.request_payload_hash = span_of(commit);
	assert_int_equal(record_write(f->writer, &rec, &f->chain, FIXTURE_TIME, &line), 0);
	chain_advance(&f->chain, &line);
	return line;
}

static void an_entry_opens_its_record_alone(void **state)
{
	struct log_fixture *f = *state;
	_cleanup_buf_ struct buf escrow = { 0 }, first = { 0 }, second = { 0 }, out = { 0 };
	struct escrow_entry a, b, swapped;
	struct record_view v1, v2;
	uint8_t key[64], other[HPKE_KEY] = { 1 };
	struct record_line line;
	struct span rest;

	(void)from_hex(rfc_private, key);
	(void)fixture_line(f, "x", RECORD_ALLOW);
	line = call(f, SPAN("{\"path\":\"/one\"}"), &escrow);
	assert_int_equal(buf_append(&first, line.text.p, line.text.n), 0);
	assert_int_equal(buf_append(&escrow, "torn tollgate-escrow\n and more", 30), 0); /* of a full disk */
	line = call(f, (struct span){ 0 }, &escrow);
	assert_int_equal(buf_append(&second, line.text.p, line.text.n), 0);
	assert_int_equal(record_view_parse(buf_span(&first), &v1, NULL), 0);
	assert_int_equal(record_view_parse(buf_span(&second), &v2, NULL), 0);

	rest = buf_span(&escrow);
	assert_true(escrow_next(&rest, &a));
	assert_true(escrow_next(&rest, &b));
	assert_false(escrow_next(&rest, &swapped));
	assert_int_equal(a.sequence, 1);
	assert_int_equal(escrow_open(&a, key, &v1, &out), 0);
	assert_true(span_is(buf_span(&out), "{\"path\":\"/one\"}"));
	assert_int_equal(escrow_open(&b, key, &v2, &out), 0); /* an empty one */
	assert_int_equal(buf_len(&out), 15);
	assert_int_equal(escrow_open(&a, key, &v2, &out), -ENOENT);
	assert_int_equal(escrow_open(&a, other, &v1, &out), -EBADMSG);
	swapped = b; /* the head of one on the seal of the other */
	swapped.sealed = a.sealed;
	assert_int_equal(escrow_open(&swapped, key, &v2, &out), -EBADMSG);
}

/* Sealed well by somebody who has the recipient's key, as everybody may, and not what was recorded. */
static void a_payload_that_was_not_recorded_is_told(void **state)
{
	struct log_fixture *f = *state;
	_cleanup_buf_ struct buf escrow = { 0 }, forged = { 0 }, out = { 0 };
	struct chain before;
	struct escrow_entry e;
	struct record_view v;
	uint8_t key[64], pub[64];
	struct record_line line;
	struct span rest;

	(void)from_hex(rfc_private, key);
	(void)from_hex(rfc_public, pub);
	(void)fixture_line(f, "x", RECORD_ALLOW);
	before = f->chain;
	line = call(f, SPAN("true"), &escrow);
	assert_int_equal(escrow_seal(pub, &before, SALT_REQUEST, SPAN("false"), &forged), 0);
	assert_int_equal(record_view_parse(line.text, &v, NULL), 0);
	rest = buf_span(&forged);
	assert_true(escrow_next(&rest, &e));
	assert_int_equal(escrow_open(&e, key, &v, &out), -EUCLEAN);
	assert_int_equal(buf_len(&out), 0);
	chain_done(&before);
}

static void a_full_disk_is_told(void **state)
{
	struct log_fixture *f = *state;
	uint8_t pub[64];
	struct escrow e = { .fd = open("/dev/full", O_WRONLY | O_CLOEXEC) };

	if (e.fd < 0)
		skip();
	memcpy(e.recipient, from_hex(rfc_public, pub).p, sizeof(e.recipient));
	assert_int_equal(escrow_put(&e, &f->chain, SALT_REQUEST, SPAN("x")), -ENOSPC);
	close(e.fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rfc_9180_comes_out),
		cmocka_unit_test(what_was_changed_does_not_open),
		cmocka_unit_test(keys_are_read_as_openssl_writes_them),
		cmocka_unit_test_setup_teardown(an_entry_opens_its_record_alone, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(a_payload_that_was_not_recorded_is_told, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(a_full_disk_is_told, fixture_setup, fixture_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
