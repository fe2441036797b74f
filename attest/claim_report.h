/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_ATTEST_CLAIM_REPORT_H
#define TOLLGATE_ATTEST_CLAIM_REPORT_H

#include <jansson.h>

#include "attest/attest.h"
#include "attest/claim_make.h"

/*
 * What hardware says of one session: evidence that covers the 64 bytes of claim_nonce(), the key that signs
 * the session's claims and the root of its records. A report with room for 64 bytes has them as they are
 * (SEV-SNP, TDX: cMCP's layout), one with room for 32 has their SHA-256 (TPM, Azure).
 *
 * Claims have members for some of it. All of it is a document of its own that goes beside the claim:
 *
 *	{"binding":"tollgate/claim-binding/v1","nonce":HEX,"parts":{NAME:BASE64,...},"platform":"tpm","taken":SECONDS}
 */
#define CLAIM_REPORT_BINDING "tollgate/claim-binding/v1"

struct claim_report {
	struct attest_evidence evidence;
	char platform[16]; /* the provider's name, which evidence.platform points to */
	uint8_t nonce[CLAIM_NONCE_SIZE];
	uint64_t taken_s; /* Unix time, as whoever took it says */
};

/* From the configured provider, bound to the nonce. 0, -errno of attest_evidence(), -EOPNOTSUPP when the
 * provider has no hardware behind it. */
int claim_report_take(const struct attest_config *c, const uint8_t nonce[CLAIM_NONCE_SIZE],
		      struct claim_report *ret);
/* Appends the document. */
int claim_report_json(const struct claim_report *r, struct buf *out);
/* Whether a document says that it is one; and its reading: 0, -EBADMSG, -ENOMEM. */
bool claim_report_is(const json_t *document);
int claim_report_read(const json_t *document, struct claim_report *ret);
void claim_report_done(struct claim_report *r);

/* What a claim carries of a report; platform's texts lie in the rest of it. */
struct claim_carried {
	struct claim_platform platform;
	char measurement[7 + 2 * 48 + 1]; /* as cMCP states it: a hash of the launch measurement, or of PCR 0 to 7 */
	struct buf raw, certs, ek_certs;
};
/* 0; -EOPNOTSUPP when claims have no word for this platform or no way to carry its evidence; -EBADMSG when a
 * part is missing or malformed; -ENOMEM. */
int claim_report_carry(const struct claim_report *r, struct claim_carried *ret);
void claim_carried_done(struct claim_carried *c);

#endif
