// SPDX-License-Identifier: Apache-2.0
/*
 * GatewayClaim of the cMCP runtime, "cmcp_version" 1.0. The upstream verifier names a status and lets
 * most contradictions pass; here each is a failure.
 */
#include "attest/claim.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "attest/claim_internal.h"
#include "attest/claim_report.h"
#include "attest/claim_shape.h"
#include "attest/json_text.h"
#include "user/base/clock.h"

#define NONCE_SIZE 64 /* thumbprint of the key, then SHA-256 of the chain's root */
#define SUBJECT_PREFIX "spiffe://cmcp.gateway/tee/"
#define KID_PREFIX "cmcp-"

static const char *text_at(const json_t *claim, const char *path)
{
	const char *s = json_string_value(json_path(claim, path));

	return s ? s : "";
}

static json_int_t int_at(const json_t *claim, const char *path)
{
	return json_integer_value(json_path(claim, path));
}

/* --- signature and key ------------------------------------------------------------------------ */

static int check_signature(const json_t *claim, const uint8_t key[ED25519_KEY_SIZE],
			   struct attest_result *res)
{
	static const struct {
		enum json_form form;
		const char *code;
	} forms[] = { { JSON_FORM_ASCII, "valid" }, { JSON_FORM_JCS, "valid-rfc8785-only" } };

	for (unsigned i = 0; i < ARRAY_SIZE(forms); i++) {
		_cleanup_buf_ struct buf b = { 0 };
		int r = json_canonical(claim, forms[i].form, "signature", &b);

		if (r == -ENOMEM)
			return r;
		if (r == 0 && ed25519_verify_text(key, buf_span(&b), json_member_text(claim, "signature"))) {
			attest_pass(res, "claim.signature", forms[i].code, "Ed25519 by the key of cnf");
			return 0;
		}
	}
	attest_fail(res, "claim.signature", "signature-invalid",
		    "the signature is not that of the key in cnf over this claim");
	return 0;
}

static void check_key(const json_t *claim, const uint8_t key[ED25519_KEY_SIZE],
		      const struct claim_expect *expect, struct attest_result *res)
{
	const char *kid = text_at(claim, "trace.cnf.jwk.kid"), *subject = text_at(claim, "trace.subject");
	char hex[2 * ED25519_KEY_SIZE + 1];

	hex_encode(key, ED25519_KEY_SIZE, hex);
	if (!expect->key)
		attest_unchecked(res, "claim.key", "key-not-pinned",
				 "no key is pinned, so anybody may have signed: %s", hex);
	else
		attest_check(res, memcmp(key, expect->key, ED25519_KEY_SIZE) == 0, "claim.key", "key-pinned",
			     "the signing key is %s", hex);
	if (strncmp(kid, KID_PREFIX, strlen(KID_PREFIX)) == 0)
		attest_check(res,
			     strlen(kid) == strlen(KID_PREFIX) + 8 &&
				     !memcmp(kid + strlen(KID_PREFIX), hex, 8),
			     "claim.kid", "kid-of-key", "kid %.40s, key %.8s...", kid, hex);
	if (strncmp(subject, SUBJECT_PREFIX, strlen(SUBJECT_PREFIX)) == 0)
		attest_check(res,
			     strlen(subject) == strlen(SUBJECT_PREFIX) + 16 &&
				     !memcmp(subject + strlen(SUBJECT_PREFIX), hex, 16),
			     "claim.subject", "subject-of-key", "subject %.80s, key %.16s...", subject, hex);
}

/* --- what is pinned ---------------------------------------------------------------------------- */

static void check_pin(const json_t *claim, const char *path, struct span want, const char *field,
		      struct attest_result *res)
{
	const char *have = text_at(claim, path);

	if (!want.n)
		attest_unchecked(res, field, "hash-not-pinned", "no hash is pinned; the claim says %.110s",
				 have);
	else
		attest_check(res, span_is(want, have), field, "hash-pinned", "the claim says %.110s", have);
}

static void check_mode(const json_t *claim, struct attest_result *res)
{
	const char *mode = text_at(claim, "trace.policy.enforcement_mode");

	if (strcmp(mode, "enforce") == 0)
		attest_pass(res, "claim.mode", "enforced", "the policy was enforced");
	else
		attest_unmet(res, "claim.mode", "not-enforced", "enforcement_mode is %s: nothing was denied",
			     mode);
}

/* --- time -------------------------------------------------------------------------------------- */

static int64_t seconds_of(const char *iso)
{
	uint64_t ns;

	return clock_parse_iso(iso, &ns) == 0 ? (int64_t)(ns / 1000000000u) : -1;
}

static void check_times(const json_t *claim, const struct claim_expect *expect, struct attest_result *res)
{
	int64_t made = seconds_of(text_at(claim, "gateway.attestation_generated_at"));
	int64_t iat = int_at(claim, "trace.iat"), limit = expect->max_age;

	if (!limit) {
		limit = int_at(claim, "gateway.attestation_validity_seconds");
		limit = limit > CLAIM_AGE_DEFAULT ? CLAIM_AGE_DEFAULT : limit;
	}
	attest_check(res, iat - res->at <= CLAIM_SKEW_SECONDS, "claim.iat", "issued-in-the-past",
		     "iat %" PRId64 ", judged at %" PRId64, iat, res->at);
	if (!attest_check(res, made >= 0, "claim.freshness", "attestation-time",
			  "attestation_generated_at is %.40s",
			  text_at(claim, "gateway.attestation_generated_at")))
		return;
	attest_check(res, made - res->at <= CLAIM_SKEW_SECONDS, "claim.freshness", "attested-in-the-past",
		     "attested at %" PRId64 ", judged at %" PRId64, made, res->at);
	attest_check(res, res->at - made <= limit, "claim.freshness", "attestation-fresh",
		     "attested %" PRId64 " s before, allowed are %" PRId64 " s", res->at - made, limit);
	attest_check(res, !json_is_true(json_path(claim, "gateway.attestation_stale")), "claim.stale",
		     "not-stale", "attestation_stale as the claim says of itself");
}

/* --- continuity -------------------------------------------------------------------------------- */

static int check_previous(const json_t *claim, const struct claim_expect *expect, struct attest_result *res)
{
	const char *link = text_at(claim, "gateway.prev_claim_hash");
	json_int_t number = int_at(claim, "gateway.sequence_number");
	char want[SHA256_PREFIXED_SIZE];
	uint8_t digest[SHA256_SIZE];
	int r;

	if (!*link) {
		attest_check(res, number <= 1, "claim.previous", "first-or-linked",
			     "claim %" JSON_INTEGER_FORMAT " names no previous claim", number);
		return 0;
	}
	if (!attest_check(res, number != 1, "claim.previous", "first-has-none",
			  "claim 1 names a previous claim"))
		return 0;
	if (!expect->previous) {
		attest_unchecked(res, "claim.previous", "previous-not-given",
				 "the previous claim is not at hand");
		return 0;
	}
	r = json_canonical_sha256(expect->previous, JSON_FORM_ASCII, NULL, digest);
	if (r == -ENOMEM)
		return r;
	sha256_prefixed(digest, want);
	attest_check(res, r == 0 && strcmp(link, want) == 0, "claim.previous", "previous-linked",
		     "prev_claim_hash is %.71s, the previous claim's hash is %s", link,
		     r == 0 ? want : "none");
	attest_check(res, int_at(expect->previous, "gateway.sequence_number") == number - 1, "claim.previous",
		     "previous-number", "claim %" JSON_INTEGER_FORMAT " after %" JSON_INTEGER_FORMAT, number,
		     int_at(expect->previous, "gateway.sequence_number"));
	return 0;
}

/* --- counts ------------------------------------------------------------------------------------ */

static bool invoked(const json_t *claim, const char *tool)
{
	const json_t *list = json_path(claim, "gateway.call_summary.tools_invoked");

	for (size_t i = 0; i < json_array_size(list); i++)
		if (strcmp(json_string_value(json_array_get(list, i)), tool) == 0)
			return true;
	return false;
}

static void check_entries(const json_t *claim, const json_t *entries, struct attest_result *res)
{
	json_int_t denied = 0, faulted = 0;
	const char *stray = NULL;

	for (size_t i = 0; i < json_array_size(entries); i++) {
		const json_t *e = json_array_get(entries, i);
		struct span decision = json_member_text(e, "decision");

		denied += span_is(decision, "deny");
		faulted += span_is(decision, "fault");
		if (span_is(decision, "allow") && !invoked(claim, json_member_text(e, "tool_name").p))
			stray = json_member_text(e, "tool_name").p;
	}
	attest_check(res,
		     (json_int_t)json_array_size(entries) ==
			     int_at(claim, "trace.tool_transcript.call_count"),
		     "claim.counts", "transcript-complete",
		     "the transcript has %zu entries, call_count is %" JSON_INTEGER_FORMAT,
		     json_array_size(entries), int_at(claim, "trace.tool_transcript.call_count"));
	attest_check(res,
		     denied == int_at(claim, "gateway.call_summary.tool_calls_denied") &&
			     faulted == int_at(claim, "gateway.call_summary.tool_calls_faulted"),
		     "claim.counts", "transcript-decisions",
		     "the transcript denies %" JSON_INTEGER_FORMAT " and faults %" JSON_INTEGER_FORMAT,
		     denied, faulted);
	attest_check(res, !stray, "claim.counts", "tools-invoked", "%.80s was allowed%s",
		     stray ? stray : "what",
		     stray ? " and is not among tools_invoked" : " is among tools_invoked");
}

static void check_counts(const json_t *claim, struct attest_result *res)
{
	const json_t *transcript = json_path(claim, "trace.tool_transcript");
	json_int_t total = int_at(claim, "gateway.call_summary.tool_calls_total");
	json_int_t parts = int_at(claim, "gateway.call_summary.tool_calls_allowed") +
			   int_at(claim, "gateway.call_summary.tool_calls_denied") +
			   int_at(claim, "gateway.call_summary.tool_calls_faulted");
	const char *hash = text_at(claim, "trace.tool_transcript.hash");

	attest_check(res, total == parts, "claim.counts", "counts-add-up",
		     "%" JSON_INTEGER_FORMAT " calls, the parts make %" JSON_INTEGER_FORMAT, total, parts);
	if (!transcript) {
		attest_unmet(res, "claim.transcript", "no-transcript", "the claim has no tool_transcript");
		return;
	}
	attest_check(res,
		     strncmp(hash, "sha256:", 7) == 0 &&
			     strcmp(hash + 7, text_at(claim, "gateway.audit_chain.tip")) == 0,
		     "claim.transcript", "transcript-is-tip",
		     "the transcript is %.80s, the chain's tip %.64s", hash,
		     text_at(claim, "gateway.audit_chain.tip"));
	if (json_object_get(transcript, "call_count"))
		attest_check(res, int_at(claim, "trace.tool_transcript.call_count") == total, "claim.counts",
			     "call-count",
			     "call_count is %" JSON_INTEGER_FORMAT ", tool_calls_total %" JSON_INTEGER_FORMAT,
			     int_at(claim, "trace.tool_transcript.call_count"), total);
	if (json_object_get(transcript, "entries"))
		check_entries(claim, json_object_get(transcript, "entries"), res);
}

/* --- what the claim says of itself -------------------------------------------------------------- */

static int check_statements(const json_t *claim, const struct claim_expect *expect, struct attest_result *res)
{
	const json_t *identity = json_path(claim, "gateway.agent_identity");

	if (json_is_true(json_path(claim, "gateway.catalog.drift_detected")))
		attest_unmet(res, "claim.drift", "drift-detected", "a tool was not the approved one");
	if (json_is_true(json_path(claim, "gateway.kill_switch_triggered")))
		attest_unmet(res, "claim.kill-switch", "kill-switch-triggered",
			     "the kill switch was triggered");
	if (json_array_size(json_path(claim, "gateway.catalog_exceptions")))
		attest_unmet(res, "claim.exceptions", "catalog-exceptions",
			     "tools were added past the catalog");
	if (!identity)
		return 0;
	attest_check(res,
		     span_is(json_member_text(identity, "policy_bundle_hash"),
			     text_at(claim, "trace.policy.bundle_hash")) &&
			     span_is(json_member_text(identity, "tool_catalog_hash"),
				     text_at(claim, "gateway.catalog.hash")),
		     "claim.identity", "manifest-hashes",
		     "policy and catalog of the agent manifest are the claim's");
	attest_check(res,
		     span_eq(json_member_text(identity, "agent_id"),
			     json_member_text(identity, "authenticated_subject")),
		     "claim.identity", "manifest-subject",
		     "the agent of the manifest is the one that authenticated");
	return claim_manifest_verify(identity, expect, res);
}

/* --- hardware ----------------------------------------------------------------------------------- */

static int check_binding(const json_t *claim, const uint8_t key[ED25519_KEY_SIZE],
			 const struct claim_expect *expect, struct attest_result *res)
{
	struct span text = json_member_text(json_path(claim, "trace.runtime"), "nonce");
	uint8_t nonce[NONCE_SIZE], thumbprint[SHA256_SIZE], root[SHA256_SIZE], root_hash[SHA256_SIZE];

	if (expect->nonce.n)
		attest_check(res, span_eq(expect->nonce, text), "claim.nonce", "nonce-echoed",
			     "runtime.nonce is %.100s", text.n ? text.p : "absent");
	if (!attest_check(res, base64url_decode(text, nonce, sizeof(nonce)) == 0, "claim.binding",
			  "nonce-form", "runtime.nonce must be %d bytes in base64url", NONCE_SIZE))
		return 0;
	jwk_ed25519_thumbprint(key, thumbprint);
	attest_check(res, memcmp(nonce, thumbprint, SHA256_SIZE) == 0, "claim.binding", "public-key-bound",
		     "the nonce's first half against the thumbprint of the key");
	(void)hex_decode(text_at(claim, "gateway.audit_chain.root"), 2 * SHA256_SIZE, root, SHA256_SIZE);
	sha256(root, sizeof(root), root_hash);
	attest_check(res, memcmp(nonce + SHA256_SIZE, root_hash, SHA256_SIZE) == 0, "claim.binding",
		     "chain-root-bound", "the nonce's second half against the hash of the chain's root");
	return claim_evidence_verify(&(struct stated_hardware){
		.runtime = json_path(claim, "trace.runtime"),
		.carried = json_path(claim, "gateway.attestation_evidence"), .must_carry = true, .nonce = nonce,
		.evidence = "claim.evidence", .measurement = "claim.measurement", .root = "claim.root",
		.hardware = "claim.hardware" }, expect, res);
}

static int check_platform(const json_t *claim, const uint8_t key[ED25519_KEY_SIZE],
			  const struct claim_expect *expect, struct attest_result *res)
{
	const char *platform = text_at(claim, "trace.runtime.platform");

	if (strcmp(platform, "software-only") != 0)
		return check_binding(claim, key, expect, res);
	attest_withheld(res, "claim.platform", "software-only", "no hardware stands behind this claim");
	if (!digest_is_zero(text_at(claim, "trace.runtime.measurement")))
		attest_unmet(res, "claim.measurement", "measurement-of-nothing",
			     "software-only, and yet a measurement is stated");
	if (json_path(claim, "gateway.attestation_evidence"))
		attest_unmet(res, "claim.evidence", "evidence-of-nothing",
			     "software-only, and yet evidence is given");
	return 0;
}

/* --- all of it ---------------------------------------------------------------------------------- */

enum claim_kind claim_kind(const json_t *document)
{
	if (json_object_get(document, "cmcp_version"))
		return CLAIM_GATEWAY;
	if (json_object_get(document, "bundle_signature") || json_object_get(document, "entries"))
		return CLAIM_BUNDLE;
	if (json_object_get(document, "eat_profile"))
		return CLAIM_TRUST_RECORD;
	if (claim_report_is(document))
		return CLAIM_REPORT;
	return agent_manifest_is(document) ? CLAIM_MANIFEST : CLAIM_UNKNOWN;
}

int claim_verify(const json_t *claim, const struct claim_expect *expect, struct attest_result *res)
{
	uint8_t key[ED25519_KEY_SIZE];
	char error[SHAPE_ERROR_SIZE];
	int r;

	if (!shape_check(&claim_shape, claim, error)) {
		attest_fail(res, "claim.schema", "claim-malformed", "%s", error);
		res->complete = true;
		return 0;
	}
	attest_pass(res, "claim.schema", "claim-well-formed", "every member is one that a claim has");
	if (jwk_ed25519(json_path(claim, "trace.cnf.jwk"), key) < 0) {
		attest_fail(res, "claim.key", "key-malformed", "cnf.jwk is no Ed25519 key");
		res->complete = true;
		return 0;
	}
	r = check_signature(claim, key, res);
	if (r == 0)
		r = check_previous(claim, expect, res);
	if (r == 0)
		r = check_platform(claim, key, expect, res);
	if (r < 0)
		return r;
	check_key(claim, key, expect, res);
	check_pin(claim, "trace.policy.bundle_hash", expect->policy_hash, "claim.policy", res);
	check_pin(claim, "gateway.catalog.hash", expect->catalog_hash, "claim.catalog", res);
	check_mode(claim, res);
	check_times(claim, expect, res);
	check_counts(claim, res);
	r = check_statements(claim, expect, res);
	res->complete = r == 0;
	return r;
}
