// SPDX-License-Identifier: Apache-2.0
/* One HTTP answer, in two pieces: where it is cut must not change what is read. */
#include <stdlib.h>

#include "user/cli/catalog_http_body.h"

static int feed(struct http_body *b, const char *p, size_t n, size_t cut, struct buf *out)
{
	int r = 0;

	http_body_init(b);
	if (cut)
		r = http_body_feed(b, p, cut);
	if (r == 0 && n - cut)
		r = http_body_feed(b, p + cut, n - cut);
	while (r == 0 && http_body_message(b, out) == 1)
		(void)buf_append(out, "|", 1);
	return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t cut = size ? data[0] % size : 0;
	struct buf x = { 0 }, y = { 0 };
	struct http_body a, b;

	if (!size)
		return 0;
	if (feed(&a, (const char *)data + 1, size - 1, 0, &x) !=
	    feed(&b, (const char *)data + 1, size - 1, cut < size - 1 ? cut : size - 1, &y))
		abort();
	if (!span_eq(buf_span(&x), buf_span(&y)) || a.ended != b.ended)
		abort();
	http_body_done(&a);
	http_body_done(&b);
	buf_done(&x);
	buf_done(&y);
	return 0;
}
