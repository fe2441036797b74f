// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/net/rig.h"

#define OK2 "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"

static struct rig g;

static int setup(void **state)
{
	rig_init(&g, NULL);
	return 0;
}

static int teardown(void **state)
{
	rig_done(&g);
	return 0;
}

static void forwards_the_very_bytes(void **state)
{
	const char *req = rig_post(&g, "content-LENGTH:  5 \r\nX-Odd:\t a  b\t\r\n", "hello");

	rig_client(&g, req);
	RIG_UNTIL(&g, rig_is(&g.at_origin, req));
	rig_origin(&g, OK2);
	RIG_UNTIL(&g, rig_is(&g.from_conn, OK2));
	assert_true(rig_is(&g.log,
			   "request method=POST target=/mcp body=hello\ndialed\n"
			   "response 200 mode=0 type=application/json body={}\nfinished 0\n"));
	assert_int_equal(net_conn_bytes_server(g.conn), strlen(OK2));
}

static void chunked_request_keeps_its_framing(void **state)
{
	const char *req = rig_post(&g, "Transfer-Encoding: chunked\r\n",
				   "3;x=1\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n");

	rig_client(&g, req);
	RIG_UNTIL(&g, rig_is(&g.at_origin, req));
	assert_true(rig_has(&g.log, "body=hello\n"));
}

static void split_at_every_byte(void **state)
{
	char req[1024];

	for (int chunked = 0; chunked < 2; chunked++) {
		rig_again(&g);
		strcpy(req, chunked ? rig_post(&g, "Transfer-Encoding: chunked\r\n",
					       "5\r\nhello\r\n0\r\n\r\n")
				    : rig_post(&g, "Content-Length: 5\r\n", "hello"));
		for (size_t i = 0; i < strlen(req); i++) {
			assert_int_equal(buf_len(&g.at_origin), 0);
			rig_put(&g, g.client, req + i, 1);
			rig_turn(&g);
		}
		RIG_UNTIL(&g, rig_is(&g.at_origin, req));
		for (size_t i = 0; i < strlen(OK2); i++) {
			assert_int_equal(buf_len(&g.from_conn), 0);
			rig_put(&g, g.origin, OK2 + i, 1);
			rig_turn(&g);
		}
		RIG_UNTIL(&g, rig_is(&g.from_conn, OK2));
	}
}

static void keep_alive_and_pipelining_in_order(void **state)
{
	char both[4096], one[1024], two[1024];

	strcpy(one, rig_post(&g, "Content-Length: 3\r\n", "one"));
	strcpy(two, rig_post(&g, "Content-Length: 3\r\n", "two"));
	snprintf(both, sizeof(both), "%s%s", one, two);
	rig_client(&g, both);
	RIG_UNTIL(&g, rig_is(&g.at_origin, one));
	for (int i = 0; i < 20; i++)
		rig_turn(&g);
	assert_true(rig_is(&g.at_origin, one)); /* the second waits for the first's answer */
	rig_origin(&g, OK2);
	RIG_UNTIL(&g, buf_len(&g.at_origin) == strlen(both));
	assert_true(rig_is(&g.at_origin, both));
	rig_origin(&g, OK2);
	RIG_UNTIL(&g, buf_len(&g.from_conn) == 2 * strlen(OK2));
	for (int i = 0; i < 100; i++) {
		rig_client(&g, one);
		RIG_UNTIL(&g,
			  buf_len(&g.at_origin) == strlen(both) + (size_t)(i + 1) * strlen(one));
		rig_origin(&g, OK2);
		RIG_UNTIL(&g, buf_len(&g.from_conn) == (size_t)(i + 3) * strlen(OK2));
	}
}

/* Nothing of these may reach the server, whatever the size of the pieces they come in. */
static void hostile_requests_never_leave(void **state)
{
	static const struct {
		const char *fields, *body, *want;
	} cases[] = {
		{ "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
		  "0\r\n\r\nGET /x HTTP/1.1\r\n\r\n", "400" },
		{ "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", "0\r\n\r\n", "400" },
		{ "Content-Length: 5\r\nContent-Length: 0\r\n", "hello", "400" },
		{ "Transfer-Encoding: xchunked\r\n", "0\r\n\r\n", "400" },
		{ "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", "0\r\n\r\n",
		  "400" },
		{ "Transfer-Encoding: chunked\r\n", "5\nhello\r\n0\r\n\r\n", "400" },
		{ "Transfer-Encoding: chunked\r\n", "0\r\nTrailer: x\r\n\r\n", "400" },
		{ "Transfer-Encoding : chunked\r\n", "0\r\n\r\n", "400" },
		{ "X: y\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n", "400" },
		{ "X: y\rTransfer-Encoding: chunked\r\n", "0\r\n\r\n", "400" },
		{ "X: y\r\n Transfer-Encoding: chunked\r\n", "0\r\n\r\n", "400" },
		{ "Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\n", "", "501" },
		{ "Host: 127.0.0.1\r\n", "", "400" },
		{ "Expect: something\r\n", "", "417" },
		{ "Content-Length: 16777217\r\n", "", "413" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		for (int split = 0; split < 2; split++) {
			const char *req;
			char status[32];

			rig_again(&g);
			req = rig_post(&g, cases[i].fields, cases[i].body);
			snprintf(status, sizeof(status), "HTTP/1.1 %s ", cases[i].want);
			for (size_t at = 0; split && at < strlen(req); at++) {
				rig_put(&g, g.client, req + at, 1);
				rig_turn(&g);
			}
			if (!split)
				rig_client(&g, req);
			RIG_UNTIL(&g, rig_has(&g.from_conn, status) && g.client_eof);
			assert_true(rig_has(&g.from_conn, "Connection: close\r\n"));
			assert_true(rig_has(&g.from_conn, "{\"error\":\""));
			assert_true(rig_has(&g.log, "failed "));
			if (rig_has(&g.log, "request method"))
				fail_msg("case %zu: %s", i, buf_cstr(&g.log));
			assert_int_equal(g.origin, -1);
		}
}

static void wrong_host_is_misdirected(void **state)
{
	static const char *const hosts[][2] = {
		{ "127.0.0.1:1", "" }, { "127.0.0.2:", "" }, { "evil:", "1" },
		{ "[::1]:", "" },      { "127.1:", "" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(hosts); i++) {
		char req[256];

		rig_again(&g);
		snprintf(req, sizeof(req), "GET / HTTP/1.1\r\nHost: %s%u%s\r\n\r\n", hosts[i][0],
			 net_dest_port(&g.dest), hosts[i][1]);
		rig_client(&g, req);
		RIG_UNTIL(&g, rig_has(&g.from_conn, "HTTP/1.1 421 ") && g.client_eof);
		assert_int_equal(g.origin, -1);
	}
	for (int ok = 0; ok < 2; ok++) {
		char req[256];

		rig_again(&g);
		g.host = ok ? NET_FORWARD : NET_DENY;
		snprintf(req, sizeof(req), "GET / HTTP/1.1\r\nHost: localhost:%u\r\n\r\n",
			 net_dest_port(&g.dest));
		rig_client(&g, req);
		if (ok)
			RIG_UNTIL(&g, rig_is(&g.at_origin, req));
		else
			RIG_UNTIL(&g, rig_has(&g.from_conn, "HTTP/1.1 421 "));
		assert_true(rig_has(&g.log, "host=localhost\n"));
	}
}

static void other_versions(void **state)
{
	static const struct {
		const char *text, *want;
	} cases[] = {
		{ "GET / HTTP/1.0\r\n\r\n", "505" },
		{ "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "505" },
		{ "GET http://127.0.0.1/ HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", "400" },
		{ "CONNECT 127.0.0.1:1 HTTP/1.1\r\nHost: 127.0.0.1:1\r\n\r\n", "501" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char status[32];

		rig_again(&g);
		snprintf(status, sizeof(status), "HTTP/1.1 %s ", cases[i].want);
		rig_client(&g, cases[i].text);
		RIG_UNTIL(&g, rig_has(&g.from_conn, status) && g.client_eof);
		assert_int_equal(g.origin, -1);
	}
}

/* Looks like HTTP, and is no method that llhttp knows. */
static void unknown_method(void **state)
{
	char text[256];

	snprintf(text, sizeof(text), "BREW /pot HTTP/1.1\r\nHost: %s\r\n\r\n", rig_hostport(&g));
	rig_client(&g, text);
	RIG_UNTIL(&g, rig_has(&g.from_conn, "HTTP/1.1 400 ") && g.client_eof);
	assert_int_equal(g.origin, -1);
}

static void denial_and_reply_keep_the_connection(void **state)
{
	const char *req = rig_post(&g, "Content-Length: 2\r\n", "{}");

	g.request = NET_DENY;
	rig_client(&g, req);
	RIG_UNTIL(&g, rig_has(&g.from_conn, "HTTP/1.1 403 Forbidden\r\n") &&
			      rig_has(&g.from_conn, "denied"));
	buf_clear(&g.from_conn);
	g.request = NET_REPLY;
	g.reply_status = 200;
	g.reply = "{\"jsonrpc\":\"2.0\"}";
	rig_client(&g, req);
	RIG_UNTIL(&g, rig_is(&g.from_conn, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
					   "Content-Length: 17\r\n\r\n{\"jsonrpc\":\"2.0\"}"));
	assert_int_equal(g.origin, -1);
	g.request = NET_FORWARD;
	g.reply = NULL;
	buf_clear(&g.from_conn);
	rig_client(&g, req);
	RIG_UNTIL(&g, rig_is(&g.at_origin, req));
	rig_origin(&g, OK2);
	RIG_UNTIL(&g, rig_is(&g.from_conn, OK2));
}

static void reply_without_a_staged_answer_denies(void **state)
{
	g.request = NET_REPLY;
	rig_client(&g, rig_post(&g, "", ""));
	RIG_UNTIL(&g, rig_has(&g.from_conn, "HTTP/1.1 502 "));
	assert_int_equal(g.origin, -1);
}

static void staged_answers_are_checked(void **state)
{
	g.request = NET_LATER;
	rig_client(&g, rig_post(&g, "", ""));
	RIG_UNTIL(&g, g.x != NULL);
	assert_int_equal(net_exchange_reply(g.x, 199, NULL, SPAN("")), -EINVAL);
	assert_int_equal(net_exchange_reply(g.x, 600, NULL, SPAN("")), -EINVAL);
	assert_int_equal(net_exchange_reply(g.x, 204, NULL, SPAN("x")), -EINVAL);
	assert_int_equal(net_exchange_reply(g.x, 200, "text/plain\r\nX: y", SPAN("")), -EINVAL);
	assert_int_equal(net_exchange_send_event(g.x, NULL, SPAN("x")), -ENOTCONN);
	assert_int_equal(net_exchange_reply(g.x, 202, NULL, SPAN("")), 0);
	net_exchange_resume(g.x, NET_REPLY);
	RIG_UNTIL(&g, rig_is(&g.from_conn, "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n"));
}

static void gate_without_callbacks_denies(void **state)
{
	g.ops = (struct net_ops){ .closed = rig_closed };
	rig_client(&g, rig_post(&g, "", ""));
	RIG_UNTIL(&g, rig_has(&g.from_conn, "HTTP/1.1 403 "));
	rig_again(&g);
	rig_client(&g, "\x01\x02");
	RIG_UNTIL(&g, g.client_reset);
	assert_int_equal(g.origin, -1);
}

static void later_holds_until_resume(void **state)
{
	const char *req = rig_post(&g, "Content-Length: 2\r\n", "{}");

	g.request = g.dialed = g.response = NET_LATER;
	rig_client(&g, req);
	RIG_UNTIL(&g, rig_has(&g.log, "request "));
	for (int i = 0; i < 20; i++)
		rig_turn(&g);
	assert_int_equal(g.origin, -1);
	net_exchange_resume(g.x, NET_FORWARD);
	RIG_UNTIL(&g, rig_has(&g.log, "dialed"));
	for (int i = 0; i < 20; i++)
		rig_turn(&g);
	assert_int_equal(buf_len(&g.at_origin), 0);
	net_exchange_resume(g.x, NET_FORWARD);
	RIG_UNTIL(&g, rig_is(&g.at_origin, req));
	rig_origin(&g, OK2);
	RIG_UNTIL(&g, rig_has(&g.log, "response "));
	for (int i = 0; i < 20; i++)
		rig_turn(&g);
	assert_int_equal(buf_len(&g.from_conn), 0);
	net_exchange_resume(g.x, NET_LATER); /* no answer */
	net_exchange_resume(g.x, NET_FORWARD);
	RIG_UNTIL(&g, rig_is(&g.from_conn, OK2));
	net_conn_resume(g.conn, NET_FORWARD); /* no question is open */
	assert_int_equal(net_count(g.net), 1);
}

/* While a question is open its bytes stay where they are, whatever else arrives on that side. */
static void held_bytes_stay_in_place(void **state)
{
	char *noise = malloc(1 << 20);
	const char *at;
	ssize_t n = 1;

	memset(noise, '!', 1 << 20);
	g.request = g.response = NET_LATER;
	rig_client(&g, rig_post(&g, "Content-Length: 5\r\n", "hello"));
	RIG_UNTIL(&g, g.x != NULL);
	at = g.asked.p;
	for (int i = 0; i < 50; i++) {
		(void)send(g.client, noise, 1 << 20, MSG_NOSIGNAL | MSG_DONTWAIT);
		rig_turn(&g);
	}
	assert_true(net_buffered(g.net) < 1 << 18);
	assert_true(g.asked.p == at && span_is(g.asked, "hello"));
	net_exchange_resume(g.x, NET_FORWARD);
	RIG_UNTIL(&g, buf_len(&g.at_origin));
	rig_origin(&g, OK2);
	RIG_UNTIL(&g, rig_has(&g.log, "response 200"));
	at = g.asked.p;
	for (int i = 0; i < 50 && n > 0; i++) {
		n = send(g.origin, noise, 1 << 20, MSG_NOSIGNAL | MSG_DONTWAIT);
		rig_turn(&g);
	}
	assert_true(net_buffered(g.net) < 1 << 19);
	assert_true(g.asked.p == at && span_is(g.asked, "{}"));
	net_exchange_resume(g.x, NET_FORWARD);
	RIG_UNTIL(&g, buf_len(&g.from_conn) >= strlen(OK2) && g.client_eof);
	free(noise);
}

static void resume_inside_the_callback(void **state)
{
	g.request = g.dialed = g.response = NET_LATER;
	g.resume_inside = true;
	rig_client(&g, rig_post(&g, "", ""));
	RIG_UNTIL(&g, buf_len(&g.at_origin));
	rig_origin(&g, OK2);
	RIG_UNTIL(&g, rig_is(&g.from_conn, OK2));
}

static void close_inside_a_callback(void **state)
{
	g.close_inside = true;
	rig_client(&g, rig_post(&g, "", ""));
	RIG_UNTIL(&g, g.client_eof && !g.conn);
	assert_true(rig_has(&g.log, "finished -125\nclosed\n"));
}

static void client_gone_while_held(void **state)
{
	struct linger hard = { 1, 0 };

	g.request = NET_LATER;
	rig_client(&g, rig_post(&g, "", ""));
	RIG_UNTIL(&g, rig_has(&g.log, "request "));
	setsockopt(g.client, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
	rig_close(&g.client);
	RIG_UNTIL(&g, !g.conn);
	assert_true(rig_has(&g.log, "finished -104\nclosed\n"));
	assert_int_equal(g.origin, -1);
}

static void accept_encoding_is_the_only_edit(void **state)
{
	char want[1024];

	strcpy(want, rig_post(&g, "A: 1\r\nB: 2\r\nContent-Length: 2\r\n", "{}"));
	rig_client(&g,
		   rig_post(&g,
			    "A: 1\r\naccept-encoding: gzip, br\r\nB: 2\r\nAccept-Encoding: *\r\n"
			    "Content-Length: 2\r\n",
			    "{}"));
	RIG_UNTIL(&g, rig_is(&g.at_origin, want));
	rig_origin(&g, OK2);
	RIG_UNTIL(&g, rig_is(&g.from_conn, OK2));
	/* and the connection is still in step */
	buf_clear(&g.at_origin);
	rig_client(&g, want);
	RIG_UNTIL(&g, rig_is(&g.at_origin, want));
	rig_origin(&g, OK2);
	RIG_UNTIL(&g, buf_len(&g.from_conn) == 2 * strlen(OK2));
	buf_clear(&g.at_origin);
	strcpy(want, rig_post(&g, "Accept-Encoding: identity\r\n", ""));
	rig_client(&g, want);
	RIG_UNTIL(&g, rig_is(&g.at_origin, want));
}

static void expect_is_answered_here(void **state)
{
	char req[1024];

	strcpy(req, rig_post(&g, "Expect: 100-continue\r\nContent-Length: 5\r\n", ""));
	rig_client(&g, req);
	RIG_UNTIL(&g, rig_is(&g.from_conn, "HTTP/1.1 100 Continue\r\n\r\n"));
	assert_int_equal(g.origin, -1);
	rig_client(&g, "hello");
	strcat(req, "hello");
	RIG_UNTIL(&g, rig_is(&g.at_origin, req));
	buf_clear(&g.from_conn);
	rig_origin(&g,
		   "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" OK2);
	RIG_UNTIL(&g, rig_is(&g.from_conn, OK2));
	/* not when the body is already there */
	rig_client(&g, req);
	RIG_UNTIL(&g, buf_len(&g.at_origin) == 2 * strlen(req));
	assert_true(rig_is(&g.from_conn, OK2));
}

static void large_body(void **state)
{
	const size_t n = 1 << 20;
	char *text = malloc(n + 200);
	size_t head;

	head = (size_t)snprintf(text, 200,
				"POST / HTTP/1.1\r\nHost: %s\r\nContent-Length: %zu\r\n\r\n",
				rig_hostport(&g), n);
	for (size_t i = 0; i < n; i++)
		text[head + i] = (char)(i * 7);
	rig_put(&g, g.client, text, head + n);
	RIG_UNTIL(&g, buf_len(&g.at_origin) == head + n);
	assert_memory_equal(g.at_origin.data + g.at_origin.start, text, head + n);
	free(text);
	rig_origin(&g, OK2);
	RIG_UNTIL(&g, rig_is(&g.from_conn, OK2));
	assert_true(net_buffered(g.net) <= 16384); /* idle again */
}

static void head_limit(void **state)
{
	char *text = malloc(70000);
	int n = snprintf(text, 100, "GET / HTTP/1.1\r\nHost: %s\r\nA: ", rig_hostport(&g));

	memset(text + n, 'x', 70000 - (size_t)n);
	rig_put(&g, g.client, text, 70000);
	free(text);
	RIG_UNTIL(&g, rig_has(&g.from_conn, "HTTP/1.1 431 "));
}

static void chunked_body_limit(void **state)
{
	static const struct net_limits limits = { .body_max = 1000 };

	for (int exact = 0; exact < 2; exact++) {
		char body[2000] = "3d8\r\n"; /* 984 bytes */

		rig_done(&g);
		rig_init(&g, &limits);
		memset(body + 5, 'x', 984);
		strcpy(body + 989, exact ? "\r\n0\r\n\r\n" : "\r\n5\r\nhello\r\n0\r\n\r\n");
		rig_client(&g, rig_post(&g, "Transfer-Encoding: chunked\r\n", body));
		if (exact)
			RIG_UNTIL(&g, g.at_origin.end > 984);
		else
			RIG_UNTIL(&g, rig_has(&g.from_conn, "HTTP/1.1 413 ") && g.client_eof);
	}
}

static void over_ipv6(void **state)
{
	struct sockaddr_in6 a = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	socklen_t n = sizeof(a);
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	char req[128];

	if (fd < 0 || bind(fd, (struct sockaddr *)&a, n) < 0) {
		close(fd);
		skip();
	}
	assert_int_equal(listen(fd, 4), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &n), 0);
	rig_close(&g.listener);
	g.listener = fd;
	assert_int_equal(net_dest_set(&g.dest, AF_INET6, &a.sin6_addr, ntohs(a.sin6_port)), 0);
	rig_again(&g);
	snprintf(req, sizeof(req), "GET / HTTP/1.1\r\nHost: [::1]:%u\r\n\r\n", ntohs(a.sin6_port));
	rig_client(&g, req);
	RIG_UNTIL(&g, rig_is(&g.at_origin, req));
	assert_memory_equal(net_conn_dest(g.conn), &g.dest, sizeof(g.dest));
	rig_origin(&g, OK2);
	RIG_UNTIL(&g, rig_is(&g.from_conn, OK2));
}

static void gate_data_belongs_to_one_exchange(void **state)
{
	g.request = NET_LATER;
	for (int i = 0; i < 2; i++) {
		rig_client(&g, rig_post(&g, "", ""));
		RIG_UNTIL(&g, g.x != NULL);
		assert_null(net_exchange_data(g.x));
		net_exchange_set_data(g.x, &g);
		assert_ptr_equal(net_exchange_data(g.x), &g);
		net_exchange_resume(g.x, NET_DENY);
		RIG_UNTIL(&g, g.x == NULL);
	}
}

static void truncated_requests(void **state)
{
	static const char *const parts[] = { "GET / HT", "POST /mcp HTTP/1.1\r\nHost: x", NULL };

	for (size_t i = 0; parts[i]; i++) {
		rig_again(&g);
		rig_client(&g, parts[i]);
		shutdown(g.client, SHUT_WR);
		RIG_UNTIL(&g, rig_has(&g.from_conn, "HTTP/1.1 400 ") && !g.conn);
	}
	rig_again(&g);
	rig_client(&g, rig_post(&g, "Content-Length: 10\r\n", "hello"));
	shutdown(g.client, SHUT_WR);
	RIG_UNTIL(&g, rig_has(&g.from_conn, "HTTP/1.1 400 ") && !g.conn);
	assert_int_equal(g.origin, -1);
}

/* A client that says it will send no more still gets its answer; the server is told the same. */
static void half_close_is_mirrored(void **state)
{
	rig_client(&g, rig_post(&g, "", ""));
	shutdown(g.client, SHUT_WR);
	RIG_UNTIL(&g, g.origin_eof);
	rig_origin(&g, OK2);
	RIG_UNTIL(&g, rig_is(&g.from_conn, OK2) && g.client_eof && !g.conn);
	assert_true(rig_has(&g.log, "finished 0\nclosed\n"));
}

static void client_reset_closes_the_server(void **state)
{
	struct linger hard = { 1, 0 };

	rig_client(&g, rig_post(&g, "", ""));
	RIG_UNTIL(&g, buf_len(&g.at_origin));
	setsockopt(g.client, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
	rig_close(&g.client);
	RIG_UNTIL(&g, g.origin_eof && !g.conn);
}

static void request_says_close(void **state)
{
	rig_client(&g, rig_post(&g, "Connection: close\r\n", ""));
	RIG_UNTIL(&g, buf_len(&g.at_origin));
	rig_origin(&g, OK2);
	RIG_UNTIL(&g, rig_is(&g.from_conn, OK2) && g.client_eof && g.origin_eof);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(forwards_the_very_bytes),
		T(chunked_request_keeps_its_framing),
		T(split_at_every_byte),
		T(keep_alive_and_pipelining_in_order),
		T(hostile_requests_never_leave),
		T(wrong_host_is_misdirected),
		T(other_versions),
		T(unknown_method),
		T(denial_and_reply_keep_the_connection),
		T(reply_without_a_staged_answer_denies),
		T(staged_answers_are_checked),
		T(gate_without_callbacks_denies),
		T(later_holds_until_resume),
		T(held_bytes_stay_in_place),
		T(resume_inside_the_callback),
		T(close_inside_a_callback),
		T(client_gone_while_held),
		T(accept_encoding_is_the_only_edit),
		T(expect_is_answered_here),
		T(large_body),
		T(head_limit),
		T(chunked_body_limit),
		T(over_ipv6),
		T(gate_data_belongs_to_one_exchange),
		T(truncated_requests),
		T(half_close_is_mirrored),
		T(client_reset_closes_the_server),
		T(request_says_close),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
