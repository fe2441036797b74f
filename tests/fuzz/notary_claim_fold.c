// SPDX-License-Identifier: Apache-2.0
/* Lines of a log, folded into the figures of a claim: whatever they are, the figures are of one session and
 * agree with each other. */
#include <stdlib.h>
#include <string.h>

#include "user/notary/claim_fold.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(struct claim_fold *f)
{
	const struct claim_folded *s = claim_fold_state(f);
	uint8_t digest[SHA256_SIZE];
	uint64_t denied = 0, faulted = 0;

	if (s->length == 0 || s->denied + s->faulted > s->calls || s->tools_n > CLAIM_TOOLS_MAX)
		abort();
	for (uint64_t i = 0; !s->unnamed && i < s->calls; i++) {
		if (s->transcript[i].tool >= s->tools_n)
			abort();
		denied += s->transcript[i].decision == RECORD_DENY;
		faulted += s->transcript[i].decision == RECORD_DECISION_FAULT;
	}
	if (!s->unnamed && (denied != s->denied || faulted != s->faulted))
		abort();
	if (claim_fold_entries(f, digest) < 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct claim_fold *f = NULL;

	while (size) {
		const uint8_t *nl = memchr(data, '\n', size);
		size_t n = nl ? (size_t)(nl - data) : size;
		struct record_view v;

		if (record_view_parse((struct span){ (const char *)data, n }, &v, NULL) == 0) {
			if (!f)
				(void)claim_fold_new(&v, &f);
			else
				(void)claim_fold_take(f, &v);
		}
		data += n + !!nl;
		size -= n + !!nl;
	}
	if (f)
		check(f);
	claim_fold_free(f);
	return 0;
}
