// SPDX-License-Identifier: Apache-2.0
/*
 * Policies into a snapshot: their texts and annotations, their scopes as numbers, their conditions
 * as a list of conjuncts. `unless { e }` is the conjunct !e; !(a || b) is two, in the same order.
 */
#include "policy/compile.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "policy/text.h"

static int copy_text(struct cedar_snapshot *s, const struct ast_text *from)
{
	struct ctext t = { arena_copy(&s->mem, from->name), arena_copy(&s->mem, from->text) };

	return t.name.p && t.text.p ? vec_push(&s->texts, t) : -ENOMEM;
}

/* Most policies stand behind the one before in the same text, and their place is counted from there;
 * a link stands where its template does. */
static void set_place(const struct cedar_snapshot *s, struct cpolicy_cold *c)
{
	const struct cpolicy_cold *last = s->cold.n ? &s->cold.v[s->cold.n - 1] : NULL;
	struct span text = s->texts.v[c->text].text;

	if (last && last->text == c->text && last->pos <= c->pos)
		snapshot_place(s, s->cold.n - 1, c->pos, &c->line, &c->column);
	else
		text_place(text, c->pos, &c->line, &c->column);
}

static int copy_cold(struct cedar_snapshot *s, const struct ast_policy *p)
{
	struct cpolicy_cold c = { .id = arena_copy(&s->mem, p->id).p,
				  .text = p->text,
				  .pos = p->pos,
				  .n_annotations = p->n_annotations };

	c.annotations = arena_array(&s->mem, p->n_annotations, sizeof(*c.annotations));
	if (!c.id || !c.annotations)
		return -ENOMEM;
	for (uint32_t i = 0; i < p->n_annotations; i++) {
		struct span key = arena_copy(&s->mem, p->annotations[i].key);
		struct span value = arena_copy(&s->mem, p->annotations[i].value);

		if (!key.p || !value.p)
			return -ENOMEM;
		c.annotations[i] = (struct cannotation){ key.p, value.p };
	}
	set_place(s, &c);
	return vec_push(&s->cold, c);
}

static int compile_scope(struct cedar_snapshot *s, const struct ast_scope *from, struct cscope *ret)
{
	struct cscope c = { .op = (uint8_t)from->op };
	int r = 0;

	if (from->op == AST_SCOPE_IS || from->op == AST_SCOPE_IS_IN)
		r = snapshot_symbol(s, from->type, &c.type);
	if (r == 0 && from->op != AST_ANY && from->op != AST_SCOPE_IS)
		r = snapshot_add_entity(s, from->uid.type, from->uid.id, &c.uid);
	if (r == 0)
		*ret = c;
	return r;
}

/* Splits e, or its negation, at && (or, negated, at ||); nesting is bounded by the parser. */
static int compile_condition(struct compiler *c, const struct ast *e, bool negated)
{
	int r = 0;

	if (e->kind == AST_NOT && e->kid[0]->kind == AST_OR && !negated)
		return compile_condition(c, e->kid[0], true);
	if (e->kind != (negated ? AST_OR : AST_AND))
		return compile_conjunct(c, e, negated);
	for (uint32_t i = 0; r == 0 && i < e->n; i++)
		r = compile_condition(c, e->kid[i], negated);
	return r;
}

static int compile_policy(struct compiler *c, const struct ast_policy *from)
{
	struct cedar_snapshot *s = c->s;
	struct cpolicy p = { .effect = (uint8_t)from->effect, .part = s->parts.n };
	int r = copy_cold(s, from);

	if (r == 0)
		r = compile_scope(s, &from->principal, &p.principal);
	if (r == 0)
		r = compile_scope(s, &from->resource, &p.resource);
	for (uint32_t i = 0; r == 0 && i < from->n_conditions; i++)
		r = compile_condition(c, from->conditions[i].e, from->conditions[i].unless);
	if (r < 0)
		return r;
	p.n_parts = s->parts.n - p.part;
	return vec_push(&s->policies, p);
}

static void compiler_done(struct compiler *c)
{
	pool_done(&c->consts);
	pool_done(&c->patterns);
	pool_done(&c->chains);
	pool_done(&c->shapes);
	pool_done(&c->paths);
	pool_done(&c->conjuncts);
}

int compile_policies(struct cedar_snapshot *s, const struct cedar_policies *ps,
		     struct cedar_error *error)
{
	struct compiler c = { .s = s };
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < ps->texts.n; i++)
		r = copy_text(s, &ps->texts.v[i]);
	/* The variables are the paths of their numbers. */
	for (unsigned var = 0; r == 0 && var <= AST_CONTEXT; var++) {
		compile_path(&c, PATH_NONE, 0, (enum ast_var)var);
		r = c.r;
	}
	for (uint32_t i = 0; r == 0 && i < ps->policies.n; i++)
		r = compile_policy(&c, &ps->policies.v[i]);
	compiler_done(&c);
	if (r == 0 && s->stack > CEDAR_STACK_MAX) {
		error_set(error, NULL, 0, "an expression needs more than %u values at once",
			  CEDAR_STACK_MAX);
		r = -E2BIG;
	}
	return r;
}
