// SPDX-License-Identifier: Apache-2.0
/* The resolver against a name server of the test's own, in the same loop. */
#include "user/net/resolver.h"

#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include "user/base/cleanup.h"
#include "user/base/loop.h"

#define TURNS 5000

struct rig {
	struct loop *loop;
	struct loop_io *io;
	struct resolver *resolver;
	int server;
	bool silent;
	unsigned seen; /* questions that the server got */
	enum dns_rcode rcode;
	struct dns_answer says;
	/* what came back */
	unsigned calls;
	int error;
	struct dns_answer got;
};

static void serve(struct loop_io *io, uint32_t events, void *arg)
{
	struct rig *g = arg;
	uint8_t in[DNS_MESSAGE_MAX], out[DNS_MESSAGE_MAX];
	struct sockaddr_in from;
	socklen_t len = sizeof(from);
	ssize_t n = recvfrom(g->server, in, sizeof(in), 0, (struct sockaddr *)&from, &len);
	struct dns_question q;
	size_t size;

	assert_true(n > 0);
	assert_int_equal(dns_question_read((struct span){ (char *)in, (size_t)n }, &q), 0);
	g->seen++;
	if (g->silent)
		return;
	size = dns_reply_write(&q, g->rcode, g->rcode == DNS_OK ? &g->says : NULL, DNS_MESSAGE_MAX, out);
	assert_int_equal(sendto(g->server, out, size, 0, (struct sockaddr *)&from, len), size);
}

static void on_answer(void *arg, int error, const struct dns_answer *answer)
{
	struct rig *g = arg;

	g->calls++;
	g->error = error;
	if (error == 0)
		g->got = *answer;
}

static int setup(void **state)
{
	static struct rig rig;
	struct rig *g = &rig;
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(at);
	char servers[32];

	*g = (struct rig){ .says = { .ttl = 60, .n = 1 } };
	memcpy(g->says.address[0], "\xc6\x33\x64\x07", 4);
	assert_int_equal(loop_new(&g->loop), 0);
	g->server = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	assert_int_equal(bind(g->server, (struct sockaddr *)&at, len), 0);
	assert_int_equal(getsockname(g->server, (struct sockaddr *)&at, &len), 0);
	assert_int_equal(loop_io_add(g->loop, g->server, EPOLLIN, serve, g, &g->io), 0);
	assert_int_equal(resolver_new(g->loop, &g->resolver), 0);
	(void)snprintf(servers, sizeof(servers), "127.0.0.1:%u", ntohs(at.sin_port));
	assert_int_equal(resolver_servers(g->resolver, servers), 0);
	*state = g;
	return 0;
}

static int teardown(void **state)
{
	struct rig *g = *state;

	resolver_free(g->resolver);
	loop_io_remove(g->io);
	close(g->server);
	loop_free(g->loop);
	return 0;
}

/* Asks and waits; whether the answer was there already. */
static bool ask(struct rig *g, const char *name, enum dns_type type)
{
	struct resolver_query *q;
	unsigned before = g->calls;
	int r = resolver_ask(g->resolver, name, type, on_answer, g, &g->got, &q);

	g->error = 0;
	if (r == 1)
		return true;
	assert_int_equal(r, 0);
	for (int i = 0; g->calls == before; i++) {
		assert_true(i < TURNS);
		loop_once(g->loop, 2);
	}
	return false;
}

static void asks_once_while_it_holds(void **state)
{
	struct rig *g = *state;
	unsigned long asked, kept;

	assert_false(ask(g, "api.example.com", DNS_A));
	assert_int_equal(g->error, 0);
	assert_int_equal(g->got.n, 1);
	assert_memory_equal(g->got.address[0], g->says.address[0], 4);
	assert_true(ask(g, "api.example.com", DNS_A));
	assert_int_equal(g->got.n, 1);
	assert_true(g->got.ttl <= 60);
	assert_false(ask(g, "api.example.com", DNS_AAAA)); /* another type is another question */
	assert_false(ask(g, "other.example.com", DNS_A));
	assert_int_equal(g->seen, 3);
	resolver_counts(g->resolver, &asked, &kept);
	assert_int_equal(asked, 3);
	assert_int_equal(kept, 1);
}

static void what_holds_for_no_time_is_not_kept(void **state)
{
	struct rig *g = *state;

	g->says.ttl = 0;
	assert_false(ask(g, "a.example", DNS_A));
	assert_false(ask(g, "a.example", DNS_A));
	g->rcode = DNS_NO_SUCH_NAME; /* without a zone's word on how long */
	assert_false(ask(g, "b.example", DNS_A));
	assert_int_equal(g->error, 0);
	assert_int_equal(g->got.rcode, DNS_NO_SUCH_NAME);
	assert_false(ask(g, "b.example", DNS_A));
}

static void nobody_holds_an_answer_for_long(void **state)
{
	struct rig *g = *state;

	g->says.ttl = 1000000;
	assert_false(ask(g, "a.example", DNS_A));
	assert_true(ask(g, "a.example", DNS_A));
	assert_true(g->got.ttl <= RESOLVER_TTL_MAX);
}

static void failures_are_errors(void **state)
{
	struct rig *g = *state;

	g->rcode = DNS_SERVER_FAILURE;
	assert_false(ask(g, "a.example", DNS_A));
	assert_int_equal(g->error, -EIO);
	g->rcode = DNS_OK;
	assert_false(ask(g, "a.example", DNS_A)); /* a failure is not kept */
	assert_int_equal(g->error, 0);
}

static void as_many_names_as_one_likes(void **state)
{
	struct rig *g = *state;
	char name[32];

	for (unsigned i = 0; i < 2 * RESOLVER_CACHE_MAX; i++) {
		(void)snprintf(name, sizeof(name), "n%u.example", i);
		assert_false(ask(g, name, DNS_A));
	}
	assert_true(ask(g, name, DNS_A)); /* the last one is kept in somebody's place */
}

static void only_so_many_at_once(void **state)
{
	struct rig *g = *state;
	struct resolver_query *q[RESOLVER_QUERIES_MAX + 1];
	char name[32];

	g->silent = true;
	for (unsigned i = 0; i <= RESOLVER_QUERIES_MAX; i++) {
		(void)snprintf(name, sizeof(name), "n%u.example", i);
		assert_int_equal(resolver_ask(g->resolver, name, DNS_A, on_answer, g, &g->got, &q[i]),
				 i < RESOLVER_QUERIES_MAX ? 0 : -EAGAIN);
	}
}

static void cancelled_is_not_told(void **state)
{
	struct rig *g = *state;
	struct resolver_query *q;

	assert_int_equal(resolver_ask(g->resolver, "a.example", DNS_A, on_answer, g, &g->got, &q), 0);
	resolver_cancel(q);
	assert_false(ask(g, "b.example", DNS_A));
	assert_int_equal(g->calls, 1);
	assert_true(ask(g, "a.example", DNS_A)); /* its answer is kept all the same */
}

static void servers_are_addresses(void **state)
{
	struct rig *g = *state;

	assert_int_equal(resolver_servers(g->resolver, "a.example"), -EINVAL);
	assert_int_equal(resolver_servers(g->resolver, "192.0.2.53,[2001:db8::53]:5353"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(asks_once_while_it_holds, setup, teardown),
		cmocka_unit_test_setup_teardown(what_holds_for_no_time_is_not_kept, setup, teardown),
		cmocka_unit_test_setup_teardown(nobody_holds_an_answer_for_long, setup, teardown),
		cmocka_unit_test_setup_teardown(failures_are_errors, setup, teardown),
		cmocka_unit_test_setup_teardown(as_many_names_as_one_likes, setup, teardown),
		cmocka_unit_test_setup_teardown(only_so_many_at_once, setup, teardown),
		cmocka_unit_test_setup_teardown(cancelled_is_not_told, setup, teardown),
		cmocka_unit_test_setup_teardown(servers_are_addresses, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
