// SPDX-License-Identifier: Apache-2.0
#include "attest/action_receipt.h"

#include <errno.h>
#include <glob.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "tests/unit/attest/signer.h"
#include "user/base/file.h"

static void sign(json_t *receipt)
{
	EVP_PKEY *key = signer_key(42);

	signer_sign_form(key, receipt, JSON_FORM_JCS);
	EVP_PKEY_free(key);
}

static void hash(const json_t *v, char ret[SHA256_PREFIXED_SIZE])
{
	uint8_t digest[SHA256_SIZE];

	assert_int_equal(json_canonical_sha256(v, JSON_FORM_JCS, NULL, digest), 0);
	sha256_prefixed(digest, ret);
}

/* A receipt for a call of ours, by a controller whose key is known, two minutes before it is judged. */
static json_t *document(void)
{
	EVP_PKEY *key = signer_key(42);
	json_t *action = json_pack("{s:s, s:s, s:s, s:s}", "agent_id", "spiffe://a", "action_type", "move",
				   "action_scope", "arm", "action_timestamp", "2026-07-06T15:22:13Z");
	json_t *evidence = json_pack("{s:s, s:s}", "terminal_state", "done", "physical_completion_claim", "none");
	char x[64], ref[SHA256_PREFIXED_SIZE], evidence_hash[SHA256_PREFIXED_SIZE];
	uint8_t raw[ED25519_KEY_SIZE];
	json_t *receipt, *doc;

	signer_public(key, raw, x);
	EVP_PKEY_free(key);
	hash(action, ref);
	hash(evidence, evidence_hash);
	json_object_set_new(action, "action_ref", json_string(ref));
	receipt = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "issuer", "c",
			    "issuer_key_id", "c#1", "issuer_independence", "separate_process", "linked_call_id",
			    "call", "session_id", "session", "action_ref", ref, "evidence_type", "t", "evidence_hash",
			    evidence_hash, "previous_receipt_hash", "sha256:00", "issued_at", "2026-07-06T15:22:00Z",
			    "decision", "accepted", "signature", "");
	sign(receipt);
	doc = json_pack("{s:{s:s, s:s, s:b, s:s, s:i, s:s}, s:o, s:o, s:{s:{s:s, s:s, s:s}}, s:o}", "context",
			"call_id", "call", "session_id", "session", "require_receipt", 1, "verification_time",
			"2026-07-06T15:24:00Z", "max_receipt_age_seconds", 300, "expected_previous_receipt_hash",
			"sha256:00", "action", action, "evidence", evidence, "trusted_issuer_keys", "c#1", "kty", "OKP",
			"crv", "Ed25519", "x", x, "receipt", receipt);
	assert_non_null(doc);
	return doc;
}

static void judge(const json_t *doc, enum receipt_status status, unsigned faults)
{
	struct receipt_result res;

	assert_int_equal(action_receipt_verify(doc, &res), 0);
	assert_int_equal(res.status, status);
	assert_int_equal(res.faults, faults);
}

static void good(void **state)
{
	_cleanup_json_ json_t *doc = document();
	struct receipt_result res;

	assert_int_equal(action_receipt_verify(doc, &res), 0);
	assert_int_equal(res.status, RECEIPT_VALID_ACCEPTED);
	assert_string_equal(res.outcome, "done");
	assert_false(res.issuer_unknown || res.issuer_not_independent);
}

static void each_member_counts(void **state)
{
	static const struct {
		const char *member, *value;
		unsigned fault;
	} cases[] = {
		{ "linked_call_id", "Call", RECEIPT_CALL_MISMATCH },
		{ "session_id", "other", RECEIPT_SESSION_MISMATCH },
		{ "action_ref", "sha256:00", RECEIPT_ACTION_MISMATCH },
		{ "evidence_hash", "sha256:00", RECEIPT_EVIDENCE_MISMATCH },
		{ "previous_receipt_hash", "sha256:01", RECEIPT_CHAIN_GAP },
		{ "issued_at", "2026-07-06T15:18:59Z", RECEIPT_STALE },
		{ "issued_at", "2026-07-06T15:24:01Z", RECEIPT_FUTURE },
		{ "issued_at", "then", RECEIPT_MALFORMED },
		{ "decision", "Accepted", RECEIPT_DECISION },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_json_ json_t *doc = document();
		json_t *receipt = json_object_get(doc, "receipt");

		json_object_set_new(receipt, cases[i].member, json_string(cases[i].value));
		judge(doc, RECEIPT_INVALID, RECEIPT_SIGNATURE);
		sign(receipt);
		judge(doc, RECEIPT_INVALID, cases[i].fault);
	}
}

static void context_counts(void **state)
{
	_cleanup_json_ json_t *doc = document();

	json_object_set_new(json_object_get(doc, "action"), "action_scope", json_string("leg"));
	judge(doc, RECEIPT_INVALID, RECEIPT_ACTION_INVALID);
	json_object_set_new(json_object_get(doc, "action"), "action_scope", json_string("arm"));
	json_object_set_new(json_object_get(doc, "evidence"), "physical_completion_claim", json_string("None"));
	judge(doc, RECEIPT_INVALID, RECEIPT_PHYSICAL_CLAIM | RECEIPT_EVIDENCE_MISMATCH);
	json_object_clear(json_object_get(doc, "trusted_issuer_keys"));
	judge(doc, RECEIPT_UNVERIFIED, 0);
	json_object_set_new(doc, "receipt", json_null());
	judge(doc, RECEIPT_MISSING_REQUIRED, RECEIPT_MISSING);
	json_object_set_new(json_object_get(doc, "context"), "require_receipt", json_false());
	judge(doc, RECEIPT_ABSENT, 0);
	json_object_set_new(doc, "receipt", json_pack("{s:s}", "issuer", "c"));
	judge(doc, RECEIPT_INVALID, RECEIPT_MALFORMED);
}

/* --- vectors -------------------------------------------------------------------------------------- */

static const char *vectors(void)
{
	const char *dir = getenv("TOLLGATE_VECTORS");

	dir = dir ? dir : "../shared/vectors";
	if (access(dir, R_OK) < 0) {
		print_message("skip: no %s\n", dir);
		skip();
	}
	return dir;
}

static json_t *load(const char *path)
{
	_cleanup_buf_ struct buf b = { 0 };
	char error[JSON_TEXT_ERROR_SIZE];
	json_t *v = NULL;

	assert_int_equal(file_read(path, JSON_TEXT_MAX, &b), 0);
	assert_int_equal(json_text_read(buf_span(&b), &v, error), 0);
	return v;
}

static void judge_vector(const char *path, const json_t *doc)
{
	const json_t *want = json_object_get(doc, "expected"), *failures = json_object_get(want, "failures");
	struct receipt_result res;
	unsigned left;

	assert_int_equal(action_receipt_verify(doc, &res), 0);
	left = res.faults;
	for (size_t i = 0; i < json_array_size(failures); i++)
		for (unsigned bit = 1; bit < 1u << RECEIPT_FAULTS; bit <<= 1)
			if (strcmp(receipt_fault_text(bit), json_string_value(json_array_get(failures, i))) == 0)
				left ^= bit;
	if (left || !span_is(json_member_text(want, "status"), receipt_status_text(res.status)) ||
	    !span_is(json_member_text(want, "controller_outcome"), res.outcome) ||
	    (json_array_size(json_object_get(want, "warnings")) > 0) != (res.issuer_unknown || res.issuer_not_independent))
		fail_msg("%s: %s, %s, faults %x", path, receipt_status_text(res.status), res.outcome, res.faults);
}

static void conformance_vectors(void **state)
{
	char pattern[1024];
	glob_t g;

	snprintf(pattern, sizeof(pattern), "%s/trace/trace-spec/examples/action-receipts/conformance/*.json", vectors());
	assert_int_equal(glob(pattern, 0, NULL, &g), 0);
	assert_int_equal(g.gl_pathc, 30);
	for (size_t i = 0; i < g.gl_pathc; i++) {
		_cleanup_json_ json_t *doc = load(g.gl_pathv[i]);

		judge_vector(g.gl_pathv[i], doc);
	}
	globfree(&g);
}

static void acta_vectors(void **state)
{
	const char *dir = vectors();
	char path[1024];
	_cleanup_json_ json_t *expected = NULL;
	uint8_t key[ED25519_KEY_SIZE];
	const char *name;
	json_t *want;

	snprintf(path, sizeof(path), "%s/trace/trace-spec/examples/action-receipts/acta/expected.json", dir);
	expected = load(path);
	assert_int_equal(hex_decode(json_member_text(expected, "signer_public_key_hex").p, 64, key, sizeof(key)), 0);
	json_object_foreach(json_object_get(expected, "results"), name, want) {
		const char *before = json_string_value(json_object_get(json_object_get(expected, "chain"), name));
		_cleanup_json_ json_t *previous = NULL;
		_cleanup_json_ json_t *receipt = NULL;
		struct acta_result res;

		snprintf(path, sizeof(path), "%s/trace/trace-spec/examples/action-receipts/acta/%s", dir, name);
		receipt = load(path);
		if (before) {
			snprintf(path, sizeof(path), "%s/trace/trace-spec/examples/action-receipts/acta/%s", dir, before);
			previous = load(path);
		}
		assert_int_equal(acta_verify(receipt, key, previous, &res), 0);
		assert_int_equal(res.signature, span_is(json_member_text(want, "signature"), "pass"));
		assert_int_equal(res.chained, !span_is(json_member_text(want, "chain"), "fail"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good),
		cmocka_unit_test(each_member_counts),
		cmocka_unit_test(context_counts),
		cmocka_unit_test(conformance_vectors),
		cmocka_unit_test(acta_vectors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
