// SPDX-License-Identifier: Apache-2.0
/*
 * The reading half of a relay: bytes to lines. The bytes are hostile; nothing here looks further than for
 * the next newline.
 */
#include "user/stdio/relay_side.h"

#include <errno.h>
#include <string.h>

/* Of the one thread that runs relays in this role; valid during one delivery. */
static char scratch[SCRATCH_SIZE];

bool side_is_over(const struct side *s)
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
	if (r->ops->discarded && !side_is_over(s))
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
	while (at < n && !s->paused && !side_is_over(s)) {
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
	(void)side_uncork(&r->side[0]);
	(void)side_uncork(&r->side[1]);
	r->window.p = NULL;
	r->window.n = 0;
	return at;
}

static void deliver_end(struct side *s)
{
	struct stdio_relay *r = s->relay;
	struct span rest = buf_span(&s->pending);

	if (!s->ended || s->told || s->paused || side_is_over(s))
		return;
	s->told = true;
	if (s->discarding)
		discard(s, "", 0, true);
	else if (rest.n > 0)
		r->ops->line(r, s->dir, rest.p, rest.n, r->arg);
	buf_done(&s->pending);
	if (!side_is_over(s))
		r->ops->eof(r, s->dir, r->arg);
}

void side_deliver_pending(struct side *s)
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

	if (used == n || side_is_over(s))
		return;
	r = buf_append(&s->pending, scratch + used, n - used);
	if (r < 0)
		relay_fail(s->relay, r);
	s->scanned = s->paused ? 0 : n - used;
}

static void tell_partial(struct side *s)
{
	struct stdio_relay *r = s->relay;
	struct span begun = buf_span(&s->pending);

	if (r->ops->partial && begun.n > 0 && !s->discarding && !s->paused && !side_is_over(s))
		r->ops->partial(r, s->dir, begun.p, begun.n, r->arg);
}

void side_read(struct side *s)
{
	bool direct = buf_len(&s->pending) == 0;
	char *to = scratch;
	ssize_t n;
	int r;

	if (!direct) {
		r = buf_reserve(&s->pending, SCRATCH_SIZE, &to);
		if (r < 0) {
			relay_fail(s->relay, r);
			return;
		}
	}
	n = relay_io_read(&s->in, to, SCRATCH_SIZE);
	if (n == -EAGAIN)
		return;
	if (n < 0) {
		relay_fail(s->relay, (int)n);
		return;
	}
	if (n == 0) {
		s->ended = true;
		side_stop_input(s);
		side_deliver_pending(s);
	} else if (direct) {
		deliver_scratch(s, (size_t)n);
		tell_partial(s);
	} else {
		buf_commit(&s->pending, (size_t)n);
		side_deliver_pending(s);
		tell_partial(s);
	}
}
