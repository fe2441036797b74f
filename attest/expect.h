/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_ATTEST_EXPECT_H
#define TOLLGATE_ATTEST_EXPECT_H

#include "attest/policy_types.h"
#include "attest/result.h"
#include "user/base/span.h"

/* One value against what a policy lists; used by every verifier, so that "nothing expected" means the same
 * everywhere. needed: without an expectation the field is open and blocks; else it is only reported. */
void attest_expect(struct attest_result *res, const char *field, const struct policy_set *set, struct span value,
		   bool needed);

/* One identifier against a list of allowed and a list of denied ones. An empty value is not known: it is
 * in no list of allowed ones, and a list of denied ones cannot be asked. */
void attest_expect_listed(struct attest_result *res, const char *field, const struct policy_set *allow,
			  const struct policy_set *deny, struct span value);

#endif
