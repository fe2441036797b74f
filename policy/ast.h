/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_POLICY_AST_H
#define TOLLGATE_POLICY_AST_H

#include <stdbool.h>
#include <stdint.h>

#include "policy/cedar.h"
#include "policy/ext.h"
#include "policy/mem.h"
#include "policy/pattern.h"
#include "user/base/span.h"

/*
 * The parsed form, close to the text. Chains (a && b && c, 1 + 2 - 3, x.a.b["c"].d()) are one node
 * with many parts, so the tree is only as deep as the text nests: at most CEDAR_NESTING_MAX times a
 * few, and walkers may recurse.
 */
enum ast_kind {
	AST_BOOL, /* num */
	AST_LONG, /* num */
	AST_STRING, /* str */
	AST_ENTITY, /* uid */
	AST_VAR, /* num: enum ast_var */
	AST_SET, /* kid[n] */
	AST_RECORD, /* kid[n], names[n] */
	AST_CALL, /* kid[n], fn: extension function */
	AST_ACCESS, /* kid[0], steps[n_parts] */
	AST_NOT, /* kid[0] */
	AST_NEG, /* kid[0] */
	AST_PRODUCT, /* kid[n], n >= 2, places[n]: of the operator before each */
	AST_SUM, /* likewise, with minus */
	AST_EQ, /* kid[2] ... */
	AST_NE,
	AST_LT,
	AST_LE,
	AST_GT,
	AST_GE,
	AST_IN,
	AST_HAS, /* kid[0], names[n_parts]: a.b.c */
	AST_LIKE, /* kid[0], pattern */
	AST_IS, /* kid[0], str: type; kid[1] when n == 2: in */
	AST_AND, /* kid[n], n >= 2 */
	AST_OR, /* likewise */
	AST_IF, /* kid[3] */
};

enum ast_var { AST_PRINCIPAL, AST_ACTION, AST_RESOURCE, AST_CONTEXT };

enum ast_method {
	AST_CONTAINS,
	AST_CONTAINS_ALL,
	AST_CONTAINS_ANY,
	AST_IS_EMPTY,
	AST_HAS_TAG,
	AST_GET_TAG,
};

/* Their words in a text: "principal", "containsAll"; "==" of AST_EQ to AST_IN. */
const char *ast_var_name(enum ast_var var);
const char *ast_method_name(enum ast_method method);
const char *ast_operator(enum ast_kind kind);
bool ast_var_find(struct span name, enum ast_var *ret);
bool ast_method_find(struct span name, enum ast_method *ret);

struct ast;

struct ast_name {
	struct span s;
	uint32_t pos;
};

enum ast_step_kind { AST_STEP_ATTR, AST_STEP_METHOD, AST_STEP_EXT };

struct ast_step {
	enum ast_step_kind kind;
	uint32_t pos;
	struct span name; /* of an attribute */
	enum ast_method method;
	enum ext_fn fn;
	uint32_t n; /* arguments */
	struct ast **arg;
};

struct ast_place {
	uint32_t pos;
	bool minus;
};

struct ast {
	enum ast_kind kind;
	uint32_t pos; /* of the operator, or of what a message should point at */
	uint32_t n, n_parts;
	bool constant; /* nothing but literals below, and all extension values well-formed */
	struct ast **kid;
	union {
		int64_t num;
		struct span str;
		struct cedar_uid uid;
		struct pattern pattern;
		struct ast_name *names;
		struct ast_step *steps;
		struct ast_place *places;
		enum ext_fn fn;
	};
};

enum ast_scope_op { AST_ANY, AST_SCOPE_EQ, AST_SCOPE_IN, AST_SCOPE_IS, AST_SCOPE_IS_IN };

struct ast_scope {
	enum ast_scope_op op;
	uint32_t pos; /* of its word */
	struct span type; /* IS, IS_IN */
	struct cedar_uid uid; /* EQ, IN, IS_IN; of an action's IN only without list */
	bool slot; /* of a template: ?principal or ?resource stands where uid would */
	bool list; /* action in [...] */
	uint32_t n;
	struct cedar_uid *uids;
};

struct ast_annotation {
	struct span key, value; /* value.p is NULL for @key without value */
};

struct ast_condition {
	bool unless;
	struct ast *e;
};

struct ast_policy {
	struct span id; /* NUL-terminated */
	uint32_t text; /* which one of the set */
	uint32_t pos;
	bool linked; /* a link: all but id and slots is its template's */
	uint32_t template; /* of a link: in cedar_policies.templates */
	enum cedar_effect effect;
	uint32_t n_annotations, n_conditions;
	struct ast_annotation *annotations;
	struct ast_scope principal, action, resource;
	struct ast_condition *conditions;
};

struct ast_text {
	struct span name, text;
};

/* The policy set: all nodes and texts lie in mem. What is evaluated is in policies, links of templates
 * among them. */
struct cedar_policies {
	struct arena mem;
	VEC(struct ast_text) texts;
	VEC(struct ast_policy) policies;
	VEC(struct ast_policy) templates;
	uint32_t numbered; /* policies and templates that were named by their place in the texts */
	bool named; /* others are there too, so that a number may be taken */
};

/* The order of record members and annotations by name, in which JSON and printed text have them; a text
 * may have any. *ret_order is to be freed. 0 or -ENOMEM. */
int ast_sort_names(const struct ast_name *names, uint32_t n, uint32_t **ret_order);
int ast_sort_annotations(const struct ast_policy *p, uint32_t **ret_order);

static inline bool ast_is_template(const struct ast_policy *p)
{
	return p->principal.slot || p->resource.slot;
}

#endif
