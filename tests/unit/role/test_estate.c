// SPDX-License-Identifier: Apache-2.0
/* What a keeper leaves is taken whole, or not at all: every byte of the table is changed, and every object it names. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "user/base/file.h"
#include "user/role/estate.h"
#include "user/role/ipc.h"
#include "user/role/sandbox.h"

#define CHANGES 4096 /* positions of the table that are tried, all of its head among them */

static struct estate left, taken;
static int channels[2], kept[2];
static pid_t child;

static int set_up(void **state)
{
	memset(&left, 0, sizeof(left));
	memset(&taken, 0, sizeof(taken));
	assert_int_equal(ipc_pair(channels), 0);
	assert_int_equal(pipe2(kept, O_CLOEXEC), 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		pause();
		_exit(0);
	}
	left.nchildren = 3;
	left.children[0] = (struct estate_child){ .spec.role = ROLE_SUPERVISOR, .pid = child, .fd = channels[0] };
	left.children[1] = (struct estate_child){ .spec.role = ROLE_PROXY, .spec.index = 7, .fd = -1 };
	left.children[2] = (struct estate_child){ .spec.role = ROLE_NOTARY, .pid = child, .fd = channels[1] };
	strcpy(left.children[1].spec.node, "n");
	left.kept.n = 2;
	for (unsigned i = 0; i < 2; i++) {
		strcpy(left.kept.v[i].key, i ? "ring/0/1" : "listen/1/2/4/3");
		left.kept.v[i].fd = kept[i];
	}
	return 0;
}

static int tear_down(void **state)
{
	for (unsigned i = 0; i < 2; i++) {
		close(channels[i]);
		close(kept[i]);
	}
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	return 0;
}

static void refused(int fd, const char *because)
{
	const char *why = NULL;

	assert_int_equal(estate_read(fd, &taken, &why), -EPROTO);
	assert_non_null(why);
	if (because)
		assert_non_null(strstr(why, because));
	assert_int_equal(taken.nchildren, 0);
	assert_int_equal(taken.kept.n, 0);
	close(fd);
}

static void is_taken(void **state)
{
	int fd = estate_write(&left);
	const char *why;

	assert_true(fd >= 0);
	assert_int_equal(fcntl(channels[0], F_SETFD, 0), 0);
	assert_int_equal(fcntl(kept[1], F_SETFD, 0), 0);
	assert_int_equal(estate_read(fd, &taken, &why), 0);
	assert_int_equal(taken.nchildren, 3);
	assert_int_equal(taken.children[0].pid, child);
	assert_int_equal(taken.children[0].fd, channels[0]);
	assert_int_equal(taken.children[1].pid, 0);
	assert_int_equal(taken.children[1].fd, -1);
	assert_int_equal(taken.children[1].spec.index, 7);
	assert_string_equal(taken.children[1].spec.node, "n");
	assert_int_equal(taken.kept.n, 2);
	assert_string_equal(taken.kept.v[0].key, "listen/1/2/4/3");
	assert_int_equal(taken.kept.v[1].fd, kept[1]);
	assert_int_equal(fcntl(channels[0], F_GETFD), FD_CLOEXEC);
	assert_int_equal(fcntl(kept[1], F_GETFD), FD_CLOEXEC);
	close(fd);
}

static void objects_are_the_same(void **state)
{
	int fd = estate_write(&left), other[2];

	assert_int_equal(ipc_pair(other), 0);
	assert_int_equal(dup3(other[0], channels[1], O_CLOEXEC), channels[1]);
	refused(fd, "channel");
	assert_int_equal(dup3(kept[0], kept[1], O_CLOEXEC), kept[1]);
	fd = estate_write(&left);
	close(kept[1]);
	refused(fd, "descriptor");
	left.kept.v[1].fd = kept[0]; /* one for two */
	refused(estate_write(&left), "descriptor");
	left.kept.n = 0;
	left.children[2].fd = kept[0]; /* no socket */
	refused(estate_write(&left), "channel");
	kept[1] = other[0];
	close(other[1]);
}

static void processes_are_ours(void **state)
{
	left.children[2].pid = getppid();
	refused(estate_write(&left), "process");
	left.children[2].pid = -1;
	refused(estate_write(&left), "process");
	left.children[2].pid = child;
	left.children[2].spec.role = ROLE_MAX_;
	refused(estate_write(&left), "role");
	left.children[2].spec.role = ROLE_SUPERVISOR; /* a second one */
	refused(estate_write(&left), "role");
	left.nchildren = 0;
	refused(estate_write(&left), "counts");
}

/* A copy of the table with n bytes, of which one is changed when at lies in it. */
static int changed(const char *table, size_t n, size_t at)
{
	char *copy = malloc(n ? n : 1);
	int fd;

	memcpy(copy, table, n);
	if (at < n)
		copy[at] ^= 0x55;
	fd = memfd_sealed("t", copy, n);
	free(copy);
	assert_true(fd >= 0);
	return fd;
}

static void the_table_is_whole(void **state)
{
	int fd = estate_write(&left), open_fd = memfd_create("t", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	struct stat st;
	char *table;

	assert_int_equal(fstat(fd, &st), 0);
	table = malloc((size_t)st.st_size);
	assert_int_equal(pread(fd, table, (size_t)st.st_size, 0), st.st_size);
	close(fd);
	refused(changed(table, (size_t)st.st_size - 1, SIZE_MAX), "size");
	refused(changed(table, 0, SIZE_MAX), "size");
	assert_int_equal(write(open_fd, table, (size_t)st.st_size), st.st_size);
	refused(open_fd, "sealed");
	refused(open("/dev/null", O_RDONLY | O_CLOEXEC), "sealed");
	/* Head and first child: what a change of one byte makes is another table or none, and never a crash. */
	for (size_t at = 0; at < CHANGES; at++) {
		const char *why;

		fd = changed(table, (size_t)st.st_size, at);
		if (at < 40)
			assert_int_equal(estate_read(fd, &taken, &why), -EPROTO);
		else
			(void)estate_read(fd, &taken, &why);
		close(fd);
	}
	free(table);
}

static void layouts_have_a_name(void **state)
{
	char a[SHA256_HEX_SIZE], b[SHA256_HEX_SIZE];

	estate_layout(a);
	estate_layout(b);
	assert_string_equal(a, b);
	assert_int_equal(strlen(a), 64);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(is_taken, set_up, tear_down),
		cmocka_unit_test_setup_teardown(objects_are_the_same, set_up, tear_down),
		cmocka_unit_test_setup_teardown(processes_are_ours, set_up, tear_down),
		cmocka_unit_test_setup_teardown(the_table_is_whole, set_up, tear_down),
		cmocka_unit_test(layouts_have_a_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
