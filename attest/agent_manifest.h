/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_ATTEST_AGENT_MANIFEST_H
#define TOLLGATE_ATTEST_AGENT_MANIFEST_H

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

#include "attest/jose.h"
#include "attest/result.h"
#include "user/base/span.h"

/*
 * Agent manifests: who an agent is, which artifacts it is made of, who says so and for how long. Version
 * 0.1 is JSON with an Ed25519 signature over RFC 8785 beside it, version 0.2 a COSE_Sign1 around the JSON.
 *
 * LIMIT: approvals, attestation reports and log entries come after the signature and are not covered by
 * it. Their dates and hashes are compared, their own proofs are not: such fields stay not-checked.
 */

#define MANIFEST_MAX (1u << 20) /* bytes; the largest published one has eight thousand */
#define MANIFEST_DEPTH_MAX 32
#define MANIFEST_SKEW_SECONDS 300 /* the issuer's clock may be ahead by this much */

/* A key and whom it speaks for: an issuer, or a principal that delegates. Several entries may hold the
 * same key. An issuer's name empty: for any issuer. */
struct manifest_key {
	uint8_t key[ED25519_KEY_SIZE];
	struct span name;
};

/* What is known from elsewhere. Without it the field is not-checked; given, and not in the manifest, is a
 * failure. Hashes are "sha256:<hex>". */
struct manifest_expect {
	const struct manifest_key *keys, *principals;
	size_t n_keys, n_principals;
	struct span subject; /* the agent that authenticated */
	struct span system_prompt, policy_bundle, tool_catalog, rag_corpus, memory, audit_chain;
	struct span model_version;
	const json_t *revoked; /* array of objects with a manifest_id; NULL: no list is at hand */
	bool approval, attestation; /* must be there */
};

/* Does the text begin like a COSE object, not like JSON? */
bool agent_manifest_is_cose(struct span text);
/* Is this JSON a manifest of version 0.1? */
bool agent_manifest_is(const json_t *document);

/* The document inside, without members that are null; unverified. 0, or -EINVAL with the stable words of
 * the defect in *ret_code (static); -ENOMEM. */
int agent_manifest_read(struct span text, json_t **ret, const char **ret_code);

/* Judges all of it, as of the result's time: findings "manifest.*". 0 or -ENOMEM. Marks res complete. */
int agent_manifest_verify(struct span text, const struct manifest_expect *expect, struct attest_result *res);

/* The root of the RFC 9162 tree over tools, which tool_manifest.catalog_hash must be: a leaf is tool_id,
 * a zero byte, schema_hash, description_hash, by order of tool_id. 0; -EINVAL for other members or a tool
 * twice; -ENOMEM. */
int agent_manifest_catalog_root(const json_t *tools, uint8_t ret[SHA256_SIZE]);

#endif
