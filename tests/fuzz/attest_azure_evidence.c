// SPDX-License-Identifier: Apache-2.0
/* Evidence of an Azure guest as JSON, through the whole verifier: it always judges, and never affirms what
 * it was not given a chip's key for. */
#include <stdlib.h>

#include "attest/azure_verify.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct attest_azure in = { .evidence = { (const char *)data, size }, .nonce = SPAN("nonce"), .have_nonce = true };
	struct attest_result res;

	attest_result_init(&res, "azure", 1767225600);
	if (attest_verify_azure(&in, NULL, &res) == 0 && attest_appraise(&res, NULL) == ATTEST_AFFIRMING)
		abort();
	attest_result_done(&res);
	return 0;
}
