// SPDX-License-Identifier: Apache-2.0
#include "user/stdio/takeover.h"

#include <linux/filter.h>
#include <linux/io_uring.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "tests/unit/stdio/rig.h"

/* --- servers: this program again ----------------------------------------------------------------- */

#define EXIT_EINTR 33 /* an interrupted call was not restarted */

static volatile sig_atomic_t handled;

#include "tests/unit/stdio/takeover_server.inc.c"

static void start(struct talk *k, const char *how, enum kind kind)
{
	int in[2], out[2];

	through_open(&k->t);
	if (kind == PIPES) {
		assert_int_equal(pipe2(in, O_CLOEXEC), 0);
		assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	} else {
		int a[2], b[2];

		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, a), 0);
		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, b), 0);
		in[0] = a[0];
		in[1] = a[1];
		out[1] = b[0];
		out[0] = b[1];
		if (kind == ONE_SOCKET) {
			dup3(a[0], b[0], O_CLOEXEC);
			dup3(a[1], b[1], O_CLOEXEC);
		}
	}
	k->pid = fork();
	assert_true(k->pid >= 0);
	if (k->pid == 0) {
		dup2(in[0], 0);
		dup2(out[1], 1);
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		execl("/proc/self/exe", "test_takeover", "serve", how, NULL);
		_exit(127);
	}
	close(in[0]);
	close(out[1]);
	k->to = in[1];
	k->from = out[0];
}

/* Lets relays run until something can be read; the end of input is no line. */
static void read_line(struct talk *k, char *ret, size_t size)
{
	uint64_t end = clock_mono_ns() + HANG_NS;
	size_t n = 0;

	for (;;) {
		struct pollfd p = { .fd = k->from, .events = POLLIN };

		assert_true(clock_mono_ns() < end);
		(void)loop_once(k->t.loop, 1);
		while (poll(&p, 1, 0) == 1 && n < size - 1) {
			if (read(k->from, ret + n, 1) != 1) {
				ret[n] = '\0';
				return;
			}
			if (ret[n++] == '\n') {
				ret[n] = '\0';
				return;
			}
		}
	}
}

static void ask(struct talk *k, const char *line, const char *expected)
{
	char got[512];

	assert_int_equal(fd_write_all(k->to, line, strlen(line)), 0);
	read_line(k, got, sizeof(got));
	assert_string_equal(got, expected);
}

static int end_of(pid_t pid)
{
	int st;

	assert_int_equal(waitpid(pid, &st, 0), pid);
	return st;
}

static void stop(struct talk *k)
{
	kill(k->pid, SIGKILL);
	(void)end_of(k->pid);
	through_close(&k->t);
	close(k->to);
	close(k->from);
}

/* Ends the conversation as a host does; the server must have lived through it in good order. */
static void finish(struct talk *k)
{
	uint64_t end = clock_mono_ns() + HANG_NS;
	int st;

	shutdown(k->to, SHUT_WR);
	close(k->to);
	while (waitpid(k->pid, &st, WNOHANG) == 0) {
		assert_true(clock_mono_ns() < end);
		(void)loop_once(k->t.loop, 1);
	}
	assert_true(WIFEXITED(st));
	assert_int_equal(WEXITSTATUS(st), 0);
	through_close(&k->t);
	close(k->from);
}

/* The takeover fails for this reason and leaves nothing changed. */
static void expect_reason(pid_t server, enum stdio_reason reason)
{
	struct stdio_job j = job_for(getpid(), server);
	struct stdio_taken o;

	stdio_take(&j, &o);
	print_message("%s: %s\n", stdio_reason_name(o.reason), o.text);
	assert_int_equal(o.reason, reason);
	assert_false(o.dirty);
	assert_int_equal(o.orig_in, -1);
	assert_int_equal(o.from_server, -1);
	stdio_resume(o.holders, o.nholders);
}

/* --- */

static void server_blocked_in_read(void **state)
{
	for (enum kind kind = PIPES; kind <= ONE_SOCKET; kind++) {
		struct stdio_taken o;
		struct talk k;
		int flags[2];

		start(&k, "blocking", kind);
		ask(&k, "before\n", "before\n");
		wait_state(k.pid, 'S');
		flags[0] = fcntl(k.to, F_GETFL);
		flags[1] = fcntl(k.from, F_GETFL);
		take_and_relay(&k.t, getpid(), k.pid, &o);
		ask(&k, "after\n", "after\n");
		assert_true(k.t.nbytes[STDIO_TO_SERVER] == 6 && k.t.nbytes[STDIO_TO_HOST] == 6);
		assert_int_equal(fcntl(k.to, F_GETFL), flags[0]);
		assert_int_equal(fcntl(k.from, F_GETFL), flags[1]);
		ask(&k, "flags\n", "0:0:0 1:0:0 \n");
		assert_int_equal(o.unread_in, 0);
		assert_int_equal(o.unread_out, 0);
		assert_int_equal(o.nholders, 1);
		finish(&k);
	}
}

/* Held first, as our kernel program holds it: not one byte passes before the word to go on. */
static void nothing_passes_before_the_verdict(void **state)
{
	for (enum kind kind = PIPES; kind <= SOCKETS; kind++) {
		struct stdio_job j;
		struct stdio_taken o;
		struct talk k;
		char c;

		start(&k, "blocking", kind);
		ask(&k, "before\n", "before\n");
		wait_state(k.pid, 'S');
		kill(k.pid, SIGSTOP);
		wait_state(k.pid, 'T');
		assert_int_equal(fd_write_all(k.to, "secret\n", 7), 0);
		j = job_for(getpid(), k.pid);
		assert_int_equal(stdio_take(&j, &o), STDIO_DONE);
		wait_state(k.pid, 'T');
		assert_int_equal(o.unread_in, 7);
		through_add(&k.t, &o);
		for (int i = 0; i < 5; i++) /* the relay forwards; the server still stands */
			(void)loop_once(k.t.loop, 1);
		assert_int_equal(k.t.nbytes[STDIO_TO_SERVER], 7);
		fd_nonblock(k.from);
		assert_int_equal(read(k.from, &c, 1), -1);
		assert_int_equal(errno, EAGAIN);
		fcntl(k.from, F_SETFL, 0);
		stdio_resume(o.holders, o.nholders);
		ask(&k, "", "secret\n");
		finish(&k);
	}
}

static void answers_not_yet_read_are_counted(void **state)
{
	struct stdio_job j;
	struct stdio_taken o;
	struct talk k;
	int n = 0;

	start(&k, "blocking", PIPES);
	assert_int_equal(fd_write_all(k.to, "hello\n", 6), 0);
	while (n < 6)
		assert_int_equal(ioctl(k.from, FIONREAD, &n), 0);
	wait_state(k.pid, 'S');
	j = job_for(getpid(), k.pid);
	assert_int_equal(stdio_take(&j, &o), STDIO_DONE);
	assert_int_equal(o.unread_out, 6);
	assert_int_equal(o.unread_in, 0);
	stdio_taken_done(&o);
	stop(&k);
}

static void threads_duplicates_and_epoll(void **state)
{
	for (enum kind kind = PIPES; kind <= SOCKETS; kind++) {
		struct stdio_taken o;
		struct talk k;
		char line[64];

		start(&k, "epoll", kind);
		ask(&k, "before\n", "before\n");
		for (int i = 0; i < 20; i++) {
			take_and_relay(&k.t, getpid(), k.pid, &o);
			assert_true(o.nthreads >= 5);
			snprintf(line, sizeof(line), "line %d\n", i);
			ask(&k, line, line);
		}
		ask(&k, "flags\n", "0:0:1 1:0:0 20:1:1 21:0:0 \n");
		finish(&k);
	}
}

static void descriptions_opened_apart_stay_apart(void **state)
{
	struct talk k;

	start(&k, "reopened", PIPES);
	ask(&k, "before\n", "before\n");
	take_and_relay(&k.t, getpid(), k.pid, NULL);
	ask(&k, "flags\n", "0:0:0 1:0:0 20:0:1 \n");
	finish(&k);
}

static void signals_are_not_lost(void **state)
{
	struct talk k;

	start(&k, "blocking", PIPES);
	ask(&k, "before\n", "before\n");
	for (int i = 0; i < 30; i++) {
		sigqueue(k.pid, SIGRTMIN, (union sigval){ 0 });
		take_and_relay(&k.t, getpid(), k.pid, NULL);
		sigqueue(k.pid, SIGRTMIN, (union sigval){ 0 });
	}
	ask(&k, "handled\n", "60\n");
	finish(&k);
}

static pid_t only_child(pid_t pid)
{
	_cleanup_pids_ struct proc_pids l = { 0 };

	assert_int_equal(proc_children(pid, &l), 0);
	assert_int_equal(l.n, 1);
	return l.v[0];
}

static void wrapper_and_child(void **state)
{
	for (enum kind kind = PIPES; kind <= ONE_SOCKET; kind++) {
		struct stdio_taken o;
		struct talk k;

		start(&k, "wrapped", kind);
		ask(&k, "before\n", "before\n");
		for (int i = 0; i < 5; i++) {
			take_and_relay(&k.t, getpid(), only_child(k.pid), &o);
			assert_int_equal(o.nholders, 2);
			ask(&k, "after\n", "after\n");
		}
		finish(&k);
	}
}

/* What somebody else stopped is not set going by us. */
static void a_stopped_wrapper_stays_stopped(void **state)
{
	struct stdio_taken o;
	struct talk k;

	start(&k, "wrapped", PIPES);
	ask(&k, "before\n", "before\n");
	if (fork() == 0) {
		kill(k.pid, SIGSTOP);
		_exit(0);
	}
	wait_state(k.pid, 'T');
	take_and_relay(&k.t, getpid(), only_child(k.pid), &o);
	assert_int_equal(o.nholders, 1);
	ask(&k, "after\n", "after\n");
	assert_int_equal(state_of(k.pid), 'T');
	kill(k.pid, SIGCONT);
	finish(&k);
}

static void sandbox_without_socketpair_gets_pipes(void **state)
{
	static const char *const how[] = { "no-socketpair", "trap-socketpair" };

	for (size_t i = 0; i < ARRAY_SIZE(how); i++) {
		struct stdio_taken o;
		struct talk k;

		start(&k, how[i], SOCKETS);
		ask(&k, "before\n", "before\n");
		take_and_relay(&k.t, getpid(), k.pid, &o);
		assert_int_equal(o.new_mode0, S_IFIFO);
		ask(&k, "after\n", "after\n");
		ask(&k, "handled\n", "0\n"); /* the trap was ours, not the server's */
		finish(&k);
	}
}

/* One socket for both directions cannot become pipes: refused, and the server is as it was. */
static void refusal_leaves_everything_as_it_was(void **state)
{
	struct talk k;

	start(&k, "no-socketpair", ONE_SOCKET);
	ask(&k, "before\n", "before\n");
	expect_reason(k.pid, STDIO_REFUSED);
	ask(&k, "flags\n", "0:0:0 1:0:0 \n");
	finish(&k);
}

static void traced_server(void **state)
{
	struct talk k;
	pid_t tracer;
	int ready[2];
	char c;

	start(&k, "blocking", PIPES);
	ask(&k, "before\n", "before\n");
	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	tracer = fork();
	if (tracer == 0) {
		int st;

		ptrace(PTRACE_SEIZE, k.pid, 0, 0);
		if (write(ready[1], "", 1) != 1)
			_exit(1);
		while (waitpid(k.pid, &st, __WALL) == k.pid && WIFSTOPPED(st)) /* as strace does */
			ptrace(PTRACE_CONT, k.pid, 0, st >> 16 ? 0 : WSTOPSIG(st));
		_exit(0);
	}
	assert_int_equal(read(ready[0], &c, 1), 1);
	expect_reason(k.pid, STDIO_TRACED);
	ask(&k, "still there\n", "still there\n");
	kill(tracer, SIGKILL);
	(void)end_of(tracer);
	close(ready[0]);
	close(ready[1]);
	finish(&k);
}

/* The process whose standard output is the pipe that we read. */
static pid_t orphan_with(int from)
{
	_cleanup_pids_ struct proc_pids l = { 0 };
	struct stat a, b;
	char path[64];

	assert_int_equal(fstat(from, &b), 0);
	assert_int_equal(proc_all(&l), 0);
	for (size_t i = 0; i < l.n; i++) {
		snprintf(path, sizeof(path), "/proc/%d/fd/1", (int)l.v[i]);
		if (stat(path, &a) == 0 && a.st_ino == b.st_ino && a.st_dev == b.st_dev)
			return l.v[i];
	}
	return 0;
}

static void holder_outside_the_tree(void **state)
{
	struct stdio_job j;
	struct stdio_taken o;
	pid_t left;
	struct talk k;

	siginfo_t si;

	start(&k, "left", PIPES);
	ask(&k, "before\n", "before\n");
	assert_int_equal(waitid(P_PID, (id_t)k.pid, &si, WEXITED | WNOWAIT), 0);
	left = orphan_with(k.from);
	assert_true(left > 0);
	j = job_for(getpid(), left);
	assert_int_equal(stdio_take(&j, &o), STDIO_UNKNOWN_HOLDER);
	assert_false(o.dirty);
	print_message("%s\n", o.text);
	ask(&k, "still there\n", "still there\n");
	kill(left, SIGKILL);
	stop(&k);
}

/* Somewhere a reference is that no descriptor stands for: a message under way, an io_uring. */
static int odd_walk(void *arg, bool everywhere, struct walk *ret)
{
	int r = rig_walk(arg, everywhere, ret);

	if (r == 0 && ret->n > 0)
		ret->v[0].refs++;
	return r;
}

static void hidden_reference(void **state)
{
	struct stdio_job j;
	struct stdio_taken o;
	struct talk k;

	start(&k, "blocking", PIPES);
	ask(&k, "before\n", "before\n");
	j = job_for(getpid(), k.pid);
	j.walk = odd_walk;
	assert_int_equal(stdio_take(&j, &o), STDIO_UNKNOWN_HOLDER);
	assert_false(o.dirty);
	stdio_resume(o.holders, o.nholders);
	ask(&k, "still there\n", "still there\n");
	stop(&k);
}

static void thread_with_its_own_table(void **state)
{
	struct talk k;

	start(&k, "split", PIPES);
	ask(&k, "before\n", "before\n");
	for (uint64_t end = clock_mono_ns() + HANG_NS; clock_mono_ns() < end;) {
		struct proc_object o = { .type = S_IFIFO, .access = O_RDONLY };
		struct stat st;
		bool split = false;

		fstat(k.to, &st);
		o.ino = st.st_ino;
		assert_int_equal(proc_holds(k.pid, &o, 1, &split), 1);
		if (split)
			break;
	}
	expect_reason(k.pid, STDIO_UNSUPPORTED);
	ask(&k, "still there\n", "still there\n");
	stop(&k);
}

static void io_uring_users(void **state)
{
	static const char *const how[] = { "uring-idle", "uring-file", "uring-read" };

	for (size_t i = 0; i < ARRAY_SIZE(how); i++) {
		char line[16];
		struct talk k;

		start(&k, how[i], PIPES);
		read_line(&k, line, sizeof(line));
		if (strcmp(line, "up\n") != 0) {
			stop(&k);
			print_message("SKIP: no io_uring here\n");
			skip();
		}
		if (i == 0) {
			take_and_relay(&k.t, getpid(), k.pid, NULL);
			ask(&k, "after\n", "after\n");
			finish(&k);
		} else {
			expect_reason(k.pid, STDIO_UNSUPPORTED);
			stop(&k);
		}
	}
}

static void thirtytwo_bit(void **state)
{
#if defined(__x86_64__)
	struct talk k;

	uint64_t end = clock_mono_ns() + HANG_NS;
	unsigned counter = 0;

	start(&k, "32bit", PIPES);
	while (counter == 0) { /* until that code runs */
		struct iovec here = { &counter, sizeof(counter) };
		struct iovec there = { (void *)COUNTER_AT, sizeof(counter) };

		assert_true(clock_mono_ns() < end);
		(void)process_vm_readv(k.pid, &here, 1, &there, 1, 0);
	}
	expect_reason(k.pid, STDIO_THIRTYTWO_BIT);
	stop(&k);
#else
	skip();
#endif
}

static bool has_no_child(pid_t pid)
{
	_cleanup_pids_ struct proc_pids l = { 0 };

	assert_int_equal(proc_children(pid, &l), 0);
	return l.n == 0;
}

static void cannot_stop_in_time(void **state)
{
	uint64_t end = clock_mono_ns() + HANG_NS;
	struct stdio_job j;
	struct talk k;
	pid_t injector;
	int st;

	start(&k, "vfork", PIPES);
	while (has_no_child(k.pid))
		assert_true(clock_mono_ns() < end);
	wait_state(k.pid, 'D');
	j = job_for(getpid(), k.pid);
	j.timeout_ms = 100;
	injector = fork();
	if (injector == 0) {
		struct stdio_taken o;

		/* a thread that did not stop stays attached: dirty, and it dies with the injector */
		_exit(stdio_take(&j, &o) == STDIO_TIMEOUT && o.dirty ? 0 : 1);
	}
	st = end_of(injector);
	assert_true(WIFEXITED(st) && WEXITSTATUS(st) == 0);
	st = end_of(k.pid);
	assert_true(WIFSIGNALED(st) && WTERMSIG(st) == SIGKILL);
	through_close(&k.t);
	close(k.to);
	close(k.from);
}

/* The injector is killed in the middle of an injected call: the server must not run free. */
static void injector_killed_midway(void **state)
{
	struct stdio_job j;
	struct talk k;
	pid_t injector, tracer = 0;
	uint64_t end = clock_mono_ns() + HANG_NS;
	char path[64], wchan[64];
	int st;

	start(&k, "stuck", PIPES);
	ask(&k, "before\n", "before\n");
	wait_state(k.pid, 'S');
	j = job_for(getpid(), k.pid);
	j.timeout_ms = 60000;
	injector = fork();
	if (injector == 0) {
		struct stdio_taken o;

		stdio_take(&j, &o);
		_exit(1);
	}
	/* until it waits inside the call that nobody answers */
	snprintf(path, sizeof(path), "/proc/%d/syscall", (int)k.pid);
	for (;;) {
		_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
		ssize_t n = fd < 0 ? -1 : read(fd, wchan, sizeof(wchan) - 1);

		assert_true(clock_mono_ns() < end);
		wchan[n > 0 ? n : 0] = '\0';
		if (proc_tracer(k.pid, &tracer) == 0 && tracer == injector &&
		    atoi(wchan) == SYS_pipe2 && state_of(k.pid) == 'S')
			break;
		usleep(1000);
	}
	kill(injector, SIGKILL);
	st = end_of(injector);
	assert_true(WIFSIGNALED(st));
	st = end_of(k.pid);
	assert_true(WIFSIGNALED(st) && WTERMSIG(st) == SIGKILL);
	through_close(&k.t);
	close(k.to);
	close(k.from);
}

/* The injector is killed at any moment: the server is then dead, or as it was, or wholly taken over and
 * stopped; it never runs with new descriptors that nobody relays. */
static void injector_killed_anywhere(void **state)
{
	uint64_t end = clock_mono_ns() + HANG_NS;
	unsigned dead = 0, whole = 0;

	for (int i = 0; i < 60; i++) {
		bool ended;
		struct stdio_job j, after;
		struct talk k;
		pid_t injector;
		int st;

		start(&k, "blocking", i & 1 ? PIPES : SOCKETS);
		ask(&k, "before\n", "before\n");
		j = job_for(getpid(), k.pid);
		injector = fork();
		if (injector == 0) {
			struct stdio_taken o;

			prctl(PR_SET_PDEATHSIG, SIGKILL);
			stdio_take(&j, &o);
			for (;;)
				pause();
		}
		for (volatile int spin = 0; spin < i * 100000; spin++)
			;
		kill(injector, SIGKILL);
		(void)end_of(injector);
		/* What dies with the injector was sent its signal before that was reaped: it is neither
		 * asleep nor stopped any more. */
		while (!(ended = waitpid(k.pid, &st, WNOHANG) == k.pid) && state_of(k.pid) != 'S' &&
		       state_of(k.pid) != 'T')
			assert_true(clock_mono_ns() < end);
		if (ended) {
			assert_true(WIFSIGNALED(st) && WTERMSIG(st) == SIGKILL);
			through_close(&k.t);
			close(k.to);
			close(k.from);
			dead++;
			continue;
		}
		after = job_for(getpid(), k.pid);
		if (after.ino0 != j.ino0)
			assert_int_equal(state_of(k.pid), 'T');
		else if (state_of(k.pid) != 'T')
			ask(&k, "as before\n", "as before\n");
		whole++;
		stop(&k);
	}
	print_message("%u died with the injector, %u not\n", dead, whole);
}

static void vanished_server(void **state)
{
	struct stdio_job j;
	struct stdio_taken o;
	struct talk k;

	start(&k, "blocking", PIPES);
	ask(&k, "x\n", "x\n");
	j = job_for(getpid(), k.pid);
	j.server_start = 1; /* another process had this number */
	assert_int_equal(stdio_take(&j, &o), STDIO_GONE);
	j.server_start = 0;
	j.ino0 += 1000000; /* it has other descriptors now */
	assert_int_equal(stdio_take(&j, &o), STDIO_GONE);
	stdio_resume(o.holders, o.nholders);
	ask(&k, "x\n", "x\n");
	stop(&k);
	assert_int_equal(stdio_take(&j, &o), STDIO_GONE);
}

static void senseless_jobs(void **state)
{
	struct stdio_job j = { 0 };
	struct stdio_taken o;

	assert_int_equal(stdio_take(&j, &o), STDIO_FAULT);
	j = (struct stdio_job){ .host = 1, .root = 1, .server = getpid(), .ino0 = 1, .ino1 = 2,
				 .walk = rig_walk };
	assert_int_equal(stdio_take(&j, &o), STDIO_FAULT);
	j.server = getppid();
	j.mode0 = j.mode1 = S_IFREG;
	assert_int_equal(stdio_take(&j, &o), STDIO_UNSUPPORTED);
	j.mode0 = j.mode1 = S_IFIFO;
	j.ino1 = j.ino0;
	assert_int_equal(stdio_take(&j, &o), STDIO_UNSUPPORTED);
	assert_string_equal(stdio_reason_name(STDIO_THIRTYTWO_BIT), "thirtytwo-bit");
	assert_string_equal(stdio_reason_name((enum stdio_reason)1000), "unknown");
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(server_blocked_in_read),
		cmocka_unit_test(nothing_passes_before_the_verdict),
		cmocka_unit_test(answers_not_yet_read_are_counted),
		cmocka_unit_test(threads_duplicates_and_epoll),
		cmocka_unit_test(descriptions_opened_apart_stay_apart),
		cmocka_unit_test(signals_are_not_lost),
		cmocka_unit_test(wrapper_and_child),
		cmocka_unit_test(a_stopped_wrapper_stays_stopped),
		cmocka_unit_test(sandbox_without_socketpair_gets_pipes),
		cmocka_unit_test(refusal_leaves_everything_as_it_was),
		cmocka_unit_test(traced_server),
		cmocka_unit_test(holder_outside_the_tree),
		cmocka_unit_test(hidden_reference),
		cmocka_unit_test(thread_with_its_own_table),
		cmocka_unit_test(io_uring_users),
		cmocka_unit_test(thirtytwo_bit),
		cmocka_unit_test(cannot_stop_in_time),
		cmocka_unit_test(injector_killed_midway),
		cmocka_unit_test(injector_killed_anywhere),
		cmocka_unit_test(vanished_server),
		cmocka_unit_test(senseless_jobs),
	};

	if (argc == 3 && strcmp(argv[1], "serve") == 0)
		return serve(argv[2]);
	if (cannot_run())
		return 77;
	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
