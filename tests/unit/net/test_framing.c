// SPDX-License-Identifier: Apache-2.0
#include "user/net/framing.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <cmocka.h>

#include "user/base/buf.h"
#include "user/base/cleanup.h"

#define CHUNKED "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
#define LENGTH5 "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n"

/* Reads a message in steps of at most step bytes. 1: done, *ret_rest bytes are left; 0: more is
 * needed. */
static int run(enum llhttp_type type, const char *text, size_t n, size_t step, struct buf *body,
	       size_t *ret_rest, struct http_refusal *no)
{
	struct framing f;
	struct http_head h;
	size_t scan = 0, at;
	long head = http_head_find((struct span){ text, n }, &scan);
	int r;

	assert_true(head > 0);
	at = (size_t)head;
	r = type == HTTP_REQUEST ? http_request_head((struct span){ text, at }, &h, no)
				 : http_response_head((struct span){ text, at }, false, &h, no);
	assert_int_equal(r, 0);
	r = framing_begin(&f, type, (struct span){ text, at }, &h, no);
	if (r < 0)
		return r;
	while (!f.done && at < n) {
		size_t most = n - at < step ? n - at : step, used;
		struct span part;

		r = framing_step(&f, (struct span){ text + at, most }, &used, &part, no);
		if (r < 0)
			return r;
		assert_true(used > 0 && used <= most);
		assert_int_equal(buf_append(body, part.p, part.n), 0);
		at += used;
	}
	*ret_rest = n - at;
	return f.done;
}

static void good_bodies_at_every_split(void **state)
{
	static const struct {
		struct span text;
		const char *body;
		size_t rest;
	} cases[] = {
		{ SPAN(LENGTH5 "helloGET"), "hello", 3 },
		{ SPAN(CHUNKED "5\r\nhello\r\n0\r\n\r\n"), "hello", 0 },
		{ SPAN(CHUNKED "0\r\n\r\nx"), "", 1 },
		{ SPAN(CHUNKED "3\r\nhel\r\n02\r\nlo\r\n000\r\n\r\n"), "hello", 0 },
		{ SPAN(CHUNKED "A\r\n0123456789\r\na\r\n0123456789\r\n0\r\n\r\n"),
		  "01234567890123456789", 0 },
		{ SPAN(CHUNKED "5;ext=1\r\nhello\r\n0;last\r\n\r\n"), "hello", 0 },
		{ SPAN(CHUNKED "2\r\n\r\n\r\n0\r\n\r\n"), "\r\n", 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		for (size_t step = 1; step <= cases[i].text.n; step++) {
			_cleanup_buf_ struct buf body = { 0 };
			struct http_refusal no = { 0, "" };
			size_t rest = 99;
			int r = run(HTTP_REQUEST, cases[i].text.p, cases[i].text.n, step, &body,
				    &rest, &no);

			if (r != 1 || rest != cases[i].rest ||
			    !span_is(buf_span(&body), cases[i].body))
				fail_msg("case %zu step %zu: %d rest %zu %s", i, step, r, rest,
					 no.why);
		}
}

static void hostile_chunks_are_refused(void **state)
{
	static const struct span cases[] = {
		SPAN(CHUNKED "\r\nhello\r\n0\r\n\r\n"),
		SPAN(CHUNKED "5\nhello\r\n0\r\n\r\n"),
		SPAN(CHUNKED "5\rhello\r\n0\r\n\r\n"),
		SPAN(CHUNKED "5\r\nhello\n0\r\n\r\n"),
		SPAN(CHUNKED "5\r\nhello0\r\n\r\n"),
		SPAN(CHUNKED "5\r\nhello!\r\n0\r\n\r\n"),
		SPAN(CHUNKED "5 \r\nhello\r\n0\r\n\r\n"),
		SPAN(CHUNKED " 5\r\nhello\r\n0\r\n\r\n"),
		SPAN(CHUNKED "5 ;a\r\nhello\r\n0\r\n\r\n"),
		SPAN(CHUNKED "+5\r\nhello\r\n0\r\n\r\n"),
		SPAN(CHUNKED "-5\r\nhello\r\n0\r\n\r\n"),
		SPAN(CHUNKED "0x5\r\nhello\r\n0\r\n\r\n"),
		SPAN(CHUNKED "5h\r\nhello\r\n0\r\n\r\n"),
		SPAN(CHUNKED "000000005\r\nhello\r\n0\r\n\r\n"),
		SPAN(CHUNKED "FFFFFFFFFFFFFFFFF\r\n"),
		SPAN(CHUNKED "5;a\nb\r\nhello\r\n0\r\n\r\n"),
		SPAN(CHUNKED "5;a\rb\r\nhello\r\n0\r\n\r\n"),
		SPAN(CHUNKED "5;a=\"\x01\"\r\nhello\r\n0\r\n\r\n"),
		SPAN(CHUNKED "5;\xc3\xa9\r\nhello\r\n0\r\n\r\n"),
		SPAN(CHUNKED "5\r\nhello\r\n0\r\nX: trailer\r\n\r\n"),
		SPAN(CHUNKED "5\r\nhello\r\n0\r\nContent-Length: 3\r\n\r\n"),
		SPAN(CHUNKED "0\r\n\n"),
		SPAN(CHUNKED "0\n\r\n"),
		SPAN(CHUNKED "0\r\n\rX"),
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		for (size_t step = 1; step <= cases[i].n; step++) {
			_cleanup_buf_ struct buf body = { 0 };
			struct http_refusal no = { 0, NULL };
			size_t rest;

			if (run(HTTP_REQUEST, cases[i].p, cases[i].n, step, &body, &rest, &no) !=
			    -EBADMSG)
				fail_msg("chunks %zu were accepted in steps of %zu", i, step);
			assert_non_null(no.why);
		}
}

static void chunk_line_is_bounded(void **state)
{
	_cleanup_buf_ struct buf text = { 0 }, body = { 0 };
	struct http_refusal no = { 0, NULL };
	size_t rest;

	buf_append_str(&text, CHUNKED "5;");
	for (int i = 0; i < 1000; i++)
		buf_append_str(&text, "a");
	assert_int_equal(run(HTTP_REQUEST, text.data, text.end, 64, &body, &rest, &no), -EBADMSG);
}

static void truncated_is_not_done(void **state)
{
	static const char text[] = CHUNKED "5\r\nhello\r\n0\r\n\r\n";

	for (size_t n = sizeof(CHUNKED) - 1; n < sizeof(text) - 1; n++) {
		_cleanup_buf_ struct buf body = { 0 };
		struct http_refusal no;
		size_t rest;

		assert_int_equal(run(HTTP_REQUEST, text, n, n, &body, &rest, &no), 0);
	}
}

static void end_of_stream(void **state)
{
	struct span eof = SPAN("HTTP/1.1 200 OK\r\nA: b\r\n\r\n");
	struct span length = SPAN("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n");
	struct http_refusal no;
	struct http_head h;
	struct framing f;
	struct span body;
	size_t used;

	assert_int_equal(http_response_head(eof, false, &h, &no), 0);
	assert_int_equal(framing_begin(&f, HTTP_RESPONSE, eof, &h, &no), 0);
	assert_int_equal(framing_step(&f, SPAN("any\r\n\r\nbytes"), &used, &body, &no), 0);
	assert_true(!f.done && used == 12 && body.n == 12);
	assert_int_equal(framing_eof(&f), 0);
	assert_true(f.done);
	assert_int_equal(http_response_head(length, false, &h, &no), 0);
	assert_int_equal(framing_begin(&f, HTTP_RESPONSE, length, &h, &no), 0);
	assert_int_equal(framing_eof(&f), -EBADMSG);
}

/* llhttp and we may differ about a message; then it is refused, whoever is right. */
static void disagreement_is_refused(void **state)
{
	struct span head = SPAN(LENGTH5);
	struct http_refusal no;
	struct http_head h;
	struct framing f;

	assert_int_equal(http_request_head(head, &h, &no), 0);
	h.length = 6;
	assert_int_equal(framing_begin(&f, HTTP_REQUEST, head, &h, &no), -EBADMSG);
	h.length = 0;
	h.framing = HTTP_FRAMING_NONE;
	assert_int_equal(framing_begin(&f, HTTP_REQUEST, head, &h, &no), -EBADMSG);
	h.framing = HTTP_FRAMING_CHUNKED;
	assert_int_equal(framing_begin(&f, HTTP_REQUEST, head, &h, &no), -EBADMSG);
}

static void bodyless_answers(void **state)
{
	static const struct {
		struct span head;
		bool of_head;
	} cases[] = {
		{ SPAN("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"), true },
		{ SPAN("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"), true },
		{ SPAN("HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n"), false },
		{ SPAN("HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n"), false },
		{ SPAN("HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n"), false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct http_refusal no = { 0, "" };
		struct http_head h;
		struct framing f;

		assert_int_equal(http_response_head(cases[i].head, cases[i].of_head, &h, &no), 0);
		if (framing_begin(&f, HTTP_RESPONSE, cases[i].head, &h, &no) < 0 || !f.done)
			fail_msg("case %zu: %s", i, no.why);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_bodies_at_every_split),
		cmocka_unit_test(hostile_chunks_are_refused),
		cmocka_unit_test(chunk_line_is_bounded),
		cmocka_unit_test(truncated_is_not_done),
		cmocka_unit_test(end_of_stream),
		cmocka_unit_test(disagreement_is_refused),
		cmocka_unit_test(bodyless_answers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
