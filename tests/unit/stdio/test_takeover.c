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

static void count_signal(int signo)
{
	(void)signo;
	handled++;
}

static void answer(int out, const char *line)
{
	char text[256];
	int n;

	if (strncmp(line, "flags", 5) == 0) {
		n = 0;
		for (int fd = 0; fd < 32; fd++)
			if (fd != 2 && fcntl(fd, F_GETFD) >= 0 && (fd < 2 || fd >= 20))
				n += snprintf(text + n, sizeof(text) - (size_t)n, "%d:%d:%d ", fd,
					      fcntl(fd, F_GETFD) & FD_CLOEXEC ? 1 : 0,
					      fcntl(fd, F_GETFL) & O_NONBLOCK ? 1 : 0);
		n += snprintf(text + n, sizeof(text) - (size_t)n, "\n");
	} else if (strncmp(line, "handled", 7) == 0) {
		n = snprintf(text, sizeof(text), "%d\n", (int)handled);
	} else {
		n = snprintf(text, sizeof(text), "%.200s", line);
	}
	if (write(out, text, (size_t)n) != n)
		_exit(1);
}

/* Reads what is there and answers each line. Lines come whole in these tests. */
static int serve_once(int in, int out)
{
	char buf[8192], *at, *nl;
	ssize_t n = read(in, buf, sizeof(buf) - 1);

	if (n < 0 && errno == EAGAIN)
		return 1;
	if (n < 0)
		_exit(errno == EINTR ? EXIT_EINTR : 1);
	buf[n] = '\0';
	for (at = buf; (nl = strchr(at, '\n')); at = nl + 1) {
		char keep = nl[1];

		nl[1] = '\0';
		answer(out, at);
		nl[1] = keep;
	}
	return n > 0;
}

static int serve_blocking(void)
{
	struct sigaction sa = { .sa_handler = count_signal, .sa_flags = SA_RESTART };

	sigaction(SIGRTMIN, &sa, NULL);
	while (serve_once(0, 1))
		;
	return 0;
}

static void *idle_thread(void *arg)
{
	for (;;)
		pause();
	return arg;
}

static void *busy_thread(void *arg)
{
	volatile unsigned long n = 0;

	for (;;)
		n++;
	return arg;
}

/* Threads, duplicates with and without close-on-exec, two epoll registrations of one object. */
static int serve_epoll(void)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.u64 = 0x1122334455667788ull };
	int ep = epoll_create1(EPOLL_CLOEXEC), other = epoll_create1(0);
	pthread_t t;

	dup3(0, 20, O_CLOEXEC);
	dup2(1, 21);
	fcntl(20, F_SETFL, O_NONBLOCK);
	epoll_ctl(ep, EPOLL_CTL_ADD, 20, &ev);
	epoll_ctl(other, EPOLL_CTL_ADD, 0, &ev);
	for (int i = 0; i < 4; i++)
		pthread_create(&t, NULL, i ? idle_thread : busy_thread, NULL);
	for (;;) {
		struct epoll_event got;
		int n = epoll_wait(ep, &got, 1, -1);

		if (n < 0 && errno == EINTR)
			continue;
		if (n != 1 || got.data.u64 != ev.data.u64)
			return 2;
		n = epoll_wait(other, &got, 1, 0);
		if (n < 0 || (n == 1 && got.data.u64 != ev.data.u64))
			return 3;
		if (!serve_once(20, 21))
			return 0;
	}
}

/* A second description of the input, with a flag of its own. */
static int serve_reopened(void)
{
	int own = open("/dev/stdin", O_RDONLY | O_NONBLOCK);

	dup2(own, 20);
	for (;;) {
		struct pollfd p = { .fd = 20, .events = POLLIN };

		if (poll(&p, 1, -1) < 0)
			_exit(errno == EINTR ? EXIT_EINTR : 1);
		if (!serve_once(20, 1))
			return 0;
	}
}

static void filter_pairs(unsigned action, unsigned flags, int *ret_listener)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_socketpair, 1, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, flags ? SYS_pipe2 : SYS_socketpair, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, action),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = { ARRAY_SIZE(code), code };
	long r;

	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	r = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &prog);
	if (r < 0)
		_exit(4);
	if (ret_listener)
		*ret_listener = (int)r;
}

static int serve_filtered(const char *how)
{
	struct sigaction sa = { .sa_handler = count_signal };
	int listener = -1;

	sigaction(SIGSYS, &sa, NULL);
	if (strcmp(how, "no-socketpair") == 0)
		filter_pairs(SECCOMP_RET_ERRNO | EACCES, 0, NULL);
	else if (strcmp(how, "trap-socketpair") == 0)
		filter_pairs(SECCOMP_RET_TRAP, 0, NULL);
	else /* nobody answers: the call never ends */
		filter_pairs(SECCOMP_RET_USER_NOTIF, SECCOMP_FILTER_FLAG_NEW_LISTENER, &listener);
	return serve_blocking();
}

/* A parent that cannot stop: it waits for a vfork()ed child that never execs. */
static int serve_vfork(void)
{
	if (vfork() == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(0);
		close(1);
		for (;;)
			pause();
	}
	return 0;
}

static int serve_wrapped(bool leave)
{
	pid_t child = fork();

	if (child == 0) {
		if (!leave)
			prctl(PR_SET_PDEATHSIG, SIGKILL);
		return serve_blocking();
	}
	if (leave)
		return 0; /* the child becomes init's */
	waitpid(child, NULL, 0);
	return 0;
}

/* An io_uring that is idle, has the input registered, or has a request for it under way. */
static int serve_uring(const char *how)
{
	struct io_uring_params p = { 0 };
	int fd = (int)syscall(SYS_io_uring_setup, 4, &p), in = 0;
	struct io_uring_sqe *e;
	static char got[16];
	char *ring;

	if (fd < 0)
		_exit(77);
	if (strcmp(how, "uring-file") == 0)
		syscall(SYS_io_uring_register, fd, IORING_REGISTER_FILES, &in, 1);
	if (strcmp(how, "uring-read") == 0) {
		ring = mmap(NULL, p.sq_off.array + p.sq_entries * sizeof(unsigned), PROT_READ | PROT_WRITE,
			    MAP_SHARED, fd, IORING_OFF_SQ_RING);
		e = mmap(NULL, p.sq_entries * sizeof(*e), PROT_READ | PROT_WRITE, MAP_SHARED, fd,
			 IORING_OFF_SQES);
		memset(e, 0, sizeof(*e));
		e->opcode = IORING_OP_READ;
		e->addr = (uint64_t)(uintptr_t)got;
		e->len = sizeof(got);
		*(unsigned *)(ring + p.sq_off.array) = 0;
		*(unsigned *)(ring + p.sq_off.tail) = 1;
		syscall(SYS_io_uring_enter, fd, 1, 0, 0, NULL, 0);
	}
	if (write(1, "up\n", 3) != 3)
		_exit(1);
	if (strcmp(how, "uring-read") == 0)
		for (;;)
			pause();
	return serve_blocking();
}

/* A thread with a descriptor table of its own keeps the originals. */
static void *split_thread(void *arg)
{
	(void)unshare(CLONE_FILES);
	return idle_thread(arg);
}

static int serve_split(void)
{
	pthread_t t;

	pthread_create(&t, NULL, split_thread, NULL);
	return serve_blocking();
}

#if defined(__x86_64__)
#define CODE_AT 0x10000000ul
#define COUNTER_AT (CODE_AT + 0x800)

/* Enters 32-bit code that counts for ever. */
static int serve_32bit(void)
{
	static const unsigned char code[] = {
		0xff, 0x05, 0x00, 0x08, 0x00, 0x10, /* incl COUNTER_AT */
		0xeb, 0xf8, /* jmp back */
	};
	void *at = mmap((void *)CODE_AT, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

	if (at != (void *)CODE_AT)
		return 1;
	memcpy(at, code, sizeof(code));
	/* 32-bit data is reached through a segment that 64-bit code leaves empty */
	__asm__ volatile("movl $0x2b, %%eax\n\tmovl %%eax, %%ds\n\tpushq $0x23\n\tpushq %0\n\tlretq"
			 :
			 : "r"(CODE_AT)
			 : "rax", "memory");
	return 0;
}
#endif

static int serve(const char *how)
{
	signal(SIGPIPE, SIG_IGN);
	if (strcmp(how, "blocking") == 0)
		return serve_blocking();
	if (strcmp(how, "epoll") == 0)
		return serve_epoll();
	if (strcmp(how, "reopened") == 0)
		return serve_reopened();
	if (strcmp(how, "vfork") == 0)
		return serve_vfork();
	if (strcmp(how, "wrapped") == 0)
		return serve_wrapped(false);
	if (strcmp(how, "left") == 0)
		return serve_wrapped(true);
	if (strcmp(how, "split") == 0)
		return serve_split();
	if (strncmp(how, "uring", 5) == 0)
		return serve_uring(how);
#if defined(__x86_64__)
	if (strcmp(how, "32bit") == 0)
		return serve_32bit();
#endif
	return serve_filtered(how);
}

/* --- this process is the host --------------------------------------------------------------------- */

struct talk {
	pid_t pid; /* started by us */
	int to, from;
	struct through t;
};

enum kind { PIPES, SOCKETS, ONE_SOCKET };

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

static void holder_of_ours_is_known(void **state)
{
	struct stdio_job j;
	struct stdio_taken o;
	struct talk k;
	int pidfd, copy;
	pid_t outside;
	char path[64];

	/* a process that is no child of the root holds a copy, as a proxy that peeked does */
	start(&k, "blocking", PIPES);
	ask(&k, "before\n", "before\n");
	pidfd = (int)syscall(SYS_pidfd_open, k.pid, 0);
	copy = (int)syscall(SYS_pidfd_getfd, pidfd, 0, 0);
	outside = fork();
	if (outside == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			pause();
	}
	close(copy);
	j = job_for(getpid(), k.pid);
	j.root = k.pid; /* the tree is the server alone */
	assert_int_equal(stdio_take(&j, &o), STDIO_UNKNOWN_HOLDER);
	assert_int_equal(o.nholders, 1);
	stdio_resume(o.holders, o.nholders);
	j.ours = &outside;
	j.nours = 1;
	assert_int_equal(stdio_take(&j, &o), STDIO_DONE);
	through_add(&k.t, &o);
	stdio_resume(o.holders, o.nholders);
	ask(&k, "after\n", "after\n");
	/* untouched */
	snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)outside, copy);
	assert_int_equal(access(path, F_OK), 0);
	kill(outside, SIGKILL);
	(void)end_of(outside);
	close(pidfd);
	finish(&k);
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
	j = (struct stdio_job){ .host = 1, .root = 1, .server = getpid(), .ino0 = 1, .ino1 = 2 };
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
		cmocka_unit_test(holder_of_ours_is_known),
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
