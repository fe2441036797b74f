// SPDX-License-Identifier: Apache-2.0
#include "user/base/loop.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <unistd.h>
#include <cmocka.h>

struct seen {
	struct loop *loop;
	struct loop_io *io[2];
	int calls[2], timers, signo, after;
};

/* Two sources are ready in one round; the first removes the second, which must not be called. */
static void remove_other(struct loop_io *io, uint32_t events, void *arg)
{
	struct seen *s = arg;
	int me = io == s->io[1];

	s->calls[me]++;
	loop_io_remove(s->io[!me]);
	s->io[!me] = NULL;
}

static void a_removed_source_is_not_called(void **state)
{
	struct seen s = { 0 };
	int a[2], b[2];

	assert_int_equal(pipe(a), 0);
	assert_int_equal(pipe(b), 0);
	assert_int_equal(loop_new(&s.loop), 0);
	assert_int_equal(loop_io_add(s.loop, a[0], EPOLLIN, remove_other, &s, &s.io[0]), 0);
	assert_int_equal(loop_io_add(s.loop, b[0], EPOLLIN, remove_other, &s, &s.io[1]), 0);
	assert_int_equal(write(a[1], "x", 1), 1);
	assert_int_equal(write(b[1], "x", 1), 1);
	assert_int_equal(loop_once(s.loop, 1000), 2);
	assert_int_equal(s.calls[0] + s.calls[1], 1);
	loop_io_remove(s.io[0]);
	loop_io_remove(s.io[1]);
	loop_free(s.loop);
	for (int i = 0; i < 2; i++) {
		close(a[i]);
		close(b[i]);
	}
}

static void on_timer(struct loop_timer *t, void *arg)
{
	struct seen *s = arg;

	s->timers++;
	loop_timer_remove(t); /* in its own callback */
	loop_stop(s->loop, 3);
}

static void on_after(void *arg)
{
	((struct seen *)arg)->after++;
}

static void runs_until_stopped(void **state)
{
	struct seen s = { 0 };
	struct loop_timer *t;

	assert_int_equal(loop_new(&s.loop), 0);
	loop_after(s.loop, on_after, &s);
	assert_int_equal(loop_timer_add(s.loop, on_timer, &s, &t), 0);
	assert_int_equal(loop_timer_arm(t, 0, 0), 0);
	assert_int_equal(loop_run(s.loop), 3);
	assert_int_equal(s.timers, 1);
	assert_int_equal(s.after, 1);
	loop_free(s.loop);
}

static void on_signal(int signo, void *arg)
{
	((struct seen *)arg)->signo = signo;
}

static void tells_of_signals(void **state)
{
	static const int signals[] = { SIGUSR1, 0 };
	struct seen s = { 0 };

	assert_int_equal(loop_new(&s.loop), 0);
	assert_int_equal(loop_signals(s.loop, signals, on_signal, &s), 0);
	assert_int_equal(loop_signals(s.loop, signals, on_signal, &s), -EBUSY);
	assert_int_equal(kill(getpid(), SIGUSR1), 0);
	assert_int_equal(loop_once(s.loop, 1000), 1);
	assert_int_equal(s.signo, SIGUSR1);
	loop_free(s.loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_removed_source_is_not_called),
		cmocka_unit_test(runs_until_stopped),
		cmocka_unit_test(tells_of_signals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
