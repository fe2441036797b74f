// SPDX-License-Identifier: Apache-2.0
/*
 * The questions that the cMCP runtime puts to Cedar, and what it makes of the answer. Reads names and
 * arguments that agents chose; everything that goes wrong here is a denial.
 */
#include "policy/cmcp.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "policy/cmcp_value.h"
#include "policy/mcp_impl.h"
#include "policy/mem.h"

#define MEMORY_LIMIT (64u << 20) /* of the parsed arguments: some forty bytes for each of their text */

struct cmcp_judge {
	struct cedar_request *rq;
	struct arena mem; /* what a request borrows */
};

int cmcp_load(const struct mcp_policy_text *texts, size_t n, struct buf *errors, struct cedar_snapshot **ret)
{
	_cleanup_(cedar_policies_free_p) struct cedar_policies *ps = NULL;
	struct cedar_error error = { 0 };
	int r = cedar_policies_new(&ps);

	if (r == 0)
		r = mcp_add_texts(ps, texts, n, errors);
	if (r == 0) {
		r = cedar_snapshot_new(ps, NULL, &error, ret);
		if (r < 0 && *error.message)
			(void)buf_printf(errors, "%s\n", error.message);
	}
	return r;
}

int cmcp_judge_new(struct cmcp_judge **ret)
{
	_cleanup_(cmcp_judge_free_p) struct cmcp_judge *j = calloc(1, sizeof(*j));
	int r = j ? cedar_request_new(0, &j->rq) : -ENOMEM;

	if (r < 0)
		return r;
	j->mem.limit = MEMORY_LIMIT;
	*ret = take_ptr(j);
	return 0;
}

void cmcp_judge_free(struct cmcp_judge *j)
{
	if (!j)
		return;
	cedar_request_free(j->rq);
	arena_done(&j->mem);
	free(j);
}

/* --- the question -------------------------------------------------------------------------------- */

static int refuse(struct cmcp_answer *a, int r, const char *why)
{
	(void)snprintf(a->error, sizeof(a->error), "%s", why);
	return r;
}

static bool name_ok(struct span name)
{
	if (name.n == 0 || name.n > CMCP_NAME_MAX)
		return false;
	for (size_t i = 0; i < name.n; i++) {
		unsigned char c = (unsigned char)name.p[i];

		if (c < 0x20 || c > 0x7e || c == '"' || c == '\\' ||
		    (c == ':' && i + 1 < name.n && name.p[i + 1] == ':'))
			return false;
	}
	return true;
}

/* read_file becomes ReadFile, crm.query Crm.query, and so does CRM.query. */
static struct span action_of(struct span tool, char out[CMCP_NAME_MAX])
{
	bool first = true;
	size_t n = 0;

	for (size_t i = 0; i < tool.n; i++) {
		char c = tool.p[i];

		if (c != '_') {
			if (first && c >= 'a' && c <= 'z')
				c = (char)(c - 'a' + 'A');
			else if (!first && c >= 'A' && c <= 'Z')
				c = (char)(c - 'A' + 'a');
			out[n++] = c;
		}
		first = c == '_';
	}
	return (struct span){ out, n };
}

static int begin(struct cmcp_judge *j, struct cedar_snapshot *s, struct span tool, struct cmcp_answer *ret)
{
	struct span action;
	char *room;
	int r = cedar_request_begin(j->rq, s);

	*ret = (struct cmcp_answer){ 0 };
	arena_reset(&j->mem);
	if (r < 0)
		return r;
	if (!name_ok(tool))
		return refuse(ret, -EINVAL, "the tool's name cannot be put to policies of this dialect");
	room = arena_alloc(&j->mem, CMCP_NAME_MAX);
	if (!room)
		return -ENOMEM;
	action = action_of(tool, room);
	r = cedar_request_principal(j->rq, SPAN("Agent"), SPAN("anonymous"));
	if (r == 0)
		r = cedar_request_action(j->rq, SPAN("Action"), action);
	return r < 0 ? r : cedar_request_resource(j->rq, SPAN("Resource"), tool);
}

static void put_text(struct cedar_build *b, const char *key, const char *v)
{
	if (!v)
		return;
	cedar_key(b, span_of(key));
	cedar_put_string(b, span_of(v));
}

static void put_long(struct cedar_build *b, const char *key, int64_t v)
{
	cedar_key(b, span_of(key));
	cedar_put_long(b, v);
}

static void put_bool(struct cedar_build *b, const char *key, bool v)
{
	cedar_key(b, span_of(key));
	cedar_put_bool(b, v);
}

static int parse_arguments(struct cmcp_judge *j, struct span *text, struct json *ret, struct cmcp_answer *a)
{
	struct cedar_error error = { 0 };
	int r;

	if (text->n == 0)
		*text = SPAN("{}");
	if (text->n > CMCP_ARGUMENTS_MAX)
		return refuse(a, -EFBIG, "the arguments are too large");
	r = json_parse(&j->mem, *text, &error, ret);
	if (r == -EINVAL) {
		(void)snprintf(a->error, sizeof(a->error), "arguments:%u:%u: %s", error.line, error.column,
			       error.message);
		return r;
	}
	if (r == 0 && ret->kind != JSON_OBJECT)
		return refuse(a, -EINVAL, "the arguments are no JSON object");
	return r;
}

static int put_call(struct cmcp_judge *j, const struct cmcp_call *call, struct cmcp_answer *a)
{
	struct cedar_build *b = cedar_request_build(j->rq);
	struct span text = call->arguments;
	struct json arguments;
	int r = parse_arguments(j, &text, &arguments, a);

	if (r < 0)
		return r;
	cedar_open_record(b);
	cedar_key(b, SPAN("arguments"));
	cmcp_put(b, &j->mem, text, &arguments);
	put_text(b, "server_identity", call->server_identity);
	put_text(b, "compliance_domain", call->compliance_domain);
	put_bool(b, "baa_covered", !call->requires_baa);
	put_text(b, "destination_class", "external");
	put_text(b, "session_max_sensitivity", call->session_max_sensitivity);
	put_text(b, "attestation_platform", call->attestation_platform);
	put_text(b, "workflow_id", call->workflow_id);
	cedar_close(b);
	return cedar_request_context(j->rq);
}

static int put_result(struct cmcp_judge *j, const struct cmcp_result *result)
{
	struct cedar_build *b = cedar_request_build(j->rq);

	cedar_open_record(b);
	put_bool(b, "egress", true);
	put_long(b, "sensitivity_level", result->sensitivity_level);
	put_long(b, "injection_events", result->injection_events);
	put_long(b, "reset_count", result->reset_count);
	put_long(b, "response_size_bytes", result->response_size_bytes);
	put_text(b, "workflow_id", result->workflow_id);
	cedar_close(b);
	return cedar_request_context(j->rq);
}

/* --- the answer ---------------------------------------------------------------------------------- */

/* The word as a policy's author may have spelt it. */
static bool says(const char *value, const char *word)
{
	size_t n;

	value += strspn(value, " \t\r\n");
	n = strcspn(value, " \t\r\n");
	return n == strlen(word) && strncasecmp(value, word, n) == 0 && value[n + strspn(value + n, " \t\r\n")] == '\0';
}

static const char *escalation(const struct cedar_snapshot *s, uint32_t policy)
{
	static const char *const keys[] = { "approver", "escalate", "escalation", "hitl" };
	const char *v = NULL;

	for (size_t i = 0; !v && i < ARRAY_SIZE(keys); i++)
		v = cedar_snapshot_annotation(s, policy, keys[i]);
	return v;
}

/* How this forbid denies. */
static enum cmcp_decision obligation(const struct cedar_snapshot *s, uint32_t policy)
{
	const char *stated = cedar_snapshot_annotation(s, policy, "aarm_decision");

	if (stated && says(stated, "step_up"))
		return CMCP_STEP_UP;
	if (stated && says(stated, "defer"))
		return CMCP_DEFER;
	/* A word that is none of them may be a slip; one that would allow is not obeyed. */
	if (stated && (says(stated, "deny") || says(stated, "allow") || says(stated, "modify")))
		return CMCP_DENY;
	return escalation(s, policy) ? CMCP_STEP_UP : CMCP_DENY;
}

static void add_reason(const struct cedar_snapshot *s, uint32_t policy, struct cmcp_answer *ret)
{
	const char *id = cedar_snapshot_annotation(s, policy, "id");
	struct cedar_policy_info info;

	if (ret->n_reasons < CMCP_REASONS_MAX) {
		cedar_snapshot_policy(s, policy, &info);
		ret->reasons[ret->n_reasons++] = id && *id ? id : info.id;
	}
	ret->total_reasons++;
}

static void add_failure(struct cmcp_judge *j, const struct cedar_snapshot *s, const struct cedar_answer *a,
			struct cmcp_answer *ret)
{
	struct cedar_policy_info info;
	struct cedar_error e;

	ret->n_failed = a->n_failures;
	ret->forbid_failed = a->forbid_failed;
	if (a->n_failures == 0 || cedar_explain(j->rq, &a->failures[0], &e) < 0)
		return;
	cedar_snapshot_policy(s, a->failures[0].policy, &info);
	(void)snprintf(ret->error, sizeof(ret->error), "%s:%u:%u: %s: %s", info.text_name, e.line, e.column,
		       info.id, e.message);
}

/* r is how putting the question went. */
static void finish(struct cmcp_judge *j, const struct cedar_snapshot *s, int r, struct cmcp_answer *ret)
{
	struct cedar_answer a;

	if (r == 0)
		r = cedar_authorize(j->rq, &a);
	if (r < 0) {
		if (!*ret->error)
			(void)refuse(ret, r, r == -ELOOP ? "the arguments are nested too deep" :
				     r == -ENOSPC || r == -ENOMEM ? "no memory for the question" :
				     r == -ERANGE ? "the arguments have a number out of range" :
						    "the arguments cannot be put to policy");
		return;
	}
	if (a.decision == CEDAR_ALLOW)
		ret->decision = CMCP_ALLOW;
	else if (a.n_reasons)
		ret->decision = CMCP_DEFER; /* the weakest denial, until a forbid asks for another */
	for (size_t i = 0; i < a.n_reasons; i++) {
		enum cmcp_decision d = a.decision == CEDAR_ALLOW ? CMCP_ALLOW : obligation(s, a.reasons[i]);

		if (d < ret->decision)
			ret->decision = d;
		if (d != CMCP_ALLOW && !ret->advice)
			ret->advice = escalation(s, a.reasons[i]);
		add_reason(s, a.reasons[i], ret);
	}
	add_failure(j, s, &a, ret);
}

void cmcp_judge_call(struct cmcp_judge *j, struct cedar_snapshot *s, const struct cmcp_call *call,
		     struct cmcp_answer *ret)
{
	int r = begin(j, s, call->tool, ret);

	finish(j, s, r < 0 ? r : put_call(j, call, ret), ret);
}

void cmcp_judge_result(struct cmcp_judge *j, struct cedar_snapshot *s, const struct cmcp_result *result,
		       struct cmcp_answer *ret)
{
	int r = begin(j, s, result->tool, ret);

	finish(j, s, r < 0 ? r : put_result(j, result), ret);
}
