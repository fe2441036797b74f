// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/gate/world.inc.c"

#include <arpa/inet.h>

#include "user/gate/connect.h"
#include "user/net/hello.h"
#include "user/net/net.h"

#define PERMIT(action, when) "permit(principal, action == Action::\"" action "\", resource) when { " when " };"

static struct net_dest dest_of(const char *address, unsigned port)
{
	int family = strchr(address, ':') ? AF_INET6 : AF_INET;
	uint8_t addr[16];
	struct net_dest d;

	assert_int_equal(inet_pton(family, address, addr), 1);
	assert_int_equal(net_dest_set(&d, family, addr, port), 0);
	return d;
}

static struct gate_conv *open_conv(struct world *w)
{
	struct gate_peers p = { .agent = 1, .agent_pid = 100, .transport = "opaque", .host = "1.1.1.1", .port = 443 };
	struct gate_conv *c = NULL;

	assert_int_equal(gate_conv_open(w->gate, &p, &c), 0);
	return c;
}

/* The record of a verdict stands last; its text is w->record. */
static enum gate_act judge(struct world *w, const char *policy, const char *address, const struct tls_hello *hello)
{
	struct net_dest d = dest_of(address, 443);
	struct gate_connect to = { .dest = &d, .name = hello ? hello->name : "", .hello = hello };
	struct gate_verdict v;

	world_policy(w, policy);
	gate_judge_connect(open_conv(w), &to, &v);
	assert_non_null(world_last_record(w));
	assert_non_null(strstr(w->record, "\"entry_type\":\"connect\""));
	assert_non_null(strstr(w->record, v.act == GATE_FORWARD ? "\"policy_decision\":\"allow\"" :
								  "\"policy_decision\":\"deny\""));
	assert_true(v.denied == (v.act != GATE_FORWARD));
	return v.act;
}

static int setup(void **state)
{
	static struct world w;

	world_open(&w, NULL);
	w.gate->limits.conversations_max = 100;
	*state = &w;
	return 0;
}

static int teardown(void **state)
{
	world_close(*state);
	return 0;
}

static void judged_by_what_it_names(void **state)
{
	struct tls_hello h = { .name = "api.example.com", .alpn = { "h2", "http/1.1" }, .alpn_n = 2 };
	struct world *w = *state;

	assert_int_equal(judge(w, "permit(principal, action == Action::\"connect\","
				  " resource == Host::\"api.example.com:443\");", "1.1.1.1", &h), GATE_FORWARD);
	assert_non_null(strstr(w->record, "\"address\":\"1.1.1.1\""));
	assert_non_null(strstr(w->record, "\"method\":\"api.example.com:443\""));
	assert_int_equal(judge(w, PERMIT("connect", "context has host && context.host == \"api.example.com\" &&"
					 " context.address == ip(\"1.1.1.1\") && context.port == 443 &&"
					 " context.alpn.contains(\"h2\") && context.alpn.contains(\"http/1.1\")"),
			       "1.1.1.1", &h), GATE_FORWARD);
	assert_int_equal(judge(w, PERMIT("connect", "resource.name == \"other.example.com\""), "1.1.1.1", &h),
			 GATE_DROP);
	assert_non_null(strstr(w->record, "\"reason_code\":\"policy\""));
}

/* A hello without a name is for its address, which nothing permits but its own number. */
static void without_a_name(void **state)
{
	struct tls_hello h = { .alpn_n = 0 };
	struct world *w = *state;

	assert_int_equal(judge(w, PERMIT("connect", "context has host"), "1.1.1.1", &h), GATE_DROP);
	assert_int_equal(judge(w, PERMIT("connect", "resource.name == \"1.1.1.1\""), "1.1.1.1", &h), GATE_FORWARD);
	assert_non_null(strstr(w->record, "\"method\":\"1.1.1.1:443\""));
	assert_int_equal(judge(w, PERMIT("connect", "resource.name == \"2606:4700::1111\""), "2606:4700::1111", &h),
			 GATE_FORWARD);
	assert_non_null(strstr(w->record, "\"method\":\"[2606:4700::1111]:443\""));
	assert_int_equal(judge(w, "", "1.1.1.1", &h), GATE_DROP);
}

static void a_hidden_name_is_objected_to(void **state)
{
	struct tls_hello h = { .name = "front.example.com", .encrypted = true };
	struct world *w = *state;

	assert_int_equal(judge(w, "permit(principal, action, resource);", "1.1.1.1", &h), GATE_DROP);
	assert_non_null(strstr(w->record, "\"reason_code\":\"hidden_name\""));
	h.encrypted = false;
	assert_int_equal(judge(w, "permit(principal, action, resource);", "1.1.1.1", &h), GATE_FORWARD);
}

/* A permit for a name does not lead to an address that is not the public network's. */
static void inner_addresses(void **state)
{
	static const char *const internal[] = { "10.0.0.1", "127.0.0.1", "::1", "fe80::1", "64:ff9b::a00:1" };
	static const char *const metadata[] = { "169.254.169.254", "fd00:ec2::254", "64:ff9b::a9fe:a9fe" };
	struct tls_hello h = { .name = "api.example.com" };
	struct world *w = *state;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(internal); i++) {
		assert_int_equal(judge(w, PERMIT("connect", "true"), internal[i], &h), GATE_DROP);
		assert_int_equal(judge(w, PERMIT("connect/metadata", "true"), internal[i], &h), GATE_DROP);
		assert_int_equal(judge(w, PERMIT("connect/internal", "true"), internal[i], &h), GATE_FORWARD);
	}
	for (i = 0; i < ARRAY_SIZE(metadata); i++) {
		assert_int_equal(judge(w, PERMIT("connect", "true"), metadata[i], NULL), GATE_DROP);
		assert_int_equal(judge(w, PERMIT("connect/internal", "true"), metadata[i], NULL), GATE_DROP);
		assert_int_equal(judge(w, PERMIT("connect/metadata", "true"), metadata[i], NULL), GATE_FORWARD);
	}
	assert_int_equal(judge(w, PERMIT("connect/internal", "true"), "1.1.1.1", NULL), GATE_DROP);
}

/* In advisory mode it goes on, and the record says what would have been. */
static void the_mode_decides(void **state)
{
	struct tls_hello h = { .name = "front.example.com", .encrypted = true };
	struct net_dest d = dest_of("1.1.1.1", 443);
	struct gate_connect to = { .dest = &d, .name = h.name, .hello = &h };
	struct world *w = *state;
	struct gate_verdict v;

	w->gate->mode = GATE_ADVISORY;
	gate_judge_connect(open_conv(w), &to, &v);
	assert_int_equal(v.act, GATE_FORWARD);
	assert_non_null(world_last_record(w));
	assert_non_null(strstr(w->record, "\"policy_decision\":\"advisory_deny\""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(judged_by_what_it_names, setup, teardown),
		cmocka_unit_test_setup_teardown(without_a_name, setup, teardown),
		cmocka_unit_test_setup_teardown(a_hidden_name_is_objected_to, setup, teardown),
		cmocka_unit_test_setup_teardown(inner_addresses, setup, teardown),
		cmocka_unit_test_setup_teardown(the_mode_decides, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
