// SPDX-License-Identifier: Apache-2.0
/*
 * TRACE v0.2 Trust Record: section 3.3's order, offline. A record carries no evidence: one whose platform is
 * hardware stays open unless the session's report came with it.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "attest/claim.h"
#include "attest/claim_internal.h"
#include "attest/claim_make.h"
#include "attest/claim_shape.h"
#include "attest/json_text.h"

static const char *text_at(const json_t *record, const char *path)
{
	const char *s = json_string_value(json_path(record, path));

	return s ? s : "";
}

/* Section 3.3 step 1: before anything else is believed. RFC 8785, embedded. */
static int check_signature(const json_t *record, const struct claim_expect *expect, struct attest_result *res)
{
	uint8_t key[ED25519_KEY_SIZE];
	char hex[2 * ED25519_KEY_SIZE + 1];
	_cleanup_buf_ struct buf b = { 0 };
	int r;

	if (jwk_ed25519(json_path(record, "cnf.jwk"), key) < 0) {
		attest_fail(res, "record.signature", "key-unsupported", "cnf.jwk is no Ed25519 key");
		return 0;
	}
	r = json_canonical(record, JSON_FORM_JCS, "signature", &b);
	if (r == -ENOMEM)
		return r;
	hex_encode(key, sizeof(key), hex);
	attest_check(res,
		     r == 0 && ed25519_verify_text(key, buf_span(&b), json_member_text(record, "signature")),
		     "record.signature", "signature-valid", "Ed25519 by %s over RFC 8785", hex);
	if (!expect->key)
		attest_unchecked(res, "record.key", "key-not-pinned",
				 "no key is pinned, so anybody may have signed: %s", hex);
	else
		attest_check(res, memcmp(key, expect->key, sizeof(key)) == 0, "record.key", "key-pinned",
			     "the signing key is %s", hex);
	return 0;
}

static void check_time(const json_t *record, const struct claim_expect *expect, struct attest_result *res)
{
	int64_t iat = json_integer_value(json_object_get(record, "iat"));
	int64_t limit = expect->max_age ? expect->max_age : CLAIM_AGE_DEFAULT;

	attest_check(res, iat - res->at <= CLAIM_SKEW_SECONDS, "record.iat", "issued-in-the-past",
		     "iat %" PRId64 ", judged at %" PRId64, iat, res->at);
	attest_check(res, res->at - iat <= limit, "record.iat", "fresh",
		     "issued %" PRId64 " s before, allowed are %" PRId64 " s", res->at - iat, limit);
}

static void check_policy(const json_t *record, const struct claim_expect *expect, struct attest_result *res)
{
	const char *mode = text_at(record, "policy.enforcement_mode"),
		   *hash = text_at(record, "policy.bundle_hash");

	if (!expect->policy_hash.n)
		attest_unchecked(res, "record.policy", "hash-not-pinned",
				 "no hash is pinned; the record says %.110s", hash);
	else
		attest_check(res, span_is(expect->policy_hash, hash), "record.policy", "hash-pinned",
			     "the record says %.110s", hash);
	if (strcmp(mode, "enforce") != 0)
		attest_unmet(res, "record.mode", "not-enforced", "enforcement_mode is %s", mode);
}

static bool zero_measurement(const json_t *record)
{
	return digest_is_zero(text_at(record, "runtime.measurement"));
}

/* The record's own nonce begins with the thumbprint of its key; what follows commits to a root of records that it does
 * not name, and its claim does. */
static int check_hardware(const json_t *record, const struct claim_expect *expect, struct attest_result *res)
{
	struct span text = json_member_text(json_object_get(record, "runtime"), "nonce");
	uint8_t nonce[CLAIM_NONCE_SIZE], key[ED25519_KEY_SIZE], thumbprint[SHA256_SIZE];

	if (!expect->hardware || !expect->hardware->report) {
		attest_withheld(res, "record.hardware", "evidence-not-given",
				"a Trust Record carries no evidence: %s is the producer's word",
				text_at(record, "runtime.platform"));
		return 0;
	}
	if (!attest_check(res, base64url_decode(text, nonce, sizeof(nonce)) == 0, "record.binding", "nonce-form",
			  "runtime.nonce must be %d bytes in base64url", CLAIM_NONCE_SIZE))
		return 0;
	memset(thumbprint, 0, sizeof(thumbprint));
	if (jwk_ed25519(json_path(record, "cnf.jwk"), key) == 0)
		jwk_ed25519_thumbprint(key, thumbprint);
	attest_check(res, memcmp(nonce, thumbprint, sizeof(thumbprint)) == 0, "record.binding", "public-key-bound",
		     "the nonce's first half against the thumbprint of the key");
	return claim_evidence_verify(&(struct stated_hardware){
		.runtime = json_object_get(record, "runtime"), .nonce = nonce, .evidence = "record.evidence",
		.measurement = "record.measurement", .root = "record.root", .hardware = "record.hardware" },
		expect, res);
}

static int check_platform(const json_t *record, const struct claim_expect *expect, struct attest_result *res)
{
	const char *platform = text_at(record, "runtime.platform"), *origin = text_at(record, "origin.kind");
	bool software = strcmp(platform, "software-only") == 0;

	if (*origin && strcmp(origin, "self") != 0)
		attest_check(res, software, "record.origin", "origin-without-hardware",
			     "a record made from %.40s has no hardware; it says %s", origin, platform);
	if (expect->nonce.n)
		attest_check(res, span_is(expect->nonce, text_at(record, "runtime.nonce")), "record.nonce",
			     "nonce-echoed", "runtime.nonce is %.100s", text_at(record, "runtime.nonce"));
	if (software) {
		attest_withheld(res, "record.platform", "software-only",
				"no hardware stands behind this record");
		return 0;
	}
	attest_check(res, !zero_measurement(record), "record.measurement", "measurement-of-something",
		     "the measurement of %s must not be all zeros", platform);
	return check_hardware(record, expect, res);
}

static void check_appraisal(const json_t *record, struct attest_result *res)
{
	static const char *const depths[] = { "", "surface", "builder", "transitive" };
	const struct attest_finding *hardware = attest_finding(res, "record.hardware");
	const char *status = text_at(record, "appraisal.status");
	const char *stated = text_at(record, "build_provenance.provenance_depth");
	const char *verified = text_at(record, "appraisal.provenance_depth_verified");
	unsigned s = 0, v = 0;

	if (strcmp(status, "contraindicated") == 0)
		attest_fail(res, "record.appraisal", "contraindicated",
			    "the producer's own appraisal says so");
	else if (strcmp(status, "none") == 0 && hardware && hardware->verdict == ATTEST_PASS)
		attest_skipped(res, "record.appraisal", "appraised-here",
			       "nobody had appraised the evidence when the record was made");
	else if (strcmp(status, "affirming") != 0)
		attest_unmet(res, "record.appraisal", "not-affirming", "appraisal.status is %s", status);
	for (unsigned i = 0; i < ARRAY_SIZE(depths); i++) {
		s = strcmp(stated, depths[i]) == 0 ? i : s;
		v = strcmp(verified, depths[i]) == 0 ? i : v;
	}
	/* Missing means surface; a depth that was verified cannot be more than what there was to verify. */
	if (v)
		attest_check(res, v <= (s ? s : 1), "record.provenance", "depth-not-beyond",
			     "verified depth %s, stated %s", verified, s ? stated : "surface");
}

int trust_record_verify(const json_t *record, const struct claim_expect *expect, struct attest_result *res)
{
	char error[SHAPE_ERROR_SIZE];
	int r;

	if (!shape_check(&trust_record_shape, record, error)) {
		attest_fail(res, "record.schema", "record-malformed", "%s", error);
		res->complete = true;
		return 0;
	}
	attest_pass(res, "record.schema", "record-well-formed",
		    "every member is one that a Trust Record has");
	r = check_signature(record, expect, res);
	if (r < 0)
		return r;
	check_time(record, expect, res);
	r = check_platform(record, expect, res);
	if (r < 0)
		return r;
	check_policy(record, expect, res);
	check_appraisal(record, res);
	if (json_object_get(record, "delegation"))
		attest_unchecked(res, "record.delegation", "parent-not-given",
				 "the parent record is not at hand");
	res->complete = true;
	return 0;
}

bool trust_record_level(const json_t *record, unsigned level, char *why, size_t size)
{
	const char *missing = NULL;

	if (level >= 1 && strcmp(text_at(record, "runtime.platform"), "software-only") == 0)
		missing = "runtime.platform is software-only";
	else if (level >= 1 && zero_measurement(record))
		missing = "runtime.measurement is all zeros";
	else if (level >= 1 && strcmp(text_at(record, "appraisal.status"), "affirming") != 0)
		missing = "appraisal.status is not affirming";
	else if (level >= 2 && !json_object_get(record, "tool_transcript"))
		missing = "there is no tool_transcript";
	else if (level >= 2 && !json_object_get(record, "transparency"))
		missing = "there is no transparency anchor";
	snprintf(why, size, "%s", missing ? missing : "");
	return !missing;
}
