// SPDX-License-Identifier: Apache-2.0
/*
 * Policy sets as JSON: {"templates": {id: policy}, "staticPolicies": {id: policy}, "templateLinks":
 * [{"templateId", "newId", "values": {slot: entity}}]}. A single policy object is a set of one.
 */
#include <errno.h>
#include <stdlib.h>

#include "policy/cedar_text.h"
#include "policy/est.h"
#include "policy/policies.h"
#include "policy/value.h"

/* --- reading ---------------------------------------------------------------------------------- */

static bool add_policy(struct parser *ps, struct cedar_policies *set, const struct json *v,
		       struct span id, bool template)
{
	struct ast_policy p;

	if (!est_read_policy(ps, v, &p))
		return false;
	if (ast_is_template(&p) != template)
		return parser_fail(ps, v->pos,
				   template ? "a template has a slot in its scope"
					    : "a slot makes this a template, not a static policy");
	p.id = id;
	return policies_push_named(set, &p) == 0 || parser_no_memory(ps);
}

/* After an error in one policy the next is read, so that one run finds the errors of several. */
static bool add_policies(struct parser *ps, struct cedar_policies *set, const struct json *v,
			 bool templates)
{
	bool ok = true;

	if (v->kind != JSON_OBJECT)
		return parser_fail(ps, v->pos, "expected an object: a policy for each id");
	for (uint32_t i = 0; i < v->n && ps->r == 0; i++)
		ok &= add_policy(ps, set, &v->kid[i], v->key[i], templates);
	return ok;
}

/* The templates of a set by id, so that links find theirs in reasonable time. */
struct template_list {
	struct template_ref {
		struct span id;
		uint32_t at;
	} *v;
	uint32_t n;
};

static int by_id(const void *a, const void *b)
{
	return span_cmp(((const struct template_ref *)a)->id, ((const struct template_ref *)b)->id);
}

static bool list_templates(struct parser *ps, const struct cedar_policies *set,
			   struct template_list *ret)
{
	ret->n = set->templates.n;
	ret->v = calloc((size_t)ret->n + 1, sizeof(*ret->v));
	if (!ret->v)
		return parser_no_memory(ps);
	for (uint32_t i = 0; i < ret->n; i++)
		ret->v[i] = (struct template_ref){ set->templates.v[i].id, i };
	heap_sort(ret->v, ret->n, sizeof(*ret->v), by_id);
	return true;
}

static bool read_slot_values(struct parser *ps, const struct json *v, struct cedar_uid *uids,
			     const struct cedar_uid **ret)
{
	static const char *const names[] = { "?principal", "?resource", NULL };

	if (!v || !est_members(ps, v, names))
		return false;
	for (unsigned i = 0; i < 2; i++) {
		const struct json *uid = json_get(v, names[i]);

		if (uid && !est_uid(ps, uid, &uids[i]))
			return false;
		ret[i] = uid ? &uids[i] : NULL;
	}
	return true;
}

static bool add_link(struct parser *ps, struct cedar_policies *set, const struct json *v,
		     const struct template_list *templates)
{
	static const char *const names[] = { "templateId", "newId", "values", NULL };
	const struct cedar_uid *value[2];
	struct template_ref key, *found;
	struct cedar_error error;
	struct cedar_uid uids[2];
	struct span id;
	int r;

	if (!est_members(ps, v, names) ||
	    !est_string(ps, est_member(ps, v, "templateId"), "an id", &key.id) ||
	    !est_string(ps, est_member(ps, v, "newId"), "an id", &id) ||
	    !read_slot_values(ps, est_member(ps, v, "values"), uids, value))
		return false;
	found = bsearch(&key, templates->v, templates->n, sizeof(key), by_id);
	if (!found)
		return parser_fail(ps, v->pos, "there is no template \"%.*s\"",
				   (int)(key.id.n > 60 ? 60 : key.id.n), key.id.p);
	r = policies_link(set, found->at, id, value[0], value[1], &error);
	if (r == -EINVAL)
		return parser_fail(ps, v->pos, "%s", error.message);
	return r == 0 || parser_no_memory(ps);
}

static bool add_links(struct parser *ps, struct cedar_policies *set, const struct json *v)
{
	struct template_list templates = { 0 };
	bool ok;

	if (v->kind != JSON_ARRAY)
		return parser_fail(ps, v->pos, "the links are an array");
	ok = list_templates(ps, set, &templates);
	for (uint32_t i = 0; ok && i < v->n; i++)
		ok = add_link(ps, set, &v->kid[i], &templates);
	free(templates.v);
	return ok;
}

static bool add_set(struct parser *ps, struct cedar_policies *set, const struct json *v)
{
	static const char *const names[] = { "templates", "staticPolicies", "templateLinks", NULL };
	const struct json *templates = json_get(v, "templates"),
			  *policies = json_get(v, "staticPolicies"),
			  *links = json_get(v, "templateLinks");
	bool ok = est_members(ps, v, names);

	if (ok && templates)
		ok = add_policies(ps, set, templates, true);
	if (policies && ps->r == 0)
		ok &= add_policies(ps, set, policies, false);
	return ok && (!links || add_links(ps, set, links));
}

/* A policy by itself is named like one of a text. */
static bool add_single(struct parser *ps, struct cedar_policies *set, const struct json *v)
{
	struct ast_policy p;

	return est_read_policy(ps, v, &p) &&
	       (policies_push_numbered(set, &p) == 0 || parser_no_memory(ps));
}

static int read_json(struct cedar_policies *set, struct cedar_errors *errors)
{
	struct parser ps = { .mem = &set->mem, .templates = true, .errors = errors };
	_cleanup_(arena_done) struct arena mem = { 0 };
	struct json v;
	int r;

	ps.lx.text = set->texts.v[set->texts.n - 1].text;
	r = json_parse_deep(&mem, ps.lx.text, EST_JSON_DEPTH_MAX, &errors->e[0], &v);
	if (r < 0) {
		errors->n = errors->total = r != -ENOMEM;
		return r;
	}
	if (json_get(&v, "effect"))
		add_single(&ps, set, &v);
	else
		add_set(&ps, set, &v);
	if (ps.r == 0 && errors->total == 0) {
		ps.r = policies_check_ids(set, &errors->e[0]);
		errors->n = errors->total = ps.r == -EINVAL;
	}
	return ps.r < 0 ? ps.r : errors->total ? -EINVAL : 0;
}

int cedar_policies_add_json(struct cedar_policies *set, const char *name, struct span text,
			    struct cedar_errors *errors)
{
	struct policies_mark before = policies_mark(set);
	int r = policies_add_source(set, name, text, errors);

	if (r == 0)
		r = read_json(set, errors);
	if (r < 0)
		policies_rewind(set, before);
	return r;
}

/* --- writing ---------------------------------------------------------------------------------- */

static void write_slot(struct json_out *j, const char *slot, const struct cedar_uid *uid)
{
	json_out_key(j, slot);
	json_out_object(j);
	json_out_member_span(j, "type", uid->type);
	json_out_member_span(j, "id", uid->id);
	json_out_object_end(j);
}

static void write_link(struct json_out *j, const struct cedar_policies *ps,
		       const struct ast_policy *link)
{
	const struct ast_policy *t = &ps->templates.v[link->template];

	json_out_object(j);
	json_out_member_span(j, "templateId", t->id);
	json_out_member_span(j, "newId", link->id);
	json_out_key(j, "values");
	json_out_object(j);
	if (t->principal.slot)
		write_slot(j, "?principal", &link->principal.uid);
	if (t->resource.slot)
		write_slot(j, "?resource", &link->resource.uid);
	json_out_object_end(j);
	json_out_object_end(j);
}

static void write_policies(struct json_out *j, const struct ast_policy *p, uint32_t n)
{
	json_out_object(j);
	for (uint32_t i = 0; i < n && j->error == 0; i++) {
		if (p[i].linked)
			continue;
		json_out_key_span(j, p[i].id);
		est_write_policy(j, &p[i]);
	}
	json_out_object_end(j);
}

int cedar_policies_to_json(const struct cedar_policies *ps, struct buf *out)
{
	struct json_out j;

	json_out_init(&j, out);
	json_out_object(&j);
	json_out_key(&j, "templates");
	write_policies(&j, ps->templates.v, ps->templates.n);
	json_out_key(&j, "staticPolicies");
	write_policies(&j, ps->policies.v, ps->policies.n);
	json_out_key(&j, "templateLinks");
	json_out_array(&j);
	for (uint32_t i = 0; i < ps->policies.n; i++) {
		if (ps->policies.v[i].linked)
			write_link(&j, ps, &ps->policies.v[i]);
	}
	json_out_array_end(&j);
	json_out_object_end(&j);
	return json_out_end(&j);
}

int cedar_policy_to_json(const struct cedar_policies *ps, size_t policy, struct buf *out)
{
	struct json_out j;

	if (policy >= ps->policies.n)
		return -EINVAL;
	json_out_init(&j, out);
	est_write_policy(&j, &ps->policies.v[policy]);
	return json_out_end(&j);
}
