// SPDX-License-Identifier: Apache-2.0
/*
 * Reading a loaded catalog. Names are compared exactly.
 */
#include "user/mcp/catalog_impl.h"

#include <string.h>

int catalog_text_cmp(struct span a, struct span b)
{
	int r = memcmp(a.p, b.p, a.n < b.n ? a.n : b.n);

	return r ? r : (a.n > b.n) - (a.n < b.n);
}

const uint8_t *catalog_hash(const struct catalog *c)
{
	return c->hash;
}

const uint8_t *catalog_pins_hash(const struct catalog *c)
{
	return c->pins_hash;
}

const struct tape *catalog_tape(const struct catalog *c)
{
	return &c->tape;
}

unsigned catalog_server_count(const struct catalog *c)
{
	return c->server_n;
}

const struct catalog_server *catalog_server(const struct catalog *c, unsigned i)
{
	return i < c->server_n ? &c->server[i] : NULL;
}

unsigned catalog_tool_count(const struct catalog *c)
{
	return c->tool_n;
}

const struct catalog_tool *catalog_tool(const struct catalog *c, unsigned i)
{
	return i < c->tool_n ? &c->tool[i].tool : NULL;
}

const struct catalog_server *catalog_server_named(const struct catalog *c, struct span name)
{
	for (unsigned i = 0; i < c->server_n; i++)
		if (span_eq(c->server[i].name, name))
			return &c->server[i];
	return NULL;
}

unsigned catalog_name_first(const struct catalog *c, struct span name)
{
	unsigned lo = 0, hi = c->tool_n;

	while (lo < hi) {
		unsigned mid = lo + (hi - lo) / 2;

		if (catalog_text_cmp(c->tool[mid].tool.name, name) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

struct catalog_tool_full *catalog_tool_full(const struct catalog *c, const struct catalog_server *s,
					    struct span name)
{
	for (unsigned i = catalog_name_first(c, name);
	     i < c->tool_n && span_eq(c->tool[i].tool.name, name); i++)
		if (c->tool[i].tool.server == s)
			return &c->tool[i];
	return NULL;
}

const struct catalog_tool *catalog_tool_find(const struct catalog *c, const struct catalog_server *s,
					     struct span tool)
{
	struct catalog_tool_full *f = catalog_tool_full(c, s, tool);

	return f ? &f->tool : NULL;
}
