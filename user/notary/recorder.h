/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_RECORDER_H
#define TOLLGATE_RECORDER_H

#include <stdint.h>

#include "user/notary/chain.h"
#include "user/notary/record.h"
#include "user/notary/ring.h"

/* What a producer needs to record: ring, writer and the configured durability. One per process. */
struct recorder;

/* fd: the ring's memfd; wake: the notary's eventfd. Both borrowed. instance_key: see salt.h. */
int recorder_new(int fd, int wake, enum record_durability d, const uint8_t instance_key[SHA256_SIZE],
		 struct recorder **ret);
void recorder_free(struct recorder *w);

/* Begins a session: a fresh chain whose session_start carries rec (type is set here). */
int recorder_begin(struct recorder *w, struct chain *c, struct record *rec, uint64_t *ret_pos);

/* Records: builds the chain's next line, puts it into the ring, advances the chain. rec->durability is
 * set to the configured one. 0, or why nothing may be released (ring_push(), record_write()). */
int recorder_put(struct recorder *w, struct chain *c, struct record *rec, uint64_t *ret_pos);

/* 0 when the record ending at pos has the configured durability; -EAGAIN: ask again when the
 * producer's eventfd fires; else why nothing may be released. */
int recorder_settled(struct recorder *w, uint64_t pos);

/* 0 when a record of any size fits now; -EAGAIN: the producer's eventfd fires when space is freed. */
int recorder_room(struct recorder *w);

enum record_durability recorder_durability(const struct recorder *w);
/* 0, or the notary's standing error. */
int recorder_failed(const struct recorder *w);

#endif
