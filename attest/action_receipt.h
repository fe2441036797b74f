/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_ATTEST_ACTION_RECEIPT_H
#define TOLLGATE_ATTEST_ACTION_RECEIPT_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "attest/jose.h"

/*
 * What somebody outside the gateway signs about one action: receipts of the profile
 * trace.action_receipt.conformance.v0, and ACTA decisions, each chained to the one before.
 */

enum receipt_status {
	RECEIPT_INVALID = 0,
	RECEIPT_MISSING_REQUIRED,
	RECEIPT_ABSENT, /* and not required */
	RECEIPT_UNVERIFIED, /* nobody whose key is known signed it */
	RECEIPT_VALID_REJECTED, /* the controller refused the action */
	RECEIPT_VALID_ACCEPTED,
};

enum receipt_fault {
	RECEIPT_MALFORMED = 1 << 0,
	RECEIPT_SIGNATURE = 1 << 1,
	RECEIPT_ACTION_INVALID = 1 << 2, /* the action's own reference is not its content's */
	RECEIPT_ACTION_MISMATCH = 1 << 3,
	RECEIPT_CALL_MISMATCH = 1 << 4,
	RECEIPT_SESSION_MISMATCH = 1 << 5,
	RECEIPT_EVIDENCE_MISMATCH = 1 << 6,
	RECEIPT_CHAIN_GAP = 1 << 7,
	RECEIPT_STALE = 1 << 8,
	RECEIPT_FUTURE = 1 << 9,
	RECEIPT_DECISION = 1 << 10,
	RECEIPT_PHYSICAL_CLAIM = 1 << 11, /* physical completion, which a receipt cannot show */
	RECEIPT_MISSING = 1 << 12,
};
#define RECEIPT_FAULTS 13

struct receipt_result {
	enum receipt_status status;
	unsigned faults; /* of receipt_fault */
	bool issuer_unknown, issuer_not_independent;
	const char *outcome; /* what became of the action: "accepted", "aborted", ...; "unknown". From the document. */
};

/* document: {context, action, trusted_issuer_keys, evidence, receipt}, as the conformance profile has
 * it. 0 or -ENOMEM; ret says everything else. */
int action_receipt_verify(const json_t *document, struct receipt_result *ret);

const char *receipt_status_text(enum receipt_status s); /* the profile's words */
const char *receipt_fault_text(unsigned fault); /* one bit; the profile's words */

/* An ACTA receipt {payload, signature}: is it the key's, over RFC 8785 of the payload? previous (NULL: not
 * at hand) is the receipt that payload.previousReceiptHash must name. 0 or -ENOMEM. */
struct acta_result {
	bool signature, chained; /* chained: names no previous, or the one that was given */
};
int acta_verify(const json_t *receipt, const uint8_t key[ED25519_KEY_SIZE], const json_t *previous,
		struct acta_result *ret);

/* cmcp.execution-action-binding version 1: is digest ("sha256:<hex>" or "sha384:<hex>") the binding's?
 * 0; -EBADMSG it is not; -EINVAL another domain, version or shape; -ENOTSUP another algorithm; -ENOMEM. */
int action_binding_verify(const json_t *preimage, const char *digest);

#endif
