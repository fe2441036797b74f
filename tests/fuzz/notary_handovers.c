// SPDX-License-Identifier: Apache-2.0
/* Lists of key changes, and tombstones and witnesses' stores that hold them: what is accepted comes out as it went in. */
#include <stdlib.h>

#include "user/notary/handover_list.h"
#include "user/notary/retention.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_list(struct span text)
{
	struct handover_list list = { .rest = text, .origin = "node.test" };
	_cleanup_buf_ struct buf again = { 0 };
	struct handover_kept k;
	uint64_t last = 0;

	while (handover_list_next(&list, &k) == 0) {
		if (k.leaf <= last || (k.is != HANDOVER_SIGNED && k.is != HANDOVER_GAP))
			abort();
		last = k.leaf;
		if (handover_list_add(&again, k.leaf, k.record) < 0)
			abort();
	}
	if (buf_len(&again) > text.n || (buf_len(&again) && memcmp(buf_span(&again).p, text.p, buf_len(&again)) != 0))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct span all = { (const char *)data, size };
	struct span handovers;
	struct tree t;

	read_list(all);
	if (retention_parse(all, &t, &handovers) == 0)
		read_list(handovers);
	return 0;
}
