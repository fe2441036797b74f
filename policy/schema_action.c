// SPDX-License-Identifier: Apache-2.0
/* Actions of a schema: what they apply to, their groups, and the types of request that follow. */
#include <errno.h>
#include <stdlib.h>

#include "policy/schema.h"
#include "policy/text.h"

#define SHOWN_MAX 80 /* bytes of a name in a message */
#define CLOSURE_STEPS_MAX (1u << 26) /* edges walked: under a second */

/* --- closure ---------------------------------------------------------------------------------- */

struct walk {
	struct closure_node *node;
	uint32_t *seen, *stack, *found; /* seen: the start + 1 of the walk that came last */
	uint64_t steps, total;
};

/* All that start's parents lead to, into found. */
static uint32_t walk_from(struct walk *w, uint32_t start)
{
	uint32_t n = 0, depth = 0, at = start;

	for (;;) {
		for (uint32_t i = 0; i < w->node[at].n_parents; i++) {
			uint32_t p = w->node[at].parents[i];

			if (w->seen[p] == start + 1)
				continue;
			w->seen[p] = start + 1;
			w->found[n++] = p;
			w->stack[depth++] = p;
		}
		w->steps += w->node[at].n_parents + 1;
		if (depth == 0)
			return n;
		at = w->stack[--depth];
	}
}

static int walk_all(struct arena *mem, struct walk *w, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		struct closure_node *node = &w->node[i];

		node->n_reach = numbers_sort(w->found, walk_from(w, i));
		w->total += node->n_reach;
		if (w->total > SCHEMA_CLOSURE_MAX || w->steps > CLOSURE_STEPS_MAX)
			return -E2BIG;
		node->reach = arena_array(mem, node->n_reach, sizeof(*node->reach));
		if (!node->reach)
			return -ENOMEM;
		if (node->n_reach)
			memcpy(node->reach, w->found, node->n_reach * sizeof(*node->reach));
	}
	return 0;
}

int schema_closure(struct arena *mem, struct closure_node *node, uint32_t n)
{
	struct walk w = { .node = node };
	size_t size = ((size_t)n + 1) * sizeof(uint32_t);
	int r;

	w.seen = calloc(1, size);
	w.stack = malloc(size);
	w.found = malloc(size);
	r = w.seen && w.stack && w.found ? walk_all(mem, &w, n) : -ENOMEM;
	free(w.seen);
	free(w.stack);
	free(w.found);
	return r;
}

/* --- one action ------------------------------------------------------------------------------- */

static void fail(struct cedar_schema *s, struct cedar_errors *errors, uint32_t pos,
		 const char *what, struct span name)
{
	error_add(errors, &s->text, pos, "%s `%.*s`", what,
		  (int)(name.n > SHOWN_MAX ? SHOWN_MAX : name.n), name.p);
}

static int resolve_types(struct cedar_schema *s, const struct decl_space *ds,
			 const struct decl_names *names, struct cedar_errors *errors,
			 uint32_t **ret, uint32_t *ret_n)
{
	uint32_t *v = arena_array(&s->mem, names->n, sizeof(*v)), n = 0;

	if (!v)
		return -ENOMEM;
	for (uint32_t i = 0; i < names->n; i++) {
		uint32_t t = schema_entity_named(s, ds->name.s, names->v[i].s);

		if (t == SYM_NONE || s->etypes.v[t].action)
			fail(s, errors, names->v[i].pos, "no entity type is called", names->v[i].s);
		else
			v[n++] = t;
	}
	*ret = v;
	*ret_n = numbers_sort(v, n);
	return 0;
}

static int resolve_action(struct cedar_schema *s, const struct decl_space *ds,
			  const struct decl_action *a, struct schema_action *ret,
			  struct cedar_errors *errors)
{
	int r = resolve_types(s, ds, &a->principals, errors, &ret->principals, &ret->n_principals);

	if (r == 0)
		r = resolve_types(s, ds, &a->resources, errors, &ret->resources,
				  &ret->n_resources);
	ret->context = type_record(&s->types, NULL, 0, false);
	if (r == 0 && a->has_context) {
		ret->context = schema_type(s, ds, &a->context, errors, &r);
		if (ret->context && ret->context->kind != TYPE_RECORD)
			fail(s, errors, a->context.pos, "the context must be a record, of action",
			     a->name.s);
	}
	return r == 0 && !ret->context && errors->total == 0 ? -ENOMEM : r;
}

/* Without a type, or with `Action` alone, that of the namespace is meant before the one outside. */
static uint32_t find_group(const struct cedar_schema *s, uint32_t etype,
			   const struct decl_action_ref *ref)
{
	uint32_t p;

	if (ref->type.p && !span_is(ref->type, "Action"))
		return schema_find_action(s, ref->type, ref->id);
	p = schema_find_action(s, s->etypes.v[etype].name, ref->id);
	return p == SCHEMA_NONE ? schema_find_action(s, SPAN("Action"), ref->id) : p;
}

static int resolve_groups(struct cedar_schema *s, const struct decl_action *a,
			  struct schema_action *ret, struct cedar_errors *errors)
{
	ret->parents = arena_array(&s->mem, a->n_parents, sizeof(*ret->parents));
	if (!ret->parents)
		return -ENOMEM;
	for (uint32_t i = 0; i < a->n_parents; i++) {
		const struct decl_action_ref *ref = &a->parents[i];
		uint32_t p = find_group(s, ret->etype, ref);

		if (p == SCHEMA_NONE)
			fail(s, errors, ref->pos, "no action is called", ref->id);
		else
			ret->parents[ret->n_parents++] = p;
	}
	ret->n_parents = numbers_sort(ret->parents, ret->n_parents);
	return 0;
}

/* --- all of them ------------------------------------------------------------------------------ */

struct keyed {
	uint64_t key;
	uint32_t at;
};

static int key_cmp(const void *a, const void *b)
{
	const struct keyed *x = a, *y = b;

	return (x->key > y->key) - (x->key < y->key);
}

static int index_actions(struct cedar_schema *s)
{
	uint32_t n = s->actions.n, sym;
	struct keyed *k = malloc((size_t)n * sizeof(*k) + 1);
	int r = 0;

	s->action_keys = arena_array(&s->mem, n, sizeof(*s->action_keys));
	s->action_at = arena_array(&s->mem, n, sizeof(*s->action_at));
	if (!k || !s->action_keys || !s->action_at)
		r = -ENOMEM;
	for (uint32_t i = 0; r == 0 && i < n; i++) {
		r = intern_add(&s->ids, s->actions.v[i].id, &sym);
		if (r == 0)
			k[i] = (struct keyed){ (uint64_t)s->actions.v[i].etype << 32 | sym, i };
	}
	if (r == 0)
		heap_sort(k, n, sizeof(*k), key_cmp);
	for (uint32_t i = 0; r == 0 && i < n; i++) {
		s->action_keys[i] = k[i].key;
		s->action_at[i] = k[i].at;
	}
	free(k);
	return r;
}

static int name_actions(struct cedar_schema *s, const struct decl_space *ds)
{
	uint32_t etype = schema_entity_named(s, ds->name.s, SPAN("Action"));
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < ds->actions.n; i++) {
		struct schema_action a = { .etype = etype,
					   .id = ds->actions.v[i].name.s,
					   .pos = ds->actions.v[i].name.pos };

		r = vec_push(&s->actions, a);
	}
	return r;
}

static int close_actions(struct cedar_schema *s, struct cedar_errors *errors)
{
	uint32_t n = s->actions.n;
	struct closure_node *node = calloc((size_t)n + 1, sizeof(*node));
	int r;

	if (!node)
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++) {
		node[i].parents = s->actions.v[i].parents;
		node[i].n_parents = s->actions.v[i].n_parents;
	}
	r = schema_closure(&s->mem, node, n);
	for (uint32_t i = 0; r == 0 && i < n; i++) {
		struct schema_action *a = &s->actions.v[i];

		a->ancestors = node[i].reach;
		a->n_ancestors = node[i].n_reach;
		if (numbers_have(a->ancestors, a->n_ancestors, i))
			fail(s, errors, a->pos, "the action is in a group that is in it:", a->id);
	}
	free(node);
	if (r == -E2BIG)
		error_add(errors, NULL, 0, "the actions have too many groups");
	return r;
}

static int list_envs(struct cedar_schema *s, struct cedar_errors *errors)
{
	for (uint32_t i = 0; i < s->actions.n; i++) {
		struct schema_action *a = &s->actions.v[i];
		uint64_t n = (uint64_t)a->n_principals * a->n_resources;

		if (n + s->envs.n > CEDAR_SCHEMA_ENVIRONMENTS_MAX) {
			error_add(errors, &s->text, a->pos,
				  "more than %u combinations of action, principal and resource",
				  CEDAR_SCHEMA_ENVIRONMENTS_MAX);
			return -E2BIG;
		}
		if (vec_reserve(&s->envs, (uint32_t)n) < 0)
			return -ENOMEM;
		a->env = s->envs.n;
		a->n_envs = (uint32_t)n;
		for (uint32_t k = 0; k < n; k++)
			s->envs.v[s->envs.n++] =
				(struct schema_env){ i, a->principals[k / a->n_resources],
						     a->resources[k % a->n_resources] };
	}
	return 0;
}

int schema_resolve_actions(struct cedar_schema *s, struct cedar_errors *errors)
{
	uint32_t at = 0;
	int r = 0;

	for (uint32_t k = 0; r == 0 && k < s->spaces.n; k++)
		r = name_actions(s, &s->spaces.v[k]);
	if (r == 0)
		r = index_actions(s);
	for (uint32_t k = 0; r == 0 && k < s->spaces.n; k++) {
		const struct decl_space *ds = &s->spaces.v[k];

		for (uint32_t i = 0; r == 0 && i < ds->actions.n; i++, at++) {
			struct schema_action *a = &s->actions.v[at];

			r = resolve_action(s, ds, &ds->actions.v[i], a, errors);
			if (r == 0)
				r = resolve_groups(s, &ds->actions.v[i], a, errors);
		}
	}
	if (r == 0 && errors->total == 0)
		r = close_actions(s, errors);
	if (r == 0 && errors->total == 0)
		r = list_envs(s, errors);
	return r < 0 ? r : errors->total ? -EINVAL : 0;
}
