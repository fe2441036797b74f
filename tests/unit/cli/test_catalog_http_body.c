// SPDX-License-Identifier: Apache-2.0
#include "user/cli/catalog_http_body.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "user/base/cleanup.h"

#define JSON "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
#define SSE "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"

/* Feeds in pieces of n bytes, then the end of the connection. Messages are joined with '|'. */
static int read_all(const char *text, size_t n, struct buf *messages, struct http_body *b)
{
	size_t len = strlen(text);
	int r = 0;

	http_body_init(b);
	for (size_t at = 0; at < len && r == 0; at += n) {
		struct buf m = { 0 };

		r = http_body_feed(b, text + at, len - at < n ? len - at : n);
		while (r == 0 && http_body_message(b, &m) == 1) {
			buf_printf(messages, "%s%s", buf_len(messages) ? "|" : "", buf_cstr(&m));
			buf_clear(&m);
		}
		buf_done(&m);
	}
	if (r == 0 && !b->ended) {
		struct buf m = { 0 };

		r = http_body_feed(b, NULL, 0);
		if (r == 0 && http_body_message(b, &m) == 1)
			buf_printf(messages, "%s", buf_cstr(&m));
		buf_done(&m);
	}
	return r;
}

static const struct {
	const char *text, *messages;
	int r, status;
} cases[] = {
	{ JSON "Content-Length: 2\r\n\r\n{}", "{}", 0, 200 },
	{ JSON "Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n1;x=y\r\n}\r\n0\r\n\r\n", "{}", 0, 200 },
	{ JSON "\r\n{}", "{}", 0, 200 },
	{ "HTTP/1.1 100 Continue\r\n\r\n" JSON "Content-Length: 2\r\n\r\n{}", "{}", 0, 200 },
	{ "HTTP/1.0 400 Bad\nContent-Type: application/json\nContent-Length:2 \n\n{}", "{}", 0, 400 },
	{ "HTTP/1.1 202 Accepted\r\n\r\n", "", 0, 202 },
	{ SSE "\r\ndata: a\n\n: c\nevent: message\ndata:b\r\nid: 4\r\n\r\nid: 5\ndata: \n\ndata: c\ndata: d\n\n", "a|b|c\nd", 0, 200 },
	{ SSE "Transfer-Encoding: chunked\r\n\r\n3\r\ndat\r\n6\r\na: x\n\n\r\n0\r\nX: y\r\n\r\n", "x", 0, 200 },
	{ SSE "\r\n\n\n\n\ndata: x\n\ndata: cut", "x", 0, 200 },
	{ JSON "Content-Length: 3\r\n\r\n{}", "", -EPIPE, 200 },
	{ JSON "Transfer-Encoding: chunked\r\n\r\n5\r\n{}", "", -EPIPE, 200 },
	{ JSON, "", -EPIPE, 200 },
	{ "", "", -EPIPE, 0 },
	{ "SSH-2.0-x\r\n", "", -EBADMSG, 0 },
	{ "HTTP/1.1 2x0 OK\r\n", "", -EBADMSG, 0 },
	{ "HTTP/2 200\r\n", "", -EBADMSG, 0 },
	{ "\r\n", "", -EBADMSG, 0 },
	{ JSON "Content-Length: -1\r\n\r\n", "", -EBADMSG, 200 },
	{ JSON "Content-Length: 99999999999\r\n\r\n", "", -EBADMSG, 200 },
	{ JSON "Content-Length: 1\r\nContent-Length: 1\r\n\r\n", "", -EBADMSG, 200 },
	{ JSON "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", "", -EBADMSG, 200 },
	{ JSON "Transfer-Encoding: gzip, chunked\r\n\r\n", "", -EBADMSG, 200 },
	{ JSON "Content-Encoding: br\r\n\r\n", "", -EBADMSG, 200 },
	{ JSON "Mcp-Session-Id: a\x01" "b\r\n\r\n", "", -EBADMSG, 200 },
	{ JSON "Transfer-Encoding: chunked\r\n\r\nxyz\r\n", "", -EBADMSG, 200 },
	{ JSON "Transfer-Encoding: chunked\r\n\r\nfffffffff1\r\n", "", -EBADMSG, 200 },
};

static void reads_in_any_pieces(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		for (size_t n = 1; n <= strlen(cases[i].text) + 1; n++) {
			_cleanup_buf_ struct buf messages = { 0 };
			struct http_body b;
			int r = read_all(cases[i].text, n, &messages, &b);

			if (r != cases[i].r || strcmp(buf_cstr(&messages), cases[i].messages) != 0 ||
			    b.status != cases[i].status)
				fail_msg("%s by %zu: %d %d %s", cases[i].text, n, r, b.status, buf_cstr(&messages));
			assert_true(r != -EBADMSG || b.fault);
			http_body_done(&b);
		}
	}
}

static void is_limited(void **state)
{
	static char line[8192];
	struct http_body b;
	int r;

	memset(line, 'a', sizeof(line));
	http_body_init(&b);
	assert_int_equal(http_body_feed(&b, "HTTP/1.1 200 OK\r\n", 17), 0);
	for (int i = 0; (r = http_body_feed(&b, line, sizeof(line))) == 0; i++)
		assert_true(i < 20);
	assert_int_equal(r, -EBADMSG);
	http_body_done(&b);
	http_body_init(&b);
	assert_int_equal(http_body_feed(&b, SSE "\r\ndata: ", strlen(SSE "\r\ndata: ")), 0);
	for (int i = 0; (r = http_body_feed(&b, line, sizeof(line))) == 0; i++)
		assert_true(i < 4096);
	assert_int_equal(r, -EMSGSIZE);
	http_body_done(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_in_any_pieces),
		cmocka_unit_test(is_limited),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
