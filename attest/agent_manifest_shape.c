// SPDX-License-Identifier: Apache-2.0
/*
 * The members of an agent manifest. The outermost ones are a closed list, for in version 0.1 one that is
 * not on it would be outside the signature; below, what is read must have its form and the rest is let be.
 */
#include <ctype.h>
#include <string.h>

#include "attest/agent_manifest_internal.h"
#include "user/base/clock.h"

#define COUNT_MAX 9007199254740991 /* 2^53-1 */

static bool is_time(const char *s)
{
	static const char form[] = "dddd-dd-ddTdd:dd:dd";
	uint64_t unused;

	/* RFC 3339: the clock's own parser is more lenient than a signed document may be. */
	for (size_t i = 0; form[i]; i++)
		if (form[i] == 'd' ? !isdigit((unsigned char)s[i]) : s[i] != form[i])
			return false;
	return clock_parse_iso(s, &unused) == 0;
}

#define TEXT { .kind = SHAPE_STRING }
#define FILLED { .kind = SHAPE_STRING, .text = shape_is_filled }
#define DIGEST { .kind = SHAPE_STRING, .text = shape_is_digest }
#define HEX { .kind = SHAPE_STRING, .text = shape_is_sha256_hex }
#define B64 { .kind = SHAPE_STRING, .text = shape_is_base64url }
#define URI { .kind = SHAPE_STRING, .text = shape_is_uri }
#define SPIFFE { .kind = SHAPE_STRING, .text = shape_is_spiffe }
#define TIME { .kind = SHAPE_STRING, .text = is_time }
#define WORD(list) { .kind = SHAPE_STRING, .words = list }
#define COUNT { .kind = SHAPE_INTEGER, .max = COUNT_MAX }
#define BOOLEAN { .kind = SHAPE_BOOL }
#define ANY { .kind = SHAPE_ANY }
#define OPEN(table) { .kind = SHAPE_OBJECT, .members = table, .open = true }
#define LIST(of) { .kind = SHAPE_ARRAY, .element = of }

#define MUST SHAPE_MUST
#define MAY SHAPE_MAY
#define MEMBERS static const struct shape_member
#define WORDS static const char *const
#define END { 0 }

WORDS versions[] = { "0.1", "0.2", NULL };
WORDS types[] = { "AgentManifest", NULL };
WORDS profiles[] = { "standard", "post-quantum", "hybrid", NULL };
WORDS rug_pull_policies[] = { "deny-and-alert", "deny-and-hold", "require-reapproval", NULL };

static const struct shape text_shape = TEXT;

MEMBERS hashed[] = { MUST("hash", DIGEST), END };
MEMBERS tool[] = { MUST("tool_id", FILLED), MUST("schema_hash", DIGEST), MUST("description_hash", DIGEST),
		   END };
static const struct shape tool_shape = OPEN(tool);
MEMBERS tool_manifest[] = { MUST("catalog_hash", DIGEST), MAY("tools", LIST(&tool_shape)),
			    MAY("allow_dynamic_registration", BOOLEAN),
			    MAY("rug_pull_policy", WORD(rug_pull_policies)), END };
MEMBERS model_identity[] = { MAY("version", TEXT), MAY("model_hash", DIGEST), END };
MEMBERS poisoning_scan[] = { MUST("result", TEXT), END };
MEMBERS rag_corpus[] = { MUST("merkle_root", DIGEST), MAY("poisoning_scan", OPEN(poisoning_scan)), END };
MEMBERS memory_baseline[] = { MUST("snapshot_hash", DIGEST), MAY("approved_at", TIME),
			      MAY("ttl_seconds", COUNT), END };
MEMBERS decision_trace[] = { MUST("audit_chain_root", DIGEST), END };
MEMBERS artifacts[] = { MAY("system_prompt", OPEN(hashed)),
			MAY("policy_bundle", OPEN(hashed)),
			MAY("tool_manifest", OPEN(tool_manifest)),
			MAY("model_identity", OPEN(model_identity)),
			MAY("rag_corpus", OPEN(rag_corpus)),
			MAY("memory_baseline", OPEN(memory_baseline)),
			MAY("decision_trace", OPEN(decision_trace)),
			END };

MEMBERS scope_grant[] = { MUST("max_delegation_depth", COUNT), MUST("ttl_seconds", COUNT), END };
MEMBERS hop[] = { MUST("hop", COUNT), MUST("principal_id", URI), MUST("delegated_at", TIME),
		  MUST("scope_grant", OPEN(scope_grant)), MUST("delegation_signature", FILLED), END };
static const struct shape hop_shape = OPEN(hop);

MEMBERS approved_scope[] = { MUST("approval_duration_seconds", COUNT), END };
MEMBERS approval[] = { MUST("approved_at", TIME), MUST("approved_scope", OPEN(approved_scope)), END };
static const struct shape approval_shape = OPEN(approval);
MEMBERS hitl_record[] = { MUST("required", BOOLEAN), MAY("approvals", LIST(&approval_shape)), END };

MEMBERS attestation[] = { MUST("platform", FILLED), MUST("manifest_hash_in_report", DIGEST), END };
MEMBERS signature[] = { MUST("algorithm", FILLED), MUST("key_id", HEX), MUST("signature_value", B64),
			MAY("key_type", TEXT), MAY("signed_at", TIME), MAY("signed_fields", LIST(&text_shape)),
			END };

MEMBERS manifest[] = {
	MAY("@context", ANY), MAY("@type", WORD(types)),
	MUST("manifest_id", FILLED), MAY("previous_manifest_id", FILLED),
	MUST("agent_id", SPIFFE), MAY("agent_instance_id", TEXT),
	MUST("version", WORD(versions)), MAY("min_verifier_version", TEXT),
	MUST("issued_at", TIME), MUST("expires_at", TIME),
	MUST("issuer", SPIFFE), MUST("crypto_profile", WORD(profiles)),
	MAY("profile", ANY), MAY("unbound_artifacts", ANY), MAY("source_bundle", ANY),
	MUST("artifacts", OPEN(artifacts)), MAY("delegation_chain", LIST(&hop_shape)),
	MAY("hitl_record", OPEN(hitl_record)), MAY("prior_transparency_log_entry", ANY),
	MAY("log_retention", ANY), MAY("data_scope", ANY),
	MAY("operational_lifecycle", ANY), MAY("intent", ANY),
	/* After the signature. */
	MAY("attestation", OPEN(attestation)), MAY("signature", OPEN(signature)),
	MAY("transparency_log_entry", ANY), END
};

const struct shape agent_manifest_shape = { .kind = SHAPE_OBJECT, .members = manifest };
