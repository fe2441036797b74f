// SPDX-License-Identifier: Apache-2.0
/* Statements about sessions: any bytes as a claim, a bundle, a record, a receipt; a claim with itself. */
#include <stdlib.h>

#include "attest/action_receipt.h"
#include "attest/claim.h"
#include "attest/json_text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	char error[JSON_TEXT_ERROR_SIZE];
	_cleanup_json_ json_t *v = NULL;
	struct receipt_result receipt;
	struct attest_result res;
	struct claim_expect expect = { 0 };

	if (json_text_read((struct span){ (const char *)data, n }, &v, error) < 0)
		return 0;
	attest_result_init(&res, "fuzz", 1800000000);
	expect.previous = v;
	(void)claim_verify(v, &expect, &res);
	if (attest_appraise(&res, NULL) == ATTEST_AFFIRMING)
		abort();
	(void)trust_record_verify(v, &expect, &res);
	(void)bundle_verify(json_object_get(v, "bundle"), json_object_get(v, "claim"), &expect, &res);
	(void)action_receipt_verify(v, &receipt);
	(void)action_binding_verify(v, "sha256:00");
	attest_result_done(&res);
	return 0;
}
