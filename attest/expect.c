// SPDX-License-Identifier: Apache-2.0
/*
 * Expected values: listed is pass, not listed is fail, nothing listed is not-checked.
 */
#include "attest/expect.h"

#include <stdio.h>

#include "user/base/digest.h"

#define SHOWN 8 /* bytes of a value in a reason; the whole stands among the claims */

static const char *shown(struct span v, char ret[2 * SHOWN + 4])
{
	size_t n = v.n < SHOWN ? v.n : SHOWN;

	hex_encode(v.p, n, ret);
	(void)snprintf(ret + 2 * n, 4, "%s", v.n > n ? "..." : "");
	return ret;
}

void attest_expect(struct attest_result *res, const char *field, const struct policy_set *set,
		   struct span value, bool needed)
{
	char hex[2 * SHOWN + 4];

	shown(value, hex);
	if (!set->given && needed)
		attest_unchecked(res, field, "no-expectation", "nothing was expected; it is %s",
				 hex);
	else if (!set->given)
		attest_skipped(res, field, "no-expectation", "nothing was expected; it is %s", hex);
	else if (policy_set_has(set, value))
		attest_pass(res, field, "expected", "%s is expected", hex);
	else
		attest_fail(res, field, "unexpected", "%s is none of the %u expected values", hex,
			    set->n);
}

void attest_expect_listed(struct attest_result *res, const char *field,
			  const struct policy_set *allow, const struct policy_set *deny,
			  struct span value)
{
	char hex[2 * SHOWN + 4];

	shown(value, hex);
	if (!allow->given && !deny->given)
		attest_skipped(res, field, "no-expectation", "no list is given; it is %s",
			       value.n ? hex : "not known");
	else if (value.n && deny->given && policy_set_has(deny, value))
		attest_fail(res, field, "denied", "%s is on the list of denied ones", hex);
	else if (allow->given && (value.n == 0 || !policy_set_has(allow, value)))
		attest_fail(res, field, "not-allowed", "%s is not on the list of allowed ones",
			    value.n ? hex : "it is not known and");
	else if (value.n == 0)
		attest_unchecked(res, field, "not-known",
				 "the evidence does not name it, so no list can be asked");
	else
		attest_pass(res, field, allow->given ? "allowed" : "not-denied", "%s", hex);
}
