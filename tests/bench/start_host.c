// SPDX-License-Identifier: Apache-2.0
/*
 * A host on pipes that measures what beginnings cost; every figure in nanoseconds, the median of COUNT.
 *
 *	start_host first COUNT -- COMMAND ARG...   from the first write to the answer of a server that waits
 *	start_host spawn COUNT -- COMMAND ARG...   a program from its start to its end, as hosts run tools
 *	start_host call COUNT                      one getppid(), the cheapest system call
 *
 * An answer that is missing or refused ends it with status 1.
 */
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define HELLO "{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"initialize\",\"params\":{" \
	"\"protocolVersion\":\"2025-06-18\",\"capabilities\":{}," \
	"\"clientInfo\":{\"name\":\"bench\",\"version\":\"1\"}}}\n"
#define CALLS_AT_ONCE 10000
#define SETTLE_US 20000 /* until a server has started and waits */

extern char **environ;

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static pid_t start(char **argv, int *ret_in, int *ret_out)
{
	posix_spawn_file_actions_t acts;
	int to[2], from[2];
	pid_t pid;

	if (pipe2(to, O_CLOEXEC) || pipe2(from, O_CLOEXEC))
		fail("pipe");
	posix_spawn_file_actions_init(&acts);
	posix_spawn_file_actions_adddup2(&acts, to[0], STDIN_FILENO);
	posix_spawn_file_actions_adddup2(&acts, from[1], STDOUT_FILENO);
	if (posix_spawnp(&pid, argv[0], &acts, NULL, argv, environ))
		fail(argv[0]);
	posix_spawn_file_actions_destroy(&acts);
	close(to[0]);
	close(from[1]);
	*ret_in = to[1];
	*ret_out = from[0];
	return pid;
}

static uint64_t first(char **argv)
{
	char line[4096];
	size_t len = 0;
	int in, out;
	pid_t pid = start(argv, &in, &out);
	uint64_t t;

	usleep(SETTLE_US);
	t = now();
	if (write(in, HELLO, strlen(HELLO)) != (ssize_t)strlen(HELLO))
		fail("write to the server");
	while (len == 0 || line[len - 1] != '\n') {
		ssize_t n = read(out, line + len, sizeof(line) - 1 - len);

		if (n <= 0)
			fail("read from the server");
		len += (size_t)n;
	}
	t = now() - t;
	line[len] = '\0';
	if (!strstr(line, "\"result\"")) {
		fprintf(stderr, "not a result: %s", line);
		exit(1);
	}
	close(in);
	close(out);
	waitpid(pid, NULL, 0);
	return t;
}

static uint64_t spawn(char **argv)
{
	char bytes[4096];
	uint64_t t = now();
	int in, out;
	pid_t pid = start(argv, &in, &out);

	while (read(out, bytes, sizeof(bytes)) > 0)
		;
	waitpid(pid, NULL, 0);
	t = now() - t;
	close(in);
	close(out);
	return t;
}

static uint64_t call(char **argv)
{
	uint64_t t = now();

	(void)argv;
	for (int i = 0; i < CALLS_AT_ONCE; i++)
		syscall(SYS_getppid);
	return (now() - t) / CALLS_AT_ONCE;
}

int main(int argc, char **argv)
{
	uint64_t (*what)(char **) = NULL, *took;
	int n = argc > 2 ? atoi(argv[2]) : 0;

	if (argc > 4 && strcmp(argv[3], "--") == 0)
		what = strcmp(argv[1], "first") == 0 ? first : strcmp(argv[1], "spawn") == 0 ? spawn : NULL;
	else if (argc == 3 && strcmp(argv[1], "call") == 0)
		what = call;
	if (!what || n < 1) {
		fputs("usage: start_host first|spawn COUNT -- COMMAND...\n"
		      "       start_host call COUNT\n", stderr);
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	took = calloc((size_t)n, sizeof(*took));
	if (!took)
		fail("calloc");
	for (int i = 0; i < n; i++)
		took[i] = what(argc > 4 ? argv + 4 : NULL);
	qsort(took, (size_t)n, sizeof(*took), by_value);
	printf("%llu\n", (unsigned long long)took[n / 2]);
	free(took);
	return 0;
}
