// SPDX-License-Identifier: Apache-2.0
/* A request head and its body, in pieces: no fault, and the two parsers end at the same byte. */
#include <stdlib.h>

#include "user/net/framing.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = { (const char *)data, size }, body, value;
	struct http_refusal no;
	struct http_head h;
	struct framing f;
	size_t scan = 0, at, used = 1, step, pos = 0, payload = 0;
	struct http_field field;
	long n = http_head_find(in, &scan);

	if (n <= 0 || http_request_head((struct span){ in.p, (size_t)n }, &h, &no) < 0)
		return 0;
	at = (size_t)n;
	while (http_field_next((struct span){ in.p, at }, &pos, &field))
		if (field.value.n &&
		    (field.value.p < in.p || field.value.p + field.value.n > in.p + at))
			abort();
	if (!http_field((struct span){ in.p, at }, "host", &value) || pos + 2 != at)
		abort();
	if (framing_begin(&f, HTTP_REQUEST, (struct span){ in.p, at }, &h, &no) < 0)
		return 0;
	step = size % 7 + 1;
	while (!f.done && at < size && used) {
		if (framing_step(&f,
				 (struct span){ in.p + at, size - at < step ? size - at : step },
				 &used, &body, &no) < 0)
			return 0;
		at += used;
		payload += body.n;
	}
	if (f.done && h.framing == HTTP_FRAMING_LENGTH && payload != h.length)
		abort();
	return 0;
}
