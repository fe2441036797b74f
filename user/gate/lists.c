// SPDX-License-Identifier: Apache-2.0
/*
 * Results that list things: every definition is held against its pin, then policy is asked whether the
 * agent may have it. What fails is cut out of the received bytes; the rest stays as it came.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "user/base/cleanup.h"
#include "user/gate/judging.h"
#include "user/gate/note.h"
#include "user/gate/snapshot.h"
#include "user/mcp/catalog.h"
#include "user/mcp/listfilter.h"

/* How policy is asked about one element of each kind of list. */
struct list_kind {
	enum mcp_method asked;
	const char *name; /* member that names the element */
	enum mcp_action action;
};

static const struct list_kind kinds[] = {
	{ MCP_TOOLS_LIST, "name", MCP_TOOL_LIST_ENTRY },
	{ MCP_PROMPTS_LIST, "name", MCP_PROMPT_LIST_ENTRY },
	{ MCP_RESOURCES_LIST, "uri", MCP_RESOURCE_READ },
};

static const struct list_kind *kind_of(enum mcp_method asked)
{
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (kinds[i].asked == asked)
			return &kinds[i];
	return NULL;
}

static void remember_dropped(struct judging *j, struct span name)
{
	size_t used = strlen(j->dropped_names);

	if (used + name.n + 3 < sizeof(j->dropped_names))
		(void)snprintf(j->dropped_names + used, sizeof(j->dropped_names) - used, "%s%.*s",
			       used ? ", " : "", (int)name.n, name.p);
	j->dropped++;
}

static int record_drift(struct judging *j, struct span name, const char *code, const char *reason)
{
	bool enforcing = j->conv->gate->mode == GATE_ENFORCING;
	struct record rec;

	note_init(&rec, j->conv, RECORD_CATALOG_DRIFT, enforcing ? RECORD_DENY : RECORD_ADVISORY_DENY);
	rec.tool_name = name;
	rec.method = SPAN("tools/list");
	rec.direction = SPAN("to-host");
	rec.reason = span_of(reason);
	rec.reason_code = span_of(code);
	return note_put(j->conv, &rec);
}

/* May this definition be shown? A negative answer about a pin is recorded on its own. */
static bool pin_holds(struct judging *j, uint32_t element, struct span name)
{
	struct gate_conv *c = j->conv;
	struct pin_result p = { 0 };
	char reason[400];
	const char *code;

	catalog_pin(c->snap->catalog, c->server, &c->gate->tape, element, &p);
	switch (p.verdict) {
	case PIN_OK:
		return true;
	case PIN_CHANGED:
		code = "drift";
		gate_conv_drifted(c, name);
		(void)snprintf(reason, sizeof(reason), "definition changed since it was approved: %s",
			       p.changed);
		break;
	case PIN_COLLISION:
		code = "collision";
		(void)snprintf(reason, sizeof(reason), "the name belongs to server %.*s",
			       p.owner ? (int)p.owner->name.n : 1, p.owner ? p.owner->name.p : "?");
		break;
	default:
		code = "unlisted_tool";
		(void)snprintf(reason, sizeof(reason), "not in the catalog");
		break;
	}
	if (record_drift(j, name, code, reason) < 0)
		judging_refuse(j, JSONRPC_E_INTERNAL, "log", "the log takes no record");
	return false;
}

static bool may_have(struct judging *j, const struct list_kind *k, uint32_t element)
{
	const struct tape *t = &j->conv->gate->tape;
	uint32_t at = tape_get(t, element, k->name);
	struct mcp_answer a;

	if (!tape_is(t, at, TAPE_STRING) || tape_has_lookalike(t, element, k->name)) {
		remember_dropped(j, SPAN("(unnamed)"));
		return false;
	}
	if ((k->asked == MCP_TOOLS_LIST && !pin_holds(j, element, tape_text(t, at))) ||
	    gate_ask(j->conv, k->action, MCP_TO_SERVER, tape_text(t, at), NULL, &a) != MCP_ALLOW) {
		remember_dropped(j, tape_text(t, at));
		return false;
	}
	return true;
}

void judging_list(struct judging *j, enum mcp_method asked)
{
	const struct list_kind *k = kind_of(asked);
	struct gate *g = j->conv->gate;
	const struct tape *t = &g->tape;
	uint32_t array = mcp_list_array(t, j->rpc.result, asked);
	_cleanup_free_ uint8_t *drop = NULL;
	size_t n = 0;
	int r;

	if (!k)
		return;
	if (!tape_is(t, array, TAPE_ARRAY)) {
		judging_refuse(j, JSONRPC_E_INTERNAL, "malformed", "the result carries no list");
		return;
	}
	if (!j->conv->server || j->conv->use_denied)
		return; /* its request was denied, or let pass by mode: there are no pins to hold it against */
	drop = calloc(t->tok[array].count + 1, 1);
	if (!drop) {
		judging_refuse(j, JSONRPC_E_INTERNAL, "memory", "not enough memory to judge the list");
		return;
	}
	for (uint32_t e = tape_first(t, array); e != TAPE_NONE; e = tape_next(t, array, e))
		drop[n++] = !may_have(j, k, e);
	if (g->mode != GATE_ENFORCING || j->deny)
		return;
	buf_clear(&g->out);
	r = list_filter(t, j->rpc.result, array, drop, n, false, &g->out);
	if (r < 0)
		judging_refuse(j, JSONRPC_E_INTERNAL, "memory", "the list could not be cut");
	j->replaced = r == 1;
}
