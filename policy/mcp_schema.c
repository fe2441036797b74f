// SPDX-License-Identifier: Apache-2.0
/*
 * The Cedar schema of MCP on this node, made from the catalog. What it declares is what mcp_judge.c tells:
 * the two change together.
 */
#include "policy/mcp_schema.h"

#include <errno.h>
#include <string.h>

#include "policy/escape.h"
#include "policy/json.h"

/* Types that are the same on every node. Optional is what a message, an agent or a catalog may lack. */
static const char types[] =
	"entity AgentGroup;\n"
	"entity Agent in [AgentGroup] = { name: String, sponsor?: String, exe?: String, uid?: Long };\n"
	"entity Boundary;\n"
	"entity Server in [Boundary] = { name: String, boundary?: String };\n"
	"entity Tool in [Server] = { name: String, server: Server, sensitivity?: String };\n"
	"entity Resource in [Server] = { uri: String, server: Server };\n"
	"entity Prompt in [Server] = { name: String, server: Server };\n"
	"entity Host = { name: String, port?: Long };\n"
	"\n"
	"type Session = { labels: Set<String>, calls: Long, age: Long, workflow?: String };\n"
	"type Flow = { sources: Set<String>, labels: Set<String> };\n"
	"type Message = { session: Session, flow: Flow, transport: String, attestation: String, time: "
	"datetime };\n"
	"\n"
	"action \"tools/call\", \"method\";\n"
	"action \"resources/read\" appliesTo { principal: [Agent], resource: [Resource], context: Message "
	"};\n"
	"action \"prompts/get\" appliesTo { principal: [Agent], resource: [Prompt], context: Message };\n"
	"action \"connect\", \"connect/internal\", \"connect/metadata\" appliesTo {\n"
	"\tprincipal: [Agent],\n\tresource: [Host],\n\tcontext: {\n\t\thost?: String,\n\t\taddress: ipaddr,\n"
	"\t\tport: Long,\n\t\talpn: Set<String>,\n\t\tsession: Session,\n\t\tflow: Flow,\n"
	"\t\ttransport: String,\n\t\tattestation: String,\n\t\ttime: datetime\n\t}\n};\n"
	"action \"resolve\" appliesTo { principal: [Agent], resource: [Host], context: Message };\n"
	"action \"spawn\", \"server/use\" appliesTo { principal: [Agent], resource: [Server], context: "
	"Message };\n"
	"action \"sampling/createMessage\", \"elicitation/create\", \"roots/list\"\n"
	"\tappliesTo { principal: [Server], resource: [Agent], context: Message };\n";

static int write_methods(const struct mcp_model_input *in, struct buf *out)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < in->n_methods; i++) {
		r = buf_append_str(out, i ? ",\n\t\"method/" : "\naction \"method/");
		if (r == 0)
			r = escape_string(out, span_of(in->methods[i]));
		if (r == 0)
			r = buf_append_str(out, "\"");
	}
	if (r < 0 || !in->n_methods)
		return r;
	return buf_append_str(out, " in [\"method\"]\n\tappliesTo { principal: [Agent, Server], "
				   "resource: [Server, "
				   "Agent], context: Message };\n");
}

static int write_input(const struct mcp_server *s, const struct mcp_tool *t, struct buf *errors,
		       struct buf *out)
{
	struct arena mem = { 0 };
	struct cedar_error error = { 0 };
	struct json schema;
	int r;

	if (!t->input_schema.n)
		return buf_append_str(out,
				      "{\n\t\t\t// nothing of it is for policy: the catalog has no input "
				      "schema\n\t\t}");
	r = json_parse(&mem, t->input_schema, &error, &schema);
	if (r == 0)
		r = mcp_input_type(&schema, 2, out);
	else if (r == -EINVAL)
		(void)buf_printf(errors, "catalog: tool %s/%s: input schema: %s\n", s->name, t->name,
				 error.message);
	arena_done(&mem);
	return r;
}

static int write_tool(const struct mcp_server *s, const struct mcp_tool *t, struct buf *errors,
		      struct buf *out)
{
	int r = buf_append_str(out, "\naction \"");

	if (r == 0)
		r = escape_string(out, span_of(s->name));
	if (r == 0)
		r = buf_append_str(out, "/");
	if (r == 0)
		r = escape_string(out, span_of(t->name));
	if (r == 0)
		r = buf_append_str(
			out,
			"\" in [\"tools/call\"] appliesTo {\n\tprincipal: [Agent],\n\tresource: [Tool],\n"
			"\tcontext: {\n\t\tinput: ");
	if (r == 0)
		r = write_input(s, t, errors, out);
	return r < 0 ? r
		     : buf_append_str(out,
				      ",\n\t\tsession: Session,\n\t\tflow: Flow,\n\t\ttransport: String,\n"
				      "\t\tattestation: String,\n\t\ttime: datetime\n\t}\n};\n");
}

int mcp_schema_write(const struct mcp_model_input *in, struct buf *errors, struct buf *out)
{
	int r = buf_append_str(out, types);

	if (r == 0)
		r = write_methods(in, out);
	for (size_t i = 0; i < in->n_servers; i++)
		for (size_t k = 0; r == 0 && k < in->servers[i].n_tools; k++)
			r = write_tool(&in->servers[i], &in->servers[i].tools[k], errors, out);
	return r;
}
