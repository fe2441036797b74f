// SPDX-License-Identifier: Apache-2.0
/*
 * Models of MCP in Cedar: the entities of agents, servers and tools, and the policies over them, as
 * one immutable snapshot with its hash. Knows names only; reads no configuration, catalog or
 * message.
 */
#include "policy/mcp_model.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "policy/cedar_schema.h"
#include "policy/mcp_impl.h"
#include "policy/mcp_schema.h"

#define HASH_DOMAIN "tollgate-policy-texts-v1"

bool mcp_server_name_ok(const char *name)
{
	return name && *name && !strchr(name, '/') && strcmp(name, "method") != 0;
}

/* --- hash ------------------------------------------------------------------------------------- */

static int by_name(const void *a, const void *b)
{
	const struct mcp_policy_text *const *x = a, *const *y = b;
	int c = strcmp((*x)->name, (*y)->name);
	size_t n = (*x)->text.n < (*y)->text.n ? (*x)->text.n : (*y)->text.n;

	if (c == 0 && n)
		c = memcmp((*x)->text.p, (*y)->text.p, n);
	return c ? c : ((*x)->text.n > (*y)->text.n) - ((*x)->text.n < (*y)->text.n);
}

static int put_item(struct buf *b, const void *p, size_t n)
{
	uint8_t length[8];
	int r;

	for (unsigned i = 0; i < 8; i++)
		length[i] = (uint8_t)((uint64_t)n >> (56 - 8 * i));
	r = buf_append(b, length, sizeof(length));
	return r < 0 ? r : buf_append(b, p, n);
}

int mcp_texts_hash(const struct mcp_policy_text *texts, size_t n, char ret[SHA256_PREFIXED_SIZE])
{
	_cleanup_free_ const struct mcp_policy_text **order = calloc(n + 1, sizeof(*order));
	_cleanup_buf_ struct buf b = { 0 };
	uint8_t digest[SHA256_SIZE];
	int r = order ? put_item(&b, HASH_DOMAIN, sizeof(HASH_DOMAIN) - 1) : -ENOMEM;

	for (size_t i = 0; order && i < n; i++)
		order[i] = &texts[i];
	if (r == 0)
		qsort(order, n, sizeof(*order), by_name);
	for (size_t i = 0; r == 0 && i < n; i++) {
		sha256(order[i]->text.p, order[i]->text.n, digest);
		r = put_item(&b, order[i]->name, strlen(order[i]->name));
		if (r == 0)
			r = put_item(&b, digest, sizeof(digest));
	}
	if (r < 0)
		return r;
	sha256(b.data + b.start, buf_len(&b), digest);
	sha256_prefixed(digest, ret);
	return 0;
}

/* --- entities --------------------------------------------------------------------------------- */

/* Errors stick in *r, so that the steps below can be written one after the other. */
static void begin(struct cedar_entities *es, const char *type, const char *id, int *r)
{
	if (*r == 0)
		*r = cedar_entities_begin(es, span_of(type), span_of(id));
}

static void parent(struct cedar_entities *es, const char *type, const char *id, int *r)
{
	if (*r == 0)
		*r = cedar_entities_parent(es, span_of(type), span_of(id));
}

static void string_member(struct cedar_build *b, const char *key, const char *value)
{
	if (!value || !*value)
		return;
	cedar_key(b, span_of(key));
	cedar_put_string(b, span_of(value));
}

static int add_agent(struct cedar_entities *es, const struct mcp_agent *a)
{
	struct cedar_build *b;
	int r = 0;

	begin(es, "Agent", a->name, &r);
	for (size_t i = 0; i < a->n_groups; i++)
		parent(es, "AgentGroup", a->groups[i], &r);
	if (r < 0)
		return r;
	b = cedar_entities_build(es);
	cedar_open_record(b);
	string_member(b, "name", a->name);
	string_member(b, "sponsor", a->sponsor);
	string_member(b, "exe", a->exe);
	if (a->uid >= 0) {
		cedar_key(b, SPAN("uid"));
		cedar_put_long(b, a->uid);
	}
	cedar_close(b);
	r = cedar_entities_attrs(es);
	for (size_t i = 0; i < a->n_groups; i++)
		begin(es, "AgentGroup", a->groups[i], &r);
	return r;
}

static int add_tool(struct cedar_entities *es, const struct mcp_server *s, const struct mcp_tool *t)
{
	_cleanup_buf_ struct buf name = { 0 };
	struct cedar_build *b;
	const char *id;
	int r = buf_printf(&name, "%s/%s", s->name, t->name);

	if (r < 0)
		return r;
	id = buf_cstr(&name);
	if (!id)
		return -ENOMEM;
	begin(es, "Tool", id, &r);
	parent(es, "Server", s->name, &r);
	if (r < 0)
		return r;
	b = cedar_entities_build(es);
	cedar_open_record(b);
	string_member(b, "name", t->name);
	string_member(b, "sensitivity", t->sensitivity);
	cedar_key(b, SPAN("server"));
	cedar_put_entity(b, SPAN("Server"), span_of(s->name));
	cedar_close(b);
	return cedar_entities_attrs(es);
}

static int add_server(struct cedar_entities *es, const struct mcp_server *s)
{
	struct cedar_build *b;
	int r = 0;

	begin(es, "Server", s->name, &r);
	if (s->boundary && *s->boundary)
		parent(es, "Boundary", s->boundary, &r);
	if (r < 0)
		return r;
	b = cedar_entities_build(es);
	cedar_open_record(b);
	string_member(b, "name", s->name);
	string_member(b, "boundary", s->boundary);
	cedar_close(b);
	r = cedar_entities_attrs(es);
	if (s->boundary && *s->boundary)
		begin(es, "Boundary", s->boundary, &r);
	for (size_t i = 0; r == 0 && i < s->n_tools; i++)
		r = add_tool(es, s, &s->tools[i]);
	return r;
}

static int add_entities(const struct mcp_model_input *in, struct cedar_entities *es,
			struct buf *errors)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < in->n_servers; i++) {
		if (!mcp_server_name_ok(in->servers[i].name)) {
			(void)buf_printf(
				errors,
				"server %s: the name is empty, holds '/' or is \"method\"\n",
				in->servers[i].name ? in->servers[i].name : "");
			return -EINVAL;
		}
		r = add_server(es, &in->servers[i]);
	}
	for (size_t i = 0; r == 0 && i < in->n_agents; i++)
		r = add_agent(es, &in->agents[i]);
	return r;
}

/* --- the model -------------------------------------------------------------------------------- */

int mcp_add_texts(struct cedar_policies *ps, const struct mcp_policy_text *texts, size_t n, struct buf *errors)
{
	struct cedar_errors found;
	bool bad = false;

	for (size_t i = 0; i < n; i++) {
		const char *name = texts[i].name;
		int r = cedar_policies_add(ps, name, texts[i].text, &found);

		if (r == -ENOMEM)
			return r;
		bad |= r < 0;
		for (uint32_t k = 0; k < found.n; k++) {
			const struct cedar_error *e = &found.e[k];

			r = e->line ? buf_printf(errors, "%s:%u:%u: %s\n", name, e->line, e->column,
						 e->message)
				    : buf_printf(errors, "%s: %s\n", name, e->message);
			if (r < 0)
				return r;
		}
	}
	return bad ? -EINVAL : 0;
}

/* The schema that catalog and protocol give, and its action entities. */
static int make_schema(const struct mcp_model_input *in, struct cedar_entities *es, struct buf *errors,
		       struct cedar_schema **ret)
{
	_cleanup_buf_ struct buf text = { 0 };
	struct cedar_errors found;
	int r = mcp_schema_write(in, errors, &text);

	if (r < 0)
		return r;
	r = cedar_schema_new(buf_span(&text), CEDAR_SCHEMA_CEDAR, &found, ret);
	for (uint32_t i = 0; r < 0 && r != -ENOMEM && i < found.n; i++)
		(void)buf_printf(errors, "catalog: as a Cedar schema: %s\n", found.e[i].message);
	return r < 0 ? r : cedar_schema_entities(*ret, es);
}

static int validate(const struct mcp_model *m, const struct cedar_schema *schema, const struct cedar_policies *ps,
		    struct buf *errors)
{
	_cleanup_(cedar_findings_free_p) struct cedar_findings *found = NULL;
	int r = cedar_validate(schema, ps, NULL, &found);

	if (r < 0 || cedar_findings_errors(found) == 0)
		return r;
	for (size_t i = 0; i < cedar_findings_count(found); i++) {
		const struct cedar_finding *f = cedar_findings_get(found, i);
		struct cedar_policy_info info;

		if (f->severity != CEDAR_ERROR)
			continue;
		cedar_snapshot_policy(m->snapshot, f->policy, &info);
		r = buf_printf(errors, "%s:%u:%u: %s%s%s\n", info.text_name, f->line, f->column, f->message,
			       f->suggestion ? ": " : "", f->suggestion ? f->suggestion : "");
		if (r < 0)
			return r;
	}
	return -EINVAL;
}

static int name_policies(struct mcp_model *m)
{
	size_t n = cedar_snapshot_policies(m->snapshot);

	m->policies = calloc(n + 1, sizeof(*m->policies));
	if (!m->policies)
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++) {
		const char *id = cedar_snapshot_annotation(m->snapshot, i, "id");
		struct cedar_policy_info info;

		cedar_snapshot_policy(m->snapshot, i, &info);
		m->policies[i].name = id && *id ? id : info.id;
		m->policies[i].advice = cedar_snapshot_annotation(m->snapshot, i, "advice");
	}
	return 0;
}

int mcp_model_parts(const struct mcp_model_input *in, struct buf *errors, struct cedar_policies **ret_policies,
		    struct cedar_entities **ret_entities, struct cedar_schema **ret_schema)
{
	int r = cedar_policies_new(ret_policies);

	if (r == 0)
		r = cedar_entities_new(ret_entities);
	if (r == 0)
		r = mcp_add_texts(*ret_policies, in->texts, in->n_texts, errors);
	if (r == 0)
		r = add_entities(in, *ret_entities, errors);
	return r < 0 ? r : make_schema(in, *ret_entities, errors, ret_schema);
}

int mcp_model_new(const struct mcp_model_input *in, struct buf *errors, struct mcp_model **ret)
{
	_cleanup_(cedar_policies_free_p) struct cedar_policies *ps = NULL;
	_cleanup_(cedar_entities_free_p) struct cedar_entities *es = NULL;
	_cleanup_(cedar_schema_free_p) struct cedar_schema *schema = NULL;
	_cleanup_(mcp_model_unref_p) struct mcp_model *m = calloc(1, sizeof(*m));
	struct cedar_error error = { 0 };
	int r;

	if (!m)
		return -ENOMEM;
	atomic_init(&m->refs, 1);
	r = mcp_model_parts(in, errors, &ps, &es, &schema);
	if (r == 0) {
		r = cedar_snapshot_new(ps, es, &error, &m->snapshot);
		if (r < 0 && *error.message)
			(void)buf_printf(errors, "%s\n", error.message);
	}
	if (r == 0)
		r = validate(m, schema, ps, errors);
	if (r == 0)
		r = name_policies(m);
	if (r == 0)
		r = mcp_texts_hash(in->texts, in->n_texts, m->hash);
	if (r < 0)
		return r;
	*ret = take_ptr(m);
	return 0;
}

struct mcp_model *mcp_model_ref(struct mcp_model *m)
{
	atomic_fetch_add_explicit(&m->refs, 1, memory_order_relaxed);
	return m;
}

void mcp_model_unref(struct mcp_model *m)
{
	if (!m || atomic_fetch_sub_explicit(&m->refs, 1, memory_order_acq_rel) != 1)
		return;
	cedar_snapshot_unref(m->snapshot);
	free(m->policies);
	free(m);
}

const char *mcp_model_hash(const struct mcp_model *m)
{
	return m->hash;
}

size_t mcp_model_policies(const struct mcp_model *m)
{
	return cedar_snapshot_policies(m->snapshot);
}
