/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_POLICY_MATCHER_H
#define TOLLGATE_POLICY_MATCHER_H

#include "policy/mem.h"
#include "policy/pattern.h"

/* Many patterns against one string at once. A literal part of each is sought by an automaton (Aho
 * and Corasick; for parts at the front a plain trie), and what is found is then matched whole. */
struct cmatcher;

/* For the patterns all[ids[0..n]]; *ret is NULL when the automaton would be too large. 0 or
 * -ENOMEM. */
int matcher_new(struct arena *mem, const struct pattern *all, const uint32_t *ids, uint32_t n,
		struct cmatcher **ret);
uint32_t matcher_count(const struct cmatcher *m); /* its patterns */
/* Which of them match; ret has room for all, tried for a bit of each. Returns how many. Linear in
 * the string, but for the patterns whose parts are found, each of which is matched once. */
uint32_t matcher_run(const struct cmatcher *m, const struct pattern *all, struct span s,
		     uint64_t *tried, uint32_t *ret);

#endif
