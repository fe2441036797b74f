/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_POLICY_MCP_MODEL_H
#define TOLLGATE_POLICY_MCP_MODEL_H

/*
 * MCP in Cedar's terms; the only place that knows how the one maps to the other. The entities:
 *
 *	Agent::"NAME" in AgentGroup::"G"...   name, sponsor, exe, uid
 *	Server::"NAME" in Boundary::"B"       name, boundary
 *	Tool::"SERVER/TOOL" in Server         name, server, sensitivity
 *	Resource::"URI", Prompt::"SERVER/NAME" in Server     uri or name, server
 *	Host::"NAME:PORT", Host::"NAME"       name, port (none for a name that is only to be resolved)
 *	Action::"SERVER/TOOL" in Action::"tools/call"; Action::"method/NAME" in Action::"method";
 *	Action::"resources/read", "prompts/get", "connect", "connect/internal", "connect/metadata",
 *	"resolve", "spawn", "server/use", "sampling/createMessage", "elicitation/create", "roots/list"
 *
 * A connection to an address that is not the public network's has an action of its own, so that no
 * permit of "connect" covers it by accident: whoever serves a name chooses its addresses.
 *
 * The context: input (of a tool call: a record of its arguments), session {labels, calls, age,
 * workflow}, flow {sources, labels}, transport, attestation, time (datetime); of a connection also
 * host (the name that the client gave), address (ipaddr), port and alpn (set). An attribute or
 * member that has no value (no sponsor, no workflow) is absent: policies test it with `has`.
 * mcp_schema.h writes all of it as a Cedar schema, which every policy must be valid under.
 *
 * So that "SERVER/TOOL" has one reading, a server's name holds no '/' and is not "method"; a model
 * with such a server is refused and a message for one is denied. An agent, server or tool that the
 * model does not know is judged with its name and, as far as known, its server, but without other
 * attributes.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "policy/cedar.h"
#include "user/base/buf.h"
#include "user/base/cleanup.h"
#include "user/base/digest.h"
#include "user/base/span.h"

#define MCP_REASONS_MAX 16 /* policies named in one answer; more are counted */
#define MCP_ERROR_TEXT_MAX 384

/* --- what a model is made of: borrowed for the call ------------------------------------------- */

struct mcp_policy_text {
	const char *name; /* path as it shall stand in messages and in the hash */
	struct span text;
};

struct mcp_agent {
	const char *name;
	const char *sponsor; /* or NULL */
	const char *const *groups;
	size_t n_groups;
	const char *exe; /* or NULL */
	int64_t uid; /* -1: any */
};

struct mcp_tool {
	const char *name;
	const char *sensitivity; /* or NULL */
	struct span input_schema; /* JSON Schema of its arguments; empty: policies cannot read them */
};

struct mcp_server {
	const char *name;
	const char *boundary; /* the catalog's compliance_domain, or NULL */
	const struct mcp_tool *tools;
	size_t n_tools;
};

struct mcp_model_input {
	const struct mcp_policy_text *texts;
	size_t n_texts;
	const struct mcp_agent *agents;
	size_t n_agents;
	const struct mcp_server *servers;
	size_t n_servers;
	const char *const *methods; /* of the protocol, that policies may name: "ping" */
	size_t n_methods;
};

struct mcp_model; /* immutable, may be shared between threads */

/* The policies are validated strictly against the model's schema. -EINVAL: the reasons, one
 * "file:line:column: reason" per line, are appended to *errors. -ENOMEM, -EFBIG. */
int mcp_model_new(const struct mcp_model_input *in, struct buf *errors, struct mcp_model **ret);
struct mcp_model *mcp_model_ref(struct mcp_model *m);
void mcp_model_unref(struct mcp_model *m);
DEFINE_CLEANUP(struct mcp_model *, mcp_model_unref)

/* "sha256:..." over the policy texts, whatever their order: a domain tag, then for each text in
 * order of names both name and SHA-256 of the text, every item with its length before it. */
const char *mcp_model_hash(const struct mcp_model *m);
/* The same without a model. 0 or -ENOMEM. */
int mcp_texts_hash(const struct mcp_policy_text *texts, size_t n, char ret[SHA256_PREFIXED_SIZE]);
size_t mcp_model_policies(const struct mcp_model *m);

/* --- a message to judge ----------------------------------------------------------------------- */

enum mcp_principal {
	MCP_PRINCIPAL_AGENT = 0,
	MCP_PRINCIPAL_SERVER, /* a request from the server to its host */
};

enum mcp_action {
	MCP_TOOL_CALL = 1, /* item: tool */
	MCP_TOOL_LIST_ENTRY, /* item: tool; the arguments are not known yet */
	MCP_RESOURCE_READ, /* item: URI */
	MCP_PROMPT_GET, /* item: prompt */
	MCP_METHOD, /* item: any other method; resource is the server */
	MCP_CONNECT, /* item: "host:port"; server is not used */
	MCP_SPAWN, /* resource is the server; item is not used */
	MCP_SERVER_USE, /* likewise */
	MCP_SAMPLING, /* principal is the server, resource is the agent; item is not used */
	MCP_ELICITATION, /* likewise */
	MCP_ROOTS, /* likewise */
	MCP_PROMPT_LIST_ENTRY, /* item: prompt; like MCP_TOOL_LIST_ENTRY */
	MCP_CONNECT_INTERNAL, /* like MCP_CONNECT: this machine, its link, a private network */
	MCP_CONNECT_METADATA, /* likewise: a cloud's metadata service */
	MCP_RESOLVE, /* item: a host name whose addresses are asked for; server is not used */
};

/* What is known of a connection beside its item. */
struct mcp_connection {
	struct span host; /* as the client named it; empty: it did not */
	struct span address; /* numeric, without brackets */
	int64_t port;
	const struct span *alpn; /* protocols that the client offers */
	size_t n_alpn;
};

struct mcp_request {
	enum mcp_principal principal; /* MCP_METHOD looks at it; the others know theirs */
	enum mcp_action action;
	const char *agent; /* the (inner) agent; NULL is denied */
	const char *outer; /* in whose scope it was started, or NULL: both must be allowed */
	const char *server; /* name in the catalog; NULL is denied, but for MCP_CONNECT and its like */
	struct span item; /* valid UTF-8 */
	const struct mcp_connection *connection; /* MCP_CONNECT, _INTERNAL, _METADATA; NULL is denied */

	/* Gives context.input: must put exactly one record into b, or cedar_build_fail(). Called
	 * once per principal that is judged. NULL: the message has no arguments. Ignored for list
	 * entries. */
	void (*input)(void *ctx, struct cedar_build *b);
	void *input_ctx;

	const char *const *labels; /* of the session */
	size_t n_labels;
	int64_t calls; /* of the session so far */
	int64_t age; /* of the session, seconds */
	const char *workflow; /* or NULL */

	const char *const *flow_sources; /* tools whose results were found again in the arguments */
	size_t n_flow_sources;
	const char *const *flow_labels;
	size_t n_flow_labels;

	const char *transport; /* "stdio", "http", "opaque" */
	const char *attestation; /* "software-only", "tpm", "snp", "tdx", "azure" */
	int64_t time_ms; /* Unix time */
};

enum mcp_decision {
	MCP_DENY = 0,
	MCP_ALLOW,
};

enum mcp_why {
	MCP_WHY_FAILED = 0, /* no decision could be made: error says why */
	MCP_WHY_DEFAULT, /* no policy permits */
	MCP_WHY_FORBID, /* reasons are forbids */
	MCP_WHY_FORBID_ERRORED, /* Cedar skips a forbid that fails; here it denies, as a reason */
	MCP_WHY_PERMIT, /* reasons are permits */
	MCP_WHY_INPUT, /* list entry, shown: arguments decide; reasons are the policies that ask */
};

struct mcp_answer {
	enum mcp_decision decision;
	enum mcp_why why;
	const char *principal; /* whose judgement this is: inner, or outer when that one denied */
	const char *reasons[MCP_REASONS_MAX]; /* @id of the policy, else policyN; of the model */
	size_t n_reasons; /* in reasons */
	size_t total_reasons;
	const char *advice; /* @advice of the first reason that has one, or NULL; of the model */
	size_t n_failed; /* policies that errored, permit or forbid */
	char error[MCP_ERROR_TEXT_MAX]; /* the first: "file:line:column: id: what"; "" without */
};

struct mcp_judge; /* per-thread memory */

int mcp_judge_new(struct mcp_judge **ret);
void mcp_judge_free(struct mcp_judge *j);
DEFINE_CLEANUP(struct mcp_judge *, mcp_judge_free)

/*
 * Judges one message. Always gives an answer, never an error: what goes wrong is a denial with
 * MCP_WHY_FAILED. Allocates nothing once the judge's memory has grown.
 *
 * A list entry is judged with the action of its use while context.input is unknown: it is hidden
 * when it is denied whatever the arguments (a forbid that holds without them, or no permit that
 * could hold with some), and shown otherwise, for the call itself is judged again. A forbid that
 * errors without needing the arguments hides.
 */
void mcp_judge_decide(struct mcp_judge *j, struct mcp_model *m, const struct mcp_request *rq,
		      struct mcp_answer *ret);

/*
 * Judges the entries of one list, which differ in rq->item only: ret[i] says whether the i-th would be
 * allowed. Every answer is that of mcp_judge_decide(), also when memory fails; but what depends on agent and
 * context alone is found out once for many tools.
 */
void mcp_judge_list(struct mcp_judge *j, struct mcp_model *m, const struct mcp_request *rq,
		    const struct span *items, size_t n, bool *ret);

#endif
