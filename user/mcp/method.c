// SPDX-License-Identifier: Apache-2.0
/*
 * The methods of MCP, by protocol version: schema.ts of each published version, and the tasks
 * extension of 2026-07-28. A method that is not here is judged under its own name.
 */
#include "user/mcp/message.h"

#include "user/base/cleanup.h"

#define V(v) (1u << (v))
#define V24 V(MCP_V_2024_11_05)
#define V25A V(MCP_V_2025_03_26)
#define V25B V(MCP_V_2025_06_18)
#define V25C V(MCP_V_2025_11_25)
#define V26 V(MCP_V_2026_07_28)
#define LEGACY (V24 | V25A | V25B | V25C)
#define EVERY (LEGACY | V26)

#define SERVER (1u << MCP_TO_SERVER)
#define HOST (1u << MCP_TO_HOST)
#define BOTH (SERVER | HOST)

#define REQUEST(m, n, d, v) [m] = { n, sizeof(n) - 1, m, false, d, v }
#define NOTIFY(m, n, d, v) [m] = { n, sizeof(n) - 1, m, true, d, v }

static const struct mcp_method_info methods[MCP_METHOD_COUNT] = {
	REQUEST(MCP_INITIALIZE, "initialize", SERVER, LEGACY),
	REQUEST(MCP_PING, "ping", BOTH, LEGACY),
	REQUEST(MCP_SERVER_DISCOVER, "server/discover", SERVER, V26),
	REQUEST(MCP_TOOLS_LIST, "tools/list", SERVER, EVERY),
	REQUEST(MCP_TOOLS_CALL, "tools/call", SERVER, EVERY),
	REQUEST(MCP_RESOURCES_LIST, "resources/list", SERVER, EVERY),
	REQUEST(MCP_RESOURCES_TEMPLATES_LIST, "resources/templates/list", SERVER, EVERY),
	REQUEST(MCP_RESOURCES_READ, "resources/read", SERVER, EVERY),
	REQUEST(MCP_RESOURCES_SUBSCRIBE, "resources/subscribe", SERVER, LEGACY),
	REQUEST(MCP_RESOURCES_UNSUBSCRIBE, "resources/unsubscribe", SERVER, LEGACY),
	REQUEST(MCP_PROMPTS_LIST, "prompts/list", SERVER, EVERY),
	REQUEST(MCP_PROMPTS_GET, "prompts/get", SERVER, EVERY),
	REQUEST(MCP_COMPLETION_COMPLETE, "completion/complete", SERVER, EVERY),
	REQUEST(MCP_LOGGING_SET_LEVEL, "logging/setLevel", SERVER, LEGACY),
	REQUEST(MCP_SUBSCRIPTIONS_LISTEN, "subscriptions/listen", SERVER, V26),
	REQUEST(MCP_TASKS_GET, "tasks/get", BOTH, V25C | V26),
	REQUEST(MCP_TASKS_LIST, "tasks/list", BOTH, V25C),
	REQUEST(MCP_TASKS_CANCEL, "tasks/cancel", BOTH, V25C | V26),
	REQUEST(MCP_TASKS_RESULT, "tasks/result", BOTH, V25C),
	REQUEST(MCP_TASKS_UPDATE, "tasks/update", SERVER, V26),
	REQUEST(MCP_SAMPLING_CREATE_MESSAGE, "sampling/createMessage", HOST, LEGACY),
	REQUEST(MCP_ELICITATION_CREATE, "elicitation/create", HOST, V25B | V25C),
	REQUEST(MCP_ROOTS_LIST, "roots/list", HOST, LEGACY),
	NOTIFY(MCP_N_INITIALIZED, "notifications/initialized", SERVER, LEGACY),
	NOTIFY(MCP_N_CANCELLED, "notifications/cancelled", BOTH, EVERY),
	NOTIFY(MCP_N_PROGRESS, "notifications/progress", BOTH, EVERY),
	NOTIFY(MCP_N_MESSAGE, "notifications/message", HOST, EVERY),
	NOTIFY(MCP_N_TOOLS_LIST_CHANGED, "notifications/tools/list_changed", HOST, EVERY),
	NOTIFY(MCP_N_PROMPTS_LIST_CHANGED, "notifications/prompts/list_changed", HOST, EVERY),
	NOTIFY(MCP_N_RESOURCES_LIST_CHANGED, "notifications/resources/list_changed", HOST, EVERY),
	NOTIFY(MCP_N_RESOURCES_UPDATED, "notifications/resources/updated", HOST, EVERY),
	NOTIFY(MCP_N_ROOTS_LIST_CHANGED, "notifications/roots/list_changed", SERVER, LEGACY),
	NOTIFY(MCP_N_SUBSCRIPTIONS_ACKNOWLEDGED, "notifications/subscriptions/acknowledged", HOST, V26),
	NOTIFY(MCP_N_TASKS_STATUS, "notifications/tasks/status", BOTH, V25C),
	NOTIFY(MCP_N_TASKS, "notifications/tasks", HOST, V26),
	NOTIFY(MCP_N_ELICITATION_COMPLETE, "notifications/elicitation/complete", HOST, V25C),
};

static const char *const versions[] = {
	[MCP_V_UNKNOWN] = "",
	[MCP_V_2024_11_05] = "2024-11-05",
	[MCP_V_2025_03_26] = "2025-03-26",
	[MCP_V_2025_06_18] = "2025-06-18",
	[MCP_V_2025_11_25] = "2025-11-25",
	[MCP_V_2026_07_28] = "2026-07-28",
};

enum mcp_version mcp_version_of(struct span text)
{
	for (unsigned i = 1; i < ARRAY_SIZE(versions); i++)
		if (span_is(text, versions[i]))
			return (enum mcp_version)i;
	return MCP_V_UNKNOWN;
}

const char *mcp_version_text(enum mcp_version v)
{
	return (unsigned)v < ARRAY_SIZE(versions) ? versions[v] : "";
}

const struct mcp_method_info *mcp_method_info(enum mcp_method m)
{
	return m > MCP_METHOD_OTHER && m < MCP_METHOD_COUNT ? &methods[m] : NULL;
}

const struct mcp_method_info *mcp_method_find(struct span name)
{
	for (unsigned i = 1; i < MCP_METHOD_COUNT; i++)
		if (name.n == methods[i].name_len && memcmp(name.p, methods[i].name, name.n) == 0)
			return &methods[i];
	return NULL;
}
