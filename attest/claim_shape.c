// SPDX-License-Identifier: Apache-2.0
/*
 * The members of GatewayClaim, audit bundle and TRACE Trust Record, as tables.
 */
#include "attest/claim_shape.h"

#define IAT_MIN 1700000000 /* TRACE v0.2: earlier than the profile itself is nonsense */
#define COUNT_MAX 9007199254740991 /* 2^53-1 */

#define TEXT { .kind = SHAPE_STRING }
#define FILLED { .kind = SHAPE_STRING, .text = shape_is_filled }
#define DIGEST { .kind = SHAPE_STRING, .text = shape_is_digest }
#define HEX { .kind = SHAPE_STRING, .text = shape_is_sha256_hex }
#define URI { .kind = SHAPE_STRING, .text = shape_is_uri }
#define SPIFFE { .kind = SHAPE_STRING, .text = shape_is_spiffe }
#define B64 { .kind = SHAPE_STRING, .text = shape_is_base64url }
#define WORD(list) { .kind = SHAPE_STRING, .words = list }
#define COUNT { .kind = SHAPE_INTEGER, .max = COUNT_MAX }
#define POSITIVE { .kind = SHAPE_INTEGER, .min = 1, .max = COUNT_MAX }
#define SECONDS { .kind = SHAPE_INTEGER, .min = IAT_MIN, .max = COUNT_MAX }
#define BOOLEAN { .kind = SHAPE_BOOL }
#define OBJECT(table) { .kind = SHAPE_OBJECT, .members = table }
#define LIST(of) { .kind = SHAPE_ARRAY, .element = of }
#define OR_NULL(k, ...) { .kind = k, .nullable = true, ##__VA_ARGS__ }

#define MUST SHAPE_MUST
#define MAY SHAPE_MAY
#define MEMBERS static const struct shape_member
#define WORDS static const char *const
#define END { 0 }

WORDS profiles[] = { TRACE_PROFILE, NULL };
WORDS versions[] = { "1.0", NULL };
WORDS platforms[] = { "intel-tdx", "amd-sev-snp", "azure-cvm-sev-snp", "nvidia-h100", "nvidia-blackwell",
		      "aws-nitro", "arm-cca", "google-confidential-space", "tpm2", "software-only", NULL };
WORDS gateway_modes[] = { "enforce", "advisory", "silent", NULL };
WORDS record_modes[] = { "enforce", "advisory", "silent", "declared", NULL };
WORDS transcript_decisions[] = { "allow", "deny", "redact", "advisory_deny", "fault", "n/a", NULL };
WORDS subject_sources[] = { "config", "svid", "manifest-dev", NULL };
WORDS depths[] = { "surface", "builder", "transitive", NULL };

static const struct shape text_shape = TEXT;
static const struct shape any_object = { .kind = SHAPE_OBJECT };

/* RFC 7517: members that a reader does not know are ignored. */
MEMBERS jwk[] = { MUST("kty", FILLED), MAY("crv", FILLED), MAY("x", B64), MAY("y", B64),
		  MAY("kid", TEXT), END };
MEMBERS cnf[] = { MUST("jwk", { .kind = SHAPE_OBJECT, .members = jwk, .open = true }), END };
MEMBERS runtime[] = { MUST("platform", WORD(platforms)), MUST("measurement", DIGEST), MAY("rim_uri", URI),
		      MAY("nonce", B64), MAY("firmware_version", TEXT), END };

/* --- GatewayClaim ----------------------------------------------------------------------------- */

MEMBERS gateway_policy[] = { MUST("bundle_hash", DIGEST), MUST("enforcement_mode", WORD(gateway_modes)),
			     MAY("version", TEXT), MAY("policy_uri", URI), END };
MEMBERS transcript_entry[] = { MUST("tool_name", TEXT), MUST("data_class", TEXT),
			       MUST("decision", WORD(transcript_decisions)), END };
static const struct shape transcript_entry_shape = OBJECT(transcript_entry);
MEMBERS gateway_transcript[] = { MUST("hash", DIGEST), MAY("call_count", COUNT),
				 MAY("transcript_uri", URI),
				 MAY("entries", LIST(&transcript_entry_shape)), END };
MEMBERS gateway_trace[] = { MUST("eat_profile", WORD(profiles)), MUST("iat", SECONDS), MUST("subject", SPIFFE),
			    MUST("runtime", OBJECT(runtime)), MUST("policy", OBJECT(gateway_policy)),
			    MUST("data_class", TEXT), MAY("tool_transcript", OBJECT(gateway_transcript)),
			    MUST("cnf", OBJECT(cnf)), END };
MEMBERS audit_chain[] = { MUST("root", HEX), MUST("tip", HEX), MUST("length", POSITIVE), END };
MEMBERS call_graph[] = { MUST("compliance_domains_touched", LIST(&text_shape)),
			 MUST("cross_boundary_events", LIST(&any_object)), MAY("edges_represent", TEXT), END };
MEMBERS call_summary[] = { MUST("tool_calls_total", COUNT), MUST("tool_calls_allowed", COUNT),
			   MUST("tool_calls_denied", COUNT), MUST("tool_calls_faulted", COUNT),
			   MUST("tools_invoked", LIST(&text_shape)), MUST("session_max_sensitivity", TEXT),
			   MUST("call_graph_summary", OBJECT(call_graph)), END };
MEMBERS catalog[] = { MUST("hash", DIGEST), MUST("drift_detected", BOOLEAN), END };
MEMBERS agent_identity[] = { MUST("manifest_id", TEXT), MUST("agent_id", SPIFFE),
			     MUST("authenticated_subject", SPIFFE), MUST("subject_source", WORD(subject_sources)),
			     MUST("issuer", SPIFFE), MUST("issuer_key_id", TEXT), MUST("policy_bundle_hash", DIGEST),
			     MUST("tool_catalog_hash", DIGEST), MAY("intent_hash", DIGEST),
			     MAY("agent_key_thumbprint", TEXT), END };
MEMBERS call_log[] = { MUST("total_calls", COUNT), MUST("tools_called", LIST(&text_shape)),
		       MUST("suspicious_sequences_detected", { .kind = SHAPE_ANY }), END };
MEMBERS evidence[] = { MAY("raw_evidence", B64), MAY("quote_signature", B64),
		       MAY("cert_chain", B64), MAY("ek_cert_chain", B64), END };
MEMBERS gateway[] = { MUST("session_id", FILLED), MAY("gateway_version", TEXT),
		      MAY("sequence_number", POSITIVE), MAY("prev_claim_hash", DIGEST),
		      MUST("audit_chain", OBJECT(audit_chain)), MUST("call_summary", OBJECT(call_summary)),
		      MUST("catalog", OBJECT(catalog)), MAY("agent_identity", OBJECT(agent_identity)),
		      MUST("attestation_generated_at", FILLED), MUST("attestation_validity_seconds", COUNT),
		      MUST("attestation_stale", BOOLEAN), MUST("catalog_exceptions", LIST(&any_object)),
		      MAY("call_log_summary", OBJECT(call_log)), MAY("kill_switch_triggered", BOOLEAN),
		      MAY("attestation_evidence", OBJECT(evidence)), END };
MEMBERS gateway_claim[] = { MUST("cmcp_version", WORD(versions)), MUST("trace", OBJECT(gateway_trace)),
			    MUST("gateway", OBJECT(gateway)), MUST("signature", B64), END };

const struct shape claim_shape = OBJECT(gateway_claim);

/* --- audit bundle ------------------------------------------------------------------------------ */

WORDS entry_decisions[] = { "allow", "deny", "redact", "advisory_deny", "step_up", "defer", "fault", "n/a",
			    NULL };
WORDS evidence_types[] = { "controller-execution-receipt/v1", "tee-signed-receipt", "controller-jwt",
			   "opaque-receipt", NULL };
MEMBERS external[] = { MUST("issuer", FILLED), MUST("issuer_key_id", HEX), MUST("signature", B64),
		       MUST("evidence_hash", DIGEST), MUST("evidence_type", WORD(evidence_types)),
		       MUST("linked_call_id", FILLED), END };
/* What a producer adds is hashed with the rest, so it does no harm. */
MEMBERS entry[] = {
	MUST("entry_id", FILLED), MUST("sequence_number", COUNT), MUST("timestamp_utc", FILLED),
	MUST("session_id", FILLED), MUST("call_id", OR_NULL(SHAPE_STRING)), MUST("entry_type", FILLED),
	MUST("tool_name", OR_NULL(SHAPE_STRING)), MUST("server_identity", OR_NULL(SHAPE_STRING)),
	MUST("policy_decision", WORD(entry_decisions)), MUST("policy_rule_matched", OR_NULL(SHAPE_STRING)),
	MUST("latency_us", OR_NULL(SHAPE_INTEGER, .max = COUNT_MAX)),
	MUST("request_payload_hash", OR_NULL(SHAPE_STRING, .text = shape_is_digest)),
	MUST("response_payload_hash", OR_NULL(SHAPE_STRING, .text = shape_is_digest)),
	MUST("response_inspection_result", TEXT), MUST("session_sensitivity_before", OR_NULL(SHAPE_STRING)),
	MUST("session_sensitivity_after", OR_NULL(SHAPE_STRING)), MUST("detail", { .kind = SHAPE_ANY }),
	MUST("workflow_id", OR_NULL(SHAPE_STRING)), MUST("prev_entry_hash", FILLED),
	MUST("evidence_class", OR_NULL(SHAPE_STRING)),
	MUST("external_execution_evidence", OR_NULL(SHAPE_OBJECT, .members = external)),
	MUST("effective_data_class", OR_NULL(SHAPE_STRING)), MUST("entry_hash", HEX), END
};
static const struct shape entry_shape = { .kind = SHAPE_OBJECT, .members = entry, .open = true };
MEMBERS bundle[] = { MUST("session_id", FILLED), MUST("entries", LIST(&entry_shape)),
		     MUST("bundle_signature", B64), END };

const struct shape bundle_shape = OBJECT(bundle);

/* --- TRACE Trust Record ------------------------------------------------------------------------ */

WORDS origins[] = { "self", "third-party-control-plane", "log-import", NULL };
WORDS appraisals[] = { "affirming", "warning", "contraindicated", "none", NULL };
MEMBERS model[] = { MUST("provider", TEXT), MUST("model_id", TEXT), MAY("version", TEXT),
		    MAY("weights_digest", DIGEST), MAY("aibom_uri", URI), END };
MEMBERS record_policy[] = { MUST("bundle_hash", DIGEST), MUST("enforcement_mode", WORD(record_modes)),
			    MAY("version", TEXT), MAY("policy_uri", URI), END };
MEMBERS provenance[] = { MUST("slsa_level", { .kind = SHAPE_INTEGER, .max = 3 }), MUST("digest", DIGEST),
			 MAY("builder", TEXT), MAY("provenance_uri", URI),
			 MAY("provenance_depth", WORD(depths)), END };
MEMBERS appraisal[] = { MUST("status", WORD(appraisals)), MUST("verifier", URI), MAY("policy_ref", URI),
			MAY("timestamp", COUNT), MAY("provenance_depth_verified", WORD(depths)), END };
MEMBERS record_transcript[] = { MUST("hash", DIGEST), MAY("call_count", COUNT),
				MAY("transcript_uri", URI), END };
MEMBERS delegation[] = { MUST("parent_record_hash", DIGEST), MUST("credential_id", FILLED), END };
MEMBERS origin[] = { MUST("kind", WORD(origins)), MUST("producer", FILLED), MAY("source_event_id", FILLED),
		     MAY("ingested_at", SECONDS), END };

static bool subject(const char *s)
{
	return shape_is_spiffe(s) || (s[0] == 'd' && s[1] == 'i' && s[2] == 'd' && s[3] == ':' && shape_is_uri(s));
}

MEMBERS trust_record[] = {
	MUST("eat_profile", WORD(profiles)), MUST("iat", SECONDS),
	MUST("subject", { .kind = SHAPE_STRING, .text = subject }),
	MUST("model", OBJECT(model)), MUST("runtime", OBJECT(runtime)), MUST("policy", OBJECT(record_policy)),
	MUST("data_class", TEXT), MUST("build_provenance", OBJECT(provenance)), MUST("appraisal", OBJECT(appraisal)),
	MUST("cnf", OBJECT(cnf)), MAY("tool_transcript", OBJECT(record_transcript)),
	MAY("delegation", OBJECT(delegation)), MAY("origin", OBJECT(origin)),
	MAY("transparency", URI), MAY("signature", B64), END
};

const struct shape trust_record_shape = OBJECT(trust_record);
