// SPDX-License-Identifier: Apache-2.0
#include "user/stdio/relay.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include "user/base/buf.h"
#include "user/base/cleanup.h"
#include "user/base/file.h"
#include "user/base/loop.h"

/* A conversation in which the test is host and server at once. */
struct rig {
	struct loop *loop;
	struct stdio_relay *relay;
	int host_w, host_r; /* the host's ends */
	int server_r, server_w;
	struct buf lines; /* what line() got, each as "<dir>:<bytes>|" */
	struct buf dropped;
	struct buf begun[2]; /* what partial() told of the next line */
	unsigned nlines, noverlong, neof[2], nclosed;
	enum stdio_end end;
	/* what the owner does */
	bool forward, finish, pause_on_line, free_on_line, deny, free_on_close;
	bool hold;
	uint64_t mark;
};

static void on_line(struct stdio_relay *r, enum stdio_dir dir, const char *p, size_t n, void *arg)
{
	struct rig *g = arg;
	struct span begun = buf_span(&g->begun[dir]);

	g->nlines++;
	assert_true(begun.n < n || (begun.n == n && p[n - 1] != '\n'));
	if (begun.n)
		assert_memory_equal(begun.p, p, begun.n);
	buf_done(&g->begun[dir]);
	if (buf_len(&g->lines) < (1u << 20)) {
		buf_printf(&g->lines, "%d:", (int)dir);
		buf_append(&g->lines, p, n);
		buf_append_str(&g->lines, "|");
	}
	if (g->free_on_line) {
		stdio_relay_free(r);
		g->relay = NULL;
		return;
	}
	if (g->pause_on_line)
		stdio_relay_pause(r, dir, true);
	if (g->deny)
		stdio_relay_send(r, !dir, "denied\n", 7);
	else if (g->hold)
		stdio_relay_send_held(r, dir, p, n, ++g->mark);
	else if (g->forward)
		stdio_relay_send(r, dir, p, n);
}

static void on_partial(struct stdio_relay *r, enum stdio_dir dir, const char *p, size_t n, void *arg)
{
	struct buf *begun = &((struct rig *)arg)->begun[dir];
	struct span before = buf_span(begun);

	assert_true(n > before.n);
	if (before.n)
		assert_memory_equal(before.p, p, before.n);
	assert_null(memchr(p, '\n', n));
	assert_int_equal(buf_append(begun, p + before.n, n - before.n), 0);
}

static void on_overlong(struct stdio_relay *r, enum stdio_dir dir, void *arg)
{
	buf_done(&((struct rig *)arg)->begun[dir]);
	((struct rig *)arg)->noverlong++;
}

static void on_discarded(struct stdio_relay *r, enum stdio_dir dir, const char *p, size_t n, bool end,
			 void *arg)
{
	struct rig *g = arg;

	buf_append(&g->dropped, p, n);
	if (end)
		buf_append_str(&g->dropped, "$");
}

static void on_eof(struct stdio_relay *r, enum stdio_dir dir, void *arg)
{
	struct rig *g = arg;

	g->neof[dir]++;
	if (g->finish)
		stdio_relay_finish(r, dir);
}

static void on_closed(struct stdio_relay *r, enum stdio_end end, void *arg)
{
	struct rig *g = arg;

	g->nclosed++;
	g->end = end;
	if (g->free_on_close) {
		stdio_relay_free(r);
		g->relay = NULL;
	}
}

static const struct stdio_relay_ops ops = { on_line, on_overlong, on_discarded, on_eof, on_closed, on_partial };

static void make_pair(bool sockets, int ret[2])
{
	if (sockets) {
		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ret), 0);
	} else {
		assert_int_equal(pipe2(ret, O_CLOEXEC), 0);
	}
}

static void rig_open(struct rig *g, bool sockets, size_t line_max)
{
	int in[2], out[2], to[2], from[2];
	struct stdio_relay_fds fds;

	*g = (struct rig){ .forward = true, .finish = true };
	make_pair(sockets, in);
	make_pair(sockets, out);
	make_pair(sockets, to);
	make_pair(sockets, from);
	fds = (struct stdio_relay_fds){ in[0], out[1], to[1], from[0] };
	g->host_w = in[1];
	g->host_r = out[0];
	g->server_r = to[0];
	g->server_w = from[1];
	if (!sockets) { /* as the takeover hands them over */
		assert_int_equal(fd_nonblock(to[1]), 0);
		assert_int_equal(fd_nonblock(from[0]), 0);
	}
	fd_nonblock(g->host_r);
	fd_nonblock(g->server_r);
	assert_int_equal(loop_new(&g->loop), 0);
	assert_int_equal(stdio_relay_new(g->loop, &fds, line_max, &ops, g, &g->relay), 0);
}

static void rig_close(struct rig *g)
{
	stdio_relay_free(g->relay);
	loop_free(g->loop);
	cleanup_close(&g->host_w);
	cleanup_close(&g->host_r);
	cleanup_close(&g->server_r);
	cleanup_close(&g->server_w);
	buf_done(&g->lines);
	buf_done(&g->begun[0]);
	buf_done(&g->begun[1]);
	buf_done(&g->dropped);
}

/* Runs the loop until it has nothing to do. */
static void settle(struct rig *g)
{
	for (int i = 0; i < 100000; i++)
		if (loop_once(g->loop, 0) == 0)
			return;
	fail_msg("the loop does not come to rest");
}

static void put(int fd, const char *s)
{
	assert_int_equal(fd_write_all(fd, s, strlen(s)), 0);
}

static void expect(int fd, const char *s)
{
	size_t want = strlen(s);
	char got[4096];
	ssize_t n = read(fd, got, sizeof(got));

	if (n < 0 && want == 0 && errno == EAGAIN)
		return;
	assert_int_equal(n, want);
	assert_memory_equal(got, s, want);
}

static void expect_lines(struct rig *g, const char *s)
{
	assert_string_equal(buf_cstr(&g->lines), s);
	buf_clear(&g->lines);
}

/* --- */

static void lines_split_at_every_byte(void **state)
{
	static const char text[] = "{\"a\":1}\n\n{\"bb\":22}\n";

	for (int sockets = 0; sockets < 2; sockets++) {
		for (size_t cut = 0; cut < sizeof(text) - 1; cut++) {
			struct rig g;

			rig_open(&g, sockets, 0);
			assert_int_equal(fd_write_all(g.host_w, text, cut), 0);
			settle(&g);
			put(g.host_w, text + cut);
			settle(&g);
			expect_lines(&g, "0:{\"a\":1}\n|0:\n|0:{\"bb\":22}\n|");
			expect(g.server_r, text);
			rig_close(&g);
		}
	}
}

static void one_byte_at_a_time(void **state)
{
	struct rig g;

	rig_open(&g, false, 0);
	for (const char *p = "ab\ncd\n"; *p; p++) {
		assert_int_equal(write(g.server_w, p, 1), 1);
		settle(&g);
	}
	expect_lines(&g, "1:ab\n|1:cd\n|");
	expect(g.host_r, "ab\ncd\n");
	rig_close(&g);
}

static void nothing_passes_unless_sent(void **state)
{
	struct rig g;

	rig_open(&g, true, 0);
	g.forward = false;
	put(g.host_w, "secret\n");
	put(g.server_w, "answer\n");
	settle(&g);
	assert_int_equal(g.nlines, 2);
	expect(g.server_r, "");
	expect(g.host_r, "");
	rig_close(&g);
}

static void denials_go_back(void **state)
{
	struct rig g;

	rig_open(&g, false, 0);
	g.deny = true;
	put(g.host_w, "a\nb\nc\n");
	settle(&g);
	expect(g.host_r, "denied\ndenied\ndenied\n");
	expect(g.server_r, "");
	rig_close(&g);
}

/* Mixed answers in one batch keep their order around what is forwarded in one piece. */
static void order_is_kept(void **state)
{
	struct rig g;

	rig_open(&g, false, 0);
	stdio_relay_send(g.relay, STDIO_TO_SERVER, "first\n", 6);
	put(g.host_w, "a\nb\n");
	settle(&g);
	stdio_relay_send(g.relay, STDIO_TO_SERVER, "last\n", 5);
	expect(g.server_r, "first\na\nb\nlast\n");
	rig_close(&g);
}

static void overlong_is_discarded_to_the_newline(void **state)
{
	struct rig g;

	rig_open(&g, false, 8);
	put(g.host_w, "1234567\n"); /* exactly the limit */
	put(g.host_w, "12345678\n"); /* one more */
	put(g.host_w, "ok\n");
	settle(&g);
	expect(g.server_r, "1234567\nok\n");
	assert_int_equal(g.noverlong, 1);
	assert_string_equal(buf_cstr(&g.dropped), "12345678\n$");
	buf_clear(&g.dropped);

	put(g.host_w, "123456789");
	settle(&g);
	put(g.host_w, "abc");
	settle(&g);
	put(g.host_w, "d\nyes\n");
	settle(&g);
	expect(g.server_r, "yes\n");
	assert_int_equal(g.noverlong, 2);
	assert_string_equal(buf_cstr(&g.dropped), "123456789abcd\n$");
	rig_close(&g);
}

static void overlong_at_end_of_input(void **state)
{
	struct rig g;

	rig_open(&g, false, 8);
	put(g.host_w, "123456789");
	settle(&g);
	close(g.host_w);
	g.host_w = -1;
	settle(&g);
	assert_string_equal(buf_cstr(&g.dropped), "123456789$");
	assert_int_equal(g.nlines, 0);
	assert_int_equal(g.neof[0], 1);
	rig_close(&g);
}

static void last_line_without_newline(void **state)
{
	struct rig g;

	rig_open(&g, false, 0);
	put(g.host_w, "x\ntail");
	close(g.host_w);
	g.host_w = -1;
	settle(&g);
	expect_lines(&g, "0:x\n|0:tail|");
	expect(g.server_r, "x\ntail");
	expect(g.server_r, ""); /* end of input */
	assert_int_equal(read(g.server_r, &(char){ 0 }, 1), 0);
	rig_close(&g);
}

/* The host closes its side; the server's answers still come, and its end ends the conversation. */
static void half_close_of_the_host(void **state)
{
	for (int sockets = 0; sockets < 2; sockets++) {
		struct rig g;
		char c;

		rig_open(&g, sockets, 0);
		put(g.host_w, "q\n");
		if (sockets) {
			shutdown(g.host_w, SHUT_WR); /* as Node does */
		} else {
			close(g.host_w);
			g.host_w = -1;
		}
		settle(&g);
		expect(g.server_r, "q\n");
		assert_int_equal(read(g.server_r, &c, 1), 0);
		put(g.server_w, "late answer\n");
		settle(&g);
		expect(g.host_r, "late answer\n");
		assert_int_equal(g.nclosed, 0);
		close(g.server_r);
		close(g.server_w);
		g.server_r = g.server_w = -1;
		settle(&g);
		assert_int_equal(read(g.host_r, &c, 1), 0);
		assert_int_equal(g.neof[1], 1);
		assert_int_equal(g.nclosed, 1);
		assert_int_equal(g.end, STDIO_END_EOF);
		rig_close(&g);
	}
}

/* The server exits: the host reads what was left, then end of input, and its writes fail with EPIPE. */
static void server_exit_is_seen_as_without_us(void **state)
{
	for (int sockets = 0; sockets < 2; sockets++) {
		struct rig g;
		char c;

		rig_open(&g, sockets, 0);
		put(g.server_w, "bye\n");
		close(g.server_r);
		close(g.server_w);
		g.server_r = g.server_w = -1;
		settle(&g);
		expect(g.host_r, "bye\n");
		assert_int_equal(read(g.host_r, &c, 1), 0);
		assert_int_equal(write(g.host_w, "x", 1), -1);
		assert_int_equal(errno, EPIPE);
		assert_int_equal(g.nclosed, 1);
		rig_close(&g);
	}
}

/* Bytes that nobody will read must not turn the host's EPIPE into ECONNRESET. */
static void unread_requests_at_server_exit(void **state)
{
	struct rig g;
	char c;

	rig_open(&g, true, 0);
	stdio_relay_pause(g.relay, STDIO_TO_SERVER, true);
	put(g.host_w, "never read\n");
	close(g.server_r);
	close(g.server_w);
	g.server_r = g.server_w = -1;
	settle(&g);
	assert_int_equal(g.nclosed, 1);
	assert_int_equal(write(g.host_w, "x", 1), -1);
	assert_int_equal(errno, EPIPE);
	assert_int_equal(read(g.host_r, &c, 1), 0);
	rig_close(&g);
}

static void host_stops_reading(void **state)
{
	for (int sockets = 0; sockets < 2; sockets++) {
		struct rig g;

		rig_open(&g, sockets, 0);
		close(g.host_r);
		g.host_r = -1;
		settle(&g);
		assert_int_equal(write(g.server_w, "x\n", 2), -1);
		assert_int_equal(errno, EPIPE);
		put(g.host_w, "still\n"); /* the other direction lives */
		settle(&g);
		expect(g.server_r, "still\n");
		rig_close(&g);
	}
}

static void one_socket_for_both_directions(void **state)
{
	struct rig g = { .forward = true, .finish = true };
	struct stdio_relay_fds fds;
	int host[2], server[2];
	char c;

	make_pair(true, host);
	make_pair(true, server);
	fds = (struct stdio_relay_fds){ host[1], dup(host[1]), server[1], dup(server[1]) };
	g.host_w = host[0];
	g.server_w = server[0];
	g.host_r = g.server_r = -1;
	assert_int_equal(loop_new(&g.loop), 0);
	assert_int_equal(stdio_relay_new(g.loop, &fds, 0, &ops, &g, &g.relay), 0);
	put(g.host_w, "a\n");
	put(g.server_w, "b\n");
	settle(&g);
	expect(g.server_w, "a\n");
	expect(g.host_w, "b\n");
	shutdown(g.host_w, SHUT_WR);
	settle(&g);
	assert_int_equal(read(g.server_w, &c, 1), 0);
	put(g.server_w, "c\n");
	settle(&g);
	expect(g.host_w, "c\n");
	close(g.server_w);
	g.server_w = -1;
	settle(&g);
	assert_int_equal(read(g.host_w, &c, 1), 0);
	assert_int_equal(g.nclosed, 1);
	rig_close(&g);
}

/* A reader that is stuck stops the writer, not the daemon, and costs a bounded amount. */
static void stuck_reader(void **state)
{
	static char line[4096];
	size_t sent = 0;
	struct rig g;

	memset(line, 'x', sizeof(line));
	line[sizeof(line) - 1] = '\n';
	for (int sockets = 0; sockets < 2; sockets++) {
		size_t got = 0;
		ssize_t n;

		rig_open(&g, sockets, 0);
		fd_nonblock(g.host_w);
		sent = 0;
		for (int idle = 0; idle < 3;) {
			n = write(g.host_w, line, sizeof(line));
			settle(&g);
			idle = n < 0 ? idle + 1 : 0;
			sent += n > 0 ? (size_t)n : 0;
			assert_true(sent < 4u << 20);
		}
		assert_true(stdio_relay_queued(g.relay, STDIO_TO_SERVER) <= STDIO_QUEUE_HIGH + 65536);
		/* the other direction is not affected */
		put(g.server_w, "alive\n");
		settle(&g);
		expect(g.host_r, "alive\n");
		while (got < sent) {
			static char chunk[65536];

			n = read(g.server_r, chunk, sizeof(chunk));
			if (n > 0)
				got += (size_t)n;
			settle(&g);
		}
		assert_int_equal(got, sent);
		assert_int_equal(stdio_relay_queued(g.relay, STDIO_TO_SERVER), 0);
		rig_close(&g);
	}
}

/* A host that floods with denied requests and reads nothing is not read for ever. */
static void flood_of_denials(void **state)
{
	size_t sent = 0;
	struct rig g;

	rig_open(&g, false, 0);
	g.deny = true;
	fd_nonblock(g.host_w);
	for (int idle = 0; idle < 3;) {
		ssize_t n = write(g.host_w, "x\nx\nx\nx\n", 8);

		settle(&g);
		idle = n < 0 ? idle + 1 : 0;
		sent += n > 0 ? (size_t)n : 0;
		assert_true(sent < 8u << 20);
	}
	assert_true(stdio_relay_queued(g.relay, STDIO_TO_HOST) < 2 * STDIO_QUEUE_HIGH);
	rig_close(&g);
}

/* A server that floods with denied requests and never reads its input meets the hard limit. */
static void flood_from_the_server(void **state)
{
	static char line[65536];
	struct rig g;
	int r = 0;

	rig_open(&g, false, 65536);
	memset(line, 'y', sizeof(line));
	for (int i = 0; i < 64 && r == 0; i++)
		r = stdio_relay_send(g.relay, STDIO_TO_SERVER, line, sizeof(line));
	assert_int_equal(r, -ENOBUFS);
	rig_close(&g);
}

static void big_lines_pass_unchanged(void **state)
{
	const size_t n = 3u << 20;
	char *text = malloc(n), *got = malloc(n);
	size_t in = 0, out = 0;
	struct rig g;

	rig_open(&g, false, 0);
	fd_nonblock(g.host_w);
	for (size_t i = 0; i < n; i++)
		text[i] = (char)('a' + i % 26);
	text[n - 1] = '\n';
	while (out < n) {
		ssize_t k = in < n ? write(g.host_w, text + in, n - in) : 0;

		in += k > 0 ? (size_t)k : 0;
		settle(&g);
		k = read(g.server_r, got + out, n - out);
		out += k > 0 ? (size_t)k : 0;
	}
	assert_int_equal(g.nlines, 1);
	assert_memory_equal(text, got, n);
	free(text);
	free(got);
	rig_close(&g);
}

static void held_lines_wait_for_their_mark(void **state)
{
	struct rig g;

	rig_open(&g, false, 0);
	g.hold = true;
	put(g.host_w, "a\nb\nc\n");
	settle(&g);
	expect(g.server_r, "");
	g.hold = false;
	put(g.host_w, "d\n"); /* unheld, but behind */
	settle(&g);
	expect(g.server_r, "");
	stdio_relay_release(g.relay, STDIO_TO_SERVER, 2);
	expect(g.server_r, "a\nb\n");
	stdio_relay_release(g.relay, STDIO_TO_SERVER, 3);
	expect(g.server_r, "c\nd\n");
	/* what is released already does not wait */
	assert_int_equal(stdio_relay_send_held(g.relay, STDIO_TO_SERVER, "e\n", 2, 3), 0);
	expect(g.server_r, "e\n");
	rig_close(&g);
}

static void finish_waits_for_held_lines(void **state)
{
	struct rig g;
	char c;

	rig_open(&g, false, 0);
	g.hold = true;
	put(g.host_w, "a\n");
	close(g.host_w);
	g.host_w = -1;
	settle(&g);
	assert_int_equal(g.neof[0], 1);
	assert_int_equal(read(g.server_r, &c, 1), -1);
	assert_int_equal(errno, EAGAIN);
	stdio_relay_release(g.relay, STDIO_TO_SERVER, 1);
	expect(g.server_r, "a\n");
	assert_int_equal(read(g.server_r, &c, 1), 0);
	rig_close(&g);
}

static void paused_lines_stay(void **state)
{
	struct rig g;

	rig_open(&g, false, 0);
	g.pause_on_line = true;
	put(g.host_w, "a\nb\nc\ntail");
	close(g.host_w);
	g.host_w = -1;
	settle(&g);
	expect_lines(&g, "0:a\n|");
	stdio_relay_pause(g.relay, STDIO_TO_SERVER, false);
	expect_lines(&g, "0:b\n|");
	g.pause_on_line = false;
	stdio_relay_pause(g.relay, STDIO_TO_SERVER, false);
	settle(&g);
	expect_lines(&g, "0:c\n|0:tail|");
	assert_int_equal(g.neof[0], 1);
	expect(g.server_r, "a\nb\nc\ntail");
	rig_close(&g);
}

static void free_in_a_callback(void **state)
{
	struct rig g;
	char c;

	rig_open(&g, false, 0);
	g.free_on_line = true;
	put(g.host_w, "a\nb\n");
	settle(&g);
	assert_int_equal(g.nlines, 1);
	assert_int_equal(read(g.server_r, &c, 1), 0);
	assert_int_equal(g.nclosed, 0);
	rig_close(&g);

	rig_open(&g, true, 0);
	g.free_on_close = true;
	close(g.server_r);
	close(g.server_w);
	g.server_r = g.server_w = -1;
	settle(&g);
	assert_int_equal(g.nclosed, 1);
	assert_null(g.relay);
	rig_close(&g);
}

/* The receiver vanishes while a line from the pending buffer is being looked at. */
static void receiver_gone_during_delivery(void **state)
{
	struct rig g;

	rig_open(&g, false, 0);
	put(g.host_w, "part");
	settle(&g);
	put(g.host_w, "ial\nmore\n");
	close(g.server_r);
	g.server_r = -1;
	settle(&g);
	assert_true(g.nlines <= 2);
	assert_int_equal(write(g.host_w, "x", 1), -1);
	assert_int_equal(errno, EPIPE);
	rig_close(&g);
}

static void flags_of_the_originals_stay(void **state)
{
	int in[2], out[2], to[2], from[2];
	struct stdio_relay_fds fds;
	struct rig g = { .forward = true, .finish = true };
	int copy[2];

	for (int sockets = 0; sockets < 2; sockets++) {
		make_pair(sockets, in);
		make_pair(sockets, out);
		make_pair(sockets, to);
		make_pair(sockets, from);
		copy[0] = dup(in[0]);
		copy[1] = dup(out[1]);
		fds = (struct stdio_relay_fds){ in[0], out[1], to[1], from[0] };
		assert_int_equal(loop_new(&g.loop), 0);
		if (stdio_relay_new(g.loop, &fds, 0, &ops, &g, &g.relay) == -EOPNOTSUPP) {
			print_message("SKIP: RWF_NOWAIT does not work on pipes of this kernel\n");
			skip();
		}
		put(in[1], "a\n");
		settle(&g);
		assert_false(fcntl(copy[0], F_GETFL) & O_NONBLOCK);
		assert_false(fcntl(copy[1], F_GETFL) & O_NONBLOCK);
		stdio_relay_free(g.relay);
		loop_free(g.loop);
		close(copy[0]);
		close(copy[1]);
		close(in[1]);
		close(out[0]);
		close(to[0]);
		close(from[1]);
	}
	buf_done(&g.lines);
}

static void refuses_other_files(void **state)
{
	struct stdio_relay_fds fds;
	struct rig g = { 0 };
	int p[2];

	make_pair(true, p);
	fds = (struct stdio_relay_fds){ open("/dev/null", O_RDONLY | O_CLOEXEC), p[0], p[0], p[1] };
	assert_int_equal(loop_new(&g.loop), 0);
	assert_int_equal(stdio_relay_new(g.loop, &fds, 0, &ops, &g, &g.relay), -EINVAL);
	assert_true(fcntl(fds.orig_in, F_GETFD) >= 0); /* still ours */
	close(fds.orig_in);
	close(p[0]);
	close(p[1]);
	loop_free(g.loop);
}

static void idle_conversation_is_small(void **state)
{
#if defined(__SANITIZE_ADDRESS__)
	print_message("SKIP: the sanitizer's heap is not measured\n");
	skip();
#else
	static char line[200000];
	struct rig g[8];
	size_t before = mallinfo2().uordblks, each;

	memset(line, 'z', sizeof(line));
	line[sizeof(line) - 1] = '\n';
	for (size_t i = 0; i < ARRAY_SIZE(g); i++) {
		size_t in = 0, out = 0;

		rig_open(&g[i], false, 0);
		fd_nonblock(g[i].host_w);
		while (out < sizeof(line)) { /* not idle since its start */
			static char sink[65536];
			ssize_t n = in < sizeof(line) ? write(g[i].host_w, line + in, sizeof(line) - in) : 0;

			in += n > 0 ? (size_t)n : 0;
			settle(&g[i]);
			n = read(g[i].server_r, sink, sizeof(sink));
			out += n > 0 ? (size_t)n : 0;
		}
		buf_done(&g[i].lines);
	}
	each = (mallinfo2().uordblks - before) / ARRAY_SIZE(g);
	print_message("%zu bytes per idle conversation, loop included\n", each);
	assert_true(each <= 16384);
	for (size_t i = 0; i < ARRAY_SIZE(g); i++)
		rig_close(&g[i]);
#endif
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_split_at_every_byte),
		cmocka_unit_test(one_byte_at_a_time),
		cmocka_unit_test(nothing_passes_unless_sent),
		cmocka_unit_test(denials_go_back),
		cmocka_unit_test(order_is_kept),
		cmocka_unit_test(overlong_is_discarded_to_the_newline),
		cmocka_unit_test(overlong_at_end_of_input),
		cmocka_unit_test(last_line_without_newline),
		cmocka_unit_test(half_close_of_the_host),
		cmocka_unit_test(server_exit_is_seen_as_without_us),
		cmocka_unit_test(unread_requests_at_server_exit),
		cmocka_unit_test(host_stops_reading),
		cmocka_unit_test(one_socket_for_both_directions),
		cmocka_unit_test(stuck_reader),
		cmocka_unit_test(flood_of_denials),
		cmocka_unit_test(flood_from_the_server),
		cmocka_unit_test(big_lines_pass_unchanged),
		cmocka_unit_test(held_lines_wait_for_their_mark),
		cmocka_unit_test(finish_waits_for_held_lines),
		cmocka_unit_test(paused_lines_stay),
		cmocka_unit_test(free_in_a_callback),
		cmocka_unit_test(receiver_gone_during_delivery),
		cmocka_unit_test(flags_of_the_originals_stay),
		cmocka_unit_test(refuses_other_files),
		cmocka_unit_test(idle_conversation_is_small),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
