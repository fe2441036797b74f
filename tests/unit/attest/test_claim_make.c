// SPDX-License-Identifier: Apache-2.0
/* What is made is judged by the verifier; what has no place in the form is not made. */
#include "attest/claim_make.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "attest/claim.h"
#include "tests/unit/attest/signer.h"

#define NOW 1800000000
#define HASH(d) "sha256:" d d d d d d d d d d d d d d d d
#define POLICY HASH("1111")
#define CATALOG HASH("2222")
#define PROGRAM HASH("3333")
#define ROOT "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define TIP "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

static EVP_PKEY *key;
static struct claim_signer signer;
static struct claim_facts facts;
static int sign_error;

static const struct span tools[] = { { "crm.query", 9 } };
static const struct claim_call transcript[] = { { { "crm.query", 9 }, { "allow", 5 } },
						{ { "wipe \"%22\"", 10 }, { "deny", 4 } } };

static int sign(void *arg, const void *p, size_t n, uint8_t ret[ED25519_SIGNATURE_SIZE])
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	size_t size = ED25519_SIGNATURE_SIZE;

	assert_int_equal(EVP_DigestSignInit(ctx, NULL, NULL, NULL, arg), 1);
	assert_int_equal(EVP_DigestSign(ctx, ret, &size, p, n), 1);
	EVP_MD_CTX_free(ctx);
	return sign_error;
}

static int setup(void **state)
{
	char x[64];

	key = signer_key(9);
	signer_public(key, signer.public_key, x);
	signer.sign = sign;
	signer.arg = key;
	sign_error = 0;
	facts = (struct claim_facts){
		.session_id = SPAN("11111111-2222-4333-8444-555555555555"),
		.made_ns = NOW * UINT64_C(1000000000), .producer = SPAN("tollgate/1"),
		.policy_hash = SPAN(POLICY), .catalog_hash = SPAN(CATALOG), .program_hash = SPAN(PROGRAM),
		.mode = SPAN("enforce"), .data_class = SPAN("unclassified"), .root = SPAN(ROOT), .tip = SPAN(TIP),
		.length = 5, .calls = 2, .denied = 1, .tools = tools, .tools_n = 1, .transcript = transcript,
		.transcript_uri = SPAN("tollgate:node/1?durability=ring"), .number = 1,
	};
	return 0;
}

static int teardown(void **state)
{
	EVP_PKEY_free(key);
	return 0;
}

typedef int make_fn(const struct claim_facts *, const struct claim_signer *, struct buf *);

/* The made document, whose text must be both its canonical forms. */
static json_t *make(make_fn *fn)
{
	_cleanup_buf_ struct buf text = { 0 }, ascii = { 0 }, jcs = { 0 };
	char error[JSON_TEXT_ERROR_SIZE];
	json_t *v;

	assert_int_equal(fn(&facts, &signer, &text), 0);
	assert_int_equal(json_text_read(buf_span(&text), &v, error), 0);
	assert_int_equal(json_canonical(v, JSON_FORM_ASCII, NULL, &ascii), 0);
	assert_int_equal(json_canonical(v, JSON_FORM_JCS, NULL, &jcs), 0);
	assert_true(span_eq(buf_span(&text), buf_span(&ascii)));
	assert_true(span_eq(buf_span(&text), buf_span(&jcs)));
	return v;
}

static void pinned(struct claim_expect *expect)
{
	*expect = (struct claim_expect){ .policy_hash = SPAN(POLICY), .catalog_hash = SPAN(CATALOG),
					 .key = signer.public_key };
}

/* Everything pinned: nothing but the missing hardware may keep the result from affirming. */
static unsigned open_fields(const struct attest_result *res, const char *but)
{
	unsigned n = 0;

	for (unsigned i = 0; i < res->n_findings; i++)
		if (attest_blocks(&res->findings[i], NULL) && strcmp(res->findings[i].field, but) != 0) {
			print_error("%s %s: %s\n", res->findings[i].field, res->findings[i].code,
				    res->findings[i].reason);
			n++;
		}
	return n;
}

static void test_claim(void **state)
{
	_cleanup_json_ json_t *claim = make(gateway_claim_make);
	struct claim_expect expect;
	struct attest_result res;

	pinned(&expect);
	attest_result_init(&res, "claim", NOW + 60);
	assert_int_equal(claim_verify(claim, &expect, &res), 0);
	assert_int_equal(attest_exit_status(attest_appraise(&res, NULL)), 3);
	assert_string_equal(attest_finding(&res, "claim.platform")->code, "software-only");
	assert_int_equal(open_fields(&res, "claim.platform"), 0);
	attest_result_done(&res);
}

static void test_record(void **state)
{
	_cleanup_json_ json_t *record = make(trust_record_make);
	struct claim_expect expect;
	struct attest_result res;
	char why[120];

	pinned(&expect);
	attest_result_init(&res, "record", NOW + 60);
	assert_int_equal(trust_record_verify(record, &expect, &res), 0);
	assert_int_equal(attest_exit_status(attest_appraise(&res, NULL)), 3);
	assert_string_equal(attest_finding(&res, "record.platform")->code, "software-only");
	assert_string_equal(attest_finding(&res, "record.appraisal")->code, "not-affirming");
	assert_true(trust_record_level(record, 0, why, sizeof(why)));
	assert_false(trust_record_level(record, 1, why, sizeof(why)));
	attest_result_done(&res);
}

/* Sets a member of v that is no container to something else of its type. */
static bool spoil(json_t *object, const char *name)
{
	json_t *v = json_object_get(object, name);
	char *copy;

	if (json_is_string(v)) {
		copy = strdup(json_string_value(v));
		assert_non_null(copy);
		if (*copy)
			copy[strlen(copy) - 1] ^= 1;
		json_object_set_new(object, name, json_string(*copy ? copy : "x"));
		free(copy);
	} else if (json_is_integer(v)) {
		json_object_set_new(object, name, json_integer(json_integer_value(v) + 1));
	} else if (json_is_boolean(v)) {
		json_object_set_new(object, name, json_boolean(!json_is_true(v)));
	} else {
		return false;
	}
	return true;
}

static enum attest_status judge(const json_t *v)
{
	struct claim_expect expect = { 0 };
	struct attest_result res;
	enum attest_status s;

	attest_result_init(&res, "edited", NOW + 60);
	if (claim_kind(v) == CLAIM_GATEWAY)
		assert_int_equal(claim_verify(v, &expect, &res), 0);
	else
		assert_int_equal(trust_record_verify(v, &expect, &res), 0);
	s = attest_appraise(&res, NULL);
	attest_result_done(&res);
	return s;
}

/* Every member, however deep, changed and then taken away. */
static unsigned edit_all(json_t *whole, json_t *at)
{
	_cleanup_json_ json_t *before = json_copy(at);
	const char *name;
	json_t *v;
	unsigned n = 0;

	if (json_is_array(at)) {
		for (size_t i = 0; i < json_array_size(at); i++)
			n += edit_all(whole, json_array_get(at, i));
		return n;
	}
	json_object_foreach (before, name, v) {
		n += edit_all(whole, v);
		if (spoil(at, name)) {
			assert_int_equal(judge(whole), ATTEST_REJECTED);
			json_object_set(at, name, v);
			n++;
		}
		json_object_del(at, name);
		assert_int_equal(judge(whole), ATTEST_REJECTED);
		json_object_set(at, name, v);
		n++;
	}
	return n;
}

static void test_every_edit_is_refused(void **state)
{
	_cleanup_json_ json_t *claim = make(gateway_claim_make), *record = make(trust_record_make);

	assert_int_not_equal(judge(claim), ATTEST_REJECTED);
	assert_true(edit_all(claim, claim) > 80);
	assert_int_not_equal(judge(claim), ATTEST_REJECTED);
	assert_true(edit_all(record, record) > 40);
	assert_int_not_equal(judge(record), ATTEST_REJECTED);
}

static void test_line_of_claims(void **state)
{
	_cleanup_json_ json_t *first = make(gateway_claim_make), *second = NULL;
	struct claim_expect expect;
	struct attest_result res;
	char hash[SHA256_PREFIXED_SIZE];
	uint8_t digest[SHA256_SIZE];

	assert_int_equal(json_canonical_sha256(first, JSON_FORM_ASCII, NULL, digest), 0);
	sha256_prefixed(digest, hash);
	facts.number = 2;
	facts.previous = span_of(hash);
	second = make(gateway_claim_make);
	pinned(&expect);
	expect.previous = first;
	attest_result_init(&res, "claim", NOW + 60);
	assert_int_equal(claim_verify(second, &expect, &res), 0);
	assert_int_equal(open_fields(&res, "claim.platform"), 0);
	attest_result_done(&res);
}

static void test_identity(void **state)
{
	const struct claim_identity identity = {
		.manifest_id = SPAN("m-1"), .agent_id = SPAN("spiffe://example.org/agent/a"),
		.issuer = SPAN("spiffe://example.org/issuer"), .issuer_key_id = SPAN("k1"),
		.subject_source = SPAN("config"), .policy_bundle_hash = SPAN(POLICY),
		.tool_catalog_hash = SPAN(CATALOG),
	};
	_cleanup_json_ json_t *claim = NULL;

	facts.identity = &identity;
	claim = make(gateway_claim_make);
	assert_int_equal(judge(claim), ATTEST_INCOMPLETE);
	assert_true(span_is(json_member_text(json_path(claim, "gateway.agent_identity"), "manifest_id"), "m-1"));
}

/* A platform that is hardware is bound to key and chain, and carries what it gave. */
static void test_platform(void **state)
{
	const struct claim_platform platform = { .name = SPAN("tpm2"), .measurement = SPAN(HASH("4444")),
						 .raw_evidence = SPAN("quote"), .quote_signature = SPAN("sig") };
	uint8_t nonce[CLAIM_NONCE_SIZE], want[CLAIM_NONCE_SIZE];
	_cleanup_json_ json_t *claim = NULL;

	facts.platform = &platform;
	claim = make(gateway_claim_make);
	assert_int_equal(base64url_decode(json_member_text(json_path(claim, "trace.runtime"), "nonce"), nonce,
					  sizeof(nonce)), 0);
	assert_int_equal(claim_nonce(signer.public_key, facts.root, want), 0);
	assert_memory_equal(nonce, want, sizeof(want));
	assert_true(span_is(json_member_text(json_path(claim, "gateway.attestation_evidence"), "raw_evidence"),
			    "cXVvdGU"));
	assert_int_equal(judge(claim), ATTEST_INCOMPLETE); /* never affirming on a quote that nobody judged */
}

static void refused(make_fn *fn, int error)
{
	_cleanup_buf_ struct buf text = { 0 };

	assert_int_equal(fn(&facts, &signer, &text), error);
	assert_int_equal(buf_len(&text), 0);
	(void)teardown(NULL);
	(void)setup(NULL);
}

static void test_refused(void **state)
{
	facts.data_class = SPAN("caf\xc3\xa9"); /* the two forms write it differently */
	refused(gateway_claim_make, -EINVAL);
	facts.data_class = SPAN("\xff");
	refused(trust_record_make, -EINVAL);
	facts.policy_hash = SPAN("sha256:12");
	refused(gateway_claim_make, -EINVAL);
	facts.program_hash = SPAN("");
	refused(trust_record_make, -EINVAL);
	facts.mode = SPAN("enforcing");
	refused(gateway_claim_make, -EINVAL);
	facts.denied = 3;
	refused(gateway_claim_make, -EINVAL);
	facts.number = 2; /* and no previous claim */
	refused(gateway_claim_make, -EINVAL);
	facts.previous = SPAN(POLICY); /* of the first */
	refused(gateway_claim_make, -EINVAL);
	facts.made_ns = 0; /* a clock that was never set */
	refused(gateway_claim_make, -EINVAL);
	sign_error = -EIO;
	refused(gateway_claim_make, -EIO);
}

/* Too many calls to name: the transcript has its hash and its count. */
static void test_no_entries(void **state)
{
	_cleanup_json_ json_t *claim = NULL;

	facts.transcript = NULL;
	claim = make(gateway_claim_make);
	assert_null(json_path(claim, "trace.tool_transcript.entries"));
	assert_int_equal(judge(claim), ATTEST_INCOMPLETE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_claim, setup, teardown),
		cmocka_unit_test_setup_teardown(test_record, setup, teardown),
		cmocka_unit_test_setup_teardown(test_every_edit_is_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(test_line_of_claims, setup, teardown),
		cmocka_unit_test_setup_teardown(test_identity, setup, teardown),
		cmocka_unit_test_setup_teardown(test_platform, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_entries, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
