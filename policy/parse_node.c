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

/* A constructor of an extension value whose text is there and good is a constant. */
static bool call_is_constant(const struct ast *e)
{
	struct cip ip;
	int64_t v;

	if (e->n != 1 || e->kid[0]->kind != AST_STRING)
		return false;
	switch (e->fn) {
	case EXT_DECIMAL:
		return ext_decimal_parse(e->kid[0]->str, &v) == 0;
	case EXT_IP:
		return ext_ip_parse(e->kid[0]->str, &ip) == 0;
	case EXT_DATETIME:
		return ext_datetime_parse(e->kid[0]->str, &v) == 0;
	case EXT_DURATION:
		return ext_duration_parse(e->kid[0]->str, &v) == 0;
	default:
		return false;
	}
}

struct ast *node_sealed(struct ast *e)
{
	if (!e)
		return NULL;
	e->constant = e->kind != AST_CALL || call_is_constant(e);
	for (uint32_t i = 0; e->constant && i < e->n; i++)
		e->constant = e->kid[i]->constant;
	return e;
}

struct ast *node_fail(struct parser *ps, uint32_t pos, const char *message)
{
	parser_fail(ps, pos, "%s", message);
	return NULL;
}
