/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_KERN_EVENTS_H
#define TOLLGATE_KERN_EVENTS_H

#include <stdint.h>

#include "bpf/abi.h"

struct kern;
struct kern_events;

/* Called for each event, in order per ring. The event is valid during the call. lost is how many of
 * this ring's events were lost just before this one: the callee then walks kern_stopped_each() and
 * kern_stdio_each(). */
typedef void (*kern_event_fn)(const struct tg_event *e, uint64_t lost, void *arg);

/* Consumer of both rings (exec and connect; stdio). Events that lie there from before are
 * delivered. */
int kern_events_open(struct kern *k, kern_event_fn fn, void *arg, struct kern_events **ret);
void kern_events_close(struct kern_events *e);

/* Readable when events wait; for the role's loop. Owned by e. */
int kern_events_fd(const struct kern_events *e);

/* Delivers what waits. Count or -errno. */
int kern_events_consume(struct kern_events *e);

/* How many were lost that no event has told of, and now count as told: a loss while what waits is delivered has no
 * event behind it. The caller then walks as above. Count or -errno. */
int64_t kern_events_lost(struct kern_events *e);

/* Delivers what waits, then says how many events have a number and neither came nor were counted as lost, beyond what
 * was said before. Believed when two calls have seen it: between them an event may be on its way. Count or -errno. */
int64_t kern_events_missing(struct kern_events *e);

#endif
