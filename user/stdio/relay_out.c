// SPDX-License-Identifier: Apache-2.0
/*
 * The writing half of a relay: what the owner sent, in order, some of it held back until its mark is
 * reached. Lines that go out as they came in, one after the other, leave in one write at the end of their
 * delivery ("cork").
 */
#include "user/stdio/relay_side.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

size_t side_queued(const struct side *s)
{
	return buf_len(&s->queue) + s->held_bytes + s->cork_n;
}

size_t relay_hard_limit(const struct stdio_relay *r)
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

void side_stop_input(struct side *s)
{
	loop_io_remove(s->in_io);
	s->in_io = NULL;
}

static void stop_output(struct side *s)
{
	loop_io_remove(s->out_io);
	s->out_io = NULL;
}

void side_done(struct side *s)
{
	side_stop_input(s);
	stop_output(s);
	drop_queue(s);
	relay_io_close_in(&s->in);
	relay_io_close_out(&s->out);
	s->done = true;
}

void relay_close_all(struct stdio_relay *r)
{
	side_done(&r->side[0]);
	side_done(&r->side[1]);
}

void relay_fail(struct stdio_relay *r, int error)
{
	if (!r->error)
		r->error = error;
	relay_close_all(r);
}

/* Everything that was sent is out and the owner sends no more. A socket stays until its peer closes: it
 * may have shut down one direction only. */
static void half_close(struct side *s)
{
	s->done = true;
	if (!s->ended) {
		side_stop_input(s);
		relay_io_close_in(&s->in);
	}
	if (s->out.how == RELAY_IO_SOCKET) {
		relay_io_end_out(&s->out);
	} else {
		stop_output(s);
		relay_io_close_out(&s->out);
	}
}

void side_maybe_half_close(struct side *s)
{
	if (s->finishing && !s->done && side_queued(s) == 0)
		half_close(s);
}

static void watch_output(struct side *s)
{
	if (s->out_io && loop_io_set(s->out_io, buf_len(&s->queue) ? EPOLLOUT : 0) < 0)
		relay_fail(s->relay, -EIO);
}

/* Writes what can be written of p; the rest is queued. 0 or -errno. */
static int write_or_queue(struct side *s, const char *p, size_t n)
{
	ssize_t w = 0;
	int r;

	if (buf_len(&s->queue) == 0) {
		w = relay_io_write(&s->out, p, n);
		if (w == -EPIPE) {
			side_done(s);
			return -EPIPE;
		}
		if (w < 0) {
			relay_fail(s->relay, (int)w);
			return (int)w;
		}
	}
	if ((size_t)w == n)
		return 0;
	r = buf_append(&s->queue, p + w, n - (size_t)w);
	if (r < 0) {
		relay_fail(s->relay, r);
		return r;
	}
	watch_output(s);
	return 0;
}

int side_uncork(struct side *s)
{
	size_t n = s->cork_n;

	s->cork_n = 0;
	return n && !s->done ? write_or_queue(s, s->cork, n) : 0;
}

void side_flush(struct side *s)
{
	struct span q = buf_span(&s->queue);
	ssize_t w;

	if (q.n == 0 || s->done)
		return;
	w = relay_io_write(&s->out, q.p, q.n);
	if (w == -EPIPE) {
		side_done(s);
	} else if (w < 0) {
		relay_fail(s->relay, (int)w);
	} else {
		buf_consume(&s->queue, (size_t)w);
		buf_shrink(&s->queue, IDLE_KEEP);
		watch_output(s);
		side_maybe_half_close(s);
	}
}

int side_hold(struct side *s, const char *p, size_t n, uint64_t mark)
{
	struct held *h = malloc(sizeof(*h) + n);

	if (!h) {
		relay_fail(s->relay, -ENOMEM);
		return -ENOMEM;
	}
	*h = (struct held){ .mark = mark, .n = n };
	memcpy(h->bytes, p, n);
	*s->held_end = h;
	s->held_end = &h->next;
	s->held_bytes += n;
	return 0;
}

void side_release_held(struct side *s)
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
	side_maybe_half_close(s);
}

static bool in_window(const struct stdio_relay *r, const char *p, size_t n)
{
	return r->window.p && p >= r->window.p && n <= r->window.n &&
	       (size_t)(p - r->window.p) <= r->window.n - n;
}

int side_send_now(struct side *s, const char *p, size_t n)
{
	int r;

	if (in_window(s->relay, p, n)) {
		if (s->cork_n && s->cork + s->cork_n == p) {
			s->cork_n += n;
			return 0;
		}
		r = side_uncork(s);
		if (r < 0)
			return r;
		s->cork = p;
		s->cork_n = n;
		return 0;
	}
	r = side_uncork(s);
	return r < 0 ? r : write_or_queue(s, p, n);
}
