/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_TPM_SIGNATURE_H
#define TOLLGATE_TPM_SIGNATURE_H

#include <openssl/evp.h>
#include <stdbool.h>
#include <stdint.h>

#include "attest/tpm_public.h"
#include "user/base/span.h"

#define TPM_SIGNATURE_MAX 1024

/* TPMT_SIGNATURE: TPM 2.0 Library, part 2, section 11.3. */
struct tpm_signature {
	uint16_t scheme; /* TPM_ALG_RSASSA, TPM_ALG_RSAPSS or TPM_ALG_ECDSA */
	uint16_t hash; /* sha256, sha384 or sha512: SHA-1 is refused */
	bool bare; /* an RSA signature without its header: scheme and hash are assumed */
	struct span rsa;
	struct span r, s;
};

/*
 * A TPMT_SIGNATURE; or, what some tools write, an RSA key's bare signature, recognised by being exactly as
 * long as the key's modulus and then taken as RSASSA with SHA-256. 0, -EBADMSG malformed,
 * -EOPNOTSUPP another scheme, or SHA-1.
 */
int tpm_signature_parse(struct span bytes, const EVP_PKEY *key, struct tpm_signature *ret);

/* Over data as received. 0, -EKEYREJECTED when it does not verify or the scheme is none for this key,
 * -ENOMEM. */
int tpm_signature_verify(const struct tpm_signature *sig, EVP_PKEY *key, struct span data);

#endif
