// SPDX-License-Identifier: Apache-2.0
/* A request of our own: nothing is sent before the yes, and it ends whatever the server does. */
#include "tests/unit/net/rig.h"

#include "user/net/post.h"

struct deed {
	struct loop *loop;
	struct net *net;
	struct net_dest dest;
	struct net_post *post;
	int listener, origin;
	enum net_verdict verdict;
	unsigned dialed, done;
	int error;
};

static enum net_verdict on_dialed(struct net_post *p, void *arg)
{
	struct deed *d = arg;

	d->dialed++;
	return d->verdict;
}

static void on_done(struct net_post *p, int error, void *arg)
{
	struct deed *d = arg;

	d->done++;
	d->error = error;
	d->post = NULL;
}

static const struct net_post_ops ops = { .dialed = on_dialed, .done = on_done };

static void deed_init(struct deed *d, enum net_verdict v)
{
	struct sockaddr_in a;

	*d = (struct deed){ .listener = rig_listen(&a), .origin = -1, .verdict = v };
	assert_int_equal(net_dest_set(&d->dest, AF_INET, &a.sin_addr, ntohs(a.sin_port)), 0);
	assert_int_equal(loop_new(&d->loop), 0);
	assert_int_equal(net_new(d->loop, NULL, &d->net), 0);
}

static void deed_done(struct deed *d)
{
	net_post_free(d->post);
	net_free(d->net);
	loop_free(d->loop);
	rig_close(&d->origin);
	rig_close(&d->listener);
}

static int begin(struct deed *d, const char *request)
{
	return net_post_new(d->net, &d->dest, span_of(request), &ops, d, &d->post);
}

#define DEED_UNTIL(d, cond) \
	do { \
		bool holds_ = false; /* cond may take what it looks for */ \
		for (int turn_ = 0; !(holds_ = (cond)) && turn_ < RIG_TURNS; turn_++) \
			(void)loop_once((d)->loop, 2); \
		assert_true(holds_); \
	} while (0)

static size_t at_origin(struct deed *d, char *ret, size_t size)
{
	ssize_t n;

	if (d->origin < 0)
		d->origin = accept4(d->listener, NULL, NULL, SOCK_NONBLOCK);
	n = recv(d->origin, ret, size - 1, MSG_DONTWAIT);
	ret[n > 0 ? n : 0] = '\0';
	return n > 0 ? (size_t)n : 0;
}

static void says_it_whole_and_hears_the_answer(void **state)
{
	char got[64];
	struct deed d;

	deed_init(&d, NET_FORWARD);
	assert_int_equal(begin(&d, "POST / HTTP/1.1\r\n\r\nbody"), 0);
	DEED_UNTIL(&d, at_origin(&d, got, sizeof(got)));
	assert_string_equal(got, "POST / HTTP/1.1\r\n\r\nbody");
	assert_int_equal(d.done, 0);
	assert_int_equal(send(d.origin, "HTTP/1.1 202 Accepted\r\n", 23, 0), 23);
	for (int i = 0; i < 5; i++)
		(void)loop_once(d.loop, 2);
	assert_int_equal(d.done, 0); /* half a head is no answer */
	assert_int_equal(send(d.origin, "\r\n", 2, 0), 2);
	DEED_UNTIL(&d, d.done);
	assert_int_equal(d.error, 0);
	deed_done(&d);
}

static void says_nothing_to_a_server_that_is_not_accepted(void **state)
{
	char got[64];
	struct deed d;

	deed_init(&d, NET_DENY);
	assert_int_equal(begin(&d, "secret"), 0);
	DEED_UNTIL(&d, d.done);
	assert_int_equal(d.error, -EACCES);
	assert_int_equal(at_origin(&d, got, sizeof(got)), 0);
	deed_done(&d);
}

static void waits_for_the_verdict(void **state)
{
	char got[64];
	struct deed d;

	deed_init(&d, NET_LATER);
	assert_int_equal(begin(&d, "late"), 0);
	net_post_resume(d.post, NET_FORWARD); /* before it was asked: no effect */
	DEED_UNTIL(&d, d.dialed);
	for (int i = 0; i < 5; i++)
		(void)loop_once(d.loop, 2);
	assert_int_equal(at_origin(&d, got, sizeof(got)), 0);
	net_post_resume(d.post, NET_FORWARD);
	DEED_UNTIL(&d, at_origin(&d, got, sizeof(got)));
	assert_string_equal(got, "late");
	deed_done(&d);
}

static void ends_when_the_server_is_gone(void **state)
{
	char got[64];
	struct deed d;

	deed_init(&d, NET_FORWARD);
	assert_int_equal(begin(&d, "x"), 0);
	DEED_UNTIL(&d, at_origin(&d, got, sizeof(got)));
	rig_close(&d.origin);
	DEED_UNTIL(&d, d.done);
	assert_true(d.error < 0);
	d.done = 0;
	rig_close(&d.listener);
	if (begin(&d, "x") == 0)
		DEED_UNTIL(&d, d.done);
	assert_true(d.error < 0);
	deed_done(&d);
}

static void few_at_once(void **state)
{
	struct net_post *p[NET_POSTS_MAX], *more;
	struct deed d;

	deed_init(&d, NET_LATER);
	for (unsigned i = 0; i < NET_POSTS_MAX; i++)
		assert_int_equal(net_post_new(d.net, &d.dest, SPAN("x"), &ops, &d, &p[i]), 0);
	assert_int_equal(net_post_new(d.net, &d.dest, SPAN("x"), &ops, &d, &more), -EBUSY);
	net_post_free(p[0]);
	assert_int_equal(net_post_new(d.net, &d.dest, SPAN("x"), &ops, &d, &p[0]), 0);
	for (unsigned i = 0; i < NET_POSTS_MAX; i++)
		net_post_free(p[i]);
	deed_done(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(says_it_whole_and_hears_the_answer),
		cmocka_unit_test(says_nothing_to_a_server_that_is_not_accepted),
		cmocka_unit_test(waits_for_the_verdict),
		cmocka_unit_test(ends_when_the_server_is_gone),
		cmocka_unit_test(few_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
