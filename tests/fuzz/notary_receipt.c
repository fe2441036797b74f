// SPDX-License-Identifier: Apache-2.0
/* COSE receipts, heads for them and tombstones, all from elsewhere. What parses must come out as it went in. */
#include <stdlib.h>
#include <string.h>

#include "user/notary/receipt.h"
#include "user/notary/retention.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct span all = { (const char *)data, size };
	static struct verifier_key vk = { .name = "node.test" };
	struct receipt_head head;
	uint64_t leaf, tree_size;
	struct buf out = { 0 };
	const char *why;
	struct span list;
	struct tree t;

	if (receipt_check(all, SPAN("a record"), &vk, &leaf, &tree_size, &why) == 0)
		abort(); /* nobody signed it */
	if (receipt_head_parse(all, &head) == 0 && head.size > UINT64_C(999999999999999999))
		abort();
	if (retention_parse(all, &t, &list) == 0) {
		if (retention_format(&t, list, &out) < 0 || !span_eq(buf_span(&out), all))
			abort();
		buf_done(&out);
	}
	return 0;
}
