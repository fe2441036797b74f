/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_ATTEST_BUNDLE_TEE_H
#define TOLLGATE_ATTEST_BUNDLE_TEE_H

#include "attest/bundle.h"

/* Of bundle_verify.c: the parts of a confidential guest's evidence, whose report data must be the statement's
 * SHA-512. */
int bundle_judge_snp(const struct attest_bundle_input *in, const struct attest_policy *p, struct attest_result *res);
int bundle_judge_tdx(const struct attest_bundle_input *in, const struct attest_policy *p, struct attest_result *res);

#endif
