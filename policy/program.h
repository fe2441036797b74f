/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_POLICY_PROGRAM_H
#define TOLLGATE_POLICY_PROGRAM_H

#include "policy/snapshot.h"

/* A policy on its way into a program: its tests by rank, in order. Equal tests have equal ranks;
 * ranks that follow each other ask the same path where that can be. */
struct placed {
	uint64_t id; /* which program: index_bucket_id() */
	const uint32_t *test;
	uint32_t n_tests;
	uint32_t policy;
	uint32_t forbid_first; /* 0: forbid, 1: permit */
};

/* All tests of a snapshot's policies. */
struct ranked {
	struct ctest *tests; /* by rank */
	uint32_t n_tests;
	uint32_t *test; /* ranks, policy after policy */
	uint32_t *first; /* of each policy, in test; one more at the end */
};

/* Bits of what a scope says that the place in the index does not say already. */
enum { RANK_PRINCIPAL = 1, RANK_RESOURCE = 2 };

/* Ranks the tests: of the sides of the scope in skip[policy] the entity is not asked for again. 0
 * or -ENOMEM. */
int program_rank(struct cedar_snapshot *s, const uint8_t *skip, struct ranked *ret);
void program_rank_done(struct ranked *r);

/* Builds the program of policies that are sorted by forbid_first and tests. 0 or -ENOMEM. */
int program_build(struct cedar_snapshot *s, const struct ranked *r, const struct placed *p,
		  uint32_t n, struct cprogram *ret);
/* By id, then as program_build() wants them. */
int program_order(const void *a, const void *b);

/* program_switch.c: matchers for the paths that many patterns are matched against; then switches
 * among the nodes from first to end. 0 or -ENOMEM. */
int program_matchers(struct cedar_snapshot *s, const struct ranked *r);
int program_switches(struct cedar_snapshot *s, uint32_t first, uint32_t end);

/* program_pairs.c: how many siblings from at on begin pairs of one kind; *ret_end is behind them.
 * Then those become a node of pairs; 0 or -ENOMEM. */
uint32_t program_count_pairs(const struct cindex *ix, uint32_t at, uint32_t end, uint32_t *ret_end);
int program_pairs(struct cedar_snapshot *s, uint32_t first, uint32_t end);
/* Whether two tests differ in nothing but what they compare with. */
bool program_same_question(const struct cnode *a, const struct cnode *b);

#endif
