// SPDX-License-Identifier: Apache-2.0
/* An event stream, whole and byte by byte: the same events with data, and the raw parts are the
 * input. */
#include <stdlib.h>

#include "user/net/sse.h"

static void read_all(struct span in, size_t step, struct buf *data, struct buf *raw)
{
	_cleanup_buf_ struct buf held = { 0 }, text = { 0 };
	struct sse s = { 0 };
	struct net_event ev;

	for (size_t at = 0; at < in.n; at += step) {
		if (buf_append(&held, in.p + at, in.n - at < step ? in.n - at : step) < 0)
			abort();
		while (sse_next(&s, buf_span(&held), &ev) > 0) {
			if (ev.raw.n == 0 || ev.lead > ev.raw.n ||
			    sse_render(&ev, ev.data, &text) < 0)
				abort();
			if (ev.data.n)
				buf_printf(data, "%zu:", ev.data.n);
			buf_append(data, ev.data.p, ev.data.n);
			buf_append(raw, ev.raw.p, ev.raw.n);
			buf_consume(&held, ev.raw.n);
		}
	}
	if (sse_last(&s, buf_span(&held), &ev) > 0)
		buf_append(raw, ev.raw.p, ev.raw.n);
	sse_done(&s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_buf_ struct buf a = { 0 }, b = { 0 }, raw_a = { 0 }, raw_b = { 0 };
	struct span in = { (const char *)data, size };

	read_all(in, size ? size : 1, &a, &raw_a);
	read_all(in, 1, &b, &raw_b);
	if (!span_eq(buf_span(&a), buf_span(&b)) || !span_eq(buf_span(&raw_a), in) ||
	    !span_eq(buf_span(&raw_b), in))
		abort();
	return 0;
}
