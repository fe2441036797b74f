// SPDX-License-Identifier: Apache-2.0
/*
 * A host on pipes that measures. echo_host CALLS BYTES -- COMMAND ARG... starts one server, makes CALLS
 * calls one after the other, messages of BYTES bytes, and prints "p50 p90 p99" of their round trips
 * in nanoseconds. echo_host hold COUNT -- COMMAND ARG... opens COUNT conversations, makes one call on
 * each, prints "ready" and keeps them until its standard input ends. A refused or missing answer ends it
 * with status 1.
 */
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define WARM_UP_MAX 500
#define HELLO "{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"initialize\",\"params\":{" \
	"\"protocolVersion\":\"2025-06-18\",\"capabilities\":{}," \
	"\"clientInfo\":{\"name\":\"bench\",\"version\":\"1\"}}}\n"
#define STARTED "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}\n"

struct server {
	int in, out;
	pid_t pid;
};

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static struct server start(char **argv)
{
	int to[2], from[2];
	struct server s;

	if (pipe(to) || pipe(from))
		fail("pipe");
	s.pid = fork();
	if (s.pid < 0)
		fail("fork");
	if (s.pid == 0) {
		dup2(to[0], STDIN_FILENO);
		dup2(from[1], STDOUT_FILENO);
		for (int fd = 3; fd < 1024; fd++)
			close(fd);
		execvp(argv[0], argv);
		_exit(127);
	}
	close(to[0]);
	close(from[1]);
	s.in = to[1];
	s.out = from[0];
	return s;
}

static void say(const struct server *s, const char *text, size_t len)
{
	while (len > 0) {
		ssize_t n = write(s->in, text, len);

		if (n <= 0)
			fail("write to the server");
		text += n;
		len -= (size_t)n;
	}
}

/* One line of answer, which must be a result. */
static void hear(const struct server *s)
{
	static char line[65536];
	size_t len = 0;

	while (len == 0 || line[len - 1] != '\n') {
		ssize_t n = read(s->out, line + len, sizeof(line) - 1 - len);

		if (n <= 0)
			fail("read from the server");
		len += (size_t)n;
	}
	line[len] = '\0';
	if (!strstr(line, "\"result\"")) {
		fprintf(stderr, "not a result: %s", line);
		exit(1);
	}
}

static void greet(const struct server *s)
{
	say(s, HELLO, strlen(HELLO));
	hear(s);
	say(s, STARTED, strlen(STARTED));
}

#define CALL_BEGIN "{\"jsonrpc\":\"2.0\",\"id\":%u,\"method\":\"tools/call\",\"params\":" \
	"{\"name\":\"echo\",\"arguments\":{\"message\":\""
#define CALL_END "\"}}}\n"
#define CALL_MAX (2u << 20)

static void call(const struct server *s, unsigned id, unsigned bytes)
{
	static char text[CALL_MAX + 256];
	size_t len = (size_t)snprintf(text, sizeof(text), CALL_BEGIN, id), end = strlen(CALL_END);

	if (len + end < bytes && bytes <= CALL_MAX) {
		memset(text + len, 'x', bytes - len - end);
		len = bytes - end;
	}
	memcpy(text + len, CALL_END, end);
	say(s, text, len + end);
	hear(s);
}

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void measure(unsigned calls, unsigned bytes, char **argv)
{
	unsigned warm_up = calls / 10 < WARM_UP_MAX ? calls / 10 : WARM_UP_MAX;
	struct server s = start(argv);
	uint64_t *took = calloc(calls, sizeof(*took));

	if (!took)
		fail("calloc");
	greet(&s);
	for (unsigned i = 0; i < warm_up; i++)
		call(&s, i + 1, bytes);
	for (unsigned i = 0; i < calls; i++) {
		uint64_t t = now();

		call(&s, warm_up + i + 1, bytes);
		took[i] = now() - t;
	}
	qsort(took, calls, sizeof(*took), by_value);
	printf("%llu %llu %llu\n", (unsigned long long)took[calls / 2],
	       (unsigned long long)took[calls / 10 * 9], (unsigned long long)took[calls / 100 * 99]);
	close(s.in);
	waitpid(s.pid, NULL, 0);
	free(took);
}

static void hold(unsigned count, char **argv)
{
	struct server *s = calloc(count, sizeof(*s));
	char byte;

	if (!s)
		fail("calloc");
	for (unsigned i = 0; i < count; i++) {
		s[i] = start(argv);
		greet(&s[i]);
		call(&s[i], 1, 64);
	}
	puts("ready");
	fflush(stdout);
	while (read(STDIN_FILENO, &byte, 1) > 0)
		;
	for (unsigned i = 0; i < count; i++) {
		close(s[i].in);
		waitpid(s[i].pid, NULL, 0);
	}
	free(s);
}

int main(int argc, char **argv)
{
	if (argc < 5 || strcmp(argv[3], "--") != 0) {
		fputs("usage: echo_host CALLS BYTES -- COMMAND...\n"
		      "       echo_host hold COUNT -- COMMAND...\n", stderr);
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	if (strcmp(argv[1], "hold") == 0)
		hold((unsigned)atoi(argv[2]), argv + 4);
	else
		measure((unsigned)atoi(argv[1]), (unsigned)atoi(argv[2]), argv + 4);
	return 0;
}
