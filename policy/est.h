/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_POLICY_EST_H
#define TOLLGATE_POLICY_EST_H

#include "policy/ast.h"
#include "policy/json.h"
#include "policy/parser.h"
#include "user/base/json_out.h"

/*
 * Policies as JSON, in the form of Cedar's "JSON policy format" (which its sources call EST): one
 * object a policy; expressions are objects of one key, the operator. Written as SDK 4.13 does.
 */

/* Arrays and objects within each other: what the longest chains of a text of CEDAR_TEXT_MAX bytes
 * would need is not worth its memory. */
#define EST_JSON_DEPTH_MAX 200000
/* Operators within each other, chains counted once: more than CEDAR_NESTING_MAX lets a text have,
 * and little enough for the C stack. */
#define EST_DEPTH_MAX (12 * CEDAR_NESTING_MAX)

/* A template keeps its slots. 0, -ENOMEM, or what else the writer met. */
int est_write_policy(struct json_out *j, const struct ast_policy *p);

/* A policy or template from its JSON; ps->lx.text must be the JSON text and v of it. The id is left
 * empty. False after recording an error. */
bool est_read_policy(struct parser *ps, const struct json *v, struct ast_policy *ret);

/* The operator of an object of one key, and what it is applied to. */
struct est_op {
	struct span name;
	const struct json *of;
};

bool est_get_op(const struct json *v, struct est_op *ret);
/* Exactly "left" and "right"; false after recording an error. */
bool est_two(struct parser *ps, const struct json *of, const struct json **ret_left,
	     const struct json **ret_right);

/* The parts of the reader; NULL after recording an error. est_read_expr.c: */
struct ast *est_read_expr(struct parser *ps, const struct json *v);
/* est_read_chain.c: whether the operator is one of AST_AND, AST_OR, AST_SUM or AST_PRODUCT, and the
 * whole chain of it; likewise for accesses, of which it says the kind in *s. */
bool est_in_chain(const struct est_op *op, enum ast_kind kind);
struct ast *est_read_chain(struct parser *ps, const struct json *v, enum ast_kind kind);
bool est_is_access(const struct est_op *op, struct ast_step *s);
struct ast *est_read_access(struct parser *ps, const struct json *v);
/* est_read_value.c: */
struct ast *est_read_value(struct parser *ps, const struct json *v);
/* A node with the elements of v, each read by read; a record with its names. */
struct ast *est_read_list(struct parser *ps, enum ast_kind kind, const struct json *v,
			  struct ast *(*read)(struct parser *, const struct json *));
struct ast *est_read_record(struct parser *ps, const struct json *v,
			    struct ast *(*read)(struct parser *, const struct json *));

/* What all of them ask of objects; false or NULL after recording an error.
 * Refuses what is no object, and keys that are not among names (NULL at the end). */
bool est_members(struct parser *ps, const struct json *v, const char *const *names);
/* A member that must be there. */
const struct json *est_member(struct parser *ps, const struct json *v, const char *name);
/* Copies. what is for the message: "an attribute". */
bool est_string(struct parser *ps, const struct json *v, const char *what, struct span *ret);
bool est_type(struct parser *ps, const struct json *v, struct span *ret);
bool est_uid(struct parser *ps, const struct json *v, struct cedar_uid *ret);

#endif
