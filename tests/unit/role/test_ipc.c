// SPDX-License-Identifier: Apache-2.0
#include "user/role/ipc.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include "user/base/cleanup.h"
#include "user/base/loop.h"

struct end {
	struct loop *loop;
	struct ipc *ipc;
	int raw; /* the other end */
	unsigned messages, closed;
	uint32_t type;
	uint64_t cookie;
	size_t len;
	int fd; /* taken from the last message */
	int answer; /* what the callback returns */
	bool free_inside;
};

static int on_message(struct ipc *c, struct ipc_msg *m, void *arg)
{
	struct end *e = arg;

	e->messages++;
	e->type = m->type;
	e->cookie = m->cookie;
	e->len = m->len;
	assert_int_equal((uintptr_t)m->body % 8, 0);
	if (m->nfds)
		e->fd = ipc_take_fd(m, 0);
	if (e->free_inside) {
		ipc_free(c);
		e->ipc = NULL;
	}
	return e->answer;
}

static void on_closed(struct ipc *c, void *arg)
{
	struct end *e = arg;

	e->closed++;
	ipc_free(c);
	e->ipc = NULL;
}

static const struct ipc_ops ops = { .message = on_message, .closed = on_closed };

static int open_fds(void)
{
	int n = 0;

	for (int fd = 0; fd < 256; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static int set_up(void **state)
{
	struct end *e = calloc(1, sizeof(*e));
	int pair[2];

	assert_non_null(e);
	assert_int_equal(ipc_pair(pair), 0);
	assert_int_equal(loop_new(&e->loop), 0);
	assert_int_equal(ipc_new(e->loop, pair[0], &ops, e, &e->ipc), 0);
	e->raw = pair[1];
	e->fd = -1;
	*state = e;
	return 0;
}

static int tear_down(void **state)
{
	struct end *e = *state;

	ipc_free(e->ipc);
	loop_free(e->loop);
	close(e->raw);
	if (e->fd >= 0)
		close(e->fd);
	free(e);
	return 0;
}

static void carries_type_cookie_body_and_descriptor(void **state)
{
	struct end *e = *state;
	int p[2];

	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	assert_int_equal(ipc_put(e->raw, 7, 99, "abc", 3, &p[1], 1), 0);
	assert_int_equal(loop_once(e->loop, 1000), 1);
	assert_int_equal(e->type, 7);
	assert_int_equal(e->cookie, 99);
	assert_int_equal(e->len, 3);
	assert_int_equal(write(e->fd, "x", 1), 1);
	assert_int_equal(fcntl(e->fd, F_GETFD), FD_CLOEXEC);
	close(p[0]);
	close(p[1]);
}

static void a_malformed_message_ends_the_channel(void **state)
{
	struct end *e = *state;

	assert_int_equal(send(e->raw, "rubbish that is no header", 25, 0), 25);
	assert_int_equal(loop_once(e->loop, 1000), 1);
	assert_int_equal(e->messages, 0);
	assert_int_equal(e->closed, 1);
}

/* One cut in its body, one in its descriptors: of neither is the rest worth anything. */
static void a_cut_message_ends_the_channel(void **state)
{
	static char big[IPC_MESSAGE_MAX + 64];
	struct end *e = *state;
	const uint32_t magic = 0x746f6c6c;
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC), before, many[IPC_FDS_MAX + 1];
	union {
		struct cmsghdr align;
		char b[CMSG_SPACE(sizeof(many))];
	} control = { 0 };
	struct iovec iov = { big, sizeof(big) };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };
	int buffer = 4 * IPC_MESSAGE_MAX, one[2];
	struct cmsghdr *c;
	struct end other = { .fd = -1 };

	memcpy(big, &magic, sizeof(magic));
	assert_int_equal(setsockopt(e->raw, SOL_SOCKET, SO_SNDBUF, &buffer, sizeof(buffer)), 0);
	assert_int_equal(sendmsg(e->raw, &m, 0), sizeof(big));
	assert_int_equal(loop_once(e->loop, 1000), 1);
	assert_int_equal(e->messages, 0);
	assert_int_equal(e->closed, 1);

	before = open_fds();
	assert_int_equal(ipc_pair(one), 0);
	assert_int_equal(ipc_new(e->loop, one[0], &ops, &other, &other.ipc), 0);
	for (unsigned i = 0; i < ARRAY_SIZE(many); i++)
		many[i] = null;
	iov.iov_len = 16;
	m.msg_control = control.b;
	m.msg_controllen = sizeof(control.b);
	c = CMSG_FIRSTHDR(&m);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(many));
	memcpy(CMSG_DATA(c), many, sizeof(many));
	assert_int_equal(sendmsg(one[1], &m, 0), 16);
	assert_int_equal(loop_once(e->loop, 1000), 1);
	assert_int_equal(other.messages, 0);
	assert_int_equal(other.closed, 1);
	ipc_free(other.ipc);
	close(one[1]);
	assert_int_equal(open_fds(), before); /* those that did arrive are closed */
	close(null);
}

static void a_refused_message_ends_the_channel(void **state)
{
	struct end *e = *state;

	e->answer = -EBADMSG;
	assert_int_equal(ipc_put(e->raw, 1, 0, NULL, 0, NULL, 0), 0);
	assert_int_equal(loop_once(e->loop, 1000), 1);
	assert_int_equal(e->closed, 1);
}

static void survives_being_freed_in_its_own_callback(void **state)
{
	struct end *e = *state;

	e->free_inside = true;
	assert_int_equal(ipc_put(e->raw, 1, 0, NULL, 0, NULL, 0), 0);
	assert_int_equal(loop_once(e->loop, 1000), 1);
	assert_int_equal(e->messages, 1);
	assert_int_equal(e->closed, 0);
}

static void queues_for_a_slow_peer_and_keeps_order(void **state)
{
	struct end *e = *state;
	static char body[8192];
	uint32_t n = 0;

	for (uint32_t i = 0; i < 200; i++) {
		memcpy(body, &i, sizeof(i));
		assert_int_equal(ipc_send(e->ipc, 5, i, body, sizeof(body), NULL, 0), 0);
	}
	while (n < 200) {
		uint32_t got;

		while (ipc_wait(e->raw, 0, 5, body, sizeof(body), NULL, 0) == 0) {
			memcpy(&got, body, sizeof(got));
			assert_int_equal(got, n);
			n++;
		}
		assert_true(loop_once(e->loop, 1000) >= 0);
	}
}

static void refuses_what_is_too_large(void **state)
{
	struct end *e = *state;
	static char body[IPC_MESSAGE_MAX + 1];

	assert_int_equal(ipc_send(e->ipc, 1, 0, body, sizeof(body), NULL, 0), -EMSGSIZE);
	assert_int_equal(ipc_send(NULL, 1, 0, NULL, 0, NULL, 0), -EPIPE);
}

static void waiting_checks_type_and_length(void **state)
{
	struct end *e = *state;
	char body[4];

	assert_int_equal(ipc_wait(e->raw, 0, 1, body, 4, NULL, 0), -ETIMEDOUT);
	assert_int_equal(ipc_send(e->ipc, 2, 0, "abcd", 4, NULL, 0), 0);
	assert_int_equal(ipc_wait(e->raw, 1000, 1, body, 4, NULL, 0), -EBADMSG);
	assert_int_equal(ipc_send(e->ipc, 1, 0, "abc", 3, NULL, 0), 0);
	assert_int_equal(ipc_wait(e->raw, 1000, 1, body, 4, NULL, 0), -EBADMSG);
	assert_int_equal(ipc_send(e->ipc, 1, 0, "abcd", 4, NULL, 0), 0);
	assert_int_equal(ipc_wait(e->raw, 1000, 1, body, 4, NULL, 0), 0);
	ipc_free(e->ipc);
	e->ipc = NULL;
	assert_int_equal(ipc_wait(e->raw, 1000, 1, body, 4, NULL, 0), -EPIPE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(carries_type_cookie_body_and_descriptor, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_malformed_message_ends_the_channel, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_cut_message_ends_the_channel, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_refused_message_ends_the_channel, set_up, tear_down),
		cmocka_unit_test_setup_teardown(survives_being_freed_in_its_own_callback, set_up, tear_down),
		cmocka_unit_test_setup_teardown(queues_for_a_slow_peer_and_keeps_order, set_up, tear_down),
		cmocka_unit_test_setup_teardown(refuses_what_is_too_large, set_up, tear_down),
		cmocka_unit_test_setup_teardown(waiting_checks_type_and_length, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
