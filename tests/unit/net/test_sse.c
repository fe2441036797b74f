// SPDX-License-Identifier: Apache-2.0
#include "user/net/sse.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "user/base/cleanup.h"

/* Writes each event as "type|id|data;" and checks that the raw parts together are the input. */
static void read_all(struct span in, size_t step, struct buf *out)
{
	_cleanup_buf_ struct buf held = { 0 }, raw = { 0 };
	struct sse s = { 0 };
	struct net_event ev;
	int r;

	for (size_t at = 0; at < in.n; at += step) {
		size_t n = in.n - at < step ? in.n - at : step;

		assert_int_equal(buf_append(&held, in.p + at, n), 0);
		while ((r = sse_next(&s, buf_span(&held), &ev)) > 0) {
			buf_printf(out, "%.*s|%.*s|%.*s;", (int)ev.type.n, ev.type.p, (int)ev.id.n,
				   ev.id.p, (int)ev.data.n, ev.data.p);
			assert_false(ev.incomplete);
			buf_append(&raw, ev.raw.p, ev.raw.n);
			buf_consume(&held, ev.raw.n);
		}
		assert_int_equal(r, 0);
	}
	if (sse_last(&s, buf_span(&held), &ev) > 0) {
		if (ev.raw.n > ev.lead) /* else only the LF of a line end that was split */
			buf_printf(out, "%.*s|%.*s|%.*s!", (int)ev.type.n, ev.type.p, (int)ev.id.n,
				   ev.id.p, (int)ev.data.n, ev.data.p);
		assert_true(ev.incomplete);
		buf_append(&raw, ev.raw.p, ev.raw.n);
	}
	assert_true(span_eq(buf_span(&raw), in));
	sse_done(&s);
}

static const struct {
	struct span in;
	const char *want;
} cases[] = {
	{ SPAN("data: x\n\n"), "||x;" },
	{ SPAN("data: x\r\n\r\n"), "||x;" },
	{ SPAN("data: x\r\r"), "||x;" },
	{ SPAN("data: x\r\n\ndata: y\n\r\n"), "||x;||y;" },
	{ SPAN("data: x\n\r\rdata: y\r\r\n"), "||x;||;||y;" },
	{ SPAN("data:x\ndata\ndata: y\n\n"), "||x\n\ny;" },
	{ SPAN("data:  two\n\n"), "|| two;" },
	{ SPAN("\xef\xbb\xbf"
	       "data: x\n\n"),
	  "||x;" },
	{ SPAN("\xef\xbb\xbf\xef\xbb\xbf"
	       "data: x\n\n"),
	  "||;" },
	{ SPAN("data: x\n\n\xef\xbb\xbf"
	       "data: y\n\n"),
	  "||x;||;" },
	{ SPAN(": comment\n\n"), "||;" },
	{ SPAN(":\r\n\r\ndata: x\r\n\r\n"), "||;||x;" },
	{ SPAN("id: 1\ndata: \n\n"), "|1|;" },
	{ SPAN("event: message\nid: 7\nretry: 10\ndata: {\"a\":1}\n\n"), "message|7|{\"a\":1};" },
	{ SPAN("event: a\nevent: b\nid: 1\nid\ndata: x\n\n"), "b||x;" },
	{ SPAN("id: 1\nid: a\0b\ndata: x\n\n"), "|1|x;" },
	{ SPAN("Data: x\nDATA: y\n data: z\ndatax: a\n\n"), "||;" },
	{ SPAN("data: x"), "||x!" },
	{ SPAN("data: x\n"), "||x!" },
	{ SPAN("data: x\r\n"), "||x!" },
	{ SPAN("data: x\n\ndata: y"), "||x;||y!" },
	{ SPAN("\n\n\n"), "||;||;||;" },
	{ SPAN("data: a:b: c\n\n"), "||a:b: c;" },
};

static void reads_at_every_split(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		for (size_t step = 1; step <= cases[i].in.n; step++) {
			_cleanup_buf_ struct buf out = { 0 };

			read_all(cases[i].in, step, &out);
			if (!span_is(buf_span(&out), cases[i].want))
				fail_msg("case %zu step %zu: %s", i, step, buf_cstr(&out));
		}
}

/* What one client makes of the bytes must not depend on what another part was replaced with. */
static void replaced_events_keep_their_other_lines(void **state)
{
	_cleanup_buf_ struct buf out = { 0 };
	struct sse s = { 0 };
	struct net_event ev;

	assert_int_equal(sse_next(&s,
				  SPAN("\xef\xbb\xbf: c\r\nevent: message\r\ndata: old\r\nid: 4\r\n"
				       "data: er\r\n\r\n"),
				  &ev),
			 1);
	assert_int_equal(sse_render(&ev, SPAN("new"), &out), 0);
	assert_true(span_is(buf_span(&out), ": c\nevent: message\nid: 4\ndata: new\n\n"));
	buf_clear(&out);
	assert_int_equal(sse_render(&ev, SPAN("a\nb\r\nc\rd"), &out), 0);
	assert_true(span_is(buf_span(&out),
			    ": c\nevent: message\nid: 4\ndata: a\ndata: b\ndata: c\ndata: d\n\n"));
	sse_done(&s);
}

static void bom_of_a_later_event_stays_a_name(void **state)
{
	_cleanup_buf_ struct buf out = { 0 };
	struct sse s = { .started = true };
	struct net_event ev;

	assert_int_equal(sse_next(&s,
				  SPAN("\xef\xbb\xbf"
				       "event: x\ndata: old\n\n"),
				  &ev),
			 1);
	assert_int_equal(ev.type.n, 0);
	assert_int_equal(sse_render(&ev, SPAN("new"), &out), 0);
	assert_true(span_is(buf_span(&out), "\xef\xbb\xbf"
					    "event: x\ndata: new\n\n"));
	sse_done(&s);
}

static void writes_events(void **state)
{
	_cleanup_buf_ struct buf out = { 0 };

	assert_int_equal(sse_write("message", SPAN("{}"), &out), 0);
	assert_int_equal(sse_write(NULL, SPAN(""), &out), 0);
	assert_true(span_is(buf_span(&out), "event: message\ndata: {}\n\ndata:\n\n"));
}

/* Many short pieces of one long event: the scan goes on where it stopped. */
static void long_event_in_small_pieces(void **state)
{
	const size_t n = 1 << 20;
	char *text = malloc(n);
	struct sse s = { 0 };
	struct net_event ev;

	memset(text, 'x', n);
	memcpy(text, "data: ", 6);
	memcpy(text + n - 2, "\n\n", 2);
	for (size_t at = 0; at + 16 < n; at += 16)
		assert_int_equal(sse_next(&s, (struct span){ text, at }, &ev), 0);
	assert_int_equal(sse_next(&s, (struct span){ text, n }, &ev), 1);
	assert_int_equal(ev.data.n, n - 8);
	sse_done(&s);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_at_every_split),
		cmocka_unit_test(replaced_events_keep_their_other_lines),
		cmocka_unit_test(bom_of_a_later_event_stays_a_name),
		cmocka_unit_test(writes_events),
		cmocka_unit_test(long_event_in_small_pieces),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
