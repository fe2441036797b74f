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

/* Members whose names a form has sorted, which texts need not have. */
int est_sort_names(const struct ast_name *names, uint32_t n, uint32_t **ret_order);
int est_sort_annotations(const struct ast_policy *p, uint32_t **ret_order);

/* A template keeps its slots. 0, -ENOMEM, or what else the writer met. */
int est_write_policy(struct json_out *j, const struct ast_policy *p);

/* A policy or template from its JSON; ps->lx.text must be the JSON text and v of it. The id is left
 * empty. False after recording an error. */
bool est_read_policy(struct parser *ps, const struct json *v, struct ast_policy *ret);
/* The parts of the reader; NULL after recording an error. est_read_expr.c, then est_read_value.c: */
struct ast *est_read_expr(struct parser *ps, const struct json *v);
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
