// SPDX-License-Identifier: Apache-2.0
/* The words that texts and JSON have for variables, methods and operators. */
#include "policy/ast.h"

static const char *const vars[] = { "principal", "action", "resource", "context" };
static const char *const methods[] = { "contains", "containsAll", "containsAny",
				       "isEmpty",  "hasTag",	  "getTag" };

const char *ast_var_name(enum ast_var var)
{
	return vars[var];
}

const char *ast_method_name(enum ast_method method)
{
	return methods[method];
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
		if (span_is(name, vars[i])) {
			*ret = (enum ast_var)i;
			return true;
		}
	}
	return false;
}

bool ast_method_find(struct span name, enum ast_method *ret)
{
	for (unsigned i = 0; i < ARRAY_SIZE(methods); i++) {
		if (span_is(name, methods[i])) {
			*ret = (enum ast_method)i;
			return true;
		}
	}
	return false;
}
