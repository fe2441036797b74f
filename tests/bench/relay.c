// SPDX-License-Identifier: Apache-2.0
/*
 * The bare two-pipe relay that Tollgate is measured beside: relay COMMAND ARG... starts the command and
 * copies between its own standard descriptors and the command's, looking at nothing. One process, poll,
 * read, write. At its end it says to the file that RELAY_SPENT names how often it was
 * put on a processor and how many nanoseconds of processor time it used.
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int copy(int from, int to)
{
	static char buf[65536];
	ssize_t n = read(from, buf, sizeof(buf));

	for (ssize_t done = 0; done < n;) {
		ssize_t w = write(to, buf + done, (size_t)(n - done));

		if (w <= 0)
			return -1;
		done += w;
	}
	return n > 0 ? 0 : -1;
}

static void tell_spent(void)
{
	const char *name = getenv("RELAY_SPENT");
	FILE *f = name ? fopen(name, "w") : NULL;
	struct timespec t;
	struct rusage u;

	if (!f)
		return;
	getrusage(RUSAGE_SELF, &u);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	fprintf(f, "%ld %lld\n", u.ru_nvcsw + u.ru_nivcsw, (long long)t.tv_sec * 1000000000 + t.tv_nsec);
	fclose(f);
}

int main(int argc, char **argv)
{
	int to[2], from[2], status = 0;
	pid_t pid;

	if (argc < 2 || pipe(to) || pipe(from))
		return 2;
	pid = fork();
	if (pid == 0) {
		dup2(to[0], STDIN_FILENO);
		dup2(from[1], STDOUT_FILENO);
		close(to[0]);
		close(to[1]);
		close(from[0]);
		close(from[1]);
		execvp(argv[1], argv + 1);
		_exit(127);
	}
	close(to[0]);
	close(from[1]);
	struct pollfd p[2] = { { .fd = STDIN_FILENO, .events = POLLIN }, { .fd = from[0], .events = POLLIN } };

	while (poll(p, 2, -1) > 0) {
		if (p[0].revents && copy(STDIN_FILENO, to[1])) {
			close(to[1]);
			p[0].fd = -1;
		}
		if (p[1].revents && copy(from[0], STDOUT_FILENO))
			break;
	}
	tell_spent();
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
