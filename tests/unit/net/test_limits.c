// SPDX-License-Identifier: Apache-2.0
/* Time-outs are short here; the tests wait for their effect, never for an amount of time. */
#include "tests/unit/net/rig.h"

#include <sys/resource.h>

#define OK2 "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"

static struct rig g;

static void start(const struct net_limits *limits)
{
	rig_init(&g, limits);
}

static int teardown(void **state)
{
	rig_done(&g);
	return 0;
}

static void slow_head(void **state)
{
	start(&(struct net_limits){ .head_ms = 30 });
	rig_client(&g, "POST /mcp HTTP/1.1\r\nHo");
	RIG_UNTIL(&g, rig_has(&g.from_conn, "HTTP/1.1 408 ") && g.client_eof);
	assert_int_equal(g.origin, -1);
}

static void slow_body(void **state)
{
	start(&(struct net_limits){ .body_ms = 30 });
	rig_client(&g, rig_post(&g, "Content-Length: 10\r\n", "hello"));
	RIG_UNTIL(&g, rig_has(&g.from_conn, "HTTP/1.1 408 ") && g.client_eof);
	assert_int_equal(g.origin, -1);
}

/* A byte now and then satisfies the limit between two reads, not the limit of the whole. */
static void trickled_body(void **state)
{
	start(&(struct net_limits){ .body_ms = 100000, .request_ms = 60 });
	rig_client(&g, rig_post(&g, "Content-Length: 10000000\r\n", ""));
	for (int i = 0; i < 1000000 && !rig_has(&g.from_conn, "408"); i++) {
		(void)send(g.client, "x", 1, MSG_NOSIGNAL);
		(void)loop_once(g.loop, 1);
		rig_turn(&g);
	}
	assert_true(rig_has(&g.from_conn, "HTTP/1.1 408 "));
}

static void idle_connection(void **state)
{
	start(&(struct net_limits){ .idle_ms = 30 });
	rig_client(&g, rig_post(&g, "", ""));
	RIG_UNTIL(&g, buf_len(&g.at_origin));
	rig_origin(&g, OK2);
	RIG_UNTIL(&g, rig_is(&g.from_conn, OK2) && g.client_eof && g.origin_eof);
	assert_true(rig_is(&g.from_conn, OK2));
}

static void silent_server(void **state)
{
	start(&(struct net_limits){ .response_ms = 30 });
	rig_client(&g, rig_post(&g, "", ""));
	RIG_UNTIL(&g, rig_has(&g.from_conn, "HTTP/1.1 504 ") && g.origin_eof);
	assert_true(rig_has(&g.log, "finished -110"));
	/* the client may go on */
	rig_close(&g.origin);
	g.origin_eof = false;
	buf_clear(&g.from_conn);
	rig_client(&g, rig_post(&g, "", ""));
	RIG_UNTIL(&g, g.origin >= 0);
	rig_origin(&g, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhe");
	RIG_UNTIL(&g, rig_has(&g.from_conn, "HTTP/1.1 504 "));
}

/* The backlog is full, so the handshake does not complete. */
static void server_does_not_accept(void **state)
{
	struct sockaddr_in a;
	int ls, first, second;

	start(&(struct net_limits){ .connect_ms = 30 });
	ls = rig_listen(&a);
	assert_int_equal(listen(ls, 0), 0);
	first = socket(AF_INET, SOCK_STREAM, 0);
	second = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	assert_int_equal(connect(first, (struct sockaddr *)&a, sizeof(a)), 0);
	(void)connect(second, (struct sockaddr *)&a, sizeof(a));
	net_conn_close(g.conn);
	close(g.client);
	net_dest_set(&g.dest, AF_INET, &a.sin_addr, ntohs(a.sin_port));
	rig_connect(&g);
	rig_client(&g, rig_post(&g, "", ""));
	RIG_UNTIL(&g, rig_has(&g.from_conn, "HTTP/1.1 504 "));
	close(first);
	close(second);
	close(ls);
}

static void client_that_does_not_read(void **state)
{
	char *text = calloc(1, 1 << 20);
	int small = 4096;

	start(&(struct net_limits){ .write_ms = 30 });
	g.mode = NET_PASS;
	setsockopt(g.client, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	rig_client(&g, rig_post(&g, "", ""));
	RIG_UNTIL(&g, buf_len(&g.at_origin));
	rig_origin(&g, "HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n");
	for (int i = 0; i < RIG_TURNS && g.conn; i++) {
		(void)send(g.origin, text, 1 << 20, MSG_NOSIGNAL | MSG_DONTWAIT);
		(void)loop_once(g.loop, 1);
	}
	free(text);
	assert_null(g.conn);
	assert_true(rig_has(&g.log, "finished -110\nclosed\n"));
}

static void held_questions_do_not_time_out(void **state)
{
	start(&(struct net_limits){ .head_ms = 1,
				    .body_ms = 1,
				    .idle_ms = 1,
				    .response_ms = 10000,
				    .first_ms = 1,
				    .request_ms = 1 });
	g.request = NET_LATER;
	rig_client(&g, rig_post(&g, "", ""));
	RIG_UNTIL(&g, rig_has(&g.log, "request method"));
	for (int i = 0; i < 30; i++)
		(void)loop_once(g.loop, 2);
	assert_non_null(g.conn);
	net_exchange_resume(g.x, NET_FORWARD);
	RIG_UNTIL(&g, buf_len(&g.at_origin));
}

static void engine_memory_is_bounded(void **state)
{
	char *text = calloc(1, 1 << 20);

	start(&(struct net_limits){ .buffered_max = 300000 });
	memset(text, 'x', 1 << 20);
	rig_client(&g, rig_post(&g, "Content-Length: 1000000\r\n", ""));
	rig_put(&g, g.client, text, 1000000);
	free(text);
	RIG_UNTIL(&g, rig_has(&g.from_conn, "HTTP/1.1 503 ") && g.client_eof);
	assert_int_equal(g.origin, -1);
	assert_true(net_buffered(g.net) <= 300000);
}

struct crowd {
	struct net_listener *ls;
	struct net_conn *conns[8];
	int n;
};

static void accepted(struct net_listener *ls, int fd, void *arg)
{
	static const struct net_ops none = { 0 };
	struct crowd *c = arg;

	assert_int_equal(net_conn_new(g.net, ls, fd, &g.dest, &none, &g, &c->conns[c->n++]), 0);
}

static int connect_to(const struct sockaddr_in *a)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(connect(fd, (const struct sockaddr *)a, sizeof(*a)), 0);
	fcntl(fd, F_SETFL, O_NONBLOCK);
	return fd;
}

static void expect_503(int fd)
{
	struct buf got = { 0 };
	bool eof = false;

	for (int i = 0; i < RIG_TURNS && !eof; i++) {
		(void)loop_once(g.loop, 1);
		rig_drain(fd, &got, &eof, NULL);
	}
	assert_true(rig_is(&got,
			   "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\n"
			   "Content-Length: 32\r\nConnection: close\r\n\r\n"
			   "{\"error\":\"too many connections\"}"));
	buf_done(&got);
	close(fd);
}

static void too_many_connections(void **state)
{
	struct crowd crowd = { 0 };
	struct sockaddr_in a;
	int fds[4], more;

	start(NULL);
	assert_int_equal(net_listener_new(g.net, rig_listen(&a), 4, accepted, &crowd, &crowd.ls),
			 0);
	for (int i = 0; i < 4; i++)
		fds[i] = connect_to(&a);
	for (int i = 0; i < RIG_TURNS && net_listener_count(crowd.ls) < 4; i++)
		(void)loop_once(g.loop, 1);
	assert_int_equal(net_listener_count(crowd.ls), 4);
	for (int i = 0; i < 50; i++)
		expect_503(connect_to(&a));
	assert_int_equal(net_listener_refused(crowd.ls), 50);
	/* one leaves, one may come */
	close(fds[0]);
	for (int i = 0; i < RIG_TURNS && net_listener_count(crowd.ls) == 4; i++)
		(void)loop_once(g.loop, 1);
	more = connect_to(&a);
	for (int i = 0; i < RIG_TURNS && net_listener_count(crowd.ls) < 4; i++)
		(void)loop_once(g.loop, 1);
	assert_int_equal(crowd.n, 5);
	/* connections outlive their listener */
	net_listener_free(crowd.ls);
	assert_int_equal(net_count(g.net), 5);
	for (int i = 1; i < 4; i++)
		close(fds[i]);
	close(more);
	for (int i = 0; i < RIG_TURNS && net_count(g.net) > 1; i++)
		(void)loop_once(g.loop, 1);
	assert_int_equal(net_count(g.net), 1);
}

/* No descriptor is left: the connection is still answered, and the loop does not spin. */
static void out_of_descriptors(void **state)
{
	struct rlimit old, none;
	struct crowd crowd = { 0 };
	struct sockaddr_in a;
	int fd, probe;

	start(NULL);
	assert_int_equal(net_listener_new(g.net, rig_listen(&a), 4, accepted, &crowd, &crowd.ls),
			 0);
	fd = connect_to(&a);
	probe = dup(fd);
	close(probe);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	none = old;
	none.rlim_cur = (rlim_t)probe;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	expect_503(fd);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	assert_int_equal(crowd.n, 0);
	fd = connect_to(&a);
	for (int i = 0; i < RIG_TURNS && !crowd.n; i++)
		(void)loop_once(g.loop, 1);
	assert_int_equal(crowd.n, 1);
	close(fd);
	net_conn_close(crowd.conns[0]);
	net_listener_free(crowd.ls);
}

static void engine_freed_with_connections(void **state)
{
	start(NULL);
	rig_client(&g, rig_post(&g, "", ""));
	RIG_UNTIL(&g, buf_len(&g.at_origin));
	net_free(g.net);
	assert_true(rig_has(&g.log, "finished -104\nclosed\n"));
	assert_null(g.conn);
	assert_int_equal(net_new(g.loop, NULL, &g.net), 0);
}

#define T(f) cmocka_unit_test_teardown(f, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(slow_head),
		T(slow_body),
		T(trickled_body),
		T(idle_connection),
		T(silent_server),
		T(server_does_not_accept),
		T(client_that_does_not_read),
		T(held_questions_do_not_time_out),
		T(engine_memory_is_bounded),
		T(too_many_connections),
		T(out_of_descriptors),
		T(engine_freed_with_connections),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
