// SPDX-License-Identifier: Apache-2.0
/* The command `tollgate policy check`, with what it prints caught in files. */
#include "user/cli/policy.c"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static char dir[] = "/tmp/cli-policy-XXXXXX";

static const char *path_of(const char *name)
{
	static char path[4][128];
	static unsigned k;

	k = (k + 1) % 4;
	snprintf(path[k], sizeof(path[k]), "%s/%s", dir, name);
	return path[k];
}

static void write_file(const char *name, const char *text)
{
	assert_int_equal(file_replace(path_of(name), text, strlen(text), 0600), 0);
}

static int redirect(int fd, const char *name)
{
	int old = dup(fd), to = open(path_of(name), O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);

	assert_true(old >= 0 && to >= 0);
	dup2(to, fd);
	close(to);
	return old;
}

/* Runs the command; standard output is in out, standard error in err. */
static int run(const char *a, const char *b, const char *c, struct buf *out, struct buf *err)
{
	struct cli cli = { 0 };
	char *argv[] = { (char *)"policy", (char *)a, (char *)b, (char *)c, NULL };
	int argc = 1, r, fd[2];

	while (argv[argc])
		argc++;
	fflush(stdout);
	fd[0] = redirect(1, "out");
	fd[1] = redirect(2, "err");
	r = cli_policy(&cli, argc, argv);
	fflush(stdout);
	dup2(fd[0], 1);
	dup2(fd[1], 2);
	close(fd[0]);
	close(fd[1]);
	assert_int_equal(file_read(path_of("out"), 1 << 20, out), 0);
	assert_int_equal(file_read(path_of("err"), 1 << 20, err), 0);
	return r;
}

static void good_files(void **state)
{
	_cleanup_buf_ struct buf out = { 0 }, err = { 0 };

	write_file(
		"good",
		"permit(principal, action, resource);\n@id(\"x\") forbid(principal, action, resource);");
	assert_int_equal(run("check", path_of("good"), NULL, &out, &err), CLI_OK);
	assert_string_equal(buf_cstr(&out), "2 policies in 1 file, no errors\n");
	assert_int_equal(buf_len(&err), 0);
}

static void errors_are_explained(void **state)
{
	_cleanup_buf_ struct buf out = { 0 }, err = { 0 };
	char want[512];

	write_file(
		"bad",
		"permit(principal, action, resource)\nwhen {\n\tcontext.a = 1\n};\n\nallow(x);\n");
	assert_int_equal(run("check", path_of("bad"), NULL, &out, &err), CLI_FAILED);
	snprintf(want, sizeof(want),
		 "%s/bad:3:12: `=` is no operator: write `==`\n"
		 "    \tcontext.a = 1\n"
		 "    \t          ^\n"
		 "%s/bad:6:1: unexpected `allow`, expected `permit` or `forbid`\n"
		 "    allow(x);\n"
		 "    ^\n",
		 dir, dir);
	assert_string_equal(buf_cstr(&err), want);
	assert_int_equal(buf_len(&out), 0);
}

static void odd_texts(void **state)
{
	_cleanup_buf_ struct buf out = { 0 }, err = { 0 };
	char line[2048];

	write_file("empty", "");
	assert_int_equal(run("check", path_of("empty"), NULL, &out, &err), CLI_OK);
	memset(line, ' ', sizeof(line));
	strcpy(line + sizeof(line) - 20, "\xc3\xa9\xc3\xa9(\x01)");
	write_file("long", line);
	assert_int_equal(run("check", path_of("long"), NULL, &out, &err), CLI_FAILED);
	assert_true(buf_len(&err) < 400);
	write_file("broken", "permit(\xff");
	buf_clear(&err);
	assert_int_equal(run("check", path_of("broken"), NULL, &out, &err), CLI_FAILED);
	assert_non_null(strstr(buf_cstr(&err), "broken:1:8: the text is not valid UTF-8"));
	buf_clear(&err);
	write_file("end", "permit(principal");
	assert_int_equal(run("check", path_of("end"), NULL, &out, &err), CLI_FAILED);
	assert_non_null(strstr(buf_cstr(&err), "end:1:17: unexpected end of the text"));
}

static void json_is_one_document(void **state)
{
	_cleanup_buf_ struct buf out = { 0 }, err = { 0 };
	char want[512];

	write_file("bad", "permit(principal, action);");
	assert_int_equal(run("check", "--json", path_of("bad"), &out, &err), CLI_FAILED);
	snprintf(
		want, sizeof(want),
		"{\"files\":[{\"file\":\"%s/bad\",\"policies\":0,\"errors\":[{\"line\":1,\"column\":25,\"offset\":24,"
		"\"message\":\"the scope lacks `resource`: it is (principal, action, resource)\"}]}],"
		"\"policies\":0,\"ok\":false}\n",
		dir);
	assert_string_equal(buf_cstr(&out), want);
	assert_int_equal(buf_len(&err), 0);
	buf_clear(&out);
	assert_int_equal(run("check", "/nonexistent/x", "--json", &out, &err), CLI_FAILED);
	assert_non_null(strstr(buf_cstr(&out), "\"message\":\"cannot be read: "));
}

/* Tests run in the top folder. */
static void examples(void **state)
{
	_cleanup_buf_ struct buf out = { 0 }, err = { 0 };

	assert_int_equal(run("check", "policy/examples/coding-agents.cedar",
			     "policy/examples/sensitive.cedar", &out, &err),
			 CLI_OK);
	assert_string_equal(buf_cstr(&out), "9 policies in 2 files, no errors\n");
}

static void usage(void **state)
{
	_cleanup_buf_ struct buf out = { 0 }, err = { 0 };

	assert_int_equal(run(NULL, NULL, NULL, &out, &err), CLI_USAGE);
	assert_int_equal(run("check", NULL, NULL, &out, &err), CLI_USAGE);
	assert_int_equal(run("chekc", "x", NULL, &out, &err), CLI_USAGE);
	assert_int_equal(run("check", "--frob", "x", &out, &err), CLI_USAGE);
	assert_int_equal(buf_len(&out), 0);
	assert_int_equal(run("--help", NULL, NULL, &out, &err), CLI_OK);
	assert_true(buf_len(&out) > 0);
}

static int make_dir(void **state)
{
	return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
	static const char *const names[] = { "good",   "bad", "empty", "long",
					     "broken", "end", "out",   "err" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		unlink(path_of(names[i]));
	return rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_files), cmocka_unit_test(errors_are_explained),
		cmocka_unit_test(odd_texts),  cmocka_unit_test(json_is_one_document),
		cmocka_unit_test(examples),
		cmocka_unit_test(usage),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
