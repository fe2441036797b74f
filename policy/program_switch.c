// SPDX-License-Identifier: Apache-2.0
/*
 * Switches: siblings of a program that ask the same path are looked up instead of asked one by one.
 * The first of them gives its place to the switch; the others are reached through it only.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "policy/matcher.h"
#include "policy/program.h"

/* From how many siblings on looking up beats asking each. */
#define SWITCH_MIN 5
#define SWITCH_LIKE_MIN 4 /* among the patterns of a path that has a matcher */
#define MATCHER_MIN 4
/* Switches within switches: each is a call deeper. Beyond, siblings are asked one by one. */
#define SWITCH_NESTING_MAX 32

/* --- matchers --------------------------------------------------------------------------------- */

static int add_matcher(struct cedar_snapshot *s, uint32_t path, const uint32_t *ids, uint32_t n)
{
	struct cmatcher *m;
	int r = matcher_new(&s->mem, s->patterns.v, ids, n, &m);

	if (r < 0 || !m)
		return r;
	r = vec_push(&s->matchers, m);
	if (r == 0)
		s->paths.v[path].matcher = s->matchers.n;
	return r;
}

int program_matchers(struct cedar_snapshot *s, const struct ranked *r)
{
	uint32_t *ids = calloc((size_t)r->n_tests + 1, sizeof(*ids)), first = 0;
	int err = ids ? 0 : -ENOMEM;

	/* Ranks put the patterns of one path side by side. */
	while (err == 0 && first < r->n_tests) {
		const struct ctest *t = &r->tests[first];
		uint32_t n = 0;

		for (; t->kind == TEST_LIKE && !t->negated && first + n < r->n_tests; n++) {
			const struct ctest *u = &r->tests[first + n];

			if (u->kind != TEST_LIKE || u->negated || u->path != t->path)
				break;
			ids[n] = u->arg;
		}
		if (n >= MATCHER_MIN)
			err = add_matcher(s, t->path, ids, n);
		first += n ? n : 1;
	}
	free(ids);
	return err;
}

/* --- switches --------------------------------------------------------------------------------- */

static enum test_kind switch_of(const struct cedar_snapshot *s, const struct cnode *n)
{
	if (n->negated && n->kind != TEST_LT)
		return TEST_CODE;
	switch ((enum test_kind)n->kind) {
	case TEST_EQ:
		return NODE_SWITCH_EQ;
	case TEST_LT:
		return NODE_SWITCH_LT;
	case TEST_CONTAINS:
		return NODE_SWITCH_CONTAINS;
	case TEST_LIKE:
		return s->paths.v[n->path].matcher ? NODE_SWITCH_LIKE : TEST_CODE;
	case TEST_IN:
		return n->path == AST_PRINCIPAL || n->path == AST_RESOURCE ? NODE_SWITCH_IN
									   : TEST_CODE;
	default:
		return TEST_CODE;
	}
}

bool program_same_question(const struct cnode *a, const struct cnode *b)
{
	return a->kind == b->kind && a->path == b->path && a->negated == b->negated &&
	       a->tag == b->tag;
}

static uint32_t slot_key(const struct cedar_snapshot *s, const struct cnode *n)
{
	if (n->kind == TEST_EQ || n->kind == TEST_CONTAINS)
		return (uint32_t)cval_hash(s->seed, s->consts.v[n->arg]);
	return n->arg;
}

static int fill_sorted(struct cedar_snapshot *s, uint32_t first, struct cswitch *sw)
{
	struct cindex *ix = &s->index;
	uint32_t at = first;
	int r = 0;

	sw->number = ix->numbers.n;
	for (uint32_t i = 0; r == 0 && i < sw->n; i++, at = ix->nodes.v[at].skip) {
		const struct cnode *n = &ix->nodes.v[at];

		r = vec_push(&ix->numbers, n->num);
		if (r == 0)
			r = vec_push(&ix->slots, ((struct cslot){ 0, at + 1, n->skip }));
	}
	return r;
}

static int fill_table(struct cedar_snapshot *s, uint32_t first, struct cswitch *sw)
{
	struct cindex *ix = &s->index;
	uint32_t slots = 8, at = first;
	int r;

	while (slots / 2 < sw->n)
		slots *= 2;
	sw->mask = slots - 1;
	r = vec_reserve(&ix->slots, slots);
	if (r < 0)
		return r;
	memset(ix->slots.v + ix->slots.n, 0, slots * sizeof(struct cslot));
	ix->slots.n += slots;
	for (uint32_t i = 0; i < sw->n; i++, at = ix->nodes.v[at].skip) {
		const struct cnode *n = &ix->nodes.v[at];
		uint32_t key = slot_key(s, n), k = switch_hash(key) & sw->mask;

		while (ix->slots.v[sw->slot + k].end)
			k = (k + 1) & sw->mask;
		ix->slots.v[sw->slot + k] = (struct cslot){ key, at + 1, n->skip };
		sw->filter |= switch_bit(key);
	}
	return 0;
}

/* How many tests lie behind a node before its policies, when nothing branches off between. */
static uint32_t tail_length(const struct cindex *ix, uint32_t at)
{
	uint32_t end = ix->nodes.v[at].skip, n = 0;

	for (at++; ix->nodes.v[at].kind != NODE_EMIT; at++, n++) {
		if (ix->nodes.v[at].skip != end)
			return SWITCH_MIXED;
	}
	return at + 1 == end ? n : SWITCH_MIXED;
}

static bool same_test(const struct cnode *a, const struct cnode *b)
{
	return program_same_question(a, b) && a->arg == b->arg && a->num == b->num;
}

static uint32_t common_tail(const struct cindex *ix, uint32_t first, uint32_t n)
{
	uint32_t tail = tail_length(ix, first), at = first;

	for (uint32_t i = 1; i < n && tail != SWITCH_MIXED; i++) {
		at = ix->nodes.v[at].skip;
		if (tail_length(ix, at) != tail)
			return SWITCH_MIXED;
		for (uint32_t k = 1; k <= tail; k++) {
			if (!same_test(&ix->nodes.v[first + k], &ix->nodes.v[at + k]))
				return SWITCH_MIXED;
		}
	}
	return tail;
}

/* n siblings from first on become a switch of a kind. */
static int make_switch(struct cedar_snapshot *s, uint32_t first, uint32_t n, uint32_t end,
		       enum test_kind kind)
{
	struct cindex *ix = &s->index;
	struct cswitch sw = { .slot = ix->slots.n,
			      .n = n,
			      .first = first,
			      .tail = common_tail(ix, first, n) };
	int r = kind == NODE_SWITCH_LT ? fill_sorted(s, first, &sw) : fill_table(s, first, &sw);
	struct cnode *node = &ix->nodes.v[first];

	if (r < 0)
		return r;
	node->kind = (uint8_t)kind;
	node->skip = end;
	node->sw = ix->switches.n;
	return vec_push(&ix->switches, sw);
}

struct level { /* where the walk is: nodes up to end have the same parent */
	uint32_t end, nested;
	uint32_t made; /* siblings before this are in a switch, or were looked at */
};

/* How many siblings from at on ask the same; *ret_end is behind them. */
static uint32_t count_siblings(const struct cindex *ix, uint32_t at, uint32_t end,
			       uint32_t *ret_end)
{
	const struct cnode *first = &ix->nodes.v[at];
	uint32_t n = 0;

	for (; at < end && program_same_question(first, &ix->nodes.v[at]); at = ix->nodes.v[at].skip)
		n++;
	*ret_end = at;
	return n;
}

static void mark_last(struct cindex *ix, uint32_t first, uint32_t end)
{
	for (uint32_t at = first; at + 1 < end; at++) {
		struct cnode *n = &ix->nodes.v[at];

		n->last = n->kind < NODE_EMIT && n->skip == at + 2 && n[1].arg == 1;
	}
}

int program_switches(struct cedar_snapshot *s, uint32_t first, uint32_t end)
{
	struct cindex *ix = &s->index;
	VEC(struct level) levels = { 0 };
	int r = vec_push(&levels, ((struct level){ .end = end }));

	for (uint32_t at = first; r == 0 && at < end; at++) {
		struct cnode *n = &ix->nodes.v[at];
		struct level *l, below = { .end = n->skip };
		enum test_kind kind;
		uint32_t behind;

		while (levels.n > 1 && at >= levels.v[levels.n - 1].end)
			levels.n--;
		l = &levels.v[levels.n - 1];
		kind = switch_of(s, n);
		below.nested = l->nested + (at < l->made);
		if (kind != TEST_CODE && at >= l->made && l->nested < SWITCH_NESTING_MAX) {
			uint32_t k = count_siblings(ix, at, l->end, &behind);

			if (k >= (kind == NODE_SWITCH_LIKE ? SWITCH_LIKE_MIN : SWITCH_MIN)) {
				l->made = behind;
				below.nested++;
				r = make_switch(s, at, k, behind, kind);
			}
		} else if (at >= l->made && program_count_pairs(ix, at, l->end, &behind) >= SWITCH_MIN) {
			/* What lies in it is not walked; and no tail of a switch has siblings in it. */
			r = program_pairs(s, at, behind);
			at = behind - 1;
			continue;
		}
		if (r == 0 && below.end > at + 1)
			r = vec_push(&levels, below);
	}
	free(levels.v);
	mark_last(ix, first, end);
	return r;
}
