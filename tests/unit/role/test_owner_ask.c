// SPDX-License-Identifier: Apache-2.0
/* Questions about owners outlive the supervisor that they were asked of, and the moment without one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <unistd.h>

#include "user/base/loop.h"
#include "user/role/ipc.h"
#include "user/role/member.h"
#include "user/role/msg.h"
#include "user/role/owner_ask.h"

#define WAIT_MS 10000

static int on_message(struct ipc *c, struct ipc_msg *m, void *arg)
{
	return 0;
}

static void on_closed(struct ipc *c, void *arg)
{
}

static const struct ipc_ops ops = { .message = on_message, .closed = on_closed };

/* The supervisor's end of the member's next channel. */
static int new_supervisor(struct loop *l, struct member *m)
{
	int fds[2];

	ipc_free(m->supervisor);
	assert_int_equal(ipc_pair(fds), 0);
	assert_int_equal(ipc_new(l, fds[0], &ops, NULL, &m->supervisor), 0);
	return fds[1];
}

static void hears(int fd)
{
	struct msg_owner got;

	assert_true(ipc_wait(fd, WAIT_MS, MSG_OWNER, &got, sizeof(got), NULL, 0) >= 0);
}

static void outlive_their_supervisor(void **state)
{
	struct msg_owner body = { 0 };
	struct owner_asks asks = { 0 };
	struct member m = { 0 };
	struct loop *l;
	int fd;

	assert_int_equal(loop_new(&l), 0);
	fd = new_supervisor(l, &m);
	assert_int_equal(owner_ask(&asks, &m, 1, &body), 0);
	hears(fd);
	close(fd); /* it dies; nobody has noticed when the next question comes */
	assert_int_equal(owner_ask(&asks, &m, 2, &body), 0);
	ipc_free(m.supervisor);
	m.supervisor = NULL;
	assert_int_equal(owner_ask(&asks, &m, 3, &body), 0);
	assert_int_equal(asks.n, 3);
	owner_answered(&asks, 2);
	fd = new_supervisor(l, &m);
	owner_ask_again(&asks, &m);
	hears(fd);
	hears(fd);
	owner_answered(&asks, 1);
	owner_answered(&asks, 3);
	owner_answered(&asks, 3);
	assert_int_equal(asks.n, 0);
	assert_null(asks.open);
	close(fd);
	ipc_free(m.supervisor);
	loop_free(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(outlive_their_supervisor),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
