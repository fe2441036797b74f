/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_TPM_PUBLIC_H
#define TOLLGATE_TPM_PUBLIC_H

#include <openssl/evp.h>
#include <stdbool.h>
#include <stdint.h>

#include "attest/tpm_hash.h"
#include "user/base/buf.h"
#include "user/base/span.h"

/* Public areas, Names and NV public areas: TPM 2.0 Library, part 2, sections 12 and 13. Big endian. */

#define TPM_PUBLIC_MAX 2048
#define TPM_NAME_MAX (2 + TPM_HASH_SIZE_MAX)

#define TPM_ALG_RSA 0x0001
#define TPM_ALG_NULL 0x0010
#define TPM_ALG_RSASSA 0x0014
#define TPM_ALG_RSAPSS 0x0016
#define TPM_ALG_ECDSA 0x0018
#define TPM_ALG_ECC 0x0023

/* TPMA_OBJECT */
#define TPM_OBJ_FIXED_TPM 0x00000002u
#define TPM_OBJ_FIXED_PARENT 0x00000010u
#define TPM_OBJ_SENSITIVE_DATA_ORIGIN 0x00000020u
#define TPM_OBJ_RESTRICTED 0x00010000u
#define TPM_OBJ_DECRYPT 0x00020000u
#define TPM_OBJ_SIGN 0x00040000u

struct tpm_public {
	struct span bytes; /* the TPMT_PUBLIC itself, borrowed */
	uint16_t type; /* TPM_ALG_RSA or TPM_ALG_ECC */
	uint16_t name_alg;
	uint32_t attributes;
	struct span policy;
	uint16_t scheme, scheme_hash; /* TPM_ALG_NULL and 0 when the key leaves it to the caller */
	uint16_t bits; /* RSA */
	uint32_t exponent; /* RSA, 0: 65537 */
	uint16_t curve; /* ECC */
	struct span n; /* RSA modulus */
	struct span x, y;
};

struct tpm_name {
	size_t n;
	uint8_t bytes[TPM_NAME_MAX];
};

/* A TPMT_PUBLIC, bare or behind the length of a TPM2B_PUBLIC. An RSA or ECC key. 0 or -EBADMSG. */
int tpm_public_parse(struct span bytes, struct tpm_public *ret);

/* 0, -EBADMSG for a curve, point, size or exponent that is refused (RSA below 2048 bits), -ENOMEM. */
int tpm_public_key(const struct tpm_public *pub, EVP_PKEY **ret);

/* Appends the SubjectPublicKeyInfo of a TPMT_PUBLIC. Errors of both functions above. */
int tpm_public_spki(struct span public, struct buf *spki);

/* nameAlg || H(TPMT_PUBLIC). 0 or -EBADMSG for an algorithm that is not known here. */
int tpm_public_name(const struct tpm_public *pub, struct tpm_name *ret);

/* nameAlg || H(bytes): also the Name of an NV index, over its TPMS_NV_PUBLIC. */
int tpm_name_of(uint16_t alg, struct span bytes, struct tpm_name *ret);

static inline struct span tpm_name_span(const struct tpm_name *n)
{
	return (struct span){ (const char *)n->bytes, n->n };
}

/* TPMA_NV */
#define TPM_NV_WRITTEN 0x20000000u
#define TPM_NT_MASK 0x000000f0u
#define TPM_NT_COUNTER 0x00000010u
#define TPM_NT_EXTEND 0x00000040u

struct tpm_nv_public {
	struct span bytes; /* TPMS_NV_PUBLIC, borrowed */
	uint32_t index;
	uint16_t name_alg;
	uint32_t attributes;
	struct span policy;
	uint16_t size;
};

/* A TPMS_NV_PUBLIC, bare or as TPM2B_NV_PUBLIC. 0 or -EBADMSG. */
int tpm_nv_public_parse(struct span bytes, struct tpm_nv_public *ret);

#endif
