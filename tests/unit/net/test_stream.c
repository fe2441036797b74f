// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/net/rig.h"

#define TYPE "Content-Type: text/event-stream\r\n"
#define CHUNKED "HTTP/1.1 200 OK\r\n" TYPE "Transfer-Encoding: chunked\r\n\r\n"
#define LENGTH "HTTP/1.1 200 OK\r\n" TYPE "Content-Length: 44\r\nX: y\r\n\r\n"
#define TO_EOF "HTTP/1.1 200 OK\r\n" TYPE "\r\n"
#define OLD "HTTP/1.0 200 OK\r\n" TYPE "Content-Length: 44\r\nX: y\r\n\r\n"

/* 44 bytes, three events, the first without data. */
#define EVENTS \
	": hi\n\n" \
	"id: 1\ndata: {\"a\":1}\n\n" \
	"data: b\ndata: c\n\n"

static struct rig g;
static struct buf body; /* what the client made of the chunks */

static int setup(void **state)
{
	rig_init(&g, NULL);
	return 0;
}

static int teardown(void **state)
{
	rig_done(&g);
	buf_done(&body);
	return 0;
}

static void ask(void)
{
	char req[256];

	snprintf(req, sizeof(req), "GET /sse HTTP/1.1\r\nHost: %s\r\n\r\n", rig_hostport(&g));
	buf_clear(&g.at_origin);
	buf_clear(&g.from_conn);
	rig_client(&g, req);
	RIG_UNTIL(&g, rig_is(&g.at_origin, req));
}

/* The client's bytes after the head, without chunk framing; ret_end tells of the last chunk. */
static bool unchunk(bool *ret_end)
{
	struct span in = buf_span(&g.from_conn);
	const char *p = in.n ? memmem(in.p, in.n, "\r\n\r\n", 4) : NULL, *end = in.p + in.n;

	buf_clear(&body);
	*ret_end = false;
	if (!p)
		return false;
	for (p += 4; p < end;) {
		char *after;
		size_t n = strtoul(p, &after, 16);

		if (after + 4 > end || (size_t)(end - after) < n + 4)
			return false;
		assert_memory_equal(after, "\r\n", 2);
		assert_memory_equal(after + 2 + n, "\r\n", 2);
		buf_append(&body, after + 2, n);
		p = after + 4 + n;
		if (n == 0) {
			*ret_end = true;
			assert_ptr_equal(p, end);
		}
	}
	return true;
}

static bool body_is(const char *text, bool ended)
{
	bool end;

	return unchunk(&end) && end == ended && rig_is(&body, text);
}

static void chunk(const char *text)
{
	char line[4096];

	snprintf(line, sizeof(line), "%zx\r\n%s\r\n", strlen(text), text);
	rig_origin(&g, line);
}

static void events_pass_one_by_one(void **state)
{
	ask();
	rig_origin(&g, CHUNKED);
	RIG_UNTIL(&g, rig_is(&g.from_conn, CHUNKED));
	chunk(": hi\n\n");
	RIG_UNTIL(&g, body_is(": hi\n\n", false));
	chunk("id: 1\nda");
	chunk("ta: {\"a\":1}\n");
	for (int i = 0; i < 20; i++)
		rig_turn(&g);
	assert_true(body_is(": hi\n\n", false));
	chunk("\ndata: b\ndata: c\n\n");
	RIG_UNTIL(&g, body_is(EVENTS, false));
	rig_origin(&g, "0\r\n\r\n");
	RIG_UNTIL(&g, body_is(EVENTS, true) && rig_has(&g.log, "finished 0"));
	assert_true(rig_has(
		&g.log,
		"response 200 mode=1 type=text/event-stream body=\n"
		"event type= id=1 data={\"a\":1}\nevent type= id= data=b\nc\nfinished 0\n"));
	ask(); /* still usable */
}

static void every_framing(void **state)
{
	static const struct {
		const char *head, *want;
		bool chunked, close;
	} cases[] = {
		{ CHUNKED, CHUNKED, true, false },
		{ LENGTH, "HTTP/1.1 200 OK\r\n" TYPE "X: y\r\nTransfer-Encoding: chunked\r\n\r\n",
		  true, false },
		{ TO_EOF, TO_EOF, false, true },
		{ OLD, "HTTP/1.0 200 OK\r\n" TYPE "X: y\r\n\r\n", false, true },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		for (size_t step = 1; step < 40; step += 7) {
			char text[1024], want[1024];
			bool chunks = i == 0;

			rig_again(&g);
			ask();
			snprintf(text, sizeof(text),
				 chunks ? "%s6\r\n%.6s\r\n26\r\n%.38s\r\n0\r\n\r\n" : "%s%.6s%.38s",
				 cases[i].head, EVENTS, EVENTS + 6);
			for (size_t at = 0; at < strlen(text); at += step) {
				rig_put(&g, g.origin, text + at,
					strlen(text) - at < step ? strlen(text) - at : step);
				rig_turn(&g);
			}
			if (cases[i].close)
				shutdown(g.origin, SHUT_WR);
			if (cases[i].chunked) {
				RIG_UNTIL(&g, body_is(EVENTS, true));
				assert_memory_equal(g.from_conn.data + g.from_conn.start,
						    cases[i].want, strlen(cases[i].want));
			} else {
				snprintf(want, sizeof(want), "%s%s", cases[i].want, EVENTS);
				RIG_UNTIL(&g, rig_is(&g.from_conn, want) && g.client_eof);
			}
			assert_true(rig_has(&g.log, "finished 0"));
			assert_int_equal(g.conn == NULL || g.client_eof, cases[i].close);
		}
}

static void verdicts_on_events(void **state)
{
	ask();
	rig_origin(&g, CHUNKED);
	RIG_UNTIL(&g, rig_has(&g.log, "response"));
	g.event = NET_REPLACE;
	g.replace = "new";
	chunk("event: message\nid: 3\ndata: old\n\n");
	RIG_UNTIL(&g, body_is("event: message\nid: 3\ndata: new\n\n", false));
	g.event = NET_DROP;
	g.replace = NULL;
	chunk("data: dropped\n\n");
	RIG_UNTIL(&g, rig_has(&g.log, "data=dropped"));
	g.event = NET_FORWARD;
	chunk("data: kept\n\n");
	RIG_UNTIL(&g, body_is("event: message\nid: 3\ndata: new\n\ndata: kept\n\n", false));
	assert_int_equal(net_exchange_send_event(g.x, "message", SPAN("mine")), 0);
	RIG_UNTIL(&g, body_is("event: message\nid: 3\ndata: new\n\ndata: kept\n\n"
			      "event: message\ndata: mine\n\n",
			      false));
	g.event = NET_DENY;
	chunk("data: secret\n\n");
	RIG_UNTIL(&g, g.client_eof && g.origin_eof);
	assert_false(rig_has(&g.from_conn, "secret"));
	assert_false(rig_has(&g.from_conn, "0\r\n\r\n"));
	assert_true(rig_has(&g.log, "failed 0 event denied\nfinished -13\n"));
}

/* Several events in one read, each held until it is released; order and bytes stay. */
static void held_events(void **state)
{
	g.event = NET_LATER;
	ask();
	rig_origin(&g, CHUNKED);
	chunk("data: 1\n\ndata: 2\n\n: c\n\ndata: 3\n\n");
	rig_origin(&g, "0\r\n\r\n");
	for (int i = 1; i <= 3; i++) {
		char want[32];

		snprintf(want, sizeof(want), "data=%d\n", i);
		RIG_UNTIL(&g, rig_has(&g.log, want));
		for (int k = 0; k < 10; k++)
			rig_turn(&g);
		snprintf(want, sizeof(want), "data: %d\n", i);
		assert_false(rig_has(&g.from_conn, want));
		assert_int_equal(net_exchange_send_event(g.x, NULL, SPAN("x")), 0);
		if (i == 2) {
			assert_int_equal(net_exchange_replace(g.x, SPAN("two")), 0);
			net_exchange_resume(g.x, NET_REPLACE);
		} else {
			net_exchange_resume(g.x, NET_FORWARD);
		}
	}
	RIG_UNTIL(&g, body_is("data: x\n\ndata: 1\n\ndata: x\n\ndata: two\n\n: c\n\ndata: "
			      "x\n\ndata: 3\n\n",
			      true));
}

static void incomplete_event_at_the_end(void **state)
{
	static const struct {
		enum net_verdict v;
		const char *want;
	} cases[] = {
		{ NET_FORWARD, "data: a\n\ndata: b" },
		{ NET_DROP, "data: a\n\n" },
		{ NET_REPLACE, "data: r\n\n" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		rig_again(&g);
		g.event = cases[i].v;
		g.replace = g.event == NET_REPLACE ? "r" : NULL;
		if (g.event == NET_DROP)
			g.event = NET_FORWARD;
		ask();
		rig_origin(&g, CHUNKED);
		chunk("data: a\n\n");
		RIG_UNTIL(&g, rig_has(&g.log, "data=a"));
		g.event = cases[i].v;
		chunk("data: b");
		rig_origin(&g, "0\r\n\r\n");
		RIG_UNTIL(&g, body_is(cases[i].want, true));
		assert_true(rig_has(&g.log, "event! type= id= data=b\n"));
	}
}

static void server_dies_in_a_stream(void **state)
{
	ask();
	rig_origin(&g, CHUNKED);
	chunk("data: a\n\n");
	chunk("data: half");
	RIG_UNTIL(&g, body_is("data: a\n\n", false));
	rig_close(&g.origin);
	RIG_UNTIL(&g, g.client_eof && !g.conn);
	assert_true(body_is("data: a\n\n", false));
	assert_true(rig_has(&g.log, "finished -71\nclosed\n"));
	assert_false(rig_has(&g.log, "half"));
}

static void client_leaves_a_stream(void **state)
{
	ask();
	rig_origin(&g, CHUNKED);
	RIG_UNTIL(&g, rig_is(&g.from_conn, CHUNKED));
	rig_close(&g.client);
	RIG_UNTIL(&g, g.origin_eof); /* told at once */
	rig_close(&g.origin);
	RIG_UNTIL(&g, !g.conn);
}

static void stream_head_denied(void **state)
{
	g.response = NET_DENY;
	ask();
	rig_origin(&g, CHUNKED);
	RIG_UNTIL(&g, rig_has(&g.from_conn, "HTTP/1.1 502 ") && g.origin_eof);
	assert_false(g.client_eof);
}

static void media_types(void **state)
{
	static const struct {
		const char *type;
		int mode;
	} cases[] = {
		{ "text/event-stream; charset=utf-8", NET_EVENTS },
		{ "Text/Event-Stream", NET_EVENTS },
		{ "text/plain; x=text/event-stream", NET_EVENTS },
		{ "application/vnd.x+json", NET_COLLECT },
		{ "application/JSON;charset=utf-8", NET_COLLECT },
		{ "text/plain", NET_PASS },
	};

	g.mode = NET_PASS;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char text[256], want[64];

		rig_again(&g);
		ask();
		snprintf(text, sizeof(text),
			 "HTTP/1.1 200 OK\r\nContent-Type: %s\r\nContent-Length: 2\r\n\r\n{}",
			 cases[i].type);
		rig_origin(&g, text);
		snprintf(want, sizeof(want), "response 200 mode=%d ", cases[i].mode);
		RIG_UNTIL(&g, rig_has(&g.log, want));
	}
}

static void large_event(void **state)
{
	const size_t n = 1 << 20;
	char *text = malloc(n + 100), head[32];
	bool end;

	memset(text, 'x', n + 100);
	memcpy(text, "data: ", 6);
	memcpy(text + n - 2, "\n\n", 2);
	ask();
	rig_origin(&g, CHUNKED);
	rig_put(&g, g.origin, head, (size_t)snprintf(head, sizeof(head), "%zx\r\n", n));
	rig_put(&g, g.origin, text, n);
	rig_origin(&g, "\r\n0\r\n\r\n");
	RIG_UNTIL(&g, unchunk(&end) && end);
	assert_int_equal(buf_len(&body), n);
	assert_memory_equal(body.data + body.start, text, n);
	free(text);
	RIG_UNTIL(&g, net_buffered(g.net) <= 16384);
}

static void event_limit(void **state)
{
	static const struct net_limits limits = { .event_max = 1000 };
	char text[1101];

	rig_done(&g);
	rig_init(&g, &limits);
	memset(text, 'x', sizeof(text));
	memcpy(text, "data: ", 6);
	text[sizeof(text) - 1] = '\0';
	ask();
	rig_origin(&g, CHUNKED);
	chunk(text);
	RIG_UNTIL(&g, g.client_eof && g.origin_eof);
	assert_true(rig_has(&g.log, "failed 0 event too large"));
	assert_false(rig_has(&g.from_conn, "xxx"));
}

/* Many events in few reads, and a client that reads slowly: all arrive, and memory stays bounded.
 */
static void many_events(void **state)
{
	const int n = 20000;
	struct buf all = { 0 }, want = { 0 };
	size_t most = 0, at = 0;
	bool end = false;

	for (int i = 0; i < n; i++) {
		char ev[64], line[96];

		snprintf(ev, sizeof(ev), "id: %d\ndata: {\"n\":%d}\n\n", i, i);
		snprintf(line, sizeof(line), "%zx\r\n%s\r\n", strlen(ev), ev);
		buf_append_str(&all, line);
		buf_append_str(&want, ev);
		buf_clear(&g.log);
	}
	buf_append_str(&all, "0\r\n\r\n");
	ask();
	rig_origin(&g, CHUNKED);
	for (int i = 0; at < buf_len(&all) || (i < 100000 && !end); i++) {
		ssize_t sent = at < buf_len(&all) ? send(g.origin, all.data + at,
							 buf_len(&all) - at, MSG_NOSIGNAL)
						  : 0;

		at += sent > 0 ? (size_t)sent : 0;
		(void)loop_once(g.loop, 0);
		if (net_buffered(g.net) > most)
			most = net_buffered(g.net);
		buf_clear(&g.log);
		if (i % 16 == 0 || at == buf_len(&all)) {
			rig_turn(&g);
			end = at == buf_len(&all) && g.from_conn.end > 5 &&
			      memcmp(g.from_conn.data + g.from_conn.end - 5, "0\r\n\r\n", 5) == 0;
		}
	}
	assert_true(end);
	assert_true(unchunk(&end) && end);
	assert_true(span_eq(buf_span(&body), buf_span(&want)));
	assert_true(most < 4 << 20);
	buf_done(&all);
	buf_done(&want);
}

/* A client that reads nothing: the server is held back, however small its events. */
static void unread_events_are_held_back(void **state)
{
	const size_t n = 64 << 10;
	char *text = malloc(n + 16);
	size_t total = 0;
	bool full = false;

	for (size_t i = 0; i < n + 16; i += 16)
		memcpy(text + i, "b\r\ndata: 123\n\n\r\n", 16);
	ask();
	rig_origin(&g, CHUNKED);
	for (int i = 0; i < 4000 && !full; i++) {
		ssize_t sent = send(g.origin, text + total % 16, n, MSG_NOSIGNAL | MSG_DONTWAIT);

		total += sent > 0 ? (size_t)sent : 0;
		(void)loop_once(g.loop, 0);
		buf_clear(&g.log);
		full = sent < 0 && loop_once(g.loop, 5) == 0;
	}
	free(text);
	assert_true(full);
	assert_non_null(g.conn);
	assert_true(net_buffered(g.net) < 2 << 20);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(events_pass_one_by_one),
		T(every_framing),
		T(verdicts_on_events),
		T(held_events),
		T(incomplete_event_at_the_end),
		T(server_dies_in_a_stream),
		T(client_leaves_a_stream),
		T(stream_head_denied),
		T(media_types),
		T(large_event),
		T(event_limit),
		T(many_events),
		T(unread_events_are_held_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
