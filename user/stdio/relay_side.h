/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_STDIO_RELAY_SIDE_H
#define TOLLGATE_STDIO_RELAY_SIDE_H

#include "user/base/buf.h"
#include "user/base/loop.h"
#include "user/stdio/relay.h"
#include "user/stdio/relay_io.h"

/* The inside of a relay, shared by relay.c (the loop and the owner's calls), relay_in.c and relay_out.c. */

#define SCRATCH_SIZE 65536 /* a pipe's default capacity: one read empties it */
#define IDLE_KEEP 2048 /* bytes of buffer that an idle direction may keep */

struct held {
	struct held *next;
	uint64_t mark;
	size_t n;
	char bytes[];
};

struct side {
	struct stdio_relay *relay;
	enum stdio_dir dir;
	struct relay_io in, out;
	struct loop_io *in_io, *out_io;
	struct buf pending; /* read, not yet delivered */
	size_t scanned; /* bytes of pending without a newline */
	struct buf queue; /* sent, not yet written */
	struct held *held, **held_end;
	size_t held_bytes;
	uint64_t released;
	const char *cork; /* sent during this delivery, contiguous in the window */
	size_t cork_n;
	bool paused; /* by the owner */
	bool ended; /* end of input read */
	bool told; /* eof() called */
	bool discarding;
	bool finishing; /* the owner sends no more */
	bool done; /* nothing can or will be written */
};

struct stdio_relay {
	struct loop *loop;
	const struct stdio_relay_ops *ops;
	void *arg;
	size_t line_max;
	struct side side[2];
	struct { /* the bytes that are being delivered: they outlive the callbacks */
		const char *p;
		size_t n;
	} window;
	int error;
	unsigned busy;
	bool freed, told;
};

/* --- relay_out.c */

/* Closes what a direction still has open; its sender learns that the receiver is gone by its next write. What
 * was read stays until the round ends: the owner may be looking at it. */
void side_done(struct side *s);
void side_stop_input(struct side *s);
void relay_close_all(struct stdio_relay *r);
/* Ends the conversation with an error. */
void relay_fail(struct stdio_relay *r, int error);

size_t relay_hard_limit(const struct stdio_relay *r);
/* Bytes sent and not yet written. */
size_t side_queued(const struct side *s);
/* Half-closes when the owner is finished and everything is out. */
void side_maybe_half_close(struct side *s);
/* Writes bytes: those of the window together with their neighbours at its end. 0 or -errno. */
int side_send_now(struct side *s, const char *p, size_t n);
int side_uncork(struct side *s);
int side_hold(struct side *s, const char *p, size_t n, uint64_t mark);
void side_release_held(struct side *s);
void side_flush(struct side *s);

/* --- relay_in.c */

/* Nothing more is delivered. */
bool side_is_over(const struct side *s);
/* One read, and the delivery of what came. */
void side_read(struct side *s);
void side_deliver_pending(struct side *s);

#endif
