// SPDX-License-Identifier: Apache-2.0
#include "user/proc/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#define TAIL " 1 2 3 4 -1 5 6 7 8 9 10 11 12 13 20 0 1 0 777 123 18446744073709551615"

static void names_cannot_forge_a_stat_line(void **state)
{
	static const char *const lines[] = {
		"42 (plain) S" TAIL,
		"42 () S" TAIL,
		"42 (a) R 9 9) S" TAIL,
		"42 (x) Z 7\n43 (y) S" TAIL,
		"42 (((() S" TAIL,
	};
	struct proc_stat st;

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		assert_int_equal(proc_stat_parse(lines[i], strlen(lines[i]), &st), 0);
		assert_int_equal(st.state, 'S');
		assert_int_equal(st.ppid, 1);
		assert_int_equal(st.start_ticks, 777);
	}
}

static void broken_stat_lines(void **state)
{
	static const char whole[] = "42 (plain) S" TAIL;
	struct proc_stat st = { .ppid = -7 };

	/* every cut before field 22 is refused, and nothing is written */
	for (size_t n = 0; n < sizeof(whole); n++) {
		const char *start = strstr(whole, " 777");

		if (whole + n <= start + 1)
			assert_int_equal(proc_stat_parse(whole, n, &st), -EBADMSG);
	}
	assert_int_equal(st.ppid, -7);
	assert_int_equal(proc_stat_parse("1 (a) S 99999999999" TAIL, 60, &st), -EBADMSG);
	assert_int_equal(proc_stat_parse("1 (a) S x" TAIL, 60, &st), -EBADMSG);
	assert_int_equal(proc_stat_parse(")", 1, &st), -EBADMSG);
	assert_int_equal(proc_stat_parse("", 0, &st), -EBADMSG);
}

static void kill_and_reap(pid_t pid)
{
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void rest(void)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;)
		pause();
}

static void a_process_with_a_nasty_name(void **state)
{
	pid_t pid, tracer = -1;
	struct proc_stat st;
	int ready[2];
	char c;

	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_NAME, "x) Z 1\nUid:\t0");
		if (write(ready[1], "", 1) != 1)
			_exit(1);
		rest();
	}
	assert_int_equal(read(ready[0], &c, 1), 1);
	assert_int_equal(proc_stat_read(pid, &st), 0);
	assert_int_equal(st.ppid, getpid());
	assert_true(st.state != 'Z');
	assert_int_equal(proc_tracer(pid, &tracer), 0);
	assert_int_equal(tracer, 0);
	assert_int_equal(ptrace(PTRACE_SEIZE, pid, 0, 0), 0);
	assert_int_equal(proc_tracer(pid, &tracer), 0);
	assert_int_equal(tracer, getpid());
	kill_and_reap(pid);
	assert_int_equal(proc_stat_read(pid, &st), -ESRCH);
	assert_int_equal(proc_tracer(pid, &tracer), -ESRCH);
	close(ready[0]);
	close(ready[1]);
}

static void wait_until(pid_t pid, int (*is)(pid_t), int want)
{
	for (int i = 0; i < 1000 && is(pid) != want; i++)
		usleep(10000);
	assert_int_equal(is(pid), want);
}

static int ended(pid_t pid)
{
	return proc_ended(pid);
}

static void *wait_in_vfork(void *arg)
{
	const int *ready = arg;

	if (vfork() == 0) {
		char c;

		_exit(read(ready[0], &c, 1) != 1);
	}
	return NULL;
}

static void who_stands(void **state)
{
	struct rlimit most;
	int ready[2], stands;
	bool gone;
	pid_t pid;

	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	pid = fork();
	if (pid == 0)
		rest();
	assert_int_equal(proc_stands(pid), 0);
	assert_false(proc_ended(pid));
	kill(pid, SIGSTOP);
	wait_until(pid, proc_stands, 1);
	assert_false(proc_ended(pid));
	/* Where nothing can be looked at, nobody stands and nobody has ended. */
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &most), 0);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &(struct rlimit){ 0, most.rlim_max }), 0);
	stands = proc_stands(pid);
	gone = proc_ended(pid);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &most), 0);
	assert_int_equal(stands, -EMFILE);
	assert_false(gone);
	kill(pid, SIGKILL);
	wait_until(pid, ended, 1);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_int_equal(proc_stands(pid), -ESRCH);
	assert_true(proc_ended(pid));
	/* A thread that waits for its vfork()ed child is no more stopped than the child is. */
	pid = fork();
	if (pid == 0) {
		pthread_t t;

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (pthread_create(&t, NULL, wait_in_vfork, ready))
			_exit(1);
		rest();
	}
	for (int i = 0; i < 1000; i++) {
		_cleanup_pids_ struct proc_pids l = { 0 };

		if (proc_descendants(pid, &l) == 0 && l.n == 2)
			break;
		usleep(10000);
	}
	kill(pid, SIGSTOP);
	for (int i = 0; i < 20; i++) {
		assert_int_equal(proc_stands(pid), 0);
		usleep(5000);
	}
	assert_int_equal(write(ready[1], "", 1), 1);
	wait_until(pid, proc_stands, 1);
	kill_and_reap(pid);
	close(ready[0]);
	close(ready[1]);
}

static void descendants_come_parents_first(void **state)
{
	_cleanup_pids_ struct proc_pids l = { 0 };
	int ready[2];
	pid_t top;
	char c;

	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	top = fork();
	if (top == 0) {
		for (int i = 0; i < 3; i++) {
			if (fork() == 0) {
				if (i == 0 && fork() < 0)
					_exit(1);
				if (write(ready[1], "", 1) != 1)
					_exit(1);
				rest();
			}
		}
		rest();
	}
	for (int i = 0; i < 4; i++)
		assert_int_equal(read(ready[0], &c, 1), 1);
	assert_int_equal(proc_descendants(top, &l), 0);
	assert_int_equal(l.n, 5);
	assert_int_equal(l.v[0], top);
	for (size_t i = 1; i < l.n; i++) {
		struct proc_stat st;
		size_t k = 0;

		assert_int_equal(proc_stat_read(l.v[i], &st), 0);
		while (k < i && l.v[k] != st.ppid)
			k++;
		assert_true(k < i);
		assert_true(proc_is_below(l.v[i], top));
		assert_true(proc_is_below(l.v[i], getpid()));
		assert_false(proc_is_below(top, l.v[i]));
	}
	for (size_t i = l.n; i-- > 1;)
		kill(l.v[i], SIGKILL);
	kill_and_reap(top);
	assert_int_equal(proc_descendants(top, &l), -ESRCH);
	assert_false(proc_is_below(top, 1));
	close(ready[0]);
	close(ready[1]);
}

static uint64_t ino_of(int fd)
{
	struct stat st;

	assert_int_equal(fstat(fd, &st), 0);
	return st.st_ino;
}

static void holders_by_access(void **state)
{
	struct proc_object o[3];
	struct proc_fd *f;
	int p[2], s[2], ep, extra;
	size_t n;
	bool split;

	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, s), 0);
	ep = epoll_create1(0);
	o[0] = (struct proc_object){ .type = S_IFIFO, .ino = ino_of(p[0]), .access = O_RDONLY };
	o[1] = (struct proc_object){ .type = S_IFSOCK, .ino = ino_of(s[1]), .access = O_WRONLY };
	o[2] = (struct proc_object){ .anon = "[eventpoll]" };
	extra = dup(p[0]);
	fcntl(s[1], F_SETFL, O_NONBLOCK);
	assert_int_equal(proc_fds_find(getpid(), getpid(), o, 3, &f, &n), 0);
	assert_int_equal(n, 4);
	for (size_t i = 0; i < n; i++) {
		if (f[i].which == 0)
			assert_true((f[i].fd == p[0] && (f[i].flags & O_CLOEXEC)) ||
				    (f[i].fd == extra && !(f[i].flags & O_CLOEXEC)));
		else if (f[i].which == 1)
			assert_true(f[i].fd == s[1] && (f[i].flags & O_NONBLOCK));
		else
			assert_int_equal(f[i].fd, ep);
	}
	free(f);
	assert_int_equal(proc_holds(getpid(), o, 1, &split), 1);
	assert_false(split);
	close(p[0]);
	close(extra);
	/* the write end is another matter */
	assert_int_equal(proc_holds(getpid(), o, 1, &split), 0);
	o[0].access = O_WRONLY;
	assert_int_equal(proc_holds(getpid(), o, 1, &split), 1);
	o[0].type = S_IFSOCK; /* same number, other kind */
	assert_int_equal(proc_holds(getpid(), o, 1, &split), 0);
	close(p[1]);
	close(s[0]);
	close(s[1]);
	close(ep);
}

/* A file whose path looks like a pipe's link is none. */
static void a_path_is_no_pipe(void **state)
{
	struct proc_object o = { .type = S_IFIFO, .ino = 4242, .access = -1 };
	char dir[] = "/tmp/tollgate-test-XXXXXX";
	struct proc_fd *f;
	char path[64];
	size_t n;
	int fd;

	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/pipe:[4242]", dir);
	fd = open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(proc_fds_find(getpid(), getpid(), &o, 1, &f, &n), 0);
	assert_int_equal(n, 0);
	free(f);
	close(fd);
	unlink(path);
	rmdir(dir);
}

static void holders_on_the_machine(void **state)
{
	_cleanup_pids_ struct proc_pids l = { 0 };
	struct proc_object o = { .type = S_IFIFO, .access = O_RDONLY };
	pid_t pid;
	int p[2];

	if (geteuid() != 0) {
		print_message("SKIP: needs root (descriptors of all processes)\n");
		skip();
	}
	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	o.ino = ino_of(p[0]);
	pid = fork();
	if (pid == 0)
		rest();
	assert_int_equal(proc_holders(&o, 1, &l), 0);
	assert_int_equal(l.n, 2);
	assert_true(proc_pids_has(&l, pid) && proc_pids_has(&l, getpid()));
	kill_and_reap(pid);
	close(p[0]);
	close(p[1]);
}

static void lists_are_bounded(void **state)
{
	_cleanup_pids_ struct proc_pids l = { 0 };
	int r = 0;

	for (int i = 0; i < PROC_PIDS_MAX; i++)
		assert_int_equal(proc_pids_add(&l, i), 0);
	r = proc_pids_add(&l, 1);
	assert_int_equal(r, -E2BIG);
	assert_int_equal(l.n, PROC_PIDS_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_cannot_forge_a_stat_line),
		cmocka_unit_test(broken_stat_lines),
		cmocka_unit_test(a_process_with_a_nasty_name),
		cmocka_unit_test(who_stands),
		cmocka_unit_test(descendants_come_parents_first),
		cmocka_unit_test(holders_by_access),
		cmocka_unit_test(a_path_is_no_pipe),
		cmocka_unit_test(holders_on_the_machine),
		cmocka_unit_test(lists_are_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
