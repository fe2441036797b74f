// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/net/rig.h"

#define JSON "Content-Type: application/json\r\n"

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

/* Brings a request to the origin. */
static void ask(const char *method)
{
	char req[256];

	snprintf(req, sizeof(req), "%s /x HTTP/1.1\r\nHost: %s\r\n\r\n", method, rig_hostport(&g));
	buf_clear(&g.at_origin);
	buf_clear(&g.from_conn);
	rig_client(&g, req);
	RIG_UNTIL(&g, rig_is(&g.at_origin, req));
}

static void unchanged_answers_are_identical(void **state)
{
	static const struct {
		const char *method, *text;
	} cases[] = {
		{ "GET", "HTTP/1.1 200 OK\r\n" JSON "content-length:2\r\nX:  y \r\n\r\n{}" },
		{ "GET", "HTTP/1.1 200\r\n" JSON
			 "Transfer-Encoding: chunked\r\n\r\n1;a=b\r\n{\r\n01\r\n}\r\n0\r\n\r\n" },
		{ "GET", "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n" },
		{ "GET", "HTTP/1.1 204 No Content\r\n\r\n" },
		{ "GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 77\r\n\r\n" },
		{ "HEAD", "HTTP/1.1 200 OK\r\n" JSON "Content-Length: 77\r\n\r\n" },
		{ "HEAD", "HTTP/1.1 200 OK\r\nContent-Type: "
			  "text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n" },
		{ "GET", "HTTP/1.1 404 Not Found\r\nContent-Type: text/html\r\nContent-Length: "
			 "3\r\n\r\nno\n" },
		{ "GET", "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Bearer\r\nContent-Length: "
			 "0\r\n\r\n" },
		{ "DELETE", "HTTP/1.1 405 Method Not Allowed\r\nContent-Length: 0\r\nConnection: "
			    "keep-alive\r\n\r\n" },
	};

	/* On one connection: each must leave it in step. */
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		ask(cases[i].method);
		rig_origin(&g, cases[i].text);
		RIG_UNTIL(&g, rig_is(&g.from_conn, cases[i].text));
	}
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		ask(cases[i].method);
		for (size_t at = 0; at < strlen(cases[i].text); at++) {
			rig_put(&g, g.origin, cases[i].text + at, 1);
			rig_turn(&g);
		}
		RIG_UNTIL(&g, rig_is(&g.from_conn, cases[i].text));
	}
	assert_false(rig_has(&g.log, "failed"));
}

static void ends_with_the_connection(void **state)
{
	static const char *const texts[] = {
		"HTTP/1.1 200 OK\r\n" JSON "\r\n{\"until\":\"eof\"}",
		"HTTP/1.0 200 OK\r\n" JSON "\r\n{\"until\":\"eof\"}",
		"HTTP/1.0 200 OK\r\n" JSON "Content-Length: 2\r\n\r\n{}",
	};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		rig_again(&g);
		ask("GET");
		rig_origin(&g, texts[i]);
		shutdown(g.origin, SHUT_WR);
		RIG_UNTIL(&g, rig_is(&g.from_conn, texts[i]) && g.client_eof);
		assert_true(rig_has(&g.log, "finished 0"));
	}
}

static void server_close_says_so(void **state)
{
	ask("GET");
	rig_origin(&g, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}");
	RIG_UNTIL(&g, g.client_eof && g.origin_eof);
	assert_true(rig_has(&g.from_conn, "\r\n\r\n{}"));
}

static void hostile_answers_become_errors(void **state)
{
	static const char *const texts[] = {
		"HTTP/1.1 200 OK\r\n" JSON
		"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"HTTP/1.1 200 OK\r\n" JSON "Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}",
		"HTTP/1.1 200 OK\r\n" JSON "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
		"HTTP/1.1 200 OK\r\n" JSON "Transfer-Encoding: chunked\r\n\r\n2\n{}\r\n0\r\n\r\n",
		"HTTP/1.1 200 OK\r\n" JSON
		"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\nX: y\r\n\r\n",
		"HTTP/1.1 200 OK\r\n" JSON "Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}",
		"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Encoding: "
		"br\r\nContent-Length: 2\r\n\r\n{}",
		"HTTP/1.1 200 OK\r\nContent-Type: application/json, "
		"text/event-stream\r\nContent-Length: 2\r\n\r\n{}",
		"HTTP/1.1 200 OK\r\n" JSON "Content-Length: 16777217\r\n\r\n",
		"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n",
		"HTTP/1.1 200 OK\nContent-Length: 2\r\n\r\n{}",
		"HTTP/1.1 200 OK\r\nX: y\r\n z\r\nContent-Length: 2\r\n\r\n{}",
		"hello\r\n\r\n",
		"SSH-2.0-OpenSSH_9.2\r\n",
	};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		rig_again(&g);
		ask("GET");
		rig_origin(&g, texts[i]);
		shutdown(g.origin, SHUT_WR);
		RIG_UNTIL(&g, rig_has(&g.from_conn, "HTTP/1.1 502 Bad Gateway\r\n") &&
				      rig_has(&g.from_conn, "{\"error\":"));
		assert_false(rig_has(&g.from_conn, "HTTP/1.1 200"));
		assert_true(rig_has(&g.log, "failed 502 "));
	}
}

/* The client is in step after a server's fault, and the next request goes to a new connection. */
static void server_faults_keep_the_client(void **state)
{
	ask("GET");
	rig_origin(&g, "nonsense\r\n\r\n");
	RIG_UNTIL(&g, rig_has(&g.from_conn, "HTTP/1.1 502 ") && g.origin_eof);
	assert_false(g.client_eof);
	rig_close(&g.origin);
	g.origin_eof = false;
	ask("GET");
	rig_origin(&g, "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n");
	RIG_UNTIL(&g, rig_has(&g.from_conn, "HTTP/1.1 202 "));
}

static void server_dies_at_each_byte(void **state)
{
	static const char text[] = "HTTP/1.1 200 OK\r\n" JSON "Content-Length: 2\r\n\r\n{}";

	for (size_t n = 0; n < sizeof(text) - 1; n++)
		for (int hard = 0; hard < 2; hard++) {
			struct linger how = { 1, 0 };

			rig_again(&g);
			ask("GET");
			rig_put(&g, g.origin, text, n);
			if (hard)
				setsockopt(g.origin, SOL_SOCKET, SO_LINGER, &how, sizeof(how));
			rig_close(&g.origin);
			g.origin_eof = true;
			RIG_UNTIL(&g, rig_has(&g.from_conn, "HTTP/1.1 502 "));
			assert_false(rig_has(&g.from_conn, "HTTP/1.1 200"));
		}
}

static void no_server(void **state)
{
	for (int i = 0; i < 2; i++) {
		rig_close(&g.listener);
		rig_client(&g, rig_post(&g, "Content-Length: 2\r\n", "{}"));
		RIG_UNTIL(&g, rig_has(&g.from_conn, "HTTP/1.1 502 ") &&
				      rig_has(&g.from_conn, "cannot connect to the server"));
		assert_false(g.client_eof);
		buf_clear(&g.from_conn);
	}
	assert_false(rig_has(&g.log, "dialed"));
	g.listener = socket(AF_INET, SOCK_STREAM, 0);
}

static void server_refused_by_the_gate(void **state)
{
	g.dialed = NET_DENY;
	rig_client(&g, rig_post(&g, "Content-Length: 2\r\n", "{}"));
	RIG_UNTIL(&g, rig_has(&g.from_conn, "HTTP/1.1 502 ") && g.origin_eof);
	assert_int_equal(buf_len(&g.at_origin), 0);
	rig_close(&g.origin);
	g.origin_eof = false;
	buf_clear(&g.from_conn);
	g.dialed = NET_REPLY;
	g.reply = "{\"id\":1}";
	g.reply_status = 200;
	rig_client(&g, rig_post(&g, "Content-Length: 2\r\n", "{}"));
	RIG_UNTIL(&g, rig_has(&g.from_conn, "HTTP/1.1 200 OK") &&
			      rig_has(&g.from_conn, "{\"id\":1}") && g.origin_eof);
	assert_int_equal(buf_len(&g.at_origin), 0);
}

static void replaced_body(void **state)
{
	g.response = NET_REPLACE;
	g.replace = "{\"redacted\":true}";
	ask("GET");
	rig_origin(&g, "HTTP/1.1 200 OK\r\nMcp-Session-Id: a\r\nTransfer-Encoding: chunked\r\n" JSON
		       "\r\n2\r\n{}\r\n0\r\n\r\n");
	RIG_UNTIL(&g, rig_is(&g.from_conn, "HTTP/1.1 200 OK\r\nMcp-Session-Id: a\r\n" JSON
					   "Content-Length: 17\r\n\r\n{\"redacted\":true}"));
	ask("GET");
	rig_origin(&g, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n" JSON "X: y\r\n\r\n{}");
	RIG_UNTIL(&g,
		  rig_is(&g.from_conn, "HTTP/1.1 200 OK\r\n" JSON
				       "X: y\r\nContent-Length: 17\r\n\r\n{\"redacted\":true}"));
	/* there is nothing to replace */
	ask("HEAD");
	rig_origin(&g, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n" JSON "\r\n");
	RIG_UNTIL(&g, rig_has(&g.from_conn, "HTTP/1.1 502 "));
	assert_false(rig_has(&g.from_conn, "redacted"));
}

static void denied_and_replied_answers(void **state)
{
	static const char secret[] =
		"HTTP/1.1 200 OK\r\n" JSON "Content-Length: 8\r\n\r\n\"secret\"";

	g.response = NET_DENY;
	ask("GET");
	rig_origin(&g, secret);
	RIG_UNTIL(&g, rig_has(&g.from_conn, "HTTP/1.1 502 "));
	assert_false(rig_has(&g.from_conn, "secret"));
	g.response = NET_REPLY;
	g.reply = "{}";
	g.reply_status = 200;
	ask("GET"); /* on the same connection to the server: its answer was whole */
	rig_origin(&g, secret);
	RIG_UNTIL(&g,
		  rig_is(&g.from_conn, "HTTP/1.1 200 OK\r\n" JSON "Content-Length: 2\r\n\r\n{}"));
}

static void second_answer_to_one_request(void **state)
{
	static const char one[] = "HTTP/1.1 200 OK\r\n" JSON "Content-Length: 2\r\n\r\n{}";
	char two[512];

	snprintf(two, sizeof(two), "%sHTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison", one);
	ask("GET");
	rig_origin(&g, two);
	RIG_UNTIL(&g, rig_is(&g.from_conn, one) && g.client_eof && g.origin_eof);
	/* and one that comes later, when nothing was asked */
	rig_again(&g);
	ask("GET");
	rig_origin(&g, one);
	RIG_UNTIL(&g, rig_is(&g.from_conn, one));
	rig_origin(&g, "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison");
	RIG_UNTIL(&g, g.client_eof && g.origin_eof);
	assert_true(rig_is(&g.from_conn, one));
}

static void idle_server_closes(void **state)
{
	ask("GET");
	rig_origin(&g, "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n");
	RIG_UNTIL(&g, rig_has(&g.from_conn, "HTTP/1.1 202 "));
	rig_close(&g.origin);
	RIG_UNTIL(&g, g.client_eof && !g.conn);
}

/* Closed while the gate thinks about the next request: that one goes to a new connection. */
static void server_closes_while_a_request_is_held(void **state)
{
	ask("GET");
	rig_origin(&g, "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n");
	RIG_UNTIL(&g, rig_has(&g.from_conn, "HTTP/1.1 202 "));
	g.request = NET_LATER;
	buf_clear(&g.log);
	rig_client(&g, rig_post(&g, "", ""));
	RIG_UNTIL(&g, rig_has(&g.log, "request method"));
	rig_close(&g.origin);
	buf_clear(&g.at_origin);
	for (int i = 0; i < 20; i++)
		(void)loop_once(g.loop, 0);
	net_exchange_resume(g.x, NET_FORWARD);
	RIG_UNTIL(&g, rig_is(&g.at_origin, rig_post(&g, "", "")));
	assert_true(rig_has(&g.log, "dialed"));
}

static void early_answer_ends_the_connection(void **state)
{
	const size_t n = 8 << 20;
	char *text = calloc(1, n);
	int head = snprintf(text, 200, "POST / HTTP/1.1\r\nHost: %s\r\nContent-Length: %zu\r\n\r\n",
			    rig_hostport(&g), n - 200);

	memset(text + head, 'x', n - (size_t)head);
	g.origin_eof = true; /* the origin does not read */
	rig_put(&g, g.client, text, (size_t)head + n - 200);
	free(text);
	RIG_UNTIL(&g, g.origin >= 0);
	rig_origin(&g, "HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n\r\n");
	RIG_UNTIL(&g, rig_has(&g.from_conn, "HTTP/1.1 413 ") && g.client_eof);
}

static void limits_of_an_answer(void **state)
{
	static const struct net_limits limits = { .body_max = 1000, .head_max = 300 };
	static const char *const texts[] = {
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3d8\r\n%1000d",
		"HTTP/1.1 200 OK\r\n\r\n%1001d",
		"HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n%d",
		"HTTP/1.1 200 OK\r\nA: %400d\r\n\r\n",
		"HTTP/1.1 200 OK\r\nA: %400d",
		"HTTP/1.1 100 A\r\n\r\nHTTP/1.1 100 A\r\n\r\nHTTP/1.1 100 A\r\n\r\nHTTP/1.1 100 "
		"A\r\n\r\n"
		"HTTP/1.1 100 A\r\n\r\nHTTP/1.1 100 A\r\n\r\nHTTP/1.1 100 A\r\n\r\nHTTP/1.1 100 "
		"A\r\n\r\n"
		"HTTP/1.1 100 A\r\n\r\n%d",
	};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		char text[2000];
		const char *p = strchr(texts[i], '%');
		int width = atoi(p + 1);

		rig_done(&g);
		rig_init(&g, &limits);
		ask("GET");
		snprintf(text, sizeof(text), "%.*s%*d%s", (int)(p - texts[i]), texts[i], width, 1,
			 strchr(p, 'd') + 1);
		rig_origin(&g, text);
		RIG_UNTIL(&g, rig_has(&g.from_conn, "HTTP/1.1 502 ") && g.origin_eof);
	}
}

/* The server resets while the request is still being sent: an error, and the client stays in step.
 */
static void server_stops_reading(void **state)
{
	const size_t n = 8 << 20;
	char *text = calloc(1, n);
	struct linger hard = { 1, 0 };
	size_t head = (size_t)snprintf(text, 200,
				       "POST / HTTP/1.1\r\nHost: %s\r\nContent-Length: %zu\r\n\r\n",
				       rig_hostport(&g), n - 200);

	memset(text + head, 'x', n - head);
	g.origin_eof = true; /* the origin does not read */
	rig_put(&g, g.client, text, head + n - 200);
	free(text);
	RIG_UNTIL(&g, g.origin >= 0);
	setsockopt(g.origin, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
	rig_close(&g.origin);
	RIG_UNTIL(&g, rig_has(&g.from_conn, "HTTP/1.1 502 "));
	assert_false(g.client_eof);
	g.origin_eof = false;
	ask("GET");
}

static void passed_bodies_stream(void **state)
{
	static const char *const texts[] = {
		"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: "
		"10\r\n\r\n|01234|56789",
		"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nTransfer-Encoding: "
		"chunked\r\n\r\n|5\r\n01234\r\n|0\r\n\r\n",
	};

	g.mode = NET_PASS;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		char want[256] = "", text[256], *save = NULL;

		strcpy(text, texts[i]);
		ask("GET");
		for (char *p = strtok_r(text, "|", &save); p; p = strtok_r(NULL, "|", &save)) {
			rig_origin(&g, p);
			strcat(want, p);
			RIG_UNTIL(&g, rig_is(&g.from_conn, want)); /* before the rest is there */
		}
	}
	assert_true(rig_has(&g.log, "mode=2"));
	/* broken in the middle: no error can be given any more */
	ask("GET");
	rig_origin(&g, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n01234\r\nx");
	RIG_UNTIL(&g, g.client_eof && !g.conn);
	assert_false(rig_has(&g.from_conn, "502"));
	assert_true(rig_has(&g.log, "failed 0 "));
	assert_true(rig_has(&g.log, "finished -71"));
}

static void passed_without_end_is_reset(void **state)
{
	struct linger hard = { 1, 0 };

	g.mode = NET_PASS;
	ask("GET");
	rig_origin(&g, "HTTP/1.1 200 OK\r\n\r\nsome");
	RIG_UNTIL(&g, rig_has(&g.from_conn, "some"));
	setsockopt(g.origin, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
	rig_close(&g.origin);
	RIG_UNTIL(&g, g.client_reset);
}

static void large_answers(void **state)
{
	const size_t n = 3 << 20;
	char *text = malloc(n + 200);

	for (int pass = 0; pass < 2; pass++) {
		int head = snprintf(
			text, 200,
			"HTTP/1.1 200 OK\r\nContent-Type: %s\r\nContent-Length: %zu\r\n\r\n",
			pass ? "video/mp4" : "application/json", n);

		for (size_t i = 0; i < n; i++)
			text[(size_t)head + i] = (char)(i * 13);
		g.mode = NET_PASS;
		ask("GET");
		rig_put(&g, g.origin, text, (size_t)head + n);
		RIG_UNTIL(&g, buf_len(&g.from_conn) == (size_t)head + n);
		assert_memory_equal(g.from_conn.data + g.from_conn.start, text, (size_t)head + n);
	}
	free(text);
	assert_true(net_buffered(g.net) <= 16384);
}

/* A client that does not read must not make us hold all that a server sends. */
static void slow_reader_is_held_back(void **state)
{
	const size_t n = 64 << 10;
	char *text = calloc(1, n);
	bool full = false;

	g.mode = NET_PASS;
	ask("GET");
	rig_origin(&g, "HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n");
	for (int i = 0; i < 4000 && !full; i++) {
		ssize_t sent = send(g.origin, text, n, MSG_NOSIGNAL | MSG_DONTWAIT);

		(void)loop_once(g.loop, 0);
		full = sent < 0 && loop_once(g.loop, 5) == 0;
	}
	free(text);
	assert_true(full);
	assert_true(net_buffered(g.net) < 1 << 20);
	assert_non_null(g.conn);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(unchanged_answers_are_identical),
		T(ends_with_the_connection),
		T(server_close_says_so),
		T(hostile_answers_become_errors),
		T(server_faults_keep_the_client),
		T(server_dies_at_each_byte),
		T(no_server),
		T(server_refused_by_the_gate),
		T(replaced_body),
		T(denied_and_replied_answers),
		T(second_answer_to_one_request),
		T(idle_server_closes),
		T(server_closes_while_a_request_is_held),
		T(early_answer_ends_the_connection),
		T(limits_of_an_answer),
		T(server_stops_reading),
		T(passed_bodies_stream),
		T(passed_without_end_is_reset),
		T(large_answers),
		T(slow_reader_is_held_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
