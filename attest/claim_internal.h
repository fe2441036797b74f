/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_ATTEST_CLAIM_INTERNAL_H
#define TOLLGATE_ATTEST_CLAIM_INTERNAL_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "attest/claim.h"

/* "sha256:" or "sha384:" and nothing but zeros: nothing was measured. */
static inline bool digest_is_zero(const char *digest)
{
	const char *colon = strchr(digest, ':');

	return colon && colon[1 + strspn(colon + 1, "0")] == '\0';
}

/* Hardware that a statement names, and what it must have been asked to cover. */
struct stated_hardware {
	const json_t *runtime; /* platform, measurement */
	const json_t *carried; /* gateway.attestation_evidence; NULL: the statement carries none */
	bool must_carry; /* a name without evidence is a failure: a name is no proof */
	const uint8_t *nonce; /* CLAIM_NONCE_SIZE bytes */
	/* Names of findings. */
	const char *evidence, *measurement, *root, *hardware;
};

/* Judges the report that came with the statement, or what the statement carries. 0 or -ENOMEM. */
int claim_evidence_verify(const struct stated_hardware *s, const struct claim_expect *expect,
			  struct attest_result *res);

/* The manifest that a claim's agent_identity names, against what that says. 0 or -ENOMEM. */
int claim_manifest_verify(const json_t *identity, const struct claim_expect *expect, struct attest_result *res);

#endif
