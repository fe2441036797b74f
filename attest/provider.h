/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_ATTEST_PROVIDER_H
#define TOLLGATE_ATTEST_PROVIDER_H

#include <jansson.h>

#include "attest/attest.h"
#include "user/base/json_out.h"

/* One source of evidence. The order of detection, in evidence.c, is part of the contract. */
struct attest_provider {
	const char *name;
	enum attest_class class;
	/* True when its device or interface is there; a hint, never evidence. */
	bool (*present)(const struct attest_config *c);
	/* Adds parts that cover the digests. What was added before a failure is dropped by the caller. */
	int (*collect)(const struct attest_config *c, const struct attest_digests *bound,
		       struct attest_evidence *e);
	/* Appends the key that lives in the hardware and signs beside the log key; NULL: there is none. */
	int (*cosign_key)(const struct attest_config *c, struct buf *spki);
};

extern const struct attest_provider attest_azure, attest_sev_snp, attest_tdx, attest_tpm, attest_opaque,
	attest_software_only;

/* The TPM that the configuration has open, or one to be closed again. */
int attest_tpm_open(const struct attest_config *c, struct tpm_dev **ret);
void attest_tpm_close(const struct attest_config *c, struct tpm_dev *d);

/* The parts as one JSON object of base64, and back: 0, -EBADMSG when one is not known or malformed, -ENOMEM. */
void attest_parts_json(struct json_out *j, const struct attest_evidence *e);
int attest_parts_read(const json_t *parts, struct attest_evidence *e);

/* A new, empty part to be filled; NULL when there are ATTEST_PARTS_MAX. */
struct buf *attest_evidence_add(struct attest_evidence *e, const char *name);

#endif
