// SPDX-License-Identifier: Apache-2.0
/*
 * One conversation over four descriptors: lines in, whatever the owner sends out. Runs in the proxy; both
 * sides are hostile. It never blocks, never changes the flags of a description, and forwards nothing on
 * its own.
 *
 * The fast case is one read into a buffer that all conversations share, the owner's decision, and one
 * write of the same bytes: lines that the owner sends on unchanged from one read leave in one write.
 */
#include "user/stdio/relay.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "user/base/buf.h"
#include "user/base/loop.h"
#include "user/stdio/relay_io.h"

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

/* Of the one thread that runs relays in this role; valid during one delivery. */
static char scratch[SCRATCH_SIZE];

static struct side *other(struct side *s)
{
	return &s->relay->side[!s->dir];
}

static size_t queued(const struct side *s)
{
	return buf_len(&s->queue) + s->held_bytes + s->cork_n;
}

static size_t hard_limit(const struct stdio_relay *r)
{
	return 2 * r->line_max + STDIO_QUEUE_HIGH;
}

static void drop_queue(struct side *s)
{
	while (s->held) {
		struct held *h = s->held;

		s->held = h->next;
		free(h);
	}
	s->held_end = &s->held;
	s->held_bytes = 0;
	s->cork_n = 0;
	buf_done(&s->queue);
}

static void stop_input(struct side *s)
{
	loop_io_remove(s->in_io);
	s->in_io = NULL;
}

static void stop_output(struct side *s)
{
	loop_io_remove(s->out_io);
	s->out_io = NULL;
}

/* What was read stays until leave(): the owner may be looking at it. */
static void side_done(struct side *s)
{
	stop_input(s);
	stop_output(s);
	drop_queue(s);
	relay_io_close_in(&s->in);
	relay_io_close_out(&s->out);
	s->done = true;
}

static void close_all(struct stdio_relay *r)
{
	side_done(&r->side[0]);
	side_done(&r->side[1]);
}

static void fail(struct stdio_relay *r, int error)
{
	if (!r->error)
		r->error = error;
	close_all(r);
}

/* The receiver is gone: as without us, the sender learns it by its next write. */
static void receiver_gone(struct side *s)
{
	side_done(s);
}

/* Everything that was sent is out and the owner sends no more. A socket stays until its peer closes: it
 * may have shut down one direction only. */
static void half_close(struct side *s)
{
	s->done = true;
	if (!s->ended) {
		stop_input(s);
		relay_io_close_in(&s->in);
	}
	if (s->out.how == RELAY_IO_SOCKET) {
		relay_io_end_out(&s->out);
	} else {
		stop_output(s);
		relay_io_close_out(&s->out);
	}
}

static void maybe_half_close(struct side *s)
{
	if (s->finishing && !s->done && queued(s) == 0)
		half_close(s);
}

static void watch_output(struct side *s)
{
	if (s->out_io && loop_io_set(s->out_io, buf_len(&s->queue) ? EPOLLOUT : 0) < 0)
		fail(s->relay, -EIO);
}

/* Writes what can be written of p; the rest is queued. 0 or -errno. */
static int write_or_queue(struct side *s, const char *p, size_t n)
{
	ssize_t w = 0;
	int r;

	if (buf_len(&s->queue) == 0) {
		w = relay_io_write(&s->out, p, n);
		if (w == -EPIPE) {
			receiver_gone(s);
			return -EPIPE;
		}
		if (w < 0) {
			fail(s->relay, (int)w);
			return (int)w;
		}
	}
	if ((size_t)w == n)
		return 0;
	r = buf_append(&s->queue, p + w, n - (size_t)w);
	if (r < 0) {
		fail(s->relay, r);
		return r;
	}
	watch_output(s);
	return 0;
}

static int uncork(struct side *s)
{
	size_t n = s->cork_n;

	s->cork_n = 0;
	return n && !s->done ? write_or_queue(s, s->cork, n) : 0;
}

static void flush_queue(struct side *s)
{
	struct span q = buf_span(&s->queue);
	ssize_t w;

	if (q.n == 0 || s->done)
		return;
	w = relay_io_write(&s->out, q.p, q.n);
	if (w == -EPIPE) {
		receiver_gone(s);
	} else if (w < 0) {
		fail(s->relay, (int)w);
	} else {
		buf_consume(&s->queue, (size_t)w);
		buf_shrink(&s->queue, IDLE_KEEP);
		watch_output(s);
		maybe_half_close(s);
	}
}

/* Lines that are short enough to hold the queue's order are copied once, here. */
static int hold(struct side *s, const char *p, size_t n, uint64_t mark)
{
	struct held *h = malloc(sizeof(*h) + n);

	if (!h) {
		fail(s->relay, -ENOMEM);
		return -ENOMEM;
	}
	*h = (struct held){ .mark = mark, .n = n };
	memcpy(h->bytes, p, n);
	*s->held_end = h;
	s->held_end = &h->next;
	s->held_bytes += n;
	return 0;
}

static void release_held(struct side *s)
{
	while (s->held && s->held->mark <= s->released && !s->done) {
		struct held *h = s->held;

		s->held = h->next;
		if (!s->held)
			s->held_end = &s->held;
		s->held_bytes -= h->n;
		(void)write_or_queue(s, h->bytes, h->n);
		free(h);
	}
	maybe_half_close(s);
}

static bool in_window(const struct stdio_relay *r, const char *p, size_t n)
{
	return r->window.p && p >= r->window.p && n <= r->window.n &&
	       (size_t)(p - r->window.p) <= r->window.n - n;
}

static int send_now(struct side *s, const char *p, size_t n)
{
	int r;

	if (in_window(s->relay, p, n)) {
		if (s->cork_n && s->cork + s->cork_n == p) {
			s->cork_n += n;
			return 0;
		}
		r = uncork(s);
		if (r < 0)
			return r;
		s->cork = p;
		s->cork_n = n;
		return 0;
	}
	r = uncork(s);
	return r < 0 ? r : write_or_queue(s, p, n);
}

/* --- reading ------------------------------------------------------------------------------------ */

static bool is_over(const struct side *s)
{
	return s->relay->freed || s->relay->told || s->relay->error || s->done;
}

static void overlong_begins(struct side *s)
{
	struct stdio_relay *r = s->relay;

	s->discarding = true;
	if (r->ops->overlong)
		r->ops->overlong(r, s->dir, r->arg);
}

static void discard(struct side *s, const char *p, size_t n, bool end)
{
	struct stdio_relay *r = s->relay;

	if (end)
		s->discarding = false;
	if (r->ops->discarded && !is_over(s))
		r->ops->discarded(r, s->dir, p, n, end, r->arg);
}

/* Delivers lines of p until they end or the owner pauses; skip bytes are known to hold no newline.
 * Returns how many bytes were used up. */
static size_t deliver(struct side *s, const char *p, size_t n, size_t skip)
{
	struct stdio_relay *r = s->relay;
	size_t at = 0;

	r->window.p = p;
	r->window.n = n;
	while (at < n && !s->paused && !is_over(s)) {
		const char *nl = memchr(p + at + skip, '\n', n - at - skip);
		size_t len = nl ? (size_t)(nl + 1 - (p + at)) : n - at;

		skip = 0;
		if (!s->discarding && len > r->line_max)
			overlong_begins(s);
		if (s->discarding)
			discard(s, p + at, len, nl != NULL);
		else if (nl)
			r->ops->line(r, s->dir, p + at, len, r->arg);
		else
			break;
		at += len;
	}
	(void)uncork(&r->side[0]);
	(void)uncork(&r->side[1]);
	r->window.p = NULL;
	r->window.n = 0;
	return at;
}

static void deliver_end(struct side *s)
{
	struct stdio_relay *r = s->relay;
	struct span rest = buf_span(&s->pending);

	if (!s->ended || s->told || s->paused || is_over(s))
		return;
	s->told = true;
	if (s->discarding)
		discard(s, "", 0, true);
	else if (rest.n > 0)
		r->ops->line(r, s->dir, rest.p, rest.n, r->arg);
	buf_done(&s->pending);
	if (!is_over(s))
		r->ops->eof(r, s->dir, r->arg);
}

static void deliver_pending(struct side *s)
{
	struct span p = buf_span(&s->pending);
	size_t used;

	if (p.n > 0) {
		used = deliver(s, p.p, p.n, s->scanned);
		buf_consume(&s->pending, used);
		s->scanned = s->paused ? 0 : buf_len(&s->pending);
		buf_shrink(&s->pending, IDLE_KEEP);
	}
	deliver_end(s);
}

static void deliver_scratch(struct side *s, size_t n)
{
	size_t used = deliver(s, scratch, n, 0);
	int r;

	if (used == n || is_over(s))
		return;
	r = buf_append(&s->pending, scratch + used, n - used);
	if (r < 0)
		fail(s->relay, r);
	s->scanned = s->paused ? 0 : n - used;
}

static void read_some(struct side *s)
{
	bool direct = buf_len(&s->pending) == 0;
	char *to = scratch;
	ssize_t n;
	int r;

	if (!direct) {
		r = buf_reserve(&s->pending, SCRATCH_SIZE, &to);
		if (r < 0) {
			fail(s->relay, r);
			return;
		}
	}
	n = relay_io_read(&s->in, to, SCRATCH_SIZE);
	if (n == -EAGAIN)
		return;
	if (n < 0) {
		fail(s->relay, (int)n);
		return;
	}
	if (n == 0) {
		s->ended = true;
		stop_input(s);
		deliver_pending(s);
	} else if (direct) {
		deliver_scratch(s, (size_t)n);
	} else {
		buf_commit(&s->pending, (size_t)n);
		deliver_pending(s);
	}
}

/* --- the loop ----------------------------------------------------------------------------------- */

static void input_ready(struct loop_io *io, uint32_t events, void *arg);

/* A side that fills a queue which does not drain is not read. The host's requests may be answered by
 * denials into its own queue, so that one counts against it too; the other way round it would stop a
 * server from answering while the host's requests wait for it. */
static bool wants_input(struct side *s)
{
	if (s->ended || s->paused || is_over(s))
		return false;
	return queued(s) <= STDIO_QUEUE_HIGH &&
	       (s->dir == STDIO_TO_HOST || queued(other(s)) <= STDIO_QUEUE_HIGH);
}

static void watch_input(struct side *s)
{
	bool want = wants_input(s);
	int r;

	/* Not merely masked: a hang-up is reported regardless and would spin. */
	if (!want && s->in_io)
		stop_input(s);
	if (want && !s->in_io) {
		r = loop_io_add(s->relay->loop, s->in.fd, EPOLLIN, input_ready, s, &s->in_io);
		if (r < 0)
			fail(s->relay, r);
	}
}

static void destroy(struct stdio_relay *r)
{
	close_all(r);
	buf_done(&r->side[0].pending);
	buf_done(&r->side[1].pending);
	free(r);
}

static void enter(struct stdio_relay *r)
{
	r->busy++;
}

static void leave(struct stdio_relay *r)
{
	if (r->busy > 1) {
		r->busy--;
		return;
	}
	if (!r->freed && !r->told) {
		watch_input(&r->side[0]);
		watch_input(&r->side[1]);
		if (r->side[0].done && r->side[1].done) {
			close_all(r); /* also the ends that were only half closed */
			r->told = true;
			r->ops->closed(r, r->error ? STDIO_END_ERROR : STDIO_END_EOF, r->arg);
		}
	}
	for (int i = 0; i < 2; i++)
		if (r->side[i].done)
			buf_done(&r->side[i].pending);
	r->busy--;
	if (r->freed)
		destroy(r);
}

static void input_ready(struct loop_io *io, uint32_t events, void *arg)
{
	struct side *s = arg;

	(void)io;
	(void)events;
	enter(s->relay);
	if (wants_input(s))
		read_some(s);
	leave(s->relay);
}

static void output_ready(struct loop_io *io, uint32_t events, void *arg)
{
	struct side *s = arg;

	(void)io;
	enter(s->relay);
	if (events & (EPOLLERR | EPOLLHUP))
		receiver_gone(s);
	else if (events & EPOLLOUT)
		flush_queue(s);
	leave(s->relay);
}

/* --- for the owner ------------------------------------------------------------------------------ */

static int side_init(struct stdio_relay *r, enum stdio_dir dir, int in, int out)
{
	struct side *s = &r->side[dir];
	int res;

	*s = (struct side){ .relay = r, .dir = dir };
	s->held_end = &s->held;
	s->pending.limit = r->line_max + 2 * SCRATCH_SIZE;
	s->queue.limit = hard_limit(r) + SCRATCH_SIZE;
	res = relay_io_init(&s->in, in);
	if (res == 0)
		res = relay_io_init(&s->out, out);
	if (res == 0)
		res = loop_io_add(r->loop, in, EPOLLIN, input_ready, s, &s->in_io);
	if (res == 0)
		res = loop_io_add(r->loop, out, 0, output_ready, s, &s->out_io);
	return res;
}

int stdio_relay_new(struct loop *l, const struct stdio_relay_fds *fds, size_t line_max,
		    const struct stdio_relay_ops *ops, void *arg, struct stdio_relay **ret)
{
	struct stdio_relay *r = calloc(1, sizeof(*r));
	int res;

	if (!r)
		return -ENOMEM;
	*r = (struct stdio_relay){
		.loop = l, .ops = ops, .arg = arg, .line_max = line_max ? line_max : STDIO_LINE_MAX
	};
	res = side_init(r, STDIO_TO_SERVER, fds->orig_in, fds->to_server);
	if (res == 0)
		res = side_init(r, STDIO_TO_HOST, fds->from_server, fds->orig_out);
	if (res < 0) {
		for (int i = 0; i < 2; i++) {
			stop_input(&r->side[i]);
			stop_output(&r->side[i]);
		}
		free(r);
		return res;
	}
	*ret = r;
	return 0;
}

void stdio_relay_free(struct stdio_relay *r)
{
	if (!r || r->freed)
		return;
	(void)uncork(&r->side[0]);
	(void)uncork(&r->side[1]);
	r->freed = true;
	if (r->busy == 0)
		destroy(r);
}

static int check_room(struct side *s, size_t n)
{
	if (s->done || s->finishing || s->relay->freed)
		return -EPIPE;
	return n > hard_limit(s->relay) || queued(s) > hard_limit(s->relay) - n ? -ENOBUFS : 0;
}

int stdio_relay_send(struct stdio_relay *r, enum stdio_dir dir, const char *p, size_t n)
{
	struct side *s = &r->side[dir];
	int res = check_room(s, n);

	if (res < 0 || n == 0)
		return res;
	enter(r);
	res = s->held ? hold(s, p, n, 0) : send_now(s, p, n);
	leave(r);
	return res;
}

int stdio_relay_send_held(struct stdio_relay *r, enum stdio_dir dir, const char *p, size_t n,
			  uint64_t mark)
{
	struct side *s = &r->side[dir];
	int res;

	if (!s->held && mark <= s->released)
		return stdio_relay_send(r, dir, p, n);
	res = check_room(s, n);
	if (res < 0 || n == 0)
		return res;
	enter(r);
	res = uncork(s); /* what was sent before stays before */
	if (res == 0)
		res = hold(s, p, n, mark);
	leave(r);
	return res;
}

void stdio_relay_release(struct stdio_relay *r, enum stdio_dir dir, uint64_t mark)
{
	struct side *s = &r->side[dir];

	if (r->freed || mark <= s->released)
		return;
	s->released = mark;
	enter(r);
	(void)uncork(s);
	release_held(s);
	leave(r);
}

void stdio_relay_pause(struct stdio_relay *r, enum stdio_dir dir, bool paused)
{
	struct side *s = &r->side[dir];

	if (r->freed || s->paused == paused)
		return;
	enter(r);
	s->paused = paused;
	/* Inside a delivery the lines behind are delivered by it. */
	if (!paused && r->busy == 1)
		deliver_pending(s);
	leave(r);
}

void stdio_relay_finish(struct stdio_relay *r, enum stdio_dir dir)
{
	struct side *s = &r->side[dir];

	if (r->freed || s->finishing)
		return;
	enter(r);
	s->finishing = true;
	(void)uncork(s);
	maybe_half_close(s);
	leave(r);
}

size_t stdio_relay_queued(const struct stdio_relay *r, enum stdio_dir dir)
{
	return queued(&r->side[dir]);
}

int stdio_relay_error(const struct stdio_relay *r)
{
	return r->error;
}
