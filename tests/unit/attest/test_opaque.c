// SPDX-License-Identifier: Apache-2.0
/* The token adapter of a managed runtime, played by a child process. */
#include "attest/attest.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static char path[] = "/tmp/test_opaque.XXXXXX";

/* Answers one connection that is only a look, and one that asks; the question must have the right form. */
static pid_t adapter(const char *answer, bool looked_at_first)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int listener = socket(AF_UNIX, SOCK_STREAM, 0);
	pid_t pid;

	(void)unlink(path);
	strcpy(sun.sun_path, path);
	assert_int_equal(bind(listener, (struct sockaddr *)&sun, sizeof(sun)), 0);
	assert_int_equal(listen(listener, 4), 0);
	pid = fork();
	if (pid == 0) {
		char line[256] = "";
		int fd;

		if (looked_at_first)
			close(accept(listener, NULL, NULL));
		fd = accept(listener, NULL, NULL);
		if (read(fd, line, sizeof(line) - 1) != 56 || strncmp(line, "{\"nonce\":\"", 10) != 0 ||
		    strspn(line + 10, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") != 43 ||
		    strcmp(line + 53, "\"}\n") != 0)
			_exit(1);
		_exit(write(fd, answer, strlen(answer)) == (ssize_t)strlen(answer) ? 0 : 1);
	}
	close(listener);
	return pid;
}

static int ask(const char *answer, struct attest_evidence *e)
{
	const struct attest_config c = { .provider = "opaque", .token_socket = path };
	const struct attest_binding b = { .mode = SPAN("enforcing") };
	pid_t pid = adapter(answer, true);
	int r = attest_evidence(&c, SPAN("nonce"), &b, e), status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	return r;
}

static void a_token_is_a_vendors_word(void **state)
{
	struct attest_evidence e = { 0 };

	assert_int_equal(ask("aGVhZA.Ym9keQ.c2ln\n", &e), 0);
	assert_int_equal(e.class, ATTEST_VENDOR_ASSERTED);
	assert_string_equal(e.platform, "opaque");
	assert_true(span_is(attest_evidence_part(&e, "token"), "aGVhZA.Ym9keQ.c2ln"));
	attest_evidence_done(&e);
}

static void what_is_no_token_is_refused(void **state)
{
	static const char *const bad[] = { "", "\n", "a.b", "a.b.c.d", ".b.c", "a.b.", "a.b.c d", "{\"verified\":true}" };
	struct attest_evidence e = { 0 };

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(ask(bad[i], &e), -EBADMSG);
}

/* The adapter hangs up before it is asked. */
static void an_adapter_that_goes_away_is_an_error(void **state)
{
	const struct attest_config c = { .provider = "opaque", .token_socket = path };
	const struct attest_binding b = { .mode = SPAN("enforcing") };
	struct attest_evidence e = { 0 };
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int listener = socket(AF_UNIX, SOCK_STREAM, 0);
	pid_t pid;

	(void)unlink(path);
	strcpy(sun.sun_path, path);
	assert_int_equal(bind(listener, (struct sockaddr *)&sun, sizeof(sun)), 0);
	assert_int_equal(listen(listener, 4), 0);
	pid = fork();
	if (pid == 0) {
		close(accept(listener, NULL, NULL));
		close(accept(listener, NULL, NULL));
		_exit(0);
	}
	close(listener);
	assert_true(attest_evidence(&c, SPAN("nonce"), &b, &e) < 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void it_is_never_chosen_unasked(void **state)
{
	const struct attest_config c = { .tcti = "swtpm:path=/nonexistent", .token_socket = path };
	const struct attest_config none = { .provider = "opaque" };
	const struct attest_binding b = { .mode = SPAN("enforcing") };
	pid_t pid = adapter("", false);
	struct attest_found found[16];
	struct attest_evidence e = { 0 };
	unsigned n = attest_detect(&c, found, 16);

	for (unsigned i = 0; i < n; i++)
		if (strcmp(found[i].name, "opaque") == 0)
			assert_true(found[i].present && !found[i].used);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_int_equal(attest_evidence(&none, SPAN("n"), &b, &e), -ENODEV);
}

static int setup(void **state)
{
	(void)setenv("TSS2_LOG", "all+NONE", 0);
	return mkstemp(path) >= 0 ? 0 : -1;
}

static int teardown(void **state)
{
	return unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_token_is_a_vendors_word),
		cmocka_unit_test(what_is_no_token_is_refused),
		cmocka_unit_test(an_adapter_that_goes_away_is_an_error),
		cmocka_unit_test(it_is_never_chosen_unasked),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
