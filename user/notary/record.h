/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_RECORD_H
#define TOLLGATE_RECORD_H

#include <stdbool.h>
#include <stdint.h>

#include "user/base/digest.h"
#include "user/base/span.h"

struct chain;
struct record_writer;

/*
 * One entry of the audit log and its one text form: a JSON object on one line, members in code-point
 * order, ASCII without DEL, integers only, so that Python's json.dumps(sort_keys=True,
 * separators=(',',':')) and RFC 8785 give the same bytes. docs/decisions/record-format.md describes the
 * form. Members named as in the cMCP audit entry are always present (null when absent) and mean what
 * they mean there; ours are left out when absent.
 */

/* A line, without its newline, is never longer: it fits a C2SP entry bundle (u16 length). */
#define RECORD_MAX 65535
/* Longer strings are written as their first RECORD_STRING_KEEP bytes, then "%sha256:" and the hex
 * digest of the whole; keeps the sum of all members below RECORD_MAX. */
#define RECORD_STRING_MAX 512
#define RECORD_STRING_KEEP 128
#define RECORD_IDS_MAX 16 /* determining policies named in one record; "+N" stands for the rest */
#define RECORD_DETAIL_MAX 24 /* members of detail */
#define RECORD_INT_MAX ((INT64_C(1) << 53) - 1) /* exact in every JSON reader */
#define RECORD_NO_INT INT64_MIN /* an integer that is absent */

enum record_type {
	RECORD_TYPE_NONE = 0, /* refused by record_write() */
	/* of the upstream format */
	RECORD_SESSION_START,
	RECORD_SESSION_END,
	RECORD_SESSION_RESET,
	RECORD_TOOL_CALL,
	RECORD_EGRESS_DENIED,
	RECORD_ATTESTATION_REFRESH,
	RECORD_POLICY_LOAD,
	RECORD_CATALOG_LOAD,
	RECORD_FAULT,
	RECORD_SUSPICIOUS_CALL_SEQUENCE,
	RECORD_ATTESTATION_STALE,
	RECORD_CATALOG_DRIFT,
	RECORD_BREAK_GLASS_USED,
	/* ours */
	RECORD_METHOD, /* any judged message but tools/call: member method says which */
	RECORD_RESPONSE, /* what came back, where it gets a record of its own; linked by call_id */
	RECORD_CONNECT, /* a connection that is not HTTP/1.1, or one refused */
	RECORD_SPAWN, /* a stdio server taken over, or killed because it could not be */
	RECORD_ENROL, /* a process tree entered or left an agent's scope */
	RECORD_NODE, /* start, stop, release, role failures, queries */
	RECORD_TYPE_COUNT,
};

enum record_decision {
	RECORD_DENY = 0,
	RECORD_ALLOW,
	RECORD_REDACT,
	RECORD_ADVISORY_DENY,
	RECORD_STEP_UP,
	RECORD_DEFER,
	RECORD_DECISION_FAULT,
	RECORD_NA,
	RECORD_DECISION_COUNT,
};

enum record_durability {
	RECORD_RING = 0, /* in the ring shared with the notary: survives any process */
	RECORD_WRITTEN, /* written to the segment: survives the daemon */
	RECORD_SYNCED, /* on disk: survives power loss */
};

const char *record_type_text(enum record_type t);
const char *record_decision_text(enum record_decision d);
const char *record_durability_text(enum record_durability d);

/* One member of detail: a string, or an integer when s.p is NULL. key: of [a-z0-9_], not empty. */
struct record_kv {
	const char *key;
	struct span s;
	int64_t i;
};

/* What a caller knows about one decision. Start with record_init(); every span with p == NULL is
 * absent; spans are borrowed until record_write() returns. Strings are raw bytes: the writer escapes. */
struct record {
	enum record_type type;
	enum record_decision decision;
	enum record_durability durability;

	/* upstream members */
	struct span call_id; /* the same in every record of one call */
	struct span tool_name; /* exact name as on the wire */
	struct span server_identity; /* catalog name, or URL, or command of an unlisted server */
	struct span policy_rule_matched; /* @id (or generated id) of the first determining policy */
	int64_t latency_us; /* added by the gate to this message */
	struct span request_payload_hash, response_payload_hash; /* salt_commit() text */
	struct span inspection; /* pass injection_detected schema_violation surplus_stripped
				   size_exceeded; absent: "n/a" */
	struct span sensitivity_before, sensitivity_after;
	struct span effective_data_class;
	struct span workflow_id;
	struct span evidence_class; /* hash-only (when absent) tls-pinned spawn-measured spawn-unmeasured */
	const struct record_kv *detail; /* any order, distinct keys */
	unsigned detail_n;

	/* ours: who */
	struct span agent, outer_agent; /* configured names */
	int64_t agent_pid, agent_uid;
	struct span agent_exe, agent_exe_digest, agent_script, agent_script_digest, agent_cgroup;
	int64_t server_pid;
	struct span server_exe, server_exe_digest, server_script, server_script_digest;
	struct span server_address; /* host:port, or path */
	struct span spawn_loader; /* loader-affecting variables seen at spawn */

	/* ours: what */
	struct span method, direction, transport, protocol_version, resource;
	struct span request_id_hash; /* salt_commit() of the JSON text of the id */
	struct span definition_digest; /* of the pinned definition that was used */
	int64_t message_bytes;
	int64_t error_code; /* JSON-RPC code of the answer given in the call's place */
	int64_t http_status;

	/* ours: why */
	struct span reason; /* one sentence: object, action, reason */
	struct span reason_code; /* stable word for filters: unlisted_server, unlisted_tool, drift, ... */
	struct span mode; /* enforcing advisory silent */
	const struct span *policy_ids; /* determining policies */
	unsigned policy_ids_n;
	int64_t policy_errors; /* policies that failed to evaluate */
	int64_t policy_epoch, catalog_epoch;
	int64_t duration_us; /* request to answer */
	bool judged_late; /* the server may have had the message before the verdict */
};

void record_init(struct record *r, enum record_type type, enum record_decision decision);

/* Holds the scratch memory and digest state of one thread; nothing is allocated per record once warm. */
int record_writer_new(struct record_writer **ret);
void record_writer_free(struct record_writer *w);

/* A finished line. */
struct record_line {
	struct span text; /* without newline; valid until the writer is used again */
	char entry_hash[SHA256_HEX_SIZE];
	uint64_t real_ns; /* the time it carries */
};

/* Builds the line that follows the chain's last one, stamped with real_ns or, when the clock went back,
 * the chain's last time. The chain does not move: call chain_advance() once the line is accepted. 0;
 * -EINVAL for a record that has no valid form (no type, an integer beyond RECORD_INT_MAX, a repeated or
 * odd name in detail); -EMSGSIZE beyond RECORD_MAX. */
int record_write(struct record_writer *w, const struct record *rec, const struct chain *c,
		 uint64_t real_ns, struct record_line *ret);

/* The text that a string has inside a record's quotes (escaped, or shortened to its digest): what a
 * filter compares with. Valid until the writer is used again. -EMSGSIZE when it is absurdly long. */
int record_text(struct record_writer *w, struct span s, struct span *ret);

/* What a session's first record states of the node; all texts borrowed, absent ones are left out. */
struct record_facts {
	struct span policy_hash, catalog_hash; /* "sha256:<hex>" */
	struct span mode;
	struct span program_hash, kernel_program_hash; /* of tollgated and of the loaded BPF object */
	struct span boot_id;
	struct span binding_digest; /* attest_binding() SHA-256 */
	struct span attestation_platform; /* "software-only" */
	struct span salt_epoch; /* names the instance key, see salt.h */
	struct span config_hash, node, version;
};
/* Fills kv[RECORD_DETAIL_MAX] and returns the number of members, for record.detail. */
unsigned record_facts_detail(const struct record_facts *f, struct record_kv kv[RECORD_DETAIL_MAX]);

#endif
