// SPDX-License-Identifier: Apache-2.0
/* Each role enters its sandbox in a child and tries what it must not do, and then what it must. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/capability.h>
#include <netinet/in.h>
#include <openssl/evp.h>
#include <poll.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "user/base/clock.h"
#include "user/base/cleanup.h"
#include "user/base/digest.h"
#include "user/base/file.h"
#include "user/base/log.h"
#include "user/base/loop.h"
#include "user/enrol/fanotify.h"
#include "user/enrol/inherited.h"
#include "user/enrol/listener.h"
#include "user/kern/kern.h"
#include "user/proc/identity.h"
#include "user/proc/tree.h"
#include "user/role/sandbox.h"
#include "user/role/seccomp_tables.h"

#define TEST_UID 64001
#define TEST_GID 64002
#define EXTRA_GID 64003

enum {
	DID_IT = 10, /* exit status: the attempt succeeded */
	REFUSED = 11, /* EPERM, EACCES or ENOSYS */
	OTHER = 12,
	NO_SANDBOX = 13,
};

static char dir[64], log_dir[80], state_dir[80], other_dir[80];
static int tcp_listener;
static uint16_t tcp_port;
static pid_t test_pid, victim; /* a process outside, of another user */
static char victim_byte = 'v';

/* --- running a role -------------------------------------------------------------------------------- */

static struct sandbox_spec spec_of(enum role role)
{
	struct sandbox_spec s = { 0 };

	if (role == ROLE_KEEPER || role == ROLE_SUPERVISOR || role == ROLE_INJECTOR)
		return s;
	s.uid = TEST_UID;
	s.gid = TEST_GID;
	s.extra_gid = EXTRA_GID;
	if (role == ROLE_NOTARY || role == ROLE_QUERY) {
		s.paths[s.npaths++] = (struct sandbox_path){ log_dir, role == ROLE_NOTARY };
		s.paths[s.npaths++] = (struct sandbox_path){ state_dir, true };
	}
	return s;
}

static int end_of(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		assert_int_equal(errno, EINTR);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

/* 0 from fn is success of the attempt; -1 with errno is failure. */
static int try_as(enum role role, int (*fn)(void))
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		struct sandbox_spec s = spec_of(role);
		int r = sandbox_enter(role, &s, NULL);

		if (r < 0)
			_exit(NO_SANDBOX);
		errno = 0;
		if (fn() == 0)
			_exit(DID_IT);
		_exit(errno == EPERM || errno == EACCES || errno == ENOSYS ? REFUSED : OTHER);
	}
	return end_of(pid);
}

/* --- what must not be done -------------------------------------------------------------------------- */

static char scratch[256];

static const char *in(const char *d, const char *name)
{
	(void)snprintf(scratch, sizeof(scratch), "%s/%s", d, name);
	return scratch;
}

static int open_only(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC, 0644);

	return fd < 0 ? -1 : 0;
}

static int read_passwd(void) { return open_only("/etc/passwd", O_RDONLY); }
static int read_proc(void) { return open_only("/proc/1/environ", O_RDONLY); }
static int read_folder(void) { return open_only("/", O_RDONLY | O_DIRECTORY); }
static int write_outside(void) { return open_only(in(other_dir, "new"), O_WRONLY | O_CREAT); }
static int write_log(void) { return open_only(in(log_dir, "new"), O_WRONLY | O_CREAT); }
static int append_log(void) { return open_only(in(log_dir, "seg"), O_WRONLY | O_APPEND); }
static int unlink_log(void) { return unlink(in(log_dir, "seg")); }
static int unlink_outside(void) { return unlink(in(other_dir, "theirs")); }
static int socket_unix(void) { return socket(AF_UNIX, SOCK_STREAM, 0) < 0 ? -1 : 0; }
static int socket_raw(void) { return socket(AF_INET, SOCK_RAW, IPPROTO_ICMP) < 0 ? -1 : 0; }
static int socket_udp(void) { return socket(AF_INET, SOCK_DGRAM, 0) < 0 ? -1 : 0; }
static int socket_packet(void) { return socket(AF_PACKET, SOCK_RAW, 0) < 0 ? -1 : 0; }
static int socket_vsock(void) { return socket(AF_VSOCK, SOCK_STREAM, 0) < 0 ? -1 : 0; }
static int socket_tcp(void) { return socket(AF_INET, SOCK_STREAM, 0) < 0 ? -1 : 0; }
static int do_ptrace(void) { return ptrace(PTRACE_SEIZE, victim, 0, 0) < 0 ? -1 : 0; }
static int do_kill(void) { return kill(victim, 0); }
static int do_setuid(void) { return setuid(0); }
static int do_setgroups(void) { return syscall(SYS_setgroups, 0, NULL) < 0 ? -1 : 0; }
static int do_mount(void) { return mount("none", "/mnt", "tmpfs", 0, NULL); }
static int do_unshare(void) { return unshare(CLONE_NEWUSER); }
static int do_chroot(void) { return chroot("/"); }
static int do_module(void) { return (int)syscall(SYS_finit_module, -1, "", 0); }
static int do_uring(void) { return syscall(SYS_io_uring_setup, 1, NULL) < 0 ? -1 : 0; }
static int do_perf(void) { return syscall(SYS_perf_event_open, NULL, 0, -1, -1, 0) < 0 ? -1 : 0; }
static int do_dumpable(void) { return prctl(PR_SET_DUMPABLE, 1, 0, 0, 0); }
static int do_tiocsti(void) { return ioctl(0, TIOCSTI, "x"); }
static int do_nofile(void) { return setrlimit(RLIMIT_NOFILE, &(struct rlimit){ 9, 9 }); }

static int do_exec(void)
{
	char *argv[] = { (char *)"true", NULL };

	(void)execv("/bin/true", argv);
	return -1;
}

static int do_fexec(void)
{
	char *argv[] = { (char *)"true", NULL };

	return syscall(SYS_execveat, 0, "/bin/true", argv, NULL, 0) < 0 ? -1 : 0;
}

static int do_fork(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	return pid < 0 ? -1 : 0;
}

static int do_thread(void)
{
	long r = syscall(SYS_clone, CLONE_VM | CLONE_THREAD | CLONE_SIGHAND, NULL, NULL, NULL, NULL);

	if (r == 0)
		syscall(SYS_exit, 0);
	return r < 0 ? -1 : 0;
}

static int do_bpf(void)
{
	union bpf_attr a = { .map_type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 4, .max_entries = 1 };

	return syscall(SYS_bpf, BPF_MAP_CREATE, &a, sizeof(a)) < 0 ? -1 : 0;
}

static int map_code(void)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? -1 : 0;
}

static int protect_code(void)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return mprotect(p, 4096, PROT_READ | PROT_EXEC);
}

static int read_memory(void)
{
	char ch;
	struct iovec mine = { &ch, 1 }, theirs = { &victim_byte, 1 };

	return process_vm_readv(victim, &mine, 1, &theirs, 1, 0) == 1 ? 0 : -1;
}

static int steal_fd(void)
{
	int p = pidfd_open(victim, 0);

	return p < 0 || pidfd_getfd(p, 0, 0) < 0 ? -1 : 0;
}

static int rename_out(void)
{
	char to[200];

	(void)snprintf(to, sizeof(to), "%s/stolen", other_dir);
	return rename(in(log_dir, "seg"), to);
}

static int symlink_in_log(void) { return symlink("/etc/shadow", in(log_dir, "link")); }

#define P (1u << ROLE_PROXY)
#define N (1u << ROLE_NOTARY)
#define Q (1u << ROLE_QUERY)
#define I (1u << ROLE_INJECTOR)
#define S (1u << ROLE_SUPERVISOR)
#define K (1u << ROLE_KEEPER)
#define C (1u << ROLE_CANARY)
#define MEMBERS (P | N | Q | C)
#define ALL_BUT_KEEPER (MEMBERS | I | S)

static const struct {
	const char *what;
	int (*fn)(void);
	unsigned killed, refused; /* roles that die of it; roles that get an error */
} forbidden[] = {
	{ "read /etc/passwd", read_passwd, 0, MEMBERS },
	{ "read /proc of another", read_proc, 0, MEMBERS },
	{ "list /", read_folder, 0, MEMBERS },
	{ "write outside", write_outside, 0, MEMBERS },
	{ "remove outside", unlink_outside, P | C, N | Q },
	{ "create in the log", write_log, 0, P | Q | C },
	{ "append to the log", append_log, 0, P | Q | C },
	{ "remove from the log", unlink_log, P | C, Q },
	{ "move out of the log", rename_out, P | C, N | Q },
	{ "symlink in the log", symlink_in_log, MEMBERS | I | S, 0 },
	{ "unix socket", socket_unix, MEMBERS | I, 0 },
	{ "raw socket", socket_raw, MEMBERS | I, S },
	{ "udp socket", socket_udp, N | Q | I, 0 },
	{ "packet socket", socket_packet, ALL_BUT_KEEPER, K },
	{ "vsock socket", socket_vsock, ALL_BUT_KEEPER, 0 },
	{ "tcp socket", socket_tcp, N | Q | I, 0 },
	{ "execve", do_exec, ALL_BUT_KEEPER, 0 },
	{ "execveat", do_fexec, ALL_BUT_KEEPER, 0 },
	{ "fork", do_fork, ALL_BUT_KEEPER, 0 },
	{ "thread", do_thread, MEMBERS | I, 0 },
	{ "ptrace", do_ptrace, MEMBERS | S, 0 },
	{ "read memory", read_memory, MEMBERS, 0 },
	{ "take a descriptor", steal_fd, MEMBERS, 0 },
	{ "kill", do_kill, MEMBERS, 0 },
	{ "setuid(0)", do_setuid, ALL_BUT_KEEPER, 0 },
	{ "setgroups", do_setgroups, ALL_BUT_KEEPER, 0 },
	{ "bpf", do_bpf, MEMBERS | I, 0 },
	{ "perf_event_open", do_perf, MEMBERS | I, 0 },
	{ "mount", do_mount, MEMBERS | I, 0 },
	{ "new user namespace", do_unshare, ALL_BUT_KEEPER, 0 },
	{ "chroot", do_chroot, ALL_BUT_KEEPER | K, 0 },
	{ "load a module", do_module, ALL_BUT_KEEPER | K, 0 },
	{ "io_uring", do_uring, ALL_BUT_KEEPER | K, 0 },
	{ "become dumpable", do_dumpable, MEMBERS | I, 0 },
	{ "type into a terminal", do_tiocsti, MEMBERS | I, 0 },
	{ "raise limits", do_nofile, MEMBERS | I, 0 },
	{ "map code", map_code, MEMBERS | I, 0 },
	{ "make code", protect_code, MEMBERS | I, 0 },
};

static void test_forbidden(void **state)
{
	unsigned wrong = 0;

	for (size_t i = 0; i < ARRAY_SIZE(forbidden); i++)
		for (unsigned role = 0; role < ROLE_MAX_; role++) {
			unsigned bit = 1u << role;
			int got, want;

			if (!((forbidden[i].killed | forbidden[i].refused) & bit))
				continue;
			want = forbidden[i].killed & bit ? 1000 + SIGSYS : REFUSED;
			got = try_as(role, forbidden[i].fn);
			if (got == want)
				continue;
			print_error("role %u: %s: %d, expected %d\n", role, forbidden[i].what, got, want);
			wrong++;
		}
	assert_int_equal(wrong, 0);
}

/* The attempts themselves are sound: without a sandbox they succeed, or this test proves nothing. */
static void test_attempts(void **state)
{
	static int (*const fns[])(void) = {
		read_passwd, read_folder, write_outside, append_log, socket_unix, socket_udp, socket_tcp,
		do_ptrace, read_memory, steal_fd, do_kill, do_setuid, do_bpf, do_fork, map_code,
		protect_code, do_dumpable, do_setgroups,
	};

	for (size_t i = 0; i < ARRAY_SIZE(fns); i++) {
		pid_t pid = fork();

		if (pid == 0)
			_exit(fns[i]() == 0 ? DID_IT : OTHER);
		if (end_of(pid) != DID_IT)
			fail_msg("attempt %zu does not work outside a sandbox", i);
	}
	/* Root's file would stand in the way of the others by its mode alone. */
	assert_int_equal(unlink(in(other_dir, "new")), 0);
}

/* --- what must work --------------------------------------------------------------------------------- */

#define MUST(cond) \
	do { \
		if (!(cond)) { \
			(void)dprintf(2, "%s:%d: %s: %s\n", __FILE__, __LINE__, #cond, \
				      strerror(errno)); \
			_exit(OTHER); \
		} \
	} while (0)

static void nothing(struct loop_timer *t, void *arg) { ++*(int *)arg; }

/* What base offers, and what libraries do behind its back. */
static void common_work(void)
{
	struct loop_timer *t;
	struct loop *l;
	int fired = 0, fds[2], mem;
	uint8_t d[SHA256_SIZE];
	char iso[CLOCK_ISO_SIZE];
	void *big = malloc(48 << 20);
	time_t now = time(NULL);
	struct tm tm;

	MUST(big);
	memset(big, 1, 48 << 20);
	free(big);
	MUST(loop_new(&l) == 0 && loop_timer_add(l, nothing, &fired, &t) == 0);
	MUST(loop_timer_arm(t, 1000, 0) == 0);
	while (!fired)
		MUST(loop_once(l, 1000) >= 0);
	loop_timer_remove(t);
	loop_free(l);
	sha256("x", 1, d);
	clock_iso(clock_real_ns(), iso);
	MUST(localtime_r(&now, &tm) && strerror(ENOENT));
	mem = memfd_sealed("t", "abc", 3);
	MUST(mem >= 0 && lseek(mem, 0, SEEK_END) == 3);
	MUST(mmap(NULL, 3, PROT_READ, MAP_PRIVATE, mem, 0) != MAP_FAILED);
	MUST(isatty(mem) == 0);
	fds[0] = fcntl(mem, F_DUPFD_CLOEXEC, 0);
	MUST(fds[0] >= 0 && fd_nonblock(fds[0]) == 0);
	log_debug("role: test: quiet");
}

static int proxy_work(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(tcp_port),
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int s, c, on = 1, p[2], q[2];
	char ch;

	common_work();
	s = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	MUST(s >= 0);
	MUST(setsockopt(s, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on)) == 0);
	MUST(connect(s, (void *)&a, sizeof(a)) == 0 || errno == EINPROGRESS);
	c = accept4(tcp_listener, NULL, NULL, SOCK_CLOEXEC);
	MUST(c >= 0 && send(c, "x", 1, MSG_NOSIGNAL) == 1);
	MUST(poll(&(struct pollfd){ s, POLLIN, 0 }, 1, 1000) == 1 && recv(s, &ch, 1, 0) == 1 && ch == 'x');
	MUST(pipe2(p, O_CLOEXEC) == 0 && pipe2(q, O_CLOEXEC) == 0 && write(p[1], "y", 1) == 1);
	MUST(tee(p[0], q[1], 1, 0) == 1 && ioctl(q[0], FIONREAD, &on) == 0 && on == 1);
	MUST(socket(AF_INET6, SOCK_STREAM, 0) >= 0 || errno == EAFNOSUPPORT);
	s = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0); /* to name servers */
	MUST(s >= 0 && connect(s, (void *)&a, sizeof(a)) == 0);
	MUST(!fopen("/etc/resolv.conf", "r") && errno == EACCES);
	return 0;
}

static int canary_work(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(tcp_port),
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct timeval patience = { .tv_sec = 2 };
	int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	common_work();
	MUST(s >= 0 && setsockopt(s, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) == 0);
	MUST(connect(s, (void *)&a, sizeof(a)) == 0);
	MUST(accept4(tcp_listener, NULL, NULL, SOCK_CLOEXEC) >= 0);
	return 0;
}

static int sign_something(void)
{
	EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	unsigned char sig[64];
	size_t n = sizeof(sig);
	int ok = key && ctx && EVP_DigestSignInit(ctx, NULL, NULL, NULL, key) == 1 &&
		 EVP_DigestSign(ctx, sig, &n, (const unsigned char *)"m", 1) == 1;

	EVP_MD_CTX_free(ctx);
	EVP_PKEY_free(key);
	return ok ? 0 : -1;
}

static int notary_work(void)
{
	char to[200];
	int fd, d;
	DIR *list;

	common_work();
	MUST(sign_something() == 0);
	d = open(log_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	MUST(d >= 0);
	fd = openat(d, "seg", O_RDWR | O_APPEND | O_CLOEXEC);
	MUST(fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0 && write(fd, "line\n", 5) == 5);
	MUST(fdatasync(fd) == 0 && ftruncate(fd, 2) == 0 && fsync(d) == 0);
	MUST(file_replace(in(log_dir, "checkpoint"), "note", 4, 0644) == 0);
	MUST(openat(d, "torn", O_WRONLY | O_CREAT | O_EXCL, 0600) >= 0);
	(void)snprintf(to, sizeof(to), "%s/torn-1", log_dir);
	MUST(rename(in(log_dir, "torn"), to) == 0 && unlink(to) == 0);
	MUST(mkdir(in(log_dir, "sub"), 0755) == 0);
	list = opendir(log_dir);
	MUST(list && readdir(list));
	closedir(list);
	return 0;
}

static int query_work(void)
{
	char buf[8];
	sqlite3 *db;
	int fd;

	common_work();
	fd = open(in(log_dir, "seg"), O_RDONLY | O_CLOEXEC);
	MUST(fd >= 0 && read(fd, buf, sizeof(buf)) >= 0);
	MUST(sqlite3_open(in(state_dir, "index"), &db) == SQLITE_OK);
	MUST(sqlite3_exec(db, "PRAGMA journal_mode=WAL; CREATE TABLE t(a); BEGIN; INSERT INTO t VALUES(1);"
			      "COMMIT; PRAGMA wal_checkpoint(TRUNCATE); SELECT * FROM t ORDER BY a;", NULL,
			  NULL, NULL) == SQLITE_OK);
	MUST(sqlite3_close(db) == SQLITE_OK);
	return 0;
}

/* What the injector and the supervisor ask of /proc. */
static void look_around(void)
{
	struct proc_object null = { .type = S_IFIFO, .ino = 1, .access = -1 };
	struct proc_pids pids = { 0 };

	MUST(proc_all(&pids) == 0 && proc_pids_has(&pids, victim));
	proc_pids_done(&pids);
	MUST(proc_threads(victim, &pids) == 0 && pids.n == 1);
	proc_pids_done(&pids);
	MUST(proc_descendants(test_pid, &pids) == 0 && proc_pids_has(&pids, victim));
	proc_pids_done(&pids);
	MUST(proc_holders(&null, 1, &pids) == 0);
	proc_pids_done(&pids);
}

/* On a process of another user, as most agents are. */
static int injector_work(void)
{
	char path[64];
	int status;
	DIR *d;

	common_work();
	look_around();
	(void)snprintf(path, sizeof(path), "/proc/%d/fd", (int)victim);
	d = opendir(path);
	MUST(d && readdir(d));
	MUST(ptrace(PTRACE_SEIZE, victim, 0, PTRACE_O_TRACESYSGOOD) == 0);
	MUST(ptrace(PTRACE_INTERRUPT, victim, 0, 0) == 0);
	MUST(waitpid(victim, &status, __WALL) == victim && WIFSTOPPED(status));
	MUST(read_memory() == 0 && steal_fd() == 0);
	MUST(ptrace(PTRACE_DETACH, victim, 0, 0) == 0 && kill(victim, 0) == 0);
	return 0;
}

static enum fan_verdict allow(const struct fan_event *e, void *arg) { return FAN_VERDICT_ALLOW; }

static int supervisor_work(void)
{
	struct inherited_list sockets;
	struct proc_identity id;
	const char *why = NULL;
	struct listener l;
	struct loop *loop;
	struct fan *f;

	common_work();
	look_around();
	MUST(do_bpf() == 0 && do_kill() == 0);
	(void)kern_supported(&why); /* whatever the answer, it must not kill */
	MUST(proc_identity_read(victim, &id) == 0 && id.exe_measured && id.uid == TEST_UID + 9);
	MUST(loop_new(&loop) == 0 && fan_new(loop, allow, NULL, &f) == 0);
	MUST(fan_watch(f, "/bin/true") == 0 && fan_watching(f, 0));
	fan_free(f);
	loop_free(loop);
	MUST(listener_open_pid(victim, &l) == 0 && l.port4 != 0);
	listener_close(&l);
	MUST(inherited_scan(victim, &sockets) == 0 && sockets.n == 1);
	inherited_done(&sockets);
	MUST(file_replace(in(other_dir, "state"), "x", 1, 0600) == 0);
	MUST(chown(in(other_dir, "state"), TEST_UID, TEST_GID) == 0);
	MUST(socket(AF_UNIX, SOCK_SEQPACKET, 0) >= 0 && socket(AF_NETLINK, SOCK_RAW, 4) >= 0);
	return 0;
}

/* The keeper's children become the other roles, also by way of execve(). */
static int keeper_work(void)
{
	common_work();
	MUST(try_as(ROLE_PROXY, proxy_work) == DID_IT);
	MUST(try_as(ROLE_NOTARY, do_exec) == 1000 + SIGSYS);
	MUST(try_as(ROLE_INJECTOR, injector_work) == DID_IT);
	return 0;
}

static void test_work(void **state)
{
	assert_int_equal(try_as(ROLE_PROXY, proxy_work), DID_IT);
	assert_int_equal(try_as(ROLE_CANARY, canary_work), DID_IT);
	assert_int_equal(try_as(ROLE_NOTARY, notary_work), DID_IT);
	assert_int_equal(try_as(ROLE_QUERY, query_work), DID_IT);
	assert_int_equal(try_as(ROLE_INJECTOR, injector_work), DID_IT);
	assert_int_equal(try_as(ROLE_SUPERVISOR, supervisor_work), DID_IT);
	assert_int_equal(try_as(ROLE_KEEPER, keeper_work), DID_IT);
}

/* --- what the kernel says of the process --------------------------------------------------------------- */

static bool status_has(const char *text, const char *name, const char *value)
{
	char line[128];

	(void)snprintf(line, sizeof(line), "\n%s:\t%s", name, value);
	return strstr(text, line) != NULL;
}

/* /proc/PID/status of a child that sits in its sandbox. */
static void status_of(enum role role, char *ret, size_t size)
{
	int ready[2], done[2];
	struct buf b = { 0 };
	char path[64], ch;
	pid_t pid;

	assert_int_equal(pipe(ready), 0);
	assert_int_equal(pipe(done), 0);
	pid = fork();
	if (pid == 0) {
		struct sandbox_spec s = spec_of(role);

		close(done[1]);
		if (sandbox_enter(role, &s, NULL) == 0)
			(void)!write(ready[1], "r", 1);
		(void)!read(done[0], &ch, 1);
		_exit(0);
	}
	close(ready[1]);
	close(done[0]);
	assert_int_equal(read(ready[0], &ch, 1), 1);
	(void)snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	assert_int_equal(file_read(path, 8192, &b), 0);
	(void)snprintf(ret, size, "%s", buf_cstr(&b));
	buf_done(&b);
	close(ready[0]);
	close(done[1]);
	assert_int_equal(end_of(pid), 0);
}

static void caps_are(const char *text, uint64_t want)
{
	static const char *const fields[] = { "CapEff", "CapPrm" };
	char hex[24];

	for (unsigned i = 0; i < ARRAY_SIZE(fields); i++) {
		(void)snprintf(hex, sizeof(hex), "%016llx", (unsigned long long)want);
		if (!status_has(text, fields[i], hex))
			fail_msg("%s is not %s in\n%s", fields[i], hex, text);
	}
	assert_true(status_has(text, "CapInh", "0000000000000000"));
	assert_true(status_has(text, "CapAmb", "0000000000000000"));
	assert_true(status_has(text, "NoNewPrivs", "1"));
	assert_true(status_has(text, "Seccomp", "2"));
}

static void test_status(void **state)
{
	static const enum role members[] = { ROLE_PROXY, ROLE_NOTARY, ROLE_QUERY, ROLE_CANARY };
	char text[8192];

	for (unsigned i = 0; i < ARRAY_SIZE(members); i++) {
		status_of(members[i], text, sizeof(text));
		caps_are(text, 0);
		assert_true(status_has(text, "CapBnd", "0000000000000000"));
		assert_true(status_has(text, "Uid", "64001\t64001\t64001\t64001"));
		assert_true(status_has(text, "Gid", "64002\t64002\t64002\t64002"));
		assert_true(status_has(text, "Groups", "64003 \n"));
	}
	status_of(ROLE_INJECTOR, text, sizeof(text));
	caps_are(text, 1ull << CAP_SYS_PTRACE | 1ull << CAP_KILL | 1ull << CAP_DAC_READ_SEARCH);
	assert_true(status_has(text, "Groups", " \n") || status_has(text, "Groups", "\n"));
}

static int check_limits(void)
{
	struct rlimit r;

	MUST(getrlimit(RLIMIT_CORE, &r) == 0 && r.rlim_cur == 0 && r.rlim_max == 0);
	MUST(prctl(PR_GET_DUMPABLE) == 0);
	MUST(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1);
	return 0;
}

static void test_limits(void **state)
{
	for (unsigned role = 0; role < ROLE_MAX_; role++)
		if (role != ROLE_SUPERVISOR && role != ROLE_KEEPER)
			assert_int_equal(try_as(role, check_limits), DID_IT);
}

/* The kernel forgets this signal on a change of uid. */
static void test_parent_death(void **state)
{
	pid_t pid = fork();

	if (pid == 0) {
		struct sandbox_spec s = spec_of(ROLE_PROXY);
		int sig = 0;

		MUST(prctl(PR_SET_PDEATHSIG, SIGKILL) == 0);
		MUST(sandbox_enter(ROLE_PROXY, &s, NULL) == 0);
		MUST(prctl(PR_GET_PDEATHSIG, &sig) == 0 && sig == SIGKILL);
		_exit(0);
	}
	assert_int_equal(end_of(pid), 0);
}

static void test_report(void **state)
{
	pid_t pid = fork();

	if (pid == 0) {
		struct sandbox_report rep = { 0 };
		struct sandbox_spec s = spec_of(ROLE_NOTARY);
		struct rlimit r;

		MUST(getrlimit(RLIMIT_NOFILE, &r) == 0);
		s.nofile = (uint64_t)1 << 40; /* beyond fs.nr_open: cannot be had */
		MUST(sandbox_enter(ROLE_NOTARY, &s, &rep) == 0);
		MUST(rep.nofile == r.rlim_max && !rep.seccomp_log_only && rep.landlock_abi > 0);
		_exit(0);
	}
	assert_int_equal(end_of(pid), 0);
}

static int enter_only(enum role role, struct sandbox_spec s)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(-sandbox_enter(role, &s, NULL));
	return -end_of(pid);
}

static void test_bad_spec(void **state)
{
	struct sandbox_spec s = spec_of(ROLE_PROXY);

	assert_int_equal(enter_only(ROLE_PROXY, (struct sandbox_spec){ 0 }), -EINVAL);
	assert_int_equal(enter_only(ROLE_SUPERVISOR, s), -EINVAL);
	assert_int_equal(enter_only(ROLE_MAX_, s), -EINVAL);
	assert_int_equal(enter_only((enum role)-1, s), -EINVAL);
	s.gid = 0;
	assert_int_equal(enter_only(ROLE_PROXY, s), -EINVAL);
	s.gid = TEST_GID;
	s.paths[s.npaths++] = (struct sandbox_path){ "/tmp", false };
	assert_int_equal(enter_only(ROLE_PROXY, s), -EINVAL);
	assert_int_equal(enter_only(ROLE_NOTARY, s), 0);
	s.paths[0].path = in(other_dir, "does-not-exist");
	assert_int_equal(enter_only(ROLE_NOTARY, s), -ENOENT);
	s.npaths = SANDBOX_PATHS_MAX + 1;
	assert_int_equal(enter_only(ROLE_NOTARY, s), -EINVAL);
}

/* --- the tables ------------------------------------------------------------------------------------- */

static bool listed(const char *const *names, const char *name)
{
	for (; names && *names; names++)
		if (strcmp(*names, name) == 0)
			return true;
	return false;
}

static void test_tables(void **state)
{
	static const char *const never[] = {
		"execve", "execveat", "fork", "vfork", "setuid", "setresuid", "capset", "init_module",
		"kexec_load", "io_uring_setup", "userfaultfd", "keyctl", "unshare", "seccomp", "pkey_mprotect",
	};

	for (const char *const *n = seccomp_keeper_deny; *n; n++)
		if (seccomp_syscall_resolve_name(*n) == __NR_SCMP_ERROR)
			fail_msg("keeper: no system call is named %s", *n);
	assert_null(seccomp_table_of(ROLE_KEEPER));
	assert_null(seccomp_table_of(ROLE_MAX_));
	for (unsigned role = ROLE_KEEPER + 1; role < ROLE_MAX_; role++) {
		const struct seccomp_table *t = seccomp_table_of(role);

		for (unsigned i = 0; i < ARRAY_SIZE(t->allow); i++) {
			for (const char *const *n = t->allow[i]; n && *n; n++) {
				if (seccomp_syscall_resolve_name(*n) == __NR_SCMP_ERROR)
					fail_msg("role %u: no system call is named %s", role, *n);
				/* What the keeper forbids, its children cannot have. */
				if (listed(seccomp_keeper_deny, *n) || listed(t->refuse, *n) ||
				    listed(t->absent, *n))
					fail_msg("role %u: %s is both allowed and not", role, *n);
			}
			for (unsigned k = 0; k < ARRAY_SIZE(never); k++)
				assert_false(listed(t->allow[i], never[k]));
		}
		assert_false(role != ROLE_INJECTOR && listed(t->allow[1], "ptrace"));
	}
}

/* --- around all --------------------------------------------------------------------------------------- */

static void start_victim(void)
{
	int ready[2], sock = socket(AF_INET, SOCK_DGRAM, 0);
	char ch;

	assert_true(sock >= 0);
	assert_int_equal(pipe(ready), 0);
	victim = fork();
	if (victim == 0) {
		close(tcp_listener);
		if (setgid(TEST_GID + 9) < 0 || setuid(TEST_UID + 9) < 0 ||
		    write(ready[1], "r", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	assert_int_equal(read(ready[0], &ch, 1), 1);
	close(ready[0]);
	close(ready[1]);
	close(sock);
}

static int set_up(void **state)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n = sizeof(a);

	(void)strcpy(dir, "/tmp/tollgate-sandbox.XXXXXX");
	assert_non_null(mkdtemp(dir));
	(void)snprintf(log_dir, sizeof(log_dir), "%s/log", dir);
	(void)snprintf(state_dir, sizeof(state_dir), "%s/state", dir);
	(void)snprintf(other_dir, sizeof(other_dir), "%s/other", dir);
	assert_int_equal(chmod(dir, 0755), 0);
	assert_int_equal(mkdir(log_dir, 0755) | mkdir(state_dir, 0755) | mkdir(other_dir, 0755), 0);
	/* All are the role's own, so it is the sandbox that refuses, not the mode. */
	assert_int_equal(file_replace(in(log_dir, "seg"), "old\n", 4, 0666), 0);
	assert_int_equal(file_replace(in(other_dir, "theirs"), "x", 1, 0666), 0);
	assert_int_equal(chown(in(log_dir, "seg"), TEST_UID, TEST_GID), 0);
	assert_int_equal(chown(log_dir, TEST_UID, TEST_GID) | chown(state_dir, TEST_UID, TEST_GID) |
				 chown(other_dir, TEST_UID, TEST_GID), 0);
	tcp_listener = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(bind(tcp_listener, (void *)&a, sizeof(a)), 0);
	assert_int_equal(listen(tcp_listener, 8), 0);
	assert_int_equal(getsockname(tcp_listener, (void *)&a, &n), 0);
	tcp_port = ntohs(a.sin_port);
	test_pid = getpid();
	start_victim();
	return 0;
}

static int tear_down(void **state)
{
	char cmd[128];

	(void)kill(victim, SIGKILL);
	(void)end_of(victim);
	close(tcp_listener);
	(void)snprintf(cmd, sizeof(cmd), "rm -rf '%s'", dir);
	return system(cmd) == 0 ? 0 : -1;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tables),
		cmocka_unit_test(test_attempts),
		cmocka_unit_test(test_forbidden),
		cmocka_unit_test(test_work),
		cmocka_unit_test(test_status),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_parent_death),
		cmocka_unit_test(test_report),
		cmocka_unit_test(test_bad_spec),
	};

	if (geteuid() != 0) {
		(void)puts("skip: only root can enter the roles' sandboxes");
		return 77;
	}
	if (sandbox_landlock_abi() == 0) {
		(void)puts("skip: this kernel has no Landlock");
		return 77;
	}
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
