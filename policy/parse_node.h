/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_POLICY_PARSE_NODE_H
#define TOLLGATE_POLICY_PARSE_NODE_H

#include <stdlib.h>

#include "policy/parser.h"

/* Nodes under construction, shared by parse_expr.c (operators) and parse_primary.c (what they
 * join). */

struct kids {
	struct ast **v;
	uint32_t n, cap;
};

struct list_of_names {
	struct ast_name *v;
	uint32_t n, cap;
};

static inline void kids_done(struct kids *k)
{
	free(k->v);
}

#define _cleanup_kids_ _cleanup_(kids_done)

/* NULL without memory (recorded), here and below. */
struct ast *node_new(struct parser *ps, enum ast_kind kind, uint32_t pos);
/* Gives e (NULL: does nothing) its operands. */
struct ast *node_with(struct parser *ps, struct ast *e, struct ast *const *kid, uint32_t n);
struct ast *node_unary(struct parser *ps, enum ast_kind kind, uint32_t pos, struct ast *a);
struct ast *node_binary(struct parser *ps, enum ast_kind kind, uint32_t pos, struct ast *a,
			struct ast *b);
/* False also when e is NULL. */
bool node_push(struct parser *ps, struct kids *k, struct ast *e);
/* Finds out whether a set, record or call (NULL: does nothing) that has its operands is constant;
 * returns e. */
struct ast *node_sealed(struct ast *e);
/* Records an error; always NULL. */
struct ast *node_fail(struct parser *ps, uint32_t pos, const char *message);

/* A number token; negative when a minus before it belongs to it. */
struct ast *parse_number(struct parser *ps, bool negative);
struct ast *parse_primary(struct parser *ps);
/* The .attr, ["attr"] and .method() behind base, which may be NULL. */
struct ast *parse_steps(struct parser *ps, struct ast *base);

#endif
