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

/* The hardware evidence inside a claim whose platform is one, against the 64 bytes that it must have
 * been asked to cover. Evidence that is missing is a failure: a name is no proof. 0 or -ENOMEM. */
int claim_evidence_verify(const json_t *claim, const uint8_t nonce[64], const struct claim_expect *expect,
			  struct attest_result *res);

/* The manifest that a claim's agent_identity names, against what that says. 0 or -ENOMEM. */
int claim_manifest_verify(const json_t *identity, const struct claim_expect *expect, struct attest_result *res);

#endif
