// SPDX-License-Identifier: Apache-2.0
/*
 * The way of one message: read, match, pin, policy, record; then forward, replace, answer or drop. One parse
 * serves all of it. Runs in the proxy on hostile bytes; every path that is not proven allowed ends in deny.
 */
#include "user/gate/judge.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "user/base/clock.h"
#include "user/gate/input.h"
#include "user/gate/judging.h"
#include "user/gate/note.h"
#include "user/gate/snapshot.h"
#include "user/mcp/catalog.h"
#include "user/notary/escrow.h"
#include "user/notary/salt.h"

/* "SESSION/SEQUENCE" of the record that the call got. Written by hand: formatted output costs as much as parsing a
 * small message does. */
static void name_call(struct judging *j, uint64_t sequence)
{
	size_t id = strnlen(j->conv->chain.session_id, sizeof(j->conv->chain.session_id));
	char digits[20];
	size_t at = sizeof(digits);

	_Static_assert(sizeof(j->conv->chain.session_id) + 1 + sizeof(digits) < sizeof(j->call_id), "fits");
	do
		digits[--at] = (char)('0' + sequence % 10);
	while (sequence /= 10);
	memcpy(j->call_id, j->conv->chain.session_id, id);
	j->call_id[id++] = '/';
	memcpy(j->call_id + id, digits + at, sizeof(digits) - at);
	j->call_id[id + sizeof(digits) - at] = '\0';
}

static enum mcp_dir other(enum mcp_dir d)
{
	return d == MCP_TO_SERVER ? MCP_TO_HOST : MCP_TO_SERVER;
}

/* --- requests and notifications ------------------------------------------------------------------ */

static void decide_tool(struct judging *j)
{
	struct gate_conv *c = j->conv;
	struct gate_input in = { &c->gate->tape, j->msg.arguments };

	if (!catalog_tool_find(c->snap->catalog, c->server, j->msg.item))
		judging_object(j, "unlisted_tool", "tool %.*s of server %.*s is not in the catalog",
			       (int)j->msg.item.n, j->msg.item.p, (int)c->server->name.n,
			       c->server->name.p);
	else if (gate_conv_has_drifted(c, j->msg.item))
		judging_object(j, "drift", "the definition of tool %.*s changed since it was approved",
			       (int)j->msg.item.n, j->msg.item.p);
	else
		judging_ask(j, MCP_TOOL_CALL, j->msg.item,
			    j->msg.arguments == TAPE_NONE ? NULL : &in);
}

static void decide(struct judging *j)
{
	struct gate_conv *c = j->conv;

	if (!c->server && *c->spawn.refused) {
		judging_object(j, "spawn_refused", "server %s was not let start: %s", gate_conv_address(c),
			       c->spawn.refused);
		return;
	}
	if (!c->server) {
		judging_object(j, "unlisted_server", "server %s is not in the catalog: %s",
			       gate_conv_address(c), c->why_unlisted);
		return;
	}
	if (c->use_denied) {
		judging_object(j, "policy", "policy does not let this agent use server %.*s",
			       (int)c->server->name.n, c->server->name.p);
		return;
	}
	switch (j->msg.method) {
	case MCP_TOOLS_CALL:
		decide_tool(j);
		break;
	case MCP_RESOURCES_READ:
		judging_ask(j, MCP_RESOURCE_READ, j->msg.item, NULL);
		break;
	case MCP_PROMPTS_GET:
		judging_ask(j, MCP_PROMPT_GET, j->msg.item, NULL);
		break;
	case MCP_SAMPLING_CREATE_MESSAGE:
		judging_ask(j, MCP_SAMPLING, SPAN(""), NULL);
		break;
	case MCP_ELICITATION_CREATE:
		judging_ask(j, MCP_ELICITATION, SPAN(""), NULL);
		break;
	case MCP_ROOTS_LIST:
		judging_ask(j, MCP_ROOTS, SPAN(""), NULL);
		break;
	default:
		judging_ask(j, MCP_METHOD, j->rpc.name, NULL);
		break;
	}
}

/* Notes a request that goes on, so that its answer can be matched. */
static void expect_answer(struct judging *j)
{
	struct gate_call *call = j->x->call;
	struct pending_req *p;
	int r;

	if (call) {
		call->open = true;
		call->method = j->msg.method;
		call->started_ns = j->started_ns;
		call->id_n = j->rpc.id_raw.n;
		memcpy(call->id, j->rpc.id_raw.p, call->id_n);
		call->item_n = j->msg.item.n < sizeof(call->item) ? j->msg.item.n : sizeof(call->item);
		memcpy(call->item, j->msg.item.p ? j->msg.item.p : "", call->item_n);
		return;
	}
	r = pending_add(&j->conv->pending, j->x->dir, j->rpc.id_raw, j->msg.method, j->msg.item,
			j->conv->snap->epoch, j->started_ns, &p);
	if (r == -EEXIST)
		judging_refuse(j, JSONRPC_E_REQUEST, "duplicate_id", "a request with this id is in flight");
	else if (r < 0)
		judging_refuse(j, JSONRPC_E_INTERNAL, "limit", "too many requests are in flight");
	else
		p->tag = j->conv->chain.sequence;
}

static void judge_call(struct judging *j)
{
	bool request = j->rpc.kind == JSONRPC_REQUEST;

	if (mcp_read(&j->conv->gate->tape, &j->rpc, &j->msg) < 0)
		judging_refuse(j, JSONRPC_E_PARAMS, "invalid_params", "invalid params: %s",
			       j->msg.reason ? j->msg.reason : "missing");
	else
		decide(j);
	if (j->deny || (j->would_deny && j->conv->gate->mode == GATE_ENFORCING))
		return;
	if (request)
		expect_answer(j);
	else if (j->msg.method == MCP_N_CANCELLED && j->msg.cancelled_id.n)
		(void)pending_cancel(&j->conv->pending, j->x->dir, j->msg.cancelled_id);
}

/* --- answers ------------------------------------------------------------------------------------- */

struct matched {
	bool found;
	enum mcp_method method;
	uint64_t started_ns, tag;
};

/* Finds the request that this message answers, and forgets it: a second answer is an answer to nothing. */
static struct matched match_answer(struct judging *j)
{
	struct gate_call *call = j->x->call;
	struct pending_req *p;
	struct matched m = { 0 };

	if (call && call->open &&
	    jsonrpc_id_eq((struct span){ call->id, call->id_n }, j->rpc.id_raw)) {
		m = (struct matched){ true, call->method, call->started_ns, 0 };
		j->msg.item = (struct span){ call->item, call->item_n };
		call->open = false;
		return m;
	}
	p = pending_find(&j->conv->pending, other(j->x->dir), j->rpc.id_raw);
	if (!p)
		return m;
	m = (struct matched){ true, p->method, p->started_ns, p->tag };
	pending_remove(&j->conv->pending, p);
	return m;
}

static void judge_result(struct judging *j, const struct matched *m)
{
	struct mcp_server_info info;

	if (j->x->dir != MCP_TO_HOST || j->rpc.kind != JSONRPC_RESPONSE)
		return;
	if (m->method == MCP_INITIALIZE || m->method == MCP_SERVER_DISCOVER) {
		mcp_server_info(&j->conv->gate->tape, j->rpc.result, m->method, &info);
		if (info.version != MCP_V_UNKNOWN)
			j->conv->version = info.version;
	}
	judging_list(j, m->method);
}

static void judge_answer(struct judging *j)
{
	struct matched m = { 0 };

	if (j->rpc.id_raw.n)
		m = match_answer(j);
	j->msg.method = m.method;
	j->answers = m.found;
	if (m.found) {
		const struct mcp_method_info *info = mcp_method_info(m.method);

		if (info)
			j->rpc.name = span_of(info->name);
		name_call(j, m.tag);
		judge_result(j, &m);
	} else if (j->rpc.kind == JSONRPC_ERROR && j->rpc.id_raw.n == 0) {
		return; /* an error about a request whose id could not be read: it carries no result */
	} else if (!j->conv->running) {
		judging_refuse(j, JSONRPC_E_REQUEST, "unmatched", "it answers no request that is open");
	}
}

/* --- one element, recorded ----------------------------------------------------------------------- */

static bool is_answer(const struct judging *j)
{
	return j->rpc.kind == JSONRPC_RESPONSE || j->rpc.kind == JSONRPC_ERROR;
}

static bool denied(const struct judging *j)
{
	return j->deny || (j->would_deny && j->conv->gate->mode == GATE_ENFORCING);
}

static enum record_type type_of(const struct judging *j)
{
	if (is_answer(j))
		return RECORD_RESPONSE;
	if (j->connection || strcmp(j->conv->transport, "opaque") == 0)
		return RECORD_CONNECT;
	return j->msg.method == MCP_TOOLS_CALL ? RECORD_TOOL_CALL : RECORD_METHOD;
}

static void fill_policy(const struct judging *j, struct record *rec, struct span ids[RECORD_IDS_MAX])
{
	size_t n = j->answer.n_reasons < RECORD_IDS_MAX ? j->answer.n_reasons : RECORD_IDS_MAX;

	for (size_t i = 0; i < n; i++)
		ids[i] = span_of(j->answer.reasons[i]);
	if (n) {
		rec->policy_rule_matched = ids[0];
		rec->policy_ids = ids;
		rec->policy_ids_n = (unsigned)n;
	}
	if (j->answer.n_failed)
		rec->policy_errors = (int64_t)j->answer.n_failed;
}

static void commit_payload(const struct judging *j, enum salt_member m, char ret[SHA256_PREFIXED_SIZE])
{
	if (j->digest)
		salt_commit_digest(&j->conv->chain, m, j->digest, ret);
	else
		salt_commit_next(&j->conv->chain, m, j->text, ret);
}

/* What cannot be kept must not happen: its record would promise a payload that nobody has. */
static void keep_payload(struct judging *j)
{
	const struct gate_conv *c = j->conv;
	int r = c->gate->escrow ? escrow_put(c->gate->escrow, &c->chain, is_answer(j) ? SALT_RESPONSE : SALT_REQUEST,
					     j->text) : 0;

	if (r < 0)
		judging_refuse(j, JSONRPC_E_INTERNAL, "escrow", "the payload cannot be kept for its recipient: %s",
			       strerrordesc_np(-r));
}

static void record_one(struct judging *j)
{
	char payload[SHA256_PREFIXED_SIZE], id[SHA256_PREFIXED_SIZE];
	struct gate_conv *c = j->conv;
	struct span ids[RECORD_IDS_MAX];
	struct record_kv kv[2];
	struct record rec;

	keep_payload(j);
	note_init(&rec, c, type_of(j), denied(j) ? RECORD_DENY :
		  j->would_deny ? RECORD_ADVISORY_DENY : RECORD_ALLOW);
	commit_payload(j, is_answer(j) ? SALT_RESPONSE : SALT_REQUEST, payload);
	if (is_answer(j))
		rec.response_payload_hash = span_of(payload);
	else
		rec.request_payload_hash = span_of(payload);
	if (j->rpc.id_raw.n) {
		salt_commit_next(&c->chain, SALT_REQUEST_ID, j->rpc.id_raw, id);
		rec.request_id_hash = span_of(id);
	}
	if (*j->call_id)
		rec.call_id = span_of(j->call_id);
	if (j->rpc.name.n)
		rec.method = j->rpc.name;
	if (j->msg.method == MCP_TOOLS_CALL)
		rec.tool_name = j->msg.item;
	else if (j->msg.item.n)
		rec.resource = j->msg.item;
	rec.direction = j->x->dir == MCP_TO_SERVER ? SPAN("to-server") : SPAN("to-host");
	rec.message_bytes = (int64_t)j->text.n;
	rec.latency_us = (int64_t)((clock_mono_ns() - j->started_ns) / 1000);
	rec.judged_late = j->x->late;
	if (j->reason_code) {
		rec.reason = span_of(j->reason);
		rec.reason_code = span_of(j->reason_code);
	}
	if (j->asked)
		fill_policy(j, &rec, ids);
	if (denied(j))
		rec.error_code = j->code;
	if (j->dropped) {
		kv[0] = (struct record_kv){ .key = "hidden", .i = j->dropped };
		kv[1] = (struct record_kv){ .key = "hidden_names", .s = span_of(j->dropped_names) };
		rec.detail = kv;
		rec.detail_n = 2;
	}
	if (j->connection) {
		kv[0] = (struct record_kv){ .key = "address", .s = j->connection->address };
		rec.detail = kv;
		rec.detail_n = 1;
	}
	if (note_put(c, &rec) < 0)
		judging_refuse(j, JSONRPC_E_INTERNAL, "log", "the log takes no record");
}

static void judge_element(struct judging *j)
{
	struct gate_conv *c = j->conv;

	name_call(j, c->chain.sequence);
	switch (j->rpc.kind) {
	case JSONRPC_REQUEST:
	case JSONRPC_NOTIFICATION:
		judge_call(j);
		break;
	case JSONRPC_RESPONSE:
	case JSONRPC_ERROR:
		judge_answer(j);
		break;
	default:
		judging_refuse(j, j->rpc.code ? j->rpc.code : JSONRPC_E_REQUEST, "malformed", "%s",
			       j->rpc.reason ? j->rpc.reason : "not a JSON-RPC message");
		break;
	}
	record_one(j);
	c->gate->count.judged++;
	if (j->msg.method == MCP_TOOLS_CALL && !is_answer(j))
		c->calls++;
	if (denied(j)) {
		c->gate->count.denied++;
		c->denied++;
	}
}

static bool wants_answer(const struct judging *j)
{
	return j->answers || j->rpc.kind == JSONRPC_REQUEST || (j->rpc.kind == JSONRPC_INVALID && j->rpc.answer);
}

static void begin(struct judging *j, struct gate_conv *c, const struct gate_context *x,
		  struct span text)
{
	memset(j, 0, offsetof(struct judging, reason));
	j->reason[0] = j->call_id[0] = j->dropped_names[0] = '\0';
	j->replaced = false;
	j->dropped = 0;
	j->conv = c;
	j->x = x;
	j->text = text;
	j->started_ns = clock_mono_ns();
}

/* One proxy, one thread: the last reason stays readable until the next judgement. */
static const char *keep_reason(const struct judging *j)
{
	static char last[JUDGING_REASON_MAX];

	memcpy(last, j->reason, sizeof(last));
	return last;
}

/* Settles an element that may not go on: the answer it gets is in gate->out, or it gets none. In the place of an answer
 * goes an error, to who waits for it. */
static void settle_denied(struct judging *j, struct gate_verdict *ret)
{
	struct gate *g = j->conv->gate;

	buf_clear(&g->out);
	ret->denied = true;
	ret->code = j->code;
	ret->reason = keep_reason(j);
	if (!wants_answer(j) || judging_answer(j) < 0)
		return;
	ret->act = j->answers ? GATE_REPLACE : GATE_ANSWER;
	ret->bytes = buf_span(&g->out);
}

/* Judges every element and says whether all may go on as they are. */
static bool batch_allowed(struct judging *whole)
{
	const struct tape *t = &whole->conv->gate->tape;
	bool all = true;

	for (uint32_t e = tape_first(t, 0); e != TAPE_NONE; e = tape_next(t, 0, e)) {
		struct judging j;

		begin(&j, whole->conv, whole->x, tape_raw(t, e));
		jsonrpc_classify(t, e, &j.rpc);
		judge_element(&j);
		all &= !denied(&j) && !j.replaced;
	}
	return all;
}

/* Answers every request of a batch that does not go on, and forgets that it was expected to. */
static int batch_answer(struct judging *whole)
{
	struct gate_conv *c = whole->conv;
	const struct tape *t = &c->gate->tape;
	struct buf *out = &c->gate->out;
	int r = buf_append_str(out, "[");

	for (uint32_t e = tape_first(t, 0); e != TAPE_NONE && r >= 0; e = tape_next(t, 0, e)) {
		jsonrpc_classify(t, e, &whole->rpc);
		if (!wants_answer(whole))
			continue;
		pending_remove(&c->pending,
			       pending_find(&c->pending, whole->x->dir, whole->rpc.id_raw));
		if (buf_len(out) > 1)
			r = buf_append_str(out, ",");
		if (r >= 0)
			r = judging_answer(whole);
	}
	return r < 0 ? r : buf_append_str(out, "]");
}

/* A batch goes on only as a whole. */
static void judge_batch(struct judging *whole, struct gate_verdict *ret)
{
	struct buf *out = &whole->conv->gate->out;

	if (batch_allowed(whole)) {
		ret->act = GATE_FORWARD;
		return;
	}
	ret->denied = true;
	judging_refuse(whole, JUDGING_E_DENIED, "batch", "the batch holds a message that is denied");
	record_one(whole);
	buf_clear(out);
	if (batch_answer(whole) < 0 || buf_len(out) <= 2)
		return;
	ret->act = GATE_ANSWER;
	ret->bytes = buf_span(out);
}

void gate_judge(struct gate_conv *c, const struct gate_context *x, struct span text,
		struct gate_verdict *ret)
{
	struct gate *g = c->gate;
	struct tape_limits limits = { .bytes = g->limits.message_max };
	struct judging j;

	*ret = (struct gate_verdict){ .act = GATE_DROP, .pos = c->pos };
	begin(&j, c, x, text);
	j.digest = x->digest; /* of the whole: the elements of a batch have their own */
	c->last_ns = j.started_ns;
	if (gate_conv_refresh(c) < 0 || jsonrpc_read(&g->tape, text, &limits, &j.rpc) < 0) {
		judging_refuse(&j, JSONRPC_E_INTERNAL, "resources",
			       "the gate has no memory or no room in the log");
		settle_denied(&j, ret);
		return;
	}
	if (j.rpc.kind == JSONRPC_BATCH) {
		judge_batch(&j, ret);
		ret->pos = c->pos;
		return;
	}
	judge_element(&j);
	ret->pos = c->pos;
	ret->method = j.msg.method;
	ret->request = j.rpc.kind == JSONRPC_REQUEST;
	if (denied(&j)) {
		settle_denied(&j, ret);
	} else if (j.replaced) {
		ret->act = GATE_REPLACE;
		ret->bytes = buf_span(&g->out);
	} else {
		ret->act = GATE_FORWARD;
	}
}

/* The host waits for an answer that is too long: it gets an error in its place. */
static void replace_overlong(struct judging *j, struct gate_verdict *ret)
{
	struct pending_req *p = pending_find(&j->conv->pending, MCP_TO_SERVER, j->rpc.id_raw);

	if (!p)
		return;
	pending_remove(&j->conv->pending, p);
	settle_denied(j, ret);
	if (ret->act == GATE_ANSWER)
		ret->act = GATE_REPLACE;
}

void gate_judge_overlong(struct gate_conv *c, const struct gate_context *x, struct span id,
			 uint64_t bytes, struct gate_verdict *ret)
{
	struct judging j;

	*ret = (struct gate_verdict){ .act = GATE_DROP, .denied = true };
	begin(&j, c, x, SPAN(""));
	j.rpc = (struct jsonrpc_msg){ .kind = JSONRPC_INVALID, .id_raw = id, .answer = true };
	judging_refuse(&j, JSONRPC_E_REQUEST, "size", "a message of %" PRIu64 " bytes is over the limit",
		       bytes);
	record_one(&j);
	c->denied++;
	ret->pos = c->pos;
	if (x->dir == MCP_TO_SERVER)
		settle_denied(&j, ret);
	else
		replace_overlong(&j, ret);
}

/* What is judged without being a message: asked, recorded, and either let through or not. */
void gate_judge_question(struct gate_conv *c, const struct gate_question *q, struct gate_verdict *ret)
{
	static const struct gate_context to_server = { .dir = MCP_TO_SERVER };
	struct judging j;

	*ret = (struct gate_verdict){ .act = GATE_DROP, .pos = c->pos };
	begin(&j, c, &to_server, SPAN(""));
	j.rpc.kind = JSONRPC_NOTIFICATION;
	j.rpc.name = q->item;
	if (q->action == MCP_RESOLVE) {
		j.rpc.name = SPAN("resolve");
		j.msg.item = q->item;
	}
	j.connection = q->connection;
	if (gate_conv_refresh(c) < 0)
		judging_refuse(&j, JSONRPC_E_INTERNAL, "log", "the log takes no record");
	else if (q->action == MCP_METHOD && c->use_denied)
		judging_object(&j, "policy", "policy does not let this agent use this server");
	else if (q->objection)
		judging_object(&j, q->reason_code, "%s", q->objection);
	else
		judging_ask(&j, q->action, q->item, NULL);
	record_one(&j);
	c->gate->count.judged++;
	ret->pos = c->pos;
	if (denied(&j)) {
		c->denied++;
		settle_denied(&j, ret);
	} else {
		ret->act = GATE_FORWARD;
	}
}

void gate_judge_plain(struct gate_conv *c, const char *name, struct gate_verdict *ret)
{
	struct gate_question q = { .action = MCP_METHOD, .item = span_of(name) };

	gate_judge_question(c, &q, ret);
}

void gate_judge_refused(struct gate_conv *c, const char *why, struct gate_verdict *ret)
{
	static const struct gate_context to_server = { .dir = MCP_TO_SERVER };
	struct judging j;

	*ret = (struct gate_verdict){ .act = GATE_DROP, .pos = c->pos };
	begin(&j, c, &to_server, SPAN(""));
	judging_refuse(&j, JSONRPC_E_REQUEST, "transport", "%s", why);
	record_one(&j);
	c->denied++;
	ret->pos = c->pos;
	settle_denied(&j, ret);
}
