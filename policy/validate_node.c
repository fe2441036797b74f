// SPDX-License-Identifier: Apache-2.0
/* The validator's nodes, each of which exists once, and the memory for them and what is known of
 * them. */
#include <errno.h>
#include <stdlib.h>

#include "policy/validate.h"

#define MEMO_START 4096 /* slots */

int checker_init(struct checker *c)
{
	c->attrs.seed = c->types.seed;
	c->memo = calloc(MEMO_START, sizeof(*c->memo));
	c->memo_mask = MEMO_START - 1;
	c->memo_n = 0;
	return c->memo ? capsets_init(&c->caps) : -ENOMEM;
}

static void forget(struct checker *c)
{
	free(c->memo);
	c->memo = NULL;
	capsets_done(&c->caps);
	intern_done(&c->attrs);
	arena_done(&c->mem);
	vec_done(&c->nodes);
	free(c->slot);
	c->slot = NULL;
	c->mask = 0;
}

void checker_done(struct checker *c)
{
	forget(c);
	types_done(&c->types);
	arena_done(&c->policy_mem);
}

int checker_trim(struct checker *c)
{
	if (c->mem.total + c->caps.mem.total + c->types.mem.total +
		    (size_t)c->memo_mask * sizeof(*c->memo) < CHECK_MEMORY_MAX)
		return 0;
	forget(c);
	types_done(&c->types);
	types_init(&c->types, &c->s->types);
	return checker_init(c);
}

/* --- nodes that exist once -------------------------------------------------------------------- */

static void hash_node(const struct checker *c, struct core *x)
{
	uint64_t h = hash_u64(c->types.seed ^ x->op, (uint64_t)x->num);

	if (x->str.p)
		h = hash_bytes(h, x->str);
	if (x->str2.p)
		h = hash_bytes(h + 1, x->str2);
	for (uint32_t i = 0; i < x->n; i++)
		h = hash_u64(h, x->kid[i]->id);
	for (uint32_t i = 0; x->names && i < x->n; i++)
		h = hash_bytes(h, x->names[i]);
	x->hash = h;
}

static bool same(const struct core *a, const struct core *b)
{
	if (a->hash != b->hash || a->op != b->op || a->n != b->n || a->num != b->num ||
	    !span_eq(a->str, b->str) || !span_eq(a->str2, b->str2))
		return false;
	for (uint32_t i = 0; i < a->n; i++) {
		if (a->kid[i] != b->kid[i] || (a->names && !span_eq(a->names[i], b->names[i])))
			return false;
	}
	return true;
}

static int grow(struct checker *c)
{
	uint32_t n = c->slot ? (c->mask + 1) * 2 : 1024, *slot;

	if (c->slot && c->nodes.n * 2 < c->mask)
		return 0;
	slot = calloc(n, sizeof(*slot));
	if (!slot)
		return -ENOMEM;
	for (uint32_t k = 0; k < c->nodes.n; k++) {
		uint32_t i = (uint32_t)c->nodes.v[k]->hash;

		while (slot[i & (n - 1)])
			i++;
		slot[i & (n - 1)] = k + 1;
	}
	free(c->slot);
	c->slot = slot;
	c->mask = n - 1;
	return 0;
}

/* What the schema knows of an entity or type that is named. */
static void look_up(struct checker *c, struct core *x)
{
	const struct schema_etype *t;

	x->etype = x->action = SCHEMA_NONE;
	if (x->op == CORE_IS) {
		x->etype = schema_find_type(c->s, x->str);
		x->unknown = x->etype == SCHEMA_NONE;
	}
	if (x->op != CORE_ENTITY)
		return;
	x->etype = schema_find_type(c->s, x->str2);
	if (x->etype == SCHEMA_NONE) {
		x->unknown = true;
		return;
	}
	t = &c->s->etypes.v[x->etype];
	if (t->action)
		x->action = schema_find_action(c->s, x->str2, x->str);
	x->unknown = (t->action && x->action == SCHEMA_NONE) ||
		     (t->enumerated && !schema_enum_has(t, x->str));
}

static const struct core *copy_node(struct checker *c, const struct core *x)
{
	struct core *copy = arena_alloc(&c->mem, sizeof(*copy));
	const struct core **kid = arena_array(&c->mem, x->n, sizeof(*kid));
	struct span *names = NULL;

	if (x->names)
		names = arena_array(&c->mem, x->n, sizeof(*names));
	if (!copy || !kid || (x->names && !names))
		return NULL;
	*copy = *x;
	if (x->n)
		memcpy(kid, x->kid, x->n * sizeof(*kid));
	if (x->n && names)
		memcpy(names, x->names, x->n * sizeof(*names));
	copy->kid = kid;
	copy->names = names;
	copy->id = c->nodes.n;
	copy->uses = x->op == CORE_VAR ? (uint8_t)(1u << x->num) : 0;
	look_up(c, copy);
	for (uint32_t i = 0; i < x->n; i++) {
		copy->unknown |= kid[i]->unknown;
		copy->uses |= kid[i]->uses;
		if (copy->depth <= kid[i]->depth)
			copy->depth = kid[i]->depth + 1;
	}
	return copy;
}

const struct core *core_keep(struct checker *c, struct core *x)
{
	const struct core *copy;
	uint32_t i;

	if (grow(c) < 0)
		return NULL;
	hash_node(c, x);
	for (i = (uint32_t)x->hash; c->slot[i & c->mask]; i++) {
		const struct core *y = c->nodes.v[c->slot[i & c->mask] - 1];

		if (same(x, y))
			return y;
	}
	copy = copy_node(c, x);
	if (!copy || vec_push(&c->nodes, copy) < 0)
		return NULL;
	c->slot[i & c->mask] = c->nodes.n;
	return copy;
}
