// SPDX-License-Identifier: Apache-2.0
/*
 * Where a connection that is known by a name really goes: to an address that the proxy found for that name itself. The
 * one that the agent chose is judged too, but only dialed when it is among them; whatever is dialed has been judged.
 */
#include "user/gate/http_parts.h"

#include <errno.h>
#include <string.h>

#include "user/gate/connect.h"
#include "user/net/hello.h"
#include "user/net/resolver.h"

static enum net_verdict refuse(struct gate_http *h, const char *why)
{
	struct gate_verdict v;

	gate_judge_refused(h->lone, why, &v);
	return http_end_after_log(h, NULL, v.pos, NET_DENY);
}

static bool same_address(const struct net_dest *a, const struct net_dest *b)
{
	if (a->sa.sa_family != b->sa.sa_family)
		return false;
	return a->sa.sa_family == AF_INET ? a->in.sin_addr.s_addr == b->in.sin_addr.s_addr :
					    IN6_ARE_ADDR_EQUAL(&a->in6.sin6_addr, &b->in6.sin6_addr);
}

/* The agent's choice when the name has that address, else the name's first. -EINVAL: it has none. */
static int choose(const struct net_dest *wanted, const struct dns_answer *a, bool four, struct net_dest *ret)
{
	struct net_dest d;
	int r = -EINVAL;

	for (unsigned i = 0; i < a->n; i++) {
		if (net_dest_set(&d, four ? AF_INET : AF_INET6, a->address[i], net_dest_port(wanted)) < 0)
			continue;
		if (same_address(&d, wanted)) {
			*ret = d;
			return 0;
		}
		if (r < 0) {
			*ret = d;
			r = 0;
		}
	}
	return r;
}

static enum net_verdict go_to(struct gate_http *h, const struct net_dest *d)
{
	struct tls_hello hello;
	struct gate_connect to = { .dest = d, .name = hello.name, .hello = &hello };
	struct gate_verdict v;

	if (same_address(d, net_conn_dest(h->conn)))
		return http_end_after_log(h, NULL, h->lone->pos, NET_FORWARD);
	if (hello_read(h->first, &hello) < 0 || net_conn_redirect(h->conn, d) < 0)
		return NET_DENY;
	gate_judge_connect(h->lone, &to, &v);
	return http_end_after_log(h, NULL, v.pos, v.act == GATE_FORWARD ? NET_FORWARD : NET_DENY);
}

static void on_name(void *arg, int error, const struct dns_answer *answer);

/* Asks for addresses of the agent's family, then of the other one. */
static enum net_verdict ask(struct gate_http *h)
{
	const struct net_dest *wanted = net_conn_dest(h->conn);
	struct dns_answer a;
	struct tls_hello hello;
	struct net_dest d;

	if (hello_read(h->first, &hello) < 0)
		return NET_DENY;
	while (h->families < 2) {
		bool four = (wanted->sa.sa_family == AF_INET) == (h->families == 0);
		int r = resolver_ask(h->side->resolver, hello.name, four ? DNS_A : DNS_AAAA, on_name, h, &a,
				     &h->query);

		if (r == 0) {
			h->waiting = WAIT_NAME;
			return NET_LATER;
		}
		if (r < 0)
			return refuse(h, "the host's name cannot be resolved now");
		h->families++;
		if (choose(wanted, &a, four, &d) == 0)
			return go_to(h, &d);
	}
	return refuse(h, "the host's name has no address");
}

static void on_name(void *arg, int error, const struct dns_answer *answer)
{
	struct gate_http *h = arg;
	const struct net_dest *wanted = net_conn_dest(h->conn);
	bool four = (wanted->sa.sa_family == AF_INET) == (h->families == 0);
	struct net_dest d;
	enum net_verdict v;

	h->query = NULL;
	h->waiting = WAIT_NOTHING;
	h->families++;
	if (error < 0)
		v = refuse(h, "the host's name cannot be resolved now");
	else if (choose(wanted, answer, four, &d) == 0)
		v = go_to(h, &d);
	else
		v = ask(h);
	if (v != NET_LATER)
		http_end_resume(h, v);
}

/* RFC 6761 6.3: this name is the machine's own, and no server is asked for it. */
static bool is_local(const char *name)
{
	size_t n = strlen(name), own = sizeof("localhost") - 1;

	return n >= own && strcmp(name + n - own, "localhost") == 0 && (n == own || name[n - own - 1] == '.');
}

enum net_verdict http_dial_named(struct gate_http *h, const struct net_first *first)
{
	if (!h->side->resolver || !*first->hello->name ||
	    (http_end_loopback(h) && is_local(first->hello->name)))
		return NET_FORWARD;
	h->first = first->bytes;
	h->families = 0;
	return ask(h);
}
