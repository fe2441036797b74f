// SPDX-License-Identifier: Apache-2.0
/* Documents that open payloads: read whole or not at all, and written again as they were read. */
#include <stdlib.h>
#include <string.h>

#include "user/notary/disclosure.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_buf_ struct buf once = { 0 }, twice = { 0 };
	struct disclosure d, e;

	if (disclosure_parse((struct span){ (const char *)data, size }, &d) == 0) {
		for (unsigned i = 0; i < DISCLOSURE_FIELDS; i++)
			(void)disclosure_check(&d, i);
		if (disclosure_write(&d, &once) < 0 || disclosure_parse(buf_span(&once), &e) < 0 ||
		    disclosure_write(&e, &twice) < 0 || !span_eq(buf_span(&once), buf_span(&twice)))
			abort();
		disclosure_done(&e);
	}
	disclosure_done(&d);
	return 0;
}
