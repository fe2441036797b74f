// SPDX-License-Identifier: Apache-2.0
/*
 * What of a message is judged. Runs in the proxy on hostile bytes. Reads members by exact name, and
 * refuses a message whose judged members have a look-alike, since a peer that folds letter case
 * might use that one.
 */
#include "user/mcp/message.h"

#include <errno.h>

#define META_VERSION "io.modelcontextprotocol/protocolVersion"
#define META_CLIENT "io.modelcontextprotocol/clientInfo"

static bool look(const struct tape *t, uint32_t object, const char *name, struct mcp_msg *m)
{
	if (!m->reason && tape_has_lookalike(t, object, name))
		m->reason = "a member differs from a judged one only in letter case";
	return !m->reason;
}

static void item_read(const struct tape *t, uint32_t params, const char *name, struct mcp_msg *m)
{
	uint32_t at = tape_get(t, params, name);

	m->item = tape_text(t, at);
	if (!tape_is(t, at, TAPE_STRING))
		m->reason = "the name of what is asked for is missing or not a string";
	else if (m->item.n == 0)
		m->reason = "the name of what is asked for is empty";
	look(t, params, name, m);
}

static void arguments_read(const struct tape *t, uint32_t params, struct mcp_msg *m)
{
	m->arguments = tape_get(t, params, "arguments");
	if (m->arguments != TAPE_NONE && !tape_is(t, m->arguments, TAPE_OBJECT) && !m->reason)
		m->reason = "arguments is not an object";
	look(t, params, "arguments", m);
}

static void cursor_read(const struct tape *t, uint32_t params, struct mcp_msg *m)
{
	m->cursor = tape_get(t, params, "cursor");
	if (m->cursor != TAPE_NONE && !tape_is(t, m->cursor, TAPE_STRING)) {
		m->cursor = TAPE_NONE;
		m->reason = "cursor is not a string";
	}
	look(t, params, "cursor", m);
}

static void client_read(const struct tape *t, uint32_t info, struct mcp_msg *m)
{
	m->client_name = tape_text(t, tape_get(t, info, "name"));
	m->client_version = tape_text(t, tape_get(t, info, "version"));
}

static void version_read(const struct tape *t, uint32_t at, struct mcp_msg *m)
{
	m->version_text = tape_text(t, at);
	m->version = mcp_version_of(m->version_text);
}

static void meta_read(const struct tape *t, uint32_t params, struct mcp_msg *m)
{
	uint32_t meta = tape_get(t, params, "_meta");
	uint32_t version = tape_get(t, meta, META_VERSION);

	if (meta != TAPE_NONE && !tape_is(t, meta, TAPE_OBJECT) && !m->reason)
		m->reason = "_meta is not an object";
	if (version == TAPE_NONE)
		return;
	m->modern = true;
	if (!tape_is(t, version, TAPE_STRING) && !m->reason)
		m->reason = "the protocol version in _meta is not a string";
	version_read(t, version, m);
	client_read(t, tape_get(t, meta, META_CLIENT), m);
	look(t, meta, META_VERSION, m);
}

static void cancelled_read(const struct tape *t, uint32_t params, struct mcp_msg *m)
{
	struct span raw = tape_raw(t, tape_get(t, params, "requestId"));

	if (jsonrpc_id_valid(raw))
		m->cancelled_id = raw;
	else if (raw.n)
		m->reason = "requestId is not a string or an integer";
	look(t, params, "requestId", m);
}

static void initialize_read(const struct tape *t, uint32_t params, struct mcp_msg *m)
{
	uint32_t version = tape_get(t, params, "protocolVersion");

	if (!tape_is(t, version, TAPE_STRING))
		m->reason = "protocolVersion is missing or not a string";
	version_read(t, version, m);
	client_read(t, tape_get(t, params, "clientInfo"), m);
	look(t, params, "protocolVersion", m);
}

int mcp_read(const struct tape *t, const struct jsonrpc_msg *rpc, struct mcp_msg *ret)
{
	struct mcp_msg m = { .arguments = TAPE_NONE, .cursor = TAPE_NONE };

	m.info = mcp_method_find(rpc->name);
	m.method = m.info ? m.info->method : MCP_METHOD_OTHER;
	meta_read(t, rpc->params, &m);
	look(t, rpc->params, "_meta", &m);
	switch (m.method) {
	case MCP_TOOLS_CALL:
	case MCP_PROMPTS_GET:
		item_read(t, rpc->params, "name", &m);
		arguments_read(t, rpc->params, &m);
		break;
	case MCP_RESOURCES_READ:
	case MCP_RESOURCES_SUBSCRIBE:
	case MCP_RESOURCES_UNSUBSCRIBE:
		item_read(t, rpc->params, "uri", &m);
		break;
	case MCP_TASKS_GET:
	case MCP_TASKS_CANCEL:
	case MCP_TASKS_RESULT:
	case MCP_TASKS_UPDATE:
		item_read(t, rpc->params, "taskId", &m);
		break;
	case MCP_TOOLS_LIST:
	case MCP_RESOURCES_LIST:
	case MCP_RESOURCES_TEMPLATES_LIST:
	case MCP_PROMPTS_LIST:
	case MCP_TASKS_LIST:
		cursor_read(t, rpc->params, &m);
		break;
	case MCP_INITIALIZE:
		initialize_read(t, rpc->params, &m);
		break;
	case MCP_N_CANCELLED:
		cancelled_read(t, rpc->params, &m);
		break;
	default:
		break;
	}
	if (!m.reason && m.info && m.info->notification != (rpc->kind == JSONRPC_NOTIFICATION))
		m.reason = m.info->notification ? "a notification sent as a request" :
						  "a request without id";
	*ret = m;
	return m.reason ? -EINVAL : 0;
}

static const char *list_name(enum mcp_method asked)
{
	switch (asked) {
	case MCP_TOOLS_LIST:
		return "tools";
	case MCP_RESOURCES_LIST:
		return "resources";
	case MCP_RESOURCES_TEMPLATES_LIST:
		return "resourceTemplates";
	case MCP_PROMPTS_LIST:
		return "prompts";
	default:
		return NULL;
	}
}

uint32_t mcp_list_array(const struct tape *t, uint32_t result, enum mcp_method asked)
{
	const char *name = list_name(asked);
	uint32_t at = name ? tape_get(t, result, name) : TAPE_NONE;

	if (!tape_is(t, at, TAPE_ARRAY) || tape_has_lookalike(t, result, name))
		return TAPE_NONE;
	return at;
}

uint32_t mcp_list_cursor(const struct tape *t, uint32_t result)
{
	uint32_t at = tape_get(t, result, "nextCursor");

	return tape_is(t, at, TAPE_STRING) ? at : TAPE_NONE;
}

static void newest_offered(const struct tape *t, uint32_t list, struct mcp_server_info *ret)
{
	for (uint32_t i = tape_first(t, list); i != TAPE_NONE; i = tape_next(t, list, i)) {
		enum mcp_version v = mcp_version_of(tape_text(t, i));

		if (v > ret->version || ret->version_text.n == 0) {
			ret->version = v;
			ret->version_text = tape_text(t, i);
		}
	}
}

void mcp_server_info(const struct tape *t, uint32_t result, enum mcp_method asked,
		     struct mcp_server_info *ret)
{
	uint32_t info = tape_get(t, result, "serverInfo"), list;

	*ret = (struct mcp_server_info){ 0 };
	if (asked == MCP_SERVER_DISCOVER) {
		list = tape_get(t, result, "supportedVersions");
		if (tape_is(t, list, TAPE_ARRAY))
			newest_offered(t, list, ret);
		info = tape_get(t, tape_get(t, result, "_meta"), "io.modelcontextprotocol/serverInfo");
	} else {
		ret->version_text = tape_text(t, tape_get(t, result, "protocolVersion"));
		ret->version = mcp_version_of(ret->version_text);
	}
	ret->name = tape_text(t, tape_get(t, info, "name"));
	ret->server_version = tape_text(t, tape_get(t, info, "version"));
	ret->instructions = tape_text(t, tape_get(t, result, "instructions"));
}
