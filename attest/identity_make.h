/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_ATTEST_IDENTITY_MAKE_H
#define TOLLGATE_ATTEST_IDENTITY_MAKE_H

#include <stdint.h>

#include "attest/jose.h"
#include "user/base/digest.h"
#include "user/base/span.h"

#define IDENTITY_TEXT_SIZE 256 /* of a name in a record, which would shorten a longer one */

/* What a claim says of the agent manifest that an agent is bound to. */
struct manifest_identity {
	char manifest_id[IDENTITY_TEXT_SIZE], agent_id[IDENTITY_TEXT_SIZE], issuer[IDENTITY_TEXT_SIZE];
	char issuer_key_id[SHA256_HEX_SIZE]; /* hex SHA-256 of the key */
	char policy_hash[SHA256_PREFIXED_SIZE], catalog_hash[SHA256_PREFIXED_SIZE];
};

/* Judges a manifest, JSON or COSE, signed with the key, as of the Unix time, and takes out what a claim says
 * of it. 0; -EINVAL with a constant text in *ret_why when it does not bind: not its issuer's, out of its
 * window, malformed, or with names that no claim can carry; -ENOMEM. Does not compare policy and catalog:
 * those are the session's. */
int manifest_identity_read(struct span manifest, const uint8_t key[ED25519_KEY_SIZE], int64_t at,
			   struct manifest_identity *ret, const char **ret_why);

#endif
