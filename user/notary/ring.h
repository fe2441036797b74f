/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_RING_H
#define TOLLGATE_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "user/base/span.h"
#include "user/notary/record.h"

/*
 * One-producer, one-consumer byte ring in a memfd that the keeper keeps alive. The producer (a proxy,
 * the supervisor) is the less trusted side: the consumer copies a frame out before it looks at it and
 * re-validates every number it reads. Either side may die and attach again: a frame is visible only
 * when the head moved over it, and space is free only when the consumer has written it to the log.
 *
 * Positions count bytes since the ring was made; they never wrap in practice (2^64).
 */
struct ring;

#define RING_SIZE_MIN (1u << 17) /* two records of the largest size, rounded up */
#define RING_SIZE_MAX (1u << 28)
#define RING_SIZE_DEFAULT (4u << 20) /* some 2,500 records: a notary restart at full load */

enum ring_side { RING_PRODUCER, RING_CONSUMER };

/* Makes an empty ring of size bytes (a power of two); returns a memfd whose size is sealed. */
int ring_create(size_t size, int *ret_fd);

/* Maps a ring. fd is borrowed. peer_wake: eventfd to write when the other side must wake (borrowed,
 * may be -1). -EPROTO when the header is not a sound ring or the size is not sealed. */
int ring_attach(int fd, enum ring_side side, int peer_wake, struct ring **ret);
void ring_free(struct ring *r);

/* --- producer --- */

/* Puts one record in whole and gives the position after it, for ring_reached(). Wakes the consumer
 * only when it sleeps, or naps while the ring is over a quarter full. -ENOBUFS when full, -EMSGSIZE
 * over RECORD_MAX, -EINVAL when empty, or the consumer's standing error (-ENOSPC: log disk full;
 * -EBADMSG: this producer was found faulty; -EIO ...): then nothing may be released. */
int ring_push(struct ring *r, struct span rec, uint64_t *ret_pos);

/* 0 when everything up to pos has the durability; -EAGAIN when not yet: the consumer is woken and will
 * write our eventfd on progress (ask again then). Or the consumer's standing error. */
int ring_reached(struct ring *r, uint64_t pos, enum record_durability d);

/* 0 when n bytes of record fit now; -EAGAIN: our eventfd is written when space is freed. */
int ring_space(struct ring *r, size_t n);

/* The consumer's standing error, 0 when it works. */
int ring_failed(const struct ring *r);

/* --- consumer --- */

/* Copies the next record into dst (of at least RECORD_MAX bytes). 0; -EAGAIN when there is none;
 * -EBADMSG when head or frame is not sound: the producer is faulty, see ring_reset(). */
int ring_take(struct ring *r, void *dst, size_t *ret_n);
/* Position up to which ring_take() has gone; and up to which the producer says it has pushed. */
uint64_t ring_taken(const struct ring *r);
uint64_t ring_head(const struct ring *r);
/* Goes back to the last published position, when what was taken could not be stored. */
void ring_untake(struct ring *r);

/* Everything taken up to pos is written, or synced. Written frees the space. Wakes a waiting producer. */
void ring_publish(struct ring *r, uint64_t pos, enum record_durability d);

/* Publishes a standing error (negative errno) that every push and wait returns; 0 clears it. */
void ring_fail(struct ring *r, int error);

/* Drops everything up to the present head and clears the error: for a producer that was restarted. */
void ring_reset(struct ring *r);

/* How the consumer is about to wait: awake, nap (a timer brings it back soon) or asleep. -EAGAIN: do not wait, as
 * records are there already; before a nap only when they fill a quarter of the ring or the producer waits for them. */
enum ring_rest { RING_AWAKE = 0, RING_NAP, RING_ASLEEP };
int ring_rest(struct ring *r, enum ring_rest how);

#endif
