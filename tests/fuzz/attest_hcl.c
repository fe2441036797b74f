// SPDX-License-Identifier: Apache-2.0
/* The report of Azure's paravisor and its runtime data: total on any bytes, spans lie inside. */
#include <stdlib.h>

#include "attest/azure_hcl.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct span bytes = { (const char *)data, size };
	struct azure_runtime rt;
	struct azure_hcl h;

	if (azure_runtime_parse(bytes, &rt) == 0) {
		if (!rt.ak)
			abort();
		azure_runtime_done(&rt);
	}
	if (azure_hcl_parse(bytes, &h) < 0)
		return 0;
	if (h.runtime_data.p + h.runtime_data.n > bytes.p + bytes.n || h.report.n == 0)
		abort();
	if (azure_runtime_parse(h.runtime_data, &rt) == 0)
		azure_runtime_done(&rt);
	return 0;
}
