// SPDX-License-Identifier: Apache-2.0
/*
 * The provider that is always there and proves nothing: it says that no hardware stands behind the
 * node's statements, and carries no parts.
 */
#include "attest/provider.h"

static bool software_present(const struct attest_config *c)
{
	return true;
}

static int software_collect(const struct attest_config *c, const struct attest_digests *bound,
			    struct attest_evidence *e)
{
	return 0;
}

const struct attest_provider attest_software_only = {
	.name = "software-only",
	.class = ATTEST_SOFTWARE_ONLY,
	.present = software_present,
	.collect = software_collect,
};
