// SPDX-License-Identifier: Apache-2.0
/* Listeners inside a foreign network namespace, made without going there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bpf/abi.h"
#include "user/enrol/listener.h"

/* A process in a network namespace of its own, which does as it is told by one letter. */
static pid_t inmate;
static int orders, answers;

struct order {
	char what; /* 'u': loopback up; '4', '6': connect to port and send a letter */
	uint16_t port;
};

static int loopback_up(void)
{
	struct ifreq ifr = { .ifr_name = "lo" };
	int s = socket(AF_INET, SOCK_DGRAM, 0);

	ifr.ifr_flags = IFF_UP | IFF_RUNNING;
	return ioctl(s, SIOCSIFFLAGS, &ifr);
}

static int connect_to(char family, uint16_t port)
{
	struct sockaddr_in a4 = { .sin_family = AF_INET, .sin_port = htons(port),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct sockaddr_in6 a6 = { .sin6_family = AF_INET6, .sin6_port = htons(port),
				   .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	int s = socket(family == '6' ? AF_INET6 : AF_INET, SOCK_STREAM, 0);
	int r = family == '6' ? connect(s, (void *)&a6, sizeof(a6)) : connect(s, (void *)&a4, sizeof(a4));

	return r == 0 && send(s, "x", 1, MSG_NOSIGNAL) == 1 ? 0 : errno;
}

static void __attribute__((noreturn)) live(int in, int out)
{
	struct order o;
	char r = unshare(CLONE_NEWNET) < 0 ? (char)errno : 0;

	(void)!write(out, &r, 1);
	while (read(in, &o, sizeof(o)) == (ssize_t)sizeof(o)) {
		r = (char)(o.what == 'u' ? loopback_up() : connect_to(o.what, o.port));
		(void)!write(out, &r, 1);
	}
	_exit(0);
}

static int ask(char what, uint16_t port)
{
	struct order o;
	char r = 1;

	memset(&o, 0, sizeof(o));
	o.what = what;
	o.port = port;
	assert_int_equal(write(orders, &o, sizeof(o)), sizeof(o));
	assert_int_equal(read(answers, &r, 1), 1);
	return r;
}

/* 0, or the errno of unshare(). */
static int start_inmate(void)
{
	int in[2], out[2];
	char r = 1;

	if (pipe(in) < 0 || pipe(out) < 0)
		return errno;
	inmate = fork();
	if (inmate == 0) {
		close(in[1]);
		close(out[0]);
		live(in[0], out[1]);
	}
	close(in[0]);
	close(out[1]);
	orders = in[1];
	answers = out[0];
	return read(answers, &r, 1) == 1 ? r : EIO;
}

static void own_netns(char ret[64])
{
	ssize_t n = readlink("/proc/thread-self/ns/net", ret, 63);

	ret[n > 0 ? n : 0] = '\0';
}

static unsigned open_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	unsigned n = 0;

	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

static void accept_letter(int listener)
{
	struct pollfd p = { listener, POLLIN, 0 };
	char ch = 0;
	int c;

	assert_int_equal(poll(&p, 1, 5000), 1);
	c = accept(listener, NULL, NULL);
	assert_true(c >= 0);
	assert_int_equal(recv(c, &ch, 1, 0), 1);
	assert_int_equal(ch, 'x');
	close(c);
}

static uint64_t cookie_of_self(void)
{
	int s = socket(AF_INET, SOCK_STREAM, 0);
	socklen_t n = sizeof(uint64_t);
	uint64_t v = 0;

	assert_int_equal(getsockopt(s, SOL_SOCKET, SO_NETNS_COOKIE, &v, &n), 0);
	close(s);
	return v;
}

static void test_foreign(void **state)
{
	char before[64], after[64];
	unsigned fds = open_fds();
	sigset_t mask;
	struct listener l;

	own_netns(before);
	assert_int_equal(listener_open_pid(inmate, &l), 0);
	own_netns(after);
	assert_string_equal(before, after);
	assert_int_equal(sigprocmask(SIG_BLOCK, NULL, &mask), 0);
	assert_false(sigismember(&mask, SIGTERM));
	assert_int_not_equal(l.netns_cookie, 0);
	assert_int_not_equal(l.netns_cookie, cookie_of_self());
	assert_true(l.port4 > 0);
	assert_true(fcntl(l.fd[LISTENER_TCP4], F_GETFD) & FD_CLOEXEC);
	assert_true(fcntl(l.fd[LISTENER_TCP4], F_GETFL) & O_NONBLOCK);
	/* The namespace's loopback was down until now. */
	assert_int_equal(ask('u', 0), 0);
	assert_int_equal(ask('4', l.port4), 0);
	accept_letter(l.fd[LISTENER_TCP4]);
	if (l.fd[LISTENER_TCP6] >= 0) {
		assert_true(fcntl(l.fd[LISTENER_TCP6], F_GETFD) & FD_CLOEXEC);
		assert_int_equal(ask('6', l.port6), 0);
		accept_letter(l.fd[LISTENER_TCP6]);
		/* The IPv6 one takes no IPv4. */
		if (l.port6 != l.port4)
			assert_int_equal(ask('4', l.port6), ECONNREFUSED);
	}
	listener_close(&l);
	assert_int_equal(l.fd[LISTENER_TCP4], -1);
	listener_close(&l);
	assert_int_equal(open_fds(), fds);
}

static void test_own(void **state)
{
	struct listener a, b;

	assert_int_equal(listener_open_pid(getpid(), &a), 0);
	assert_int_equal(listener_open_pid(getpid(), &b), 0);
	assert_int_equal(a.netns_cookie, cookie_of_self());
	assert_int_equal(a.netns_cookie, b.netns_cookie);
	assert_int_not_equal(a.port4, b.port4);
	assert_int_equal(connect_to('4', a.port4), 0);
	accept_letter(a.fd[LISTENER_TCP4]);
	listener_close(&a);
	listener_close(&b);
}

static void send_marked(const struct listener *l, enum listener_end end, uint32_t mark, const char *text)
{
	struct sockaddr_in a4 = { .sin_family = AF_INET, .sin_port = htons(l->port4),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct sockaddr_in6 a6 = { .sin6_family = AF_INET6, .sin6_port = htons(l->port6),
				   .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	int family = end == LISTENER_NAMES4 ? AF_INET : AF_INET6, fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_MARK, &mark, sizeof(mark)), 0);
	assert_int_equal(sendto(fd, text, 1, 0, family == AF_INET ? (void *)&a4 : (void *)&a6,
				family == AF_INET ? sizeof(a4) : sizeof(a6)), 1);
	close(fd);
}

/* What has not passed a scope's programs is no agent's question, and nobody can make it one afterwards. */
static void test_datagrams(void **state)
{
	struct listener l;
	char c[2];
	int none = 0;

	assert_int_equal(listener_open_pid(getpid(), &l), 0);
	for (unsigned end = LISTENER_NAMES4; end < LISTENER_ENDS; end++) {
		struct pollfd p = { .fd = l.fd[end], .events = POLLIN };

		if (l.fd[end] < 0)
			continue;
		send_marked(&l, end, 0, "a");
		send_marked(&l, end, TG_NAMES_MARK + 1, "b");
		send_marked(&l, end, TG_NAMES_MARK, "c");
		assert_int_equal(poll(&p, 1, -1), 1);
		assert_int_equal(recv(l.fd[end], c, sizeof(c), MSG_DONTWAIT), 1);
		assert_int_equal(c[0], 'c'); /* the first two came before it, or would have */
		assert_true(recv(l.fd[end], c, sizeof(c), MSG_DONTWAIT) < 0);
		assert_true(setsockopt(l.fd[end], SOL_SOCKET, SO_DETACH_FILTER, &none, sizeof(none)) < 0);
		assert_int_equal(errno, EPERM);
	}
	listener_close(&l);
}

static void test_refused(void **state)
{
	struct listener l = { .port4 = 7 };
	unsigned fds = open_fds();
	int null = open("/dev/null", O_RDONLY), mnt = open("/proc/self/ns/mnt", O_RDONLY);
	pid_t gone = fork();

	if (gone == 0)
		_exit(0);
	assert_int_equal(waitpid(gone, NULL, 0), gone);
	assert_int_equal(listener_open_pid(gone, &l), -ESRCH);
	assert_int_equal(listener_open(null, &l), -EINVAL);
	assert_int_equal(listener_open(mnt, &l), -EINVAL);
	assert_int_equal(listener_open(-1, &l), -EBADF);
	assert_int_equal(l.port4, 7);
	close(null);
	close(mnt);
	assert_int_equal(open_fds(), fds);
}

static uint16_t port_of(int fd)
{
	struct sockaddr_in at;
	socklen_t n = sizeof(at);

	assert_int_equal(getsockname(fd, (void *)&at, &n), 0);
	return ntohs(at.sin_port);
}

/* Each member of a kept listener's name is held against the descriptor. */
static void test_is(void **state)
{
	struct sockaddr_in a4 = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int plain = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	int open_to_all = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0); /* it has no filter */
	struct listener l;

	assert_int_equal(listener_open_pid(getpid(), &l), 0);
	for (unsigned end = 0; end < LISTENER_ENDS; end++)
		for (unsigned as = 0; l.fd[end] >= 0 && as < LISTENER_ENDS; as++)
			assert_int_equal(listener_is(l.fd[end], as, listener_port(&l, end), l.netns_cookie), as == end);
	for (unsigned end = 0; end < LISTENER_ENDS; end++) {
		assert_false(listener_is(l.fd[end], end, listener_port(&l, end) + 1, l.netns_cookie));
		assert_false(listener_is(l.fd[end], end, listener_port(&l, end), l.netns_cookie + 1));
		assert_false(listener_is(null, end, listener_port(&l, end), l.netns_cookie));
		assert_false(listener_is(-1, end, listener_port(&l, end), l.netns_cookie));
	}
	assert_int_equal(bind(plain, (void *)&a4, sizeof(a4)), 0);
	assert_int_equal(bind(open_to_all, (void *)&a4, sizeof(a4)), 0);
	assert_false(listener_is(plain, LISTENER_TCP4, port_of(plain), l.netns_cookie));
	assert_false(listener_is(open_to_all, LISTENER_NAMES4, port_of(open_to_all), l.netns_cookie));
	listener_close(&l);
	close(plain);
	close(null);
	close(open_to_all);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_foreign),
		cmocka_unit_test(test_own),
		cmocka_unit_test(test_datagrams),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_is),
	};
	int r = start_inmate();

	if (r != 0) {
		(void)printf("skip: new network namespace: %s\n", strerror(r));
		return 77;
	}
	r = cmocka_run_group_tests(tests, NULL, NULL);
	close(orders);
	(void)waitpid(inmate, NULL, 0);
	return r;
}
