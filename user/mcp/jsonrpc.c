// SPDX-License-Identifier: Apache-2.0
/*
 * JSON-RPC 2.0 on the tape. Runs in the proxy on hostile bytes. What two peers could take for two
 * different kinds of message is invalid here.
 */
#include "user/mcp/jsonrpc.h"

#include <errno.h>

#include "user/base/json_out.h"
#include "user/mcp/tape_string.h"

static bool is_integer(struct span s)
{
	size_t i = s.n && s.p[0] == '-';

	if (i == s.n || (s.p[i] == '0' && s.n > 1)) /* "-0" comes back as 0 from most peers */
		return false;
	for (; i < s.n; i++)
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
	return true;
}

bool jsonrpc_id_valid(struct span raw)
{
	size_t i = 1;
	bool escaped;

	if (raw.n == 0 || raw.n > JSONRPC_ID_MAX)
		return false;
	if (raw.p[0] != '"')
		return is_integer(raw);
	return tape_string_scan(raw.p, raw.n, &i, &escaped) == TAPE_OK && i + 1 == raw.n;
}

/* The id as compared: integers as written, strings unescaped. raw is valid; buf has JSONRPC_ID_MAX
 * bytes. */
static struct span id_text(struct span raw, char *buf)
{
	if (raw.p[0] != '"')
		return raw;
	return (struct span){ buf, tape_string_decode(raw.p + 1, raw.n - 2, buf) };
}

bool jsonrpc_id_eq(struct span a, struct span b)
{
	char x[JSONRPC_ID_MAX], y[JSONRPC_ID_MAX];

	if (!jsonrpc_id_valid(a) || !jsonrpc_id_valid(b) || (a.p[0] == '"') != (b.p[0] == '"'))
		return false;
	return span_eq(id_text(a, x), id_text(b, y));
}

uint32_t jsonrpc_id_hash(struct span raw)
{
	char buf[JSONRPC_ID_MAX];
	uint32_t h = 2166136261u;
	struct span s;

	if (!jsonrpc_id_valid(raw))
		return 0;
	s = id_text(raw, buf);
	for (size_t i = 0; i < s.n; i++)
		h = (h ^ (unsigned char)s.p[i]) * 16777619u;
	return h ^ h >> 16;
}

static const struct span names[] = {
	{ "jsonrpc", 7 }, { "id", 2 }, { "method", 6 }, { "params", 6 }, { "result", 6 }, { "error", 5 },
};

enum {
	N_JSONRPC,
	N_ID,
	N_METHOD,
	N_PARAMS,
	N_RESULT,
	N_ERROR,
	N_COUNT,
};

/* What is wrong with the members, or NULL. */
static const char *fault_of(const struct tape *t, const struct jsonrpc_msg *m, uint32_t version)
{
	bool id_null = tape_is(t, m->id, TAPE_NULL);

	if (!tape_text_is(t, version, "2.0"))
		return "member jsonrpc is not \"2.0\"";
	if (m->id != TAPE_NONE && m->id_raw.n == 0 && !(id_null && m->error != TAPE_NONE))
		return "id is not a string or an integer, or is too long";
	if (m->method != TAPE_NONE) {
		if (m->result != TAPE_NONE || m->error != TAPE_NONE)
			return "method beside result or error";
		if (!tape_is(t, m->method, TAPE_STRING))
			return "method is not a string";
		if (m->params != TAPE_NONE && !tape_is(t, m->params, TAPE_OBJECT))
			return "params is not an object";
		return NULL;
	}
	if (m->result != TAPE_NONE && m->error != TAPE_NONE)
		return "both result and error";
	if (m->result == TAPE_NONE && m->error == TAPE_NONE)
		return "neither method, result nor error";
	if (m->result != TAPE_NONE && m->id == TAPE_NONE)
		return "result without id";
	if (m->error != TAPE_NONE && !tape_is(t, m->error, TAPE_OBJECT))
		return "error is not an object";
	return NULL;
}

static enum jsonrpc_kind kind_of(const struct jsonrpc_msg *m)
{
	if (m->method != TAPE_NONE)
		return m->id != TAPE_NONE ? JSONRPC_REQUEST : JSONRPC_NOTIFICATION;
	return m->result != TAPE_NONE ? JSONRPC_RESPONSE : JSONRPC_ERROR;
}

void jsonrpc_classify(const struct tape *t, uint32_t root, struct jsonrpc_msg *ret)
{
	uint32_t at[N_COUNT];
	bool clear;
	struct jsonrpc_msg m = {
		.root = root, .id = TAPE_NONE, .method = TAPE_NONE, .params = TAPE_NONE,
		.result = TAPE_NONE, .error = TAPE_NONE, .code = JSONRPC_E_REQUEST, .answer = true,
	};

	*ret = m;
	if (tape_is(t, root, TAPE_ARRAY)) {
		if (t->tok[root].count) {
			ret->kind = JSONRPC_BATCH;
			ret->code = 0;
		} else {
			ret->reason = "empty batch";
		}
		return;
	}
	if (!tape_is(t, root, TAPE_OBJECT)) {
		ret->reason = "not an object";
		return;
	}
	clear = tape_members(t, root, names, N_COUNT, at);
	m.id = at[N_ID];
	m.method = at[N_METHOD];
	m.params = at[N_PARAMS];
	m.result = at[N_RESULT];
	m.error = at[N_ERROR];
	m.name = tape_text(t, m.method);
	m.answer = m.method != TAPE_NONE || (m.result == TAPE_NONE && m.error == TAPE_NONE);
	if (jsonrpc_id_valid(tape_raw(t, m.id)))
		m.id_raw = tape_raw(t, m.id);
	m.reason = fault_of(t, &m, at[N_JSONRPC]);
	if (!m.reason && !clear)
		m.reason = "a member differs from a JSON-RPC member only in letter case";
	if (!m.reason) {
		m.kind = kind_of(&m);
		m.code = 0;
	}
	*ret = m;
}

int jsonrpc_read(struct tape *t, struct span bytes, const struct tape_limits *limits,
		 struct jsonrpc_msg *ret)
{
	int r = tape_parse(t, bytes, limits);

	if (r == -ENOMEM)
		return r;
	if (r == 0) {
		jsonrpc_classify(t, 0, ret);
		return 0;
	}
	*ret = (struct jsonrpc_msg){
		.root = TAPE_NONE, .id = TAPE_NONE, .method = TAPE_NONE, .params = TAPE_NONE,
		.result = TAPE_NONE, .error = TAPE_NONE, .answer = true,
		.code = r == -EMSGSIZE ? JSONRPC_E_REQUEST : JSONRPC_E_PARSE,
		.reason = tape_error_text(t->error),
	};
	return 0;
}

static void envelope(struct json_out *j, struct buf *out, struct span id_raw)
{
	json_out_init(j, out);
	json_out_object(j);
	json_out_member_str(j, "jsonrpc", "2.0");
	json_out_key(j, "id");
	if (id_raw.n)
		json_out_raw(j, id_raw);
	else
		json_out_null(j);
}

int jsonrpc_error_write(struct buf *out, struct span id_raw, int code, const char *message,
			struct span data)
{
	struct json_out j;

	envelope(&j, out, id_raw);
	json_out_key(&j, "error");
	json_out_object(&j);
	json_out_member_int(&j, "code", code);
	json_out_member_str(&j, "message", message);
	if (data.n) {
		json_out_key(&j, "data");
		json_out_raw(&j, data);
	}
	json_out_object_end(&j);
	json_out_object_end(&j);
	return json_out_end(&j);
}

int jsonrpc_result_write(struct buf *out, struct span id_raw, struct span result)
{
	struct json_out j;

	envelope(&j, out, id_raw);
	json_out_key(&j, "result");
	json_out_raw(&j, result);
	json_out_object_end(&j);
	return json_out_end(&j);
}
