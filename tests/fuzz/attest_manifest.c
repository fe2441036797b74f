// SPDX-License-Identifier: Apache-2.0
/* Agent manifests: any bytes as CBOR, as a COSE_Sign1, as a manifest in either envelope. */
#include <stdlib.h>

#include "attest/agent_manifest.h"
#include "attest/cbor.h"
#include "attest/cose.h"
#include "attest/json_text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* What the check let pass must be readable item by item, to the last byte. */
static void read_all(struct span all)
{
	struct cbor_item item;
	uint64_t left = 1;

	for (; left; left--) {
		if (cbor_read(&all, &item) < 0)
			abort();
		left += item.type == CBOR_MAP ? 2 * item.value :
			item.type == CBOR_ARRAY ? item.value : item.type == CBOR_TAG ? 1 : 0;
	}
	if (all.n)
		abort();
}

static void judge(struct span text, const struct manifest_expect *expect)
{
	struct attest_result res;

	attest_result_init(&res, "fuzz", 1800000000);
	(void)agent_manifest_verify(text, expect, &res);
	/* No key that is trusted here has signed anything. */
	if (attest_appraise(&res, NULL) == ATTEST_AFFIRMING)
		abort();
	attest_result_done(&res);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct span text = { (const char *)data, n };
	struct manifest_key key = { .key = { 2 } };
	struct manifest_expect expect = { .subject = SPAN("spiffe://node.example/agent") };
	_cleanup_json_ json_t *document = NULL;
	struct cose_sign1 s;
	const char *code;

	if (cbor_check(text) == 0)
		read_all(text);
	if (cose_sign1_read(text, &s, &code) == 0 && cose_sign1_verify(&s, key.key))
		abort();
	judge(text, &expect);
	if (agent_manifest_read(text, &document, &code) == 0) {
		expect.principals = expect.keys = &key;
		expect.n_principals = expect.n_keys = 1;
		expect.revoked = json_object_get(document, "revoked");
		expect.policy_bundle = json_member_text(json_path(document, "artifacts.policy_bundle"), "hash");
		judge(text, &expect);
	}
	return 0;
}
