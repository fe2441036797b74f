// SPDX-License-Identifier: Apache-2.0
/*
 * The policy set: texts, policies, templates, and links, which are a template's policy with entities
 * in its slots. Static policies, templates and links have their ids in one space.
 */
#include "policy/policies.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/cedar_text.h"
#include "policy/text.h"
#include "policy/value.h"

#define SHOWN_MAX 60 /* bytes of an id in a message */

int cedar_policies_new(struct cedar_policies **ret)
{
	struct cedar_policies *ps = calloc(1, sizeof(*ps));

	if (!ps)
		return -ENOMEM;
	*ret = ps;
	return 0;
}

void cedar_policies_free(struct cedar_policies *ps)
{
	if (!ps)
		return;
	free(ps->texts.v);
	free(ps->policies.v);
	free(ps->templates.v);
	arena_done(&ps->mem);
	free(ps);
}

size_t cedar_policies_count(const struct cedar_policies *ps)
{
	return ps->policies.n;
}

size_t cedar_templates_count(const struct cedar_policies *ps)
{
	return ps->templates.n;
}

size_t cedar_links_count(const struct cedar_policies *ps)
{
	size_t n = 0;

	for (uint32_t i = 0; i < ps->policies.n; i++)
		n += ps->policies.v[i].linked;
	return n;
}

/* --- filling it ------------------------------------------------------------------------------- */

struct policies_mark policies_mark(const struct cedar_policies *ps)
{
	return (struct policies_mark){ ps->texts.n, ps->policies.n, ps->templates.n, ps->numbered,
				       ps->named };
}

void policies_rewind(struct cedar_policies *ps, struct policies_mark to)
{
	ps->texts.n = to.texts;
	ps->policies.n = to.policies;
	ps->templates.n = to.templates;
	ps->numbered = to.numbered;
	ps->named = to.named;
}

int policies_add_source(struct cedar_policies *ps, const char *name, struct span text,
			struct cedar_errors *errors)
{
	struct ast_text t;

	*errors = (struct cedar_errors){ 0 };
	if (text.n > CEDAR_TEXT_MAX) {
		error_add(errors, NULL, 0, "the text is larger than %u bytes", CEDAR_TEXT_MAX);
		return -EFBIG;
	}
	t.name = arena_copy(&ps->mem, span_of(name));
	t.text = arena_copy(&ps->mem, text);
	return t.name.p && t.text.p ? vec_push(&ps->texts, t) : -ENOMEM;
}

static int push(struct cedar_policies *ps, struct ast_policy *p, struct span id)
{
	p->id = arena_copy(&ps->mem, id);
	p->text = ps->texts.n - 1;
	if (!p->id.p)
		return -ENOMEM;
	return ast_is_template(p) ? vec_push(&ps->templates, *p) : vec_push(&ps->policies, *p);
}

int policies_push_numbered(struct cedar_policies *ps, struct ast_policy *p)
{
	char id[24];

	snprintf(id, sizeof(id), "policy%u", ps->numbered++);
	return push(ps, p, span_of(id));
}

int policies_push_named(struct cedar_policies *ps, struct ast_policy *p)
{
	ps->named = true;
	return push(ps, p, p->id);
}

static int add_text(struct cedar_policies *ps, const char *name, struct span text, bool templates,
		    struct cedar_errors *errors)
{
	struct policies_mark before = policies_mark(ps);
	int r = policies_add_source(ps, name, text, errors);

	if (r == 0)
		r = parse_policies(ps, templates, errors);
	if (r == 0 && ps->named) {
		r = policies_check_ids(ps, &errors->e[0]);
		errors->n = errors->total = r == -EINVAL;
	}
	if (r < 0)
		policies_rewind(ps, before);
	return r;
}

int cedar_policies_add(struct cedar_policies *ps, const char *name, struct span text,
		       struct cedar_errors *errors)
{
	return add_text(ps, name, text, false, errors);
}

int cedar_policies_add_templates(struct cedar_policies *ps, const char *name, struct span text,
				 struct cedar_errors *errors)
{
	return add_text(ps, name, text, true, errors);
}

/* --- ids -------------------------------------------------------------------------------------- */

const struct ast_policy *policies_find(const struct cedar_policies *ps, struct span id)
{
	for (uint32_t i = 0; i < ps->policies.n; i++) {
		if (span_eq(ps->policies.v[i].id, id))
			return &ps->policies.v[i];
	}
	for (uint32_t i = 0; i < ps->templates.n; i++) {
		if (span_eq(ps->templates.v[i].id, id))
			return &ps->templates.v[i];
	}
	return NULL;
}

static int by_id(const void *a, const void *b)
{
	return span_cmp(*(const struct span *)a, *(const struct span *)b);
}

static int id_error(struct cedar_error *error, struct span id, const char *what)
{
	return error_set(error, NULL, 0, "policy \"%.*s\": %s",
			 (int)(id.n > SHOWN_MAX ? SHOWN_MAX : id.n), id.p, what);
}

/* Answers tell ids as C strings, where a NUL would make two of them look the same. */
static bool has_nul(struct span id)
{
	return id.n > 0 && memchr(id.p, '\0', id.n);
}

int policies_check_ids(const struct cedar_policies *ps, struct cedar_error *error)
{
	size_t n = (size_t)ps->policies.n + ps->templates.n, k = 0;
	struct span *ids = calloc(n + 1, sizeof(*ids));
	int r = 0;

	if (!ids)
		return -ENOMEM;
	for (uint32_t i = 0; i < ps->policies.n; i++)
		ids[k++] = ps->policies.v[i].id;
	for (uint32_t i = 0; i < ps->templates.n; i++)
		ids[k++] = ps->templates.v[i].id;
	heap_sort(ids, n, sizeof(*ids), by_id);
	for (size_t i = 0; r == 0 && i < n; i++) {
		if (i > 0 && span_eq(ids[i - 1], ids[i]))
			r = id_error(error, ids[i], "the id is used twice in the set");
		else if (has_nul(ids[i]))
			r = id_error(error, ids[i], "the id holds a NUL");
	}
	free(ids);
	return r;
}

/* --- links ------------------------------------------------------------------------------------ */

/* Puts an entity into the slot of a scope, of which one of both is missing when they do not go
 * together. */
static int fill(struct cedar_policies *ps, struct ast_scope *s, const char *slot, struct span id,
		const struct cedar_uid *uid, struct cedar_error *error)
{
	char what[64];

	if (!s->slot == !uid) {
		if (!uid)
			return 0;
		s->slot = false;
		s->uid = (struct cedar_uid){ arena_copy(&ps->mem, uid->type),
					     arena_copy(&ps->mem, uid->id) };
		return s->uid.type.p && s->uid.id.p ? 0 : -ENOMEM;
	}
	snprintf(what, sizeof(what),
		 uid ? "the template has no slot %s to fill" : "the link gives no entity for %s",
		 slot);
	return id_error(error, id, what);
}

int policies_link(struct cedar_policies *ps, uint32_t template, struct span id,
		  const struct cedar_uid *principal, const struct cedar_uid *resource,
		  struct cedar_error *error)
{
	struct ast_policy p = ps->templates.v[template];
	int r;

	*error = (struct cedar_error){ 0 };
	p.linked = true;
	p.template = template;
	r = fill(ps, &p.principal, "?principal", id, principal, error);
	if (r == 0)
		r = fill(ps, &p.resource, "?resource", id, resource, error);
	if (r == 0)
		p.id = arena_copy(&ps->mem, id);
	if (r == 0 && !p.id.p)
		r = -ENOMEM;
	if (r < 0)
		return r;
	ps->named = true;
	return vec_push(&ps->policies, p);
}

int cedar_policies_link(struct cedar_policies *ps, struct span template_id, struct span id,
			const struct cedar_uid *principal, const struct cedar_uid *resource,
			struct cedar_error *error)
{
	const struct ast_policy *t = policies_find(ps, template_id);

	*error = (struct cedar_error){ 0 };
	if (!t || !ast_is_template(t))
		return id_error(error, template_id, "there is no such template");
	if (policies_find(ps, id))
		return id_error(error, id, "the id of the link is used already");
	if (has_nul(id))
		return id_error(error, id, "the id holds a NUL");
	if ((principal && !is_normal_name(principal->type)) ||
	    (resource && !is_normal_name(resource->type)))
		return id_error(error, id, "the type of an entity is not a name such as A::B");
	return policies_link(ps, (uint32_t)(t - ps->templates.v), id, principal, resource, error);
}
