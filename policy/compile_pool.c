// SPDX-License-Identifier: Apache-2.0
/* Equal constants, patterns, paths and conjuncts of all policies are kept once: what is asked twice
 * in a request is then seen to be the same question. */
#include "policy/compile.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct seek {
	const struct cedar_snapshot *s;
	const void *item;
};

#define INTERN(c, pool, hash, same, item, list, value) \
	({ \
		struct seek seek_ = { (c)->s, (item) }; \
		uint32_t id_ = (c)->r < 0 ? 0 : pool_find(&(c)->pool, (hash), (same), &seek_); \
		if (id_ == POOL_NONE) { \
			id_ = (c)->s->list.n; \
			(c)->r = vec_push(&(c)->s->list, (value)); \
			if ((c)->r == 0) \
				(c)->r = pool_add(&(c)->pool, (hash), id_); \
		} \
		id_; \
	})

static bool same_const(const void *ctx, uint32_t id)
{
	const struct seek *k = ctx;

	return cval_equal(*(const struct cval *)k->item, k->s->consts.v[id]);
}

uint32_t compile_const(struct compiler *c, struct cval v)
{
	uint32_t h = (uint32_t)cval_hash(c->s->seed, v);

	return INTERN(c, consts, h, same_const, &v, consts, v);
}

static bool same_pattern(const void *ctx, uint32_t id)
{
	const struct seek *k = ctx;
	const struct pattern *a = k->item, *b = &k->s->patterns.v[id];

	if (a->n != b->n)
		return false;
	for (uint32_t i = 0; i < a->n; i++) {
		if (!span_eq(a->run[i], b->run[i]))
			return false;
	}
	return true;
}

static int copy_pattern(struct cedar_snapshot *s, const struct pattern *from, struct pattern *ret)
{
	struct span *run = arena_array(&s->mem, from->n, sizeof(*run));

	for (uint32_t i = 0; run && i < from->n; i++) {
		run[i] = arena_copy(&s->mem, from->run[i]);
		if (!run[i].p)
			run = NULL;
	}
	*ret = (struct pattern){ run, from->n };
	return run ? 0 : -ENOMEM;
}

uint32_t compile_pattern(struct compiler *c, const struct pattern *p)
{
	struct seek k = { c->s, p };
	struct pattern copy;
	uint64_t h = c->s->seed;
	uint32_t id;

	for (uint32_t i = 0; i < p->n; i++)
		h = hash_bytes(h, p->run[i]);
	id = c->r < 0 ? 0 : pool_find(&c->patterns, (uint32_t)h, same_pattern, &k);
	if (id != POOL_NONE)
		return id;
	id = c->s->patterns.n;
	c->r = copy_pattern(c->s, p, &copy);
	if (c->r == 0)
		c->r = vec_push(&c->s->patterns, copy);
	if (c->r == 0)
		c->r = pool_add(&c->patterns, (uint32_t)h, id);
	return id;
}

static bool same_chain(const void *ctx, uint32_t id)
{
	const struct seek *k = ctx;
	const struct cchain *a = k->item, *b = k->s->chains.v[id];

	return a->n == b->n && memcmp(a->sym, b->sym, a->n * sizeof(a->sym[0])) == 0;
}

uint32_t compile_chain(struct compiler *c, struct cchain *chain)
{
	struct span bytes = { (const char *)chain->sym, chain->n * sizeof(chain->sym[0]) };
	uint32_t h = (uint32_t)hash_bytes(c->s->seed, bytes);

	return INTERN(c, chains, h, same_chain, chain, chains, chain);
}

static bool same_shape(const void *ctx, uint32_t id)
{
	const struct seek *k = ctx;
	const struct cshape *a = k->item, *b = k->s->shapes.v[id];

	if (a->n != b->n)
		return false;
	for (uint32_t i = 0; i < a->n; i++) {
		if (a->m[i].sym != b->m[i].sym || a->m[i].from != b->m[i].from)
			return false;
	}
	return true;
}

uint32_t compile_shape(struct compiler *c, struct cshape *shape)
{
	uint64_t h = c->s->seed;

	for (uint32_t i = 0; i < shape->n; i++)
		h = hash_u64(h, (uint64_t)shape->m[i].sym << 32 | shape->m[i].from);
	return INTERN(c, shapes, (uint32_t)h, same_shape, shape, shapes, shape);
}

static bool same_path(const void *ctx, uint32_t id)
{
	const struct seek *k = ctx;
	const struct cpath *a = k->item, *b = &k->s->paths.v[id];

	return a->of == b->of && a->sym == b->sym && a->var == b->var;
}

uint32_t compile_path(struct compiler *c, uint32_t of, uint32_t sym, enum ast_var var)
{
	struct cpath p = { .of = of, .sym = sym, .var = (uint8_t)var };
	uint32_t h = (uint32_t)hash_u64(hash_u64(c->s->seed, of), (uint64_t)sym << 8 | var);

	return INTERN(c, paths, h, same_path, &p, paths, p);
}

/* Whether code equals that which was emitted last. Jumps are compared by how far they lead. */
static bool same_code(const void *ctx, uint32_t id)
{
	const struct seek *k = ctx;
	const struct cedar_snapshot *s = k->s;
	uint32_t pc = *(const uint32_t *)k->item, n = s->code.n - pc;
	uint32_t from = s->conjuncts.v[id].pc;

	for (uint32_t i = 0; i < n; i++) {
		const struct insn *a = &s->code.v[pc + i], *b = &s->code.v[from + i];

		if (a->op != b->op || a->a != b->a)
			return false;
		if (op_jumps((enum op)a->op) ? a->c - pc != b->c - from : a->c != b->c)
			return false;
	}
	return true; /* both end here: OP_END stands only at the end */
}

uint32_t compile_end(struct compiler *c, uint32_t pc)
{
	struct cedar_snapshot *s = c->s;
	struct seek k = { s, &pc };
	uint64_t h = s->seed;
	uint32_t id;

	if (c->r < 0)
		return 0;
	for (uint32_t i = pc; i < s->code.n; i++) {
		const struct insn *in = &s->code.v[i];

		h = hash_u64(h, (uint64_t)in->op << 40 | (uint64_t)in->a << 32 |
					(op_jumps((enum op)in->op) ? in->c - pc : in->c));
	}
	id = pool_find(&c->conjuncts, (uint32_t)h, same_code, &k);
	if (id != POOL_NONE) {
		s->code.n = pc;
		return id;
	}
	id = s->conjuncts.n;
	c->r = vec_push(&s->conjuncts, ((struct cconjunct){ .pc = pc, .varies = c->varies }));
	if (c->r == 0)
		c->r = pool_add(&c->conjuncts, (uint32_t)h, id);
	return id;
}
