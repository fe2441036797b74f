// SPDX-License-Identifier: Apache-2.0
#include "user/net/head.h"

#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "user/base/cleanup.h"
#include "user/net/framing.h"

/* Bytes with an explicit length: some cases hold NUL. */
#define B(lit) \
	{ \
		lit, sizeof(lit) - 1 \
	}
#define START "POST /mcp HTTP/1.1\r\n"
#define HOST "Host: 127.0.0.1\r\n"

static const struct {
	struct span bytes;
	unsigned status;
} bad_requests[] = {
	{ B("\r\n\r\n"), 400 },
	{ B("\r\n" START HOST "\r\n"), 400 },
	{ B("POST /mcp\r\n" HOST "\r\n"), 400 },
	{ B("POST  /mcp HTTP/1.1\r\n" HOST "\r\n"), 400 },
	{ B("POST /mcp  HTTP/1.1\r\n" HOST "\r\n"), 400 },
	{ B("POST\t/mcp HTTP/1.1\r\n" HOST "\r\n"), 400 },
	{ B("POST /m\tcp HTTP/1.1\r\n" HOST "\r\n"), 400 },
	{ B("POST /mcp HTTP/1.1 \r\n" HOST "\r\n"), 505 },
	{ B("POST /mcp HTTP/1.0\r\n" HOST "\r\n"), 505 },
	{ B("POST /mcp HTTP/1.2\r\n" HOST "\r\n"), 505 },
	{ B("POST /mcp HTTP/2.0\r\n" HOST "\r\n"), 505 },
	{ B("POST /mcp HTTP/01.1\r\n" HOST "\r\n"), 505 },
	{ B("POST /mcp http/1.1\r\n" HOST "\r\n"), 400 },
	{ B("POST /m\xc3\xa4 HTTP/1.1\r\n" HOST "\r\n"), 400 },
	{ B("POST /m#frag HTTP/1.1\r\n" HOST "\r\n"), 400 },
	{ B("POST http://127.0.0.1/mcp HTTP/1.1\r\n" HOST "\r\n"), 400 },
	{ B("POST 127.0.0.1:80 HTTP/1.1\r\n" HOST "\r\n"), 400 },
	{ B("OPTIONS * HTTP/1.1\r\n" HOST "\r\n"), 400 },
	{ B("CONNECT 127.0.0.1:80 HTTP/1.1\r\n" HOST "\r\n"), 501 },
	{ B("CONNECT /x HTTP/1.1\r\n" HOST "\r\n"), 501 },
	{ B("PRI * HTTP/2.0\r\n\r\n"), 505 },
	{ B("P(ST /mcp HTTP/1.1\r\n" HOST "\r\n"), 400 },
	{ B(START "\r\n"), 400 },
	{ B(START "Host:\r\n\r\n"), 400 },
	{ B(START HOST HOST "\r\n"), 400 },
	{ B(START HOST "hOST: 127.0.0.1\r\n\r\n"), 400 },
	{ B(START "Host : 127.0.0.1\r\n\r\n"), 400 },
	{ B(START "Host\t: 127.0.0.1\r\n\r\n"), 400 },
	{ B(START " Host: 127.0.0.1\r\n\r\n"), 400 },
	{ B(START HOST "A: b\r\n c\r\n\r\n"), 400 },
	{ B(START HOST "A: b\r\n\tc\r\n\r\n"), 400 },
	{ B(START HOST "Transfer-Encoding:\r\n chunked\r\n\r\n"), 400 },
	{ B(START HOST "A: b\rc\r\n\r\n"), 400 },
	{ B(START HOST "A: b\r\r\n\r\n"), 400 },
	{ B(START HOST "A: b\0c\r\n\r\n"), 400 },
	{ B(START HOST "A: b\x01"
		       "c\r\n\r\n"),
	  400 },
	{ B(START HOST "A: b\x7f"
		       "c\r\n\r\n"),
	  400 },
	{ B(START HOST "A\0: b\r\n\r\n"), 400 },
	{ B(START HOST "A\xe9: b\r\n\r\n"), 400 },
	{ B(START HOST ": b\r\n\r\n"), 400 },
	{ B(START HOST "no colon\r\n\r\n"), 400 },
	{ B(START HOST "Content-Length: 5\r\nContent-Length: 5\r\n\r\n"), 400 },
	{ B(START HOST "Content-Length: 5\r\nContent-Length: 6\r\n\r\n"), 400 },
	{ B(START HOST "Content-Length: 5, 5\r\n\r\n"), 400 },
	{ B(START HOST "Content-Length: +5\r\n\r\n"), 400 },
	{ B(START HOST "Content-Length: -5\r\n\r\n"), 400 },
	{ B(START HOST "Content-Length: 0x5\r\n\r\n"), 400 },
	{ B(START HOST "Content-Length: 5 5\r\n\r\n"), 400 },
	{ B(START HOST "Content-Length: 05\r\n\r\n"), 400 },
	{ B(START HOST "Content-Length: \r\n\r\n"), 400 },
	{ B(START HOST "Content-Length: 5;\r\n\r\n"), 400 },
	{ B(START HOST "Content-Length: 99999999999999999999\r\n\r\n"), 400 },
	{ B(START HOST "Content-Length: 18446744073709551621\r\n\r\n"), 400 },
	{ B(START HOST "Content_Length: 5\r\n\r\n"), 400 },
	{ B(START HOST "Transfer_Encoding: chunked\r\n\r\n"), 400 },
	{ B(START HOST "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"), 400 },
	{ B(START HOST "Transfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n"), 400 },
	{ B(START HOST "Transfer-Encoding: gzip, chunked\r\n\r\n"), 400 },
	{ B(START HOST "Transfer-Encoding: chunked, identity\r\n\r\n"), 400 },
	{ B(START HOST "Transfer-Encoding: chunked, chunked\r\n\r\n"), 400 },
	{ B(START HOST "Transfer-Encoding: Chunked\r\n\r\n"), 400 },
	{ B(START HOST "Transfer-Encoding: xchunked\r\n\r\n"), 400 },
	{ B(START HOST "Transfer-Encoding: \"chunked\"\r\n\r\n"), 400 },
	{ B(START HOST "Transfer-Encoding: chunked;a=b\r\n\r\n"), 400 },
	{ B(START HOST "Transfer-Encoding: identity\r\n\r\n"), 400 },
	{ B(START HOST "Transfer-Encoding:\x0b"
		       "chunked\r\n\r\n"),
	  400 },
	{ B(START HOST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n"), 400 },
	{ B(START HOST "Transfer-Encoding: \r\n\r\n"), 400 },
	{ B(START HOST "Content-Type: application/json\r\nContent-Type: text/plain\r\n\r\n"), 400 },
	{ B(START HOST "Upgrade: websocket\r\nConnection: Upgrade\r\n\r\n"), 501 },
	{ B(START HOST "Upgrade: h2c\r\n\r\n"), 501 },
	{ B(START HOST "Connection: keep-alive, Upgrade\r\n\r\n"), 501 },
	{ B(START HOST "Connection: close, Mcp-Session-Id\r\n\r\n"), 400 },
	{ B(START HOST "Connection: Host\r\n\r\n"), 400 },
	{ B(START HOST "Expect: 200-ok\r\n\r\n"), 417 },
	{ B(START HOST "Expect: 100-continue, x\r\n\r\n"), 417 },
	{ B(START HOST "Expect: 100-continue\r\nExpect: 100-continue\r\n\r\n"), 400 },
	/* two heads where one should be */
	{ B(START HOST "\r\n" START HOST "\r\n"), 400 },
};

static void hostile_requests_are_refused(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(bad_requests); i++) {
		struct http_refusal no = { 0, NULL };
		struct http_head h;

		if (http_request_head(bad_requests[i].bytes, &h, &no) != -EBADMSG)
			fail_msg("request %zu was accepted", i);
		if (no.status != bad_requests[i].status || !no.why)
			fail_msg("request %zu: status %u", i, no.status);
	}
}

/* Every prefix of a good head is refused, and no change of a byte makes either parser fault. */
static void every_byte_changed(void **state)
{
	static const char good[] = START HOST "Content-Type: application/json\r\nA: b c\r\n"
					      "Content-Length: 12\r\n\r\n";
	const size_t n = sizeof(good) - 1;
	struct http_refusal no;
	struct http_head h;
	unsigned accepted = 0;

	for (size_t i = 0; i < n; i++) {
		/* An exact allocation, so that a read beyond it is seen. */
		char *p = malloc(n);

		memcpy(p, good, n);
		assert_int_equal(http_request_head((struct span){ p, i }, &h, &no), -EBADMSG);
		for (unsigned ch = 0; ch < 256; ch++) {
			struct framing f;

			p[i] = (char)ch;
			if (http_request_head((struct span){ p, n }, &h, &no) < 0)
				continue;
			accepted++;
			(void)framing_begin(&f, HTTP_REQUEST, (struct span){ p, n }, &h, &no);
		}
		free(p);
	}
	assert_true(accepted > n);
}

static void good_requests_are_read(void **state)
{
	static const char text[] = "POST /mcp?a={b} HTTP/1.1\r\nhOsT: localhost:3001\r\n"
				   "Content-Type:application/json \r\nContent-Length:\t17 \r\n"
				   "Accept-Encoding: gzip\r\nConnection: Keep-Alive, close\r\n"
				   "Expect: 100-Continue\r\nX: \xc3\xa9\tz\r\n\r\n";
	struct span in = { text, sizeof(text) - 1 }, v;
	struct http_refusal no = { 0, "" };
	struct http_head h;

	assert_int_equal(http_request_head(in, &h, &no), 0);
	assert_true(span_is(http_part(in, h.method), "POST"));
	assert_true(span_is(http_part(in, h.target), "/mcp?a={b}"));
	assert_true(span_is(http_part(in, h.host), "localhost:3001"));
	assert_true(span_is(http_part(in, h.content_type), "application/json"));
	assert_int_equal(h.framing, HTTP_FRAMING_LENGTH);
	assert_int_equal(h.length, 17);
	assert_true(h.close && h.expect && h.strip && !h.encoded);
	assert_true(http_field(in, "x", &v) && span_is(v, "\xc3\xa9\tz"));
	assert_true(http_field(in, "CONTENT-length", &v) && span_is(v, "17"));
	assert_false(http_field(in, "POST /mcp?a", &v));
	assert_false(http_field(in, "missing", &v));
}

static void no_length_is_no_body(void **state)
{
	struct span in = SPAN(
		"GET / HTTP/1.1\r\nHost: a\r\nConnection: TE\r\nAccept-Encoding: identity\r\n\r\n");
	struct http_refusal no;
	struct http_head h;

	assert_int_equal(http_request_head(in, &h, &no), 0);
	assert_int_equal(h.framing, HTTP_FRAMING_NONE);
	assert_false(h.close || h.strip);
}

static void too_many_fields(void **state)
{
	char text[8192];
	size_t n = (size_t)sprintf(text, START HOST);
	struct http_refusal no;
	struct http_head h;

	for (int i = 1; i < HTTP_FIELDS_MAX; i++)
		n += (size_t)sprintf(text + n, "A: b\r\n");
	memcpy(text + n, "\r\n", 3);
	assert_int_equal(http_request_head((struct span){ text, n + 2 }, &h, &no), 0);
	memcpy(text + n, "A: b\r\n\r\n", 9);
	assert_int_equal(http_request_head((struct span){ text, n + 8 }, &h, &no), -EBADMSG);
	assert_int_equal(no.status, 431);
}

static void finds_the_end_of_a_head(void **state)
{
	static const char text[] = START HOST "\r\nrest";
	size_t scan = 0, n = sizeof(text) - 1, at = 0;
	long r = 0;

	while (r == 0 && at < n)
		r = http_head_find((struct span){ text, ++at }, &scan);
	assert_int_equal(r, n - 4);
	assert_int_equal(at, n - 4);
	scan = 0;
	assert_int_equal(http_head_find(SPAN("\r\n"), &scan), 2);
	scan = 0;
	assert_int_equal(http_head_find(SPAN("\n"), &scan), -EBADMSG);
	scan = 0;
	assert_int_equal(http_head_find(SPAN("GET / HTTP/1.1\nHost: a\r\n\r\n"), &scan), -EBADMSG);
	scan = 0;
	assert_int_equal(http_head_find(SPAN("GET / HTTP/1.1\r\nHost: a\r\n\n"), &scan), -EBADMSG);
	scan = 0;
	assert_int_equal(http_head_find(SPAN("GET / HTTP/1.1\r\nHost: a\n\r\n"), &scan), -EBADMSG);
}

static const struct span bad_responses[] = {
	B("HTTP/1.1 20 OK\r\n\r\n"),
	B("HTTP/1.1 2000 OK\r\n\r\n"),
	B("HTTP/1.1 099 OK\r\n\r\n"),
	B("HTTP/1.1 600 OK\r\n\r\n"),
	B("HTTP/1.1  200 OK\r\n\r\n"),
	B("HTTP/2.0 200 OK\r\n\r\n"),
	B("ICY 200 OK\r\nA: bcdef\r\n\r\n"),
	B("HTTP/1.1 200 O\x01K\r\n\r\n"),
	B("HTTP/1.1 200 OK\rX\r\n\r\n"),
	B("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n"),
	B("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"),
	B("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n"),
	B("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"),
	B("HTTP/1.1 204 No Content\r\nContent-Length: 1\r\n\r\n"),
	B("HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n"),
	B("HTTP/1.1 100 Continue\r\nContent-Length: 5\r\n\r\n"),
	B("HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n"),
	B("HTTP/1.1 200 OK\r\nA : b\r\n\r\n"),
	B("HTTP/1.1 200 OK\r\nA: \0\r\n\r\n"),
	B("HTTP/1.1 200 OK\r\nContent-Type: a/b\r\nContent-Type: text/event-stream\r\n\r\n"),
	B("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Encoding: identity\r\n\r\n"),
};

static void hostile_responses_are_refused(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(bad_responses); i++) {
		struct http_refusal no = { 0, NULL };
		struct http_head h;

		if (http_response_head(bad_responses[i], false, &h, &no) != -EBADMSG)
			fail_msg("response %zu was accepted", i);
		assert_int_equal(no.status, 502);
	}
}

static void response_framing(void **state)
{
	static const struct {
		struct span head;
		bool of_head;
		enum http_framing framing;
		bool close;
	} cases[] = {
		{ B("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"), false, HTTP_FRAMING_LENGTH,
		  false },
		{ B("HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n"), false, HTTP_FRAMING_NONE, false },
		{ B("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"), true, HTTP_FRAMING_NONE,
		  false },
		{ B("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"), false,
		  HTTP_FRAMING_CHUNKED, false },
		{ B("HTTP/1.1 200 OK\r\nA: bcde\r\n\r\n"), false, HTTP_FRAMING_EOF, true },
		{ B("HTTP/1.1 204 No Content\r\n\r\n"), false, HTTP_FRAMING_NONE, false },
		{ B("HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n"), false,
		  HTTP_FRAMING_NONE, false },
		{ B("HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\n"), false, HTTP_FRAMING_LENGTH,
		  true },
		{ B("HTTP/1.0 200 OK\r\nContent-Length: 5\r\nConnection: keep-alive\r\n\r\n"),
		  false, HTTP_FRAMING_LENGTH, false },
		{ B("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\n"), false,
		  HTTP_FRAMING_LENGTH, true },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct http_refusal no = { 0, "" };
		struct http_head h;

		if (http_response_head(cases[i].head, cases[i].of_head, &h, &no) < 0)
			fail_msg("response %zu: %s", i, no.why);
		if (h.framing != cases[i].framing || h.close != cases[i].close)
			fail_msg("response %zu: framing %d close %d", i, h.framing, h.close);
	}
}

static void host_is_compared(void **state)
{
	static const struct {
		const char *host, *dest;
		unsigned port;
		enum http_host want;
	} cases[] = {
		{ "127.0.0.1:8080", "127.0.0.1", 8080, HTTP_HOST_SAME },
		{ "127.0.0.1", "127.0.0.1", 80, HTTP_HOST_SAME },
		{ "127.0.0.1:80", "127.0.0.1", 80, HTTP_HOST_SAME },
		{ "127.0.0.1", "127.0.0.1", 8080, HTTP_HOST_BAD },
		{ "127.0.0.1:8081", "127.0.0.1", 8080, HTTP_HOST_BAD },
		{ "127.0.0.1:08080", "127.0.0.1", 8080, HTTP_HOST_BAD },
		{ "127.0.0.1:", "127.0.0.1", 80, HTTP_HOST_BAD },
		{ "127.0.0.1:8080x", "127.0.0.1", 8080, HTTP_HOST_BAD },
		{ "127.0.0.1:73616", "127.0.0.1", 8080, HTTP_HOST_BAD },
		{ "127.0.0.2:8080", "127.0.0.1", 8080, HTTP_HOST_BAD },
		{ "127.1:8080", "127.0.0.1", 8080, HTTP_HOST_BAD },
		{ "2130706433:8080", "127.0.0.1", 8080, HTTP_HOST_BAD },
		{ "0x7f.1:8080", "127.0.0.1", 8080, HTTP_HOST_BAD },
		{ "0x7f000001:8080", "127.0.0.1", 8080, HTTP_HOST_BAD },
		{ "127.0.0.1.:8080", "127.0.0.1", 8080, HTTP_HOST_BAD },
		{ "[::1]:8080", "::1", 8080, HTTP_HOST_SAME },
		{ "[0:0::1]:8080", "::1", 8080, HTTP_HOST_SAME },
		{ "[::1]", "::1", 80, HTTP_HOST_SAME },
		{ "[::2]:8080", "::1", 8080, HTTP_HOST_BAD },
		{ "[::1%lo]:8080", "::1", 8080, HTTP_HOST_BAD },
		{ "[::1:8080", "::1", 8080, HTTP_HOST_BAD },
		{ "[]:8080", "::1", 8080, HTTP_HOST_BAD },
		{ "[::ffff:127.0.0.1]:8080", "127.0.0.1", 8080, HTTP_HOST_SAME },
		{ "127.0.0.1:8080", "::1", 8080, HTTP_HOST_BAD },
		{ "localhost:8080", "127.0.0.1", 8080, HTTP_HOST_NAME },
		{ "Example.COM", "10.0.0.1", 80, HTTP_HOST_NAME },
		{ "localhost:8081", "127.0.0.1", 8080, HTTP_HOST_BAD },
		{ "user@localhost:8080", "127.0.0.1", 8080, HTTP_HOST_BAD },
		{ "localhost:8080, evil", "127.0.0.1", 8080, HTTP_HOST_BAD },
		{ "local host:8080", "127.0.0.1", 8080, HTTP_HOST_BAD },
		{ ":8080", "127.0.0.1", 8080, HTTP_HOST_BAD },
		{ "", "127.0.0.1", 80, HTTP_HOST_BAD },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		bool six = strchr(cases[i].dest, ':') != NULL;
		struct net_dest d;
		struct in6_addr addr;
		struct span name;

		assert_int_equal(inet_pton(six ? AF_INET6 : AF_INET, cases[i].dest, &addr), 1);
		assert_int_equal(net_dest_set(&d, six ? AF_INET6 : AF_INET, &addr, cases[i].port),
				 0);
		if (http_host_match(span_of(cases[i].host), &d, &name) != cases[i].want)
			fail_msg("host \"%s\"", cases[i].host);
	}
}

static void destinations(void **state)
{
	struct in6_addr mapped;
	char text[NET_DEST_TEXT_SIZE];
	struct net_dest d;

	inet_pton(AF_INET6, "::ffff:127.0.0.9", &mapped);
	assert_int_equal(net_dest_set(&d, AF_INET6, &mapped, 7), 0);
	net_dest_text(&d, text);
	assert_string_equal(text, "127.0.0.9:7");
	assert_true(net_dest_is_loopback(&d));
	assert_int_equal(net_dest_set(&d, AF_INET6, &in6addr_loopback, 65535), 0);
	net_dest_text(&d, text);
	assert_string_equal(text, "[::1]:65535");
	assert_true(net_dest_is_loopback(&d));
	assert_int_equal(net_dest_set(&d, AF_INET, &mapped, 0), -EINVAL);
	assert_int_equal(net_dest_set(&d, AF_INET, &mapped, 65536), -EINVAL);
	assert_int_equal(net_dest_set(&d, AF_UNIX, &mapped, 1), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hostile_requests_are_refused),
		cmocka_unit_test(every_byte_changed),
		cmocka_unit_test(good_requests_are_read),
		cmocka_unit_test(no_length_is_no_body),
		cmocka_unit_test(too_many_fields),
		cmocka_unit_test(finds_the_end_of_a_head),
		cmocka_unit_test(hostile_responses_are_refused),
		cmocka_unit_test(response_framing),
		cmocka_unit_test(host_is_compared),
		cmocka_unit_test(destinations),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
