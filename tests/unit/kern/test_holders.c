// SPDX-License-Identifier: Apache-2.0
/*
 * The holder iterators: who has a pipe or socket, in the scopes and everywhere, and references that no descriptor
 * stands for.
 */
#include "tests/unit/kern/bed.h"

#include <sys/socket.h>

#include "user/kern/stdio.h"

static const struct tg_label label = { .agent = AGENT };

struct pass {
	struct tg_holding v[64];
	size_t n;
};

static void pass(struct bed *b, bool everywhere, struct pass *ret)
{
	ssize_t n;
	int fd;

	memset(ret, 0, sizeof(*ret));
	assert_int_equal(kern_stdio_walks(b->k, everywhere, &fd, 1), 0);
	while ((n = read(fd, (char *)ret->v + ret->n, sizeof(ret->v) - ret->n)) > 0)
		ret->n += (size_t)n;
	assert_int_equal(n, 0);
	assert_int_equal(ret->n % sizeof(ret->v[0]), 0);
	ret->n /= sizeof(ret->v[0]);
	close(fd);
}

static void seek(struct bed *b, int in, int out)
{
	struct tg_sought what = { 0 };
	struct stat st;

	assert_int_equal(fstat(in, &st), 0);
	what.ino[0] = st.st_ino;
	what.type[0] = st.st_mode & S_IFMT;
	assert_int_equal(fstat(out, &st), 0);
	what.ino[1] = st.st_ino;
	what.type[1] = st.st_mode & S_IFMT;
	assert_int_equal(kern_stdio_seek(b->k, &what), 0);
}

static int wait_for_end(void *arg)
{
	char c;

	(void)!read(*(int *)arg, &c, 1);
	return 0;
}

static void sees_both_ends_of_pipes(void **state)
{
	int in[2], out[2], more;
	struct pass p;
	struct bed b;

	bed_open(&b);
	assert_int_equal(pipe2(in, O_CLOEXEC), 0);
	assert_int_equal(pipe(out), 0);
	seek(&b, in[0], out[1]);
	pass(&b, true, &p);
	assert_int_equal(p.n, 2);
	for (size_t i = 0; i < p.n; i++) {
		const struct tg_holding *h = &p.v[i];

		assert_int_equal(h->tgid, getpid());
		assert_int_equal(h->tid, getpid());
		assert_int_equal(h->fd, h->which ? out[1] : in[0]);
		assert_int_equal(h->flags & (O_ACCMODE | O_CLOEXEC), h->which ? O_WRONLY : O_RDONLY | O_CLOEXEC);
		assert_int_equal(h->refs, 1);
		assert_int_equal(h->ends, 1);
	}
	more = dup(in[0]);
	pass(&b, true, &p);
	assert_int_equal(p.n, 3);
	for (size_t i = 0; i < p.n; i++)
		assert_int_equal(p.v[i].refs, p.v[i].which ? 1 : 2);
	pass(&b, false, &p); /* the test itself is in no scope */
	assert_int_equal(p.n, 0);
	close(more);
	for (int i = 0; i < 2; i++) {
		close(in[i]);
		close(out[i]);
	}
	bed_close(&b);
}

static void sees_the_scope(void **state)
{
	int s[2], end[2];
	struct pass p;
	struct bed b;
	pid_t pid;

	bed_open(&b);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, s), 0);
	assert_int_equal(pipe2(end, O_CLOEXEC), 0);
	seek(&b, s[0], s[0]);
	pid = bed_spawn(&b, &label, wait_for_end, &end[0]);
	pass(&b, false, &p);
	assert_int_equal(p.n, 1); /* one socket serves both: once */
	assert_int_equal(p.v[0].tgid, pid);
	assert_int_equal(p.v[0].fd, s[0]);
	assert_int_equal(p.v[0].refs, 2); /* that of the test is not in the scope, but counted */
	close(s[0]);
	pass(&b, false, &p);
	assert_int_equal(p.v[0].refs, 1);
	kill(pid, SIGKILL);
	(void)bed_wait(pid);
	pass(&b, false, &p);
	assert_int_equal(p.n, 0);
	close(s[1]);
	close(end[0]);
	close(end[1]);
	bed_close(&b);
}

/* What no table shows: a descriptor in a message, and a description of its own that is only there. */
static void counts_what_is_under_way(void **state)
{
	int in[2], out[2], post[2], again;
	char control[CMSG_SPACE(sizeof(int))] = { 0 }, path[32], byte = 0;
	struct iovec iov = { &byte, 1 };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);
	struct pass p;
	struct bed b;

	bed_open(&b);
	assert_int_equal(pipe2(in, O_CLOEXEC), 0);
	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, post), 0);
	seek(&b, in[0], out[1]);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &in[0], sizeof(int));
	assert_int_equal(sendmsg(post[0], &m, 0), 1);
	pass(&b, true, &p);
	assert_int_equal(p.n, 2);
	for (size_t i = 0; i < p.n; i++)
		assert_int_equal(p.v[i].refs, p.v[i].which ? 1 : 2);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", in[0]);
	again = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(again >= 0);
	memcpy(CMSG_DATA(c), &again, sizeof(int));
	assert_int_equal(sendmsg(post[0], &m, 0), 1);
	close(again);
	pass(&b, true, &p);
	assert_int_equal(p.n, 2);
	for (size_t i = 0; i < p.n; i++)
		assert_int_equal(p.v[i].ends, p.v[i].which ? 1 : 2);
	for (int i = 0; i < 2; i++) {
		close(in[i]);
		close(out[i]);
		close(post[i]);
	}
	bed_close(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sees_both_ends_of_pipes),
		cmocka_unit_test(sees_the_scope),
		cmocka_unit_test(counts_what_is_under_way),
	};

	bed_skip();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
