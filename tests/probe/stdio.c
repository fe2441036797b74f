// SPDX-License-Identifier: Apache-2.0
/*
 * One verb per way past the detection of stdio conversations.
 *
 *	stdio host VERB CALL SERVER LOG [COMMAND...]	starts a server and sends it one tools/call by the verb's way
 *	stdio serve LOG [speak|reexec]		the server: LOG gets every byte that a read returned
 *
 * SERVER is this program under the path that is approved. COMMAND stands before the server's own command line (sh -c,
 * bwrap ...). The host prints every line that comes back, then "end". It waits as long as hosts do, so a server that was
 * killed or a call that was refused ends it at once. With STDIO_VFORK the server first waits in vfork() for a child that then
 * reads in its place. With STDIO_WAIT in its environment it begins when that file is there;
 * with STDIO_WAIT_THEN it starts the server, and writes when that file is there.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define TOOL(name) "{\"name\":\"" name "\",\"inputSchema\":{\"type\":\"object\"}}"
#define VFORK_MS 6000 /* longer than a takeover may take */
#define ANSWER_MS 10000 /* reached only when neither an answer nor the end comes */
#define LINE_MAX_BYTES 65536

#define FLOOD 3000 /* a ring of 256 KiB holds 2520 events */
#define CROWD 32 /* servers at once; probe_stdio knows it too */
static char *server_argv[64];
static char message[LINE_MAX_BYTES]; /* ends in a newline */
static size_t message_len;
static int to_server, from_server;
static pid_t server_pid;

static void fail(const char *what)
{
	fprintf(stderr, "stdio: %s: %s\n", what, strerror(errno));
	exit(2);
}

static void pause_ms(long ms)
{
	struct timespec t = { ms / 1000, ms % 1000 * 1000000 };

	nanosleep(&t, NULL);
}

static void put(const char *p, size_t n)
{
	while (n) {
		ssize_t w = write(to_server, p, n);

		if (w < 0)
			return; /* the server is gone; what is asked is what it has seen */
		p += w;
		n -= (size_t)w;
	}
}

/* --- ways to write --------------------------------------------------------------------------------- */

static void way_whole(void)
{
	put(message, message_len);
}

static void way_blocked(void)
{
	pause_ms(100); /* the server waits in read() */
	way_whole();
}

static void way_bytes(void)
{
	pause_ms(50);
	for (size_t i = 0; i < message_len; i++) {
		put(message + i, 1);
		if (i < 40)
			pause_ms(1); /* the server reads each one */
	}
}

static void way_space(void)
{
	put("\n  \t", 4);
	way_whole();
}

static void way_bom(void)
{
	put("\xef\xbb\xbf", 3);
	way_whole();
}

static void way_batch(void)
{
	put("[", 1);
	put(message, message_len - 1);
	put("]\n", 2);
}

static void way_junk(void)
{
	put("hello\n{\"not\":\"rpc\"}\n", 20);
	pause_ms(20);
	way_whole();
}

/* {"pad":"xxx...","jsonrpc": behind more than 4 KiB */
static void way_late(void)
{
	static char late[LINE_MAX_BYTES];
	int n = snprintf(late, sizeof(late), "{\"pad\":\"%05000d\",%s", 0, message + 1);

	put(late, (size_t)n);
}

/* The name of the member spelled with an escape. */
static void way_escape(void)
{
	static char text[LINE_MAX_BYTES];
	char *at = strstr(message, "\"jsonrpc\"");
	int n = snprintf(text, sizeof(text), "%.*s\"json\\u0072pc\"%s", (int)(at - message), message, at + 9);

	put(text, (size_t)n);
}

/* A line that does not end for longer than anybody looks at it. */
static void way_unfinished(void)
{
	static const char begin[] = "{\"x\":\"\\u0061\",";

	put(begin, sizeof(begin) - 1);
	pause_ms(2500);
	put(message + 1, message_len - 1);
}

static void way_writev(void)
{
	struct iovec v[3] = { { message, 4 }, { message + 4, 5 }, { message + 9, message_len - 9 } };

	if (writev(to_server, v, 3) < 0)
		fail("writev");
}

static void way_sendmsg(void)
{
	struct iovec v = { message, message_len };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1 };

	if (sendmsg(to_server, &m, MSG_NOSIGNAL) < 0)
		fail("sendmsg");
}

static void way_sendmmsg(void)
{
	struct iovec v = { message, message_len };
	struct mmsghdr m = { .msg_hdr = { .msg_iov = &v, .msg_iovlen = 1 } };

	if (sendmmsg(to_server, &m, 1, MSG_NOSIGNAL) < 0)
		fail("sendmmsg");
}

static void filled_pipe(int ret[2])
{
	if (pipe2(ret, O_CLOEXEC) || write(ret[1], message, message_len) < 0)
		fail("pipe");
}

static void way_splice(void)
{
	int p[2];

	filled_pipe(p);
	if (splice(p[0], NULL, to_server, NULL, message_len, 0) < 0)
		fail("splice");
}

static void way_tee(void)
{
	int p[2];

	filled_pipe(p);
	if (tee(p[0], to_server, message_len, 0) < 0)
		fail("tee");
}

static void way_vmsplice(void)
{
	struct iovec v = { message, message_len };

	if (vmsplice(to_server, &v, 1, 0) < 0)
		fail("vmsplice");
	pause_ms(200); /* the pages are the message */
}

static void way_sendfile(void)
{
	int fd = memfd_create("message", MFD_CLOEXEC);
	off_t at = 0;

	if (fd < 0 || write(fd, message, message_len) < 0 || sendfile(to_server, fd, &at, message_len) < 0)
		fail("sendfile");
}

/* --- io_uring, without a library ------------------------------------------------------------------- */

static void uring(bool registered)
{
	struct io_uring_params p = { 0 };
	int ring = (int)syscall(SYS_io_uring_setup, 4, &p);
	struct io_uring_sqe *sqe;
	char *sq;

	if (ring < 0)
		fail("io_uring_setup");
	sq = mmap(NULL, p.sq_off.array + p.sq_entries * sizeof(uint32_t), PROT_READ | PROT_WRITE,
		  MAP_SHARED | MAP_POPULATE, ring, IORING_OFF_SQ_RING);
	sqe = mmap(NULL, p.sq_entries * sizeof(*sqe), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring,
		   IORING_OFF_SQES);
	if (sq == MAP_FAILED || sqe == MAP_FAILED)
		fail("mmap of the ring");
	if (registered && syscall(SYS_io_uring_register, ring, IORING_REGISTER_FILES, &to_server, 1) < 0)
		fail("io_uring_register");
	*sqe = (struct io_uring_sqe){ .opcode = IORING_OP_WRITE, .fd = registered ? 0 : to_server,
				      .flags = registered ? IOSQE_FIXED_FILE : 0, .off = (uint64_t)-1,
				      .addr = (uint64_t)(uintptr_t)message, .len = (uint32_t)message_len };
	((uint32_t *)(sq + p.sq_off.array))[0] = 0;
	__atomic_store_n((uint32_t *)(sq + p.sq_off.tail), 1, __ATOMIC_RELEASE);
	if (syscall(SYS_io_uring_enter, ring, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0) < 0)
		fail("io_uring_enter");
}

static void way_uring(void)
{
	pause_ms(50);
	uring(false);
}

static void way_uring_registered(void)
{
	pause_ms(50);
	uring(true);
}

/* --- other processes and threads ------------------------------------------------------------------- */

static void *write_it(void *arg)
{
	(void)arg;
	way_whole();
	return NULL;
}

static void way_thread(void)
{
	pthread_t t;

	if (pthread_create(&t, NULL, write_it, NULL))
		fail("pthread_create");
	pthread_detach(t);
}

/* A thread that changes the bytes while another writes them: what is searched is not what is sent. */
static volatile bool flipping = true;
static char flipped[LINE_MAX_BYTES];

static void *flip(void *arg)
{
	(void)arg;
	while (flipping) {
		flipped[0] = 'x';
		flipped[0] = '{';
	}
	return NULL;
}

static void way_flip(void)
{
	pthread_t t;

	memcpy(flipped, message, message_len);
	if (pthread_create(&t, NULL, flip, NULL))
		fail("pthread_create");
	for (int i = 0; i < 300; i++) {
		put(flipped, message_len);
		pause_ms(1);
	}
	flipping = false;
	pthread_join(t, NULL);
}

static void way_helper(void)
{
	char control[CMSG_SPACE(sizeof(int))] = { 0 }, byte = 0;
	struct iovec v = { &byte, 1 };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);
	int s[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, s))
		fail("socketpair");
	pid = fork();
	if (pid == 0) {
		close(to_server);
		if (recvmsg(s[1], &m, 0) != 1)
			fail("recvmsg");
		memcpy(&to_server, CMSG_DATA(c), sizeof(int));
		way_whole();
		_exit(0);
	}
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &to_server, sizeof(int));
	if (sendmsg(s[0], &m, 0) != 1)
		fail("sendmsg");
	waitpid(pid, NULL, 0);
}

/* A child opens the pipe anew through /proc. */
static void way_reopen(void)
{
	char path[64];
	pid_t pid;

	snprintf(path, sizeof(path), "/proc/%d/fd/%d", getpid(), to_server);
	pid = fork();
	if (pid == 0) {
		to_server = open(path, O_WRONLY | O_CLOEXEC);
		if (to_server < 0)
			fail(path);
		way_whole();
		_exit(0);
	}
	waitpid(pid, NULL, 0);
}

/* A debugger of the host's own has the server first, and lets it run whatever stops it. */
static void way_traced(void)
{
	pid_t server = server_pid, pid;
	int st;

	pause_ms(50);
	pid = fork();
	if (pid == 0) {
		close(to_server);
		close(from_server);
		if (ptrace(PTRACE_SEIZE, server, NULL, NULL))
			fail("ptrace");
		while (waitpid(server, &st, __WALL) == server && WIFSTOPPED(st))
			(void)ptrace(PTRACE_CONT, server, NULL, NULL);
		_exit(0);
	}
	pause_ms(50);
	way_whole();
}

static pid_t start(bool socket, char **argv);
static void hear(void);

/* Many servers are to be taken over one right after the other, and each is. */
static void way_crowd(void)
{
	struct {
		int to, from;
	} all[CROWD] = { { to_server, from_server } };

	for (int i = 1; i < CROWD; i++) {
		(void)start(false, server_argv);
		all[i].to = to_server;
		all[i].from = from_server;
	}
	pause_ms(100);
	for (int i = 0; i < CROWD; i++) {
		to_server = all[i].to;
		way_whole();
		pause_ms(2); /* so that some come just when another's injector ends */
	}
	for (int i = CROWD - 1; i > 0; i--) {
		from_server = all[i].from;
		hear();
		close(all[i].to);
	}
	to_server = all[0].to;
	from_server = all[0].from;
}

/* As many suspicions as the kernel's ring of events does not hold, while nobody reads it: each a program that is started
 * with something in its pipe. Then the call, of which no event can tell. */
static void way_flood(void)
{
	for (int i = 0; i < FLOOD; i++) {
		int in[2], out[2];
		pid_t pid;

		if (pipe2(in, O_CLOEXEC) || pipe2(out, O_CLOEXEC) || write(in[1], "{", 1) != 1)
			fail("pipe");
		pid = vfork();
		if (pid == 0) {
			dup2(in[0], 0);
			dup2(out[1], 1);
			execl("/bin/true", "true", (char *)NULL);
			_exit(1);
		}
		(void)waitpid(pid, NULL, 0);
		close(in[0]);
		close(in[1]);
		close(out[0]);
		close(out[1]);
	}
	way_whole();
	puts("flooded");
}

static const struct {
	const char *name;
	void (*way)(void);
	bool socket;
	const char *server; /* extra argument */
} verbs[] = {
	{ "whole", way_whole, false, NULL },
	{ "whole-socket", way_whole, true, NULL },
	{ "blocked", way_blocked, false, NULL },
	{ "blocked-socket", way_blocked, true, NULL },
	{ "bytes", way_bytes, false, NULL },
	{ "bytes-socket", way_bytes, true, NULL },
	{ "space", way_space, false, NULL },
	{ "bom", way_bom, false, NULL },
	{ "batch", way_batch, false, NULL },
	{ "junk", way_junk, false, NULL },
	{ "late", way_late, false, NULL },
	{ "escape", way_escape, false, NULL },
	{ "unfinished", way_unfinished, false, NULL },
	{ "writev", way_writev, false, NULL },
	{ "sendmsg", way_sendmsg, true, NULL },
	{ "sendmmsg", way_sendmmsg, true, NULL },
	{ "splice", way_splice, false, NULL },
	{ "tee", way_tee, false, NULL },
	{ "vmsplice", way_vmsplice, false, NULL },
	{ "sendfile", way_sendfile, false, NULL },
	{ "uring", way_uring, false, NULL },
	{ "uring-socket", way_uring, true, NULL },
	{ "uring-registered", way_uring_registered, false, NULL },
	{ "thread", way_thread, false, NULL },
	{ "flip", way_flip, false, NULL },
	{ "helper", way_helper, false, NULL },
	{ "reopen", way_reopen, false, NULL },
	{ "speak", way_blocked, false, "speak" },
	{ "reexec", way_blocked, false, "reexec" },
	{ "traced", way_traced, false, NULL },
	{ "crowd", way_crowd, false, NULL },
	{ "flood", way_flood, false, NULL },
};

/* --- the host -------------------------------------------------------------------------------------- */

static void channel(bool socket, int ret[2])
{
	int s[2];

	if (!socket) {
		if (pipe2(ret, O_CLOEXEC))
			fail("pipe");
		return;
	}
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, s))
		fail("socketpair");
	ret[0] = s[0];
	ret[1] = s[1];
}

static pid_t start(bool socket, char **argv)
{
	int in[2], out[2];
	pid_t pid;

	channel(socket, in);
	channel(socket, out);
	pid = fork();
	if (pid < 0)
		fail("fork");
	if (pid == 0) {
		dup2(in[0], 0);
		dup2(out[1], 1);
		execvp(argv[0], argv);
		fail(argv[0]);
	}
	close(in[0]);
	close(out[1]);
	to_server = in[1];
	from_server = out[0];
	server_pid = pid;
	return pid;
}

/* Until an answer to the call, or the end. */
static void hear(void)
{
	static char line[LINE_MAX_BYTES];
	size_t n = 0;

	for (;;) {
		struct pollfd p = { .fd = from_server, .events = POLLIN };

		if (poll(&p, 1, ANSWER_MS) != 1) {
			puts("silence");
			return;
		}
		if (n == sizeof(line) || read(from_server, line + n, 1) != 1)
			return;
		if (line[n++] != '\n')
			continue;
		fwrite(line, 1, n, stdout);
		line[n - 1] = 0;
		n = 0;
		if (strstr(line, "\"id\":1") || strstr(line, "\"id\":null"))
			return;
	}
}

static int host(const char *verb, const char *call, const char *server, const char *log, char **command, int n)
{
	const char *wait_for = getenv("STDIO_WAIT"), *wait_then = getenv("STDIO_WAIT_THEN");
	char **argv = server_argv;
	int argc = 0;
	pid_t pid;
	size_t i = 0;

	while (i < sizeof(verbs) / sizeof(verbs[0]) && strcmp(verbs[i].name, verb) != 0)
		i++;
	if (i == sizeof(verbs) / sizeof(verbs[0]) || n > 48) {
		fprintf(stderr, "stdio: no verb '%s'\n", verb);
		return 2;
	}
	for (int k = 0; k < n; k++)
		argv[argc++] = command[k];
	argv[argc++] = (char *)server;
	argv[argc++] = (char *)"serve";
	argv[argc++] = (char *)log;
	if (verbs[i].server)
		argv[argc++] = (char *)verbs[i].server;
	argv[argc] = NULL;
	message_len = (size_t)snprintf(message, sizeof(message),
				       "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\","
				       "\"params\":{\"name\":\"%s\",\"arguments\":{}}}\n", call);
	signal(SIGPIPE, SIG_IGN);
	setvbuf(stdout, NULL, _IOLBF, 0);
	while (wait_for && access(wait_for, F_OK))
		pause_ms(10);
	pid = start(verbs[i].socket, argv);
	while (wait_then && access(wait_then, F_OK))
		pause_ms(10);
	verbs[i].way();
	hear();
	close(to_server);
	shutdown(from_server, SHUT_RDWR);
	for (int k = 0; k < 100 && waitpid(pid, NULL, WNOHANG) == 0; k++)
		pause_ms(20);
	puts("end");
	return 0;
}

/* --- the server ------------------------------------------------------------------------------------ */

static void answer(const char *line)
{
	const char *id = strstr(line, "\"id\":"), *result = "{\"content\":[{\"type\":\"text\",\"text\":\"ran\"}]}";
	char out[1024];
	int n;

	if (!id || !strstr(line, "\"method\""))
		return;
	if (strstr(line, "\"tools/list\""))
		result = "{\"tools\":[" TOOL("echo") "," TOOL("wipe") "]}";
	if (strstr(line, "\"initialize\""))
		result = "{\"protocolVersion\":\"2025-06-18\",\"capabilities\":{\"tools\":{}},"
			 "\"serverInfo\":{\"name\":\"probe\",\"version\":\"1\"}}";
	n = snprintf(out, sizeof(out), "{\"jsonrpc\":\"2.0\",\"id\":%.*s,\"result\":%s}\n",
		     (int)strcspn(id + 5, ",}"), id + 5, result);
	if (write(1, out, (size_t)n) != n)
		exit(3);
}

/* A process that waits in vfork() does not stop before its child has executed or ended, and this one reads. */
static void wait_in_vfork(int log)
{
	static char buf[LINE_MAX_BYTES];
	ssize_t got;

	if (vfork())
		return;
	pause_ms(VFORK_MS);
	got = read(0, buf, sizeof(buf));
	if (got > 0 && write(log, buf, (size_t)got) != got)
		_exit(1);
	_exit(0);
}

static int serve(const char *name, const char *log, const char *how)
{
	static char buf[LINE_MAX_BYTES], line[2 * LINE_MAX_BYTES];
	int fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	size_t n = 0;
	ssize_t got;

	if (fd < 0)
		fail(log);
	if (getenv("STDIO_VFORK"))
		wait_in_vfork(fd);
	if (!strcmp(how, "speak") &&
	    write(1, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\",\"params\":{\"level\":\"info\","
		     "\"data\":\"up\"}}\n", 89) < 0)
		fail("write");
	if (!strcmp(how, "reexec")) {
		pause_ms(20);
		execl("/proc/self/exe", name, "serve", log, (char *)NULL);
		fail("exec");
	}
	while ((got = read(0, buf, sizeof(buf))) > 0) {
		if (write(fd, buf, (size_t)got) != got)
			fail("log");
		for (ssize_t i = 0; i < got && n < sizeof(line) - 1; i++) {
			line[n++] = buf[i];
			if (buf[i] != '\n')
				continue;
			line[n] = 0;
			answer(line);
			n = 0;
		}
	}
	return 0;
}

int main(int argc, char **argv)
{
	if (argc >= 6 && !strcmp(argv[1], "host"))
		return host(argv[2], argv[3], argv[4], argv[5], argv + 6, argc - 6);
	if (argc >= 3 && !strcmp(argv[1], "serve"))
		return serve(argv[0], argv[2], argc > 3 ? argv[3] : "");
	if (argc == 2 && !strcmp(argv[1], "verbs")) {
		for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
			puts(verbs[i].name);
		return 0;
	}
	fputs("usage: stdio host VERB CALL SERVER LOG [COMMAND...] | serve LOG [HOW] | verbs\n", stderr);
	return 2;
}
