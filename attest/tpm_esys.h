/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_TPM_ESYS_H
#define TOLLGATE_TPM_ESYS_H

/* What the files that talk to a TPM share; nothing else includes tpm2-tss. */

#include <tss2/tss2_esys.h>
#include <tss2/tss2_mu.h>

#include "attest/tpm_device.h"

struct tpm_dev {
	TSS2_TCTI_CONTEXT *tcti;
	ESYS_CONTEXT *esys;
};

/* The errno of tpm_device.h for a response code, 0 for success. */
int tpm_errno(TSS2_RC rc);

static inline void tpm_esys_free(void *p)
{
	Esys_Free(*(void **)p);
}
/* Releases what an Esys call allocated. */
#define _cleanup_esys_ __attribute__((cleanup(tpm_esys_free)))

/* The PCRs of the mask in the SHA-256 bank. */
TPML_PCR_SELECTION tpm_selection_of(uint32_t mask);

/* A policy session, salted under salt_key (ESYS_TR_NONE: not) with its responses encrypted, that demands the
 * PCRs of the mask as they are. trial: only to compute the policy's digest. */
int tpm_policy_session(struct tpm_dev *d, uint32_t mask, ESYS_TR salt_key, bool trial, ESYS_TR *ret);
int tpm_policy_digest(struct tpm_dev *d, uint32_t mask, TPM2B_DIGEST *ret);

/* A salted HMAC session, so that who listens on the bus learns no parameter. */
int tpm_hmac_session(struct tpm_dev *d, ESYS_TR salt_key, ESYS_TR *ret);

/* The storage root of the owner's hierarchy: ECC P-256 by the TCG's SRK template. */
int tpm_srk_load(struct tpm_dev *d, struct tpm_key *ret);

/* Loads the primary object of a template; appends its TPMT_PUBLIC when public is given. */
int tpm_primary(struct tpm_dev *d, ESYS_TR hierarchy, const TPM2B_PUBLIC *template, struct tpm_key *ret,
		struct buf *public);

int tpm_put_public(const TPM2B_PUBLIC *p, struct buf *out);
int tpm_put_signature(const TPMT_SIGNATURE *s, struct buf *out);

/* Fails with -EMSGSIZE when s does not fit. */
int tpm_data_of(struct span s, TPM2B_DATA *ret);

#endif
