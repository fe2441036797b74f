/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_ATTEST_POLICY_BINDING_H
#define TOLLGATE_ATTEST_POLICY_BINDING_H

#include "attest/policy_types.h"

/* Section "binding": what the node's statement must say, whichever hardware it is bound to. Hashes are those
 * of "sha256:<hex>". */
struct binding_policy {
	struct policy_set public_keys; /* Ed25519 log keys */
	struct policy_set policy_hashes, catalog_hashes, program_hashes, kernel_program_hashes;
	struct policy_texts modes;
};

extern const struct policy_key binding_policy_keys[];
void binding_policy_done(struct binding_policy *p);

#endif
