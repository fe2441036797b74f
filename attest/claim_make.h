/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_ATTEST_CLAIM_MAKE_H
#define TOLLGATE_ATTEST_CLAIM_MAKE_H

#include <stdbool.h>
#include <stdint.h>

#include "attest/jose.h"
#include "user/base/buf.h"
#include "user/base/digest.h"
#include "user/base/span.h"

/*
 * Makes what claim.h verifies: the GatewayClaim of cMCP ("cmcp_version" 1.0) and the TRACE v0.2 Trust
 * Record of one session, signed. Only ASCII and integers of at most 2^53-1 are put in, so both canonical
 * forms in use give the same bytes, and those bytes are what comes out. A document that the strict
 * verifier's shape would refuse is never made.
 */

/* Who signs. One interface, whether the key lies in a file, in a TPM or behind a wrapped seed. */
struct claim_signer {
	uint8_t public_key[ED25519_KEY_SIZE];
	/* Ed25519, RFC 8032, over the n bytes. 0 or -errno. */
	int (*sign)(void *arg, const void *p, size_t n, uint8_t ret[ED25519_SIGNATURE_SIZE]);
	void *arg;
};

/* What stands behind the signing key. Evidence is raw bytes that were bound to the 64 bytes of
 * claim_nonce(); an empty one is left out. */
struct claim_platform {
	struct span name; /* "tpm2", "amd-sev-snp", ...; or "software-only", with nothing else */
	struct span measurement; /* "sha256:<hex>" or "sha384:<hex>" */
	struct span firmware_version;
	struct span raw_evidence, quote_signature, cert_chain, ek_cert_chain;
};

/* The agent manifest that the session's agent was bound to; texts as in the manifest. */
struct claim_identity {
	struct span manifest_id, agent_id, issuer, issuer_key_id;
	struct span subject_source; /* "config", "svid" or "manifest-dev" */
	struct span policy_bundle_hash, tool_catalog_hash; /* equal to those of the session */
	struct span intent_hash; /* may be absent */
};

/* One call of the transcript, in order. decision: a word of claims, not of records. */
struct claim_call {
	struct span tool, decision;
};

/* Everything that both documents say; borrowed. Texts that are absent have p == NULL. */
struct claim_facts {
	struct span session_id;
	uint64_t made_ns; /* real time */
	uint64_t attested_ns; /* when the platform gave its evidence; 0: as made */
	struct span producer; /* "tollgate/<version>" */
	struct span policy_hash, catalog_hash, program_hash; /* "sha256:<hex>" */
	struct span policy_version;
	struct span mode; /* "enforce", "advisory" or "silent" */
	struct span data_class; /* the most sensitive that the session has seen */
	struct span root, tip; /* entry hashes of first and last record, bare hex */
	uint64_t length; /* records */
	uint64_t calls, denied, faulted; /* tool calls: all; and of these */
	const struct span *tools; /* names of those that were let through, distinct */
	unsigned tools_n;
	const struct claim_call *transcript; /* all calls; NULL: too many to name, the hash covers them */
	struct span transcript_uri;
	bool drift;
	uint64_t number; /* of this claim in its line, from 1 */
	struct span previous; /* "sha256:<hex>" of the claim before it; absent in the first */
	const struct claim_identity *identity; /* NULL: none is bound */
	const struct claim_platform *platform; /* NULL: software-only */
};

#define CLAIM_NONCE_SIZE 64
/* What hardware evidence must cover: RFC 7638 thumbprint of the key, SHA-256 of the chain's root. */
int claim_nonce(const uint8_t key[ED25519_KEY_SIZE], struct span root_hex, uint8_t ret[CLAIM_NONCE_SIZE]);

/* Append the signed document in canonical form. 0; -EINVAL when a fact has no place in the form (not
 * ASCII, a hash that is none, a previous claim in the first); -ENOMEM; or what the signer gave. */
int gateway_claim_make(const struct claim_facts *f, const struct claim_signer *s, struct buf *out);
int trust_record_make(const struct claim_facts *f, const struct claim_signer *s, struct buf *out);

/* Appends the signature, in base64url, of an audit bundle whose entries' canonical array has this digest. */
int audit_bundle_sign(const uint8_t entries_digest[SHA256_SIZE], const struct claim_signer *s, struct buf *out);

#endif
