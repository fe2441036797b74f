/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_VIEW_H
#define TOLLGATE_VIEW_H

#include <stdint.h>

#include "user/base/digest.h"
#include "user/base/span.h"

struct hasher;

/*
 * Reading a record line back. record_view_parse() accepts exactly what record_write() can produce:
 * the known members in order, each of its type, in canonical text. Whatever it accepts needs no further
 * check by code that prints or indexes it. Used by the notary on what rings carry, by the verifier and
 * by the query role.
 */
enum record_member {
	M_AGENT, M_AGENT_CGROUP, M_AGENT_EXE, M_AGENT_EXE_DIGEST, M_AGENT_PID, M_AGENT_SCRIPT,
	M_AGENT_SCRIPT_DIGEST, M_AGENT_UID, M_CALL_ID, M_CATALOG_EPOCH, M_DEFINITION_DIGEST, M_DETAIL,
	M_DIRECTION, M_DURABILITY, M_DURATION_US, M_EFFECTIVE_DATA_CLASS, M_ENTRY_HASH, M_ENTRY_ID,
	M_ENTRY_TYPE, M_ERROR_CODE, M_EVIDENCE_CLASS, M_EXTERNAL_EVIDENCE, M_HTTP_STATUS, M_JUDGED_LATE,
	M_LATENCY_US, M_MESSAGE_BYTES, M_METHOD, M_MODE, M_OUTER_AGENT, M_POLICY_DECISION, M_POLICY_EPOCH,
	M_POLICY_ERRORS, M_POLICY_IDS, M_POLICY_RULE, M_PREV_ENTRY_HASH, M_PROTOCOL_VERSION, M_REASON,
	M_REASON_CODE, M_REQUEST_ID_HASH, M_REQUEST_PAYLOAD_HASH, M_RESOURCE, M_INSPECTION,
	M_RESPONSE_PAYLOAD_HASH, M_SEQUENCE_NUMBER, M_SERVER_ADDRESS, M_SERVER_EXE,
	M_SERVER_EXE_DIGEST, M_SERVER_IDENTITY, M_SERVER_PID, M_SERVER_SCRIPT, M_SERVER_SCRIPT_DIGEST,
	M_SESSION_ID, M_SENSITIVITY_AFTER, M_SENSITIVITY_BEFORE, M_SPAWN_LOADER, M_TIMESTAMP, M_TOOL_NAME,
	M_TRANSPORT, M_WORKFLOW_ID,
	M_COUNT,
};

/* Raw JSON text of each member (quotes included), p == NULL when the member is not there. Strings hold
 * no escape but \" and \\. */
struct record_view {
	struct span line;
	struct span m[M_COUNT];
	uint64_t sequence;
	struct span session_id, prev, entry_hash; /* unquoted */
	struct span hash_cut; /* the bytes of the line that entry_hash's member occupies, comma included */
};

/* 0, or -EBADMSG with *ret_at (may be NULL) the offset of the first byte that is wrong. */
int record_view_parse(struct span line, struct record_view *ret, size_t *ret_at);

/* The text of a string member: unquoted; "" when absent, null or not a string. Still percent-escaped. */
struct span record_view_text(const struct record_view *v, enum record_member m);
/* The value of an integer member, or RECORD_NO_INT. */
int64_t record_view_int(const struct record_view *v, enum record_member m);
struct span record_member_name(enum record_member m);

/* Recomputes entry_hash. 0 when it is the one stated, else -EBADMSG. */
int record_view_hash(const struct record_view *v, struct hasher *h);

/* Undoes the percent-escape into ret (NUL-terminated, cut to fit); for showing, not for comparing. */
void record_unescape(struct span text, char *ret, size_t size);

#endif
