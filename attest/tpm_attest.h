/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_TPM_ATTEST_H
#define TOLLGATE_TPM_ATTEST_H

#include <stdbool.h>
#include <stdint.h>

#include "attest/bytes.h"
#include "user/base/span.h"

/* What a TPM signs about itself: TPM 2.0 Library, part 2, section 10.12. Big endian. */

#define TPM_ATTEST_MAX 2048 /* the largest, an NV certification of a whole index, stays below */
#define TPM_GENERATED_MAGIC 0xff544347u
#define TPM_ST_NV 0x8014
#define TPM_ST_CERTIFY 0x8017
#define TPM_ST_QUOTE 0x8018

#define TPM_BANKS_MAX 4 /* sha1, sha256, sha384, sha512 */
#define TPM_PCRS 24

/* TPML_PCR_SELECTION: the banks in the order in which their values were hashed. */
struct tpm_selection {
	unsigned n;
	struct {
		uint16_t alg;
		uint32_t mask; /* bit per PCR, none at or above TPM_PCRS */
	} bank[TPM_BANKS_MAX];
};

/* Spans borrow from the bytes that were parsed. magic is not judged here: a restricted key signs anything
 * that does not begin with it, so whoever trusts a signature must compare it first. */
struct tpm_attest {
	uint32_t magic;
	uint16_t type;
	struct span signer; /* qualified name of the key that signed */
	struct span extra; /* qualifying data */
	uint64_t clock; /* milliseconds the TPM has run */
	uint32_t resets, restarts;
	bool safe; /* clock and counters were not set back by an unorderly shutdown */
	uint64_t firmware;
	struct tpm_selection selection; /* quote */
	struct span pcr_digest;
	struct span name, qualified_name; /* certify: of the object */
	struct span nv_name; /* NV: of the index */
	uint16_t nv_offset;
	struct span nv_contents;
};

/* One of the three types above, to the last byte. 0 or -EBADMSG. */
int tpm_attest_parse(struct span bytes, struct tpm_attest *ret);

/* Reads a selection; on anything that is not one marks b as failed. Each bank once, no bit outside the
 * PCRs, no unknown algorithm. */
void tpm_selection_read(struct bytes *b, struct tpm_selection *ret);
bool tpm_selection_equal(const struct tpm_selection *a, const struct tpm_selection *b);
uint32_t tpm_selection_mask(const struct tpm_selection *s, uint16_t alg);

#endif
