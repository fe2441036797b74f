// SPDX-License-Identifier: Apache-2.0
#include "user/proc/identity.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "user/base/buf.h"
#include "user/base/file.h"
#include "user/proc/environ.h"
#include "user/proc/tree.h"

static void write_file(const char *dir, const char *name, const char *text, char *ret)
{
	int fd;

	snprintf(ret, PATH_MAX, "%s/%s", dir, name);
	fd = open(ret, O_CREAT | O_WRONLY | O_TRUNC | O_CLOEXEC, 0755);
	assert_true(fd >= 0);
	assert_int_equal(fd_write_all(fd, text, strlen(text)), 0);
	close(fd);
}

/* Starts a program that waits on its standard input; the returned descriptor ends it. */
static pid_t start(const char *cwd, const char *const argv[], const char *const envp[],
		   int *ret_end)
{
	int p[2];
	pid_t pid;

	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		dup2(p[0], 0);
		if (cwd && chdir(cwd) < 0)
			_exit(126);
		execve(argv[0], (char *const *)(uintptr_t)argv, (char *const *)(uintptr_t)envp);
		_exit(127);
	}
	close(p[0]);
	*ret_end = p[1];
	/* until the exec is over: its arguments are its own only at the end */
	for (;;) {
		char link[PATH_MAX], want[PATH_MAX], path[64];
		_cleanup_buf_ struct buf args = { 0 };
		struct proc_stat st;
		ssize_t n;

		snprintf(path, sizeof(path), "/proc/%d/exe", (int)pid);
		n = readlink(path, link, sizeof(link) - 1);
		assert_true(n > 0);
		link[n] = '\0';
		assert_non_null(realpath(argv[0], want));
		snprintf(path, sizeof(path), "/proc/%d/cmdline", (int)pid);
		if (strcmp(link, want) == 0 && file_read(path, 1 << 20, &args) == 0 && buf_len(&args) > 0 &&
		    proc_stat_read(pid, &st) == 0 && st.state == 'S')
			break;
		usleep(500);
	}
	return pid;
}

static void end(pid_t pid, int fd)
{
	close(fd);
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void expect_digest(const char *path, const uint8_t digest[SHA256_SIZE])
{
	uint8_t want[SHA256_SIZE];
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	assert_int_equal(sha256_fd(fd, want), 0);
	close(fd);
	assert_memory_equal(want, digest, SHA256_SIZE);
}

static void a_shell_script(void **state)
{
	char dir[] = "/tmp/tollgate-test-XXXXXX", path[PATH_MAX], link[PATH_MAX], sh[PATH_MAX];
	struct proc_identity id;
	struct stat ns;
	pid_t pid;
	int fd;

	assert_non_null(mkdtemp(dir));
	assert_non_null(realpath("/bin/sh", sh));
	write_file(dir, "server.sh", "read x\nexit 0\n", path);
	snprintf(link, sizeof(link), "%s/link", dir);
	assert_int_equal(symlink("server.sh", link), 0);
	/* absolute, relative, and through a link: one and the same script */
	for (int i = 0; i < 3; i++) {
		const char *const argv[] = { sh, "-e", i == 0 ? path : i == 1 ? "./server.sh" : "link", "arg", NULL };
		const char *const envp[] = { "HOME=/", "LD_LIBRARY_PATH=/nonexistent", "BASH_ENV=",
				       "NODE_OPTIONS=--require x", NULL };

		pid = start(dir, argv, envp, &fd);
		assert_int_equal(proc_identity_read(pid, &id), 0);
		assert_true(proc_identity_valid(&id));
		assert_int_equal(id.pid, pid);
		assert_int_equal(id.uid, geteuid());
		assert_string_equal(id.exe, sh);
		assert_int_equal(id.exe_measured, 1);
		expect_digest(sh, id.exe_digest);
		assert_string_equal(id.script, path);
		assert_int_equal(id.script_measured, 1);
		expect_digest(path, id.script_digest);
		assert_string_equal(proc_identity_arg(&id, 3), "arg");
		assert_null(proc_identity_arg(&id, 4));
		assert_string_equal(id.loader, "LD_LIBRARY_PATH,NODE_OPTIONS");
		assert_int_equal(stat("/proc/self/ns/net", &ns), 0);
		assert_int_equal(id.netns, ns.st_ino);
		assert_int_equal(id.cgroup[0], '/');
		end(pid, fd);
	}
	unlink(link);
	unlink(path);
	rmdir(dir);
}

static void code_on_the_command_line_is_no_script(void **state)
{
	char sh[PATH_MAX];
	const char *const argv[] = { sh, "-c", "read x", "/bin/sh", NULL };
	const char *const envp[] = { NULL };
	struct proc_identity id;
	pid_t pid;
	int fd;

	assert_non_null(realpath("/bin/sh", sh));
	pid = start(NULL, argv, envp, &fd);
	assert_int_equal(proc_identity_read(pid, &id), 0);
	assert_string_equal(id.script, "");
	assert_int_equal(id.script_measured, 0);
	assert_string_equal(id.loader, "");
	end(pid, fd);
}

/* A file that changes right after it was measured is measured again. */
static void a_changed_script_has_another_digest(void **state)
{
	char dir[] = "/tmp/tollgate-test-XXXXXX", path[PATH_MAX], sh[PATH_MAX];
	struct proc_identity id, id2;
	const char *const argv[] = { sh, path, NULL };
	const char *const envp[] = { NULL };
	pid_t pid;
	int fd;

	assert_non_null(mkdtemp(dir));
	assert_non_null(realpath("/bin/sh", sh));
	write_file(dir, "s", "read x; a\n", path);
	pid = start(NULL, argv, envp, &fd);
	assert_int_equal(proc_identity_read(pid, &id), 0);
	write_file(dir, "s", "read x; b\n", path);
	assert_int_equal(proc_identity_read(pid, &id2), 0);
	assert_memory_not_equal(id.script_digest, id2.script_digest, SHA256_SIZE);
	expect_digest(path, id2.script_digest);
	/* a FIFO in its place neither blocks nor counts */
	unlink(path);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(proc_identity_read(pid, &id2), 0);
	assert_int_equal(id2.script_measured, 0);
	end(pid, fd);
	unlink(path);
	rmdir(dir);
}

/* Below another root, an absolute path and an absolute link mean that root's files. */
static void another_root(void **state)
{
	char dir[] = "/tmp/tollgate-test-XXXXXX", path[PATH_MAX], link[PATH_MAX];
	struct proc_identity id;
	int p[2];
	pid_t pid;
	char c;

	if (geteuid() != 0) {
		print_message("SKIP: needs root (chroot)\n");
		skip();
	}
	/* A copy of this program plays the interpreter: it changes its root after its exec. */
	assert_non_null(mkdtemp(dir));
	write_file(dir, "script", "inner\n", path);
	snprintf(link, sizeof(link), "%s/abs", dir);
	assert_int_equal(symlink("/script", link), 0);
	{
		_cleanup_buf_ struct buf self = { 0 };

		char copy[PATH_MAX];

		assert_int_equal(file_read("/proc/self/exe", 64 << 20, &self), 0);
		snprintf(copy, sizeof(copy), "%s/sh", dir);
		assert_int_equal(file_replace(copy, buf_span(&self).p, buf_len(&self), 0755), 0);
		assert_int_equal(pipe2(p, 0), 0);
		pid = fork();
		if (pid == 0) {
			dup2(p[1], 1);
			execl(copy, "sh", "/abs", dir, NULL);
			_exit(127);
		}
		assert_int_equal(read(p[0], &c, 1), 1);
		assert_int_equal(c, '!');
		assert_int_equal(proc_identity_read(pid, &id), 0);
		assert_string_equal(id.script, "/script");
		assert_int_equal(id.script_measured, 1);
		expect_digest(path, id.script_digest);
		kill(pid, SIGKILL);
		assert_int_equal(waitpid(pid, NULL, 0), pid);
		unlink(copy);
	}
	close(p[0]);
	close(p[1]);
	unlink(link);
	unlink(path);
	rmdir(dir);
}

static int play_interpreter(const char *root)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (chroot(root) < 0 || chdir("/") < 0 || write(1, "!", 1) != 1)
		return 1;
	for (;;)
		pause();
}

static void huge_arguments(void **state)
{
	static char big[20000];
	char sh[PATH_MAX];
	const char *const argv[] = { sh, "-c", "read x; exit", big, NULL };
	const char *const envp[] = { NULL };
	struct proc_identity id;
	pid_t pid;
	int fd;

	memset(big, 'a', sizeof(big) - 1);
	assert_non_null(realpath("/bin/sh", sh));
	pid = start(NULL, argv, envp, &fd);
	assert_int_equal(proc_identity_read(pid, &id), 0);
	assert_true(proc_identity_valid(&id));
	assert_int_equal(id.args_truncated, 1);
	assert_int_equal(id.args_len, PROC_ARGS_MAX);
	assert_int_equal(id.script_measured, 0);
	end(pid, fd);
}

static void vanished_and_zombie(void **state)
{
	struct proc_identity id = { .pid = 77 };
	pid_t pid = fork();
	siginfo_t si;

	if (pid == 0)
		_exit(0);
	assert_int_equal(waitid(P_PID, (id_t)pid, &si, WEXITED | WNOWAIT), 0);
	assert_int_equal(proc_identity_read(pid, &id), -ESRCH);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_int_equal(proc_identity_read(pid, &id), -ESRCH);
	assert_int_equal(id.pid, 77); /* untouched */
	assert_int_equal(proc_identity_read(2, &id), -ESRCH); /* a kernel thread, or nobody here */
}

static void received_identities_are_checked(void **state)
{
	static struct proc_identity good = { .pid = 1, .args = "a\0b", .args_len = 4 };
	static struct proc_identity id;

	assert_true(proc_identity_valid(&good));
	id = good;
	id.args_len = PROC_ARGS_MAX + 1;
	assert_false(proc_identity_valid(&id));
	assert_null(proc_identity_arg(&id, 0));
	id = good;
	id.args_len = 1; /* not terminated */
	assert_false(proc_identity_valid(&id));
	assert_null(proc_identity_arg(&id, 0));
	id = good;
	memset(id.exe, 'x', sizeof(id.exe));
	assert_false(proc_identity_valid(&id));
	id = good;
	memset(id.loader, 'x', sizeof(id.loader));
	assert_false(proc_identity_valid(&id));
	id = good;
	id.exe_measured = 2;
	assert_false(proc_identity_valid(&id));
	id = good;
	id.pid = 0;
	assert_false(proc_identity_valid(&id));
}

static void environment_in_pieces(void **state)
{
	static const char env[] = "A=1\0LD_PRELOAD=/x.so\0LD_PRELOADX=1\0XLD_AUDIT=1\0PYTHONPATH=\0"
				  "BASH_FUNC_ls%%=() { :;}\0ENV=/e";
	char names[256], tiny[20];

	for (size_t cut = 0; cut <= sizeof(env); cut++) {
		struct environ_scan s = { 0 };

		environ_scan_feed(&s, env, cut);
		environ_scan_feed(&s, env + cut, sizeof(env) - cut);
		environ_scan_names(&s, 1, names, sizeof(names));
		assert_string_equal(names, "LD_PRELOAD,ENV,BASH_FUNC_");
		environ_scan_names(&s, 0, names, sizeof(names));
		assert_string_equal(names, "LD_PRELOAD,ENV,BASH_FUNC_,?");
		environ_scan_names(&s, 1, tiny, sizeof(tiny));
		assert_string_equal(tiny, "LD_PRELOAD,ENV,?");
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_shell_script),
		cmocka_unit_test(code_on_the_command_line_is_no_script),
		cmocka_unit_test(a_changed_script_has_another_digest),
		cmocka_unit_test(another_root),
		cmocka_unit_test(huge_arguments),
		cmocka_unit_test(vanished_and_zombie),
		cmocka_unit_test(received_identities_are_checked),
		cmocka_unit_test(environment_in_pieces),
	};

	if (argc == 3 && strcmp(argv[0], "sh") == 0)
		return play_interpreter(argv[2]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
