// SPDX-License-Identifier: Apache-2.0
/*
 * One conversation over four descriptors: lines in, whatever the owner sends out. Runs in the proxy; both
 * sides are hostile. It never blocks, never changes the flags of a description, and forwards nothing on
 * its own.
 *
 * The fast case is one read into a buffer that all conversations share, the owner's decision, and one
 * write of the same bytes: lines that the owner sends on unchanged from one read leave in one write.
 */
#include "user/stdio/relay_side.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>

static struct side *other(struct side *s)
{
	return &s->relay->side[!s->dir];
}

static void input_ready(struct loop_io *io, uint32_t events, void *arg);

/* A side that fills a queue which does not drain is not read. The host's requests may be answered by
 * denials into its own queue, so that one counts against it too; the other way round it would stop a
 * server from answering while the host's requests wait for it. */
static bool wants_input(struct side *s)
{
	if (s->ended || s->paused || side_is_over(s))
		return false;
	return side_queued(s) <= STDIO_QUEUE_HIGH &&
	       (s->dir == STDIO_TO_HOST || side_queued(other(s)) <= STDIO_QUEUE_HIGH);
}

static void watch_input(struct side *s)
{
	bool want = wants_input(s);
	int r;

	/* Not merely masked: a hang-up is reported regardless and would spin. */
	if (!want && s->in_io)
		side_stop_input(s);
	if (want && !s->in_io) {
		r = loop_io_add(s->relay->loop, s->in.fd, EPOLLIN, input_ready, s, &s->in_io);
		if (r < 0)
			relay_fail(s->relay, r);
	}
}

static void destroy(struct stdio_relay *r)
{
	relay_close_all(r);
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
			relay_close_all(r); /* also the ends that were only half closed */
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
		side_read(s);
	leave(s->relay);
}

static void output_ready(struct loop_io *io, uint32_t events, void *arg)
{
	struct side *s = arg;

	(void)io;
	enter(s->relay);
	if (events & (EPOLLERR | EPOLLHUP))
		side_done(s);
	else if (events & EPOLLOUT)
		side_flush(s);
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
	s->queue.limit = relay_hard_limit(r) + SCRATCH_SIZE;
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
			loop_io_remove(r->side[i].in_io);
			loop_io_remove(r->side[i].out_io);
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
	(void)side_uncork(&r->side[0]);
	(void)side_uncork(&r->side[1]);
	r->freed = true;
	if (r->busy == 0)
		destroy(r);
}

static int check_room(struct side *s, size_t n)
{
	if (s->done || s->finishing || s->relay->freed)
		return -EPIPE;
	return n > relay_hard_limit(s->relay) || side_queued(s) > relay_hard_limit(s->relay) - n ? -ENOBUFS : 0;
}

int stdio_relay_send(struct stdio_relay *r, enum stdio_dir dir, const char *p, size_t n)
{
	struct side *s = &r->side[dir];
	int res = check_room(s, n);

	if (res < 0 || n == 0)
		return res;
	enter(r);
	res = s->held ? side_hold(s, p, n, 0) : side_send_now(s, p, n);
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
	res = side_uncork(s); /* what was sent before stays before */
	if (res == 0)
		res = side_hold(s, p, n, mark);
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
	(void)side_uncork(s);
	side_release_held(s);
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
		side_deliver_pending(s);
	leave(r);
}

void stdio_relay_finish(struct stdio_relay *r, enum stdio_dir dir)
{
	struct side *s = &r->side[dir];

	if (r->freed || s->finishing)
		return;
	enter(r);
	s->finishing = true;
	(void)side_uncork(s);
	side_maybe_half_close(s);
	leave(r);
}

size_t stdio_relay_queued(const struct stdio_relay *r, enum stdio_dir dir)
{
	return side_queued(&r->side[dir]);
}

int stdio_relay_error(const struct stdio_relay *r)
{
	return r->error;
}
