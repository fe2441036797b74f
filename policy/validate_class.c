// SPDX-License-Identifier: Apache-2.0
/*
 * Which types of request are the same to an expression. A schema with an action for each of a thousand
 * tools has a thousand of them, but what reads the principal only has one type in all.
 */
#include <errno.h>
#include <stdlib.h>

#include "policy/validate.h"

#define BIT(var) (1u << (var))

int classes_init(struct checker *c)
{
	c->seen = calloc((size_t)c->s->envs.n + 1, sizeof(*c->seen));
	return c->seen ? 0 : -ENOMEM;
}

void classes_done(struct checker *c)
{
	for (unsigned i = 0; i < ARRAY_SIZE(c->classes); i++)
		free(c->classes[i]);
	free(c->seen);
}

struct view {
	uint64_t principal, action, resource, context;
	uint32_t env;
};

static struct view view_of(const struct cedar_schema *s, uint8_t uses, uint32_t env)
{
	const struct schema_env *e = &s->envs.v[env];
	struct view v = { .env = env };

	if (uses & BIT(AST_PRINCIPAL))
		v.principal = e->principal;
	if (uses & BIT(AST_ACTION))
		v.action = e->action;
	if (uses & BIT(AST_RESOURCE))
		v.resource = e->resource;
	if (uses & BIT(AST_CONTEXT))
		v.context = (uintptr_t)s->actions.v[e->action].context;
	return v;
}

static int same_view(const struct view *x, const struct view *y)
{
	if (x->principal != y->principal)
		return x->principal < y->principal ? -1 : 1;
	if (x->action != y->action)
		return x->action < y->action ? -1 : 1;
	if (x->resource != y->resource)
		return x->resource < y->resource ? -1 : 1;
	return (x->context > y->context) - (x->context < y->context);
}

static int view_cmp(const void *a, const void *b)
{
	const struct view *x = a, *y = b;
	int r = same_view(x, y);

	return r ? r : (x->env > y->env) - (x->env < y->env);
}

static uint32_t *classify(const struct cedar_schema *s, uint8_t uses)
{
	uint32_t n = s->envs.n, *class = malloc((size_t)n * sizeof(*class));
	struct view *v = malloc((size_t)n * sizeof(*v));

	for (uint32_t i = 0; class && v && i < n; i++)
		v[i] = view_of(s, uses, i);
	if (class && v)
		heap_sort(v, n, sizeof(*v), view_cmp);
	for (uint32_t i = 0; class && v && i < n; i++)
		class[v[i].env] = i && same_view(&v[i - 1], &v[i]) == 0 ? class[v[i - 1].env] : v[i].env;
	if (!v) {
		free(class);
		class = NULL;
	}
	free(v);
	return class;
}

uint32_t class_of(struct checker *c, uint8_t uses)
{
	if (!c->classes[uses])
		c->classes[uses] = classify(c->s, uses);
	if (!c->classes[uses]) {
		c->r = -ENOMEM;
		return 0;
	}
	return c->classes[uses][c->env];
}
