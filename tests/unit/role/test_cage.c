// SPDX-License-Identifier: Apache-2.0
/* What the catalog declares of a server, held against running processes. */
#include "user/role/cage.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "user/base/buf.h"
#include "user/base/cleanup.h"
#include "user/mcp/canon.h"
#include "user/mcp/catalog.h"
#include "user/proc/package.h"
#include "user/role/sandbox.h"

static char dir[64], program[128], script[128], shell[PATH_MAX];

struct server {
	pid_t pid;
	int end; /* closing it ends the server */
};

static void start(struct server *s, const char *const argv[])
{
	char exe[PATH_MAX], link[64];
	int p[2];

	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	s->pid = fork();
	assert_true(s->pid >= 0);
	if (s->pid == 0) {
		dup2(p[0], 0);
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		execve(argv[0], (char *const *)(uintptr_t)argv, (char *const[]){ NULL });
		_exit(127);
	}
	close(p[0]);
	s->end = p[1];
	(void)snprintf(link, sizeof(link), "/proc/%d/exe", (int)s->pid);
	do { /* until the exec is over */
		ssize_t n = readlink(link, exe, sizeof(exe) - 1);

		exe[n > 0 ? n : 0] = '\0';
		usleep(500);
	} while (strcmp(exe, argv[0]) != 0);
}

static void stop(struct server *s)
{
	close(s->end);
	assert_int_equal(waitpid(s->pid, NULL, 0), s->pid);
}

static void digest_text(const char *path, char ret[SHA256_PREFIXED_SIZE])
{
	_cleanup_close_ int fd = open(path, O_PATH | O_CLOEXEC);
	struct package p;

	assert_int_equal(package_measure(fd, false, &p), 0);
	sha256_prefixed(p.digest, ret);
}

/* A catalog with one server, and these members of spawn behind its command. */
static struct catalog *catalog_of(const char *command, const char *args, const char *members)
{
	static const char definition[] = "{\"description\":\"d\",\"input_schema\":{}}";
	_cleanup_buf_ struct buf b = { 0 }, scratch = { 0 };
	char hash[SHA256_PREFIXED_SIZE], err[CATALOG_ERROR_MAX];
	uint8_t digest[SHA256_SIZE];
	struct catalog *c = NULL;
	struct tape t = { 0 };

	assert_int_equal(tape_parse(&t, span_of(definition), NULL), 0);
	assert_int_equal(canon_digest(&t, 0, &scratch, digest), 0);
	tape_done(&t);
	sha256_prefixed(digest, hash);
	buf_printf(&b, "[{\"tool_name\":\"t\",\"server\":{\"display_name\":\"s\",\"transport\":\"stdio\",\"spawn\":"
		   "{\"command\":\"%s\",\"args\":[%s]%s%s}},\"approved_definition\":%s,\"definition_hash\":\"%s\","
		   "\"added_at\":\"2026-06-04T00:00:00Z\",\"approved_by\":\"me\"}]", command, args, *members ? "," : "",
		   members, definition, hash);
	if (catalog_parse(buf_span(&b), "c", (struct span){ NULL, 0 }, NULL, &c, err) < 0)
		fail_msg("%s\n%s", err, buf_cstr(&b));
	return c;
}

/* "measured" of the program and one more path, with a digest of it or a given one. */
static const char *measured(const char *first, const char *second, const char *digest)
{
	static char text[3 * PATH_MAX];
	char one[SHA256_PREFIXED_SIZE], two[SHA256_PREFIXED_SIZE];

	digest_text(first, one);
	if (!digest)
		digest_text(second, two);
	(void)snprintf(text, sizeof(text), "\"measured\":[{\"path\":\"%s\",\"digest\":\"%s\"},{\"path\":\"%s\",\"digest\":\"%s\"}]",
		       first, one, second, digest ? digest : two);
	return text;
}

#define OTHER "sha256:0000000000000000000000000000000000000000000000000000000000000000"

static void open_one(const char *members, struct cage *ret)
{
	struct catalog *c = catalog_of(program, "", members);
	struct server s;

	start(&s, (const char *const[]){ program, NULL });
	cage_open(c, s.pid, ret);
	stop(&s);
	catalog_free(c);
}

static void what_declares_nothing_is_left_alone(void **state)
{
	static const uint8_t none[SHA256_SIZE];
	struct cage cage;

	open_one("", &cage);
	assert_memory_equal(cage.spawn.declared, none, sizeof(none));
	assert_false(cage.confined || cage.spawn.measured || *cage.spawn.refused);
	assert_int_equal(cage.ruleset, -1);
}

static void the_right_parts_are_measured(void **state)
{
	struct cage cage;

	open_one(measured(program, dir, NULL), &cage);
	assert_string_equal(cage.spawn.refused, "");
	assert_true(cage.spawn.measured);
	assert_false(cage.confined);
}

static void another_digest_is_refused(void **state)
{
	struct cage cage;
	char text[1024];

	open_one(measured(program, dir, OTHER), &cage);
	assert_false(cage.spawn.measured);
	assert_non_null(strstr(cage.spawn.refused, dir));
	assert_non_null(strstr(cage.spawn.refused, "has digest sha256:"));
	snprintf(text, sizeof(text), "\"measured\":[{\"path\":\"%s\",\"digest\":\"" OTHER "\"}],\"confine\":{}", program);
	open_one(text, &cage);
	assert_non_null(strstr(cage.spawn.refused, program));
	assert_false(cage.confined);
	assert_int_equal(cage.ruleset, -1);
}

static void what_cannot_be_measured_is_refused(void **state)
{
	char fifo[128], gone[128];
	struct cage cage;

	snprintf(gone, sizeof(gone), "%s/gone", dir);
	open_one(measured(program, gone, OTHER), &cage);
	assert_non_null(strstr(cage.spawn.refused, "gone cannot be measured"));
	snprintf(fifo, sizeof(fifo), "%s/fifo", dir);
	assert_int_equal(mkfifo(fifo, 0644), 0);
	open_one(measured(program, dir, OTHER), &cage);
	assert_int_equal(unlink(fifo), 0);
	assert_non_null(strstr(cage.spawn.refused, "/fifo cannot be measured"));
}

/* A file that was put in the command's place since it was started is not what runs. */
static void the_running_image_is_what_counts(void **state)
{
	char text[1024], digest[SHA256_PREFIXED_SIZE], aside[160];
	struct catalog *c;
	struct server s;
	struct cage cage;

	digest_text(program, digest);
	snprintf(text, sizeof(text), "\"measured\":[{\"path\":\"%s\",\"digest\":\"%s\"}]", program, digest);
	c = catalog_of(program, "", text);
	start(&s, (const char *const[]){ program, NULL });
	snprintf(aside, sizeof(aside), "%s.aside", program);
	assert_int_equal(rename(program, aside), 0);
	assert_int_equal(symlink("/bin/true", program), 0);
	cage_open(c, s.pid, &cage); /* its path is another now, so it is no server of the catalog */
	assert_false(cage.spawn.measured);
	assert_int_equal(rename(aside, program), 0);
	cage_open(c, s.pid, &cage);
	assert_true(cage.spawn.measured);
	stop(&s);
	catalog_free(c);
}

static void a_script_that_is_not_covered_is_unmeasured(void **state)
{
	char args[160];
	struct server s;
	struct cage cage;
	struct catalog *c;

	snprintf(args, sizeof(args), "\"%s\"", script);
	c = catalog_of(shell, args, measured(shell, "/bin/true", NULL));
	start(&s, (const char *const[]){ shell, script, NULL });
	cage_open(c, s.pid, &cage);
	assert_false(cage.spawn.measured);
	assert_string_equal(cage.spawn.refused, "");
	catalog_free(c);
	c = catalog_of(shell, args, measured(shell, dir, NULL));
	cage_open(c, s.pid, &cage);
	assert_true(cage.spawn.measured);
	stop(&s);
	catalog_free(c);
}

static void rules_are_made(void **state)
{
	struct cage cage;

	if (sandbox_landlock_abi() == 0) {
		open_one("\"confine\":{}", &cage);
		assert_non_null(strstr(cage.spawn.refused, "no Landlock"));
		assert_false(cage.confined);
		skip();
	}
	open_one("\"confine\":{\"env\":[\"A\",\"LONG_NAME\"],\"filesystem\":{\"read\":[\"/nowhere\",\"/etc\"]}}", &cage);
	assert_string_equal(cage.spawn.refused, "");
	assert_true(cage.confined && !cage.spawn.measured && cage.ruleset >= 0);
	assert_false(cage.how.network);
	assert_int_equal(cage.how.env_len, 12);
	assert_memory_equal(cage.how.env, "A\0LONG_NAME", 12);
	assert_int_equal(cage.how.abi, sandbox_landlock_abi());
	cage_done(&cage);
	open_one("\"confine\":{\"network\":true}", &cage);
	assert_true(cage.confined && cage.how.network);
	cage_done(&cage);
}

/* In a process of its own: the rules hold for the file system of the server, by what the rules say. */
static void rules_hold(void **state)
{
	char text[512], hidden[128];
	struct cage cage;
	pid_t pid;
	int st;

	if (sandbox_landlock_abi() == 0)
		skip();
	snprintf(hidden, sizeof(hidden), "%s-hidden", dir);
	assert_int_equal(mkdir(hidden, 0755), 0);
	snprintf(text, sizeof(text), "\"confine\":{\"filesystem\":{\"read\":[\"%s\"]}}", dir);
	open_one(text, &cage);
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
		if (syscall(SYS_landlock_restrict_self, cage.ruleset, 0) < 0)
			_exit(1);
		if (open(script, O_RDONLY) < 0 || open("/usr", O_RDONLY | O_DIRECTORY) < 0 || open("/dev/null", O_RDWR) < 0)
			_exit(2);
		if (open(script, O_WRONLY) >= 0 || open(hidden, O_RDONLY | O_DIRECTORY) >= 0 ||
		    open("/etc/shadow", O_RDONLY) >= 0 || open("/proc/self/environ", O_RDONLY) >= 0)
			_exit(3);
		if (mkdir("/usr/x", 0755) == 0 || unlink(script) == 0)
			_exit(4);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &st, 0), pid);
	assert_int_equal(st, 0);
	assert_int_equal(rmdir(hidden), 0);
	cage_done(&cage);
}

static int setup(void **state)
{
	char cmd[512];

	(void)state;
	(void)strcpy(dir, "/tmp/cage-XXXXXX");
	assert_non_null(mkdtemp(dir));
	(void)snprintf(program, sizeof(program), "%s/server", dir);
	(void)snprintf(script, sizeof(script), "%s/server.sh", dir);
	assert_non_null(realpath("/bin/sh", shell));
	(void)snprintf(cmd, sizeof(cmd), "cp /bin/cat '%s' && echo 'read x' >'%s'", program, script);
	return system(cmd);
}

static int teardown(void **state)
{
	char cmd[128];

	(void)state;
	(void)snprintf(cmd, sizeof(cmd), "rm -rf '%s'", dir);
	return system(cmd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_declares_nothing_is_left_alone),
		cmocka_unit_test(the_right_parts_are_measured),
		cmocka_unit_test(another_digest_is_refused),
		cmocka_unit_test(what_cannot_be_measured_is_refused),
		cmocka_unit_test(the_running_image_is_what_counts),
		cmocka_unit_test(a_script_that_is_not_covered_is_unmeasured),
		cmocka_unit_test(rules_are_made),
		cmocka_unit_test(rules_hold),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
