// SPDX-License-Identifier: Apache-2.0
/*
 * The cage, put on a server that is this program again. Each test is named after what it tries; each try succeeds before
 * the cage is on, so it is the cage that it fails of.
 */
#include "user/stdio/confine.h"

#include <arpa/inet.h>
#include <limits.h>
#include <linux/landlock.h>
#include <pthread.h>
#include <sys/prctl.h>

#include "tests/unit/stdio/rig.h"

#define SECRET "CAGE_SECRET"
#define NOT_RUN 126 /* the status of a child that could not execute; no errno of a try */

static char dir[64];

/* The leak check at exit looks into /proc, which the cage forbids. */
static int serving;

int __lsan_is_turned_off(void);
int __lsan_is_turned_off(void)
{
	return serving;
}

/* --- the server: does what it is told, and says how it went ------------------------------------------ */

static int try_read(const char *path)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	char c;

	return fd < 0 || read(fd, &c, 1) < 0 ? errno : 0;
}

static int try_write(const char *path)
{
	_cleanup_close_ int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	return fd < 0 || write(fd, "x", 1) != 1 ? errno : 0;
}

static int try_connect(const char *port)
{
	_cleanup_close_ int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
				 .sin_port = htons((uint16_t)atoi(port)) };

	return fd < 0 || connect(fd, (void *)&a, sizeof(a)) < 0 ? errno : 0;
}

static int try_send(const char *port)
{
	_cleanup_close_ int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
				 .sin_port = htons((uint16_t)atoi(port)) };

	return fd < 0 || sendto(fd, "x", 1, 0, (void *)&a, sizeof(a)) != 1 ? errno : 0;
}

static int try_env(const char *name)
{
	return getenv(name) ? 0 : ENOENT;
}

/* As a program would that knows the trick: the memory it was started with. */
static int try_environ(const char *name)
{
	char b[65536];
	_cleanup_close_ int fd = open("/proc/self/environ", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, b, sizeof(b));

	return n < 0 ? errno : memmem(b, (size_t)n, name, strlen(name)) ? 0 : ENOENT;
}

static int try_cut(const char *path)
{
	return truncate(path, 0) < 0 ? errno : 0;
}

static int try_cut_open(const char *path)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_TRUNC | O_CLOEXEC);

	return fd < 0 ? errno : 0;
}

static int try_uring(const char *unused)
{
	char params[256] = { 0 };
	_cleanup_close_ int fd = (int)syscall(SYS_io_uring_setup, 1, params);

	(void)unused;
	return fd < 0 ? errno : 0;
}

static int try_pair(const char *unused)
{
	int fd[2];

	(void)unused;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd) < 0)
		return errno;
	close(fd[0]);
	close(fd[1]);
	return 0;
}

static int try_run(const char *path)
{
	pid_t pid = fork();
	int st;

	if (pid == 0) {
		execl(path, path, "try", "nothing", "", NULL);
		_exit(errno);
	}
	return pid < 0 || waitpid(pid, &st, 0) < 0 || !WIFEXITED(st) ? EIO : WEXITSTATUS(st);
}

static int try_nothing(const char *unused)
{
	(void)unused;
	return 0;
}

static const struct {
	const char *name;
	int (*fn)(const char *arg);
} tries[] = {
	{ "read", try_read },	    { "write", try_write }, { "connect", try_connect },	  { "send", try_send },
	{ "env", try_env },	    { "environ", try_environ }, { "cut", try_cut }, { "cut-open", try_cut_open },
	{ "uring", try_uring }, { "pair", try_pair }, { "run", try_run }, { "nothing", try_nothing },
};

static int try(const char *name, const char *arg)
{
	for (size_t i = 0; i < ARRAY_SIZE(tries); i++)
		if (strcmp(tries[i].name, name) == 0)
			return tries[i].fn(arg);
	return EINVAL;
}

struct order {
	char how[16], name[16], arg[256];
	int result;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool due;
};

/* A thread that was there before the cage. */
static void *other_thread(void *arg)
{
	struct order *o = arg;

	pthread_mutex_lock(&o->lock);
	for (;;) {
		while (!o->due)
			pthread_cond_wait(&o->changed, &o->lock);
		o->result = try(o->name, o->arg);
		o->due = false;
		pthread_cond_broadcast(&o->changed);
	}
	return NULL;
}

static int by_thread(struct order *o)
{
	pthread_mutex_lock(&o->lock);
	o->due = true;
	pthread_cond_broadcast(&o->changed);
	while (o->due)
		pthread_cond_wait(&o->changed, &o->lock);
	pthread_mutex_unlock(&o->lock);
	return o->result;
}

static int by_child(const struct order *o, bool exec)
{
	pid_t pid = fork();
	int st;

	if (pid == 0) {
		if (exec)
			execl("/proc/self/exe", "test_confine", "try", o->name, o->arg, NULL);
		_exit(exec ? NOT_RUN : try(o->name, o->arg));
	}
	return pid < 0 || waitpid(pid, &st, 0) < 0 || !WIFEXITED(st) ? EIO : WEXITSTATUS(st);
}

static int serve(void)
{
	static struct order o = { .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER };
	char line[512];
	pthread_t t;

	if (pthread_create(&t, NULL, other_thread, &o))
		return 1;
	while (fgets(line, sizeof(line), stdin)) {
		o.arg[0] = '\0';
		if (sscanf(line, "%15s %15s %255s", o.how, o.name, o.arg) < 2)
			return 2;
		printf("%d\n", strcmp(o.how, "thread") == 0 ? by_thread(&o) :
			       strcmp(o.how, "fork") == 0 ? by_child(&o, false) :
			       strcmp(o.how, "exec") == 0 ? by_child(&o, true) : try(o.name, o.arg));
		(void)fflush(stdout);
	}
	return 0;
}

/* --- the test's side ----------------------------------------------------------------------------------- */

struct caged {
	pid_t pid;
	FILE *to, *from;
};

static void start(struct caged *s)
{
	int in[2], out[2];

	assert_int_equal(pipe2(in, O_CLOEXEC) | pipe2(out, O_CLOEXEC), 0);
	s->pid = fork();
	assert_true(s->pid >= 0);
	if (s->pid == 0) {
		dup2(in[0], 0);
		dup2(out[1], 1);
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		execle("/proc/self/exe", "test_confine", "serve", NULL,
		       (char *const[]){ (char *)"KEPT=1", (char *)SECRET "=hush", (char *)"KEPT_NOT=1", NULL });
		_exit(127);
	}
	close(in[0]);
	close(out[1]);
	s->to = fdopen(in[1], "w");
	s->from = fdopen(out[0], "r");
}

/* Both threads are there once it answers. */
static int ask(struct caged *s, const char *how, const char *name, const char *arg)
{
	int result = -1;

	(void)fprintf(s->to, "%s %s %s\n", how, name, arg);
	(void)fflush(s->to);
	assert_int_equal(fscanf(s->from, "%d", &result), 1);
	return result;
}

static void stop(struct caged *s)
{
	int st;

	(void)fclose(s->to);
	(void)fclose(s->from);
	assert_int_equal(waitpid(s->pid, &st, 0), s->pid);
	assert_true(WIFEXITED(st) && WEXITSTATUS(st) == 0);
}

static void allow(int ruleset, const char *path, uint64_t access)
{
	struct landlock_path_beneath_attr rule = { .allowed_access = access,
						   .parent_fd = open(path, O_PATH | O_CLOEXEC) };

	assert_true(rule.parent_fd >= 0);
	assert_int_equal(syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0), 0);
	close(rule.parent_fd);
}

/* Everything may be read but what lies in the test's folder, where "in" may be written. -1: no Landlock here. */
static int ruleset_new(void)
{
	static const char *const system_dirs[] = { "/usr", "/lib", "/lib64" };
	const uint64_t all = (1ull << 13) - 1, see = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_EXECUTE;
	const struct landlock_ruleset_attr attr = { .handled_access_fs = all };
	int fd = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr), 0);
	char path[PATH_MAX], self[PATH_MAX] = "";

	if (fd < 0)
		return -1;
	assert_true(readlink("/proc/self/exe", self, sizeof(self) - 1) > 0);
	allow(fd, self, see);
	for (size_t i = 0; i < ARRAY_SIZE(system_dirs); i++)
		if (access(system_dirs[i], F_OK) == 0)
			allow(fd, system_dirs[i], see | LANDLOCK_ACCESS_FS_READ_DIR);
	allow(fd, "/proc", LANDLOCK_ACCESS_FS_READ_FILE);
	snprintf(path, sizeof(path), "%s/in", dir);
	allow(fd, path, all);
	return fd;
}

static void put_on(struct caged *s, const struct stdio_cage *c)
{
	struct tracee_timer timer;
	struct holder h;

	assert_int_equal(tracee_timer_start(&timer, 10000), 0);
	assert_int_equal(holder_stop(&h, s->pid, &timer), 0);
	assert_int_equal(h.threads.n, 2);
	assert_int_equal(tracee_begin(&h.tracee, s->pid, &timer), 0);
	assert_int_equal(confine_holder(&h, c), 0);
	assert_int_equal(holder_restore(&h), 0);
	assert_true(holder_release(&h));
	tracee_timer_stop(&timer);
	wait_state(s->pid, 'T');
	stdio_resume(&s->pid, 1);
}

static const char *const ways[] = { "itself", "thread", "fork", "exec" };

/* Each way must succeed before and fail after. */
static void must_fail(const char *name, const char *arg, int error)
{
	struct stdio_cage c = { .ruleset = ruleset_new(), .env = "KEPT", .env_n = 5 };
	struct caged s;

	if (c.ruleset < 0)
		skip();
	start(&s);
	for (size_t i = 0; i < ARRAY_SIZE(ways); i++)
		if (ask(&s, ways[i], name, arg))
			fail_msg("%s by %s fails without the cage", name, ways[i]);
	put_on(&s, &c);
	for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
		int r = ask(&s, ways[i], name, arg);

		if (r != error)
			fail_msg("%s by %s gives %d in the cage", name, ways[i], r);
	}
	assert_int_equal(ask(&s, "itself", "nothing", ""), 0);
	stop(&s);
	close(c.ruleset);
}

static const char *in_dir(const char *name)
{
	static char path[PATH_MAX];

	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

static void read_a_key(void **state)
{
	must_fail("read", in_dir("id_key"), EACCES);
}

static void write_outside(void **state)
{
	must_fail("write", in_dir("outside"), EACCES);
}

static void run_a_program_outside(void **state)
{
	must_fail("run", in_dir("program"), EACCES);
}

static int listen_on(int type, char port[16])
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
	socklen_t n = sizeof(a);

	assert_true(fd >= 0 && bind(fd, (void *)&a, n) == 0 && getsockname(fd, (void *)&a, &n) == 0);
	assert_true(type != SOCK_STREAM || listen(fd, 8) == 0);
	(void)snprintf(port, 16, "%u", ntohs(a.sin_port));
	return fd;
}

static void connect_out(void **state)
{
	_cleanup_close_ int fd = -1;
	char port[16];

	fd = listen_on(SOCK_STREAM, port);
	must_fail("connect", port, EACCES);
}

static void send_a_datagram(void **state)
{
	_cleanup_close_ int fd = -1;
	char port[16];

	fd = listen_on(SOCK_DGRAM, port);
	must_fail("send", port, EACCES);
}

static void make_an_io_uring(void **state)
{
	if (try_uring(""))
		skip(); /* this kernel has none */
	must_fail("uring", "", ENOSYS);
}

static void read_a_secret_variable(void **state)
{
	must_fail("env", SECRET, ENOENT);
}

static void find_a_secret_variable_in_memory(void **state)
{
	must_fail("environ", SECRET, ENOENT);
}

/* What is declared stays possible, in every thread. */
static void what_is_allowed_goes_on(void **state)
{
	struct stdio_cage c = { .ruleset = ruleset_new(), .env = "KEPT", .env_n = 5 };
	struct caged s;

	if (c.ruleset < 0)
		skip();
	start(&s);
	assert_int_equal(ask(&s, "itself", "nothing", ""), 0);
	put_on(&s, &c);
	for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
		assert_int_equal(ask(&s, ways[i], "write", in_dir("in/file")), 0);
		assert_int_equal(ask(&s, ways[i], "env", "KEPT"), 0);
		assert_int_equal(ask(&s, ways[i], "env", "KEPT_NOT"), ENOENT);
		assert_int_equal(ask(&s, ways[i], "pair", ""), 0);
	}
	stop(&s);
	close(c.ruleset);
}

static void with_a_network_sockets_are_made(void **state)
{
	struct stdio_cage c = { .ruleset = ruleset_new(), .network = true, .env = "", .env_n = 1 };
	_cleanup_close_ int fd = -1;
	struct caged s;
	char port[16];

	if (c.ruleset < 0)
		skip();
	fd = listen_on(SOCK_STREAM, port);
	start(&s);
	assert_int_equal(ask(&s, "itself", "nothing", ""), 0);
	put_on(&s, &c);
	for (size_t i = 0; i < ARRAY_SIZE(ways); i++)
		assert_int_equal(ask(&s, ways[i], "connect", port), 0);
	assert_int_equal(ask(&s, "itself", "read", in_dir("id_key")), EACCES);
	stop(&s);
	close(c.ruleset);
}

/* On kernels whose Landlock does not know truncation. */
static void cut_a_file_short(void **state)
{
	const struct landlock_ruleset_attr attr = { .handled_access_fs = LANDLOCK_ACCESS_FS_MAKE_BLOCK };
	struct stdio_cage c = { .network = true, .truncate = true, .env = "", .env_n = 1 };
	struct caged s;

	c.ruleset = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr), 0);
	if (c.ruleset < 0)
		skip();
	start(&s);
	assert_int_equal(ask(&s, "itself", "cut", in_dir("id_key")), 0);
	assert_int_equal(ask(&s, "itself", "cut-open", in_dir("id_key")), 0);
	put_on(&s, &c);
	for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
		assert_int_equal(ask(&s, ways[i], "cut", in_dir("id_key")), EACCES);
		assert_int_equal(ask(&s, ways[i], "cut-open", in_dir("id_key")), EACCES);
		assert_int_equal(ask(&s, ways[i], "read", in_dir("id_key")), 0);
		assert_int_equal(ask(&s, ways[i], "write", in_dir("id_key")), 0);
	}
	stop(&s);
	close(c.ruleset);
}

static void scrub_keeps_what_is_named(void **state)
{
	static const char env[] = "A=1\0AB=2\0\0B\0=x\0AA\0C=last";
	char b[sizeof(env)], want[sizeof(env)];
	bool dirty;

	memcpy(b, env, sizeof(env));
	memcpy(want, env, sizeof(env));
	memset(want + 4, 0, 11);
	assert_int_equal(confine_scrub(b, sizeof(b) - 1, "A\0AA", 5, &dirty), sizeof(env) - 1 - 6);
	assert_true(dirty);
	assert_memory_equal(b, want, sizeof(env)); /* the last one may go on */
	memset(want + 18, 0, 6);
	(void)confine_scrub(b, sizeof(b), "A\0AA", 5, &dirty);
	assert_memory_equal(b, want, sizeof(env));
	(void)confine_scrub(b, sizeof(b), "A\0AA", 5, &dirty);
	assert_false(dirty);
	assert_int_equal(confine_scrub(b, 0, "", 0, &dirty), 0);
}

static int setup(void **state)
{
	(void)state;
	(void)strcpy(dir, "/tmp/confine-XXXXXX");
	assert_non_null(mkdtemp(dir));
	assert_int_equal(mkdir(in_dir("in"), 0700), 0);
	assert_int_equal(try_write(in_dir("id_key")), 0);
	{
		char cmd[3 * PATH_MAX], self[PATH_MAX] = "";

		assert_true(readlink("/proc/self/exe", self, sizeof(self) - 1) > 0);
		snprintf(cmd, sizeof(cmd), "cp '%s' '%s'", self, in_dir("program"));
		assert_int_equal(system(cmd), 0);
	}
	return 0;
}

static int teardown(void **state)
{
	char cmd[128];

	(void)state;
	(void)snprintf(cmd, sizeof(cmd), "rm -rf '%s'", dir);
	return system(cmd);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(read_a_key),
		cmocka_unit_test(write_outside),
		cmocka_unit_test(run_a_program_outside),
		cmocka_unit_test(connect_out),
		cmocka_unit_test(send_a_datagram),
		cmocka_unit_test(make_an_io_uring),
		cmocka_unit_test(read_a_secret_variable),
		cmocka_unit_test(find_a_secret_variable_in_memory),
		cmocka_unit_test(what_is_allowed_goes_on),
		cmocka_unit_test(with_a_network_sockets_are_made),
		cmocka_unit_test(cut_a_file_short),
		cmocka_unit_test(scrub_keeps_what_is_named),
	};

	serving = argc > 1;
	if (argc == 2 && strcmp(argv[1], "serve") == 0)
		return serve();
	if (argc == 4 && strcmp(argv[1], "try") == 0)
		return try(argv[2], argv[3]);
	return cmocka_run_group_tests(tests, setup, teardown);
}
