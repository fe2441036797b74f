// SPDX-License-Identifier: Apache-2.0
/* A Content-Type: what is taken names UTF-8 wherever it has the word, in either case. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "user/net/media.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *p = (const char *)data;

	if (!http_media_is_utf8((struct span){ p, size }))
		return 0;
	for (size_t i = 0; i + 7 <= size; i++) {
		if (strncasecmp(p + i, "charset", 7) != 0)
			continue;
		if (size - i < 13 || (strncasecmp(p + i + 7, "=utf-8", 6) != 0 &&
				      (size - i < 15 || strncasecmp(p + i + 7, "=\"utf-8\"", 8) != 0)))
			abort();
	}
	return 0;
}
