// SPDX-License-Identifier: Apache-2.0
/* A policy file: no fault, nothing half read, and a refusal that says why. */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

#include "attest/policy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct policy_error e = { { 0 } };
	struct attest_policy p;
	int r;

	attest_policy_init(&p);
	p.snp.max_vmpl = 2;
	r = attest_policy_read(&p, (struct span){ (const char *)data, size }, &e);
	if (r == 0 && p.version != 1)
		abort();
	if (r < 0 && (p.snp.max_vmpl != 2 || p.version != 0))
		abort();
	if (r == -EINVAL && e.text[0] == '\0')
		abort();
	attest_policy_done(&p);
	return 0;
}
