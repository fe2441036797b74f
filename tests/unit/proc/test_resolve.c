// SPDX-License-Identifier: Apache-2.0
/* Paths as another process sees them: its root, its folder, its /proc/self; and what no path may cost. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "user/proc/resolve.h"

static char top[64];

static void path_in(const char *name, char ret[PATH_MAX])
{
	snprintf(ret, PATH_MAX, "%s/%s", top, name);
}

static void make_file(const char *name)
{
	char path[PATH_MAX];
	int fd;

	path_in(name, path);
	fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
	assert_true(fd >= 0);
	close(fd);
}

static void make_link(const char *target, const char *name)
{
	char path[PATH_MAX];

	path_in(name, path);
	assert_int_equal(symlink(target, path), 0);
}

static int set_up(void **state)
{
	char path[PATH_MAX];

	strcpy(top, "/tmp/tollgate-resolve-XXXXXX");
	assert_non_null(mkdtemp(top));
	path_in("in", path);
	assert_int_equal(mkdir(path, 0755), 0);
	path_in("in/deep", path);
	assert_int_equal(mkdir(path, 0755), 0);
	make_file("file");
	make_file("in/file");
	make_link("file", "link");
	make_link("../file", "in/up");
	make_link("/file", "in/absolute");
	make_link("/proc/self/fd/77", "magic");
	make_link("loop", "loop");
	return 0;
}

static int tear_down(void **state)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf %s", top);
	return system(command);
}

struct child {
	pid_t pid;
	int go;
};

/* A child in a folder, below a root when one is given, that holds open_as as descriptor 77. */
static struct child child_in(const char *root, const char *folder, const char *open_as)
{
	int ready[2], go[2];
	struct child c;
	char byte;

	assert_int_equal(pipe(ready), 0);
	assert_int_equal(pipe(go), 0);
	c.pid = fork();
	if (c.pid == 0) {
		char path[PATH_MAX];

		path_in(open_as, path);
		if (dup2(open(path, O_RDONLY), 77) != 77 || (root && chroot(root) < 0) || chdir(folder) < 0)
			_exit(1);
		close(go[1]);
		(void)!write(ready[1], "", 1);
		(void)!read(go[0], &byte, 1);
		_exit(0);
	}
	close(ready[1]);
	close(go[0]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	c.go = go[1];
	return c;
}

static void child_done(const struct child *c)
{
	close(c->go);
	assert_int_equal(waitpid(c->pid, NULL, 0), c->pid);
}

/* What the path names for the child is the file of that name below top; NULL: see error. */
static void expect(struct proc_view *v, const char *path, const char *name, int error)
{
	int fd = proc_view_resolve(v, path);
	struct stat want, have;
	char real[PATH_MAX];

	if (!name) {
		assert_int_equal(fd, error);
		return;
	}
	if (fd < 0)
		print_error("%s: %d\n", path, fd);
	assert_true(fd >= 0);
	path_in(name, real);
	assert_int_equal(stat(real, &want), 0);
	assert_int_equal(fstat(fd, &have), 0);
	assert_int_equal(want.st_ino, have.st_ino);
	assert_int_equal(want.st_dev, have.st_dev);
	close(fd);
}

static void by_its_folder(void **state)
{
	struct proc_view v = PROC_VIEW_NONE;
	char folder[PATH_MAX], path[PATH_MAX], longest[PATH_MAX + 8], name[300];
	struct child c;

	path_in("in", folder);
	c = child_in(NULL, folder, "file");
	assert_int_equal(proc_view_open(c.pid, &v), 0);
	expect(&v, "file", "in/file", 0);
	expect(&v, "./deep//../file", "in/file", 0);
	expect(&v, "../file", "file", 0);
	expect(&v, "up", "file", 0);
	expect(&v, "../link", "file", 0);
	expect(&v, ".", "in", 0);
	path_in("in/deep/../../link", path);
	expect(&v, path, "file", 0);
	expect(&v, "absolute", NULL, -ENOENT);
	expect(&v, "nothing", NULL, -ENOENT);
	expect(&v, "", NULL, -ENOENT);
	expect(&v, "file/x", NULL, -ENOTDIR);
	expect(&v, "../loop", NULL, -ELOOP);
	memset(name, 'a', 256);
	name[256] = '\0';
	expect(&v, name, NULL, -ENAMETOOLONG);
	memset(longest, '/', PATH_MAX);
	longest[PATH_MAX] = '\0';
	expect(&v, longest, NULL, -ENAMETOOLONG);
	proc_view_done(&v);
	child_done(&c);
}

/* Links of /proc are the child's: of its descriptors, its folder, itself. */
static void by_its_proc(void **state)
{
	struct proc_view v = PROC_VIEW_NONE;
	char folder[PATH_MAX], path[PATH_MAX];
	struct child c;

	path_in("in", folder);
	c = child_in(NULL, folder, "file");
	assert_int_equal(proc_view_open(c.pid, &v), 0);
	expect(&v, "/proc/self/fd/77", "file", 0);
	expect(&v, "/proc/thread-self/fd/77", "file", 0);
	expect(&v, "/dev/fd/77", "file", 0);
	expect(&v, "../magic", "file", 0);
	expect(&v, "/proc/self/cwd/file", "in/file", 0);
	expect(&v, "/proc/self/cwd/../file", "file", 0);
	expect(&v, "/proc/self/fd/76", NULL, -ENOENT);
	snprintf(path, sizeof(path), "/proc/%d/fd/77", (int)c.pid);
	expect(&v, path, "file", 0);
	snprintf(path, sizeof(path), "/proc/self/root%s/link", top);
	expect(&v, path, "file", 0);
	proc_view_done(&v);
	child_done(&c);
}

static void below_its_root(void **state)
{
	struct proc_view v = PROC_VIEW_NONE;
	struct child c;
	char path[PATH_MAX];

	if (geteuid() != 0)
		skip();
	c = child_in(top, "/in", "file");
	assert_int_equal(proc_view_open(c.pid, &v), 0);
	expect(&v, "/file", "file", 0);
	expect(&v, "file", "in/file", 0);
	expect(&v, "absolute", "file", 0);
	expect(&v, "../../../../file", "file", 0);
	path_in("file", path);
	expect(&v, path, NULL, -ENOENT);
	expect(&v, "/magic", NULL, -ENOENT); /* no /proc there */
	proc_view_done(&v);
	child_done(&c);
}

/* Each link doubles what is left to do. */
static void steps_are_bounded(void **state)
{
	struct proc_view v = PROC_VIEW_NONE;
	char target[PATH_MAX] = "", name[32], folder[PATH_MAX];
	struct child c;
	int r = 0;

	for (int i = 0; i < 400; i++)
		strcat(target, "deep/../");
	for (int i = 0; i < 30; i++) {
		char text[PATH_MAX];

		snprintf(text, sizeof(text), "%sl%d", target, i + 1);
		snprintf(name, sizeof(name), "in/l%d", i);
		make_link(text, name);
	}
	make_link("file", "in/l30");
	path_in("in", folder);
	c = child_in(NULL, folder, "file");
	assert_int_equal(proc_view_open(c.pid, &v), 0);
	expect(&v, "l0", "in/file", 0);
	for (int i = 0; i < 8 && r != -E2BIG; i++) {
		r = proc_view_resolve(&v, "l0");
		if (r >= 0)
			close(r);
	}
	assert_int_equal(r, -E2BIG);
	assert_int_equal(proc_view_resolve(&v, "file"), -E2BIG);
	proc_view_done(&v);
	child_done(&c);
}

static void gone(void **state)
{
	struct proc_view v = PROC_VIEW_NONE;
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_int_equal(proc_view_open(pid, &v), -ESRCH);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(by_its_folder, set_up, tear_down),
		cmocka_unit_test_setup_teardown(by_its_proc, set_up, tear_down),
		cmocka_unit_test_setup_teardown(below_its_root, set_up, tear_down),
		cmocka_unit_test_setup_teardown(steps_are_bounded, set_up, tear_down),
		cmocka_unit_test(gone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
