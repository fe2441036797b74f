/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_ATTEST_POLICY_TPM_H
#define TOLLGATE_ATTEST_POLICY_TPM_H

#include "attest/policy_types.h"
#include "attest/tpm_attest.h"

/* Banks in which values can be expected: SHA-1 is not one. */
enum tpm_policy_bank {
	TPM_POLICY_SHA256,
	TPM_POLICY_SHA384,
	TPM_POLICY_SHA512,
	TPM_POLICY_BANKS,
};
extern const uint16_t tpm_policy_algs[TPM_POLICY_BANKS];

/* Section "tpm", which judges the quote of provider azure too. Nothing is given by default. */
struct tpm_policy {
	struct policy_set ak_names; /* attestation keys known by Name (34 bytes, nameAlg SHA-256) */
	struct policy_set enrollers; /* Ed25519 keys that sign enrolment records */
	struct policy_set firmware; /* 8 bytes */
	struct policy_set pcrs[TPM_POLICY_BANKS][TPM_PCRS];
	uint32_t selection[TPM_POLICY_BANKS]; /* bit per PCR; all zero: not given */
	uint32_t min_resets; /* of the TPM, to refuse what an earlier boot said */
	/* The daemon, as the kernel's measurement log (IMA) must show it. */
	struct policy_texts program_path; /* one path */
	struct policy_set programs; /* digests of genuine daemons, SHA-256 */
	struct policy_set measured; /* digests of all that may have been measured beside it */
};

extern const struct policy_key tpm_policy_keys[];
void tpm_policy_done(struct tpm_policy *p);

#endif
