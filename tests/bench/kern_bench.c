// SPDX-License-Identifier: Apache-2.0
/*
 * What steering, fence and seal cost: connect() of an enrolled process against an unenrolled one, system calls outside
 * of every scope against a machine without our programs, short execs and tar of a source tree inside against outside.
 * Both sides of a figure are measured in turns, and the quietest rounds are
 * compared. Prints figures, judges nothing.
 * usage: kern_bench [ROUNDS]
 */
#include "tests/unit/kern/bed.h"

#include <arpa/inet.h>
#include <poll.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "user/kern/fence.h"
#include "user/kern/flow.h"
#include "user/kern/stdio.h"

#define CONNECTS 500 /* a round */
#define CALLS 50000
#define SOCKETS 2000
#define EXECS 10000 /* in all rounds together */
#define ROUNDS_MAX 64
#define TREE "/usr/include" /* a source tree that every build machine has */

static const struct tg_label label = { .agent = AGENT, .instance = 1 };
static unsigned rounds = 25;

/* The quietest round: what else the machine does can only add. */
static double lowest(const double *v)
{
	double low = v[0];

	for (unsigned i = 1; i < rounds; i++)
		low = v[i] < low ? v[i] : low;
	return low;
}

/* --- what is measured: each gives ns an operation ------------------------------------------------- */

static double calls(const void *arg)
{
	uint64_t start = clock_mono_ns();

	(void)arg;
	for (int i = 0; i < CALLS; i++)
		(void)syscall(SYS_getppid);
	return (double)(clock_mono_ns() - start) / CALLS;
}

static double sockets(const void *arg)
{
	uint64_t start = clock_mono_ns();

	(void)arg;
	for (int i = 0; i < SOCKETS; i++)
		close(socket(AF_INET, SOCK_STREAM, 0));
	return (double)(clock_mono_ns() - start) / SOCKETS;
}

/* connect() alone: making and closing the socket is not in the sum. */
static double connects(const void *arg)
{
	struct linger hard = { .l_onoff = 1 };
	uint64_t sum = 0, start;

	for (int i = 0; i < CONNECTS; i++) {
		int fd = socket(AF_INET, SOCK_STREAM, 0);

		start = clock_mono_ns();
		if (connect(fd, arg, sizeof(struct sockaddr_in)) < 0) {
			perror("connect");
			_exit(1);
		}
		sum += clock_mono_ns() - start;
		/* A reset leaves no port in TIME_WAIT. */
		(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
		close(fd);
	}
	return (double)sum / CONNECTS;
}

static double processor_ns(int who)
{
	struct rusage u;

	(void)getrusage(who, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1e9 +
	       (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) * 1e3;
}

/* Processor time of parent and children: an exec takes long enough to be interrupted by others' work. */
static double spawned(char **argv, unsigned n)
{
	double start = processor_ns(RUSAGE_SELF) + processor_ns(RUSAGE_CHILDREN);

	for (unsigned i = 0; i < n; i++) {
		int status;
		pid_t pid;

		if (posix_spawnp(&pid, argv[0], NULL, NULL, argv, environ) != 0 ||
		    waitpid(pid, &status, 0) != pid || status != 0)
			_exit(1);
	}
	return (processor_ns(RUSAGE_SELF) + processor_ns(RUSAGE_CHILDREN) - start) / n;
}

static double execs(const void *arg)
{
	char *argv[] = { (char *)"/bin/true", NULL };

	(void)arg;
	return spawned(argv, EXECS / rounds);
}

/* Reads every file: to /dev/null itself tar would write nothing. */
static double tars(const void *arg)
{
	char *argv[] = { (char *)"sh", (char *)"-c", (char *)"tar -cf - -C \"$0\" . | cat >/dev/null",
			 (char *)arg, NULL };

	return spawned(argv, 1);
}

/* --- where ---------------------------------------------------------------------------------------- */

struct job {
	double (*fn)(const void *arg);
	const void *arg;
	int out;
};

static int job_run(void *arg)
{
	struct job *j = arg;
	double v = j->fn(j->arg);

	return write(j->out, &v, sizeof(v)) == sizeof(v) ? 0 : 1;
}

/* In a child that is in no scope, or (b) in that one's. */
static double measured(struct bed *b, double (*fn)(const void *arg), const void *arg)
{
	struct job j = { .fn = fn, .arg = arg };
	int fds[2], status;
	double v = 0;
	pid_t pid;

	assert_int_equal(pipe(fds), 0);
	j.out = fds[1];
	if (b) {
		status = bed_run(b, &label, job_run, &j);
	} else {
		pid = fork();
		if (pid == 0)
			_exit(job_run(&j));
		status = bed_wait(pid);
	}
	assert_int_equal(status, 0);
	assert_int_equal(read(fds[0], &v, sizeof(v)), sizeof(v));
	close(fds[0]);
	close(fds[1]);
	return v;
}

static void pair(const char *what, struct bed *b, double (*fn)(const void *arg), const void *arg)
{
	double in[ROUNDS_MAX], out[ROUNDS_MAX];

	for (unsigned i = 0; i < rounds; i++) {
		out[i] = measured(NULL, fn, arg);
		in[i] = measured(b, fn, arg);
	}
	printf("%-44s outside %9.0f ns, inside %9.0f ns: %+.0f ns, %.3f times\n", what, lowest(out), lowest(in),
	       lowest(in) - lowest(out), lowest(in) / lowest(out));
}

static int listens(uint16_t *ret_port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(fd, (void *)&a, n), 0);
	assert_int_equal(listen(fd, 4096), 0);
	assert_int_equal(getsockname(fd, (void *)&a, &n), 0);
	*ret_port = ntohs(a.sin_port);
	return fd;
}

/* Takes connections off both queues, so that neither fills. */
static pid_t drains(int a, int c)
{
	pid_t pid = fork();

	if (pid == 0)
		for (;;) {
			struct pollfd p[2] = { { .fd = a, .events = POLLIN }, { .fd = c, .events = POLLIN } };

			(void)poll(p, 2, -1);
			for (int i = 0; i < 2; i++)
				if (p[i].revents & POLLIN)
					close(accept(p[i].fd, NULL, NULL));
		}
	return pid;
}

static void inside_against_outside(struct bed *b)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	uint16_t port, ours;
	int target = listens(&port), listener = listens(&ours);
	pid_t pid = drains(target, listener);
	uint64_t netns;

	to.sin_port = htons(port);
	assert_int_equal(flow_netns_cookie(listener, &netns), 0);
	assert_int_equal(flow_listener_set(b->k, netns, AGENT, ours, 0), 0);
	pair("connect(), steered", b, connects, &to);
	pair("socket() and close()", b, sockets, NULL);
	pair("getppid()", b, calls, NULL);
	pair("short exec", b, execs, NULL);
	pair("tar of " TREE, b, tars, TREE);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

/* The same thing outside of every scope, with nothing of ours loaded and with everything. */
static void machine_with_and_without(const char *what, double (*fn)(const void *arg), bool scope)
{
	double with[ROUNDS_MAX], without[ROUNDS_MAX];
	struct bed b;

	for (unsigned i = 0; i < rounds; i++) {
		without[i] = measured(NULL, fn, NULL);
		bed_open(&b);
		if (scope)
			assert_int_equal(kern_scope_attach(b.k, b.agent), 0);
		with[i] = measured(NULL, fn, NULL);
		bed_close(&b);
	}
	printf("%-22s %-21s without %9.0f ns, with   %9.0f ns: %+.0f ns, %.3f times\n", what,
	       scope ? "elsewhere a scope" : "no scope anywhere", lowest(without), lowest(with),
	       lowest(with) - lowest(without), lowest(with) / lowest(without));
}

int main(int argc, char **argv)
{
	const char *why;
	struct bed b;

	bed_skip();
	if (argc > 1)
		rounds = (unsigned)strtoul(argv[1], NULL, 10);
	if (!rounds || rounds > ROUNDS_MAX) {
		fprintf(stderr, "usage: kern_bench [ROUNDS], at most %d\n", ROUNDS_MAX);
		return 1;
	}
	printf("security hooks: %s\n", kern_fence_lsm_supported(&why) == 0 ? "loaded" : why);
	machine_with_and_without("getppid()", calls, false);
	machine_with_and_without("getppid()", calls, true);
	machine_with_and_without("socket() and close()", sockets, true);
	bed_open(&b);
	assert_int_equal(kern_scope_attach(b.k, b.agent), 0);
	assert_int_equal(kern_scope_cgroup(b.k, b.agent_id, &label), 0);
	inside_against_outside(&b);
	assert_int_equal(kern_stdio_attach(b.k), 0);
	printf("and with the programs that follow stdio:\n");
	pair("short exec", &b, execs, NULL);
	pair("tar of " TREE, &b, tars, TREE);
	bed_close(&b);
	return 0;
}
