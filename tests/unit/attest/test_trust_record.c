// SPDX-License-Identifier: Apache-2.0
#include "attest/claim.h"

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

#define NOW 1800000000
#define DIGEST "sha256:1111111111111111111111111111111111111111111111111111111111111111"
#define ZERO "sha256:0000000000000000000000000000000000000000000000000000000000000000"

static json_t *record;
static struct claim_expect expect;
static struct attest_result res;

static void sign(void)
{
	EVP_PKEY *key = signer_key(9);

	signer_sign_form(key, record, JSON_FORM_JCS);
	EVP_PKEY_free(key);
}

static void set(const char *object, const char *member, json_t *v)
{
	json_t *o = (json_t *)(uintptr_t)json_path(record, object);

	assert_non_null(o);
	json_object_set_new(o, member, v);
	sign();
}

static int make(void **state)
{
	EVP_PKEY *key = signer_key(9);
	uint8_t raw[ED25519_KEY_SIZE];
	char x[64];

	signer_public(key, raw, x);
	EVP_PKEY_free(key);
	record = json_pack("{s:s, s:i, s:s, s:{s:s, s:s}, s:{s:s, s:s}, s:{s:s, s:s}, s:s, s:{s:i, s:s}, s:{s:s, s:s}, "
			   "s:{s:s}, s:s, s:{s:{s:s, s:s, s:s}}}",
			   "eat_profile", "tag:agentrust-io.com,2026:trace-v0.2", "iat", NOW, "subject",
			   "spiffe://node.example/agent", "model", "provider", "p", "model_id", "modèle", "runtime",
			   "platform", "software-only", "measurement", ZERO, "policy", "bundle_hash", DIGEST,
			   "enforcement_mode", "enforce", "data_class", "public", "build_provenance", "slsa_level", 0,
			   "digest", DIGEST, "appraisal", "status", "affirming", "verifier", "https://v.example/1",
			   "tool_transcript", "hash", DIGEST, "transparency", "https://log.example/1", "cnf", "jwk",
			   "kty", "OKP", "crv", "Ed25519", "x", x);
	if (!record)
		return -1;
	sign();
	expect = (struct claim_expect){ 0 };
	return 0;
}

static int unmake(void **state)
{
	attest_result_done(&res);
	json_decref(record);
	return 0;
}

static enum attest_status judge(void)
{
	attest_result_done(&res);
	attest_result_init(&res, "trust-record", NOW + 10);
	assert_int_equal(trust_record_verify(record, &expect, &res), 0);
	return attest_appraise(&res, NULL);
}

static void rejected(const char *code)
{
	assert_int_equal(judge(), ATTEST_REJECTED);
	for (unsigned i = 0; i < res.n_findings; i++)
		if (res.findings[i].verdict == ATTEST_FAIL && strcmp(res.findings[i].code, code) == 0)
			return;
	fail_msg("not rejected for %s", code);
}

static void sound_is_incomplete(void **state)
{
	assert_int_equal(judge(), ATTEST_INCOMPLETE);
	set("runtime", "platform", json_string("tpm2"));
	set("runtime", "measurement", json_string(DIGEST));
	assert_int_equal(judge(), ATTEST_INCOMPLETE); /* hardware by name only */
}

static void signature(void **state)
{
	static const uint8_t other[ED25519_KEY_SIZE] = { 1 };

	json_object_set_new(record, "data_class", json_string("secret"));
	rejected("signature-valid");
	json_object_del(record, "signature");
	rejected("signature-valid");
	sign();
	expect.key = other;
	rejected("key-pinned");
	expect.key = NULL;
	set("cnf.jwk", "kty", json_string("EC"));
	rejected("key-unsupported");
}

static void members(void **state)
{
	json_object_set_new(record, "x", json_true());
	sign();
	rejected("record-malformed");
	json_object_del(record, "x");
	set("runtime", "measurement", json_string("sha256:00"));
	rejected("record-malformed");
}

static void content(void **state)
{
	set("runtime", "platform", json_string("intel-tdx"));
	rejected("measurement-of-something");
	json_object_set_new(record, "origin", json_pack("{s:s, s:s}", "kind", "log-import", "producer", "p"));
	set("runtime", "measurement", json_string(DIGEST));
	rejected("origin-without-hardware");
	json_object_del(record, "origin");
	set("appraisal", "status", json_string("contraindicated"));
	rejected("contraindicated");
	set("appraisal", "status", json_string("affirming"));
	set("appraisal", "provenance_depth_verified", json_string("builder"));
	rejected("depth-not-beyond");
	set("build_provenance", "provenance_depth", json_string("transitive"));
	assert_int_equal(judge(), ATTEST_INCOMPLETE);
	expect.policy_hash = SPAN(ZERO);
	rejected("hash-pinned");
	expect.policy_hash = SPAN(DIGEST);
	expect.nonce = SPAN("AAAA");
	rejected("nonce-echoed");
}

static void times(void **state)
{
	json_object_set_new(record, "iat", json_integer(NOW + 11 + CLAIM_SKEW_SECONDS));
	sign();
	rejected("issued-in-the-past");
	json_object_set_new(record, "iat", json_integer(NOW + 9 - CLAIM_AGE_DEFAULT));
	sign();
	rejected("fresh");
	expect.max_age = CLAIM_AGE_DEFAULT + 1;
	assert_int_equal(judge(), ATTEST_INCOMPLETE);
}

static void levels(void **state)
{
	char why[100];

	assert_true(trust_record_level(record, 0, why, sizeof(why)));
	assert_false(trust_record_level(record, 1, why, sizeof(why)));
	set("runtime", "platform", json_string("tpm2"));
	assert_false(trust_record_level(record, 1, why, sizeof(why)));
	set("runtime", "measurement", json_string(DIGEST));
	assert_true(trust_record_level(record, 1, why, sizeof(why)));
	assert_true(trust_record_level(record, 2, why, sizeof(why)));
	json_object_del(record, "transparency");
	assert_false(trust_record_level(record, 2, why, sizeof(why)));
	assert_string_equal(why, "there is no transparency anchor");
	set("appraisal", "status", json_string("none"));
	assert_false(trust_record_level(record, 1, why, sizeof(why)));
}

/* --- vectors -------------------------------------------------------------------------------------- */

static json_t *load(const char *path)
{
	_cleanup_buf_ struct buf b = { 0 };
	char error[JSON_TEXT_ERROR_SIZE];
	json_t *v = NULL;

	assert_int_equal(file_read(path, JSON_TEXT_MAX, &b), 0);
	assert_int_equal(json_text_read(buf_span(&b), &v, error), 0);
	return v;
}

static enum attest_status judge_file(const char *path, bool inside)
{
	_cleanup_json_ json_t *v = load(path);
	enum attest_status s;

	attest_result_done(&res);
	attest_result_init(&res, "trust-record", NOW);
	expect.max_age = NOW;
	assert_int_equal(trust_record_verify(inside ? json_object_get(v, "record") : v, &expect, &res), 0);
	s = attest_appraise(&res, NULL);
	return s;
}

static void published_records(void **state)
{
	/* What a strict verifier must say of the files of the TRACE suite; those without a signature are none. */
	static const struct {
		const char *file;
		bool sound;
	} cases[] = {
		{ "signed_root", true }, { "signed_delegated_hop", true }, { "valid_level0", false },
		{ "valid_level0_with_transcript", false }, { "valid_openshell_import", false },
		{ "valid_cmcp_runtime", false }, { "invalid_missing_runtime", false }, { "invalid_wrong_profile", false },
	};
	const char *dir = getenv("TOLLGATE_VECTORS");
	char path[1024];
	glob_t g;

	dir = dir ? dir : "../shared/vectors";
	if (access(dir, R_OK) < 0) {
		print_message("skip: no %s\n", dir);
		skip();
	}
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		snprintf(path, sizeof(path), "%s/trace/trace-tests/tests/vectors/%s.json", dir, cases[i].file);
		if ((judge_file(path, false) != ATTEST_REJECTED) != cases[i].sound)
			fail_msg("%s", cases[i].file);
	}
	snprintf(path, sizeof(path), "%s/trace/trace-tests/tests/vectors/canonicalization/*.json", dir);
	assert_int_equal(glob(path, 0, NULL, &g), 0);
	snprintf(path, sizeof(path), "%s/trace/trace-spec/examples/canonicalization-boundary/*.json", dir);
	assert_int_equal(glob(path, GLOB_APPEND, NULL, &g), 0);
	assert_int_equal(g.gl_pathc, 8);
	for (size_t i = 0; i < g.gl_pathc; i++)
		if (judge_file(g.gl_pathv[i], true) == ATTEST_REJECTED)
			fail_msg("%s", g.gl_pathv[i]);
	globfree(&g);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, make, unmake)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(sound_is_incomplete), TEST(signature), TEST(members), TEST(content), TEST(times), TEST(levels),
		TEST(published_records),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
