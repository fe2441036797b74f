// SPDX-License-Identifier: Apache-2.0
#include "attest/action_receipt.h"

#include <errno.h>
#include <string.h>

#include <openssl/sha.h>

#include "attest/json_text.h"
#include "attest/shape.h"
#include "user/base/clock.h"

#define TEXT \
	{ \
		.kind = SHAPE_STRING \
	}

static const struct shape_member receipt_members[] = { SHAPE_MUST("issuer", TEXT),
						       SHAPE_MUST("issuer_key_id", TEXT),
						       SHAPE_MUST("issuer_independence", TEXT),
						       SHAPE_MUST("linked_call_id", TEXT),
						       SHAPE_MUST("session_id", TEXT),
						       SHAPE_MUST("action_ref", TEXT),
						       SHAPE_MUST("evidence_type", TEXT),
						       SHAPE_MUST("evidence_hash", TEXT),
						       SHAPE_MUST("previous_receipt_hash", TEXT),
						       SHAPE_MUST("issued_at", TEXT),
						       SHAPE_MUST("decision", TEXT),
						       SHAPE_MUST("signature", TEXT),
						       { 0 } };
static const struct shape receipt_shape = { .kind = SHAPE_OBJECT, .members = receipt_members };

static bool same_text(const json_t *a, const char *na, const json_t *b, const char *nb)
{
	return json_member_text(a, na).n && span_eq(json_member_text(a, na), json_member_text(b, nb));
}

/* Is the member "sha256:" and the hash of v? 0, -EBADMSG or -ENOMEM. */
static int is_hash_of(struct span stated, const json_t *v)
{
	uint8_t digest[SHA256_SIZE];
	char want[SHA256_PREFIXED_SIZE];
	int r = v ? json_canonical_sha256(v, JSON_FORM_JCS, NULL, digest) : -EBADMSG;

	if (r < 0)
		return r == -ENOMEM ? r : -EBADMSG;
	sha256_prefixed(digest, want);
	return span_is(stated, want) ? 0 : -EBADMSG;
}

static int check_action(const json_t *action, const json_t *receipt, unsigned *faults)
{
	_cleanup_json_ json_t *bound = json_object();
	static const char *const names[] = { "agent_id", "action_type", "action_scope", "action_timestamp" };
	int r;

	if (!bound)
		return -ENOMEM;
	for (unsigned i = 0; i < ARRAY_SIZE(names); i++) {
		json_t *v = json_object_get(action, names[i]);

		if (!json_is_string(v))
			*faults |= RECEIPT_ACTION_INVALID;
		else if (json_object_set(bound, names[i], v) < 0)
			return -ENOMEM;
	}
	r = is_hash_of(json_member_text(action, "action_ref"), bound);
	if (r == -ENOMEM)
		return r;
	if (r < 0)
		*faults |= RECEIPT_ACTION_INVALID;
	else if (!same_text(receipt, "action_ref", action, "action_ref"))
		*faults |= RECEIPT_ACTION_MISMATCH;
	return 0;
}

static void check_time(const json_t *context, const json_t *receipt, unsigned *faults)
{
	int64_t max = json_integer_value(json_object_get(context, "max_receipt_age_seconds"));
	uint64_t issued, now;

	if (clock_parse_iso(json_member_text(receipt, "issued_at").p, &issued) < 0 ||
	    clock_parse_iso(json_member_text(context, "verification_time").p, &now) < 0 || max < 0) {
		*faults |= RECEIPT_MALFORMED;
		return;
	}
	if (issued > now)
		*faults |= RECEIPT_FUTURE;
	else if ((now - issued) / 1000000000u > (uint64_t)max ||
		 ((now - issued) / 1000000000u == (uint64_t)max && (now - issued) % 1000000000u))
		*faults |= RECEIPT_STALE;
}

/* What the receipt says, against what the gateway knows of the call. */
static int check_content(const json_t *document, const json_t *receipt, unsigned *faults)
{
	const json_t *context = json_object_get(document, "context"),
		     *evidence = json_object_get(document, "evidence");
	struct span decision = json_member_text(receipt, "decision");
	int r;

	if (!same_text(receipt, "linked_call_id", context, "call_id"))
		*faults |= RECEIPT_CALL_MISMATCH;
	if (!same_text(receipt, "session_id", context, "session_id"))
		*faults |= RECEIPT_SESSION_MISMATCH;
	if (json_member_text(context, "expected_previous_receipt_hash").n &&
	    !same_text(receipt, "previous_receipt_hash", context, "expected_previous_receipt_hash"))
		*faults |= RECEIPT_CHAIN_GAP;
	if (!span_is(decision, "accepted") && !span_is(decision, "rejected"))
		*faults |= RECEIPT_DECISION;
	if (!span_is(json_member_text(evidence, "physical_completion_claim"), "none"))
		*faults |= RECEIPT_PHYSICAL_CLAIM;
	check_time(context, receipt, faults);
	r = is_hash_of(json_member_text(receipt, "evidence_hash"), evidence);
	if (r == -EBADMSG)
		*faults |= RECEIPT_EVIDENCE_MISMATCH;
	if (r == -ENOMEM)
		return r;
	return check_action(json_object_get(document, "action"), receipt, faults);
}

static int check_signature(const json_t *jwk, const json_t *receipt, unsigned *faults)
{
	uint8_t key[ED25519_KEY_SIZE];
	_cleanup_buf_ struct buf b = { 0 };
	int r = json_canonical(receipt, JSON_FORM_JCS, "signature", &b);

	if (r == -ENOMEM)
		return r;
	if (r < 0 || jwk_ed25519(jwk, key) < 0 ||
	    !ed25519_verify_text(key, buf_span(&b), json_member_text(receipt, "signature")))
		*faults |= RECEIPT_SIGNATURE;
	return 0;
}

int action_receipt_verify(const json_t *document, struct receipt_result *ret)
{
	const json_t *receipt = json_object_get(document, "receipt"), *jwk;
	struct receipt_result res = { .outcome = "unknown" };
	char error[SHAPE_ERROR_SIZE];
	int r = 0;

	if (!receipt || json_is_null(receipt)) {
		bool required = json_is_true(json_path(document, "context.require_receipt"));

		res.status = required ? RECEIPT_MISSING_REQUIRED : RECEIPT_ABSENT;
		res.faults = required ? RECEIPT_MISSING : 0;
		*ret = res;
		return 0;
	}
	if (!shape_check(&receipt_shape, receipt, error)) {
		res.faults = RECEIPT_MALFORMED;
		*ret = res;
		return 0;
	}
	jwk = json_object_get(json_object_get(document, "trusted_issuer_keys"),
			      json_member_text(receipt, "issuer_key_id").p);
	res.issuer_not_independent =
		span_is(json_member_text(receipt, "issuer_independence"), "gateway_self_report");
	if (!jwk) {
		res.issuer_unknown = true;
		res.status = RECEIPT_UNVERIFIED;
		*ret = res;
		return 0;
	}
	r = check_signature(jwk, receipt, &res.faults);
	/* Nothing else in a receipt that its issuer did not sign means anything. */
	if (r == 0 && !res.faults)
		r = check_content(document, receipt, &res.faults);
	if (r < 0)
		return r;
	if (!res.faults) {
		struct span state = json_member_text(json_object_get(document, "evidence"), "terminal_state");

		res.status = span_is(json_member_text(receipt, "decision"), "accepted")
				     ? RECEIPT_VALID_ACCEPTED
				     : RECEIPT_VALID_REJECTED;
		res.outcome = state.n ? state.p : "unknown";
	}
	*ret = res;
	return 0;
}

const char *receipt_status_text(enum receipt_status s)
{
	static const char *const texts[] = { "receipt_invalid",	       "receipt_missing_required",
					     "receipt_absent",	       "receipt_unverified",
					     "receipt_valid_rejected", "receipt_valid_accepted" };

	return texts[s];
}

const char *receipt_fault_text(unsigned fault)
{
	static const char *const texts[RECEIPT_FAULTS] = {
		"receipt_malformed",	  "signature_or_key_mismatch",
		"action_ref_invalid",	  "action_ref_mismatch",
		"call_id_mismatch",	  "session_id_mismatch",
		"evidence_hash_mismatch", "receipt_chain_gap",
		"receipt_stale",	  "receipt_from_future",
		"decision_invalid",	  "unsupported_physical_completion_claim",
		"receipt_missing"
	};

	return texts[__builtin_ctz(fault)];
}

int acta_verify(const json_t *receipt, const uint8_t key[ED25519_KEY_SIZE], const json_t *previous,
		struct acta_result *ret)
{
	const json_t *payload = json_object_get(receipt, "payload"),
		     *signature = json_object_get(receipt, "signature");
	struct span sig = json_member_text(signature, "sig"),
		    link = json_member_text(payload, "previousReceiptHash");
	uint8_t raw[ED25519_SIGNATURE_SIZE], digest[SHA256_SIZE];
	char hex[SHA256_HEX_SIZE];
	_cleanup_buf_ struct buf b = { 0 };
	struct acta_result res = { 0 };
	int r = json_is_object(payload) ? json_canonical(payload, JSON_FORM_JCS, NULL, &b) : -EINVAL;

	if (r == -ENOMEM)
		return r;
	res.signature = r == 0 && span_is(json_member_text(signature, "alg"), "EdDSA") &&
			hex_decode(sig.p, sig.n, raw, sizeof(raw)) == 0 &&
			ed25519_verify(key, buf_span(&b), raw);
	res.chained = !link.n && !previous;
	if (link.n && previous) {
		r = json_canonical_sha256(previous, JSON_FORM_JCS, NULL, digest);
		if (r == -ENOMEM)
			return r;
		if (r == 0)
			hex_encode(digest, sizeof(digest), hex);
		res.chained = r == 0 && span_is(link, hex);
	}
	*ret = res;
	return 0;
}

int action_binding_verify(const json_t *preimage, const char *digest)
{
	static const struct shape_member members[] = { SHAPE_MUST("domain", TEXT),
						       SHAPE_MUST("version", { .kind = SHAPE_INTEGER }),
						       SHAPE_MUST("agent_id", TEXT),
						       SHAPE_MUST("action_type", TEXT),
						       SHAPE_MUST("action_scope", TEXT),
						       SHAPE_MUST("action_timestamp", TEXT),
						       { 0 } };
	static const struct shape shape = { .kind = SHAPE_OBJECT, .members = members };
	_cleanup_buf_ struct buf b = { 0 };
	char error[SHAPE_ERROR_SIZE], hex[2 * SHA384_DIGEST_LENGTH + 1];
	uint8_t raw[SHA384_DIGEST_LENGTH];
	int r;

	if (!shape_check(&shape, preimage, error) ||
	    !span_is(json_member_text(preimage, "domain"), "cmcp.execution-action-binding") ||
	    json_integer_value(json_object_get(preimage, "version")) != 1)
		return -EINVAL;
	r = json_canonical(preimage, JSON_FORM_JCS, NULL, &b);
	if (r < 0)
		return r == -ENOMEM ? r : -EINVAL;
	if (strncmp(digest, "sha256:", 7) == 0) {
		sha256(buf_span(&b).p, buf_len(&b), raw);
		hex_encode(raw, SHA256_SIZE, hex);
	} else if (strncmp(digest, "sha384:", 7) == 0) {
		SHA384((const uint8_t *)buf_span(&b).p, buf_len(&b), raw);
		hex_encode(raw, SHA384_DIGEST_LENGTH, hex);
	} else {
		return -ENOTSUP;
	}
	return strcmp(digest + 7, hex) == 0 ? 0 : -EBADMSG;
}
