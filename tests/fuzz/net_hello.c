// SPDX-License-Identifier: Apache-2.0
/* A ClientHello: no fault, and a part of one asks for more or gives the same answer. */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "user/net/sni.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char name[SNI_SIZE] = "", again[SNI_SIZE] = "";
	struct span in = { (const char *)data, size };
	int r = sni_parse(in, name);

	if (r > 0 && (name[0] == '\0' || strnlen(name, sizeof(name)) == sizeof(name)))
		abort();
	for (size_t n = 0; r >= 0 && n < size; n += size / 16 + 1) {
		int s = sni_parse((struct span){ in.p, n }, again);

		if (s != -EAGAIN && s != r)
			abort();
	}
	return 0;
}
