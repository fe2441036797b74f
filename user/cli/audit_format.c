// SPDX-License-Identifier: Apache-2.0
/*
 * The formats of an export. Texts stay as they stand in the records, percent-escaped, so that whoever
 * reads an export can find the record again.
 */
#include "user/cli/audit_format.h"

#include <errno.h>
#include <string.h>

#include "user/base/cleanup.h"
#include "user/base/clock.h"
#include "user/base/json_out.h"
#include "user/cli/control_client.h"

#define OCSF_VERSION "1.3.0"

static long long row_leaf(const json_t *row)
{
	return (long long)json_integer_value(json_object_get(row, "leaf"));
}

static int put_json(const json_t *j, struct buf *out)
{
	char *text = json_dumps(j, JSON_COMPACT | JSON_ENSURE_ASCII);
	int r = text ? buf_append_str(out, text) : -ENOMEM;

	free(text);
	return r < 0 ? r : buf_append(out, "\n", 1);
}

static const char *const columns[] = {
	"timestamp_utc", "entry_type", "policy_decision", "agent", "outer_agent", "agent_pid", "agent_exe",
	"server_identity", "method", "tool_name", "resource", "transport", "reason_code", "reason",
	"policy_rule_matched", "latency_us", "durability", "session_id", "sequence_number", "call_id", "entry_hash",
};
#define CSV_HEAD "leaf,timestamp_utc,entry_type,policy_decision,agent,outer_agent,agent_pid,agent_exe," \
	"server_identity,method,tool_name,resource,transport,reason_code,reason,policy_rule_matched,latency_us," \
	"durability,session_id,sequence_number,call_id,entry_hash\r\n"

/* A cell that a spreadsheet would take for a formula gets an apostrophe in front: its text may be an
 * agent's. */
static int put_cell(const char *s, struct buf *out)
{
	int r = buf_append_str(out, *s && strchr("=+-@", *s) ? ",\"'" : ",\"");

	for (; *s && r == 0; s++)
		r = buf_append(out, *s == '"' ? "\"\"" : s, *s == '"' ? 2 : 1);
	return r < 0 ? r : buf_append(out, "\"", 1);
}

static int csv_row(const json_t *row, struct buf *out)
{
	const json_t *record = json_object_get(row, "record");
	int r = buf_printf(out, "%lld", row_leaf(row));

	for (size_t i = 0; i < ARRAY_SIZE(columns) && r == 0; i++) {
		const json_t *v = json_object_get(record, columns[i]);

		if (json_is_integer(v))
			r = buf_printf(out, ",%lld", (long long)json_integer_value(v));
		else if (json_is_string(v))
			r = put_cell(json_string_value(v), out);
		else
			r = buf_append(out, ",", 1);
	}
	return r < 0 ? r : buf_append_str(out, "\r\n");
}

/* Create, Read, Update, Delete or Other: which of them a tool's call is, nobody here knows. */
static int ocsf_activity(const char *method)
{
	static const char *const reads[] = { "tools/list", "resources/list", "resources/templates/list",
					     "resources/read", "prompts/list", "prompts/get" };

	for (size_t i = 0; i < ARRAY_SIZE(reads); i++)
		if (strcmp(method, reads[i]) == 0)
			return 2;
	return 99;
}

static bool decided(const json_t *record, const char *word)
{
	return strcmp(cli_text(record, "policy_decision", ""), word) == 0;
}

static void ocsf_outcome(struct json_out *j, const json_t *record)
{
	bool failed = decided(record, "deny") || decided(record, "fault");
	int severity = decided(record, "fault") ? 4 : failed || decided(record, "advisory_deny") ||
							       decided(record, "redact") ? 3 : 1;

	json_out_member_int(j, "severity_id", severity);
	json_out_member_str(j, "severity", severity == 4 ? "High" : severity == 3 ? "Medium" : "Informational");
	json_out_member_str(j, "status", failed ? "Failure" : "Success");
	if (cli_text(record, "reason_code", NULL))
		json_out_member_str(j, "status_code", cli_text(record, "reason_code", NULL));
	if (cli_text(record, "reason", NULL))
		json_out_member_str(j, "status_detail", cli_text(record, "reason", NULL));
	json_out_member_int(j, "status_id", failed ? 2 : 1);
}

static void ocsf_metadata(struct json_out *j, const json_t *record)
{
	json_out_key(j, "metadata");
	json_out_object(j);
	if (cli_text(record, "call_id", NULL))
		json_out_member_str(j, "correlation_uid", cli_text(record, "call_id", NULL));
	json_out_member_str(j, "event_code", cli_text(record, "entry_type", "unknown"));
	json_out_member_str(j, "original_time", cli_text(record, "timestamp_utc", ""));
	json_out_key(j, "product");
	json_out_object(j);
	json_out_member_str(j, "name", "Tollgate");
	json_out_member_str(j, "vendor_name", "Tollgate");
	json_out_object_end(j);
	json_out_member_int(j, "sequence",
			    (int64_t)json_integer_value(json_object_get(record, "sequence_number")));
	json_out_member_str(j, "uid", cli_text(record, "entry_id", ""));
	json_out_member_str(j, "version", OCSF_VERSION);
	json_out_object_end(j);
}

static void ocsf_actor(struct json_out *j, const json_t *record)
{
	const json_t *pid = json_object_get(record, "agent_pid");

	json_out_key(j, "actor");
	json_out_object(j);
	if (cli_text(record, "agent", NULL))
		json_out_member_str(j, "app_name", cli_text(record, "agent", NULL));
	if (json_is_integer(pid)) {
		json_out_key(j, "process");
		json_out_object(j);
		if (cli_text(record, "agent_exe", NULL))
			json_out_member_str(j, "name", cli_text(record, "agent_exe", NULL));
		json_out_member_int(j, "pid", (int64_t)json_integer_value(pid));
		json_out_object_end(j);
	}
	json_out_key(j, "session");
	json_out_object(j);
	json_out_member_str(j, "uid", cli_text(record, "session_id", ""));
	json_out_object_end(j);
	json_out_object_end(j);
}

static void ocsf_api(struct json_out *j, const json_t *record, const char *operation)
{
	json_out_key(j, "api");
	json_out_object(j);
	json_out_member_str(j, "operation", operation);
	if (cli_text(record, "call_id", NULL)) {
		json_out_key(j, "request");
		json_out_object(j);
		json_out_member_str(j, "uid", cli_text(record, "call_id", NULL));
		json_out_object_end(j);
	}
	if (cli_text(record, "server_identity", NULL)) {
		json_out_key(j, "service");
		json_out_object(j);
		json_out_member_str(j, "name", cli_text(record, "server_identity", NULL));
		json_out_object_end(j);
	}
	if (cli_text(record, "protocol_version", NULL))
		json_out_member_str(j, "version", cli_text(record, "protocol_version", NULL));
	json_out_object_end(j);
}

static void ocsf_endpoints(struct json_out *j, const json_t *record)
{
	json_out_key(j, "src_endpoint");
	json_out_object(j);
	json_out_member_str(j, "svc_name", cli_text(record, "agent", "tollgated"));
	json_out_object_end(j);
	if (!cli_text(record, "server_identity", NULL))
		return;
	json_out_key(j, "dst_endpoint");
	json_out_object(j);
	json_out_member_str(j, "svc_name", cli_text(record, "server_identity", NULL));
	json_out_object_end(j);
	if (!cli_text(record, "tool_name", NULL))
		return;
	json_out_key(j, "resources");
	json_out_array(j);
	json_out_object(j);
	json_out_member_str(j, "name", cli_text(record, "tool_name", NULL));
	json_out_member_str(j, "type", "MCP tool");
	json_out_object_end(j);
	json_out_array_end(j);
}

/* What an analyst needs to find the record, and what the schema has no member for. */
static void ocsf_unmapped(struct json_out *j, const json_t *row, const json_t *record)
{
	static const char *const members[] = { "durability", "entry_hash", "mode", "policy_decision",
					       "policy_rule_matched", "tool_name", "transport" };

	json_out_key(j, "unmapped");
	json_out_object(j);
	json_out_member_int(j, "leaf", row_leaf(row));
	for (size_t i = 0; i < ARRAY_SIZE(members); i++)
		if (cli_text(record, members[i], NULL))
			json_out_member_str(j, members[i], cli_text(record, members[i], NULL));
	json_out_object_end(j);
}

static int ocsf_row(const json_t *row, struct buf *out)
{
	const json_t *record = json_object_get(row, "record");
	const char *method = cli_text(record, "method", cli_text(record, "entry_type", "unknown"));
	int activity = ocsf_activity(method), r;
	uint64_t ns = 0;
	struct json_out j;

	if (!json_is_object(record)) /* a damaged line is no event; verify speaks of it */
		return 0;
	(void)clock_parse_iso(cli_text(record, "timestamp_utc", ""), &ns);
	json_out_init(&j, out);
	json_out_object(&j);
	json_out_member_int(&j, "activity_id", activity);
	json_out_member_str(&j, "activity_name", activity == 2 ? "Read" : method);
	ocsf_actor(&j, record);
	ocsf_api(&j, record, method);
	json_out_member_str(&j, "category_name", "Application Activity");
	json_out_member_int(&j, "category_uid", 6);
	json_out_member_str(&j, "class_name", "API Activity");
	json_out_member_int(&j, "class_uid", 6003);
	ocsf_endpoints(&j, record);
	ocsf_metadata(&j, record);
	ocsf_outcome(&j, record);
	json_out_member_int(&j, "time", (int64_t)(ns / 1000000u));
	json_out_member_int(&j, "type_uid", 600300 + activity);
	ocsf_unmapped(&j, row, record);
	json_out_object_end(&j);
	r = json_out_end(&j);
	return r < 0 ? r : buf_append(out, "\n", 1);
}

const struct audit_format *audit_format_find(const char *name)
{
	static const struct audit_format formats[] = {
		{ "jsonl", NULL, put_json }, { "csv", CSV_HEAD, csv_row }, { "ocsf", NULL, ocsf_row },
	};

	for (size_t i = 0; i < ARRAY_SIZE(formats); i++)
		if (strcmp(name, formats[i].name) == 0)
			return &formats[i];
	return NULL;
}
