// SPDX-License-Identifier: Apache-2.0
/*
 * Builds what messages are judged by out of the files that the supervisor read. Runs in the proxy, and in
 * the supervisor before it offers a new epoch, so that both say the same about a bad file.
 */
#include "user/gate/snapshot.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "policy/mcp_model.h"
#include "user/gate/bundle.h"
#include "user/mcp/catalog.h"

#define AGENTS_MAX 1024
#define GROUPS_MAX 64
#define POLICIES_MAX 4096

static void agent_done(struct snapshot_agent *a)
{
	for (unsigned i = 0; i < a->ngroups; i++)
		free(a->groups[i]);
	free(a->groups);
	free(a->name);
	free(a->sponsor);
	free(a->exe);
}

struct snapshot *snapshot_ref(struct snapshot *s)
{
	s->refs++;
	return s;
}

void snapshot_unref(struct snapshot *s)
{
	if (!s || --s->refs > 0)
		return;
	for (unsigned i = 0; i < s->nagents; i++)
		agent_done(&s->agents[i]);
	free(s->agents);
	mcp_model_unref(s->model);
	catalog_free(s->catalog);
	free(s);
}

const char *snapshot_agent_name(const struct snapshot *s, uint32_t agent)
{
	return agent >= 1 && agent <= s->nagents ? s->agents[agent - 1].name : NULL;
}

int snapshot_pack_agent(struct buf *b, const struct snapshot_agent *a)
{
	struct span uid = { (const char *)&a->uid, sizeof(a->uid) };
	struct span n = { (const char *)&a->ngroups, sizeof(a->ngroups) };
	int r = bundle_add_str(b, a->name);

	if (r >= 0)
		r = bundle_add_str(b, a->sponsor);
	if (r >= 0)
		r = bundle_add_str(b, a->exe);
	if (r >= 0)
		r = bundle_add(b, uid);
	if (r >= 0)
		r = bundle_add(b, n);
	for (unsigned i = 0; i < a->ngroups && r >= 0; i++)
		r = bundle_add_str(b, a->groups[i]);
	return r;
}

/* An empty string stands for "none". */
static int take_optional(struct span *rest, char **ret)
{
	int r = bundle_next_str(rest, ret);

	if (r == 1 && **ret == '\0') {
		free(*ret);
		*ret = NULL;
	}
	return r == 0 ? -EBADMSG : r;
}

static int take_fixed(struct span *rest, void *ret, size_t size)
{
	struct span s;
	int r = bundle_next(rest, &s);

	if (r != 1 || s.n != size)
		return r < 0 ? r : -EBADMSG;
	memcpy(ret, s.p, size);
	return 1;
}

/* Takes one agent off the bundle; *a is released by the caller whatever happens. 1, 0 at the end, or -errno. */
static int take_agent(struct span *rest, struct snapshot_agent *a)
{
	unsigned n = 0;
	int r = bundle_next_str(rest, &a->name);

	if (r <= 0)
		return r;
	if ((r = take_optional(rest, &a->sponsor)) < 0 || (r = take_optional(rest, &a->exe)) < 0 ||
	    (r = take_fixed(rest, &a->uid, sizeof(a->uid))) < 0 ||
	    (r = take_fixed(rest, &n, sizeof(n))) < 0)
		return r;
	if (n > GROUPS_MAX)
		return -EBADMSG;
	a->groups = calloc(n ? n : 1, sizeof(*a->groups));
	if (!a->groups)
		return -ENOMEM;
	for (; a->ngroups < n; a->ngroups++)
		if ((r = bundle_next_str(rest, &a->groups[a->ngroups])) != 1)
			return r < 0 ? r : -EBADMSG;
	return 1;
}

static int read_agents(struct snapshot *s, struct span rest)
{
	int r = 1;

	s->agents = calloc(AGENTS_MAX, sizeof(*s->agents));
	if (!s->agents)
		return -ENOMEM;
	while (r == 1 && s->nagents < AGENTS_MAX) {
		struct snapshot_agent a = { 0 };

		r = take_agent(&rest, &a);
		if (r == 1)
			s->agents[s->nagents++] = a;
		else
			agent_done(&a);
	}
	return r < 0 ? r : rest.n ? -EBADMSG : 0;
}

struct parts {
	struct mcp_policy_text *texts;
	size_t n_texts;
	struct mcp_agent *agents;
	struct mcp_server *servers;
	struct mcp_tool *tools;
	struct buf names; /* NUL-terminated copies of names that live as spans elsewhere */
};

static void parts_done(struct parts *p)
{
	for (size_t i = 0; i < p->n_texts; i++)
		free((char *)p->texts[i].name);
	free(p->texts);
	free(p->agents);
	free(p->servers);
	free(p->tools);
	buf_done(&p->names);
}

static int read_policies(struct span rest, struct parts *p)
{
	int r;

	p->texts = calloc(POLICIES_MAX, sizeof(*p->texts));
	if (!p->texts)
		return -ENOMEM;
	for (;;) {
		struct mcp_policy_text t;
		char *name;

		r = bundle_next_str(&rest, &name);
		if (r <= 0)
			return r;
		t.name = name;
		if (bundle_next(&rest, &t.text) != 1 || p->n_texts == POLICIES_MAX) {
			free(name);
			return -EBADMSG;
		}
		p->texts[p->n_texts++] = t;
	}
}

/* Room was reserved for all names beforehand, so the pointers stay. */
static const char *name_copy(struct parts *p, struct span s)
{
	size_t at = p->names.end;

	if (s.n == 0)
		return NULL;
	(void)buf_append(&p->names, s.p, s.n);
	(void)buf_append(&p->names, "", 1);
	return p->names.data + at;
}

static int reserve_names(struct parts *p, const struct catalog *c)
{
	size_t total = 1;
	char *at;

	for (unsigned i = 0; i < catalog_server_count(c); i++)
		total += catalog_server(c, i)->name.n + 1;
	for (unsigned i = 0; i < catalog_tool_count(c); i++) {
		const struct catalog_tool *t = catalog_tool(c, i);

		total += t->name.n + t->sensitivity.n + t->compliance.n + 3;
	}
	return buf_reserve(&p->names, total, &at);
}

static int read_catalog(const struct catalog *c, struct parts *p)
{
	unsigned ntools = catalog_tool_count(c), nservers = catalog_server_count(c), used = 0;
	int r = reserve_names(p, c);

	if (r < 0)
		return r;
	p->servers = calloc(nservers + 1, sizeof(*p->servers));
	p->tools = calloc(ntools + 1, sizeof(*p->tools));
	if (!p->servers || !p->tools)
		return -ENOMEM;
	for (unsigned i = 0; i < nservers; i++) {
		struct mcp_server *s = &p->servers[i];

		s->name = name_copy(p, catalog_server(c, i)->name);
		s->tools = &p->tools[used];
		for (unsigned k = 0; k < ntools; k++) {
			const struct catalog_tool *t = catalog_tool(c, k);

			if (t->server != catalog_server(c, i))
				continue;
			p->tools[used].name = name_copy(p, t->name);
			p->tools[used].sensitivity = name_copy(p, t->sensitivity);
			if (!s->boundary)
				s->boundary = name_copy(p, t->compliance);
			used++;
			s->n_tools++;
		}
	}
	return 0;
}

static int read_model_agents(const struct snapshot *s, struct parts *p)
{
	p->agents = calloc(s->nagents + 1, sizeof(*p->agents));
	if (!p->agents)
		return -ENOMEM;
	for (unsigned i = 0; i < s->nagents; i++) {
		const struct snapshot_agent *a = &s->agents[i];

		p->agents[i] = (struct mcp_agent){ a->name, a->sponsor, (const char *const *)a->groups,
						   a->ngroups, a->exe, a->uid };
	}
	return 0;
}

static int build(struct snapshot *s, const struct snapshot_input *in, struct buf *errors,
		 struct parts *p)
{
	char why[CATALOG_ERROR_MAX] = "";
	int r = read_agents(s, in->agents);

	if (r >= 0)
		r = read_policies(in->policies, p);
	if (r >= 0)
		r = catalog_parse(in->catalog, in->catalog_name, in->pins, in->pins_name, &s->catalog,
				  why);
	if (r < 0) {
		if (*why)
			(void)buf_printf(errors, "%s\n", why);
		return r;
	}
	r = read_catalog(s->catalog, p);
	if (r >= 0)
		r = read_model_agents(s, p);
	if (r < 0)
		return r;
	return mcp_model_new(&(struct mcp_model_input){ p->texts, p->n_texts, p->agents, s->nagents,
							p->servers, catalog_server_count(s->catalog) },
			     errors, &s->model);
}

int snapshot_new(const struct snapshot_input *in, struct buf *errors, struct snapshot **ret)
{
	_cleanup_(snapshot_unref_p) struct snapshot *s = calloc(1, sizeof(*s));
	struct parts p = { 0 };
	int r;

	if (!s)
		return -ENOMEM;
	s->refs = 1;
	s->epoch = in->epoch;
	r = build(s, in, errors, &p);
	parts_done(&p);
	if (r < 0)
		return r;
	memcpy(s->policy_hash, mcp_model_hash(s->model), sizeof(s->policy_hash) - 1);
	sha256_prefixed(catalog_hash(s->catalog), s->catalog_hash);
	if (in->pins.p)
		sha256_prefixed(catalog_pins_hash(s->catalog), s->pins_hash);
	*ret = take_ptr(s);
	return 0;
}
