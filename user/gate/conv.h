/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_GATE_CONV_H
#define TOLLGATE_GATE_CONV_H

#include <stdbool.h>
#include <stdint.h>

#include "user/base/digest.h"
#include "user/base/json_out.h"
#include "user/base/span.h"
#include "user/mcp/jsonrpc.h"
#include "user/mcp/message.h"
#include "user/mcp/pending.h"
#include "user/notary/chain.h"

struct catalog_server;
struct gate;
struct proc_identity;
struct snapshot;

#define CONV_ADDRESS_MAX 256 /* bytes of a host: a name, or an address */
#define CONV_PATH_MAX 256
#define CONV_DRIFT_MAX 64 /* changed definitions remembered by name; with more, every tool is refused */

/* How a stdio server was let start, as the supervisor found it (user/role/sup_cage.c). */
struct gate_spawn {
	uint8_t declared[SHA256_SIZE]; /* the declaration that it was held against and confined to; zero: none */
	bool measured; /* all that it is made of has the declared digests */
	char refused[256]; /* why it may not run; "" it may */
};

/* Who speaks, and to whom: fixed for the life of a conversation, borrowed for gate_conv_open(). */
struct gate_peers {
	uint32_t agent, outer_agent; /* numbers of the snapshot; outer 0: none */
	int32_t agent_pid;
	uint32_t agent_uid;
	const char *transport; /* "stdio", "http"; "opaque" for what is no MCP; "dns" for questions; static */
	const struct proc_identity *server; /* stdio, and the owner of a loopback HTTP server; else NULL */
	const struct gate_spawn *spawn; /* stdio; NULL: nothing was declared */
	const char *host, *path; /* HTTP: address as text and path; else NULL */
	uint16_t port;
	bool loopback, running; /* running: the conversation is older than its takeover */
};

/* One MCP conversation between one agent and one server: a session of the log. */
struct gate_conv {
	struct gate *gate;
	struct gate_conv *next, **link;
	struct snapshot *snap; /* of the last message */
	uint32_t agent, outer_agent;
	int32_t agent_pid;
	uint32_t agent_uid;
	const char *transport;
	struct proc_identity *identity; /* owned copy, or NULL */
	struct gate_spawn spawn;
	char host[CONV_ADDRESS_MAX], path[CONV_PATH_MAX];
	uint16_t port;
	bool loopback, running;
	const struct catalog_server *server; /* in snap's catalog; NULL: unlisted */
	bool measured;
	bool use_denied; /* the policy does not let this agent use this server */
	char why_unlisted[256];
	struct chain chain;
	struct pending pending;
	enum mcp_version version;
	char *drift[CONV_DRIFT_MAX];
	unsigned ndrift;
	bool drift_all;
	uint64_t opened_ns, calls, denied;
	uint64_t last_ns;
	uint64_t pos; /* of the last record */
	void *entry; /* of the table that holds it, if any */
};

/* Opens a conversation: finds the server in the catalog and records session_start. -EAGAIN: no policy
 * or no log yet; -ENOSPC: too many; or why nothing can be recorded. */
int gate_conv_open(struct gate *g, const struct gate_peers *p, struct gate_conv **ret);

/* Records session_end and frees. NULL is fine. */
void gate_conv_close(struct gate_conv *c, const char *why);

/* Moves to the gate's current epoch: a change begins a new log session and finds the server anew. 0, or why
 * it could not be recorded; the conversation is then as before. */
int gate_conv_refresh(struct gate_conv *c);

/* Name of the server for records and policy: the catalog's, or "" when unlisted. */
struct span gate_conv_server(const struct gate_conv *c);

/* A changed definition was seen; refused from then on. */
void gate_conv_drifted(struct gate_conv *c, struct span tool);
bool gate_conv_has_drifted(const struct gate_conv *c, struct span tool);

/* One row of `tollgate sessions`. */
void gate_conv_describe(const struct gate_conv *c, struct json_out *j);

/* What the server is called where the catalog has no name for it. Valid until the next call. */
const char *gate_conv_address(const struct gate_conv *c);

/* Whether no server has a part in it: a connection, or an agent's questions for names. */
bool gate_conv_bare(const struct gate_conv *c);

#endif
