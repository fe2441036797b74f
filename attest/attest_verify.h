/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_ATTEST_VERIFY_H
#define TOLLGATE_ATTEST_VERIFY_H

#include "attest/policy.h"
#include "attest/result.h"
#include "attest/x509.h"
#include "user/base/span.h"

/*
 * Verification of evidence, offline and total: whatever the bytes are, the answer is a list of findings.
 * Expected values come from the policy alone; what it does not name is not-checked. Every verifier
 * appends to a result that attest_result_init() made and marks it complete as its last act, returns 0
 * when it judged (the result says how) and -ENOMEM when it could not. The time is the result's.
 */

/* Roots that stand in for the pinned ones, for tests with keys of their own; NULL everywhere else. */
struct attest_roots {
	const struct x509_certs *amd; /* by common name: ARK-Milan, ARK-Genoa, ARK-Turin */
	const struct x509_certs *intel;
};

/* AMD SEV-SNP attestation report, ABI 56860, versions 2 to 5. */
struct attest_snp {
	struct span report;
	/* The leaf (VCEK or VLEK) and perhaps its intermediates: PEM, one DER certificate, or the table of
	 * certificates that the kernel gives with an extended report; one or more files of these. AMD's own
	 * intermediates are known. */
	const struct span *certs;
	unsigned n_certs;
	const struct span *crls; /* PEM or DER, of the product's root */
	unsigned n_crls;
	const char *product; /* "milan", "genoa", "turin" or NULL: as report and certificate say */
	const struct attest_roots *roots;
};
int attest_verify_snp(const struct attest_snp *in, const struct attest_policy *p, struct attest_result *res);

/* Intel TDX quote, versions 4 and 5. */
struct attest_tdx {
	struct span quote;
	/* Files of collateral in any order, told apart by their content: TCB information and QE identity as
	 * Intel's service gives them, PEM chains of their signer, revocation lists in DER, hex or PEM, or one
	 * JSON object that holds all of these by name. */
	const struct span *collateral;
	unsigned n_collateral;
	struct span event_log; /* CCEL data; empty: none given */
	const struct attest_roots *roots;
};
int attest_verify_tdx(const struct attest_tdx *in, const struct attest_policy *p, struct attest_result *res);

#endif
