// SPDX-License-Identifier: Apache-2.0
/*
 * What a sender is told in place of its message: a JSON-RPC error with its own id, naming the rule and the
 * record, never the payload.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "user/gate/judging.h"

static void say(struct judging *j, const char *reason_code, const char *fmt, va_list ap)
{
	if (j->reason_code)
		return; /* the first reason stands */
	j->reason_code = reason_code;
	(void)vsnprintf(j->reason, sizeof(j->reason), fmt, ap);
}

void judging_refuse(struct judging *j, int code, const char *reason_code, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say(j, reason_code, fmt, ap);
	va_end(ap);
	j->deny = true;
	j->code = code;
}

void judging_object(struct judging *j, const char *reason_code, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say(j, reason_code, fmt, ap);
	va_end(ap);
	j->would_deny = true;
	j->code = JUDGING_E_DENIED;
}

void judging_ask(struct judging *j, enum mcp_action action, struct span item,
		 struct gate_input *input)
{
	char why[JUDGING_REASON_MAX];

	j->asked = true;
	if (gate_ask(j->conv, action, j->x->dir, item, input, j->connection, &j->answer) == MCP_ALLOW)
		return;
	gate_ask_reason(&j->answer, why, sizeof(why));
	judging_object(j, "policy", "%s", why);
}

static int write_data(struct judging *j, struct buf *out)
{
	struct json_out o;

	json_out_init(&o, out);
	json_out_object(&o);
	json_out_member_str(&o, "decision", "deny");
	json_out_member_str(&o, "reason_code", j->reason_code);
	if (j->asked && j->answer.n_reasons)
		json_out_member_str(&o, "policy", j->answer.reasons[0]);
	if (j->asked && j->answer.advice)
		json_out_member_str(&o, "advice", j->answer.advice);
	json_out_member_str(&o, "session", j->conv->chain.session_id);
	json_out_member_int(&o, "record", (int64_t)j->conv->chain.sequence - 1);
	json_out_object_end(&o);
	return json_out_end(&o);
}

int judging_answer(struct judging *j)
{
	_cleanup_buf_ struct buf data = { 0 };
	char message[JUDGING_REASON_MAX + 32];
	int r = write_data(j, &data);

	if (r < 0)
		return r;
	(void)snprintf(message, sizeof(message), "tollgate: %s%s",
		       j->code == JUDGING_E_DENIED ? "denied: " : "", j->reason);
	return jsonrpc_error_write(&j->conv->gate->out, j->rpc.id_raw, j->code, message,
				   buf_span(&data));
}
