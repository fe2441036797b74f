// SPDX-License-Identifier: Apache-2.0
/* Network sockets found in another process, and nothing else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "user/enrol/inherited.h"

/* Descriptor numbers of the child's sockets; everything else is closed there. */
enum { LISTENING = 40, CONNECTED, CLOEXEC, UDP, UDP6, UNIX, PIPE, FRESH, RAW };

static pid_t child;

static void move(int fd, int to, int flags)
{
	if (fd < 0 || dup3(fd, to, flags) < 0)
		_exit(errno);
}

static void __attribute__((noreturn)) live(int ready)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct sockaddr_in6 a6 = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT,
				   .sin6_port = htons(9) };
	socklen_t n = sizeof(a);
	int l = socket(AF_INET, SOCK_STREAM, 0), c = socket(AF_INET, SOCK_STREAM, 0), p[2], u;

	if (bind(l, (void *)&a, n) < 0 || listen(l, 1) < 0 || getsockname(l, (void *)&a, &n) < 0 ||
	    connect(c, (void *)&a, n) < 0 || pipe(p) < 0)
		_exit(errno);
	move(l, LISTENING, 0);
	move(c, CONNECTED, 0);
	move(c, CLOEXEC, O_CLOEXEC);
	move(socket(AF_INET, SOCK_DGRAM, 0), UDP, 0);
	u = socket(AF_INET6, SOCK_DGRAM, 0);
	if (u >= 0 && connect(u, (void *)&a6, sizeof(a6)) == 0)
		move(u, UDP6, 0);
	move(socket(AF_UNIX, SOCK_STREAM, 0), UNIX, 0);
	move(p[0], PIPE, 0);
	move(socket(AF_INET, SOCK_STREAM, 0), FRESH, 0);
	move(socket(AF_PACKET, SOCK_RAW, 0), RAW, 0);
	(void)!write(ready, "r", 1);
	close_range(3, LISTENING - 1, 0);
	for (;;)
		pause();
}

static int set_up(void **state)
{
	int ready[2], r;
	char ch;

	if (pipe(ready) < 0)
		return -1;
	child = fork();
	if (child == 0)
		live(ready[1]);
	close(ready[1]);
	r = read(ready[0], &ch, 1) == 1 ? 0 : -1;
	close(ready[0]);
	return r;
}

static int tear_down(void **state)
{
	(void)kill(child, SIGKILL);
	return waitpid(child, NULL, 0) == child ? 0 : -1;
}

static const struct inherited *find(const struct inherited_list *l, int fd)
{
	for (unsigned i = 0; i < l->n; i++)
		if (l->items[i].fd == fd)
			return &l->items[i];
	return NULL;
}

static void test_scan(void **state)
{
	struct inherited_list l = { 0 };
	const struct inherited *i;

	assert_int_equal(inherited_scan(child, &l), 0);
	assert_int_equal(l.more, 0);
	assert_null(find(&l, UNIX));
	assert_null(find(&l, PIPE));
	i = find(&l, LISTENING);
	assert_non_null(i);
	assert_true(i->listening && !i->connected && !i->cloexec);
	assert_non_null(strstr(i->text, "fd 40 tcp 127.0.0.1:"));
	assert_non_null(strstr(i->text, " listening"));
	i = find(&l, CONNECTED);
	assert_non_null(i);
	assert_true(i->connected && !i->listening && !i->cloexec);
	assert_int_equal(i->family, AF_INET);
	assert_int_equal(i->type, SOCK_STREAM);
	assert_non_null(strstr(i->text, " -> 127.0.0.1:"));
	i = find(&l, CLOEXEC);
	assert_non_null(i);
	assert_true(i->connected && i->cloexec);
	i = find(&l, UDP);
	assert_non_null(i);
	assert_false(i->connected);
	assert_string_equal(i->text, "fd 43 udp 0.0.0.0:0");
	i = find(&l, UDP6);
	if (i) {
		assert_true(i->connected);
		assert_non_null(strstr(i->text, " -> [::1]:9"));
	}
	assert_non_null(find(&l, FRESH));
	i = find(&l, RAW);
	assert_non_null(i);
	assert_non_null(strstr(i->text, "family 17"));
	inherited_done(&l);
	assert_null(l.items);
}

static void test_gone(void **state)
{
	struct inherited_list l = { .n = 7 };
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_int_equal(inherited_scan(pid, &l), -ESRCH);
	assert_int_equal(l.n, 7);
}

/* More than is reported is at least counted. */
static void test_many(void **state)
{
	struct inherited_list l = { 0 };
	int ready[2];
	char ch;
	pid_t pid;

	assert_int_equal(pipe(ready), 0);
	pid = fork();
	if (pid == 0) {
		for (int i = 0; i < INHERITED_MAX + 20; i++)
			if (socket(AF_INET, SOCK_STREAM, 0) < 0)
				_exit(1);
		(void)!write(ready[1], "r", 1);
		for (;;)
			pause();
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &ch, 1), 1);
	assert_int_equal(inherited_scan(pid, &l), 0);
	assert_int_equal(l.n, INHERITED_MAX);
	assert_int_equal(l.more, 20);
	inherited_done(&l);
	(void)kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	close(ready[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_scan, set_up, tear_down),
		cmocka_unit_test(test_gone),
		cmocka_unit_test(test_many),
	};

	if (geteuid() != 0) {
		(void)puts("skip: only root can look into other users' processes");
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
