// SPDX-License-Identifier: Apache-2.0
/*
 * The "binding" section of a verifier's policy.
 */
#include "attest/policy_binding.h"

#define AT(m) offsetof(struct binding_policy, m)

const struct policy_key binding_policy_keys[] = {
	{ .name = "public_keys", .kind = POLICY_SET, .offset = AT(public_keys), .max = 32 },
	{ .name = "policy_hashes", .kind = POLICY_SET, .offset = AT(policy_hashes), .max = 32 },
	{ .name = "catalog_hashes", .kind = POLICY_SET, .offset = AT(catalog_hashes), .max = 32 },
	{ .name = "program_hashes", .kind = POLICY_SET, .offset = AT(program_hashes), .max = 32 },
	{ .name = "kernel_program_hashes", .kind = POLICY_SET, .offset = AT(kernel_program_hashes), .max = 32 },
	{ .name = "modes", .kind = POLICY_TEXTS, .offset = AT(modes) },
	{ 0 },
};

void binding_policy_done(struct binding_policy *p)
{
	policy_set_done(&p->public_keys);
	policy_set_done(&p->policy_hashes);
	policy_set_done(&p->catalog_hashes);
	policy_set_done(&p->program_hashes);
	policy_set_done(&p->kernel_program_hashes);
	policy_texts_done(&p->modes);
}
