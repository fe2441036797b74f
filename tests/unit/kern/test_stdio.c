// SPDX-License-Identifier: Apache-2.0
/*
 * Detection of JSON-RPC between a host and a server, and the hold: real processes over pipes and
 * socket pairs. The server tells on a descriptor how many bytes it has seen, so "it did not act"
 * can be observed.
 */
#include "tests/unit/kern/bed.h"

#include <poll.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "user/kern/stdio.h"

#define REQUEST "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"initialize\",\"params\":{}}\n"
#define TOLD_FD 50
#define UP_FD 51

static const struct tg_label label = { .agent = AGENT };

enum channel { PIPE, PAIR };

/* What a host does with the descriptor it writes to. */
typedef void (*play_fn)(int fd);

struct session {
	enum channel channel;
	play_fn play;
	const char *server; /* mode of the server: "read" or "speak" */
	bool before_exec; /* plays before the server's exec */
	bool traced; /* by a process of the host's, from before its exec */
	int told[2]; /* the server's reports */
	int done[2]; /* closed by the test: the host ends */
	int out_read; /* host's end of the server's output, in the host */
};

static struct tg_event last;
static unsigned triggers, unfollowed;

static void on_event(const struct tg_event *e, uint64_t lost, void *arg)
{
	if (e->type == TG_EV_UNFOLLOWED) {
		unfollowed++;
	} else if (e->type == TG_EV_TRIGGER) {
		last = *e;
		triggers++;
	}
}

/* --- the server: this program, executed again ------------------------------------------------- */

static int server_main(const char *mode)
{
	char buf[65536];
	ssize_t n;

	if (!strcmp(mode, "speak") && write(1, REQUEST, strlen(REQUEST)) < 0)
		return 1;
	if (write(TOLD_FD, &(uint32_t){ 0 }, 4) != 4)
		return 2;
	close(UP_FD);
	while ((n = read(0, buf, sizeof(buf))) > 0)
		if (write(TOLD_FD, &(uint32_t){ (uint32_t)n }, 4) != 4)
			return 3;
	return n < 0 ? 4 : 0;
}

static void channel_open(enum channel c, int ret[2])
{
	int s[2];

	if (c == PIPE) {
		if (pipe2(ret, O_CLOEXEC) < 0)
			_exit(80);
		return;
	}
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, s) < 0)
		_exit(80);
	ret[0] = s[0];
	ret[1] = s[1];
}

/* Lets the server go on, whatever stops it. Returns in the host once it has it. */
static void trace(pid_t server, int to_server)
{
	int has[2], st;
	char c;

	if (pipe2(has, O_CLOEXEC) < 0)
		_exit(86);
	if (fork() == 0) {
		close(to_server);
		close(has[0]);
		if (ptrace(PTRACE_SEIZE, server, NULL, NULL) < 0 || write(has[1], "", 1) != 1)
			_exit(87);
		while (waitpid(server, &st, __WALL) == server && WIFSTOPPED(st))
			(void)ptrace(PTRACE_CONT, server, NULL, NULL);
		_exit(0);
	}
	close(has[1]);
	if (read(has[0], &c, 1) != 1)
		_exit(88);
	close(has[0]);
}

static int host_main(void *arg)
{
	struct session *s = arg;
	int in[2], out[2], ready[2], up[2];
	pid_t pid;
	char c;

	close(s->done[1]);
	channel_open(s->channel, in);
	channel_open(s->channel, out);
	if (pipe2(ready, O_CLOEXEC) < 0 || pipe2(up, O_CLOEXEC) < 0)
		return 81;
	pid = fork();
	if (pid == 0) {
		if (s->before_exec && read(ready[0], &c, 1) != 1)
			_exit(82);
		if (dup2(in[0], 0) < 0 || dup2(out[1], 1) < 0 || dup2(s->told[1], TOLD_FD) < 0 ||
		    dup2(up[1], UP_FD) < 0)
			_exit(83);
		execl("/proc/self/exe", "test_stdio", "server", s->server, (char *)NULL);
		_exit(84);
	}
	close(in[0]);
	close(out[1]);
	close(up[1]);
	if (s->traced) {
		close(s->told[1]);
		trace(pid, in[1]);
	}
	if (!s->before_exec) {
		struct pollfd p = { .fd = up[0], .events = POLLIN };

		/* Until the server is up (one that speaks is held before). */
		(void)poll(&p, 1, !strcmp(s->server, "speak") ? 500 : 10000);
	}
	s->play(in[1]);
	if (s->before_exec && write(ready[1], "", 1) != 1)
		return 85;
	if (!s->traced)
		close(s->told[1]);
	(void)!read(s->done[0], &c, 1);
	close(in[1]);
	close(out[0]);
	return bed_wait(pid);
}

/* --- the test's side -------------------------------------------------------------------------- */

static pid_t session_start(struct bed *b, struct session *s)
{
	pid_t pid;

	triggers = unfollowed = 0;
	memset(&last, 0, sizeof(last));
	assert_int_equal(pipe2(s->told, O_CLOEXEC), 0);
	assert_int_equal(pipe2(s->done, O_CLOEXEC), 0);
	pid = bed_spawn(b, &label, host_main, s);
	close(s->told[1]);
	close(s->done[0]);
	return pid;
}

/* Lets go on whoever the last trigger stopped; once more when it has read on meanwhile. */
static void release_last(struct bed *b)
{
	struct tg_stream st;

	if (triggers && (kern_stdio_read(b->k, last.stdio.key, &st) < 0 ||
			 kern_stdio_release(b->k, last.stdio.key, st.taken) == 0))
		triggers = 0;
}

/* What a server reads while it ends may stop it once more. */
static int session_end(struct bed *b, struct kern_events *ev, struct session *s, pid_t pid)
{
	int st;

	close(s->done[1]);
	close(s->told[0]);
	while (waitpid(pid, &st, WNOHANG) == 0) {
		if (ev)
			assert_true(kern_events_consume(ev) >= 0);
		release_last(b);
		usleep(1000);
	}
	if (ev)
		assert_true(kern_events_consume(ev) >= 0);
	return WIFEXITED(st) ? WEXITSTATUS(st) : 256 + WTERMSIG(st);
}

/* Sum of what the server has told, waiting until it is want or nothing comes for a while. */
static uint32_t told(struct session *s, uint32_t want)
{
	struct pollfd p = { .fd = s->told[0], .events = POLLIN };
	uint32_t sum = 0, n;
	bool first = true;

	while ((first || sum < want) && poll(&p, 1, 5000) == 1 && read(s->told[0], &n, 4) == 4) {
		sum += n;
		first = false;
	}
	return sum;
}

/* All that the server tells until it has been silent for a while. */
static uint32_t told_so_far(struct session *s)
{
	struct pollfd p = { .fd = s->told[0], .events = POLLIN };
	uint32_t sum = 0, n;

	while (poll(&p, 1, 150) == 1 && read(s->told[0], &n, 4) == 4)
		sum += n;
	return sum;
}

static void wait_trigger(struct kern_events *ev)
{
	for (int i = 0; i < 1000 && !triggers; i++) {
		struct pollfd p = { .fd = kern_events_fd(ev), .events = POLLIN };

		(void)poll(&p, 1, 10);
		assert_true(kern_events_consume(ev) >= 0);
	}
	assert_int_equal(triggers, 1);
}

/* Releases the stream, and once more when its reader is stopped by what it reads; what the server has told then. */
static uint32_t release_to_the_end(struct bed *b, struct kern_events *ev, struct session *s)
{
	triggers = 1;
	for (int i = 0; i < 1000; i++) {
		struct pollfd p = { .fd = s->told[0], .events = POLLIN };

		release_last(b);
		if (poll(&p, 1, 10) == 1)
			return told(s, 1);
		assert_true(kern_events_consume(ev) >= 0);
	}
	return 0;
}

static void put(int fd, const char *p, size_t n)
{
	if (write(fd, p, n) != (ssize_t)n)
		_exit(70);
}

static void say(int fd, const char *text)
{
	put(fd, text, strlen(text));
}

#define JUNK "hello, this is a line\n"
#define JUNK2 "{\"not\":\"rpc\"}\nand {jsonrpc} another\n"
#define NDJSON "{\"event\":\"progress\",\"list\":[1,{\"a\":\"b\"}]}\n"
#define TEXT "see {\"jsonrpc\"} and \"jsonrpc\" in the docs\n"

static void play_request(int fd)
{
	say(fd, REQUEST);
}

static void play_bytes(int fd)
{
	for (const char *p = REQUEST; *p; p++)
		put(fd, p, 1);
}

static void play_split(int fd)
{
	put(fd, REQUEST, 6);
	put(fd, REQUEST + 6, strlen(REQUEST) - 6);
}

static void play_space(int fd)
{
	say(fd, "\n \t");
	play_request(fd);
}

static void play_bom_batch(int fd)
{
	static const char text[] = "\xef\xbb\xbf[{\"id\":1,\"jsonrpc\":\"2.0\"}]\n";

	put(fd, text, sizeof(text) - 1);
}

static void play_junk_first(int fd)
{
	say(fd, JUNK);
	say(fd, JUNK2);
	play_request(fd);
}

static void play_late_member(int fd)
{
	char *big = malloc(20000);

	/* The keyword lies far from the start of its line and across a chunk's border. */
	memset(big, 'x', 20000);
	memcpy(big, "{\"a\":\"", 6);
	memcpy(big + 10233, "\",\"jsonrpc\":\"2.0\"}\n", 19);
	put(fd, big, 10252);
	free(big);
}

static void play_writev(int fd)
{
	struct iovec v[5] = { { (void *)"{\"js", 4 }, { (void *)"", 0 }, { (void *)"onr", 3 },
			      { (void *)"pc\":\"2.0\"", 9 }, { (void *)"}\n", 2 } };

	if (writev(fd, v, 5) != 18)
		_exit(71);
}

static void play_sendmsg(int fd)
{
	struct iovec v[2] = { { (void *)"{\"jsonr", 7 }, { (void *)"pc\":\"2.0\"}\n", 11 } };
	struct msghdr m = { .msg_iov = v, .msg_iovlen = 2 };

	if (sendmsg(fd, &m, 0) != 18)
		_exit(72);
}

static void play_send(int fd)
{
	if (send(fd, REQUEST, strlen(REQUEST), 0) < 0)
		_exit(73);
}

static void play_escape(int fd)
{
	static const char text[] = "{\"json\\u0072pc\":\"2.0\"}\n";

	put(fd, text, sizeof(text) - 1);
}

static void play_splice(int fd)
{
	int p[2];

	if (pipe2(p, O_CLOEXEC) < 0)
		_exit(74);
	play_request(p[1]);
	if (splice(p[0], NULL, fd, NULL, strlen(REQUEST), 0) < 0)
		_exit(75);
}

static void play_many_pieces(int fd)
{
	struct iovec v[TG_SEGMENTS + 1];

	for (int i = 0; i <= TG_SEGMENTS; i++)
		v[i] = (struct iovec){ (void *)"a\n", 2 };
	if (writev(fd, v, TG_SEGMENTS + 1) != 2 * (TG_SEGMENTS + 1))
		_exit(76);
}

static void play_huge(int fd)
{
	char *big = calloc(1, TG_SCAN_BYTES + 1);

	memset(big, 'x', TG_SCAN_BYTES + 1);
	put(fd, big, TG_SCAN_BYTES + 1);
	free(big);
}

#ifdef __x86_64__
/* write() by the 32-bit table, from 64-bit code. */
static void play_compat(int fd)
{
	char *low = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	long r = 4;

	if (low == MAP_FAILED)
		_exit(78);
	strcpy(low, REQUEST);
	__asm__ volatile("int $0x80"
			 : "+a"(r)
			 : "b"((long)fd), "c"(low), "d"(strlen(REQUEST))
			 : "memory", "r8", "r9", "r10", "r11");
	if (r != (long)strlen(REQUEST))
		_exit(79);
}

/* Kernels can be built, or booted, without the 32-bit table. */
static bool have_compat(void)
{
	pid_t pid = fork();
	int p[2];

	if (pid == 0) {
		if (pipe2(p, O_CLOEXEC) == 0)
			play_compat(p[1]);
		_exit(0);
	}
	return bed_wait(pid) == 0;
}
#else
#define play_compat NULL
static bool have_compat(void)
{
	return false;
}
#endif

struct cast {
	const char *name;
	play_fn play;
	bool sockets_only;
	uint32_t why;
	uint32_t early; /* bytes of calls before the one that triggers: the server may see them */
};

/* Every way to send one: the trigger comes, the server is stopped and has not seen a byte;
 * released, it sees all. */
static void holds_before_the_server_acts(void **state)
{
	static const struct cast cast[] = {
		{ "request", play_request, false, TG_WHY_KEYWORD, 0 },
		{ "bytes", play_bytes, false, TG_WHY_KEYWORD, 8 },
		{ "split", play_split, false, TG_WHY_KEYWORD, 6 },
		{ "space", play_space, false, TG_WHY_KEYWORD, 3 },
		{ "bom, batch", play_bom_batch, false, TG_WHY_KEYWORD, 0 },
		{ "junk first", play_junk_first, false, TG_WHY_KEYWORD,
		  sizeof(JUNK JUNK2) - 1 },
		{ "late member", play_late_member, false, TG_WHY_KEYWORD, 0 },
		{ "writev", play_writev, false, TG_WHY_KEYWORD, 0 },
		{ "sendmsg", play_sendmsg, true, TG_WHY_KEYWORD, 0 },
		{ "send", play_send, true, TG_WHY_KEYWORD, 0 },
		{ "escape", play_escape, false, TG_WHY_ESCAPE, 0 },
		{ "splice", play_splice, false, TG_WHY_OPAQUE, 0 },
		{ "many pieces", play_many_pieces, false, TG_WHY_UNREADABLE, 0 },
		{ "huge", play_huge, false, TG_WHY_UNREADABLE, 0 },
		{ "32-bit call", play_compat, false, TG_WHY_COMPAT, 0 },
	};
	struct kern_events *ev;
	struct bed b;

	bed_open(&b);
	assert_int_equal(kern_stdio_attach(b.k), 0);
	assert_int_equal(kern_events_open(b.k, on_event, NULL, &ev), 0);
	for (unsigned i = 0; i < 2 * ARRAY_SIZE(cast); i++) {
		const struct cast *c = &cast[i / 2];
		struct session s = { i % 2 ? PAIR : PIPE, c->play, .server = "read" };
		struct tg_stream st;
		pid_t pid;

		if ((c->sockets_only && s.channel == PIPE) ||
		    (c->why == TG_WHY_COMPAT && !have_compat()))
			continue;
		print_message("%s, %s\n", c->name, s.channel == PIPE ? "pipe" : "socket pair");
		pid = session_start(&b, &s);
		wait_trigger(ev);
		assert_int_equal(last.stdio.why, c->why);
		assert_int_equal(last.stdio.from_server, 0);
		assert_int_equal(last.stdio.host_tgid, pid);
		assert_int_equal(last.stdio.agent, AGENT);
		/* Before Linux 6.13 no program may send the signal: its next read stops the server. */
		assert_true(last.stdio.stop_error == 0 || last.stdio.stop_error == ENOSYS);
		assert_int_equal(kern_stdio_read(b.k, last.stdio.key, &st), 0);
		assert_int_equal(st.id, last.stdio.id);
		assert_true(st.flags & TG_STREAM_HELD);
		assert_true(told_so_far(&s) <= c->early);
		assert_true(release_to_the_end(&b, ev, &s) > 0);
		/* Still followed, perhaps found once more by the reads. */
		assert_int_equal(kern_stdio_read(b.k, last.stdio.key, &st), 0);
		assert_int_equal(session_end(&b, ev, &s, pid), 0);
	}
	assert_int_equal(bed_stat(&b, TG_STAT_STDIO_EVENT_LOST), 0);
	kern_events_close(ev);
	bed_close(&b);
}

static void play_ndjson(int fd)
{
	for (int i = 0; i < 200; i++)
		say(fd, NDJSON);
}

static void play_text(int fd)
{
	for (int i = 0; i < 200; i++)
		say(fd, TEXT);
}

static void play_binary(int fd)
{
	unsigned seed = 1;
	char b[4096];

	for (int i = 0; i < 4; i++) {
		for (unsigned j = 0; j < sizeof(b); j++)
			b[j] = (char)((rand_r(&seed) >> 8) | 0x80);
		put(fd, b, sizeof(b));
	}
}

static void leaves_everything_else_alone(void **state)
{
	static const struct {
		play_fn play;
		uint32_t bytes;
	} cast[] = { { play_ndjson, 200 * (sizeof(NDJSON) - 1) },
		    { play_text, 200 * (sizeof(TEXT) - 1) }, { play_binary, 4 * 4096 } };
	struct kern_events *ev;
	struct bed b;

	bed_open(&b);
	assert_int_equal(kern_stdio_attach(b.k), 0);
	assert_int_equal(kern_events_open(b.k, on_event, NULL, &ev), 0);
	for (unsigned i = 0; i < 2 * ARRAY_SIZE(cast); i++) {
		struct session s = { .channel = i % 2 ? PAIR : PIPE, .play = cast[i / 2].play,
				     .server = "read" };
		pid_t pid = session_start(&b, &s);

		assert_int_equal(told(&s, cast[i / 2].bytes), cast[i / 2].bytes);
		assert_int_equal(session_end(&b, ev, &s, pid), 0);
	}
	assert_true(kern_events_consume(ev) >= 0);
	assert_int_equal(triggers, 0);
	assert_int_equal(bed_stat(&b, TG_STAT_STDIO_TRIGGER), 0);
	assert_true(bed_stat(&b, TG_STAT_STDIO_SCANNED_BYTES) > 0);
	/* Their objects are gone, and so are the streams. */
	assert_true(kern_stdio_sweep(b.k) > 0);
	assert_int_equal(kern_stdio_sweep(b.k), 0);
	kern_events_close(ev);
	bed_close(&b);
}

static void follows_on_and_keeps_the_head(void **state)
{
	uint8_t head[TG_HEAD_BYTES];
	struct kern_events *ev;
	struct tg_stream st;
	struct bed b;
	size_t n;

	bed_open(&b);
	assert_int_equal(kern_stdio_attach(b.k), 0);
	assert_int_equal(kern_events_open(b.k, on_event, NULL, &ev), 0);
	for (int i = 0; i < 2; i++) {
		struct session s = { i ? PAIR : PIPE, play_junk_first, .server = "read" };
		static const char all[] = JUNK JUNK2 REQUEST;
		pid_t pid = session_start(&b, &s);
		uint64_t key;

		wait_trigger(ev);
		key = last.stdio.key;
		/* The write call returns in its own time. */
		for (int t = 0; t < 500; t++) {
			assert_int_equal(kern_stdio_read(b.k, key, &st), 0);
			if (st.written == sizeof(all) - 1)
				break;
			usleep(10000);
		}
		assert_int_equal(st.written, sizeof(all) - 1);
		assert_int_equal(st.writers, 0);
		assert_false(st.flags & (TG_STREAM_HEAD_GAP | TG_STREAM_COUNT_GAP));
		assert_int_equal(kern_stdio_head(b.k, key, head, &n), 0);
		assert_int_equal(n, sizeof(all) - 1);
		assert_memory_equal(head, all, n);
		/* Forgotten: no stream, no head, no hold; the server goes on when it is let. */
		assert_int_equal(kern_stdio_forget(b.k, key), 0);
		assert_int_equal(kern_stdio_forget(b.k, key), -ENOENT);
		assert_int_equal(kern_stdio_head(b.k, key, head, &n), -ENOENT);
		assert_int_equal(kern_stopped_continue(b.k, (pid_t)last.stdio.server_tgid), 0);
		assert_true(told(&s, sizeof(all) - 1) >= strlen(REQUEST));
		assert_int_equal(session_end(&b, ev, &s, pid), 0);
	}
	kern_events_close(ev);
	bed_close(&b);
}

static void play_nothing(int fd)
{
}

static void hears_a_server_that_speaks_first(void **state)
{
	struct kern_events *ev;
	struct bed b;

	bed_open(&b);
	assert_int_equal(kern_stdio_attach(b.k), 0);
	assert_int_equal(kern_events_open(b.k, on_event, NULL, &ev), 0);
	for (int i = 0; i < 2; i++) {
		struct session s = { i ? PAIR : PIPE, play_nothing, .server = "speak" };
		struct pollfd p = { .events = POLLIN };
		pid_t pid = session_start(&b, &s);

		wait_trigger(ev);
		assert_int_equal(last.stdio.from_server, 1);
		assert_int_equal(last.stdio.why, TG_WHY_KEYWORD);
		assert_int_equal(last.tgid, last.stdio.server_tgid);
		/* Stopped at the end of its write: it does not even report that it has begun. */
		p.fd = s.told[0];
		assert_int_equal(poll(&p, 1, 150), 0);
		release_last(&b);
		assert_int_equal(triggers, 0);
		assert_int_equal(told(&s, 0), 0);
		assert_int_equal(session_end(&b, ev, &s, pid), 0);
	}
	kern_events_close(ev);
	bed_close(&b);
}

static void reports_what_was_queued_at_exec(void **state)
{
	struct kern_events *ev;
	struct tg_stream st;
	struct bed b;

	bed_open(&b);
	assert_int_equal(kern_stdio_attach(b.k), 0);
	assert_int_equal(kern_events_open(b.k, on_event, NULL, &ev), 0);
	for (int i = 0; i < 2; i++) {
		struct session s = { i ? PAIR : PIPE, play_request, .server = "read",
				     .before_exec = true };
		pid_t pid = session_start(&b, &s);

		wait_trigger(ev);
		assert_int_equal(last.stdio.why, TG_WHY_PREFILLED);
		assert_int_equal(kern_stdio_read(b.k, last.stdio.key, &st), 0);
		assert_true(st.flags & TG_STREAM_PREFILLED);
		/* It may start, and stops at its first read. */
		assert_int_equal(told(&s, 1), 0);
		release_last(&b);
		assert_int_equal(triggers, 0);
		assert_int_equal(told(&s, strlen(REQUEST)), strlen(REQUEST));
		assert_int_equal(session_end(&b, ev, &s, pid), 0);
	}
	kern_events_close(ev);
	bed_close(&b);
}

/* What lay in the pipe of a reader that cannot be stopped is searched as it is read, before anybody has looked: it is
 * killed for what may be MCP, and for nothing else. */
static void a_traced_reader_dies_for_messages_only(void **state)
{
	static const struct {
		play_fn play;
		uint32_t read;
		int end;
	} cast[] = { { play_ndjson, 200 * (sizeof(NDJSON) - 1), 0 }, { play_request, 0, SIGKILL } };
	struct kern_events *ev;
	struct tg_stream st;
	struct bed b;

	bed_open(&b);
	assert_int_equal(kern_stdio_attach(b.k), 0);
	assert_int_equal(kern_events_open(b.k, on_event, NULL, &ev), 0);
	for (size_t i = 0; i < ARRAY_SIZE(cast); i++) {
		struct session s = { PIPE, cast[i].play, .server = "read", .before_exec = true, .traced = true };
		pid_t pid = session_start(&b, &s);

		wait_trigger(ev);
		assert_int_equal(last.stdio.why, TG_WHY_PREFILLED);
		/* The read that kills it ends what it tells. */
		assert_int_equal(told(&s, cast[i].end ? 1 : cast[i].read), cast[i].read);
		if (cast[i].end) {
			assert_int_equal(kern_stdio_read(b.k, last.stdio.key, &st), 0);
			assert_true(st.flags & TG_STREAM_TRACED);
		}
		assert_int_equal(session_end(&b, ev, &s, pid) & 0xff, cast[i].end);
	}
	kern_events_close(ev);
	bed_close(&b);
}

/* A write that a full pipe takes in parts is searched and counted as what went through. */
static void play_partial(int fd)
{
	char *big = malloc(100000);
	ssize_t n;

	memset(big, 'x', 100000);
	memcpy(big + 100000 - 1 - strlen(REQUEST), "\n", 1);
	memcpy(big + 100000 - strlen(REQUEST), REQUEST, strlen(REQUEST));
	(void)fcntl(fd, F_SETFL, O_NONBLOCK);
	/* Only the x go: the end does not fit, and is not sent. */
	n = write(fd, big, 90000);
	if (n <= 0 || n >= 90000)
		_exit(77);
	(void)fcntl(fd, F_SETFL, 0);
	put(fd, big + n, 100000 - (size_t)n - strlen(REQUEST));
	free(big);
}

static void counts_what_was_taken(void **state)
{
	struct session s = { .channel = PIPE, .play = play_partial, .server = "read" };
	uint32_t want = 100000 - (uint32_t)strlen(REQUEST);
	struct kern_events *ev;
	struct bed b;
	pid_t pid;

	bed_open(&b);
	assert_int_equal(kern_stdio_attach(b.k), 0);
	assert_int_equal(kern_events_open(b.k, on_event, NULL, &ev), 0);
	pid = session_start(&b, &s);
	assert_int_equal(told(&s, want), want);
	assert_int_equal(triggers, 0);
	assert_int_equal(session_end(&b, ev, &s, pid), 0);
	kern_events_close(ev);
	bed_close(&b);
}

static int each_total(uint64_t key, const struct tg_stream *s, void *arg)
{
	uint64_t *sum = arg;

	*sum += s->written;
	return 0;
}

/* A whole session's bytes, as they were counted. */
static uint64_t counted(struct bed *b, struct session *s)
{
	const uint64_t want = 200 * (sizeof(TEXT) - 1);
	uint64_t sum = 0;

	assert_int_equal(told(s, (uint32_t)want), want);
	for (int i = 0; i < 300 && sum < want; i++) {
		sum = 0;
		assert_int_equal(kern_stdio_each(b->k, each_total, &sum), 0);
		usleep(10000);
	}
	return sum;
}

static void detach_forgets(void **state)
{
	struct session s = { .channel = PIPE, .play = play_text, .server = "read" };
	uint64_t sum = 0;
	struct bed b;
	pid_t pid;

	bed_open(&b);
	assert_false(kern_stdio_attached(b.k));
	assert_int_equal(kern_stdio_attach(b.k), 0);
	assert_int_equal(kern_stdio_attach(b.k), 0);
	assert_true(kern_stdio_attached(b.k));
	pid = session_start(&b, &s);
	assert_int_equal(counted(&b, &s), 200 * (sizeof(TEXT) - 1));
	assert_int_equal(kern_stdio_detach(b.k), 0);
	assert_int_equal(kern_stdio_detach(b.k), 0);
	assert_int_equal(kern_stdio_each(b.k, each_total, &sum), 0);
	assert_int_equal(sum, 0);
	assert_int_equal(session_end(&b, NULL, &s, pid), 0);
	bed_close(&b);
}

/* The kernel lets go of detached programs late: they must not run beside those that are attached next. */
static void attached_anew_searches_once(void **state)
{
	struct session s = { .channel = PIPE, .play = play_text, .server = "read" };
	uint64_t once = 0;
	struct bed b;

	bed_open(&b);
	assert_int_equal(kern_stdio_attach(b.k), 0);
	for (int i = 0; i < 5; i++) {
		uint64_t before = bed_stat(&b, TG_STAT_STDIO_SCANNED_BYTES), searched;
		pid_t pid = session_start(&b, &s);

		assert_int_equal(counted(&b, &s), 200 * (sizeof(TEXT) - 1));
		searched = bed_stat(&b, TG_STAT_STDIO_SCANNED_BYTES) - before;
		if (i == 0)
			once = searched;
		assert_int_equal(searched, once);
		assert_int_equal(session_end(&b, NULL, &s, pid), 0);
		assert_int_equal(kern_stdio_detach(b.k), 0);
		assert_int_equal(kern_stdio_attach(b.k), 0);
	}
	bed_close(&b);
}

/* Our own relay's objects are nobody's stream, whoever executes with them. */
static void ours_are_not_followed(void **state)
{
	int in[2], out[2], none;
	struct tg_stream st;
	struct bed b;
	uint64_t key;
	pid_t pid;

	bed_open(&b);
	assert_int_equal(kern_stdio_attach(b.k), 0);
	for (int marked = 0; marked < 2; marked++) {
		struct session s = { .server = "read" };

		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, in), 0);
		assert_int_equal(pipe2(out, O_CLOEXEC), 0);
		assert_int_equal(pipe2(s.told, O_CLOEXEC), 0);
		assert_int_equal(kern_stdio_key(in[1], &key), 0);
		if (marked) {
			assert_int_equal(kern_stdio_ours(b.k, in[1]), 0);
			assert_int_equal(kern_stdio_ours(b.k, out[0]), 0);
		}
		pid = fork();
		if (pid == 0) {
			(void)kern_scope_label(b.k, getpid(), &label);
			if (dup2(in[0], 0) == 0 && dup2(out[1], 1) == 1 &&
			    dup2(s.told[1], TOLD_FD) == TOLD_FD)
				execl("/proc/self/exe", "test_stdio", "server", "read",
				      (char *)NULL);
			_exit(84);
		}
		assert_int_equal(told(&s, 0), 0);
		assert_int_equal(kern_stdio_read(b.k, key, &st), marked ? -ENOENT : 0);
		close(in[1]);
		close(in[0]);
		assert_int_equal(bed_wait(pid), 0);
		for (int i = 0; i < 2; i++) {
			close(out[i]);
			close(s.told[i]);
		}
	}
	none = open("/dev/null", O_RDONLY | O_CLOEXEC);
	assert_int_equal(kern_stdio_ours(b.k, none), -EBADF);
	assert_int_equal(kern_stdio_key(none, &key), -EINVAL);
	assert_int_equal(kern_stdio_release(b.k, 12345, 0), -ENOENT);
	close(none);
	bed_close(&b);
}

/* A full map is said, not hidden. */
static void a_full_map_is_reported(void **state)
{
	struct session s = { .channel = PIPE, .play = play_nothing, .server = "read" };
	struct kern_events *ev;
	struct bed b;
	pid_t pid;

	bed_open(&b);
	assert_int_equal(kern_release(b.k), 0);
	assert_int_equal(kern_open(&(struct kern_config){ .pin_dir = b.pins, .max_streams = 1,
							  .stale_ns = 60ull << 30 },
				   &b.k),
			 0);
	assert_int_equal(kern_heartbeat(b.k), 0);
	assert_int_equal(kern_daemon_attach(b.k, b.daemon), 0);
	assert_int_equal(kern_stdio_attach(b.k), 0);
	assert_int_equal(kern_events_open(b.k, on_event, NULL, &ev), 0);
	pid = session_start(&b, &s);
	assert_int_equal(told(&s, 0), 0);
	assert_true(kern_events_consume(ev) >= 0);
	assert_true(unfollowed > 0);
	assert_true(bed_stat(&b, TG_STAT_STREAM_FULL) > 0);
	assert_int_equal(session_end(&b, ev, &s, pid), 0);
	kern_events_close(ev);
	bed_close(&b);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(holds_before_the_server_acts),
		cmocka_unit_test(leaves_everything_else_alone),
		cmocka_unit_test(follows_on_and_keeps_the_head),
		cmocka_unit_test(hears_a_server_that_speaks_first),
		cmocka_unit_test(reports_what_was_queued_at_exec),
		cmocka_unit_test(a_traced_reader_dies_for_messages_only),
		cmocka_unit_test(counts_what_was_taken),
		cmocka_unit_test(detach_forgets),
		cmocka_unit_test(attached_anew_searches_once),
		cmocka_unit_test(ours_are_not_followed),
		cmocka_unit_test(a_full_map_is_reported),
	};

	if (argc == 3 && !strcmp(argv[1], "server"))
		_exit(server_main(argv[2])); /* a traced process cannot be searched for leaks at its end */
	bed_skip();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
