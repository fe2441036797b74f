// SPDX-License-Identifier: Apache-2.0
/*
 * Policies into programs: each policy is the list of its tests, first what its scope still asks,
 * then its conjuncts in order; sorted lists share their beginnings.
 */
#include "policy/program.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "policy/pool.h"

/* --- ranks ------------------------------------------------------------------------------------ */

struct rank_item {
	struct ctest test;
	uint32_t id;
};

static int test_cmp(const struct ctest *a, const struct ctest *b)
{
	if (a->kind != b->kind)
		return a->kind < b->kind ? -1 : 1;
	if (a->path != b->path)
		return a->path < b->path ? -1 : 1;
	if (a->negated != b->negated)
		return a->negated < b->negated ? -1 : 1;
	if (a->tag != b->tag)
		return a->tag < b->tag ? -1 : 1;
	if (a->num != b->num)
		return a->num < b->num ? -1 : 1;
	return (a->arg > b->arg) - (a->arg < b->arg);
}

static int by_test(const void *a, const void *b)
{
	return test_cmp(&((const struct rank_item *)a)->test, &((const struct rank_item *)b)->test);
}

struct ranking {
	struct pool pool;
	uint64_t seed;
	VEC(struct rank_item) items;
	VEC(uint32_t) test; /* items until they are ranked */
	const struct ctest *sought;
};

static bool same_item(const void *ctx, uint32_t id)
{
	const struct ranking *k = ctx;

	return test_cmp(k->sought, &k->items.v[id].test) == 0;
}

static int add_test(struct ranking *k, const struct ctest *t)
{
	uint64_t h = hash_u64(k->seed, (uint64_t)t->kind << 56 | (uint64_t)t->negated << 48 |
					       (uint64_t)t->tag << 40 | t->path);
	uint32_t id;
	int r = 0;

	h = hash_u64(h, (uint64_t)t->num ^ (uint64_t)t->arg << 32);
	k->sought = t;
	id = pool_find(&k->pool, (uint32_t)h, same_item, k);
	if (id == POOL_NONE) {
		id = k->items.n;
		r = vec_push(&k->items, ((struct rank_item){ *t, id }));
		if (r == 0)
			r = pool_add(&k->pool, (uint32_t)h, id);
	}
	return r < 0 ? r : vec_push(&k->test, id);
}

/* What is left of one side of the scope; it cannot fail, so its place before the conjuncts is
 * free. */
static int add_scope(struct ranking *k, const struct cscope *c, uint32_t path, bool known)
{
	struct ctest type = { .kind = TEST_IS, .path = path, .arg = c->type };
	struct ctest in = { .kind = TEST_IN, .path = path, .arg = c->uid };
	enum ast_scope_op op = (enum ast_scope_op)c->op;
	int r = 0;

	if (op == AST_SCOPE_IS || op == AST_SCOPE_IS_IN)
		r = add_test(k, &type);
	if (r < 0 || known || op == AST_ANY || op == AST_SCOPE_IS)
		return r;
	in.negated = 0;
	in.tag = op == AST_SCOPE_EQ; /* itself, not those below it */
	return add_test(k, &in);
}

static int add_policy(struct ranking *k, const struct cedar_snapshot *s, const struct cpolicy *p,
		      uint8_t known)
{
	int r = add_scope(k, &p->principal, AST_PRINCIPAL, known & RANK_PRINCIPAL);

	if (r == 0)
		r = add_scope(k, &p->resource, AST_RESOURCE, known & RANK_RESOURCE);
	for (uint32_t i = 0; r == 0 && i < p->n_parts; i++) {
		const struct ctest *t = &s->conjuncts.v[s->parts.v[p->part + i].conjunct].test;

		if (t->kind == TEST_FALSE && t->negated)
			continue;
		r = add_test(k, t);
		if (t->kind == TEST_FALSE)
			break;
	}
	return r;
}

static int finish(struct ranking *k, struct ranked *ret)
{
	uint32_t *rank = calloc((size_t)k->items.n + 1, sizeof(*rank));

	ret->tests = calloc((size_t)k->items.n + 1, sizeof(*ret->tests));
	if (!rank || !ret->tests) {
		free(rank);
		return -ENOMEM;
	}
	heap_sort(k->items.v, k->items.n, sizeof(*k->items.v), by_test);
	for (uint32_t i = 0; i < k->items.n; i++) {
		ret->tests[i] = k->items.v[i].test;
		rank[k->items.v[i].id] = i;
	}
	for (uint32_t i = 0; i < k->test.n; i++)
		k->test.v[i] = rank[k->test.v[i]];
	free(rank);
	ret->n_tests = k->items.n;
	ret->test = k->test.v;
	k->test.v = NULL;
	return 0;
}

int program_rank(struct cedar_snapshot *s, const uint8_t *skip, struct ranked *ret)
{
	struct ranking k = { .seed = s->seed };
	int r = 0;

	*ret = (struct ranked){ .first = calloc((size_t)s->policies.n + 1, sizeof(uint32_t)) };
	if (!ret->first)
		return -ENOMEM;
	for (uint32_t i = 0; r == 0 && i < s->policies.n; i++) {
		ret->first[i] = k.test.n;
		r = add_policy(&k, s, &s->policies.v[i], skip[i]);
	}
	ret->first[s->policies.n] = k.test.n;
	if (r == 0)
		r = finish(&k, ret);
	pool_done(&k.pool);
	free(k.items.v);
	free(k.test.v);
	if (r < 0)
		program_rank_done(ret);
	return r;
}

void program_rank_done(struct ranked *r)
{
	free(r->tests);
	free(r->test);
	free(r->first);
	*r = (struct ranked){ 0 };
}

/* --- tries ------------------------------------------------------------------------------------ */

int program_order(const void *a, const void *b)
{
	const struct placed *x = a, *y = b;
	uint32_t n = x->n_tests < y->n_tests ? x->n_tests : y->n_tests;

	if (x->id != y->id)
		return x->id < y->id ? -1 : 1;
	if (x->forbid_first != y->forbid_first)
		return x->forbid_first < y->forbid_first ? -1 : 1;
	for (uint32_t i = 0; i < n; i++) {
		if (x->test[i] != y->test[i])
			return x->test[i] < y->test[i] ? -1 : 1;
	}
	if (x->n_tests != y->n_tests)
		return x->n_tests < y->n_tests ? -1 : 1;
	return (x->policy > y->policy) - (x->policy < y->policy);
}

struct builder {
	struct cedar_snapshot *s;
	const struct ranked *r;
	VEC(uint32_t) open; /* nodes that the last policy lies behind */
};

static void close_to(struct builder *b, uint32_t depth)
{
	struct cindex *ix = &b->s->index;

	while (b->open.n > depth)
		ix->nodes.v[b->open.v[--b->open.n]].skip = ix->nodes.n;
}

static int open_test(struct builder *b, const struct ctest *t)
{
	struct cindex *ix = &b->s->index;
	struct cnode n = { .kind = t->kind, .negated = t->negated, .tag = t->tag, .path = t->path,
			   .arg = t->arg,   .leaf = ix->leaves.n,  .num = t->num };
	int r = vec_push(&b->open, ix->nodes.n);

	return r < 0 ? r : vec_push(&ix->nodes, n);
}

static int add_leaf(struct builder *b, const struct placed *p, bool with_last)
{
	struct cindex *ix = &b->s->index;
	struct cnode n = { .kind = NODE_EMIT, .arg = 1, .leaf = ix->leaves.n,
			   .skip = ix->nodes.n + 1 };
	int r = vec_push(&ix->leaves, p->policy);

	if (r == 0 && with_last)
		ix->nodes.v[ix->nodes.n - 1].arg++;
	else if (r == 0)
		r = vec_push(&ix->nodes, n);
	return r;
}

static int add_half(struct builder *b, const struct placed *p, uint32_t n)
{
	uint32_t first = b->s->index.nodes.n;
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < n; i++) {
		uint32_t same = 0, most = i ? p[i - 1].n_tests : 0;

		while (same < most && same < p[i].n_tests &&
		       p[i].test[same] == p[i - 1].test[same])
			same++;
		close_to(b, same);
		for (uint32_t k = same; r == 0 && k < p[i].n_tests; k++)
			r = open_test(b, &b->r->tests[p[i].test[k]]);
		if (r == 0)
			r = add_leaf(b, &p[i], i && same == most && same == p[i].n_tests);
	}
	if (r < 0) /* what is open last may not be there */
		return r;
	close_to(b, 0);
	return program_switches(b->s, first, b->s->index.nodes.n);
}

int program_build(struct cedar_snapshot *s, const struct ranked *r, const struct placed *p,
		  uint32_t n, struct cprogram *ret)
{
	struct builder b = { .s = s, .r = r };
	struct cprogram pr = { .first = s->index.nodes.n };
	uint32_t forbids = 0;
	int err;

	while (forbids < n && p[forbids].forbid_first == 0)
		forbids++;
	err = add_half(&b, p, forbids);
	pr.permits = s->index.nodes.n;
	if (err == 0)
		err = add_half(&b, p + forbids, n - forbids);
	pr.end = s->index.nodes.n;
	free(b.open.v);
	if (err == 0)
		*ret = pr;
	return err;
}
