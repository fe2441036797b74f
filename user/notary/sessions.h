/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_SESSIONS_H
#define TOLLGATE_SESSIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "user/notary/view.h"

/*
 * The notary's end of every open session: which record must come next and who may send it. Changes are
 * tentative until the batch they belong to is on file, then committed; or taken back with it.
 */
struct session_table;

#define SESSION_OWNER_ANY (-1) /* known from the log; the first ring that goes on with it gets it */
#define SESSION_OWNER_SELF (-2)

enum session_answer {
	SESSION_FOLLOWS = 0,
	SESSION_BREAKS, /* sequence or previous hash is not the expected one */
	SESSION_FOREIGN, /* another ring's session */
	SESSION_TOO_MANY,
};

struct session_next {
	char id[40];
	uint64_t sequence;
	char prev[72];
};

int sessions_new(unsigned max, struct session_table **ret);
void sessions_free(struct session_table *t);

/* Judges a record of the owner. FOLLOWS and BREAKS move the session past it (an unknown session begins
 * with it); *ret_expected says what a record that BREAKS should have been. -ENOMEM possible. */
int sessions_see(struct session_table *t, const struct record_view *v, int owner,
		 struct session_next *ret_expected);

/* Is this record's session one that is open here? */
bool sessions_known(struct session_table *t, const struct record_view *v);

void sessions_commit(struct session_table *t);
void sessions_rollback(struct session_table *t);

/* An open session of the owner (SESSION_OWNER_ANY: of any), in no order. False when there is none. */
bool sessions_first(struct session_table *t, int owner, struct session_next *ret);
/* Ends a session whose session_end the notary itself puts into the batch. */
void sessions_end(struct session_table *t, const char *id);
uint64_t sessions_count(const struct session_table *t);

#endif
