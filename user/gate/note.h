/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_GATE_NOTE_H
#define TOLLGATE_GATE_NOTE_H

#include "user/gate/conv.h"
#include "user/notary/record.h"

/* A record with everything that a conversation's records have in common. Borrowed from the conversation. */
void note_init(struct record *rec, const struct gate_conv *c, enum record_type type,
	       enum record_decision decision);

/* Records and remembers the position in c->pos. 0, or why nothing may be released. */
int note_put(struct gate_conv *c, struct record *rec);

/* The session's first record: the node's facts under the present epoch. */
int note_begin(struct gate_conv *c);

/* Under a new epoch: ends the conversation's log session and begins another, whose first record has the new
 * facts and names the one before it. So no session's records were judged by two policies, and the root that
 * a claim and its evidence stand on states the one in force. epoch: the one that ends. On
 * failure nothing has changed. */
int note_segment(struct gate_conv *c, uint64_t epoch);

#endif
