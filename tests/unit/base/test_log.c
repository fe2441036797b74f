// SPDX-License-Identifier: Apache-2.0
/* What is logged, and to whom: the journal when standard error is its stream, standard error otherwise. */
#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "user/base/log.c"

#include <fcntl.h>

#define GOT_MAX 8192

/* A stand-in for journald: takes one datagram. */
static int listen_at(char path[64])
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	assert_true(fd >= 0);
	(void)snprintf(path, 64, "/tmp/tollgate-log-%d", (int)getpid());
	(void)snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
	(void)unlink(path);
	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	return fd;
}

static const char *received(int fd, char got[GOT_MAX])
{
	ssize_t n = recv(fd, got, GOT_MAX - 1, 0);

	assert_true(n >= 0);
	got[n] = '\0';
	return got;
}

static void tells_its_stream_from_any_other(void **state)
{
	char text[64];
	struct stat st;

	assert_int_equal(fstat(STDERR_FILENO, &st), 0);
	(void)snprintf(text, sizeof(text), "%llu:%llu", (unsigned long long)st.st_dev,
		       (unsigned long long)st.st_ino);
	assert_true(stderr_is_journal(text));
	(void)snprintf(text, sizeof(text), "%llu:%llu", (unsigned long long)st.st_dev,
		       (unsigned long long)st.st_ino + 1);
	assert_false(stderr_is_journal(text));
	assert_false(stderr_is_journal(NULL));
	assert_false(stderr_is_journal(""));
	assert_false(stderr_is_journal("1"));
	assert_false(stderr_is_journal("x:y"));
}

static void sends_fields(void **state)
{
	char path[64], got[GOT_MAX], longer[3 * LOG_LINE_MAX];
	int fd = listen_at(path);

	log_setup("notary", LOG_LEVEL_INFO);
	journal_fd = journal_open(path);
	assert_true(journal_fd >= 0);
	assert_int_equal(log_err(-ENOSPC, "store: append %s: %s", "log", err_text(-ENOSPC)), -ENOSPC);
	assert_string_equal(received(fd, got), "PRIORITY=3\nSYSLOG_IDENTIFIER=tollgated\nTOLLGATE_ROLE=notary\n"
			    "ERRNO=28\nMESSAGE=store: append log: No space left on device\n");
	/* A number that another role made up. */
	assert_int_equal(log_err(INT_MIN, "%s", err_text(INT_MIN)), INT_MIN);
	assert_string_equal(received(fd, got), "PRIORITY=3\nSYSLOG_IDENTIFIER=tollgated\nTOLLGATE_ROLE=notary\n"
			    "MESSAGE=unknown error\n");
	log_warn("a\nPRIORITY=0\nb");
	assert_string_equal(received(fd, got), "PRIORITY=4\nSYSLOG_IDENTIFIER=tollgated\nTOLLGATE_ROLE=notary\n"
			    "MESSAGE=a?PRIORITY=0?b\n");
	log_debug("not asked for");
	assert_int_equal(recv(fd, got, sizeof(got), 0), -1);
	memset(longer, 'x', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	log_info("%s", longer);
	assert_true(strlen(received(fd, got)) < LOG_FIELDS_MAX + LOG_LINE_MAX);
	assert_int_equal(got[strlen(got) - 1], '\n');
	(void)close(journal_fd);
	(void)close(fd);
	(void)unlink(path);
	journal_fd = -1;
}

static void falls_back_to_standard_error(void **state)
{
	char path[64], got[256] = "";
	int fd = listen_at(path), saved = dup(STDERR_FILENO), out[2];

	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	assert_true(dup2(out[1], STDERR_FILENO) >= 0);
	log_setup("keeper", LOG_LEVEL_INFO);
	journal_fd = journal_open(path);
	(void)close(fd); /* the journal is gone */
	(void)unlink(path);
	log_info("still here");
	assert_true(dup2(saved, STDERR_FILENO) >= 0);
	assert_true(read(out[0], got, sizeof(got) - 1) > 0);
	assert_string_equal(got, "info keeper: still here\n");
	(void)close(journal_fd);
	journal_fd = journal_open(path);
	assert_int_equal(journal_fd, -1);
	(void)close(saved);
	(void)close(out[0]);
	(void)close(out[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tells_its_stream_from_any_other),
		cmocka_unit_test(sends_fields),
		cmocka_unit_test(falls_back_to_standard_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
