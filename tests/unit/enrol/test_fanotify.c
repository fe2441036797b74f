// SPDX-License-Identifier: Apache-2.0
/* Real exec holds on private copies of a program: allowed, denied, left for later, replaced, given up. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "user/base/buf.h"
#include "user/base/cleanup.h"
#include "user/base/file.h"
#include "user/base/loop.h"
#include "user/enrol/fanotify.h"

#define EXIT_NO_EXEC 99 /* of a child whose execve() failed with EPERM */

static char dir[64];
static struct loop *loop;
static struct fan *fan;

/* What the callback saw last, and what it is to answer. */
static struct {
	unsigned calls;
	enum fan_verdict verdict;
	uint64_t token;
	pid_t pid;
	int watch;
	bool pidfd_ok;
	char path[256], exe[256];
} seen;

static const char *at(const char *name)
{
	static char path[4][256];
	static unsigned i;

	i = (i + 1) % 4;
	(void)snprintf(path[i], sizeof(path[i]), "%s/%s", dir, name);
	return path[i];
}

static void copy(const char *from, const char *to)
{
	struct buf b = { 0 };

	assert_int_equal(file_read(from, 64 << 20, &b), 0);
	assert_int_equal(file_replace(to, b.data, buf_len(&b), 0755), 0);
	buf_done(&b);
}

static enum fan_verdict on_exec(const struct fan_event *e, void *arg)
{
	char link[64];
	ssize_t n;

	seen.calls++;
	seen.token = e->token;
	seen.pid = e->pid;
	seen.watch = e->watch;
	seen.pidfd_ok = e->pidfd >= 0 && fcntl(e->pidfd, F_GETFD) >= 0;
	(void)snprintf(seen.path, sizeof(seen.path), "%s", e->path);
	(void)snprintf(link, sizeof(link), "/proc/%d/exe", (int)e->pid);
	n = readlink(link, seen.exe, sizeof(seen.exe) - 1);
	seen.exe[n > 0 ? n : 0] = '\0';
	return seen.verdict;
}

static int set_up(void **state)
{
	memset(&seen, 0, sizeof(seen));
	(void)strcpy(dir, "/tmp/tollgate-fan.XXXXXX");
	if (!mkdtemp(dir) || loop_new(&loop) < 0 || fan_new(loop, on_exec, NULL, &fan) < 0)
		return -1;
	copy("/bin/true", at("agent"));
	return 0;
}

static int tear_down(void **state)
{
	char cmd[128];

	fan_free(fan);
	loop_free(loop);
	fan = NULL;
	loop = NULL;
	(void)snprintf(cmd, sizeof(cmd), "rm -rf '%s'", dir);
	return system(cmd) == 0 ? 0 : -1;
}

static pid_t start(const char *path)
{
	pid_t pid = fork();

	if (pid == 0) {
		execl(path, "agent", (char *)NULL);
		_exit(errno == EPERM ? EXIT_NO_EXEC : 98);
	}
	assert_true(pid > 0);
	return pid;
}

/* Runs the loop until the child ends; its exit status, or -1 when it is still there after some seconds. */
static int finish(pid_t pid)
{
	int status;

	for (int i = 0; i < 500; i++) {
		(void)loop_once(loop, 10);
		if (waitpid(pid, &status, WNOHANG) == pid)
			return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
	}
	return -1;
}

static void until_held(unsigned n)
{
	struct fan_stats st = { 0 };

	for (int i = 0; i < 500 && st.held < n; i++) {
		(void)loop_once(loop, 10);
		fan_stats(fan, &st);
	}
	assert_int_equal(st.held, n);
}

static void test_allow_deny(void **state)
{
	struct fan_stats st;
	pid_t pid;

	assert_int_equal(fan_watch(fan, at("agent")), 0);
	assert_true(fan_watching(fan, 0));
	assert_false(fan_watching(fan, 1));
	assert_false(fan_watching(fan, -1));
	seen.verdict = FAN_VERDICT_ALLOW;
	pid = start(at("agent"));
	assert_int_equal(finish(pid), 0);
	assert_int_equal(seen.calls, 1);
	assert_int_equal(seen.pid, pid);
	assert_int_equal(seen.watch, 0);
	assert_true(seen.pidfd_ok);
	assert_string_equal(seen.path, at("agent"));
	/* The image is still the old one: matching must not rely on /proc/PID/exe. */
	assert_string_not_equal(seen.exe, at("agent"));

	seen.verdict = FAN_VERDICT_DENY;
	assert_int_equal(finish(start(at("agent"))), EXIT_NO_EXEC);
	assert_int_equal(seen.calls, 2);
	/* Files that nobody watches are not asked about; reading a watched one neither. */
	copy("/bin/true", at("other"));
	assert_int_equal(finish(start(at("other"))), 0);
	copy(at("agent"), at("third"));
	assert_int_equal(seen.calls, 2);
	fan_stats(fan, &st);
	assert_int_equal(st.events, 2);
	assert_int_equal(st.allowed, 1);
	assert_int_equal(st.denied, 1);
	assert_int_equal(st.held, 0);
}

static void test_later(void **state)
{
	uint64_t first;
	pid_t a, b;
	int status;

	assert_int_equal(fan_watch(fan, at("agent")), 0);
	seen.verdict = FAN_VERDICT_LATER;
	a = start(at("agent"));
	until_held(1);
	first = seen.token;
	b = start(at("agent"));
	until_held(2);
	assert_int_equal(waitpid(-1, &status, WNOHANG), 0);
	assert_int_equal(fan_answer(fan, first + 100, true), -ENOENT);
	assert_int_equal(fan_answer(fan, seen.token, false), 0);
	assert_int_equal(finish(b), EXIT_NO_EXEC);
	assert_int_equal(fan_answer(fan, first, true), 0);
	assert_int_equal(finish(a), 0);
	assert_int_equal(fan_answer(fan, first, true), -ENOENT);
}

/* A process that is killed while it is held leaves nothing behind. */
static void test_killed(void **state)
{
	struct fan_stats st;
	pid_t pid;

	assert_int_equal(fan_watch(fan, at("agent")), 0);
	seen.verdict = FAN_VERDICT_LATER;
	pid = start(at("agent"));
	until_held(1);
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(finish(pid), 1000 + SIGKILL);
	assert_int_equal(fan_answer(fan, seen.token, true), 0);
	fan_stats(fan, &st);
	assert_int_equal(st.held, 0);
}

static void exec_is_asked(const char *path, unsigned calls, int watch)
{
	seen.verdict = FAN_VERDICT_DENY;
	seen.watch = -7;
	assert_int_equal(finish(start(path)), EXIT_NO_EXEC);
	assert_int_equal(seen.calls, calls);
	assert_int_equal(seen.watch, watch);
}

static void settle(void)
{
	while (loop_once(loop, 50) > 0)
		;
}

static void test_replaced(void **state)
{
	assert_int_equal(fan_watch(fan, at("agent")), 0);
	/* By rename, as package managers do. */
	copy("/bin/true", at("new"));
	assert_int_equal(rename(at("new"), at("agent")), 0);
	settle();
	exec_is_asked(at("agent"), 1, 0);
	/* Removed and made again: the inode number may be the same. */
	for (unsigned i = 2; i < 5; i++) {
		assert_int_equal(unlink(at("agent")), 0);
		copy("/bin/true", at("agent"));
		settle();
		exec_is_asked(at("agent"), i, 0);
	}
	/* Moved away: still held, but no longer the path's file. */
	assert_int_equal(rename(at("agent"), at("moved")), 0);
	settle();
	assert_false(fan_watching(fan, 0));
	exec_is_asked(at("moved"), 5, -1);
	/* Through another name of the same file. */
	assert_int_equal(rename(at("moved"), at("agent")), 0);
	settle();
	assert_int_equal(link(at("agent"), at("alias")), 0);
	exec_is_asked(at("alias"), 6, 0);
	assert_string_equal(seen.path, at("alias"));
	assert_string_equal(fan_path(fan, seen.watch), at("agent"));
	assert_null(fan_path(fan, -1));
	assert_null(fan_path(fan, 1));
}

static void test_not_yet_there(void **state)
{
	assert_int_equal(fan_watch(fan, at("future")), 0);
	assert_false(fan_watching(fan, 0));
	copy("/bin/true", at("future"));
	settle();
	assert_true(fan_watching(fan, 0));
	exec_is_asked(at("future"), 1, 0);
	/* Where even the folder is missing, the next look finds it. */
	assert_int_equal(fan_watch(fan, at("sub/agent")), 1);
	assert_int_equal(mkdir(at("sub"), 0755), 0);
	copy("/bin/true", at("sub/agent"));
	assert_int_equal(fan_recheck(fan), 1);
	exec_is_asked(at("sub/agent"), 2, 1);
	assert_int_equal(fan_recheck(fan), 0);
}

static void test_symlink(void **state)
{
	copy("/bin/true", at("v2"));
	assert_int_equal(symlink("agent", at("current")), 0);
	assert_int_equal(fan_watch(fan, at("current")), 0);
	exec_is_asked(at("current"), 1, 0);
	assert_string_equal(seen.path, at("agent"));
	assert_int_equal(symlink("v2", at("next")), 0);
	assert_int_equal(rename(at("next"), at("current")), 0);
	settle();
	exec_is_asked(at("current"), 2, 0);
	assert_string_equal(seen.path, at("v2"));
}

static void test_refused_paths(void **state)
{
	assert_int_equal(fan_watch(fan, dir), -EINVAL);
	assert_int_equal(fan_watch(fan, at("agent")), 0);
	assert_int_equal(fan_watch(fan, at("agent")), 1);
	exec_is_asked(at("agent"), 1, 0);
}

/* A "#!" script asks once for itself and once for its interpreter, of one process. */
static void test_script(void **state)
{
	char text[256];
	pid_t pid;

	(void)snprintf(text, sizeof(text), "#!%s\n", at("agent"));
	assert_int_equal(file_replace(at("script"), text, strlen(text), 0755), 0);
	assert_int_equal(fan_watch(fan, at("agent")), 0);
	assert_int_equal(fan_watch(fan, at("script")), 1);
	seen.verdict = FAN_VERDICT_LATER;
	pid = start(at("script"));
	until_held(1);
	assert_int_equal(seen.watch, 1);
	assert_int_equal(fan_answer(fan, seen.token, true), 0);
	until_held(1);
	assert_int_equal(seen.watch, 0);
	assert_int_equal(seen.pid, pid);
	assert_int_equal(fan_answer(fan, seen.token, true), 0);
	assert_int_equal(finish(pid), 0);
	assert_int_equal(seen.calls, 2);
}

static void test_exempt(void **state)
{
	int go[2];
	pid_t pid;

	assert_int_equal(fan_watch(fan, at("agent")), 0);
	seen.verdict = FAN_VERDICT_DENY;
	assert_int_equal(pipe(go), 0);
	pid = fork();
	if (pid == 0) {
		char ch;

		close(go[1]);
		(void)!read(go[0], &ch, 1);
		execl(at("agent"), "agent", (char *)NULL);
		_exit(EXIT_NO_EXEC);
	}
	assert_int_equal(fan_exempt(fan, pid), 0);
	close(go[0]);
	close(go[1]);
	assert_int_equal(finish(pid), 0);
	assert_int_equal(seen.calls, 0);
	fan_unexempt(fan, pid);
	fan_unexempt(fan, pid);
	exec_is_asked(at("agent"), 1, 0);
}

/* An orderly end refuses what waits, read or not. */
static void test_free_denies(void **state)
{
	pid_t a, b;
	int status;

	assert_int_equal(fan_watch(fan, at("agent")), 0);
	seen.verdict = FAN_VERDICT_LATER;
	a = start(at("agent"));
	until_held(1);
	b = start(at("agent"));
	/* Let it arrive in the queue without being read. */
	(void)poll(NULL, 0, 200);
	fan_free(fan);
	fan = NULL;
	assert_int_equal(waitpid(a, &status, 0), a);
	assert_int_equal(WEXITSTATUS(status), EXIT_NO_EXEC);
	assert_int_equal(waitpid(b, &status, 0), b);
	assert_int_equal(WEXITSTATUS(status), EXIT_NO_EXEC);
}

static void __attribute__((noreturn)) be_supervisor(int ready)
{
	struct loop *l;
	struct fan *f;

	if (loop_new(&l) < 0 || fan_new(l, on_exec, NULL, &f) < 0 || fan_watch(f, at("agent")) < 0)
		_exit(1);
	seen.verdict = FAN_VERDICT_LATER;
	(void)!write(ready, "w", 1);
	while (seen.calls == 0)
		(void)loop_once(l, 100);
	(void)!write(ready, "h", 1);
	for (;;)
		pause();
}

/* What the header says of a supervisor that dies: the kernel lets go, so a guard must stand behind. */
static void test_death_releases(void **state)
{
	pid_t supervisor, child;
	int ready[2], status;
	char ch;

	assert_int_equal(pipe(ready), 0);
	supervisor = fork();
	if (supervisor == 0)
		be_supervisor(ready[1]);
	close(ready[1]);
	assert_int_equal(read(ready[0], &ch, 1), 1);
	child = start(at("agent"));
	assert_int_equal(read(ready[0], &ch, 1), 1);
	assert_int_equal(waitpid(child, &status, WNOHANG), 0);
	assert_int_equal(kill(supervisor, SIGKILL), 0);
	assert_int_equal(waitpid(supervisor, &status, 0), supervisor);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(WEXITSTATUS(status), 0);
	close(ready[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_allow_deny, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_later, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_killed, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_replaced, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_not_yet_there, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_symlink, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_refused_paths, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_script, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_exempt, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_free_denies, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_death_releases, set_up, tear_down),
	};
	int r;

	if (loop_new(&loop) < 0)
		return 1;
	r = fan_new(loop, on_exec, NULL, &fan);
	if (r < 0) {
		(void)printf("skip: fanotify permission events: %s\n", strerror(-r));
		return r == -EPERM || r == -ENOSYS || r == -EINVAL ? 77 : 1;
	}
	fan_free(fan);
	loop_free(loop);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
