// SPDX-License-Identifier: Apache-2.0
/* What is accepted as a record is ASCII, has its members where it says, and can be shown. */
#include <stdlib.h>

#include "user/notary/key_handover.h"
#include "user/notary/view.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct record_view v;
	uint8_t old_key[KEY_SIZE], new_key[KEY_SIZE];
	char shown[256];
	size_t at = 0;

	if (record_view_parse((struct span){ (const char *)data, size }, &v, &at) < 0)
		return at > size ? abort(), 0 : 0;
	for (size_t i = 0; i < size; i++)
		if (data[i] < 0x20 || data[i] >= 0x7f)
			abort();
	(void)handover_read(&v, "node", old_key, new_key);
	for (unsigned i = 0; i < M_COUNT; i++) {
		record_unescape(record_view_text(&v, i), shown, sizeof(shown));
		(void)record_view_int(&v, i);
		if (v.m[i].p && (v.m[i].p < v.line.p || v.m[i].p + v.m[i].n > v.line.p + v.line.n))
			abort();
	}
	return 0;
}
