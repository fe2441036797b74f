// SPDX-License-Identifier: Apache-2.0
/*
 * Results that list things: every definition is held against its pin, then policy is asked whether the
 * agent may have it. What fails is cut out of the received bytes; the rest stays as it came.
 */
#include <errno.h>
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

/* The elements of a list: what each is called, and whether it goes. */
struct elements {
	size_t n;
	uint8_t *drop;
	bool *may; /* policy's word on those whose pins hold */
	struct span *name;
	size_t n_asked;
	struct span *asked; /* their names */
};

static int elements_init(struct elements *e, size_t n)
{
	*e = (struct elements){ .drop = calloc(n + 1, sizeof(*e->drop)),
				.may = calloc(n + 1, sizeof(*e->may)),
				.name = calloc(n + 1, sizeof(*e->name)),
				.asked = calloc(n + 1, sizeof(*e->asked)) };
	return e->drop && e->may && e->name && e->asked ? 0 : -ENOMEM;
}

static void elements_done(struct elements *e)
{
	free(e->drop);
	free(e->may);
	free(e->name);
	free(e->asked);
}

/* Holds an element against what is known without policy. */
static void take_element(struct judging *j, const struct list_kind *k, uint32_t element, struct elements *e)
{
	const struct tape *t = &j->conv->gate->tape;
	uint32_t at = tape_get(t, element, k->name);
	size_t i = e->n++;

	if (!tape_is(t, at, TAPE_STRING) || tape_has_lookalike(t, element, k->name)) {
		e->name[i] = SPAN("(unnamed)");
		e->drop[i] = true;
		return;
	}
	e->name[i] = tape_text(t, at);
	e->drop[i] = k->asked == MCP_TOOLS_LIST && !pin_holds(j, element, e->name[i]);
	if (!e->drop[i])
		e->asked[e->n_asked++] = e->name[i];
}

/* Asks policy about all that is left, in one pass. */
static void choose(struct judging *j, const struct list_kind *k, uint32_t array, struct elements *e)
{
	const struct tape *t = &j->conv->gate->tape;
	size_t asked = 0;

	for (uint32_t at = tape_first(t, array); at != TAPE_NONE; at = tape_next(t, array, at))
		take_element(j, k, at, e);
	gate_ask_list(j->conv, k->action, e->asked, e->n_asked, e->may);
	for (size_t i = 0; i < e->n; i++) {
		if (!e->drop[i])
			e->drop[i] = !e->may[asked++];
		if (e->drop[i])
			remember_dropped(j, e->name[i]);
	}
}

void judging_list(struct judging *j, enum mcp_method asked)
{
	const struct list_kind *k = kind_of(asked);
	struct gate *g = j->conv->gate;
	const struct tape *t = &g->tape;
	uint32_t array = mcp_list_array(t, j->rpc.result, asked);
	_cleanup_(elements_done) struct elements e = { 0 };
	int r;

	if (!k)
		return;
	if (!tape_is(t, array, TAPE_ARRAY)) {
		judging_refuse(j, JSONRPC_E_INTERNAL, "malformed", "the result carries no list");
		return;
	}
	if (!j->conv->server || j->conv->use_denied)
		return; /* its request was denied, or let pass by mode: there are no pins to hold it against */
	if (elements_init(&e, t->tok[array].count) < 0) {
		judging_refuse(j, JSONRPC_E_INTERNAL, "memory", "not enough memory to judge the list");
		return;
	}
	choose(j, k, array, &e);
	if (g->mode != GATE_ENFORCING || j->deny)
		return;
	buf_clear(&g->out);
	r = list_filter(t, j->rpc.result, array, e.drop, e.n, false, &g->out);
	if (r < 0)
		judging_refuse(j, JSONRPC_E_INTERNAL, "memory", "the list could not be cut");
	j->replaced = r == 1;
}
