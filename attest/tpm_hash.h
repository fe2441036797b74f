/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_TPM_HASH_H
#define TOLLGATE_TPM_HASH_H

#include <openssl/evp.h>
#include <stddef.h>
#include <stdint.h>

#include "user/base/span.h"

/* TPM_ALG_ID of the hashes that PCR banks and logs use; TCG Algorithm Registry. */
#define TPM_HASH_SHA1 0x0004
#define TPM_HASH_SHA256 0x000b
#define TPM_HASH_SHA384 0x000c
#define TPM_HASH_SHA512 0x000d
#define TPM_HASH_SIZE_MAX 64

/* Bytes of a digest, 0 for an algorithm that is not known here. */
size_t tpm_hash_size(uint16_t alg);

/* "sha256", or NULL; and back, 0 when the name is none of them. */
const char *tpm_hash_name(uint16_t alg);
uint16_t tpm_hash_by_name(struct span name);

/* NULL for an algorithm that is not known here. */
const EVP_MD *tpm_hash_md(uint16_t alg);

/* Digest of the pieces one after another into ret, which has room for tpm_hash_size(alg).
 * 0, -EINVAL for an unknown algorithm, -ENOMEM. */
int tpm_hash(uint16_t alg, const struct span *pieces, unsigned n, uint8_t *ret);

/* What a register is after digest, of the register's own size, went into it: H(register || digest). */
int tpm_hash_extend(uint16_t alg, uint8_t *reg, const void *digest);

#endif
