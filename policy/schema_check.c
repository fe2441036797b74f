// SPDX-License-Identifier: Apache-2.0
/*
 * What the declarations of a schema may be named: nothing reserved, nothing twice, and nothing in a
 * namespace that hides what stands outside all of them (RFC 70), for then the same bare name would
 * mean different things in different places.
 */
#include <errno.h>
#include <stdlib.h>

#include "policy/schema.h"
#include "policy/text.h"
#include "policy/value.h"

#define SHOWN_MAX 80 /* bytes of a name in a message */

static int say(struct cedar_schema *s, struct cedar_errors *errors, const struct decl_name *at,
	       const char *what)
{
	return error_add(errors, &s->text, at->pos, "`%.*s` %s",
			 (int)(at->s.n > SHOWN_MAX ? SHOWN_MAX : at->s.n), at->s.p, what);
}

/* --- doubles ---------------------------------------------------------------------------------- */

static int by_name(const void *a, const void *b)
{
	const struct decl_name *x = a, *y = b;
	int c = span_cmp(x->s, y->s);

	return c ? c : (x->pos > y->pos) - (x->pos < y->pos);
}

typedef VEC(struct decl_name) name_list;

static void check_twice(struct cedar_schema *s, struct cedar_errors *errors, name_list *list,
			const char *what)
{
	heap_sort(list->v, list->n, sizeof(*list->v), by_name);
	for (uint32_t i = 1; i < list->n; i++) {
		if (span_eq(list->v[i - 1].s, list->v[i].s))
			say(s, errors, &list->v[i], what);
	}
	list->n = 0;
}

static int check_attrs(struct cedar_schema *s, struct cedar_errors *errors, name_list *list,
		       const struct decl_type *t)
{
	int r = 0;

	if (t->kind == DECL_SET)
		return check_attrs(s, errors, list, t->element);
	if (t->kind != DECL_RECORD)
		return 0;
	for (uint32_t i = 0; r == 0 && i < t->n; i++)
		r = vec_push(list, ((struct decl_name){ t->attrs[i].name, t->attrs[i].pos }));
	if (r == 0)
		check_twice(s, errors, list, "is an attribute of this record already");
	for (uint32_t i = 0; r == 0 && i < t->n; i++)
		r = check_attrs(s, errors, list, &t->attrs[i].type);
	return r;
}

static int check_space_twice(struct cedar_schema *s, struct cedar_errors *errors,
			     const struct decl_space *ds, name_list *list)
{
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < ds->entities.n; i++)
		r = vec_push(list, ds->entities.v[i].name);
	check_twice(s, errors, list, "is an entity type of this namespace already");
	for (uint32_t i = 0; r == 0 && i < ds->commons.n; i++)
		r = vec_push(list, ds->commons.v[i].name);
	check_twice(s, errors, list, "is a type of this namespace already");
	for (uint32_t i = 0; r == 0 && i < ds->actions.n; i++)
		r = vec_push(list, ds->actions.v[i].name);
	check_twice(s, errors, list, "is an action of this namespace already");
	for (uint32_t i = 0; r == 0 && i < ds->entities.n; i++) {
		r = check_attrs(s, errors, list, &ds->entities.v[i].shape);
		if (r == 0)
			r = check_attrs(s, errors, list, &ds->entities.v[i].tags);
	}
	for (uint32_t i = 0; r == 0 && i < ds->commons.n; i++)
		r = check_attrs(s, errors, list, &ds->commons.v[i].type);
	for (uint32_t i = 0; r == 0 && i < ds->actions.n; i++)
		r = check_attrs(s, errors, list, &ds->actions.v[i].context);
	return r;
}

/* --- reserved names --------------------------------------------------------------------------- */

/* What a JSON schema or a bare name means by itself. */
static bool is_type_word(struct span name)
{
	static const char *const words[] = { "Bool",   "Boolean", "Entity", "Extension",
					     "Long",   "Record",  "Set",    "String" };

	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		if (span_is(name, words[i]))
			return true;
	}
	return false;
}

static void check_reserved(struct cedar_schema *s, struct cedar_errors *errors,
			   const struct decl_space *ds)
{
	if (ds->name.s.n && !is_normal_name(ds->name.s))
		say(s, errors, &ds->name, "cannot name a namespace: `__cedar` is reserved");
	for (uint32_t i = 0; i < ds->entities.n; i++) {
		if (!is_normal_name(ds->entities.v[i].name.s))
			say(s, errors, &ds->entities.v[i].name, "is reserved");
		else if (span_is(ds->entities.v[i].name.s, "Action"))
			say(s, errors, &ds->entities.v[i].name,
			    "is the type of actions and cannot be declared");
	}
	for (uint32_t i = 0; i < ds->commons.n; i++) {
		if (!is_normal_name(ds->commons.v[i].name.s) ||
		    is_type_word(ds->commons.v[i].name.s))
			say(s, errors, &ds->commons.v[i].name, "is reserved: name the type otherwise");
	}
}

/* --- shadowing -------------------------------------------------------------------------------- */

static bool has_name(const name_list *sorted, struct span name)
{
	uint32_t lo = 0, hi = sorted->n;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;
		int c = span_cmp(sorted->v[mid].s, name);

		if (c == 0)
			return true;
		if (c < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return false;
}

static int outer_names(const struct cedar_schema *s, name_list *types, name_list *actions)
{
	int r = 0;

	for (uint32_t k = 0; k < s->spaces.n; k++) {
		const struct decl_space *ds = &s->spaces.v[k];

		if (ds->name.s.n)
			continue;
		for (uint32_t i = 0; r == 0 && i < ds->entities.n; i++)
			r = vec_push(types, ds->entities.v[i].name);
		for (uint32_t i = 0; r == 0 && i < ds->commons.n; i++)
			r = vec_push(types, ds->commons.v[i].name);
		for (uint32_t i = 0; r == 0 && i < ds->actions.n; i++)
			r = vec_push(actions, ds->actions.v[i].name);
	}
	heap_sort(types->v, types->n, sizeof(*types->v), by_name);
	heap_sort(actions->v, actions->n, sizeof(*actions->v), by_name);
	return r;
}

static void check_shadows(struct cedar_schema *s, struct cedar_errors *errors,
			  const struct decl_space *ds, const name_list *types,
			  const name_list *actions)
{
	static const char what[] = "hides the type of that name outside namespaces";

	for (uint32_t i = 0; i < ds->entities.n; i++) {
		if (has_name(types, ds->entities.v[i].name.s))
			say(s, errors, &ds->entities.v[i].name, what);
	}
	for (uint32_t i = 0; i < ds->commons.n; i++) {
		if (has_name(types, ds->commons.v[i].name.s))
			say(s, errors, &ds->commons.v[i].name, what);
	}
	for (uint32_t i = 0; i < ds->actions.n; i++) {
		if (has_name(actions, ds->actions.v[i].name.s))
			say(s, errors, &ds->actions.v[i].name,
			    "hides the action of that name outside namespaces");
	}
}

int schema_check(struct cedar_schema *s, struct cedar_errors *errors)
{
	name_list list = { 0 }, types = { 0 }, actions = { 0 };
	int r = outer_names(s, &types, &actions);

	for (uint32_t i = 0; r == 0 && i < s->spaces.n; i++)
		r = vec_push(&list, s->spaces.v[i].name);
	check_twice(s, errors, &list, "is a namespace already: a namespace stands in one place");
	for (uint32_t i = 0; r == 0 && i < s->spaces.n; i++) {
		const struct decl_space *ds = &s->spaces.v[i];

		check_reserved(s, errors, ds);
		if (ds->name.s.n)
			check_shadows(s, errors, ds, &types, &actions);
		r = check_space_twice(s, errors, ds, &list);
	}
	vec_done(&list);
	vec_done(&types);
	vec_done(&actions);
	return r < 0 ? r : errors->total ? -EINVAL : 0;
}
