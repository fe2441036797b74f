/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_TPM_ENROLMENT_H
#define TOLLGATE_TPM_ENROLMENT_H

#include <openssl/evp.h>
#include <stdint.h>

#include "user/base/buf.h"
#include "user/base/span.h"

/*
 * An enrolment record: an enroller's signed word that it sent a secret which only the TPM with this
 * endorsement key could open, and only for this attestation key (TPM2_MakeCredential and
 * TPM2_ActivateCredential). A quote alone cannot show that: endorsement keys do not sign. A line of JSON:
 *
 *	{"ak_name":HEX,"ek_certificate":HEX,"method":"credential-activation","signature":BASE64,
 *	 "time":SECONDS,"type":"tollgate/tpm-enrolment/v1"}
 *
 * ek_certificate is the SHA-256 of the endorsement certificate. Signed, with Ed25519, is
 * type 0x00 lp(ak_name) lp(ek_certificate) lp(method) u64be(time), lp as in the binding statement.
 */
#define TPM_ENROLMENT_MAX 4096

struct tpm_enrolment {
	struct span ak_name;
	uint8_t ek_certificate[32];
	int64_t time;
};

/* Appends a record, signed by an Ed25519 key. 0 or -errno. */
int tpm_enrolment_write(const struct tpm_enrolment *e, EVP_PKEY *enroller, struct buf *out);

/* Reads a record that this key (32 raw bytes) signed; name, of TPM_NAME_MAX bytes, receives what ak_name
 * points to. 0, -EBADMSG malformed, -EKEYREJECTED signed by another key, -ENOMEM. */
int tpm_enrolment_read(struct span json, const uint8_t enroller[32], uint8_t *name, struct tpm_enrolment *ret);

#endif
