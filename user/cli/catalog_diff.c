// SPDX-License-Identifier: Apache-2.0
/*
 * `catalog diff`: what a live server, or another catalog, has otherwise than the catalog.
 */
#include <stdio.h>
#include <string.h>

#include "user/cli/catalog_args.h"
#include "user/cli/catalog_report.h"
#include "user/cli/cli.h"
#include "user/mcp/catalog_declare.h"

static void diff_server_tools(struct catalog *c, const struct catalog_server *s, const struct live *l,
			      struct catalog_report *rep)
{
	struct pin_result p;

	for (uint32_t i = tape_first(&l->tools, 0); i != TAPE_NONE; i = tape_next(&l->tools, 0, i)) {
		struct span name = tape_text(&l->tools, tape_get(&l->tools, i, "name"));

		catalog_pin(c, s, &l->tools, i, &p);
		if (p.verdict == PIN_CHANGED)
			catalog_report_add(rep, "changed", s->name, name, p.changed);
		else if (p.verdict != PIN_OK)
			catalog_report_add(rep, "added", s->name, name,
					   p.verdict == PIN_COLLISION ? "the name belongs to another server" : "");
	}
	for (unsigned i = 0; i < catalog_tool_count(c); i++) {
		const struct catalog_tool *t = catalog_tool(c, i);

		if (t->server == s && live_find(l, t->name) == TAPE_NONE)
			catalog_report_add(rep, "removed", s->name, t->name, "");
	}
}

static int diff_live(const struct catalog_args *a, struct catalog *c, struct catalog_report *rep)
{
	_cleanup_buf_ struct buf json = { 0 };
	struct catalog_match m = { 0 };
	const struct catalog_server *s;
	char err[LIVE_ERROR_MAX];
	char name_buf[128], how[256];
	struct live l;
	const char *name;

	if (live_scan(&a->target, &l, err) < 0)
		return catalog_complain("diff", err);
	name = catalog_server_name(a, &l, name_buf);
	s = catalog_server_named(c, span_of(name));
	if (!s) {
		catalog_report_add(rep, "added", span_of(name), (struct span){ NULL, 0 },
				   "the catalog has no such server");
	} else {
		if (a->target.argv)
			catalog_server_find_stdio(c, &l.identity, &m);
		if (catalog_server_out(a, &l, name, c, &json) < 0 || !catalog_server_same(c, s, &json, how))
			catalog_report_add(rep, "server", s->name, (struct span){ NULL, 0 },
					   m.reason[0] ? m.reason : how);
		diff_server_tools(c, s, &l, rep);
	}
	live_done(&l);
	return CLI_OK;
}

static const struct catalog_tool *same_tool(const struct catalog *c, const struct catalog_tool *t)
{
	const struct catalog_server *s = catalog_server_named(c, t->server->name);

	return s ? catalog_tool_find(c, s, t->name) : NULL;
}

static void diff_servers(const struct catalog *a, const struct catalog *b, struct catalog_report *rep)
{
	for (unsigned i = 0; i < catalog_server_count(a); i++) {
		const struct catalog_server *x = catalog_server(a, i), *y = catalog_server_named(b, x->name);
		char how[256];

		if (!y)
			continue; /* its tools are reported */
		catalog_server_diff(catalog_tape(a), x->token, catalog_tape(b), y->token, how);
		if (*how)
			catalog_report_add(rep, "server", x->name, (struct span){ NULL, 0 }, how);
	}
}

static int diff_files(const struct catalog_args *a, const struct catalog *c, struct catalog_report *rep)
{
	char err[CATALOG_ERROR_MAX], changed[256];
	struct catalog *other;

	if (catalog_load(a->other, NULL, &other, err) < 0)
		return catalog_complain("diff", err);
	diff_servers(c, other, rep);
	for (unsigned i = 0; i < catalog_tool_count(c); i++) {
		const struct catalog_tool *t = catalog_tool(c, i), *o = same_tool(other, t);

		changed[0] = '\0';
		if (!o)
			catalog_report_add(rep, "removed", t->server->name, t->name, "");
		else
			catalog_tool_diff(t, o, changed);
		if (changed[0])
			catalog_report_add(rep, "changed", t->server->name, t->name, changed);
	}
	for (unsigned i = 0; i < catalog_tool_count(other); i++) {
		const struct catalog_tool *o = catalog_tool(other, i);

		if (!same_tool(c, o))
			catalog_report_add(rep, "added", o->server->name, o->name, "");
	}
	catalog_free(other);
	return CLI_OK;
}

int catalog_diff(const struct catalog_args *a)
{
	char err[CATALOG_ERROR_MAX];
	struct catalog_report rep;
	struct catalog *c;
	unsigned n;
	int r;

	if (!a->other == !(a->target.argv || a->target.url) || a->all || a->tool_n || a->accept_server)
		return CLI_USAGE;
	if (catalog_load(a->file, NULL, &c, err) < 0)
		return catalog_complain("diff", err);
	catalog_report_begin(&rep, a->json);
	r = a->other ? diff_files(a, c, &rep) : diff_live(a, c, &rep);
	n = rep.n;
	if (r == CLI_OK && catalog_report_end(&rep, NULL) < 0)
		r = CLI_FAILED;
	buf_done(&rep.out);
	catalog_free(c);
	return r == CLI_OK && n ? CLI_FAILED : r;
}
