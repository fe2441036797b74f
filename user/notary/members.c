// SPDX-License-Identifier: Apache-2.0
/*
 * The table of a record's members. A member that is added here is in the log from then on; none is ever
 * renamed or given another meaning.
 */
#include "user/notary/members.h"

#include <endian.h>
#include <stddef.h>
#include <string.h>

#include "user/notary/record.h"

#define KEY(name) "\"" name "\":", sizeof(name) + 2
#define OURS(name, kind, field) { KEY(name), kind, false, offsetof(struct record, field), NULL }
#define THEIRS(name, kind, field) { KEY(name), kind, true, offsetof(struct record, field), NULL }
#define MADE(name, kind) { KEY(name), kind, true, 0, NULL }

const struct member record_members[M_COUNT] = {
	[M_AGENT] = OURS("agent", MEMBER_TEXT, agent),
	[M_AGENT_CGROUP] = OURS("agent_cgroup", MEMBER_TEXT, agent_cgroup),
	[M_AGENT_EXE] = OURS("agent_exe", MEMBER_TEXT, agent_exe),
	[M_AGENT_EXE_DIGEST] = OURS("agent_exe_digest", MEMBER_TEXT, agent_exe_digest),
	[M_AGENT_PID] = OURS("agent_pid", MEMBER_INT, agent_pid),
	[M_AGENT_SCRIPT] = OURS("agent_script", MEMBER_TEXT, agent_script),
	[M_AGENT_SCRIPT_DIGEST] = OURS("agent_script_digest", MEMBER_TEXT, agent_script_digest),
	[M_AGENT_UID] = OURS("agent_uid", MEMBER_INT, agent_uid),
	[M_CALL_ID] = THEIRS("call_id", MEMBER_TEXT, call_id),
	[M_CATALOG_EPOCH] = OURS("catalog_epoch", MEMBER_INT, catalog_epoch),
	[M_DEFINITION_DIGEST] = OURS("definition_digest", MEMBER_TEXT, definition_digest),
	[M_DETAIL] = MADE("detail", MEMBER_DETAIL),
	[M_DIRECTION] = OURS("direction", MEMBER_TEXT, direction),
	[M_DURABILITY] = MADE("durability", MEMBER_DURABILITY),
	[M_DURATION_US] = OURS("duration_us", MEMBER_INT, duration_us),
	[M_EFFECTIVE_DATA_CLASS] = THEIRS("effective_data_class", MEMBER_TEXT, effective_data_class),
	[M_ENTRY_HASH] = MADE("entry_hash", MEMBER_HASH),
	[M_ENTRY_ID] = MADE("entry_id", MEMBER_ENTRY_ID),
	[M_ENTRY_TYPE] = MADE("entry_type", MEMBER_TYPE),
	[M_ERROR_CODE] = OURS("error_code", MEMBER_INT, error_code),
	[M_EVIDENCE_CLASS] = { KEY("evidence_class"), MEMBER_TEXT, true,
			       offsetof(struct record, evidence_class), "hash-only" },
	[M_EXTERNAL_EVIDENCE] = MADE("external_execution_evidence", MEMBER_NULL),
	[M_HTTP_STATUS] = OURS("http_status", MEMBER_INT, http_status),
	[M_JUDGED_LATE] = OURS("judged_late", MEMBER_TRUE, judged_late),
	[M_LATENCY_US] = THEIRS("latency_us", MEMBER_INT, latency_us),
	[M_MESSAGE_BYTES] = OURS("message_bytes", MEMBER_INT, message_bytes),
	[M_METHOD] = OURS("method", MEMBER_TEXT, method),
	[M_MODE] = OURS("mode", MEMBER_TEXT, mode),
	[M_OUTER_AGENT] = OURS("outer_agent", MEMBER_TEXT, outer_agent),
	[M_POLICY_DECISION] = MADE("policy_decision", MEMBER_DECISION),
	[M_POLICY_EPOCH] = OURS("policy_epoch", MEMBER_INT, policy_epoch),
	[M_POLICY_ERRORS] = OURS("policy_errors", MEMBER_INT, policy_errors),
	[M_POLICY_IDS] = { KEY("policy_ids"), MEMBER_IDS, false, 0, NULL },
	[M_POLICY_RULE] = THEIRS("policy_rule_matched", MEMBER_TEXT, policy_rule_matched),
	[M_PREV_ENTRY_HASH] = MADE("prev_entry_hash", MEMBER_PREV),
	[M_PROTOCOL_VERSION] = OURS("protocol_version", MEMBER_TEXT, protocol_version),
	[M_REASON] = OURS("reason", MEMBER_TEXT, reason),
	[M_REASON_CODE] = OURS("reason_code", MEMBER_TEXT, reason_code),
	[M_REQUEST_ID_HASH] = OURS("request_id_hash", MEMBER_TEXT, request_id_hash),
	[M_REQUEST_PAYLOAD_HASH] = THEIRS("request_payload_hash", MEMBER_TEXT, request_payload_hash),
	[M_RESOURCE] = OURS("resource", MEMBER_TEXT, resource),
	[M_INSPECTION] = { KEY("response_inspection_result"), MEMBER_TEXT, true,
			   offsetof(struct record, inspection), "n/a" },
	[M_RESPONSE_PAYLOAD_HASH] = THEIRS("response_payload_hash", MEMBER_TEXT, response_payload_hash),
	[M_SEQUENCE_NUMBER] = MADE("sequence_number", MEMBER_SEQUENCE),
	[M_SERVER_ADDRESS] = OURS("server_address", MEMBER_TEXT, server_address),
	[M_SERVER_EXE] = OURS("server_exe", MEMBER_TEXT, server_exe),
	[M_SERVER_EXE_DIGEST] = OURS("server_exe_digest", MEMBER_TEXT, server_exe_digest),
	[M_SERVER_IDENTITY] = THEIRS("server_identity", MEMBER_TEXT, server_identity),
	[M_SERVER_PID] = OURS("server_pid", MEMBER_INT, server_pid),
	[M_SERVER_SCRIPT] = OURS("server_script", MEMBER_TEXT, server_script),
	[M_SERVER_SCRIPT_DIGEST] = OURS("server_script_digest", MEMBER_TEXT, server_script_digest),
	[M_SESSION_ID] = MADE("session_id", MEMBER_SESSION),
	[M_SENSITIVITY_AFTER] = THEIRS("session_sensitivity_after", MEMBER_TEXT, sensitivity_after),
	[M_SENSITIVITY_BEFORE] = THEIRS("session_sensitivity_before", MEMBER_TEXT, sensitivity_before),
	[M_SPAWN_LOADER] = OURS("spawn_loader", MEMBER_TEXT, spawn_loader),
	[M_TIMESTAMP] = MADE("timestamp_utc", MEMBER_TIME),
	[M_TOOL_NAME] = THEIRS("tool_name", MEMBER_TEXT, tool_name),
	[M_TRANSPORT] = OURS("transport", MEMBER_TEXT, transport),
	[M_WORKFLOW_ID] = THEIRS("workflow_id", MEMBER_TEXT, workflow_id),
};

static const char *const types[RECORD_TYPE_COUNT] = {
	"none", "session_start", "session_end", "session_reset", "tool_call", "egress_denied",
	"attestation_refresh", "policy_load", "catalog_load", "fault", "suspicious_call_sequence",
	"attestation_stale", "catalog_drift", "break_glass_used",
	"method", "response", "connect", "spawn", "enrol", "node",
};

static const char *const decisions[RECORD_DECISION_COUNT] = {
	"deny", "allow", "redact", "advisory_deny", "step_up", "defer", "fault", "n/a",
};

static const char *const durabilities[] = { "ring", "written", "synced" };

const char *record_type_text(enum record_type t)
{
	return (unsigned)t < RECORD_TYPE_COUNT ? types[t] : types[0];
}

const char *record_decision_text(enum record_decision d)
{
	return (unsigned)d < RECORD_DECISION_COUNT ? decisions[d] : decisions[0];
}

const char *record_durability_text(enum record_durability d)
{
	return (unsigned)d <= RECORD_SYNCED ? durabilities[d] : durabilities[0];
}

static bool is_plain(char ch)
{
	return ch >= 0x20 && ch < 0x7f && ch != '"' && ch != '\\' && ch != '%';
}

typedef uint8_t block __attribute__((vector_size(16)));
typedef uint64_t halves __attribute__((vector_size(16)));

/* The place of the first byte of v that is not plain, or the size of v. */
static inline size_t first_not_plain(block v)
{
	halves bad = (halves)((v - 0x20 > 0x5e) | (v == '"') | (v == '\\') | (v == '%'));

	if (bad[0])
		return (size_t)__builtin_ctzll(le64toh(bad[0])) / 8;
	return bad[1] ? 8 + (size_t)__builtin_ctzll(le64toh(bad[1])) / 8 : sizeof(v);
}

/* plain_run() of fewer bytes than a block has: their front and their end, which may overlap, make one. */
static inline size_t short_plain_run(char *to, const char *p, size_t n)
{
	uint64_t half[2] = { 0 };
	uint32_t quarter[4] = { 0, 0, 0x20202020, 0x20202020 };
	size_t part = n >= 8 ? 8 : 4, i = 0;
	block v;

	if (n < 4) {
		while (i < n && is_plain(p[i])) {
			if (to)
				to[i] = p[i];
			i++;
		}
		return i;
	}
	if (part == 8) {
		memcpy(&half[0], p, 8);
		memcpy(&half[1], p + n - 8, 8);
		memcpy(&v, half, sizeof(v));
		if (to) {
			memcpy(to, &half[0], 8);
			memcpy(to + n - 8, &half[1], 8);
		}
	} else {
		memcpy(&quarter[0], p, 4);
		memcpy(&quarter[1], p + n - 4, 4);
		memcpy(&v, quarter, sizeof(v));
		if (to) {
			memcpy(to, &quarter[0], 4);
			memcpy(to + n - 4, &quarter[1], 4);
		}
	}
	i = first_not_plain(v);
	return i < part ? i : i < 2 * part ? n - 2 * part + i : n;
}

static inline size_t plain_run(char *to, const char *p, size_t n)
{
	size_t i = 0, at;
	block v;

	if (n < sizeof(v))
		return short_plain_run(to, p, n);
	while (i < n) {
		i = n - i < sizeof(v) ? n - sizeof(v) : i; /* the last block overlaps the one before it */
		memcpy(&v, p + i, sizeof(v));
		if (to)
			memcpy(to + i, &v, sizeof(v));
		at = first_not_plain(v);
		i += at;
		if (at < sizeof(v))
			break;
	}
	return i;
}

size_t record_plain_run(const char *p, size_t n)
{
	return plain_run(NULL, p, n);
}

size_t record_plain_copy(char *to, const char *p, size_t n)
{
	return plain_run(to, p, n);
}
