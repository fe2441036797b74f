// SPDX-License-Identifier: Apache-2.0
/*
 * Where a connection that is known by a name really goes: to an address that the proxy found for that name itself. The
 * one that the agent chose is judged too, but only dialed when it is among them; whatever is dialed has been judged.
 */
#include "user/gate/http_parts.h"

#include <errno.h>
#include <string.h>

#include "user/gate/connect.h"
#include "user/gate/names.h"
#include "user/net/head.h"
#include "user/net/hello.h"
#include "user/net/resolver.h"

enum net_verdict http_dial_refuse(struct gate_http *h, struct net_exchange *x, unsigned status, const char *why)
{
	struct gate_verdict v;

	if (http_end_lone(h, x ? "http" : "opaque") < 0)
		return NET_DENY;
	gate_judge_refused(h->lone, why, &v);
	return http_end_after_log(h, x, v.pos, x ? http_end_reply_error(x, status, why) : NET_DENY);
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

/* The connection goes elsewhere than the agent said; who owns the socket there is asked of that address too. */
static int relocate(struct gate_http *h, const struct net_dest *d)
{
	struct tg_origin *o = &h->origin;
	int r = net_conn_redirect(h->conn, d);

	if (r < 0)
		return r;
	o->family = d->sa.sa_family == AF_INET ? 4 : 6;
	if (o->family == 6) {
		memcpy(o->dst, &d->in6.sin6_addr, sizeof(o->dst));
		return 0;
	}
	memset(o->dst, 0, 10);
	o->dst[10] = o->dst[11] = 0xff;
	memcpy(o->dst + 12, &d->in.sin_addr, 4);
	return 0;
}

/* A request is judged once it is known where it goes. */
static enum net_verdict go_with_request(struct gate_http *h, struct net_exchange *x, const struct net_dest *d)
{
	struct net_request rq = h->request;

	if (relocate(h, d) < 0)
		return NET_DENY;
	h->resolved = true;
	return http_end_located(h, x, &rq);
}

static enum net_verdict go_to(struct gate_http *h, struct net_exchange *x, const struct net_dest *d)
{
	struct tls_hello hello;
	struct gate_connect to = { .dest = d, .name = h->named, .hello = &hello };
	struct gate_verdict v;

	if (x)
		return go_with_request(h, x, d);
	if (same_address(d, net_conn_dest(h->conn)))
		return http_end_after_log(h, NULL, h->lone->pos, NET_FORWARD);
	if (hello_read(h->first, &hello) < 0 || relocate(h, d) < 0)
		return NET_DENY;
	gate_judge_connect(h->lone, &to, &v);
	return http_end_after_log(h, NULL, v.pos, v.act == GATE_FORWARD ? NET_FORWARD : NET_DENY);
}

/* Addresses of the agent's family are asked for first, then those of the other one. */
static bool asks_for_four(const struct gate_http *h)
{
	return (net_conn_dest(h->conn)->sa.sa_family == AF_INET) == (h->families == 0);
}

static void on_name(void *arg, int error, const struct dns_answer *answer);

static enum net_verdict ask(struct gate_http *h, struct net_exchange *x)
{
	struct dns_answer a;
	struct net_dest d;

	while (h->families < 2) {
		bool four = asks_for_four(h);
		int r = resolver_ask(h->side->resolver, h->named, four ? DNS_A : DNS_AAAA, on_name, h, &a, &h->query);

		if (r == 0) {
			h->waiting = WAIT_NAME;
			h->x = x;
			return NET_LATER;
		}
		if (r < 0)
			return http_dial_refuse(h, x, 502, "the host's name cannot be resolved now");
		h->families++;
		if (choose(net_conn_dest(h->conn), &a, four, &d) == 0)
			return go_to(h, x, &d);
	}
	return http_dial_refuse(h, x, 502, "the host's name has no address");
}

static void on_name(void *arg, int error, const struct dns_answer *answer)
{
	struct gate_http *h = arg;
	struct net_exchange *x = h->x;
	bool four = asks_for_four(h);
	struct net_dest d;
	enum net_verdict v;

	h->query = NULL;
	h->waiting = WAIT_NOTHING;
	h->x = NULL;
	h->families++;
	if (error < 0)
		v = http_dial_refuse(h, x, 502, "the host's name cannot be resolved now");
	else if (choose(net_conn_dest(h->conn), answer, four, &d) == 0)
		v = go_to(h, x, &d);
	else
		v = ask(h, x);
	if (v == NET_LATER)
		return;
	h->x = x;
	http_end_resume(h, v);
}

/* RFC 6761 6.3: this name is the machine's own, and no server is asked for it. */
static bool is_local(const char *name)
{
	size_t n = strlen(name), own = sizeof("localhost") - 1;

	return n >= own && strcmp(name + n - own, "localhost") == 0 && (n == own || name[n - own - 1] == '.');
}

enum net_verdict http_dial_tls(struct gate_http *h, const struct net_first *first)
{
	if (!h->side->resolver || !*first->hello->name ||
	    (http_end_loopback(h) && is_local(first->hello->name)))
		return NET_FORWARD;
	memcpy(h->named, first->hello->name, sizeof(h->named));
	h->first = first->bytes;
	h->families = 0;
	return ask(h, NULL);
}

enum net_verdict http_dial_request(struct gate_http *h, struct net_exchange *x, const struct net_request *rq)
{
	h->request = *rq;
	h->families = 0;
	return ask(h, x);
}

/* --- which host is meant -------------------------------------------------------------------------- */

bool http_dial_is_for(const struct gate_http *h, struct span host)
{
	char name[NAME_SIZE];
	struct span text;

	return http_host_match(host, net_conn_dest(h->conn), &text) == HTTP_HOST_NAME &&
	       name_read(text, name) == 0 && strcmp(name, h->named) == 0;
}

enum net_verdict http_dial_host(struct net_conn *c, struct span text)
{
	struct gate_http *h = net_conn_owner(c);
	char name[NAME_SIZE];

	if (http_end_loopback(h) && !*h->named && span_is(text, "localhost"))
		return NET_FORWARD;
	if (!h->side->names || h->by_address || name_read(text, name) < 0)
		return NET_DENY;
	if (!*h->named && gate_names_given(h->side->names, h->origin.agent, net_conn_dest(c), name))
		memcpy(h->named, name, sizeof(name));
	return strcmp(h->named, name) == 0 ? NET_FORWARD : NET_DENY;
}
