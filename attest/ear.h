/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_ATTEST_EAR_H
#define TOLLGATE_ATTEST_EAR_H

#include "attest/policy.h"
#include "attest/result.h"

/*
 * The judgement as claims of an EAT Attestation Result (draft-ietf-rats-ear-04) with the trustworthiness
 * vector of draft-ietf-rats-ar4si. It is the claims set alone: whoever signs results signs it.
 */

#define EAR_TYPE "eat+jwt" /* of a JWT that is one: RFC 9782 */

/* The members of the vector. */
enum ear_claim {
	EAR_INSTANCE_IDENTITY,
	EAR_CONFIGURATION,
	EAR_EXECUTABLES,
	EAR_FILE_SYSTEM,
	EAR_HARDWARE,
	EAR_RUNTIME_OPAQUE,
	EAR_STORAGE_OPAQUE,
	EAR_SOURCED_DATA,
	EAR_CLAIMS,
};

/* Which member a field of a finding speaks about. A field that no row names counts for the identity. */
enum ear_claim ear_claim_of(const char *field);

/* Appends the claims set as JSON; iat is the time of issue, build names the program and its version.
 * 0 or -errno. */
int attest_ear(const struct attest_result *res, const struct attest_policy *p, int64_t iat,
	       const char *build, struct buf *out);

#endif
