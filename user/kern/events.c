// SPDX-License-Identifier: Apache-2.0
/*
 * Consumer of the two event rings. A record is checked for its size before it is handed on; losses
 * are told with the first record after them. A stopped process that a stranger continued, and that
 * the program could not kill, is killed here, before anyone else is asked.
 */
#include "user/kern/events.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>

#include "user/base/cleanup.h"
#include "user/kern/guard.h"
#include "user/kern/internal.h"

struct source {
	struct kern_events *owner;
	enum tg_stat lost_stat;
	uint64_t lost; /* as of the present round */
	uint64_t lost_told;
	/* numbers: since the opening, issued is what was received, was lost, or is missing */
	uint64_t issued_before, lost_before, received;
	uint64_t missing, gap_told; /* at the last look; of it, told */
};

struct kern_events {
	struct kern *k;
	struct ring_buffer *rb;
	kern_event_fn fn;
	void *arg;
	struct source source[2];
};

DEFINE_CLEANUP(struct kern_events *, kern_events_close)

/* What the program could not kill from where it was. */
static void finish_kill(struct kern *k, const struct tg_event *ev)
{
	if (ev->type == TG_EV_EXEC && (ev->exec.flags & TG_EXEC_CONTINUED) &&
	    (ev->exec.flags & TG_EXEC_FAILED))
		(void)kern_stopped_kill(k, (pid_t)ev->tgid);
}

static int on_record(void *ctx, void *data, size_t size)
{
	struct source *s = ctx;
	struct kern_events *e = s->owner;
	uint64_t lost = s->lost - s->lost_told;

	if (size < sizeof(struct tg_event))
		return 0;
	s->lost_told = s->lost;
	if (((const struct tg_event *)data)->seq > s->issued_before)
		s->received++;
	finish_kill(e->k, data);
	e->fn(data, lost, e->arg);
	return 0;
}

static int issued(struct kern *k, uint32_t ring, uint64_t *ret)
{
	return bpf_map_lookup_elem(k->map[KM_SEQUENCES], &ring, ret) < 0 ? -errno : 0;
}

int kern_events_open(struct kern *k, kern_event_fn fn, void *arg, struct kern_events **ret)
{
	_cleanup_(kern_events_close_p) struct kern_events *e = calloc(1, sizeof(*e));
	int r;

	if (!e)
		return -ENOMEM;
	e->k = k;
	e->fn = fn;
	e->arg = arg;
	e->source[0] = (struct source){ .owner = e, .lost_stat = TG_STAT_EVENT_LOST };
	e->source[1] = (struct source){ .owner = e, .lost_stat = TG_STAT_STDIO_EVENT_LOST };
	for (int i = 0; i < 2; i++) {
		struct source *s = &e->source[i];

		r = issued(k, (uint32_t)i, &s->issued_before);
		if (r == 0)
			r = stat_read(k, s->lost_stat, &s->lost_told);
		if (r < 0)
			return r;
		s->lost_before = s->lost_told;
	}
	e->rb = ring_buffer__new(k->map[KM_EVENTS], on_record, &e->source[0], NULL);
	if (!e->rb)
		return -errno;
	r = ring_buffer__add(e->rb, k->map[KM_STDIO_EVENTS], on_record, &e->source[1]);
	if (r < 0)
		return r;
	*ret = take_ptr(e);
	return 0;
}

void kern_events_close(struct kern_events *e)
{
	if (!e)
		return;
	ring_buffer__free(e->rb);
	free(e);
}

int64_t kern_events_lost(struct kern_events *e)
{
	int64_t untold = 0;

	for (int i = 0; i < 2; i++) {
		struct source *s = &e->source[i];
		int r = stat_read(e->k, s->lost_stat, &s->lost);

		if (r < 0)
			return r;
		untold += (int64_t)(s->lost - s->lost_told);
		s->lost_told = s->lost;
	}
	return untold;
}

int kern_events_fd(const struct kern_events *e)
{
	return ring_buffer__epoll_fd(e->rb);
}

int kern_events_consume(struct kern_events *e)
{
	int r = 0;

	for (int i = 0; i < 2 && r == 0; i++)
		r = stat_read(e->k, e->source[i].lost_stat, &e->source[i].lost);
	return r < 0 ? r : ring_buffer__consume(e->rb);
}

/* What a look has found missing and the look before it too, beyond what was told. */
static uint64_t new_gap(struct source *s, uint64_t issued_now, uint64_t lost)
{
	uint64_t known = s->issued_before + s->received + (lost - s->lost_before);
	uint64_t missing = issued_now > known ? issued_now - known : 0;
	uint64_t sure = missing < s->missing ? missing : s->missing, fresh = 0;

	s->missing = missing;
	if (sure > s->gap_told) {
		fresh = sure - s->gap_told;
		s->gap_told = sure;
	}
	return fresh;
}

int64_t kern_events_missing(struct kern_events *e)
{
	uint64_t now[2], lost, sum = 0;
	int r = 0;

	/* Numbers before events: what has a number by now has come, or was lost, after the consumption. */
	for (uint32_t i = 0; i < 2 && r == 0; i++)
		r = issued(e->k, i, &now[i]);
	if (r == 0)
		r = kern_events_consume(e);
	for (int i = 0; i < 2 && r >= 0; i++) {
		r = stat_read(e->k, e->source[i].lost_stat, &lost);
		if (r >= 0)
			sum += new_gap(&e->source[i], now[i], lost);
	}
	return r < 0 ? r : (int64_t)sum;
}
