// SPDX-License-Identifier: Apache-2.0
/* Event logs of firmware and kernel: total on any bytes; a replay that succeeds visited every byte. */
#include <stdlib.h>

#include "attest/eventlog.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint16_t algs[] = { TPM_HASH_SHA1, TPM_HASH_SHA256, TPM_HASH_SHA384, TPM_HASH_SHA512 };
	const struct span bytes = { (const char *)data, size };
	struct eventlog_replay rep;
	struct eventlog_event e;
	struct eventlog log;
	unsigned events = 0;

	for (unsigned i = 0; i < sizeof(algs) / sizeof(algs[0]); i++)
		if (eventlog_replay(bytes, algs[i], &rep) == 0 && rep.mask >> EVENTLOG_REGISTERS)
			abort();
	if (eventlog_open(bytes, &log) < 0)
		return 0;
	while (eventlog_next(&log, &e) == 1) {
		if (e.data.n && (e.data.p < (const char *)data || e.data.p + e.data.n > (const char *)data + size))
			abort();
		if (++events > size / 8)
			abort();
	}
	return 0;
}
