// SPDX-License-Identifier: Apache-2.0
/*
 * Which address an agent was given for which name, so that a connection that shows another name is noticed. Of a
 * bounded number of pairs the oldest are forgotten.
 */
#include "user/gate/names_parts.h"

#include <arpa/inet.h>
#include <string.h>

#include "user/net/net.h"

static void mapped(uint8_t ret[16], const void *four)
{
	memset(ret, 0, 10);
	ret[10] = ret[11] = 0xff;
	memcpy(ret + 12, four, 4);
}

static bool has(const struct names_agent *a, const uint8_t address[16], const char *name)
{
	for (unsigned i = 0; i < NAMES_KNOWN_MAX; i++)
		if (*a->known[i].name && memcmp(a->known[i].address, address, 16) == 0 &&
		    (!name || strcmp(a->known[i].name, name) == 0))
			return true;
	return false;
}

void names_remember(struct names_agent *a, const char *name, bool four, const struct dns_answer *answer)
{
	for (unsigned i = 0; i < answer->n; i++) {
		struct known *k = &a->known[a->next_known];
		uint8_t address[16];

		if (four)
			mapped(address, answer->address[i]);
		else
			memcpy(address, answer->address[i], sizeof(address));
		if (has(a, address, name))
			continue;
		memcpy(k->address, address, sizeof(address));
		memcpy(k->name, name, strlen(name) + 1);
		a->next_known = (a->next_known + 1) % NAMES_KNOWN_MAX;
	}
}

static const struct names_agent *find(const struct gate_names *n, uint32_t agent)
{
	const struct names_agent *a = n->agents;

	while (a && a->agent != agent)
		a = a->next;
	return a;
}

static void address_of(const struct net_dest *d, uint8_t ret[16])
{
	if (d->sa.sa_family == AF_INET)
		mapped(ret, &d->in.sin_addr);
	else
		memcpy(ret, &d->in6.sin6_addr, 16);
}

bool gate_names_given(const struct gate_names *n, uint32_t agent, const struct net_dest *d, const char *name)
{
	const struct names_agent *a = find(n, agent);
	uint8_t address[16];

	address_of(d, address);
	return a && has(a, address, name);
}

bool gate_names_agree(const struct gate_names *n, uint32_t agent, const struct net_dest *d, const char *name)
{
	const struct names_agent *a = find(n, agent);
	uint8_t address[16];

	address_of(d, address);
	return !a || has(a, address, name) || !has(a, address, NULL);
}
