// SPDX-License-Identifier: Apache-2.0
/*
 * The name servers of tollgate.conf. Runs in the supervisor and in tollgate(1).
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "user/base/cleanup.h"
#include "user/conf/internal.h"

/* An address, or one with a port: "192.0.2.53", "192.0.2.53:5353", "2001:db8::53", "[2001:db8::53]:5353". Gives it in
 * the spelling that names its end: "[2001:db8::53]". */
static bool server_ok(const char *s, char ret[CONF_NAME_SERVER_MAX])
{
	bool bracket = s[0] == '[', six = bracket || (strchr(s, ':') && strchr(strchr(s, ':') + 1, ':'));
	const char *end = bracket ? strchr(s, ']') : six ? s + strlen(s) : s + strcspn(s, ":");
	char addr[INET6_ADDRSTRLEN];
	struct in6_addr a;
	uint64_t port = 0;
	size_t n;

	if (!end)
		return false;
	s += bracket;
	n = (size_t)(end - s);
	if (n >= sizeof(addr))
		return false;
	memcpy(addr, s, n);
	addr[n] = '\0';
	end += bracket;
	if (inet_pton(six ? AF_INET6 : AF_INET, addr, &a) != 1)
		return false;
	if (*end && (*end != ':' || conf_parse_number(end + 1, 65535, &port) < 0 || port == 0))
		return false;
	return snprintf(ret, CONF_NAME_SERVER_MAX, six ? "[%s]%s" : "%s%s", addr, end) < CONF_NAME_SERVER_MAX;
}

int conf_set_servers(struct conf_read *r, const struct tree_node *n, const struct conf_field *f, void *dst)
{
	char list[CONF_NAME_SERVERS_MAX * CONF_NAME_SERVER_MAX] = "", one[CONF_NAME_SERVER_MAX], *copy;
	unsigned count = 0;
	size_t used = 0;

	if (n->kind != TREE_LIST || !n->first)
		return conf_node_fail(r, n, "%s: a list of addresses is expected", f->key);
	for (const struct tree_node *i = n->first; i; i = i->next) {
		if (i->kind != TREE_SCALAR || !server_ok(i->text, one))
			return conf_node_fail(r, i, "%s: an address is expected, perhaps with a port, such as "
						    "192.0.2.53 or \"[2001:db8::53]:5353\"", f->key);
		if (count++ == CONF_NAME_SERVERS_MAX)
			return conf_node_fail(r, i, "%s: more than %d servers", f->key, CONF_NAME_SERVERS_MAX);
		used += (size_t)snprintf(list + used, sizeof(list) - used, "%s%s", used ? "," : "", one);
	}
	copy = strdup(list);
	if (!copy)
		return -ENOMEM;
	free(*(char **)dst);
	*(char **)dst = copy;
	return 0;
}
