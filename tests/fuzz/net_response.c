// SPDX-License-Identifier: Apache-2.0
/* A response: head, body in pieces, end of stream. The first byte chooses HEAD and the size of the
 * pieces. */
#include <stdlib.h>

#include "user/net/framing.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct http_refusal no;
	struct http_head h;
	struct framing f;
	struct span in, body;
	size_t scan = 0, at, used = 1, step;
	long n;

	if (size < 2)
		return 0;
	in = (struct span){ (const char *)data + 1, size - 1 };
	step = (data[0] >> 1) + 1;
	n = http_head_find(in, &scan);
	if (n <= 0 ||
	    http_response_head((struct span){ in.p, (size_t)n }, data[0] & 1, &h, &no) < 0)
		return 0;
	at = (size_t)n;
	if (framing_begin(&f, HTTP_RESPONSE, (struct span){ in.p, at }, &h, &no) < 0)
		return 0;
	while (!f.done && at < in.n && used) {
		if (framing_step(&f,
				 (struct span){ in.p + at, in.n - at < step ? in.n - at : step },
				 &used, &body, &no) < 0)
			return 0;
		at += used;
	}
	if (f.ll_body != f.body || (f.done && f.kind == HTTP_FRAMING_EOF))
		abort();
	if (!f.done && framing_eof(&f) == 0 && f.kind != HTTP_FRAMING_EOF)
		abort();
	return 0;
}
