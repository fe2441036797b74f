// SPDX-License-Identifier: Apache-2.0
#include "user/proc/sock.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

static const uint8_t loopback4[16] = { [10] = 0xff, [11] = 0xff, [12] = 127, [15] = 1 };
static const uint8_t loopback6[16] = { [15] = 1 };

#define HEAD "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
#define REST " 00000000:00000000 00:00000000 00000000 "

static int scan4(const char *text, struct proc_listener *list, unsigned *rank)
{
	*rank = 0;
	return proc_listener_scan(text, strlen(text), AF_INET, loopback4, 8080, rank, list, 0, 4);
}

static void tables(void **state)
{
	struct proc_listener l[4];
	unsigned rank;

	/* any address, then the exact one wins; other ports, states, addresses do not count */
	assert_int_equal(scan4(HEAD "   0: 00000000:1F90 00000000:0000 0A" REST " 1000        0 11 1\n", l, &rank), 1);
	assert_int_equal(l[0].ino, 11);
	assert_int_equal(l[0].uid, 1000);
	assert_int_equal(scan4(HEAD "   0: 00000000:1F90 00000000:0000 0A" REST " 1000        0 11 1\n"
			       "   1: 0100007F:1F90 00000000:0000 0A" REST "    0        0 12 1\n"
			       "   2: 0200007F:1F90 00000000:0000 0A" REST "    0        0 13 1\n"
			       "   3: 0100007F:1F91 00000000:0000 0A" REST "    0        0 14 1\n"
			       "   4: 0100007F:1F90 0100007F:E9CD 01" REST "    0        0 15 1\n", l, &rank), 1);
	assert_int_equal(l[0].ino, 12);
	/* two of one rank are both reported */
	assert_int_equal(scan4("0: 0100007F:1F90 00000000:0000 0A" REST "0 0 12 1\n"
			       "1: 0100007F:1F90 00000000:0000 0A" REST "0 0 13 1", l, &rank), 2);
	assert_int_equal(scan4(HEAD, l, &rank), 0);
	assert_int_equal(scan4("", l, &rank), 0);
}

static void broken_tables(void **state)
{
	static const char line[] = "0: 0100007F:1F90 00000000:0000 0A" REST "0 0 12 1\n";
	struct proc_listener l[4];
	unsigned rank;
	char many[sizeof(line) * 6] = "";

	for (size_t n = 0; n < sizeof(line); n++) {
		rank = 0;
		assert_in_range(proc_listener_scan(line, n, AF_INET, loopback4, 8080, &rank, l, 0, 4), 0, 1);
		rank = 0;
		assert_int_equal(proc_listener_scan(line, n, AF_INET6, loopback4, 8080, &rank, l, 0, 4), 0);
	}
	assert_int_equal(scan4("0: 0100007F:11F90 0:0 0A" REST "0 0 12\n", l, &rank), 0);
	assert_int_equal(scan4("0: 0100007F:1F90 0:0 0A" REST "99999999999 0 12\n", l, &rank), 0);
	assert_int_equal(scan4("0: 0100007F:1F90 0:0 0A" REST "0 0 0\n", l, &rank), 0);
	assert_int_equal(scan4("0: 0100007:1F90 0:0 0A" REST "0 0 12\n", l, &rank), 0);
	for (int i = 0; i < 5; i++)
		strcat(many, line);
	assert_int_equal(scan4(many, l, &rank), -E2BIG);
}

static int listen_at(int family, const void *addr, uint16_t *port, bool reuse)
{
	int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1, zero = 0;
	struct sockaddr_in6 a6 = { .sin6_family = AF_INET6, .sin6_port = htons(*port) };
	struct sockaddr_in a4 = { .sin_family = AF_INET, .sin_port = htons(*port) };
	socklen_t len = family == AF_INET ? sizeof(a4) : sizeof(a6);
	struct sockaddr *a = family == AF_INET ? (struct sockaddr *)&a4 : (struct sockaddr *)&a6;

	if (fd < 0)
		return -1;
	if (reuse)
		setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one));
	if (family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &zero, sizeof(zero));
	memcpy(family == AF_INET ? (void *)&a4.sin_addr : (void *)&a6.sin6_addr, addr,
	       family == AF_INET ? 4 : 16);
	if (bind(fd, a, len) < 0 || listen(fd, 1) < 0 || getsockname(fd, a, &len) < 0) {
		close(fd);
		return -1;
	}
	*port = ntohs(family == AF_INET ? a4.sin_port : a6.sin6_port);
	return fd;
}

static void own_listeners(void **state)
{
	static struct proc_identity id;
	struct proc_listener l;
	socklen_t len = sizeof(uint64_t);
	uint64_t cookie;
	uint16_t port = 0;
	int fd, any;

	if (geteuid() != 0) {
		print_message("SKIP: needs root (descriptors of all processes)\n");
		skip();
	}
	fd = listen_at(AF_INET, &loopback4[12], &port, false);
	assert_true(fd >= 0);
	assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &len), 0);
	assert_int_equal(proc_listener_owner(getpid(), loopback4, port, &l, &id), 0);
	assert_int_equal(id.pid, getpid());
	assert_int_equal(id.exe_measured, 1);
	assert_true(l.cookie == cookie);
	assert_int_equal(l.family, AF_INET);
	l.cookie = 0;
	assert_int_equal(proc_listener_held_by(&l, getpid(), &id), 0);
	assert_true(l.cookie == cookie);
	assert_int_equal(proc_listener_held_by(&l, getppid(), &id), -ESRCH);
	assert_int_equal(proc_listener_owner(getpid(), loopback6, port, &l, &id), -ENOENT);
	close(fd);
	assert_int_equal(proc_listener_owner(getpid(), loopback4, port, &l, &id), -ENOENT);

	port = 0;
	any = listen_at(AF_INET6, (uint8_t[16]){ 0 }, &port, false);
	if (any < 0)
		return; /* no IPv6 */
	assert_int_equal(proc_listener_owner(getpid(), loopback4, port, &l, &id), 0);
	assert_int_equal(proc_listener_owner(getpid(), loopback6, port, &l, &id), 0);
	assert_int_equal(l.family, AF_INET6);
	close(any);
}

/* Listening sockets are read, however many others there are behind them. */
static void among_connections(void **state)
{
	enum { CONNECTIONS = 300 };
	struct proc_listener l;
	int fd, ends[CONNECTIONS];
	uint16_t port = 0;

	fd = listen_at(AF_INET, &loopback4[12], &port, false);
	assert_true(fd >= 0);
	assert_int_equal(listen(fd, CONNECTIONS), 0);
	for (int i = 0; i < CONNECTIONS; i++) {
		struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(port),
					 .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };

		ends[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		assert_int_equal(connect(ends[i], (struct sockaddr *)&a, sizeof(a)), 0);
	}
	assert_int_equal(proc_listener_find(getpid(), loopback4, port, &l), 0);
	assert_int_equal(l.family, AF_INET);
	for (int i = 0; i < CONNECTIONS; i++)
		close(ends[i]);
	close(fd);
	assert_int_equal(proc_listener_find(getpid(), loopback4, port, &l), -ENOENT);
}

static void several_owners(void **state)
{
	static struct proc_identity id;
	struct proc_listener l;
	uint16_t port = 0;
	int fd, second, ready[2];
	pid_t same, other;
	char c;

	if (geteuid() != 0)
		skip();
	fd = listen_at(AF_INET, &loopback4[12], &port, true);
	assert_true(fd >= 0);
	/* workers of one program share the socket */
	same = fork();
	if (same == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			pause();
	}
	assert_int_equal(proc_listener_owner(getpid(), loopback4, port, &l, &id), 0);
	/* another program holds it too: who accepts is not known */
	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	other = fork();
	if (other == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		dup2(fd, 8);
		dup2(ready[1], 9);
		execl("/bin/sh", "sh", "-c", "echo x >&9; kill -STOP $$", NULL);
		_exit(127);
	}
	assert_int_equal(read(ready[0], &c, 1), 1);
	assert_int_equal(proc_listener_owner(getpid(), loopback4, port, &l, &id), -ENOTUNIQ);
	kill(other, SIGKILL);
	waitpid(other, NULL, 0);
	kill(same, SIGKILL);
	waitpid(same, NULL, 0);

	second = listen_at(AF_INET, &loopback4[12], &port, true);
	assert_true(second >= 0);
	assert_int_equal(proc_listener_owner(getpid(), loopback4, port, &l, &id), -ENOTUNIQ);
	close(fd);
	close(second);
	close(ready[0]);
	close(ready[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tables),
		cmocka_unit_test(broken_tables),
		cmocka_unit_test(own_listeners),
		cmocka_unit_test(among_connections),
		cmocka_unit_test(several_owners),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
