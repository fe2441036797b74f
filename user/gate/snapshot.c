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
#include "user/mcp/catalog_model.h"

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
	for (unsigned i = 0; i < SNAPSHOT_MANIFEST_COUNT; i++)
		free(a->manifest[i]);
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
	for (unsigned i = 0; i < SNAPSHOT_MANIFEST_COUNT && r >= 0; i++)
		r = bundle_add_str(b, a->manifest[i]);
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
	for (unsigned i = 0; i < SNAPSHOT_MANIFEST_COUNT; i++)
		if ((r = take_optional(rest, &a->manifest[i])) < 0)
			return r;
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
	struct catalog_model *catalog;
};

static void parts_done(struct parts *p)
{
	for (size_t i = 0; i < p->n_texts; i++)
		free((char *)p->texts[i].name);
	free(p->texts);
	free(p->agents);
	catalog_model_free(p->catalog);
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
	struct mcp_model_input model = { 0 };
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
	r = catalog_model_new(s->catalog, &p->catalog);
	if (r >= 0)
		r = read_model_agents(s, p);
	if (r < 0)
		return r;
	catalog_model_fill(p->catalog, &model);
	model.texts = p->texts;
	model.n_texts = p->n_texts;
	model.agents = p->agents;
	model.n_agents = s->nagents;
	return mcp_model_new(&model, errors, &s->model);
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
