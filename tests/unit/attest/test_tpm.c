// SPDX-License-Identifier: Apache-2.0
/* Quotes of our own making: each lie is signed validly, so only the verifier's own checks can refuse it. */
#include "attest/tpm_verify.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <string.h>

#include "attest/tpm_enrolment.h"
#include "attest/tpm_signature.h"
#include "tests/unit/attest/tpm_maker.h"
#include "user/base/digest.h"

#define AT 1700000000
#define NONCE SPAN("thirty-two bytes of qualifying d")

/* One quote and what is told to the verifier about it; a test changes one thing. */
struct made {
	uint32_t magic, attributes, mask;
	uint16_t type, alg, scheme;
	struct span extra;
	bool second_bank, trailing, pem;
	struct buf quote, signature, ak, pcrs;
	struct span nonce;
	const char *policy; /* JSON with one %s: the hex of the key's Name */
};

static EVP_PKEY *ec, *rsa, *other;

static void pcr_value(unsigned i, uint8_t ret[32])
{
	memset(ret, 0, 32);
	ret[0] = (uint8_t)(i + 1);
}

static struct made sample(void)
{
	return (struct made){
		.magic = TPM_GENERATED_MAGIC, .attributes = MAKER_AK, .mask = 1u << 0 | 1u << 7 | 1u << 14,
		.type = TPM_ST_QUOTE, .alg = TPM_HASH_SHA256, .scheme = TPM_ALG_ECDSA, .extra = NONCE, .nonce = NONCE,
		.policy = "{\"version\":1,\"tpm\":{\"ak_names\":[\"%s\"],\"selection\":{\"sha256\":[\"0\",\"7\",\"14\"]},"
			  "\"pcrs\":{\"sha256\":{\"0\":\"0100000000000000000000000000000000000000000000000000000000000000\","
			  "\"7\":[\"0800000000000000000000000000000000000000000000000000000000000000\"]}}}}",
	};
}

static void build(struct made *m)
{
	EVP_PKEY *key = m->scheme == TPM_ALG_ECDSA ? ec : rsa;
	uint8_t value[32], digest[32];

	for (unsigned i = 0; i < TPM_PCRS; i++)
		if (m->mask >> i & 1) {
			pcr_value(i, value);
			buf_append(&m->pcrs, value, 32);
		}
	sha256(buf_span(&m->pcrs).p, buf_len(&m->pcrs), digest);
	make_head(&m->quote, m->magic, m->type, m->extra);
	be(&m->quote, m->second_bank ? 2 : 1, 4);
	make_selection(&m->quote, m->alg, m->mask);
	if (m->second_bank)
		make_selection(&m->quote, TPM_HASH_SHA384, 0);
	be_lp(&m->quote, (struct span){ (char *)digest, 32 });
	if (m->trailing)
		be(&m->quote, 0, 1);
	make_signature(&m->signature, key, buf_span(&m->quote), m->scheme);
	make_public(&m->ak, key, m->attributes, m->scheme);
}

static void done(struct made *m)
{
	buf_done(&m->quote);
	buf_done(&m->signature);
	buf_done(&m->ak);
	buf_done(&m->pcrs);
}

static void read_policy(const struct made *m, struct attest_policy *p)
{
	struct policy_error e = { { 0 } };
	struct tpm_public pub;
	struct tpm_name name;
	char hex[2 * TPM_NAME_MAX + 1], text[1024];

	attest_policy_init(p);
	assert_int_equal(tpm_public_parse(buf_span(&m->ak), &pub), 0);
	assert_int_equal(tpm_public_name(&pub, &name), 0);
	hex_encode(name.bytes, name.n, hex);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	(void)snprintf(text, sizeof(text), m->policy, hex);
#pragma GCC diagnostic pop
	if (attest_policy_read(p, span_of(text), &e) < 0)
		fail_msg("%s", e.text);
}

static enum attest_status judge(const struct made *m, const struct attest_policy *p, struct attest_result *res)
{
	const struct attest_tpm in = {
		.quote = { .quote = buf_span(&m->quote), .signature = buf_span(&m->signature),
			   .pcrs = buf_span(&m->pcrs), .nonce = m->nonce, .have_nonce = m->nonce.p != NULL },
		.ak = buf_span(&m->ak),
	};

	attest_result_init(res, "tpm", AT);
	assert_int_equal(attest_verify_tpm(&in, p, res), 0);
	return attest_appraise(res, p);
}

/* The status, and the verdict of the field that decided. */
static void expect_made(struct made m, enum attest_status want, const char *field, enum attest_verdict verdict)
{
	struct attest_policy p;
	struct attest_result res;
	const struct attest_finding *f;
	enum attest_status got;

	if (buf_len(&m.quote) == 0)
		build(&m);
	read_policy(&m, &p);
	got = judge(&m, &p, &res);
	f = attest_finding(&res, field);
	if (got != want || !f || f->verdict != verdict) {
		for (unsigned i = 0; i < res.n_findings; i++)
			print_message("%s %s: %s\n", attest_verdict_text(res.findings[i].verdict),
				      res.findings[i].field, res.findings[i].reason);
		fail_msg("%s: %s, expected %s", field, attest_status_text(got), attest_status_text(want));
	}
	attest_result_done(&res);
	attest_policy_done(&p);
	done(&m);
}

static void a_true_quote_affirms(void **state)
{
	struct made m = sample();

	expect_made(m, ATTEST_AFFIRMING, "tpm.pcrs", ATTEST_PASS);
	m.scheme = TPM_ALG_RSASSA;
	expect_made(m, ATTEST_AFFIRMING, "tpm.signature", ATTEST_PASS);
	m.scheme = TPM_ALG_RSAPSS;
	expect_made(m, ATTEST_AFFIRMING, "tpm.signature", ATTEST_PASS);
}

static void validly_signed_lies_are_refused(void **state)
{
	struct made m = sample();

	m.magic = 0x58585858;
	expect_made(m, ATTEST_REJECTED, "tpm.magic", ATTEST_FAIL);
	m = sample();
	m.type = TPM_ST_CERTIFY; /* two byte strings where a quote has its selection */
	expect_made(m, ATTEST_REJECTED, "tpm.quote", ATTEST_FAIL);
	m = sample();
	m.extra = SPAN("");
	expect_made(m, ATTEST_REJECTED, "tpm.nonce", ATTEST_FAIL);
	m = sample();
	m.extra = SPAN("thirty-two bytes of qualifying x");
	expect_made(m, ATTEST_REJECTED, "tpm.nonce", ATTEST_FAIL);
	m = sample();
	m.nonce = SPAN(""); /* an empty expectation is none, and never met */
	m.extra = SPAN("");
	expect_made(m, ATTEST_REJECTED, "tpm.nonce", ATTEST_FAIL);
	m = sample();
	m.mask |= 1u << 1;
	expect_made(m, ATTEST_REJECTED, "tpm.selection", ATTEST_FAIL);
	m = sample();
	m.mask = 1u << 0 | 1u << 7;
	expect_made(m, ATTEST_REJECTED, "tpm.selection", ATTEST_FAIL);
	m = sample();
	m.alg = TPM_HASH_SHA384; /* the same bytes could pass for another bank's */
	expect_made(m, ATTEST_REJECTED, "tpm.selection", ATTEST_FAIL);
	m = sample();
	m.second_bank = true;
	expect_made(m, ATTEST_REJECTED, "tpm.selection", ATTEST_FAIL);
	m = sample();
	m.trailing = true;
	expect_made(m, ATTEST_REJECTED, "tpm.quote", ATTEST_FAIL);
	m = sample();
	m.attributes = 0x00040472; /* signs anything */
	expect_made(m, ATTEST_REJECTED, "tpm.ak.attributes", ATTEST_FAIL);
	for (unsigned bit = 0; bit < 32; bit++) {
		m = sample();
		if (!(m.attributes >> bit & 1) || 1u << bit == 0x40 /* userWithAuth is free */)
			continue;
		m.attributes &= ~(1u << bit);
		expect_made(m, ATTEST_REJECTED, "tpm.ak.attributes", ATTEST_FAIL);
	}
	m = sample();
	m.attributes |= TPM_OBJ_DECRYPT;
	expect_made(m, ATTEST_REJECTED, "tpm.ak.attributes", ATTEST_FAIL);
}

static void what_is_not_known_stays_open(void **state)
{
	struct made m = sample();

	m.nonce = (struct span){ 0 };
	expect_made(m, ATTEST_INCOMPLETE, "tpm.nonce", ATTEST_NOT_CHECKED);
	m = sample();
	m.policy = "{\"version\":1,\"tpm\":{\"ak_names\":[\"%s\"]}}";
	expect_made(m, ATTEST_INCOMPLETE, "tpm.expected", ATTEST_NOT_CHECKED);
	m = sample();
	m.policy = "{\"version\":1,\"require\":[\"%.0s\"],\"tpm\":{\"pcrs\":{\"sha256\":{\"0\":"
		   "\"0100000000000000000000000000000000000000000000000000000000000000\"}}}}";
	expect_made(m, ATTEST_INCOMPLETE, "tpm.ak.provenance", ATTEST_NOT_CHECKED);
	m = sample();
	build(&m);
	buf_clear(&m.pcrs);
	expect_made(m, ATTEST_REJECTED, "tpm.expected", ATTEST_FAIL); /* expected, and told by nobody */
}

static void resettable_registers_prove_nothing(void **state)
{
	struct made m = sample();

	m.mask = 1u << 16 | 1u << 23;
	m.policy = "{\"version\":1,\"tpm\":{\"ak_names\":[\"%s\"],\"selection\":{\"sha256\":[\"16\",\"23\"]}}}";
	expect_made(m, ATTEST_REJECTED, "tpm.resettable", ATTEST_FAIL);
	m = sample();
	m.mask |= 1u << 16;
	m.policy = "{\"version\":1,\"tpm\":{\"ak_names\":[\"%s\"],\"pcrs\":{\"sha256\":{\"16\":"
		   "\"1100000000000000000000000000000000000000000000000000000000000000\"}}}}";
	expect_made(m, ATTEST_REJECTED, "tpm.expected", ATTEST_FAIL);
}

static void wrong_values_and_keys_are_refused(void **state)
{
	struct made m = sample();

	build(&m);
	m.pcrs.data[m.pcrs.start] ^= 1;
	expect_made(m, ATTEST_REJECTED, "tpm.pcrs", ATTEST_FAIL);
	m = sample();
	m.policy = "{\"version\":1,\"tpm\":{\"ak_names\":[\"%s\"],\"pcrs\":{\"sha256\":{\"7\":"
		   "\"0900000000000000000000000000000000000000000000000000000000000000\"}}}}";
	expect_made(m, ATTEST_REJECTED, "tpm.expected", ATTEST_FAIL);
	m = sample();
	m.policy = "{\"version\":1,\"require\":[\"%.0s\"],\"tpm\":{\"ak_names\":"
		   "[\"000b0000000000000000000000000000000000000000000000000000000000000000\"]}}";
	expect_made(m, ATTEST_REJECTED, "tpm.ak.name", ATTEST_FAIL);
	m = sample();
	m.policy = "{\"version\":1,\"tpm\":{\"ak_names\":[\"%s\"],\"min_resets\":8}}";
	expect_made(m, ATTEST_REJECTED, "tpm.resets", ATTEST_FAIL);
	m = sample();
	m.policy = "{\"version\":1,\"tpm\":{\"ak_names\":[\"%s\"],\"firmware\":\"2020000000000002\"}}";
	expect_made(m, ATTEST_REJECTED, "tpm.firmware", ATTEST_FAIL);
	/* Another key signs, the genuine one is shown. */
	m = sample();
	build(&m);
	buf_clear(&m.signature);
	make_signature(&m.signature, other, buf_span(&m.quote), TPM_ALG_ECDSA);
	expect_made(m, ATTEST_REJECTED, "tpm.signature", ATTEST_FAIL);
	/* RSAPSS where the key says RSASSA. */
	m = sample();
	m.scheme = TPM_ALG_RSASSA;
	build(&m);
	buf_clear(&m.signature);
	make_signature(&m.signature, rsa, buf_span(&m.quote), TPM_ALG_RSAPSS);
	expect_made(m, ATTEST_REJECTED, "tpm.signature", ATTEST_FAIL);
}

/* No single bit of what is signed, of the signature or of the public area can change and still affirm. */
static void every_bit_counts(void **state)
{
	struct made m = sample();
	struct attest_policy p;
	struct buf *parts[] = { &m.quote, &m.signature, &m.ak, &m.pcrs };

	build(&m);
	read_policy(&m, &p);
	for (unsigned k = 0; k < 4; k++)
		for (size_t i = 0; i < buf_len(parts[k]); i++) {
			struct attest_result res;

			parts[k]->data[parts[k]->start + i] ^= (char)(1 << i % 8);
			if (judge(&m, &p, &res) == ATTEST_AFFIRMING)
				fail_msg("part %u byte %zu changed and affirms", k, i);
			attest_result_done(&res);
			parts[k]->data[parts[k]->start + i] ^= (char)(1 << i % 8);
		}
	attest_policy_done(&p);
	done(&m);
}

static void truncation_never_passes(void **state)
{
	struct made m = sample();
	struct tpm_attest a;
	struct tpm_public pub;
	struct tpm_signature sig;

	build(&m);
	for (size_t n = 0; n < buf_len(&m.quote); n++)
		assert_int_equal(tpm_attest_parse((struct span){ buf_span(&m.quote).p, n }, &a), -EBADMSG);
	for (size_t n = 0; n < buf_len(&m.ak); n++)
		assert_int_equal(tpm_public_parse((struct span){ buf_span(&m.ak).p, n }, &pub), -EBADMSG);
	for (size_t n = 0; n < buf_len(&m.signature); n++)
		assert_true(tpm_signature_parse((struct span){ buf_span(&m.signature).p, n }, ec, &sig) < 0);
	done(&m);
}

static void a_certified_key_is_born_in_the_tpm(void **state)
{
	for (unsigned i = 0; i < 4; i++) {
		struct buf object = { 0 }, attest = { 0 }, signature = { 0 };
		struct attest_result res;
		struct tpm_public pub;
		struct tpm_name name;

		make_public(&object, other, i == 1 ? 0x00040040 : 0x00040072, TPM_ALG_ECDSA);
		assert_int_equal(tpm_public_parse(buf_span(&object), &pub), 0);
		assert_int_equal(tpm_public_name(&pub, &name), 0);
		if (i == 2)
			name.bytes[5] ^= 1;
		make_head(&attest, TPM_GENERATED_MAGIC, i == 3 ? TPM_ST_NV : TPM_ST_CERTIFY, NONCE);
		be_lp(&attest, tpm_name_span(&name));
		if (i == 3)
			be(&attest, 0, 2);
		be_lp(&attest, SPAN("qualified"));
		make_signature(&signature, ec, buf_span(&attest), TPM_ALG_ECDSA);
		attest_result_init(&res, "tpm", AT);
		tpm_judge_certify(buf_span(&attest), buf_span(&signature), ec, buf_span(&object), &res);
		res.complete = true;
		assert_int_equal(attest_appraise(&res, NULL), i == 0 ? ATTEST_AFFIRMING : ATTEST_REJECTED);
		attest_result_done(&res);
		buf_done(&object);
		buf_done(&attest);
		buf_done(&signature);
	}
}

static void enrolment_is_the_enrollers_word(void **state)
{
	EVP_PKEY *enroller = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	struct tpm_enrolment e = { .ak_name = SPAN("\0\x0bname"), .ek_certificate = { 1, 2, 3 }, .time = AT }, back;
	uint8_t pub[32], name[TPM_NAME_MAX];
	struct buf b = { 0 };
	size_t n = sizeof(pub);

	assert_int_equal(EVP_PKEY_get_raw_public_key(enroller, pub, &n), 1);
	assert_int_equal(tpm_enrolment_write(&e, enroller, &b), 0);
	assert_int_equal(tpm_enrolment_read(buf_span(&b), pub, name, &back), 0);
	assert_true(span_eq(back.ak_name, e.ak_name));
	assert_int_equal(back.time, AT);
	pub[0] ^= 1;
	assert_true(tpm_enrolment_read(buf_span(&b), pub, name, &back) < 0);
	pub[0] ^= 1;
	for (size_t i = 0; i < buf_len(&b); i++) {
		b.data[b.start + i] ^= 1;
		assert_true(tpm_enrolment_read(buf_span(&b), pub, name, &back) < 0);
		b.data[b.start + i] ^= 1;
	}
	buf_done(&b);
	EVP_PKEY_free(enroller);
}

static int setup(void **state)
{
	ec = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
	other = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
	rsa = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)2048);
	return ec && rsa && other ? 0 : -1;
}

static int teardown(void **state)
{
	EVP_PKEY_free(ec);
	EVP_PKEY_free(rsa);
	EVP_PKEY_free(other);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_true_quote_affirms),
		cmocka_unit_test(validly_signed_lies_are_refused),
		cmocka_unit_test(what_is_not_known_stays_open),
		cmocka_unit_test(resettable_registers_prove_nothing),
		cmocka_unit_test(wrong_values_and_keys_are_refused),
		cmocka_unit_test(every_bit_counts),
		cmocka_unit_test(truncation_never_passes),
		cmocka_unit_test(a_certified_key_is_born_in_the_tpm),
		cmocka_unit_test(enrolment_is_the_enrollers_word),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
