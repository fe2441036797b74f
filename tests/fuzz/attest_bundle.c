// SPDX-License-Identifier: Apache-2.0
/* The node's evidence file, through the whole verifier: it always judges, and affirms nothing of a key that
 * nobody vouched for. */
#include <stdlib.h>

#include "attest/bundle.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct attest_bundle_input in = { .nonce = SPAN("nonce"), .have_nonce = true };
	struct attest_bundle b;
	struct attest_result res;
	struct attest_policy p;

	if (attest_bundle_read((struct span){ (const char *)data, size }, &b) < 0)
		return 0;
	in.bundle = &b;
	attest_policy_init(&p);
	attest_result_init(&res, "tpm", 1767225600);
	if (attest_verify_bundle(&in, &p, &res) == 0 && attest_appraise(&res, &p) == ATTEST_AFFIRMING)
		abort();
	attest_result_done(&res);
	attest_policy_done(&p);
	attest_bundle_done(&b);
	return 0;
}
