// SPDX-License-Identifier: Apache-2.0
/*
 * `catalog scan` and `catalog pin`. A scan only adds: what changed since it was approved stays as
 * it was until someone pins it by name.
 */
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "user/base/clock.h"
#include "user/cli/catalog_args.h"
#include "user/cli/catalog_file.h"
#include "user/cli/catalog_report.h"
#include "user/cli/cli.h"

struct merge {
	const struct catalog_args *a;
	struct live live;
	struct catalog_file file;
	const struct catalog_server *server; /* in file.old, or NULL */
	const char *name;
	char name_buf[128];
	struct buf json; /* server object */
	struct catalog_approval approval;
	struct catalog_report report;
	bool pin, differs;
};

static bool is_named(const struct merge *m, struct span tool)
{
	if (m->a->all)
		return true;
	for (unsigned i = 0; i < m->a->tool_n; i++)
		if (span_is(tool, m->a->tool[i]))
			return true;
	return false;
}

static int merge_add(struct merge *m, uint32_t definition, const char *change, const char *detail)
{
	struct span name = tape_text(&m->live.tools, tape_get(&m->live.tools, definition, "name"));

	catalog_report_add(&m->report, change, span_of(m->name), name, detail);
	return catalog_file_add(&m->file, &m->live.tools, definition, buf_span(&m->json), span_of(m->name),
				&m->approval);
}

/* An entry of the catalog that is being rewritten. */
static int merge_old(struct merge *m, const struct catalog_tool *tool)
{
	struct span server = m->a->accept_server ? buf_span(&m->json) : SPAN("");
	struct pin_result p = { .verdict = PIN_OK };
	uint32_t definition;

	if (tool->server != m->server)
		return catalog_file_keep(&m->file, tool, SPAN(""));
	definition = live_find(&m->live, tool->name);
	if (definition != TAPE_NONE)
		catalog_pin(m->file.old, m->server, &m->live.tools, definition, &p);
	if (m->pin && definition != TAPE_NONE && is_named(m, tool->name) &&
	    (p.verdict != PIN_OK || !tool->full))
		return merge_add(m, definition, "approved", p.changed);
	if (definition == TAPE_NONE) {
		catalog_report_add(&m->report, "gone", span_of(m->name), tool->name, "");
	} else if (p.verdict != PIN_OK) {
		catalog_report_add(&m->report, "changed", span_of(m->name), tool->name, p.changed);
		m->differs = true;
	}
	return catalog_file_keep(&m->file, tool, server);
}

static int merge_all(struct merge *m)
{
	const struct tape *t = &m->live.tools;
	int r = 0;

	for (unsigned i = 0; m->file.old && i < catalog_tool_count(m->file.old) && r == 0; i++)
		r = merge_old(m, catalog_tool(m->file.old, i));
	for (uint32_t i = tape_first(t, 0); i != TAPE_NONE && r == 0; i = tape_next(t, 0, i)) {
		struct span name = tape_text(t, tape_get(t, i, "name"));

		if (m->server && catalog_tool_find(m->file.old, m->server, name))
			continue;
		if (!m->pin || is_named(m, name))
			r = merge_add(m, i, "added", "");
	}
	return r;
}

static const char *who(char *buf, size_t size)
{
	const char *sudo = getenv("SUDO_USER");
	const struct passwd *pw = getpwuid(getuid());

	snprintf(buf, size, "%s", sudo && sudo[0] ? sudo : pw ? pw->pw_name : "");
	if (!buf[0])
		snprintf(buf, size, "uid %u", (unsigned)getuid());
	return buf;
}

static int merge_run(struct merge *m, const char *verb)
{
	char err[CATALOG_ERROR_MAX] = "", user[128], at[CLOCK_ISO_SIZE], hash[SHA256_PREFIXED_SIZE], how[256];
	struct catalog *made;
	int r;

	m->name = catalog_server_name(m->a, &m->live, m->name_buf);
	catalog_server_warn(&m->live);
	clock_iso(clock_real_ns(), at);
	m->approval = (struct catalog_approval){ at, m->a->approved_by ? m->a->approved_by :
									  who(user, sizeof(user)) };
	if (catalog_file_open(m->a->file, true, &m->file, err) < 0)
		return catalog_complain(verb, err);
	if (catalog_server_out(m->a, &m->live, m->name, m->file.old, &m->json) < 0)
		return catalog_complain(verb, "out of memory");
	m->server = m->file.old ? catalog_server_named(m->file.old, span_of(m->name)) : NULL;
	if (m->server && !m->a->accept_server && !catalog_server_same(m->file.old, m->server, &m->json, how)) {
		snprintf(err, sizeof(err), "the server is not the one in the catalog (%s); `tollgate catalog pin "
			 "--accept-server` approves the new one", how);
		return catalog_complain(verb, err);
	}
	for (unsigned i = 0; i < m->a->tool_n; i++)
		if (live_find(&m->live, span_of(m->a->tool[i])) == TAPE_NONE)
			return catalog_complain(m->a->tool[i], "the server has no such tool");
	r = merge_all(m);
	if (r < 0)
		return catalog_complain(verb, strerror(-r));
	if (catalog_file_write(&m->file, err) < 0 || catalog_load(m->a->file, NULL, &made, err) < 0)
		return catalog_complain(verb, err);
	sha256_prefixed(catalog_hash(made), hash);
	if (m->a->accept_server && m->server && m->server->measured != TAPE_NONE)
		fprintf(stderr, "tollgate: catalog: what the server is made of is still the old one; "
			"`tollgate catalog measure --entry %s` measures it anew\n", m->name);
	catalog_free(made);
	r = catalog_report_end(&m->report, (const char *const[]){ "server", m->name, "file", m->a->file,
								  "hash", hash, NULL });
	return r < 0 || m->differs ? CLI_FAILED : CLI_OK;
}

int catalog_scan(const struct catalog_args *a, bool pin)
{
	const char *verb = pin ? "pin" : "scan";
	struct merge m = { .a = a, .pin = pin };
	char err[LIVE_ERROR_MAX];
	int r;

	if ((!a->target.argv && !a->target.url) || a->other || (pin && !a->all && !a->tool_n && !a->accept_server) ||
	    (!pin && (a->all || a->tool_n || a->accept_server)))
		return CLI_USAGE;
	if (live_scan(&a->target, &m.live, err) < 0)
		return catalog_complain(verb, err);
	catalog_report_begin(&m.report, a->json);
	r = merge_run(&m, verb);
	buf_done(&m.report.out);
	catalog_file_done(&m.file);
	buf_done(&m.json);
	live_done(&m.live);
	return r;
}
