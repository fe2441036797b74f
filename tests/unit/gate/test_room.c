// SPDX-License-Identifier: Apache-2.0
/* A log without room: messages wait unjudged, in order, and are denied when none comes. */
#include "tests/unit/gate/world.inc.c"

#include <fcntl.h>

#include "user/base/clock.h"
#include "user/base/loop.h"
#include "user/gate/stdio_end.h"

#define CALL "{\"jsonrpc\":\"2.0\",\"id\":\"last\",\"method\":\"tools/call\",\"params\":{\"name\":\"echo\"}}\n"
#define NOTE "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}"

struct called {
	char order[8];
	unsigned n;
};

static struct called called;

static void on_room_a(void *arg)
{
	called.order[called.n++] = 'a';
}

static void on_room_b(void *arg)
{
	called.order[called.n++] = 'b';
}

static void fill_ring(struct world *w, struct gate_conv *c)
{
	for (unsigned i = 0; gate_room(w->gate); i++) {
		assert_true(i < 10000);
		assert_int_equal(world_judge(c, MCP_TO_SERVER, NOTE).act, GATE_FORWARD);
	}
}

static void who_waits_goes_on_in_order_when_there_is_room(void **state)
{
	struct world w;
	int other;

	called = (struct called){ 0 };
	world_open(&w, NULL);
	fill_ring(&w, world_conv(&w, true));
	assert_int_equal(gate_when_room(w.gate, on_room_a, &w), 0);
	assert_int_equal(gate_when_room(w.gate, on_room_b, &other), 0);
	gate_progress(w.gate);
	assert_int_equal(called.n, 0);
	(void)world_last_record(&w);
	assert_false(gate_room(w.gate)); /* who comes now would overtake */
	gate_progress(w.gate);
	assert_string_equal(called.order, "ab");
	assert_true(gate_room(w.gate));
	world_close(&w);
}

static void who_is_forgotten_is_not_called(void **state)
{
	struct world w;
	int other;

	called = (struct called){ 0 };
	world_open(&w, NULL);
	fill_ring(&w, world_conv(&w, true));
	assert_int_equal(gate_when_room(w.gate, on_room_a, &w), 0);
	assert_int_equal(gate_when_room(w.gate, on_room_b, &other), 0);
	gate_forget(w.gate, &other);
	assert_int_equal(gate_when_room(w.gate, on_room_a, &w), 0);
	(void)world_last_record(&w);
	gate_progress(w.gate);
	assert_string_equal(called.order, "aa");
	world_close(&w);
}

static void waiting_ends(void **state)
{
	uint64_t now;
	struct world w;

	called = (struct called){ 0 };
	world_open(&w, NULL);
	assert_int_equal(gate_expire(w.gate, clock_mono_ns()), 0);
	fill_ring(&w, world_conv(&w, true));
	assert_int_equal(gate_when_room(w.gate, on_room_a, &w), 0);
	now = clock_mono_ns();
	assert_in_range(gate_expire(w.gate, now), 1, GATE_ROOM_NS);
	assert_int_equal(called.n, 0);
	assert_int_equal(gate_expire(w.gate, now + GATE_ROOM_NS), 0);
	assert_string_equal(called.order, "a");
	world_close(&w);
}

struct talk {
	struct world w;
	struct loop *loop;
	int host_in, host_out, server_in, server_out; /* the far ends */
	bool decided;
};

static void on_decided(void *arg, bool go, const char *reason)
{
	assert_true(go);
	((struct talk *)arg)->decided = true;
}

static void talk_open(struct talk *t)
{
	static struct proc_identity id = { .pid = 200, .exe = "/opt/files", .args = "files\0serve", .args_len = 12,
					   .exe_measured = 1 };
	struct gate_stdio_spec spec = {
		.peers = { .agent = 1, .agent_pid = 100, .transport = "stdio", .server = &id },
	};
	int p[4][2];

	*t = (struct talk){ 0 };
	world_open(&t->w, NULL);
	assert_int_equal(loop_new(&t->loop), 0);
	for (int i = 0; i < 4; i++)
		assert_int_equal(pipe2(p[i], O_NONBLOCK | O_CLOEXEC), 0);
	spec.fds = (struct stdio_relay_fds){ p[0][0], p[1][1], p[2][1], p[3][0] };
	t->host_out = p[0][1];
	t->host_in = p[1][0];
	t->server_in = p[2][0];
	t->server_out = p[3][1];
	assert_int_equal(gate_stdio_open(t->w.gate, t->loop, &spec, on_decided, t), 0);
	assert_true(t->decided);
}

static void talk_close(struct talk *t)
{
	close(t->host_in);
	close(t->host_out);
	close(t->server_in);
	close(t->server_out);
	while (loop_once(t->loop, 0) > 0)
		;
	world_close(&t->w);
	loop_free(t->loop);
}

static void say(struct talk *t, const char *text)
{
	assert_int_equal(write(t->host_out, text, strlen(text)), strlen(text));
	while (loop_once(t->loop, 0) > 0)
		;
}

static void reply(struct talk *t, const char *text)
{
	assert_int_equal(write(t->server_out, text, strlen(text)), strlen(text));
	while (loop_once(t->loop, 0) > 0)
		;
}

static ssize_t hear(int fd, char *ret, size_t size)
{
	ssize_t n = read(fd, ret, size - 1);

	ret[n > 0 ? n : 0] = '\0';
	return n;
}

static void a_line_waits_unjudged_and_then_goes_on(void **state)
{
	struct talk t;
	char got[512];

	talk_open(&t);
	fill_ring(&t.w, world_conv(&t.w, true));
	say(&t, CALL NOTE "\n");
	assert_int_equal(hear(t.server_in, got, sizeof(got)), -1);
	assert_int_equal(hear(t.host_in, got, sizeof(got)), -1); /* nor denied */
	(void)world_last_record(&t.w);
	gate_progress(t.w.gate);
	(void)hear(t.server_in, got, sizeof(got));
	assert_string_equal(got, CALL NOTE "\n");
	talk_close(&t);
}

static void a_line_that_waited_in_vain_is_denied(void **state)
{
	struct talk t;
	char got[512];

	talk_open(&t);
	fill_ring(&t.w, world_conv(&t.w, true));
	/* To the last byte: what has room for a small record takes it. */
	while (world_judge(t.w.gate->convs, MCP_TO_SERVER, NOTE).act == GATE_FORWARD)
		;
	say(&t, CALL);
	assert_int_equal(gate_expire(t.w.gate, clock_mono_ns() + GATE_ROOM_NS), 0);
	assert_int_equal(hear(t.server_in, got, sizeof(got)), -1);
	assert_true(hear(t.host_in, got, sizeof(got)) > 0);
	assert_non_null(strstr(got, "\"id\":\"last\",\"error\""));
	assert_non_null(strstr(got, "the log takes no record"));
	talk_close(&t);
}

/* Who asked would wait for ever for an answer that nobody may have. */
static void an_answer_that_cannot_be_recorded_is_an_error(void **state)
{
	struct talk t;
	char got[512];

	talk_open(&t);
	say(&t, CALL);
	assert_true(hear(t.server_in, got, sizeof(got)) > 0);
	fill_ring(&t.w, world_conv(&t.w, true));
	while (world_judge(t.w.gate->convs, MCP_TO_SERVER, NOTE).act == GATE_FORWARD)
		;
	reply(&t, "{\"jsonrpc\":\"2.0\",\"id\":\"last\",\"result\":{}}\n");
	assert_int_equal(gate_expire(t.w.gate, clock_mono_ns() + GATE_ROOM_NS), 0);
	assert_true(hear(t.host_in, got, sizeof(got)) > 0);
	assert_non_null(strstr(got, "\"id\":\"last\",\"error\""));
	assert_non_null(strstr(got, "the log takes no record"));
	talk_close(&t);
}

static void a_conversation_may_end_while_a_line_waits(void **state)
{
	struct talk t;

	talk_open(&t);
	fill_ring(&t.w, world_conv(&t.w, true));
	say(&t, CALL);
	talk_close(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_waits_goes_on_in_order_when_there_is_room),
		cmocka_unit_test(who_is_forgotten_is_not_called),
		cmocka_unit_test(waiting_ends),
		cmocka_unit_test(a_line_waits_unjudged_and_then_goes_on),
		cmocka_unit_test(a_line_that_waited_in_vain_is_denied),
		cmocka_unit_test(an_answer_that_cannot_be_recorded_is_an_error),
		cmocka_unit_test(a_conversation_may_end_while_a_line_waits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
