/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_MCP_MESSAGE_H
#define TOLLGATE_MCP_MESSAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "user/base/span.h"
#include "user/mcp/jsonrpc.h"
#include "user/mcp/tape.h"

/* The published protocol versions (modelcontextprotocol.io/specification). */
enum mcp_version {
	MCP_V_UNKNOWN = 0, /* not stated, or one we do not know */
	MCP_V_2024_11_05,
	MCP_V_2025_03_26,
	MCP_V_2025_06_18,
	MCP_V_2025_11_25,
	MCP_V_2026_07_28,
};

enum mcp_version mcp_version_of(struct span text);
const char *mcp_version_text(enum mcp_version v); /* "" for unknown */

enum mcp_method {
	MCP_METHOD_OTHER = 0, /* not in the catalogue: judged by policy under its own name */
	MCP_INITIALIZE,
	MCP_PING,
	MCP_SERVER_DISCOVER,
	MCP_TOOLS_LIST,
	MCP_TOOLS_CALL,
	MCP_RESOURCES_LIST,
	MCP_RESOURCES_TEMPLATES_LIST,
	MCP_RESOURCES_READ,
	MCP_RESOURCES_SUBSCRIBE,
	MCP_RESOURCES_UNSUBSCRIBE,
	MCP_PROMPTS_LIST,
	MCP_PROMPTS_GET,
	MCP_COMPLETION_COMPLETE,
	MCP_LOGGING_SET_LEVEL,
	MCP_SUBSCRIPTIONS_LISTEN,
	MCP_TASKS_GET,
	MCP_TASKS_LIST,
	MCP_TASKS_CANCEL,
	MCP_TASKS_RESULT,
	MCP_TASKS_UPDATE,
	MCP_SAMPLING_CREATE_MESSAGE,
	MCP_ELICITATION_CREATE,
	MCP_ROOTS_LIST,
	MCP_N_INITIALIZED,
	MCP_N_CANCELLED,
	MCP_N_PROGRESS,
	MCP_N_MESSAGE,
	MCP_N_TOOLS_LIST_CHANGED,
	MCP_N_PROMPTS_LIST_CHANGED,
	MCP_N_RESOURCES_LIST_CHANGED,
	MCP_N_RESOURCES_UPDATED,
	MCP_N_ROOTS_LIST_CHANGED,
	MCP_N_SUBSCRIPTIONS_ACKNOWLEDGED,
	MCP_N_TASKS_STATUS,
	MCP_N_TASKS,
	MCP_N_ELICITATION_COMPLETE,
	MCP_METHOD_COUNT,
};

/* Directions. A host is the protocol's client. */
enum mcp_dir {
	MCP_TO_SERVER = 0,
	MCP_TO_HOST = 1,
};

struct mcp_method_info {
	const char *name;
	uint8_t name_len;
	enum mcp_method method;
	bool notification; /* else a request */
	uint8_t dirs; /* bit 1 << enum mcp_dir: who may receive it */
	uint8_t versions; /* bit 1 << enum mcp_version */
};

/* NULL for names outside the catalogue. Names are compared exactly. */
const struct mcp_method_info *mcp_method_find(struct span name);
const struct mcp_method_info *mcp_method_info(enum mcp_method m);

/* What is judged of one request or notification. Spans live as long as the tape. */
struct mcp_msg {
	enum mcp_method method;
	const struct mcp_method_info *info; /* NULL for MCP_METHOD_OTHER */
	/* the name of tools/call and prompts/get, a resource uri, a taskId; else empty */
	struct span item;
	uint32_t arguments; /* tools/call, prompts/get: the object, or TAPE_NONE */
	uint32_t cursor; /* lists: the string, or TAPE_NONE ("" is a valid cursor) */
	struct span cancelled_id; /* notifications/cancelled: raw id, or empty */
	/* initialize: params.protocolVersion; modern requests: _meta's */
	enum mcp_version version;
	struct span version_text;
	bool modern; /* _meta carries a protocol version (2026-07-28 and later) */
	struct span client_name, client_version;
	const char *reason; /* static: what was wrong with the params, when mcp_read() says -EINVAL */
};

/* Reads a classified request or notification. 0; -EINVAL when what must be judged is missing, of
 * the wrong type, or has a look-alike member: answer with JSONRPC_E_PARAMS and ret->reason. ret is
 * filled as far as known either way. */
int mcp_read(const struct tape *t, const struct jsonrpc_msg *rpc, struct mcp_msg *ret);

/* The array of a list result ("tools", "resources", "resourceTemplates", "prompts") for the method
 * that was asked, or TAPE_NONE. */
uint32_t mcp_list_array(const struct tape *t, uint32_t result, enum mcp_method asked);
/* nextCursor of a list result, or TAPE_NONE when this was the last page. */
uint32_t mcp_list_cursor(const struct tape *t, uint32_t result);

struct mcp_server_info {
	enum mcp_version version; /* initialize: what the server chose; discover: the newest it offers */
	struct span version_text, name, server_version, instructions;
};

/* Reads the result of initialize or server/discover. What is absent stays empty. */
void mcp_server_info(const struct tape *t, uint32_t result, enum mcp_method asked,
		     struct mcp_server_info *ret);

#endif
