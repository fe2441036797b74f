/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_TPM_DEVICE_H
#define TOLLGATE_TPM_DEVICE_H

#include <stdbool.h>
#include <stdint.h>

#include "user/base/buf.h"
#include "user/base/span.h"

/*
 * Commands to a TPM 2.0 through tpm2-tss (ESAPI). A device is opened for a few commands and closed again:
 * others need it too, and nothing is left loaded in it. What is made is made as a primary object: the same
 * template gives the same key again after every reboot, so no key file exists that could be lost or copied.
 * The hierarchies' authorisations must be empty, as they are unless an owner was set.
 *
 * Errors of every function: -ENODEV no TPM there, -ENOENT no such index, -EACCES the TPM refuses the
 * authorisation, -ESTALE the registers are not what a policy demands, -EBUSY it is occupied or locked out,
 * -ENOMEM, -EIO anything else.
 */
struct tpm_dev;

/* NULL: the kernel's resource manager, /dev/tpmrm0. tpm2-tss writes its own view of errors to standard error
 * unless the environment says TSS2_LOG=all+NONE; that is the program's to say. */
int tpm_dev_open(const char *tcti, struct tpm_dev **ret);
void tpm_dev_close(struct tpm_dev *d);

/* Indices in the owner's range of the TCG's registry of handles. */
#define TPM_INDEX_MEASURED 0x01800a70u /* extend: what the daemon was given to enforce */
#define TPM_INDEX_COUNTER 0x01800a71u /* counter: of log checkpoints */
/* Of Azure's virtual TPM. */
#define TPM_INDEX_AZURE_HCL 0x01400001u
#define TPM_HANDLE_AZURE_AK 0x81000003u

/* PCRs of the SHA-256 bank that a quote covers: all that only a reboot clears. */
#define TPM_QUOTE_MASK 0x0000ffffu

/* PCRs that must stay as they are for the co-signing key to sign and for what is sealed to come back: the
 * firmware's code and its keys. The others change with every kernel update. */
#define TPM_COSIGN_MASK 0x00000081u

/* A loaded key; flushed by tpm_key_done(). */
struct tpm_key {
	struct tpm_dev *dev;
	uint32_t tr; /* ESYS_TR, 0: none */
	bool persistent; /* not ours to flush */
};
void tpm_key_done(struct tpm_key *k);
#define _cleanup_tpm_key_ __attribute__((cleanup(tpm_key_done)))

/* The attestation key: P-256, ECDSA with SHA-256, restricted, in the endorsement hierarchy. Appends its
 * TPMT_PUBLIC. */
int tpm_ak_load(struct tpm_dev *d, struct tpm_key *ret, struct buf *public);
/* A key that is there already, under a persistent handle. */
int tpm_key_persistent(struct tpm_dev *d, uint32_t handle, struct tpm_key *ret, struct buf *public);
/* The key that signs beside the log key: P-256, born in the TPM, usable only while the PCRs of the mask are
 * what they are now. Appends its TPMT_PUBLIC. */
int tpm_cosign_load(struct tpm_dev *d, uint32_t mask, struct tpm_key *ret, struct buf *public);
/* The endorsement key of the RSA template of the TCG's EK profile (L-1), and its certificate from NV. */
int tpm_ek_certificate(struct tpm_dev *d, struct buf *certificate); /* alone: making an RSA key takes seconds */
int tpm_ek_load(struct tpm_dev *d, struct tpm_key *ret, struct buf *public, struct buf *certificate);

/* Quote of the SHA-256 bank: appends TPMS_ATTEST, TPMT_SIGNATURE and the selected values, which have the
 * quoted digest. */
int tpm_quote_make(struct tpm_dev *d, const struct tpm_key *ak, uint32_t mask, struct span qualifying,
		   struct buf *quote, struct buf *signature, struct buf *values);
int tpm_certify_make(struct tpm_dev *d, const struct tpm_key *ak, const struct tpm_key *object,
		     struct span qualifying, struct buf *attest, struct buf *signature);
/* ECDSA by the cosign key over a SHA-256 digest: appends a TPMT_SIGNATURE. */
int tpm_cosign_sign(struct tpm_dev *d, const struct tpm_key *k, uint32_t mask, const uint8_t digest[32],
		    struct buf *signature);

/* Extends a PCR of the SHA-256 bank. */
int tpm_pcr_extend(struct tpm_dev *d, unsigned pcr, const uint8_t digest[32]);

/* Appends the whole contents of an index. */
int tpm_nv_read(struct tpm_dev *d, uint32_t index, struct buf *out);
/* Make the index when there is none. */
int tpm_nv_extend(struct tpm_dev *d, uint32_t index, const uint8_t digest[32]);
int tpm_nv_increment(struct tpm_dev *d, uint32_t index, uint64_t *ret);
/* Appends TPMS_ATTEST, TPMT_SIGNATURE and TPMS_NV_PUBLIC. */
int tpm_nv_certify(struct tpm_dev *d, const struct tpm_key *ak, uint32_t index, struct span qualifying,
		   struct buf *attest, struct buf *signature, struct buf *public);

/* Seals at most 128 bytes to the PCRs of the mask as they are now; blob is for a file. */
int tpm_seal(struct tpm_dev *d, uint32_t mask, struct span secret, struct buf *blob);
/* The mask that a blob was sealed with; -EBADMSG when it is none of ours. */
int tpm_sealed_mask(struct span blob, uint32_t *ret);
/* -ESTALE: the registers have changed since; -EBADMSG: no blob of ours, or of another TPM. */
int tpm_unseal(struct tpm_dev *d, struct span blob, uint8_t *ret, size_t max, size_t *ret_n);

/* An enroller's two halves of credential activation: encrypt a secret of at most 32 bytes so that only the
 * TPM with this endorsement key opens it, and only for the key of this Name; and open it. */
int tpm_credential_make(struct tpm_dev *d, struct span ek_public, struct span ak_name, struct span secret,
			struct buf *blob);
int tpm_credential_activate(struct tpm_dev *d, const struct tpm_key *ek, const struct tpm_key *ak,
			    struct span blob, uint8_t *ret, size_t max, size_t *ret_n);

#endif
