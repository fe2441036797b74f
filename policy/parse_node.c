// SPDX-License-Identifier: Apache-2.0
/* Making nodes of the tree, in the memory of the policy set. */
#include "policy/parse_node.h"

struct ast *node_new(struct parser *ps, enum ast_kind kind, uint32_t pos)
{
	struct ast *e = arena_zalloc(ps->mem, sizeof(*e));

	if (!e) {
		parser_no_memory(ps);
		return NULL;
	}
	e->kind = kind;
	e->pos = pos;
	return e;
}

struct ast *node_with(struct parser *ps, struct ast *e, struct ast *const *kid, uint32_t n)
{
	if (!e)
		return NULL;
	e->n = n;
	e->kid = parser_keep(ps, kid, n, sizeof(struct ast *));
	return e->kid ? e : NULL;
}

struct ast *node_unary(struct parser *ps, enum ast_kind kind, uint32_t pos, struct ast *a)
{
	return node_with(ps, node_new(ps, kind, pos), &a, 1);
}

struct ast *node_binary(struct parser *ps, enum ast_kind kind, uint32_t pos, struct ast *a,
			struct ast *b)
{
	struct ast *kid[2] = { a, b };

	return node_with(ps, node_new(ps, kind, pos), kid, 2);
}

bool node_push(struct parser *ps, struct kids *k, struct ast *e)
{
	return e && (vec_push(k, e) == 0 || parser_no_memory(ps));
}

struct ast *node_fail(struct parser *ps, uint32_t pos, const char *message)
{
	parser_fail(ps, pos, "%s", message);
	return NULL;
}
