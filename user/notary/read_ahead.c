// SPDX-License-Identifier: Apache-2.0
/*
 * Two batches of lines in turn: one is with the thread while the other is read by the caller. Runs in
 * tollgate(1) only; no role of the daemon makes threads for this.
 */
#include "user/notary/read_ahead.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "user/base/cleanup.h"
#include "user/base/hasher.h"
#include "user/notary/record.h"

/* Waking each other costs as much as some ten lines: with 64 in a batch, two threads are slower than one. */
#define BATCH_LINES 1024u
#define BATCH_BYTES (2u << 20) /* of lines of ordinary length; fewer long ones */

struct batch {
	struct read_ahead_line lines[BATCH_LINES], last; /* last: what the end says of itself */
	unsigned n;
	int end; /* 0: more follows */
	size_t used;
	char text[BATCH_BYTES];
};

struct read_ahead {
	struct segment_reader *reader;
	struct hasher *hasher; /* the thread's */
	struct batch *present, *next; /* next: with the thread */
	unsigned at; /* in present */

	pthread_t thread;
	bool running;
	pthread_mutex_t lock;
	pthread_cond_t turn;
	struct batch *work; /* NULL: the thread has nothing to do */
	bool quit;
};

DEFINE_CLEANUP(struct read_ahead *, read_ahead_close)

static void hash(struct hasher *h, struct batch *b)
{
	for (unsigned i = 0; i < b->n; i++)
		tree_leaf_hash(h, b->lines[i].line, b->lines[i].leaf);
}

static void *run(void *arg)
{
	struct read_ahead *a = arg;

	(void)pthread_mutex_lock(&a->lock);
	for (;;) {
		while (!a->work && !a->quit)
			(void)pthread_cond_wait(&a->turn, &a->lock);
		if (a->quit)
			break;
		(void)pthread_mutex_unlock(&a->lock);
		hash(a->hasher, a->work);
		(void)pthread_mutex_lock(&a->lock);
		a->work = NULL;
		(void)pthread_cond_broadcast(&a->turn);
	}
	(void)pthread_mutex_unlock(&a->lock);
	return NULL;
}

/* Lines are copied: the reader's own memory is good for one only. */
static void fill(struct read_ahead *a, struct batch *b)
{
	b->n = 0;
	b->used = 0;
	while (b->n < BATCH_LINES && BATCH_BYTES - b->used >= RECORD_MAX) {
		struct read_ahead_line *l = &b->lines[b->n];
		struct span line = { NULL, 0 };

		b->end = segment_read(a->reader, &line, &l->at);
		if (b->end < 0) {
			b->last = (struct read_ahead_line){ .line = line, .at = l->at };
			return;
		}
		memcpy(b->text + b->used, line.p, line.n);
		l->line = (struct span){ b->text + b->used, line.n };
		b->used += line.n;
		b->n++;
	}
}

static void give(struct read_ahead *a, struct batch *b)
{
	(void)pthread_mutex_lock(&a->lock);
	a->next = a->work = b;
	(void)pthread_cond_broadcast(&a->turn);
	(void)pthread_mutex_unlock(&a->lock);
}

static struct batch *take(struct read_ahead *a)
{
	(void)pthread_mutex_lock(&a->lock);
	while (a->work)
		(void)pthread_cond_wait(&a->turn, &a->lock);
	(void)pthread_mutex_unlock(&a->lock);
	return a->next;
}

/* A log of one batch is not worth a thread. */
static int begin(struct read_ahead *a)
{
	int r;

	fill(a, a->next);
	if (a->next->end < 0) {
		hash(a->hasher, a->next);
		return 0;
	}
	r = -pthread_create(&a->thread, NULL, run, a);
	if (r < 0)
		return r;
	a->running = true;
	give(a, a->next);
	return 0;
}

int read_ahead_open(int dirfd, uint64_t leaf, struct read_ahead **ret)
{
	_cleanup_(read_ahead_close_p) struct read_ahead *a = calloc(1, sizeof(*a));
	int r;

	if (!a)
		return -ENOMEM;
	(void)pthread_mutex_init(&a->lock, NULL);
	(void)pthread_cond_init(&a->turn, NULL);
	a->present = malloc(sizeof(*a->present));
	a->next = malloc(sizeof(*a->next));
	if (!a->present || !a->next)
		return -ENOMEM;
	a->present->n = 0;
	a->present->end = 0;
	r = hasher_new(&a->hasher);
	if (r == 0)
		r = segment_reader_open(dirfd, leaf, &a->reader);
	if (r == 0)
		r = begin(a);
	if (r < 0)
		return r;
	*ret = take_ptr(a);
	return 0;
}

void read_ahead_close(struct read_ahead *a)
{
	if (!a)
		return;
	if (a->running) {
		(void)take(a);
		(void)pthread_mutex_lock(&a->lock);
		a->quit = true;
		(void)pthread_cond_broadcast(&a->turn);
		(void)pthread_mutex_unlock(&a->lock);
		(void)pthread_join(a->thread, NULL);
	}
	(void)pthread_cond_destroy(&a->turn);
	(void)pthread_mutex_destroy(&a->lock);
	segment_reader_close(a->reader);
	hasher_free(a->hasher);
	free(a->present);
	free(a->next);
	free(a);
}

int read_ahead_next(struct read_ahead *a, const struct read_ahead_line **ret)
{
	while (a->at == a->present->n) {
		struct batch *done = a->present;

		if (done->end < 0) {
			*ret = &done->last;
			return done->end;
		}
		a->present = take(a);
		a->at = 0;
		if (a->present->end == 0) {
			fill(a, done);
			give(a, done);
		} else {
			a->next = done; /* nothing follows: it only waits to be freed */
		}
	}
	*ret = &a->present->lines[a->at++];
	return 0;
}
