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

/* The node's facts again, under a new epoch. */
int note_epoch(struct gate_conv *c);

#endif
