/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_TPM_PCRS_H
#define TOLLGATE_TPM_PCRS_H

#include "attest/tpm_attest.h"
#include "attest/tpm_hash.h"

/* Values of PCRs, told by whoever sends the evidence; a quote's digest proves the selected ones. */
struct tpm_pcrs {
	struct tpm_selection selection;
	uint8_t value[TPM_BANKS_MAX][TPM_PCRS][TPM_HASH_SIZE_MAX]; /* as the selection's banks */
};

/* A PCR that software can set back to its first value (16 and 23 by anyone, 17 to 22 from a locality that
 * a hypervisor or an authenticated code module has) proves nothing about what ran before. */
#define TPM_PCRS_RESETTABLE 0x00ff0000u

#define TPM_PCRS_FILE_MAX 65536

/*
 * Values for a quote's selection from a file in one of three forms:
 *  - the selected values one after another, bank by bank;
 *  - all 24 values of the one selected bank;
 *  - what tpm2-tools writes ("-o" with the default "serialized" format): C structures of a little-endian
 *    host, which must name the same selection.
 * 0 or -EBADMSG.
 */
int tpm_pcrs_parse(struct span bytes, const struct tpm_selection *sel, struct tpm_pcrs *ret);

/* Digest of the selected values as TPM2_Quote computes it, with the signing scheme's hash. */
int tpm_pcrs_digest(const struct tpm_pcrs *p, uint16_t hash, uint8_t *ret);

/* The value of a PCR, empty when it is not among them. */
struct span tpm_pcrs_value(const struct tpm_pcrs *p, uint16_t alg, unsigned pcr);

#endif
