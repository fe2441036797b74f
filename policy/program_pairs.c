// SPDX-License-Identifier: Apache-2.0
/* Pairs: siblings that no switch can find, each with one threshold behind it. See struct cpairs. */
#include <stdlib.h>

#include "policy/program.h"

/* What the walk asks in another order must not fail for any value of the right type. */
static bool may_begin(const struct cnode *n)
{
	switch ((enum test_kind)n->kind) {
	case TEST_IN_RANGE:
		return true;
	case TEST_EQ:
	case TEST_LIKE:
	case TEST_CONTAINS:
		return n->negated;
	default:
		return false;
	}
}

/* Whether nothing but thresholds of one path lies behind a node. */
static bool begins_pairs(const struct cindex *ix, uint32_t at, const struct cnode *threshold)
{
	for (uint32_t b = at + 1; b < ix->nodes.v[at].skip; b = ix->nodes.v[b].skip) {
		const struct cnode *node = &ix->nodes.v[b];

		if (node->kind != TEST_LT || !program_same_question(node, threshold) || node->skip != b + 2)
			return false;
	}
	return ix->nodes.v[at].skip > at + 1;
}

uint32_t program_count_pairs(const struct cindex *ix, uint32_t at, uint32_t end, uint32_t *ret_end)
{
	const struct cnode *first = &ix->nodes.v[at];
	uint32_t n = 0;

	if (!may_begin(first))
		return 0;
	for (; at < end && program_same_question(first, &ix->nodes.v[at]) && begins_pairs(ix, at, first + 1); n++)
		at = ix->nodes.v[at].skip;
	*ret_end = at;
	return n;
}

struct item {
	int64_t num;
	struct cpair pair;
	struct cpair_nodes at;
};

static int by_threshold(const void *a, const void *b)
{
	const struct item *x = a, *y = b;

	if (x->num != y->num)
		return x->num < y->num ? -1 : 1;
	return (x->pair.policy > y->pair.policy) - (x->pair.policy < y->pair.policy);
}

static struct item item_of(const struct cindex *ix, uint32_t test, uint32_t threshold, uint32_t leaf)
{
	const struct cnode *n = &ix->nodes.v[test];
	struct item it = { .num = ix->nodes.v[threshold].num, .at = { test, threshold } };
	unsigned prefix = n->num & 0xff;

	it.pair.policy = ix->leaves.v[leaf];
	if (n->kind == TEST_IN_RANGE && n->tag) {
		it.pair.net = (uint32_t)(n->num >> 8);
		it.pair.mask = prefix ? UINT32_MAX << (32 - prefix) : 0;
	}
	return it;
}

static int add_pairs(struct cindex *ix, const struct item *v, uint32_t n)
{
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < n; i++) {
		r = vec_push(&ix->numbers, v[i].num);
		if (r == 0)
			r = vec_push(&ix->pairs, v[i].pair);
		if (r == 0)
			r = vec_push(&ix->pair_nodes, v[i].at);
	}
	return r;
}

int program_pairs(struct cedar_snapshot *s, uint32_t first, uint32_t end)
{
	struct cindex *ix = &s->index;
	struct cnode *node = &ix->nodes.v[first];
	struct cpairs set = { .pair = ix->pairs.n, .number = ix->numbers.n,
			      .node = first, .kind = node->kind, .num = node->num };
	VEC(struct item) items = { 0 };
	int r = 0;

	for (uint32_t a = first; r == 0 && a < end; a = ix->nodes.v[a].skip) {
		for (uint32_t b = a + 1; r == 0 && b < ix->nodes.v[a].skip; b += 2) {
			const struct cnode *emit = &ix->nodes.v[b + 1];

			for (uint32_t k = 0; r == 0 && k < emit->arg; k++)
				r = vec_push(&items, item_of(ix, a, b, emit->leaf + k));
		}
	}
	if (r == 0) {
		heap_sort(items.v, items.n, sizeof(*items.v), by_threshold);
		r = add_pairs(ix, items.v, items.n);
	}
	set.n = items.n;
	free(items.v);
	if (r < 0)
		return r;
	node->kind = NODE_PAIRS;
	node->skip = end;
	node->sw = ix->pair_sets.n;
	return vec_push(&ix->pair_sets, set);
}
