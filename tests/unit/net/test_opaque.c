// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/net/rig.h"

static const struct net_limits limits = { .first_ms = 40, .head_ms = 60 };
static struct rig g;

static int setup(void **state)
{
	rig_init(&g, &limits);
	return 0;
}

static int teardown(void **state)
{
	rig_done(&g);
	return 0;
}

/* A TLS 1.3 ClientHello for mcp.example, without any other extension. */
static const char hello[] = "\x16\x03\x01\x00\x43\x01\x00\x00\x3f\x03\x03"
			    "0123456789abcdef0123456789abcdef"
			    "\x00\x00\x02\x13\x01\x01\x00\x00\x14"
			    "\x00\x00\x00\x10\x00\x0e\x00\x00\x0bmcp.example";

static void copied_both_ways(void **state)
{
	g.opaque = NET_FORWARD;
	rig_put(&g, g.client, "\x00\x01hello", 7);
	RIG_UNTIL(&g, buf_len(&g.at_origin) == 7);
	assert_true(rig_has(&g.log, "opaque kind=2 sni=- bad=0 n=7\ndialed\n"));
	rig_origin(&g, "answer");
	RIG_UNTIL(&g, rig_is(&g.from_conn, "answer"));
	rig_client(&g, "GET / HTTP/1.1\r\n\r\n"); /* no longer looked at */
	RIG_UNTIL(&g, buf_len(&g.at_origin) == 25);
	assert_int_equal(net_conn_bytes_client(g.conn), 25);
	assert_int_equal(net_conn_bytes_server(g.conn), 6);
	/* half-close in each direction */
	shutdown(g.client, SHUT_WR);
	RIG_UNTIL(&g, g.origin_eof);
	assert_false(g.client_eof);
	rig_origin(&g, " and more");
	RIG_UNTIL(&g, rig_is(&g.from_conn, "answer and more"));
	shutdown(g.origin, SHUT_WR);
	RIG_UNTIL(&g, g.client_eof && !g.conn);
	assert_false(g.client_reset);
}

static void server_closes_first(void **state)
{
	g.opaque = NET_FORWARD;
	rig_client(&g, "?");
	RIG_UNTIL(&g, g.origin >= 0);
	rig_origin(&g, "bye");
	shutdown(g.origin, SHUT_WR);
	RIG_UNTIL(&g, g.client_eof);
	rig_client(&g, "still here");
	RIG_UNTIL(&g, rig_is(&g.at_origin, "?still here"));
	rig_close(&g.client);
	RIG_UNTIL(&g, !g.conn);
}

static void bulk_both_ways(void **state)
{
	const size_t n = 4 << 20;
	char *text = malloc(n);
	size_t up = 0, down = 0;

	for (size_t i = 0; i < n; i++)
		text[i] = (char)(i * 31 + 1);
	text[0] = 1;
	g.opaque = NET_FORWARD;
	rig_put(&g, g.client, text, 1);
	up = 1;
	RIG_UNTIL(&g, g.origin >= 0);
	while (up < n || down < n) {
		ssize_t a = send(g.client, text + up, n - up, MSG_NOSIGNAL);
		ssize_t b = send(g.origin, text + down, n - down, MSG_NOSIGNAL);

		up += a > 0 ? (size_t)a : 0;
		down += b > 0 ? (size_t)b : 0;
		rig_turn(&g);
		assert_true(net_buffered(g.net) < 2 << 20);
	}
	RIG_UNTIL(&g, buf_len(&g.at_origin) == n && buf_len(&g.from_conn) == n);
	assert_memory_equal(g.at_origin.data + g.at_origin.start, text, n);
	assert_memory_equal(g.from_conn.data + g.from_conn.start, text, n);
	free(text);
}

static void denied_is_reset(void **state)
{
	static const char *const texts[] = {
		"SSH-2.0-x\r\n",
		"\r\nGET / HTTP/1.1\r\n\r\n",
		"get / http/1.1\r\n\r\n",
		"EHLO me\r\n",
		" ",
		"GE\tT / HTTP/1.1\r\n",
		"\x80\x2e\x01",
		"POST_A_VERY_LONG_METHOD_THAT_IS_NONE / HTTP/1.1\r\n\r\n"
	};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		rig_again(&g);
		rig_client(&g, texts[i]);
		RIG_UNTIL(&g, g.client_reset && !g.conn);
		assert_true(rig_has(&g.log, "opaque kind=2 "));
		assert_int_equal(g.origin, -1);
	}
}

static void tls_is_named_and_told(void **state)
{
	for (size_t step = 1; step <= sizeof(hello) - 1; step += 12) {
		rig_again(&g);
		for (size_t at = 0; at < sizeof(hello) - 1; at += step) {
			size_t n = sizeof(hello) - 1 - at;

			rig_put(&g, g.client, hello + at, n < step ? n : step);
			rig_turn(&g);
		}
		RIG_UNTIL(&g, buf_len(&g.from_conn) == 7 && g.client_eof);
		assert_memory_equal(g.from_conn.data, "\x15\x03\x03\x00\x02\x02\x31", 7);
		assert_true(rig_has(&g.log, "opaque kind=1 sni=mcp.example bad=0 "));
	}
	g.opaque = NET_FORWARD;
	rig_again(&g);
	rig_put(&g, g.client, hello, sizeof(hello) - 1);
	RIG_UNTIL(&g, buf_len(&g.at_origin) == sizeof(hello) - 1);
}

static void broken_tls(void **state)
{
	rig_put(&g, g.client, "\x16\x03\x01\x00\x05\x02\x00\x00\x01\x00", 10);
	RIG_UNTIL(&g, rig_has(&g.log, "opaque kind=1 sni=- bad=1 n=10"));
	rig_again(&g);
	rig_put(&g, g.client, hello, 20); /* and nothing more */
	RIG_UNTIL(&g, rig_has(&g.log, "opaque kind=1 sni=- bad=1 n=20"));
}

static void silent_client(void **state)
{
	RIG_UNTIL(&g, rig_has(&g.log, "opaque kind=0 sni=- bad=0 n=0"));
	RIG_UNTIL(&g, g.client_reset);
	rig_again(&g);
	g.opaque = NET_FORWARD;
	RIG_UNTIL(&g, g.origin >= 0);
	rig_origin(&g, "220 hello\r\n");
	RIG_UNTIL(&g, rig_is(&g.from_conn, "220 hello\r\n"));
}

static void stuck_in_the_first_line(void **state)
{
	rig_client(&g, "GARBAG");
	RIG_UNTIL(&g, rig_has(&g.log, "opaque kind=2 sni=- bad=0 n=6"));
	rig_again(&g);
	rig_client(&g, "GARBAG");
	shutdown(g.client, SHUT_WR);
	RIG_UNTIL(&g, rig_has(&g.log, "opaque kind=2 sni=- bad=0 n=6"));
}

static void held_and_refused_by_the_server(void **state)
{
	g.opaque = NET_LATER;
	rig_client(&g, "\x01");
	RIG_UNTIL(&g, rig_has(&g.log, "opaque"));
	rig_client(&g, "\x02");
	for (int i = 0; i < 20; i++)
		rig_turn(&g);
	assert_int_equal(g.origin, -1);
	net_conn_resume(g.conn, NET_FORWARD);
	RIG_UNTIL(&g, rig_is(&g.at_origin, "\x01\x02"));
	/* dial fails */
	rig_again(&g);
	g.opaque = NET_FORWARD;
	rig_close(&g.listener);
	rig_client(&g, "\x01");
	RIG_UNTIL(&g, g.client_reset);
	assert_true(rig_has(&g.log, "failed 0 cannot connect to the server\nclosed\n"));
	g.listener = socket(AF_INET, SOCK_STREAM, 0);
}

static void dialed_and_refused(void **state)
{
	g.opaque = NET_FORWARD;
	g.dialed = NET_DENY;
	rig_client(&g, "\x01");
	RIG_UNTIL(&g, g.client_reset && g.origin_eof);
	assert_int_equal(buf_len(&g.at_origin), 0);
}

static void connects_and_leaves(void **state)
{
	rig_close(&g.client);
	RIG_UNTIL(&g, !g.conn);
	assert_true(rig_is(&g.log, "closed\n"));
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(copied_both_ways),
		T(server_closes_first),
		T(bulk_both_ways),
		T(denied_is_reset),
		T(tls_is_named_and_told),
		T(broken_tls),
		T(silent_client),
		T(stuck_in_the_first_line),
		T(held_and_refused_by_the_server),
		T(dialed_and_refused),
		T(connects_and_leaves),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
