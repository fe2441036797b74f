// SPDX-License-Identifier: Apache-2.0
/* A TLS connection that names its host goes where the proxy finds that host, and only if that may be. The name server
 * and the host are the test's own. */
#include "tests/unit/gate/world.inc.c"

#include <arpa/inet.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "user/base/cleanup.h"
#include "user/base/loop.h"
#include "user/gate/http_end.h"
#include "user/gate/http_session.h"
#include "user/gate/names_parts.h"
#include "user/net/net.h"
#include "user/net/resolver.h"

#define TURNS 2000
#define PERMIT(action) "permit(principal, action == Action::\"" action "\", resource);"

/* A ClientHello for mcp.example. */
static const char hello[] = "\x16\x03\x01\x00\x43\x01\x00\x00\x3f\x03\x03"
			    "0123456789abcdef0123456789abcdef"
			    "\x00\x00\x02\x13\x01\x01\x00\x00\x14"
			    "\x00\x00\x00\x10\x00\x0e\x00\x00\x0bmcp.example";
static const char alert[] = "\x15\x03\x03\x00\x02\x02\x31"; /* access_denied */

struct rig {
	struct world w;
	struct loop *loop;
	struct net *net;
	struct gate_http_side side;
	struct loop_io *io;
	int names, host; /* sockets of the two servers */
	uint16_t port; /* of the host */
	uint8_t a[4], aaaa[16]; /* of mcp.example */
	bool has_a, has_aaaa;
	unsigned asked;
	uint64_t owner; /* whose listening socket that is was asked under this token; 0: not asked */
	int client, accepted; /* the agent's end, and the host's */
};

static int ask_owner(uint64_t token, const struct tg_origin *o, void *arg)
{
	struct rig *g = arg;

	assert_int_equal(o->dst[12], 127); /* where it goes, not where the agent said */
	g->owner = token;
	return 0;
}

static int bound(int type, const char *address, uint16_t *ret_port)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = inet_addr(address) };
	int fd = socket(AF_INET, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	socklen_t n = sizeof(at);

	assert_int_equal(bind(fd, (struct sockaddr *)&at, n), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &n), 0);
	if (type == SOCK_STREAM)
		assert_int_equal(listen(fd, 8), 0);
	*ret_port = ntohs(at.sin_port);
	return fd;
}

static void serve(struct loop_io *io, uint32_t events, void *arg)
{
	struct rig *g = arg;
	uint8_t in[DNS_MESSAGE_MAX], out[DNS_MESSAGE_MAX];
	struct sockaddr_in from;
	socklen_t len = sizeof(from);
	ssize_t n = recvfrom(g->names, in, sizeof(in), 0, (struct sockaddr *)&from, &len);
	struct dns_answer a = { .ttl = 0 };
	struct dns_question q;

	assert_true(n > 0);
	assert_int_equal(dns_question_read((struct span){ (char *)in, (size_t)n }, &q), 0);
	assert_string_equal(q.name, "mcp.example");
	g->asked++;
	a.n = q.type == DNS_A ? g->has_a : g->has_aaaa;
	memcpy(a.address[0], q.type == DNS_A ? g->a : g->aaaa, q.type == DNS_A ? 4 : 16);
	n = (ssize_t)dns_reply_write(&q, DNS_OK, &a, DNS_MESSAGE_MAX, out);
	assert_int_equal(sendto(g->names, out, (size_t)n, 0, (struct sockaddr *)&from, len), n);
}

static int setup(void **state)
{
	static const struct gate_http_ops ops = { .ask_owner = ask_owner };
	static struct rig rig;
	struct rig *g = &rig;
	char servers[32];
	uint16_t port;

	*g = (struct rig){ .client = -1, .accepted = -1 };
	world_open(&g->w, NULL);
	g->w.gate->limits.conversations_max = 100;
	assert_int_equal(loop_new(&g->loop), 0);
	assert_int_equal(net_new(g->loop, NULL, &g->net), 0);
	g->side = (struct gate_http_side){ .gate = g->w.gate, .net = g->net, .ops = &ops, .arg = g };
	assert_int_equal(http_sessions_new(g->w.gate, &g->side.sessions), 0);
	assert_int_equal(resolver_new(g->loop, &g->side.resolver), 0);
	assert_int_equal(gate_names_new(g->w.gate, g->loop, g->side.resolver, &g->side.names), 0);
	g->host = bound(SOCK_STREAM, "127.0.0.1", &g->port);
	g->names = bound(SOCK_DGRAM, "127.0.0.1", &port);
	assert_int_equal(loop_io_add(g->loop, g->names, EPOLLIN, serve, g, &g->io), 0);
	(void)snprintf(servers, sizeof(servers), "127.0.0.1:%u", port);
	assert_int_equal(resolver_servers(g->side.resolver, servers), 0);
	*state = g;
	return 0;
}

static int teardown(void **state)
{
	struct rig *g = *state;

	if (g->client >= 0)
		close(g->client);
	if (g->accepted >= 0)
		close(g->accepted);
	net_free(g->net);
	http_sessions_free(g->side.sessions);
	gate_names_free(g->side.names);
	resolver_free(g->side.resolver);
	loop_io_remove(g->io);
	close(g->names);
	close(g->host);
	loop_free(g->loop);
	world_close(&g->w);
	return 0;
}

/* The agent connects to an address and says something. */
static void say(struct rig *g, const char *address, const char *text, size_t size)
{
	struct tg_origin o = { .family = strchr(address, ':') ? 6 : 4, .agent = 1, .tgid = 100, .port = g->port };
	int listener, accepted;
	uint16_t port;
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };

	o.dst[10] = o.dst[11] = 0xff;
	assert_int_equal(inet_pton(o.family == 4 ? AF_INET : AF_INET6, address, o.family == 4 ? o.dst + 12 : o.dst), 1);
	listener = bound(SOCK_STREAM, "127.0.0.1", &port);
	at.sin_port = htons(port);
	g->client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(g->client, (struct sockaddr *)&at, sizeof(at)), 0);
	accepted = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	assert_true(accepted >= 0);
	close(listener);
	assert_int_equal(gate_http_open(&g->side, NULL, accepted, &o), 0);
	assert_int_equal(send(g->client, text, size, 0), size);
}

static void say_hello(struct rig *g, const char *address)
{
	say(g, address, hello, sizeof(hello) - 1);
}

static bool arrives(struct rig *g)
{
	char got[sizeof(hello)];
	int fd = -1, n = 0;

	for (int i = 0; i < TURNS && fd < 0; i++) {
		loop_once(g->loop, 1);
		if (recv(g->client, got, sizeof(got), MSG_DONTWAIT) >= 0)
			return false; /* an alert */
		fd = accept4(g->host, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	}
	assert_true(fd >= 0);
	for (int i = 0; i < TURNS && n <= 0; i++) {
		loop_once(g->loop, 1);
		n = (int)recv(fd, got, sizeof(got), 0);
	}
	assert_int_equal(n, sizeof(hello) - 1);
	assert_memory_equal(got, hello, sizeof(hello) - 1);
	close(fd);
	return true;
}

static bool refused(struct rig *g)
{
	char got[16];
	ssize_t n = -1;

	for (int i = 0; i < TURNS && n < 0; i++) {
		loop_once(g->loop, 1);
		n = recv(g->client, got, sizeof(got), MSG_DONTWAIT);
	}
	assert_int_equal(n, sizeof(alert) - 1);
	assert_memory_equal(got, alert, sizeof(alert) - 1);
	assert_true(accept4(g->host, NULL, NULL, SOCK_CLOEXEC) < 0);
	return true;
}

/* Whether some record so far has both texts; takes them all. */
static bool recorded(struct rig *g, const char *one, const char *two)
{
	const char *r;
	bool found = false;

	while ((r = world_record(&g->w)))
		found |= strstr(r, one) && strstr(r, two);
	return found;
}

static void has(struct rig *g, const char *a, const char *aaaa)
{
	g->has_a = a;
	g->has_aaaa = aaaa;
	if (a)
		assert_int_equal(inet_pton(AF_INET, a, g->a), 1);
	if (aaaa)
		assert_int_equal(inet_pton(AF_INET6, aaaa, g->aaaa), 1);
}

/* The agent was given the address for a name. */
static void given_for(struct rig *g, const char *address, const char *name)
{
	struct dns_answer a = { .n = 1 };

	assert_int_equal(inet_pton(AF_INET, address, a.address[0]), 1);
	names_remember(names_agent_of(g->side.names, 1), name, true, &a);
}

static void given(struct rig *g, const char *address)
{
	given_for(g, address, "mcp.example");
}

static void the_address_has_another_name(void **state)
{
	struct rig *g = *state;

	world_policy(&g->w, PERMIT_ALL);
	has(g, "127.0.0.1", NULL);
	given_for(g, "1.2.3.4", "other.example");
	say_hello(g, "1.2.3.4");
	assert_true(refused(g));
	assert_int_equal(g->asked, 0);
	assert_true(recorded(g, "\"reason_code\":\"other_name\"", "\"policy_decision\":\"deny\""));
}

static void and_this_one_too(void **state)
{
	struct rig *g = *state;

	world_policy(&g->w, PERMIT_ALL);
	has(g, "127.0.0.1", NULL);
	given_for(g, "1.2.3.4", "other.example");
	given(g, "1.2.3.4");
	say_hello(g, "1.2.3.4");
	assert_true(arrives(g));
}

static void the_agents_address_is_not_dialed(void **state)
{
	struct rig *g = *state;

	world_policy(&g->w, PERMIT("connect") PERMIT("connect/internal"));
	has(g, "127.0.0.1", NULL);
	say_hello(g, "1.2.3.4");
	assert_true(arrives(g));
	assert_true(recorded(g, "\"address\":\"127.0.0.1\"", "\"policy_decision\":\"allow\""));
}

/* The second answer is not public: whoever serves the name cannot point it inwards. */
static void a_name_that_leads_inwards(void **state)
{
	struct rig *g = *state;

	world_policy(&g->w, PERMIT("connect"));
	has(g, "127.0.0.1", NULL);
	say_hello(g, "1.2.3.4");
	assert_true(refused(g));
	assert_int_equal(g->asked, 1);
	assert_true(recorded(g, "\"address\":\"127.0.0.1\"", "\"policy_decision\":\"deny\""));
}

static void and_in_another_spelling(void **state)
{
	struct rig *g = *state;

	world_policy(&g->w, PERMIT("connect") PERMIT("connect/internal"));
	has(g, NULL, "64:ff9b::a9fe:a9fe");
	say_hello(g, "1.2.3.4");
	assert_true(refused(g));
	assert_int_equal(g->asked, 2);
	assert_true(recorded(g, "\"address\":\"64:ff9b::a9fe:a9fe\"", "\"policy_decision\":\"deny\""));
}

static void a_mapped_address_is_its_own(void **state)
{
	struct rig *g = *state;

	world_policy(&g->w, PERMIT("connect"));
	has(g, NULL, "::ffff:127.0.0.1");
	say_hello(g, "2606:4700::1111");
	assert_true(refused(g));
	assert_true(recorded(g, "\"address\":\"127.0.0.1\"", "\"policy_decision\":\"deny\""));
}

static void a_name_that_is_denied_is_not_asked_for(void **state)
{
	struct rig *g = *state;

	world_policy(&g->w, "");
	has(g, "127.0.0.1", NULL);
	say_hello(g, "1.2.3.4");
	assert_true(refused(g));
	assert_int_equal(g->asked, 0);
}

static void a_name_without_address(void **state)
{
	struct rig *g = *state;

	world_policy(&g->w, PERMIT_ALL);
	has(g, NULL, NULL);
	say_hello(g, "127.0.0.1");
	assert_true(refused(g));
	assert_int_equal(g->asked, 2);
	assert_true(recorded(g, "\"reason\":\"the host's name has no address\"", "\"policy_decision\":\"deny\""));
}

/* --- HTTP ----------------------------------------------------------------------------------------- */


static void get(struct rig *g, const char *address, const char *host)
{
	char text[128];
	int n = snprintf(text, sizeof(text), "GET / HTTP/1.1\r\nHost: %s:%u\r\n\r\n", host, g->port);

	say(g, address, text, (size_t)n);
}

/* What comes to the agent first; "" when the host got the request instead, and answered. */
static const char *status(struct rig *g)
{
	static const char answer[] = "HTTP/1.1 204 No Content\r\n\r\n";
	static char got[256];
	char request[256];
	ssize_t n = -1;

	for (int i = 0; i < TURNS; i++) {
		int fd = accept4(g->host, NULL, NULL, SOCK_CLOEXEC);

		loop_once(g->loop, 1);
		if (g->owner) {
			uint64_t token = g->owner;

			g->owner = 0;
			gate_http_owner(&g->side, token, NULL, 1);
		}
		if (fd >= 0) {
			n = recv(fd, request, sizeof(request) - 1, 0);
			assert_true(n > 0);
			assert_int_equal(send(fd, answer, sizeof(answer) - 1, 0), sizeof(answer) - 1);
			request[n] = '\0';
			assert_non_null(strstr(request, "Host: mcp.example:"));
			g->accepted = fd; /* stays open: so does the agent's connection */
		}
		n = recv(g->client, got, sizeof(got) - 1, MSG_DONTWAIT);
		if (n > 0)
			break;
	}
	assert_true(n > 12);
	got[12] = '\0';
	return got + 9;
}

static void a_request_goes_where_its_host_is_found(void **state)
{
	struct rig *g = *state;
	char text[128];
	int n;

	world_policy(&g->w, "permit(principal, action == Action::\"connect/internal\", resource) when {"
			    " context has host && context.host == \"mcp.example\" };");
	has(g, "127.0.0.1", NULL);
	given(g, "1.2.3.4");
	get(g, "1.2.3.4", "mcp.example");
	assert_string_equal(status(g), "204");
	assert_true(recorded(g, "\"address\":\"127.0.0.1\"", "\"policy_decision\":\"allow\""));
	/* The same connection is for no other host. */
	n = snprintf(text, sizeof(text), "GET / HTTP/1.1\r\nHost: 127.0.0.1:%u\r\n\r\n", g->port);
	assert_int_equal(send(g->client, text, (size_t)n, 0), n);
	assert_string_equal(status(g), "421");
	assert_true(recorded(g, "\"reason\":\"the connection is for another host\"", "\"policy_decision\":\"deny\""));
}

static void a_host_that_was_not_asked_for(void **state)
{
	struct rig *g = *state;

	world_policy(&g->w, PERMIT_ALL);
	has(g, "127.0.0.1", NULL);
	given(g, "1.2.3.5");
	get(g, "1.2.3.4", "mcp.example");
	assert_string_equal(status(g), "421");
	assert_int_equal(g->asked, 0);
}

static void a_request_that_leads_inwards(void **state)
{
	struct rig *g = *state;

	world_policy(&g->w, PERMIT("connect"));
	has(g, "127.0.0.1", NULL);
	given(g, "1.2.3.4");
	get(g, "1.2.3.4", "mcp.example");
	assert_string_equal(status(g), "403");
	assert_true(recorded(g, "\"address\":\"127.0.0.1\"", "\"policy_decision\":\"deny\""));
}

static void a_request_whose_host_has_no_address(void **state)
{
	struct rig *g = *state;

	world_policy(&g->w, PERMIT_ALL);
	has(g, NULL, NULL);
	given(g, "1.2.3.4");
	get(g, "1.2.3.4", "mcp.example");
	assert_string_equal(status(g), "502");
}

static void who_leaves_meanwhile(void **state)
{
	struct rig *g = *state;

	world_policy(&g->w, PERMIT_ALL);
	has(g, "127.0.0.1", NULL);
	say_hello(g, "1.2.3.4");
	for (int i = 0; i < TURNS && !g->asked; i++)
		loop_once(g->loop, 1);
	net_free(g->net); /* its connections end, and the answer comes to nobody */
	assert_int_equal(net_new(g->loop, NULL, &g->net), 0);
	for (int i = 0; i < 20; i++)
		loop_once(g->loop, 1);
	assert_true(accept4(g->host, NULL, NULL, SOCK_CLOEXEC) < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_address_has_another_name, setup, teardown),
		cmocka_unit_test_setup_teardown(and_this_one_too, setup, teardown),
		cmocka_unit_test_setup_teardown(the_agents_address_is_not_dialed, setup, teardown),
		cmocka_unit_test_setup_teardown(a_name_that_leads_inwards, setup, teardown),
		cmocka_unit_test_setup_teardown(and_in_another_spelling, setup, teardown),
		cmocka_unit_test_setup_teardown(a_mapped_address_is_its_own, setup, teardown),
		cmocka_unit_test_setup_teardown(a_name_that_is_denied_is_not_asked_for, setup, teardown),
		cmocka_unit_test_setup_teardown(a_name_without_address, setup, teardown),
		cmocka_unit_test_setup_teardown(a_request_goes_where_its_host_is_found, setup, teardown),
		cmocka_unit_test_setup_teardown(a_host_that_was_not_asked_for, setup, teardown),
		cmocka_unit_test_setup_teardown(a_request_that_leads_inwards, setup, teardown),
		cmocka_unit_test_setup_teardown(a_request_whose_host_has_no_address, setup, teardown),
		cmocka_unit_test_setup_teardown(who_leaves_meanwhile, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
