/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_STDIO_RELAY_H
#define TOLLGATE_STDIO_RELAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct loop;
struct stdio_relay;

#define STDIO_LINE_MAX (16u << 20) /* bytes of one line with its newline; architecture page */
#define STDIO_QUEUE_HIGH (256u << 10) /* above this the side that feeds a queue is not read */

enum stdio_dir {
	STDIO_TO_SERVER = 0, /* orig_in -> to_server */
	STDIO_TO_HOST = 1, /* from_server -> orig_out */
};

enum stdio_end {
	STDIO_END_EOF = 0, /* both directions ended in order */
	STDIO_END_ERROR, /* input or output failed, or memory; -errno in stdio_relay_error() */
};

/*
 * What the owner is told. Bytes are valid during the call only. In every callback the owner may send,
 * hold, finish and free. An owner that does nothing forwards nothing.
 */
struct stdio_relay_ops {
	/* One line with its newline; the last one of a direction may lack it. An empty line is a line. */
	void (*line)(struct stdio_relay *r, enum stdio_dir dir, const char *p, size_t n, void *arg);
	/* A line over the limit: called once, before its bytes. */
	void (*overlong)(struct stdio_relay *r, enum stdio_dir dir, void *arg);
	/* Its bytes from the first on, in pieces, none forwarded; end with the piece that has the newline
	 * or at end of input (then perhaps without bytes). May be NULL. */
	void (*discarded)(struct stdio_relay *r, enum stdio_dir dir, const char *p, size_t n, bool end,
			  void *arg);
	/* No more input in this direction. The owner calls stdio_relay_finish() at once or when its last
	 * decision is made. Not called for a direction whose receiver went away first. */
	void (*eof)(struct stdio_relay *r, enum stdio_dir dir, void *arg);
	/* Both directions are over, or the conversation failed; nothing is called after this. The owner
	 * frees the relay here or later. */
	void (*closed)(struct stdio_relay *r, enum stdio_end end, void *arg);
	/* The first n bytes of the next line of this direction, which has not ended yet; they are told anew with each
	 * read that brought more, and do not change. Here the owner may only look. May be NULL. */
	void (*partial)(struct stdio_relay *r, enum stdio_dir dir, const char *p, size_t n, void *arg);
};

struct stdio_relay_fds {
	int orig_in, orig_out, to_server, from_server;
};

/*
 * One conversation on the loop. Takes the four descriptors on success only. Sockets are used with
 * MSG_DONTWAIT, pipes must be O_NONBLOCK or on a kernel where RWF_NOWAIT works on them (6.4 and later,
 * seen on 6.18), else -EOPNOTSUPP: flags of a description that others may share are never changed.
 * line_max 0: STDIO_LINE_MAX. The process must ignore SIGPIPE. 0 or -errno.
 */
int stdio_relay_new(struct loop *l, const struct stdio_relay_fds *fds, size_t line_max,
		    const struct stdio_relay_ops *ops, void *arg, struct stdio_relay **ret);

/* Ends the conversation at once: host and server see their descriptors closed. Safe in any callback. */
void stdio_relay_free(struct stdio_relay *r);

/* Sends bytes in a direction, behind what was sent before: written at once, what does not fit is copied
 * and queued. 0; -EPIPE the receiver is gone (bytes dropped); -ENOBUFS the queue is at its hard limit:
 * the owner ends the conversation. */
int stdio_relay_send(struct stdio_relay *r, enum stdio_dir dir, const char *p, size_t n);

/* The same, but the bytes (copied) leave only when stdio_relay_release() has reached mark; what is sent
 * later waits behind them. For messages whose record is not yet durable. */
int stdio_relay_send_held(struct stdio_relay *r, enum stdio_dir dir, const char *p, size_t n,
			  uint64_t mark);
void stdio_relay_release(struct stdio_relay *r, enum stdio_dir dir, uint64_t mark);

/* While paused no line of this direction is delivered, and soon none is read. */
void stdio_relay_pause(struct stdio_relay *r, enum stdio_dir dir, bool paused);

/* Nothing more will be sent in this direction: once the queue is out the receiver sees end of input. */
void stdio_relay_finish(struct stdio_relay *r, enum stdio_dir dir);

/* Bytes waiting to be written in a direction; what failed (0 or -errno). */
size_t stdio_relay_queued(const struct stdio_relay *r, enum stdio_dir dir);
int stdio_relay_error(const struct stdio_relay *r);

#endif
