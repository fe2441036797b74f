// SPDX-License-Identifier: Apache-2.0
/*
 * Writer, chain and ring in one hand: what the gate and the supervisor call. Runs in their roles.
 */
#include "user/notary/recorder.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

#include "user/base/cleanup.h"
#include "user/base/clock.h"

struct recorder {
	struct ring *ring;
	struct record_writer *writer;
	enum record_durability durability;
	uint8_t instance_key[SHA256_SIZE];
};

DEFINE_CLEANUP(struct recorder *, recorder_free)

int recorder_new(int fd, int wake, enum record_durability d, const uint8_t instance_key[SHA256_SIZE],
		 struct recorder **ret)
{
	_cleanup_(recorder_free_p) struct recorder *w = calloc(1, sizeof(*w));
	int r;

	if (!w)
		return -ENOMEM;
	w->durability = d;
	memcpy(w->instance_key, instance_key, SHA256_SIZE);
	r = record_writer_new(&w->writer);
	if (r == 0)
		r = ring_attach(fd, RING_PRODUCER, wake, &w->ring);
	if (r < 0)
		return r;
	*ret = take_ptr(w);
	return 0;
}

void recorder_free(struct recorder *w)
{
	if (!w)
		return;
	ring_free(w->ring);
	record_writer_free(w->writer);
	OPENSSL_cleanse(w, sizeof(*w));
	free(w);
}

int recorder_begin(struct recorder *w, struct chain *c, struct record *rec, uint64_t *ret_pos)
{
	struct chain fresh;
	int r = chain_start(&fresh, w->instance_key);

	if (r < 0)
		return r;
	rec->type = RECORD_SESSION_START;
	r = recorder_put(w, &fresh, rec, ret_pos);
	if (r == 0)
		*c = fresh;
	chain_done(&fresh);
	return r;
}

int recorder_put(struct recorder *w, struct chain *c, struct record *rec, uint64_t *ret_pos)
{
	struct record_line line;
	int r;

	rec->durability = w->durability;
	r = record_write(w->writer, rec, c, clock_real_ns(), &line);
	if (r == 0)
		r = ring_push(w->ring, line.text, ret_pos);
	if (r == 0)
		chain_advance(c, &line);
	return r;
}

int recorder_settled(struct recorder *w, uint64_t pos)
{
	return ring_reached(w->ring, pos, w->durability);
}

int recorder_room(struct recorder *w)
{
	return ring_space(w->ring, RECORD_MAX);
}

enum record_durability recorder_durability(const struct recorder *w)
{
	return w->durability;
}

int recorder_failed(const struct recorder *w)
{
	return ring_failed(w->ring);
}
