// SPDX-License-Identifier: Apache-2.0
/* Policies as text: annotations, scope, conditions. */
#include <errno.h>
#include <stdlib.h>

#include "policy/cedar_text.h"
#include "policy/print.h"

static void scope(struct printer *pr, const char *name, const struct ast_scope *s)
{
	print_str(pr, "  ");
	print_str(pr, name);
	if (s->op == AST_SCOPE_IS || s->op == AST_SCOPE_IS_IN) {
		print_str(pr, " is ");
		print_span(pr, s->type);
	}
	if (s->op == AST_ANY || s->op == AST_SCOPE_IS)
		return;
	print_str(pr, s->op == AST_SCOPE_EQ ? " == " : " in ");
	if (s->slot) {
		print_str(pr, "?");
		print_str(pr, name);
	} else {
		print_uid(pr, &s->uid);
	}
}

/* The SDK knows lists of actions only, and has no space behind their commas. */
static void action_scope(struct printer *pr, const struct ast_scope *s)
{
	if (s->op != AST_SCOPE_IN) {
		scope(pr, "action", s);
		return;
	}
	print_str(pr, "  action in [");
	if (!s->list)
		print_uid(pr, &s->uid);
	for (uint32_t i = 0; s->list && i < s->n; i++) {
		if (i > 0)
			print_str(pr, ",");
		print_uid(pr, &s->uids[i]);
	}
	print_str(pr, "]");
}

static void annotations(struct printer *pr, const struct ast_policy *p)
{
	uint32_t *order;

	if (ast_sort_annotations(p, &order) < 0) {
		pr->r = -ENOMEM;
		return;
	}
	for (uint32_t i = 0; i < p->n_annotations; i++) {
		const struct ast_annotation *a = &p->annotations[order[i]];

		print_str(pr, "@");
		print_span(pr, a->key);
		if (a->value.p) {
			print_str(pr, "(");
			print_quoted(pr, a->value);
			print_str(pr, ")");
		}
		print_str(pr, "\n");
	}
	free(order);
}

static void condition(struct printer *pr, const struct ast_condition *c)
{
	print_str(pr, c->unless ? " unless {\n  " : " when {\n  ");
	pr->full = print_nesting(c->e, true) <= CEDAR_NESTING_MAX;
	print_expr(pr, c->e);
	print_str(pr, "\n}");
}

int print_policy(struct buf *out, const struct ast_policy *p)
{
	struct printer pr = { .out = out };

	annotations(&pr, p);
	print_str(&pr, p->effect == CEDAR_PERMIT ? "permit(\n" : "forbid(\n");
	scope(&pr, "principal", &p->principal);
	print_str(&pr, ",\n");
	action_scope(&pr, &p->action);
	print_str(&pr, ",\n");
	scope(&pr, "resource", &p->resource);
	print_str(&pr, "\n)");
	for (uint32_t i = 0; i < p->n_conditions; i++)
		condition(&pr, &p->conditions[i]);
	print_str(&pr, ";\n");
	return pr.r;
}

static int print_all(struct buf *out, const struct ast_policy *p, uint32_t n, bool *first)
{
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < n; i++) {
		if (p[i].linked)
			continue;
		r = *first ? 0 : buf_append(out, "\n", 1);
		if (r == 0)
			r = print_policy(out, &p[i]);
		*first = false;
	}
	return r;
}

int cedar_policies_to_text(const struct cedar_policies *ps, struct buf *out)
{
	bool first = true;
	int r = print_all(out, ps->policies.v, ps->policies.n, &first);

	return r < 0 ? r : print_all(out, ps->templates.v, ps->templates.n, &first);
}

int cedar_policy_to_text(const struct cedar_policies *ps, size_t policy, struct buf *out)
{
	return policy < ps->policies.n ? print_policy(out, &ps->policies.v[policy]) : -EINVAL;
}
