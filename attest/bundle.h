/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_ATTEST_BUNDLE_H
#define TOLLGATE_ATTEST_BUNDLE_H

#include "attest/attest.h"
#include "attest/azure_verify.h"

/* The evidence file that attest_evidence_json() writes, read and judged by a stranger. */
#define ATTEST_BUNDLE_MAX (96u << 20) /* both logs at their limits, as base64 */

struct attest_bundle {
	struct attest_evidence evidence; /* bound is computed from the statement, whatever the file says */
	struct attest_binding binding; /* spans lie in text */
	struct buf text;
	char platform[16];
};

/* 0, -EBADMSG when it is no such file, -ENOMEM. */
int attest_bundle_read(struct span json, struct attest_bundle *ret);
void attest_bundle_done(struct attest_bundle *b);

struct attest_bundle_input {
	const struct attest_bundle *bundle;
	struct span nonce; /* of the statement */
	bool have_nonce;
	struct span ak_certs, enrolment; /* tpm: as in struct attest_tpm */
	const struct x509_certs *roots;
	struct span proof; /* azure and sev-snp: the chip's certificates; azure: or the quote of the TD report */
	struct attest_azure silicon; /* lists and collateral to judge that with; the rest is not read */
};
/* The parts alone, bound to bundle->evidence.bound; and whether the daemon was measured. Only the platform's
 * findings and "binding.hardware", "binding.cosign_key", "binding.identity". Does not mark the result complete. */
int attest_judge_parts(const struct attest_bundle_input *in, const struct attest_policy *p,
		       struct attest_result *res);
/* Judges the statement against the policy's section "binding" and the parts by their platform's verifier,
 * bound to the statement. Findings "binding.*" and the platform's. */
int attest_verify_bundle(const struct attest_bundle_input *in, const struct attest_policy *p,
			 struct attest_result *res);

#endif
