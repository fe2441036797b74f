// SPDX-License-Identifier: Apache-2.0
/* What becomes of an agent's questions for names. The name server that has the answers is the test's own. */
#include "tests/unit/gate/world.inc.c"

#include <arpa/inet.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "user/base/cleanup.h"
#include "user/base/loop.h"
#include "user/gate/names.h"
#include "user/net/net.h"
#include "user/net/resolver.h"

#define TURNS 2000
#define POLICY "permit(principal, action == Action::\"resolve\", resource) when { resource.name like \"*.example.com\" };"

struct rig {
	struct world w;
	struct loop *loop;
	struct resolver *resolver;
	struct gate_names *names;
	struct name_stub *stub;
	struct loop_io *io;
	int server; /* upstream */
	bool silent;
	unsigned asked;
	char last[NAME_SIZE]; /* what it was asked for */
	int client; /* the agent's socket, connected to the stub */
};

static int bound(uint16_t *ret_port)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	socklen_t n = sizeof(at);

	assert_int_equal(bind(fd, (struct sockaddr *)&at, n), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &n), 0);
	*ret_port = ntohs(at.sin_port);
	return fd;
}

static void serve(struct loop_io *io, uint32_t events, void *arg)
{
	struct rig *g = arg;
	uint8_t in[DNS_MESSAGE_MAX], out[DNS_MESSAGE_MAX];
	struct sockaddr_in from;
	socklen_t len = sizeof(from);
	ssize_t n = recvfrom(g->server, in, sizeof(in), 0, (struct sockaddr *)&from, &len);
	struct dns_answer a = { .ttl = 60, .n = 1, .address = { { 198, 51, 100, 7 } } };
	struct dns_question q;

	assert_true(n > 0);
	assert_int_equal(dns_question_read((struct span){ (char *)in, (size_t)n }, &q), 0);
	g->asked++;
	memcpy(g->last, q.name, sizeof(g->last));
	if (g->silent)
		return;
	a.n = q.type == DNS_A;
	n = (ssize_t)dns_reply_write(&q, DNS_OK, &a, DNS_MESSAGE_MAX, out);
	assert_int_equal(sendto(g->server, out, (size_t)n, 0, (struct sockaddr *)&from, len), n);
}

static int setup(void **state)
{
	static struct rig rig;
	struct rig *g = &rig;
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	char servers[32];
	uint16_t port;

	*g = (struct rig){ .client = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0) };
	world_open(&g->w, POLICY);
	assert_int_equal(loop_new(&g->loop), 0);
	assert_int_equal(resolver_new(g->loop, &g->resolver), 0);
	g->server = bound(&port);
	assert_int_equal(loop_io_add(g->loop, g->server, EPOLLIN, serve, g, &g->io), 0);
	(void)snprintf(servers, sizeof(servers), "127.0.0.1:%u", port);
	assert_int_equal(resolver_servers(g->resolver, servers), 0);
	assert_int_equal(gate_names_new(g->w.gate, g->loop, g->resolver, &g->names), 0);
	assert_int_equal(gate_names_listen(g->names, bound(&port), 1, &g->stub), 0);
	at.sin_port = htons(port);
	assert_int_equal(connect(g->client, (struct sockaddr *)&at, sizeof(at)), 0);
	*state = g;
	return 0;
}

static int teardown(void **state)
{
	struct rig *g = *state;

	gate_names_free(g->names);
	resolver_free(g->resolver);
	loop_io_remove(g->io);
	close(g->server);
	close(g->client);
	loop_free(g->loop);
	world_close(&g->w);
	return 0;
}

/* A question, with its length before it at b. */
static size_t question(uint8_t b[512], const char *name, unsigned type)
{
	static const uint8_t head[] = { 0, 0, 0xab, 0xcd, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0 };
	size_t n = sizeof(head);

	memcpy(b, head, n);
	while (*name) {
		size_t label = strcspn(name, ".");

		b[n++] = (uint8_t)label;
		memcpy(b + n, name, label);
		n += label;
		name += label + (name[label] == '.');
	}
	b[n++] = 0;
	b[n++] = (uint8_t)(type >> 8);
	b[n++] = (uint8_t)type;
	b[n++] = 0;
	b[n++] = 1;
	b[1] = (uint8_t)(n - 2);
	return n;
}

static ssize_t wait_reply(struct rig *g, int fd, uint8_t *b, size_t size)
{
	ssize_t n = -1;

	for (int i = 0; i < TURNS && n < 0; i++) {
		loop_once(g->loop, 1);
		n = recv(fd, b, size, MSG_DONTWAIT);
	}
	return n;
}

/* The rcode of the answer, whose addresses are counted into ret_n. */
static enum dns_rcode ask(struct rig *g, const char *name, unsigned type, unsigned *ret_n)
{
	uint8_t b[512];
	size_t n = question(b, name, type);
	ssize_t got;

	assert_int_equal(send(g->client, b + 2, n - 2, 0), n - 2);
	got = wait_reply(g, g->client, b, sizeof(b));
	assert_true(got >= 12);
	assert_int_equal(b[0] << 8 | b[1], 0xabcd);
	*ret_n = b[7];
	return b[3] & 15;
}

static void a_name_that_may_be_resolved(void **state)
{
	struct rig *g = *state;
	unsigned n;

	assert_int_equal(ask(g, "API.example.com", DNS_A, &n), DNS_OK);
	assert_int_equal(n, 1);
	assert_string_equal(g->last, "api.example.com");
	assert_non_null(world_last_record(&g->w));
	assert_non_null(strstr(g->w.record, "\"method\":\"resolve\""));
	assert_non_null(strstr(g->w.record, "\"resource\":\"api.example.com\""));
	assert_non_null(strstr(g->w.record, "\"policy_decision\":\"allow\""));
	assert_non_null(strstr(g->w.record, "\"transport\":\"dns\""));
	assert_null(strstr(g->w.record, "\"agent_pid\""));
	assert_int_equal(ask(g, "api.example.com", DNS_AAAA, &n), DNS_OK);
	assert_int_equal(n, 0);
	assert_int_equal(ask(g, "api.example.com", DNS_HTTPS, &n), DNS_OK);
	assert_int_equal(g->asked, 3);
	assert_int_equal(ask(g, "api.example.com", DNS_A, &n), DNS_OK); /* kept, and judged all the same */
	assert_int_equal(g->asked, 3);
	world_policy(&g->w, "");
	assert_int_equal(ask(g, "api.example.com", DNS_A, &n), DNS_NO_SUCH_NAME);
}

/* Nothing of a name that is denied leaves: it could carry anything. */
static void a_name_that_may_not(void **state)
{
	struct rig *g = *state;
	unsigned n;

	assert_int_equal(ask(g, "c2VjcmV0.evil.example", DNS_A, &n), DNS_NO_SUCH_NAME);
	assert_int_equal(n, 0);
	assert_int_equal(g->asked, 0);
	assert_non_null(world_last_record(&g->w));
	assert_non_null(strstr(g->w.record, "\"resource\":\"c2vjcmv0.evil.example\""));
	assert_non_null(strstr(g->w.record, "\"policy_decision\":\"deny\""));
	assert_non_null(strstr(g->w.record, "\"reason_code\":\"policy\""));
}

static void what_is_no_question_for_a_host(void **state)
{
	enum { NS = 2, NUL = 10, MX = 15, TXT = 16, ANY = 255 };
	static const unsigned types[] = { NS, NUL, MX, TXT, ANY };
	struct rig *g = *state;
	unsigned n;

	for (unsigned mode = GATE_ENFORCING; mode <= GATE_SILENT; mode++) {
		g->w.gate->mode = (enum gate_mode)mode;
		for (size_t i = 0; i < ARRAY_SIZE(types); i++)
			assert_int_equal(ask(g, "api.example.com", types[i], &n), DNS_REFUSED);
		assert_int_equal(ask(g, "a b.example.com", DNS_A, &n), DNS_REFUSED);
	}
	assert_int_equal(g->asked, 0);
	assert_non_null(world_last_record(&g->w));
	assert_non_null(strstr(g->w.record, "\"resource\":\"a?b.example.com\""));
	assert_non_null(strstr(g->w.record, "\"reason_code\":\"question\""));
}

static void rubbish(void **state)
{
	struct rig *g = *state;
	uint8_t b[512];
	size_t n = question(b, "api.example.com", DNS_A);

	assert_int_equal(send(g->client, "short", 5, 0), 5);
	b[4] = 0x80; /* a reply */
	assert_int_equal(send(g->client, b + 2, n - 2, 0), n - 2);
	b[4] = 0x28; /* an update: the one that is answered */
	assert_int_equal(send(g->client, b + 2, n - 2, 0), n - 2);
	assert_int_equal(wait_reply(g, g->client, b, sizeof(b)), 12);
	assert_int_equal(b[3] & 15, DNS_FORMAT_ERROR);
	assert_true(recv(g->client, b, sizeof(b), MSG_DONTWAIT) < 0);
}

static void only_so_many_at_once(void **state)
{
	struct rig *g = *state;
	char name[32];
	uint8_t b[512];
	size_t n;

	g->silent = true;
	for (unsigned i = 0; i < NAMES_PENDING_MAX; i++) {
		(void)snprintf(name, sizeof(name), "n%u.example.com", i);
		n = question(b, name, DNS_A);
		assert_int_equal(send(g->client, b + 2, n - 2, 0), n - 2);
		loop_once(g->loop, 1);
		(void)world_last_record(&g->w); /* makes room */
	}
	for (int i = 0; i < TURNS && g->asked < NAMES_PENDING_MAX; i++)
		loop_once(g->loop, 1);
	assert_true(recv(g->client, b, sizeof(b), MSG_DONTWAIT) < 0);
	n = question(b, "one-more.example.com", DNS_A);
	assert_int_equal(send(g->client, b + 2, n - 2, 0), n - 2);
	assert_true(wait_reply(g, g->client, b, sizeof(b)) > 12);
	assert_int_equal(b[3] & 15, DNS_SERVER_FAILURE);
	assert_int_equal(g->asked, NAMES_PENDING_MAX);
}

static void only_so_often(void **state)
{
	struct rig *g = *state;
	unsigned n, refused = 0;

	/* More than the allowance and what it grows by meanwhile, however slow this is. */
	for (unsigned i = 0; i < 100 * NAMES_BURST && !refused; i++) {
		(void)world_last_record(&g->w); /* makes room */
		refused += ask(g, "api.example.com", DNS_A, &n) == DNS_REFUSED;
	}
	assert_int_equal(refused, 1);
	assert_non_null(world_last_record(&g->w));
	assert_non_null(strstr(g->w.record, "too often"));
}

/* --- connections ---------------------------------------------------------------------------------- */

static int stream(struct rig *g)
{
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
	gate_names_accept(g->names, pair[1], 1);
	return pair[0];
}

static void questions_on_a_connection(void **state)
{
	struct rig *g = *state;
	uint8_t b[1024], got[1024];
	size_t n = question(b, "api.example.com", DNS_A), have = 0;
	int fd = stream(g);

	n += question(b + n, "no.example", DNS_A); /* the next before the first is answered */
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(send(fd, b + i, 1, 0), 1);
		loop_once(g->loop, 0);
	}
	for (int i = 0; i < TURNS && have < n + 16; i++) {
		ssize_t r = recv(fd, got + have, sizeof(got) - have, MSG_DONTWAIT);

		have += r > 0 ? (size_t)r : 0;
		loop_once(g->loop, 1);
	}
	assert_int_equal(have, n + 16); /* an address is 16 bytes more */
	assert_int_equal(got[5] & 15, DNS_OK);
	assert_int_equal(got[2 + got[1] + 5] & 15, DNS_NO_SUCH_NAME);
	close(fd);
	for (int i = 0; i < 5; i++)
		loop_once(g->loop, 1);
}

static void rubbish_ends_a_connection(void **state)
{
	static const char *const texts[] = { "\0\0", "\377\377x", "GET / HTTP/1.1\r\n\r\n" };
	static const size_t sizes[] = { 2, 3, 18 };
	struct rig *g = *state;
	uint8_t b[16];

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		int fd = stream(g);

		assert_int_equal(send(fd, texts[i], sizes[i], 0), sizes[i]);
		assert_int_equal(wait_reply(g, fd, b, sizeof(b)), 0);
		close(fd);
	}
}

static void only_so_many_connections(void **state)
{
	struct rig *g = *state;
	int fd[NAMES_STREAMS_MAX + 1];
	uint8_t b[16];

	for (unsigned i = 0; i <= NAMES_STREAMS_MAX; i++)
		fd[i] = stream(g);
	assert_int_equal(recv(fd[NAMES_STREAMS_MAX], b, sizeof(b), 0), 0);
	assert_true(recv(fd[0], b, sizeof(b), MSG_DONTWAIT) < 0);
	for (unsigned i = 0; i <= NAMES_STREAMS_MAX; i++)
		close(fd[i]);
}

static void who_leaves_is_not_answered(void **state)
{
	struct rig *g = *state;
	uint8_t b[512];
	size_t n = question(b, "api.example.com", DNS_A);
	int fd = stream(g);

	g->silent = true;
	assert_int_equal(send(fd, b, n, 0), n);
	assert_int_equal(send(g->client, b + 2, n - 2, 0), n - 2);
	for (int i = 0; i < TURNS && g->asked < 2; i++)
		loop_once(g->loop, 1);
	close(fd);
	gate_names_unlisten(g->stub);
	for (int i = 0; i < 20; i++)
		loop_once(g->loop, 1);
}

/* --- what is known of addresses -------------------------------------------------------------------- */

static void names_of_an_address(void **state)
{
	static const uint8_t given[] = { 198, 51, 100, 7 }, other[] = { 198, 51, 100, 8 };
	struct rig *g = *state;
	struct net_dest d, e;
	unsigned n;

	assert_int_equal(net_dest_set(&d, AF_INET, given, 443), 0);
	assert_int_equal(net_dest_set(&e, AF_INET, other, 443), 0);
	assert_true(gate_names_agree(g->names, 1, &d, "any.example"));
	assert_false(gate_names_given(g->names, 1, &d, "api.example.com"));
	assert_int_equal(ask(g, "api.example.com", DNS_A, &n), DNS_OK);
	assert_true(gate_names_given(g->names, 1, &d, "api.example.com"));
	assert_true(gate_names_agree(g->names, 1, &d, "api.example.com"));
	assert_false(gate_names_agree(g->names, 1, &d, "any.example"));
	assert_true(gate_names_agree(g->names, 1, &e, "any.example"));
	assert_true(gate_names_agree(g->names, 2, &d, "any.example")); /* another agent */
	assert_false(gate_names_given(g->names, 2, &d, "api.example.com"));
	assert_int_equal(ask(g, "b.example.com", DNS_A, &n), DNS_OK); /* one address, two names */
	assert_true(gate_names_agree(g->names, 1, &d, "api.example.com"));
	assert_true(gate_names_agree(g->names, 1, &d, "b.example.com"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_name_that_may_be_resolved, setup, teardown),
		cmocka_unit_test_setup_teardown(a_name_that_may_not, setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_no_question_for_a_host, setup, teardown),
		cmocka_unit_test_setup_teardown(rubbish, setup, teardown),
		cmocka_unit_test_setup_teardown(only_so_many_at_once, setup, teardown),
		cmocka_unit_test_setup_teardown(only_so_often, setup, teardown),
		cmocka_unit_test_setup_teardown(questions_on_a_connection, setup, teardown),
		cmocka_unit_test_setup_teardown(rubbish_ends_a_connection, setup, teardown),
		cmocka_unit_test_setup_teardown(only_so_many_connections, setup, teardown),
		cmocka_unit_test_setup_teardown(who_leaves_is_not_answered, setup, teardown),
		cmocka_unit_test_setup_teardown(names_of_an_address, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
