/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_NET_SSE_H
#define TOLLGATE_NET_SSE_H

#include <stdbool.h>
#include <stddef.h>

#include "user/base/buf.h"
#include "user/base/span.h"
#include "user/net/conn.h"

/*
 * Server-sent events, WHATWG HTML 9.2.6: lines end in LF, CR or CRLF; an event ends with an empty
 * line. Zero-initialised is the start of a stream.
 * LIMIT: a client that also breaks lines at U+0085, U+2028 or U+2029 sees other lines than we do.
 */
struct sse {
	struct buf joined; /* data of more than one line */
	size_t scan; /* bytes of the pending event already looked at */
	bool line_open; /* a line has begun that has no end yet */
	bool started; /* the first bytes of the stream are past */
	bool after_cr; /* the last event ended in CR: an LF that follows belongs to it */
};

/* Takes the next event from the front of in, which must begin with the bytes not yet used. 1: *ret
 * is filled in and in[0..raw.n) is used; 0: no whole event. -ENOMEM. Spans are valid as long as in,
 * and data until the next call. */
int sse_next(struct sse *s, struct span in, struct net_event *ret);

/* What is left at the end of the stream as an incomplete event; 0 when nothing is left. */
int sse_last(struct sse *s, struct span in, struct net_event *ret);

void sse_done(struct sse *s);

/* Appends ev with its data lines replaced: the other lines stay, in order, before the data. */
int sse_render(const struct net_event *ev, struct span data, struct buf *out);

/* Appends a new event; type NULL leaves the event line out. */
int sse_write(const char *type, struct span data, struct buf *out);

#endif
