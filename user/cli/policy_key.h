/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_CLI_POLICY_KEY_H
#define TOLLGATE_CLI_POLICY_KEY_H

#include "attest/jose.h"
#include "user/cli/policy_bundle.h"

/* Keys that sign policy bundles: Ed25519. Functions return 0, or -errno with "key: reason" in error. */

/* A public key as 64 hex digits, as 43 characters of base64url, or the path of a PEM file. */
int policy_key_public(const char *word, uint8_t ret[ED25519_KEY_SIZE], char error[POLICY_BUNDLE_ERROR_MAX]);

/* Signs with the private key of a PEM file that no password protects; appends base64url. */
int policy_key_sign(const char *path, struct span message, struct buf *ret_signature,
		    char error[POLICY_BUNDLE_ERROR_MAX]);

#endif
