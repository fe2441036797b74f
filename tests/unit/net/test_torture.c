// SPDX-License-Identifier: Apache-2.0
/* Random pieces, verdicts, delays and deaths, from a fixed seed. What must hold: each exchange and
 * each connection ends exactly once, nothing is kept, and nothing the gate did not forward is seen
 * on the far side. Run it under address and undefined sanitizers. */
#include "tests/unit/net/rig.h"

#define ROUNDS 1500

static struct rig g;
static uint32_t seed = 12345;
static int open_exchanges, requests, allowed, denied_seen;
static bool held;

static uint32_t rnd(uint32_t n)
{
	seed = seed * 1664525u + 1013904223u;
	return (seed >> 8) % n;
}

static enum net_verdict any(struct net_exchange *x)
{
	static const enum net_verdict v[] = { NET_FORWARD, NET_FORWARD, NET_FORWARD, NET_FORWARD,
					      NET_LATER,   NET_LATER,	NET_REPLY,   NET_REPLACE,
					      NET_DROP,	   NET_DENY };
	enum net_verdict r = v[rnd(ARRAY_SIZE(v))];

	if (rnd(3) == 0)
		assert_int_equal(net_exchange_reply(x, 200, NULL, SPAN("{}")), 0);
	if (rnd(3) == 0)
		assert_int_equal(net_exchange_replace(x, SPAN("new")), 0);
	if (rnd(60) == 0)
		net_conn_close(g.conn);
	if (rnd(20) == 0)
		net_exchange_resume(x, NET_FORWARD);
	held = r == NET_LATER;
	g.x = x;
	return r;
}

static enum net_verdict on_request(struct net_exchange *x, const struct net_request *req)
{
	enum net_verdict v;

	open_exchanges++;
	requests++;
	/* A target that is marked so is never forwarded. */
	if (span_is(req->target, "/denied")) {
		g.x = x;
		return NET_DENY;
	}
	v = any(x);
	allowed += v == NET_FORWARD;
	return v;
}

static enum net_verdict on_dialed(struct net_conn *c, struct net_exchange *x, int fd)
{
	return x ? any(x) : NET_FORWARD;
}

static enum net_verdict on_response(struct net_exchange *x, const struct net_response *resp)
{
	return any(x);
}

static enum net_verdict on_event(struct net_exchange *x, const struct net_event *ev)
{
	if (memmem(ev->data.p, ev->data.n, "secret", 6))
		return NET_DROP;
	return any(x);
}

static enum net_mode on_mode(struct net_exchange *x, const struct net_response *resp)
{
	return rnd(2) ? NET_PASS : NET_COLLECT;
}

static void on_finished(struct net_exchange *x, int error)
{
	open_exchanges--;
	g.x = NULL;
}

static void on_closed(struct net_conn *c)
{
	assert_int_equal(open_exchanges, 0);
	assert_non_null(g.conn);
	g.conn = NULL;
	held = false;
}

static const char *const answers[] = {
	"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}",
	"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: "
	"chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
	"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n",
	"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
	"e\r\ndata: secret\n\n\r\n9\r\ndata: 1\n\n\r\n5\r\n: hi\n\r\nb\r\nid: 2\ndata:\r\n4\r\n "
	"3\n\n\r\n0\r\n\r\n",
	"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\ndata: 2",
	"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nplain",
	"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
	"garbage",
	"",
};

static void put_some(int fd, const char *text, size_t *at)
{
	size_t n = strlen(text) - *at;
	ssize_t sent;

	if (n > 1)
		n = 1 + rnd((uint32_t)n);
	sent = fd >= 0 && n ? send(fd, text + *at, n, MSG_NOSIGNAL | MSG_DONTWAIT) : 0;
	*at += sent > 0 ? (size_t)sent : 0;
}

static void die(int *fd)
{
	struct linger hard = { 1, 0 };

	if (*fd < 0)
		return;
	if (rnd(2))
		shutdown(*fd, SHUT_WR);
	else if (rnd(2))
		setsockopt(*fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
	if (rnd(2))
		rig_close(fd);
}

static void round_of(const char *reqs)
{
	const char *answer = answers[rnd(ARRAY_SIZE(answers))];
	size_t at_client = 0, at_server = 0;

	for (int i = 0; i < 40 && g.conn; i++) {
		if (rnd(3))
			put_some(g.client, reqs, &at_client);
		if (buf_len(&g.at_origin) && rnd(3))
			put_some(g.origin, answer, &at_server);
		if (at_server && at_server == strlen(answer)) {
			answer = answers[rnd(ARRAY_SIZE(answers))];
			at_server = 0;
		}
		if (rnd(40) == 0)
			die(&g.client);
		if (rnd(40) == 0)
			die(&g.origin);
		rig_turn(&g);
		if (held && g.x && rnd(2)) {
			held = false;
			if (rnd(4) == 0)
				(void)net_exchange_send_event(g.x, "message", SPAN("mine"));
			if (g.x)
				net_exchange_resume(g.x, (enum net_verdict)rnd(5));
		}
		if (g.conn && rnd(100) == 0)
			net_conn_close(g.conn);
	}
}

static void anything_goes(void **state)
{
	char reqs[4096];

	rig_init(&g, NULL);
	g.ops = (struct net_ops){ .host = rig_host,
				  .request = on_request,
				  .dialed = on_dialed,
				  .mode = on_mode,
				  .response = on_response,
				  .event = on_event,
				  .finished = on_finished,
				  .closed = on_closed };
	for (int i = 0; i < ROUNDS; i++) {
		int n = 0;

		for (int k = 0; k < 4; k++) {
			bool chunked = rnd(2), close = rnd(8) == 0;

			n += snprintf(
				reqs + n, sizeof(reqs) - (size_t)n,
				"POST /%s HTTP/1.1\r\nHost: %s\r\n%s%s%s", rnd(3) ? "ok" : "denied",
				rig_hostport(&g), close ? "Connection: close\r\n" : "",
				rnd(2) ? "Accept-Encoding: gzip\r\n" : "",
				chunked ? "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
					: "Content-Length: 3\r\n\r\nabc");
		}
		rig_again(&g);
		held = false;
		round_of(reqs);
		denied_seen += rig_has(&g.at_origin, "/denied");
		assert_false(rig_has(&g.from_conn, "secret"));
		buf_clear(&g.log);
	}
	assert_int_equal(denied_seen, 0);
	assert_true(requests > ROUNDS / 2 && allowed > ROUNDS / 8); /* it did something */
	rig_done(&g);
	assert_int_equal(open_exchanges, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(anything_goes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
