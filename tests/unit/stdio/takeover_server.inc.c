// SPDX-License-Identifier: Apache-2.0
/* The servers that the takeover tests take over: this program again, started as `server HOW`. Included once. */
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
