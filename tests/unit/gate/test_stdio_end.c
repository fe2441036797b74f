// SPDX-License-Identifier: Apache-2.0
/* A stdio conversation behind the gate: nothing passes before its record, nothing read early goes unjudged. */
#include "tests/unit/gate/world.inc.c"

#include <fcntl.h>
#include <signal.h>

#include "user/base/loop.h"
#include "user/gate/stdio_end.h"
#include "user/notary/salt.h"
#include "user/stdio/relay.h"

#define POLICY \
	"permit(principal, action in Action::\"method\", resource);" \
	"permit(principal, action == Action::\"server/use\", resource);" \
	"permit(principal, action == Action::\"files/echo\", resource);"
#define ECHO "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":\"echo\"}}\n"
#define DROP "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"tools/call\",\"params\":{\"name\":\"drop\"}}\n"

enum { UNDECIDED, GO, KILL };

/* What the host and the server hold of the taken-over pair. */
struct ends {
	struct world w;
	struct loop *loop;
	int host_out, host_in, server_in, server_out;
	int decided;
	char reason[128];
};

static void decided(void *arg, bool go, const char *reason)
{
	struct ends *e = arg;

	assert_int_equal(e->decided, UNDECIDED);
	e->decided = go ? GO : KILL;
	(void)snprintf(e->reason, sizeof(e->reason), "%s", reason);
}

static void join(int *ret_read, int *ret_write)
{
	int p[2];

	assert_int_equal(pipe2(p, O_CLOEXEC | O_NONBLOCK), 0);
	*ret_read = p[0];
	*ret_write = p[1];
}

/* early: what the server had read when it was stopped; taken: how much that was. */
static void ends_open_spawn(struct ends *e, const char *early, uint64_t taken, const struct gate_spawn *spawn)
{
	static struct proc_identity id;
	struct gate_stdio_spec spec = {
		.peers = { .agent = 1, .agent_pid = 100, .transport = "stdio", .server = &id,
			   .spawn = spawn },
		.taken = taken, .head = span_of(early),
	};

	*e = (struct ends){ 0 };
	world_open(&e->w, POLICY);
	assert_int_equal(loop_new(&e->loop), 0);
	memset(&id, 0, sizeof(id));
	id.pid = 200;
	(void)snprintf(id.exe, sizeof(id.exe), "/opt/files");
	memcpy(id.args, "files\0serve", 12);
	id.args_len = 12;
	id.exe_measured = 1;
	join(&spec.fds.orig_in, &e->host_out);
	join(&e->host_in, &spec.fds.orig_out);
	join(&e->server_in, &spec.fds.to_server);
	join(&spec.fds.from_server, &e->server_out);
	assert_int_equal(gate_stdio_open(e->w.gate, e->loop, &spec, decided, e), 0);
}

static void ends_open(struct ends *e, const char *early, uint64_t taken)
{
	ends_open_spawn(e, early, taken, NULL);
}

static void turn(struct ends *e)
{
	while (loop_once(e->loop, 0) > 0)
		;
}

static void ends_close(struct ends *e)
{
	close(e->host_out);
	close(e->server_out);
	turn(e);
	close(e->host_in);
	close(e->server_in);
	world_close(&e->w);
	loop_free(e->loop);
}

static void say(struct ends *e, int fd, const char *text)
{
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	turn(e);
}

static void hears(int fd, const char *text)
{
	char b[4096];
	ssize_t n = read(fd, b, sizeof(b) - 1);

	b[n > 0 ? n : 0] = '\0';
	assert_string_equal(b, text);
}

static void hears_part(int fd, const char *part)
{
	char b[4096];
	ssize_t n = read(fd, b, sizeof(b) - 1);

	b[n > 0 ? n : 0] = '\0';
	if (!strstr(b, part))
		fail_msg("'%s' lacks '%s'", b, part);
}

static void the_record_comes_first(void **state)
{
	struct ends e;

	ends_open(&e, "", 0);
	assert_int_equal(e.decided, GO);
	gate_set_notary(e.w.gate, false);
	say(&e, e.host_out, ECHO);
	hears(e.server_in, "");
	if (!strstr(world_last_record(&e.w), "\"tool_name\":\"echo\""))
		fail_msg("the message that waits has no record");
	gate_set_notary(e.w.gate, true);
	turn(&e);
	hears(e.server_in, ECHO);
	ends_close(&e);
}

static void a_denied_call_is_answered(void **state)
{
	struct ends e;

	ends_open(&e, "", 0);
	say(&e, e.host_out, DROP ECHO);
	hears(e.server_in, ECHO);
	hears_part(e.host_in, "\"id\":2,\"error\"");
	ends_close(&e);
}

static void a_failed_log_ends_what_waits(void **state)
{
	struct ends e;

	ends_open(&e, "", 0);
	gate_set_notary(e.w.gate, false);
	say(&e, e.host_out, ECHO);
	recorder_free(e.w.gate->recorder);
	e.w.gate->recorder = NULL;
	gate_progress(e.w.gate);
	turn(&e);
	hears(e.server_in, "");
	(void)signal(SIGPIPE, SIG_IGN);
	assert_int_equal(write(e.host_out, "x", 1), -1); /* the host sees the end of it */
	ends_close(&e);
}

static void early_messages_are_judged(void **state)
{
	struct ends e;

	ends_open(&e, ECHO, strlen(ECHO));
	assert_int_equal(e.decided, GO);
	if (!strstr(world_last_record(&e.w), "\"judged_late\":true"))
		fail_msg("the record does not say that it is late");
	ends_close(&e);

	ends_open(&e, ECHO DROP, strlen(ECHO DROP));
	assert_int_equal(e.decided, KILL);
	hears_part(e.host_in, "\"id\":2,\"error\"");
	ends_close(&e);
}

static void early_bytes_that_are_not_known_are_not_let_pass(void **state)
{
	struct ends e;

	ends_open(&e, ECHO, strlen(ECHO) + 1);
	assert_int_equal(e.decided, KILL);
	ends_close(&e);
}

/* The server has the beginning; what it still lacks decides whether it ever gets a whole message. */
static void a_begun_message_is_judged_whole(void **state)
{
	struct ends e;

	(void)signal(SIGPIPE, SIG_IGN);
	ends_open(&e, "{\"jsonrpc\":", 11);
	assert_int_equal(e.decided, GO);
	say(&e, e.host_out, &ECHO[11]);
	hears(e.server_in, &ECHO[11]);
	if (!strstr(world_last_record(&e.w), "\"judged_late\":true"))
		fail_msg("the record does not say that it is late");
	ends_close(&e);

	ends_open(&e, "{\"jsonrpc\":", 11);
	say(&e, e.host_out, &DROP[11]);
	hears(e.server_in, "");
	hears_part(e.host_in, "\"id\":2,\"error\"");
	assert_int_equal(write(e.host_out, "x", 1), -1); /* and the conversation is over */
	ends_close(&e);
}

/* Behind a line that was let through as no MCP. */
static void a_begun_message_is_denied_whole(void **state)
{
	struct ends e;
	char c;

	ends_open(&e, "hello\n{\"jsonrpc", 15);
	assert_int_equal(e.decided, GO);
	say(&e, e.host_out, DROP + 9);
	hears_part(e.host_in, "\"id\":2,\"error\"");
	assert_int_equal(read(e.server_in, &c, 1), 0); /* the end, and not a byte before it */
	ends_close(&e);
}

/* Who reads values and not lines could act upon it. */
static void a_message_without_its_newline_is_judged_at_once(void **state)
{
	struct ends e;

	ends_open(&e, "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"tools/call\",\"params\":{\"name\":\"drop\"}}", 71);
	assert_int_equal(e.decided, KILL);
	ends_close(&e);
}

/* Writes what the pipe takes, lets the gate work, and reads what has arrived. How much was written. */
static size_t piece(struct ends *e, const char *p, size_t n, char *back, size_t *heard)
{
	ssize_t w = n ? write(e->host_out, p, n) : 0, r;

	assert_true(w >= 0 || errno == EAGAIN);
	turn(e);
	r = read(e->server_in, back + *heard, 65536);
	*heard += r > 0 ? (size_t)r : 0;
	turn(e);
	return w > 0 ? (size_t)w : 0;
}

/* A long line is hashed while it comes: whatever its pieces, the record commits to the text that was judged. */
static void the_commitment_is_to_the_whole_line(void **state)
{
	static const size_t pieces[] = { 1, 4096, 32768, 40000, 65536, 100000 };
	enum { FILL = 150000 };
	char *line = malloc(FILL + 256), *back = malloc(FILL + 256);
	char want[SHA256_PREFIXED_SIZE];
	struct ends e;

	assert_true(line && back);
	ends_open(&e, "", 0);
	for (size_t k = 0; k < ARRAY_SIZE(pieces); k++) {
		int head = sprintf(line, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{\"n\":\"%zu",
				   k);
		size_t n, heard = 0;

		memset(line + head, 'x', FILL);
		n = (size_t)head + FILL + (size_t)sprintf(line + head + FILL, "\"}}\n");
		(void)world_last_record(&e.w);
		salt_commit_next(&e.w.gate->convs->chain, SALT_REQUEST, (struct span){ line, n - 1 }, want);
		for (size_t at = k ? 0 : n - 100, step; at < n; at += step) {
			step = pieces[k] < n - at ? pieces[k] : n - at;
			if (k == 0 && at == n - 100) /* all but the end at once, then byte by byte */
				for (size_t all = 0; all < at;)
					all += piece(&e, line + all, at - all, back, &heard);
			for (size_t done = 0; done < step;)
				done += piece(&e, line + at + done, step - done, back, &heard);
		}
		while (heard < n)
			(void)piece(&e, NULL, 0, back, &heard);
		assert_int_equal(heard, n);
		assert_memory_equal(back, line, n);
		assert_non_null(strstr(world_last_record(&e.w), want));
	}
	ends_close(&e);
	free(line);
	free(back);
}

/* What is not what the catalog measured stands still until its host was answered, and is then killed. */
static void a_refused_server_never_runs(void **state)
{
	static const struct gate_spawn spawn = { .measured = true, .refused = "/srv/x has another digest" };
	struct ends e;
	char c;

	(void)signal(SIGPIPE, SIG_IGN);
	ends_open_spawn(&e, "", 0, &spawn);
	assert_int_equal(e.decided, UNDECIDED);
	if (!strstr(world_last_record(&e.w), "\"reason\":\"/srv/x has another digest\""))
		fail_msg("the record does not say why");
	gate_set_notary(e.w.gate, false); /* the answer waits for its record */
	say(&e, e.host_out, ECHO);
	assert_int_equal(e.decided, UNDECIDED);
	gate_set_notary(e.w.gate, true);
	turn(&e);
	hears_part(e.host_in, "\"reason_code\":\"spawn_refused\"");
	assert_int_equal(read(e.host_in, &c, 1), 0);
	assert_int_equal(read(e.server_in, &c, 1), 0); /* the end, and not a byte before it */
	assert_int_equal(e.decided, KILL);
	assert_string_equal(e.reason, spawn.refused);
	ends_close(&e);

	ends_open_spawn(&e, ECHO, strlen(ECHO), &spawn);
	assert_int_equal(e.decided, KILL);
	assert_string_equal(e.reason, spawn.refused);
	hears_part(e.host_in, "\"id\":1,\"error\"");
	ends_close(&e);
}

/* Its host may have gone without a word. */
static void a_refused_server_dies_with_its_host(void **state)
{
	static const struct gate_spawn spawn = { .refused = "no" };
	struct ends e;

	ends_open_spawn(&e, "", 0, &spawn);
	close(e.host_out);
	e.host_out = dup(e.host_in);
	turn(&e);
	assert_int_equal(e.decided, KILL);
	ends_close(&e);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_commitment_is_to_the_whole_line),
		cmocka_unit_test(a_begun_message_is_denied_whole),
		cmocka_unit_test(a_message_without_its_newline_is_judged_at_once),
		cmocka_unit_test(a_refused_server_never_runs),
		cmocka_unit_test(a_refused_server_dies_with_its_host),
		cmocka_unit_test(the_record_comes_first),
		cmocka_unit_test(a_denied_call_is_answered),
		cmocka_unit_test(a_failed_log_ends_what_waits),
		cmocka_unit_test(early_messages_are_judged),
		cmocka_unit_test(early_bytes_that_are_not_known_are_not_let_pass),
		cmocka_unit_test(a_begun_message_is_judged_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
