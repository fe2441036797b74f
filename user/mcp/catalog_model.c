// SPDX-License-Identifier: Apache-2.0
/*
 * The catalog in policy's terms. Runs where models are made: in the proxy, in the supervisor that tries them
 * first, and in the command line.
 */
#include "user/mcp/catalog_model.h"

#include <errno.h>
#include <stdlib.h>

#include "user/mcp/catalog.h"
#include "user/mcp/message.h"

struct catalog_model {
	struct mcp_server *servers;
	struct mcp_tool *tools;
	unsigned n_servers;
	const char *methods[MCP_METHOD_COUNT];
	unsigned n_methods;
	struct buf text; /* NUL-terminated copies of what lives as spans in the catalog */
};

void catalog_model_free(struct catalog_model *m)
{
	if (!m)
		return;
	free(m->servers);
	free(m->tools);
	buf_done(&m->text);
	free(m);
}

/* Room for all copies, reserved beforehand so that pointers into it stay. */
static int reserve(struct catalog_model *m, const struct catalog *c)
{
	size_t total = 1;
	char *at;

	for (unsigned i = 0; i < catalog_server_count(c); i++)
		total += catalog_server(c, i)->name.n + 1;
	for (unsigned i = 0; i < catalog_tool_count(c); i++) {
		const struct catalog_tool *t = catalog_tool(c, i);

		total += t->name.n + t->sensitivity.n + t->compliance.n + 3;
		if (t->input_schema != TAPE_NONE)
			total += tape_raw(catalog_tape(c), t->input_schema).n + 1;
	}
	m->text.limit = total;
	return buf_reserve(&m->text, total, &at);
}

static struct span copy(struct catalog_model *m, struct span s)
{
	size_t at = m->text.end;

	if (s.n == 0)
		return (struct span){ NULL, 0 };
	(void)buf_append(&m->text, s.p, s.n);
	(void)buf_append(&m->text, "", 1);
	return (struct span){ m->text.data + at, s.n };
}

static void take_tool(struct catalog_model *m, const struct catalog *c, const struct catalog_tool *t,
		      struct mcp_server *s)
{
	struct mcp_tool *tool = (struct mcp_tool *)(uintptr_t)&s->tools[s->n_tools++];

	tool->name = copy(m, t->name).p;
	tool->sensitivity = copy(m, t->sensitivity).p;
	if (t->input_schema != TAPE_NONE)
		tool->input_schema = copy(m, tape_raw(catalog_tape(c), t->input_schema));
	if (!s->boundary)
		s->boundary = copy(m, t->compliance).p;
}

static void take_servers(struct catalog_model *m, const struct catalog *c)
{
	unsigned used = 0;

	for (unsigned i = 0; i < m->n_servers; i++) {
		struct mcp_server *s = &m->servers[i];

		s->name = copy(m, catalog_server(c, i)->name).p;
		s->tools = &m->tools[used];
		for (unsigned k = 0; k < catalog_tool_count(c); k++)
			if (catalog_tool(c, k)->server == catalog_server(c, i))
				take_tool(m, c, catalog_tool(c, k), s);
		used += s->n_tools;
	}
}

int catalog_model_new(const struct catalog *c, struct catalog_model **ret)
{
	_cleanup_(catalog_model_free_p) struct catalog_model *m = calloc(1, sizeof(*m));
	int r = m ? reserve(m, c) : -ENOMEM;

	if (r < 0)
		return r;
	m->n_servers = catalog_server_count(c);
	m->servers = calloc(m->n_servers + 1, sizeof(*m->servers));
	m->tools = calloc(catalog_tool_count(c) + 1, sizeof(*m->tools));
	if (!m->servers || !m->tools)
		return -ENOMEM;
	take_servers(m, c);
	for (unsigned i = MCP_METHOD_OTHER + 1; i < MCP_METHOD_COUNT; i++)
		m->methods[m->n_methods++] = mcp_method_info((enum mcp_method)i)->name;
	*ret = take_ptr(m);
	return 0;
}

void catalog_model_fill(const struct catalog_model *m, struct mcp_model_input *in)
{
	in->servers = m->servers;
	in->n_servers = m->n_servers;
	in->methods = m->methods;
	in->n_methods = m->n_methods;
}
