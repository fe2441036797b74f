// SPDX-License-Identifier: Apache-2.0
/*
 * What the conversations of one proxy share: the epoch they are judged by, and the queue of what waits for
 * the log. Nothing leaves here that the log does not have yet.
 */
#include "user/gate/gate.h"

#include <errno.h>
#include <stdlib.h>

#include "policy/mcp_model.h"
#include "user/base/clock.h"
#include "user/gate/conv.h"
#include "user/gate/snapshot.h"
#include "user/notary/recorder.h"

struct gate_held {
	struct gate_held *next;
	uint64_t pos;
	gate_release_fn fn;
	void (*room_fn)(void *arg); /* of gate_when_room() */
	uint64_t since_ns;
	void *arg;
};

const char *gate_mode_text(enum gate_mode m)
{
	static const char *const texts[] = { "enforcing", "advisory", "silent" };

	return (unsigned)m < ARRAY_SIZE(texts) ? texts[m] : texts[GATE_ENFORCING];
}

int gate_new(struct gate **ret)
{
	struct gate *g = calloc(1, sizeof(*g));
	int r;

	if (!g)
		return -ENOMEM;
	g->held_tail = &g->held;
	g->rooms_tail = &g->rooms;
	r = mcp_judge_new(&g->judge);
	if (r < 0) {
		free(g);
		return r;
	}
	*ret = g;
	return 0;
}

static void drop_all(struct gate_held **list)
{
	while (*list) {
		struct gate_held *h = *list;

		*list = h->next;
		free(h);
	}
}

void gate_free(struct gate *g)
{
	if (!g)
		return;
	while (g->convs)
		gate_conv_close(g->convs, "the proxy ends");
	drop_all(&g->held);
	drop_all(&g->rooms);
	snapshot_unref(g->staged);
	snapshot_unref(g->current);
	recorder_free(g->recorder);
	mcp_judge_free(g->judge);
	tape_done(&g->tape);
	buf_done(&g->out);
	free(g);
}

void gate_stage(struct gate *g, struct snapshot *s)
{
	snapshot_unref(g->staged);
	g->staged = s;
}

int gate_commit(struct gate *g, uint64_t epoch)
{
	if (!g->staged || g->staged->epoch != epoch)
		return -ENOENT;
	snapshot_unref(g->current);
	g->current = take_ptr(g->staged);
	return 0;
}

void gate_abort(struct gate *g, uint64_t epoch)
{
	if (g->staged && g->staged->epoch == epoch) {
		snapshot_unref(g->staged);
		g->staged = NULL;
	}
}

/* 0: may go; -EAGAIN: not yet; else never. */
static int settled(struct gate *g, uint64_t pos)
{
	if (!g->recorder)
		return -EPIPE;
	if (!g->notary_up)
		return -EAGAIN;
	return recorder_settled(g->recorder, pos);
}

bool gate_recorded(struct gate *g, uint64_t pos)
{
	return !g->held && settled(g, pos) == 0;
}

int gate_when_recorded(struct gate *g, uint64_t pos, gate_release_fn fn, void *arg)
{
	struct gate_held *h;

	if (!g->held) {
		int r = settled(g, pos);

		if (r != -EAGAIN) {
			fn(arg, r);
			return 0;
		}
	}
	h = malloc(sizeof(*h));
	if (!h)
		return -ENOMEM;
	*h = (struct gate_held){ .pos = pos, .fn = fn, .arg = arg };
	*g->held_tail = h;
	g->held_tail = &h->next;
	return 0;
}

bool gate_room(struct gate *g)
{
	/* Order is kept: who comes later waits behind. */
	return !g->recorder || (!g->rooms && recorder_room(g->recorder) != -EAGAIN);
}

int gate_when_room(struct gate *g, void (*fn)(void *arg), void *arg)
{
	struct gate_held *h = malloc(sizeof(*h));

	if (!h)
		return -ENOMEM;
	*h = (struct gate_held){ .room_fn = fn, .arg = arg, .since_ns = clock_mono_ns() };
	*g->rooms_tail = h;
	g->rooms_tail = &h->next;
	if (g->rooms == h && g->room_awaited)
		g->room_awaited(g->room_arg);
	return 0;
}

/* Off the queue before the call: what it judges may hold or forget others. */
static void admit_first(struct gate *g)
{
	struct gate_held *h = g->rooms;

	g->rooms = h->next;
	if (!g->rooms)
		g->rooms_tail = &g->rooms;
	h->room_fn(h->arg);
	free(h);
}

uint64_t gate_expire(struct gate *g, uint64_t now_ns)
{
	while (g->rooms && now_ns - g->rooms->since_ns >= GATE_ROOM_NS)
		admit_first(g);
	return g->rooms ? GATE_ROOM_NS - (now_ns - g->rooms->since_ns) : 0;
}

static void admit(struct gate *g)
{
	while (g->rooms && (!g->recorder || recorder_room(g->recorder) != -EAGAIN))
		admit_first(g);
}

static struct gate_held **forget_in(struct gate_held **at, const void *arg)
{
	while (*at) {
		struct gate_held *h = *at;

		if (h->arg == arg) {
			*at = h->next;
			free(h);
		} else {
			at = &h->next;
		}
	}
	return at;
}

void gate_forget(struct gate *g, const void *arg)
{
	g->held_tail = forget_in(&g->held, arg);
	g->rooms_tail = forget_in(&g->rooms, arg);
}

static void release(struct gate *g)
{
	while (g->held) {
		struct gate_held *h = g->held;
		int r = settled(g, h->pos);

		if (r == -EAGAIN)
			return;
		/* Off the queue before the call: what it releases may hold or forget others. */
		g->held = h->next;
		if (!g->held)
			g->held_tail = &g->held;
		h->fn(h->arg, r);
		free(h);
	}
}

void gate_progress(struct gate *g)
{
	release(g);
	admit(g);
}

void gate_set_notary(struct gate *g, bool up)
{
	g->notary_up = up;
	if (up)
		gate_progress(g);
}
