// SPDX-License-Identifier: Apache-2.0
/* What the forms of policies have in common: the words for variables, methods and operators, and the
 * order of names. */
#include "policy/ast.h"

#include <errno.h>
#include <stdlib.h>

#include "policy/value.h"

static const struct span vars[] = { SPAN("principal"), SPAN("action"), SPAN("resource"),
				    SPAN("context") };
static const struct span methods[] = { SPAN("contains"), SPAN("containsAll"), SPAN("containsAny"),
				       SPAN("isEmpty"),	 SPAN("hasTag"),      SPAN("getTag") };

const char *ast_var_name(enum ast_var var)
{
	return vars[var].p;
}

const char *ast_method_name(enum ast_method method)
{
	return methods[method].p;
}

const char *ast_operator(enum ast_kind kind)
{
	static const char *const ops[] = {
		[AST_EQ] = "==", [AST_NE] = "!=", [AST_LT] = "<", [AST_LE] = "<=",
		[AST_GT] = ">",	 [AST_GE] = ">=", [AST_IN] = "in"
	};

	return kind >= AST_EQ && kind <= AST_IN ? ops[kind] : "";
}

bool ast_var_find(struct span name, enum ast_var *ret)
{
	for (unsigned i = 0; i < ARRAY_SIZE(vars); i++) {
		if (span_eq(name, vars[i])) {
			*ret = (enum ast_var)i;
			return true;
		}
	}
	return false;
}

bool ast_method_find(struct span name, enum ast_method *ret)
{
	for (unsigned i = 0; i < ARRAY_SIZE(methods); i++) {
		if (span_eq(name, methods[i])) {
			*ret = (enum ast_method)i;
			return true;
		}
	}
	return false;
}

/* --- order ------------------------------------------------------------------------------------ */

struct named {
	struct span name;
	uint32_t at;
};

static int by_name(const void *a, const void *b)
{
	return span_cmp(((const struct named *)a)->name, ((const struct named *)b)->name);
}

static int sort_named(struct named *v, uint32_t n, uint32_t **ret_order)
{
	uint32_t *order = calloc((size_t)n + 1, sizeof(*order));

	if (!order)
		return -ENOMEM;
	heap_sort(v, n, sizeof(*v), by_name);
	for (uint32_t i = 0; i < n; i++)
		order[i] = v[i].at;
	*ret_order = order;
	return 0;
}

int ast_sort_names(const struct ast_name *names, uint32_t n, uint32_t **ret_order)
{
	struct named *v = calloc((size_t)n + 1, sizeof(*v));
	int r = -ENOMEM;

	for (uint32_t i = 0; v && i < n; i++)
		v[i] = (struct named){ names[i].s, i };
	if (v)
		r = sort_named(v, n, ret_order);
	free(v);
	return r;
}

int ast_sort_annotations(const struct ast_policy *p, uint32_t **ret_order)
{
	struct named *v = calloc((size_t)p->n_annotations + 1, sizeof(*v));
	int r = -ENOMEM;

	for (uint32_t i = 0; v && i < p->n_annotations; i++)
		v[i] = (struct named){ p->annotations[i].key, i };
	if (v)
		r = sort_named(v, p->n_annotations, ret_order);
	free(v);
	return r;
}
