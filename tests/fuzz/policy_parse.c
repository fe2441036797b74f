// SPDX-License-Identifier: Apache-2.0
/* Any bytes as a policy text: parsed and compiled, or refused with a place inside the text. */
#include <stdlib.h>

#include "policy/cedar.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(cedar_policies_free_p) struct cedar_policies *ps = NULL;
	_cleanup_(cedar_snapshot_unref_p) struct cedar_snapshot *s = NULL;
	struct span text = { (const char *)data, size };
	struct cedar_errors errors;
	struct cedar_error error;

	if (cedar_policies_new(&ps) < 0)
		return 0;
	if (cedar_policies_add(ps, "fuzz", text, &errors) < 0) {
		if (errors.n == 0 || errors.total < errors.n)
			abort();
		for (uint32_t i = 0; i < errors.n; i++) {
			if (errors.e[i].offset > size || errors.e[i].line == 0)
				abort();
		}
		return 0;
	}
	(void)cedar_snapshot_new(ps, NULL, &error, &s);
	return 0;
}
