/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_POLICY_EXPLAIN_H
#define TOLLGATE_POLICY_EXPLAIN_H

/*
 * Why policies hold for a request or do not. Each policy is taken apart into its scope and its conjuncts,
 * as conditions are split at && (within unless, at ||); each of them becomes a policy of a snapshot of
 * their own, which is asked in place of the real one. For people and tests: it answers in milliseconds.
 */

#include "policy/cedar.h"
#include "user/base/buf.h"

#define CEDAR_WHY_VALUES_MAX 8 /* of one conjunct; it says nothing of those beyond */
#define CEDAR_WHY_VALUE_MAX 200 /* bytes of a value shown */

enum cedar_standing {
	CEDAR_OUT_OF_SCOPE = 0,
	CEDAR_HOLDS,
	CEDAR_CONJUNCT_FALSE,
	CEDAR_CONJUNCT_FAILED, /* error says how; no failure of the answer where a conjunct before it depends */
	CEDAR_CONJUNCT_DEPENDS, /* on a value that is not known yet, and none behind it ends the matter */
};

struct cedar_why {
	const char *name; /* @id, else policyN */
	enum cedar_effect effect;
	const char *text_name;
	uint32_t line, column; /* where the policy begins */
	enum cedar_standing standing;

	/* Of the first conjunct that does not hold; empty without one. */
	bool unless; /* its negation is what must hold */
	struct buf conjunct; /* its text */
	char error[CEDAR_MESSAGE_MAX];
	uint32_t n_values;
	struct {
		struct buf path, value; /* "context.input.path", "\"/etc\""; a value that is not there: "absent" */
	} values[CEDAR_WHY_VALUES_MAX];
};

void cedar_why_done(struct cedar_why *w);
#define _cleanup_why_ _cleanup_(cedar_why_done)

struct cedar_pieces;

/* The policies must live as long as the pieces; entities (NULL: none) need not. As cedar_snapshot_new(). */
int cedar_pieces_new(const struct cedar_policies *ps, const struct cedar_entities *es, struct cedar_error *error,
		     struct cedar_pieces **ret);
void cedar_pieces_free(struct cedar_pieces *p);
DEFINE_CLEANUP(struct cedar_pieces *, cedar_pieces_free)

/* Requests are begun with this in place of the real one. */
struct cedar_snapshot *cedar_pieces_snapshot(const struct cedar_pieces *p);

/* Asks about a request that was told; then cedar_pieces_why() says what came of each policy, by its index
 * in the set, until the next cedar_request_begin(). As cedar_authorize(); -ENOENT without such a policy. */
int cedar_pieces_ask(struct cedar_pieces *p, struct cedar_request *rq);
int cedar_pieces_why(const struct cedar_pieces *p, struct cedar_request *rq, size_t policy, struct cedar_why *ret);

#endif
