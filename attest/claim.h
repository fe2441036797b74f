/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_ATTEST_CLAIM_H
#define TOLLGATE_ATTEST_CLAIM_H

#include <stdint.h>

#include <jansson.h>

#include "attest/agent_manifest.h"
#include "attest/azure_verify.h"
#include "attest/jose.h"
#include "attest/policy.h"
#include "attest/result.h"
#include "user/base/span.h"

/*
 * Verification of signed statements about sessions, offline and without trust in who made them:
 *
 *	GatewayClaim	cMCP runtime, "cmcp_version": "1.0", with its audit bundle
 *	Trust Record	TRACE v0.2 (tag:agentrust-io.com,2026:trace-v0.2)
 *
 * Whatever is false is a failure with a code of its own. What a statement leaves open (no hardware, a
 * hash that nobody pinned) is unmet or not-checked, so the result is incomplete. It affirms only when hardware
 * that ends at something pinned vouches for the signing key ("claim.hardware", "record.hardware"): no policy
 * can leave that open.
 * Functions append to a result that attest_result_init() made, mark it complete, and return 0 when they
 * judged, -ENOMEM when they could not. Times are judged against the result's.
 */

#define CLAIM_SKEW_SECONDS 300 /* a clock may be ahead by this much (TRACE v0.2) */
#define CLAIM_AGE_DEFAULT 86400 /* seconds; TRACE v0.2's default */

struct claim_report;

/* What the verifier knows of hardware, and what came with the statement. */
struct claim_hardware {
	const struct claim_report *report; /* of the session, claim_report.h; NULL: only what the claim carries */
	struct span ak_certs, enrolment; /* tpm, as in struct attest_tpm */
	const struct x509_certs *roots;
	struct span proof; /* sev-snp and azure: the chip's certificates */
	struct attest_azure silicon; /* lists and collateral to judge that with; the rest is not read */
};

struct claim_expect {
	struct span policy_hash, catalog_hash; /* "sha256:<hex>"; empty: not pinned */
	const uint8_t *key; /* ED25519_KEY_SIZE bytes; NULL: any key is as good, so not-checked */
	int64_t max_age; /* seconds; 0: what the claim says of itself, at most CLAIM_AGE_DEFAULT */
	struct span nonce; /* the challenge that runtime.nonce must echo, in base64url; empty: none */
	const json_t *previous; /* the claim before this one; NULL: not at hand */
	struct span manifest; /* the agent manifest that the claim names, as it was read; empty: not at hand */
	struct manifest_expect manifest_expect; /* its issuers' keys, and what else is known of it */
	const json_t *external_keys; /* issuer key id -> Ed25519 key in hex; NULL: none known */
	const struct attest_policy *evidence_policy; /* for hardware evidence; NULL: the default */
	const struct claim_hardware *hardware; /* NULL: nothing is known */
};

int claim_verify(const json_t *claim, const struct claim_expect *expect, struct attest_result *res);

/* The bundle that goes with a claim: its entries, their chain, and that claim and bundle say the same.
 * The claim itself must be judged by claim_verify(). */
int bundle_verify(const json_t *bundle, const json_t *claim, const struct claim_expect *expect,
		  struct attest_result *res);

/* What is this document? For `tollgate verify FILE`. */
enum claim_kind {
	CLAIM_UNKNOWN = 0,
	CLAIM_GATEWAY,
	CLAIM_BUNDLE,
	CLAIM_TRUST_RECORD,
	CLAIM_MANIFEST, /* an agent manifest in JSON */
	CLAIM_REPORT, /* a session's hardware evidence, claim_report.h */
};
enum claim_kind claim_kind(const json_t *document);

#define TRUST_RECORD_LEVELS 3 /* 0: signed; 1: attested; 2: anchored in a log */

int trust_record_verify(const json_t *record, const struct claim_expect *expect, struct attest_result *res);

/* Does a verified record have what the level asks for? why says what is missing. */
bool trust_record_level(const json_t *record, unsigned level, char *why, size_t size);

#endif
