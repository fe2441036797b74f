/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_IMA_H
#define TOLLGATE_IMA_H

#include <stdbool.h>
#include <stdint.h>

#include "attest/tpm_hash.h"
#include "user/base/span.h"

/*
 * The kernel's runtime measurement list (IMA): security/integrity/ima, files binary_runtime_measurements
 * (little endian; not the canonical form of a big-endian kernel) and ascii_runtime_measurements. Each
 * entry is extended into PCR 10: SHA-1 of its template data in the SHA-1 bank, and since Linux 5.9 in
 * every other bank the bank's own hash of the same data.
 */

#define IMA_LOG_MAX (64u << 20) /* an entry takes some 100 bytes: half a million of them */
#define IMA_PCR 10

struct ima_entry {
	uint32_t pcr;
	bool violation; /* the file changed while it was measured: the kernel extends 0xff…ff */
	struct span template; /* "ima-ng", "ima-sig", … */
	uint16_t alg; /* of digest; 0 when the template has none that is known here */
	struct span path; /* without the NUL */
	uint8_t digest[TPM_HASH_SIZE_MAX];
	uint8_t extended[TPM_HASH_SIZE_MAX]; /* what went into the bank that was asked for */
};

struct ima_log {
	struct span rest;
	bool ascii;
	uint16_t bank;
};

/* log borrows bytes. bank: whose extends are wanted. 0, -EMSGSIZE over the limit, -EINVAL unknown bank. */
int ima_open(struct span bytes, uint16_t bank, struct ima_log *ret);

/* 1 and the next entry, 0 at the end, -EBADMSG. */
int ima_next(struct ima_log *log, struct ima_entry *ret);

#endif
