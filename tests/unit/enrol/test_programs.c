// SPDX-License-Identifier: Apache-2.0
/* Agents' programs by content: run by their loader, and as copies without a name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "user/base/cleanup.h"
#include "user/conf/conf.h"
#include "user/enrol/match.h"
#include "user/enrol/programs.h"
#include "user/kern/guard.h"
#include "user/proc/elf.h"
#include "user/proc/identity.h"

#define NAME_SIZE 128
static char top[64], agent[NAME_SIZE], shell[NAME_SIZE], script[NAME_SIZE], other[NAME_SIZE], loader[NAME_SIZE];
static struct conf conf;
static struct programs *programs;

static void copy(const char *from, const char *name, char ret[NAME_SIZE])
{
	char command[512];

	snprintf(ret, NAME_SIZE, "%s/%s", top, name);
	snprintf(command, sizeof(command), "cp %s %s", from, ret);
	assert_int_equal(system(command), 0);
}

/* Longer by a byte: a Tollgate that guards this machine meanwhile looks at what is as long as its own agents' programs. */
static void lengthen(const char *path)
{
	FILE *f = fopen(path, "ae");

	assert_non_null(f);
	assert_int_equal(fputc('x', f), 'x');
	fclose(f);
}

/* A program that asks for our loader, which nobody else guards: its path is written over the longer one. */
static void program(const char *from, const char *name, char ret[NAME_SIZE])
{
	char head[4096], old[NAME_SIZE], *at;
	int fd;

	copy(from, name, ret);
	lengthen(ret);
	fd = open(ret, O_RDWR | O_CLOEXEC);
	assert_int_equal(elf_interpreter(fd, old, sizeof(old)), 0);
	if (!*loader) {
		copy(old, "l", loader);
		lengthen(loader);
	}
	assert_true(strlen(loader) <= strlen(old));
	assert_int_equal(pread(fd, head, sizeof(head), 0), sizeof(head));
	at = memmem(head, sizeof(head), old, strlen(old));
	assert_non_null(at);
	memset(at, 0, strlen(old));
	memcpy(at, loader, strlen(loader));
	assert_int_equal(pwrite(fd, head, sizeof(head), 0), sizeof(head));
	close(fd);
}

static int set_up(void **state)
{
	struct conf_error e = { 0 };
	char text[8 * NAME_SIZE];

	strcpy(top, "/tmp/tollgate-XXXXXX");
	assert_non_null(mkdtemp(top));
	assert_int_equal(chmod(top, 0755), 0);
	loader[0] = '\0';
	program("/bin/sleep", "agent", agent);
	program("/bin/sh", "shell", shell);
	program("/bin/cat", "other", other);
	copy("/dev/null", "script", script);
	snprintf(text, sizeof(text),
		 "agents:\n- {name: a, exe: %s}\n- {name: s, exe: %s, script: %s}\n- {name: u, uid: 64998}\n"
		 "- {name: au, exe: %s, uid: 64997}\n", agent, shell, script, agent);
	assert_int_equal(conf_parse("t", text, strlen(text), &conf, &e), 0);
	assert_int_equal(programs_new(&conf, &programs), 0);
	programs_refresh(programs);
	return 0;
}

static int tear_down(void **state)
{
	char command[128];

	programs_free(programs);
	conf_free(&conf);
	snprintf(command, sizeof(command), "rm -rf %s", top);
	return system(command);
}

/* --- processes that stand at their first instruction ----------------------------------------------- */

struct start {
	const char *file; /* NULL: fd */
	int fd;
	const char *argv[8];
	uid_t uid;
};

static pid_t started(const struct start *s)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		if (chdir(top) < 0 || (s->uid && setresuid(s->uid, s->uid, s->uid) < 0) ||
		    ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0)
			_exit(1);
		if (s->file)
			execv(s->file, (char *const *)s->argv);
		else
			fexecve(s->fd, (char *const *)s->argv, environ);
		_exit(2);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSTOPPED(status));
	return pid;
}

static int match_of(const struct start *s, struct match *ret)
{
	struct proc_identity id;
	pid_t pid = started(s);
	int r;

	assert_int_equal(proc_identity_read(pid, &id), 0);
	memset(ret, 0, sizeof(*ret));
	ret->agent = -1;
	r = programs_match(programs, &id, ret);
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	return r;
}

static void expect(const struct start *s, int agent_index)
{
	struct match m;
	int r = match_of(s, &m);

	assert_int_equal(r, agent_index >= 0);
	if (r > 0) {
		assert_int_equal(m.is, MATCH_AGENT);
		assert_int_equal(m.agent, agent_index);
		assert_non_null(strstr(m.reason, ", run "));
	}
}

static void by_loader(void **state)
{
	char link[NAME_SIZE], hard[NAME_SIZE];

	snprintf(link, sizeof(link), "%s/link", top);
	snprintf(hard, sizeof(hard), "%s/hard", top);
	assert_int_equal(symlink("agent", link), 0);
	assert_int_equal(linkat(AT_FDCWD, agent, AT_FDCWD, hard, 0), 0);
	expect(&(struct start){ .file = loader, .argv = { "x", agent } }, 0);
	expect(&(struct start){ .file = loader, .argv = { "x", "--argv0", other, agent } }, 0);
	expect(&(struct start){ .file = loader, .argv = { "x", link } }, 0);
	expect(&(struct start){ .file = loader, .argv = { "x", hard } }, 0);
	expect(&(struct start){ .file = loader, .argv = { "x", "./agent" } }, 0);
	expect(&(struct start){ .file = loader, .argv = { "x", "./nothing", "agent" } }, 0);
	/* The most exact selectors that hold, as for any process. */
	expect(&(struct start){ .file = loader, .argv = { "x", agent }, .uid = 64997 }, 3);
	/* The program itself was executed: that is not asked here. */
	expect(&(struct start){ .file = agent, .argv = { "x" } }, -1);
	expect(&(struct start){ .file = loader, .argv = { "x", other } }, -1);
	expect(&(struct start){ .file = loader, .argv = { "x", "--version" } }, -1);
	expect(&(struct start){ .file = other, .argv = { "x", agent } }, -1);
}

static void scripts_by_loader(void **state)
{
	struct match m;

	expect(&(struct start){ .file = loader, .argv = { "x", shell, script } }, 1);
	expect(&(struct start){ .file = loader, .argv = { "x", shell, "-e", "script" } }, 1);
	expect(&(struct start){ .file = loader, .argv = { "x", shell, other } }, -1);
	assert_int_equal(match_of(&(struct start){ .file = loader, .argv = { "x", other, script } }, &m), 0);
}

/* A file without a name and with these bytes, that can be executed. */
static int nameless(const char *of, size_t cut)
{
	_cleanup_close_ int from = open(of, O_RDONLY | O_CLOEXEC), fd = memfd_create("x", MFD_CLOEXEC);
	struct stat st;
	char self[32];

	assert_int_equal(fstat(from, &st), 0);
	assert_int_equal(sendfile(fd, from, NULL, (size_t)st.st_size), st.st_size);
	if (cut) {
		/* Behind what is loaded, so it still runs. */
		assert_int_equal(pwrite(fd, "y", 1, st.st_size - (off_t)cut), 1);
	}
	snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
	return open(self, O_RDONLY | O_CLOEXEC);
}

static void copies(void **state)
{
	_cleanup_close_ int same = nameless(agent, 0), differs = nameless(agent, 1), sh = nameless(shell, 0);
	_cleanup_close_ int ld = nameless(loader, 0), kept = fcntl(same, F_DUPFD, 50);
	char number[32];

	expect(&(struct start){ .fd = same, .argv = { "x" } }, 0);
	expect(&(struct start){ .fd = differs, .argv = { "x" } }, -1);
	expect(&(struct start){ .fd = sh, .argv = { "x", script } }, 1);
	expect(&(struct start){ .fd = sh, .argv = { "x", other } }, -1);
	expect(&(struct start){ .fd = ld, .argv = { "x", agent } }, 0);
	snprintf(number, sizeof(number), "/proc/self/fd/%d", kept);
	expect(&(struct start){ .file = loader, .argv = { "x", number } }, 0);
}

static void deleted(void **state)
{
	char path[NAME_SIZE];
	int fd;

	copy(agent, "copy", path);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	expect(&(struct start){ .fd = fd, .argv = { "x" } }, -1); /* it has a name: a program of its own */
	assert_int_equal(unlink(path), 0);
	expect(&(struct start){ .fd = fd, .argv = { "x" } }, 0);
	close(fd);
}

static void cannot_be_told(void **state)
{
	static const char *many[5002];
	_cleanup_close_ int same = nameless(agent, 0);
	struct match m;
	struct start s = { .file = loader, .argv = { "x", "agent-of-a-library-path" } };
	pid_t pid;
	struct proc_identity id;

	assert_int_equal(match_of(&s, &m), -ENOENT);
	assert_non_null(strstr(m.reason, "without '/'"));
	/* More arguments than are looked at. */
	for (size_t i = 0; i < ARRAY_SIZE(many) - 1; i++)
		many[i] = "/";
	pid = fork();
	if (pid == 0) {
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		execv(loader, (char *const *)many);
		_exit(2);
	}
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_int_equal(proc_identity_read(pid, &id), 0);
	assert_int_equal(programs_match(programs, &id, &m), -E2BIG);
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_true(programs_match(programs, &id, &m) < 0); /* gone */
}

/* What changed is known by the next look, and what cannot be read is known as it was. */
static void follows_changes(void **state)
{
	_cleanup_close_ int before = nameless(agent, 0), after = nameless(other, 0);
	char path[NAME_SIZE];

	copy(other, "fresh", path);
	assert_int_equal(rename(path, agent), 0);
	programs_refresh(programs);
	expect(&(struct start){ .fd = after, .argv = { "x" } }, 0);
	expect(&(struct start){ .fd = before, .argv = { "x" } }, -1);
	assert_int_equal(unlink(agent), 0);
	programs_refresh(programs);
	expect(&(struct start){ .fd = after, .argv = { "x" } }, 0);
}

static bool suspect(const struct start *s)
{
	pid_t pid = started(s);
	bool is = programs_suspect(programs, pid);

	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	return is;
}

static void suspects(void **state)
{
	_cleanup_close_ int differs = nameless(agent, 1), cat = nameless(other, 0), ld = nameless(loader, 0);

	assert_true(suspect(&(struct start){ .file = loader, .argv = { "x" } }));
	assert_true(suspect(&(struct start){ .fd = differs, .argv = { "x" } }));
	assert_true(suspect(&(struct start){ .fd = ld, .argv = { "x" } }));
	assert_false(suspect(&(struct start){ .fd = cat, .argv = { "x" } }));
	assert_false(suspect(&(struct start){ .file = agent, .argv = { "x" } }));
	assert_false(programs_suspect(programs, 1 << 22));
}

/* No descriptor is left to look with: nobody knows what it runs. */
static void suspects_what_it_cannot_see(void **state)
{
	struct rlimit before, none;
	pid_t pid = started(&(struct start){ .file = agent, .argv = { "x" } });
	bool is, gone;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	none = (struct rlimit){ .rlim_cur = 0, .rlim_max = before.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	is = programs_suspect(programs, pid);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	gone = programs_suspect(programs, pid);
	assert_true(is);
	assert_false(gone);
	assert_false(programs_suspect(programs, 2)); /* the kernel's */
}

static void selectors(void **state)
{
	struct kern_selector s[4 * PROGRAMS_SELECTORS];
	unsigned loaders = 0, sizes = 0;
	struct stat st;
	size_t n = programs_selectors(programs, s);

	assert_int_equal(stat(agent, &st), 0);
	for (size_t i = 0; i < n; i++) {
		loaders += s[i].kind == TG_SEL_LOADER;
		sizes += s[i].kind == TG_SEL_SIZE && s[i].size == (uint64_t)st.st_size;
	}
	assert_int_equal(loaders, 1); /* of both, told once */
	assert_true(sizes >= 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(by_loader, set_up, tear_down),
		cmocka_unit_test_setup_teardown(scripts_by_loader, set_up, tear_down),
		cmocka_unit_test_setup_teardown(copies, set_up, tear_down),
		cmocka_unit_test_setup_teardown(deleted, set_up, tear_down),
		cmocka_unit_test_setup_teardown(cannot_be_told, set_up, tear_down),
		cmocka_unit_test_setup_teardown(follows_changes, set_up, tear_down),
		cmocka_unit_test_setup_teardown(suspects, set_up, tear_down),
		cmocka_unit_test_setup_teardown(suspects_what_it_cannot_see, set_up, tear_down),
		cmocka_unit_test_setup_teardown(selectors, set_up, tear_down),
	};

	if (geteuid() != 0) {
		printf("skip: needs root\n");
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
