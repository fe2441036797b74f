// SPDX-License-Identifier: Apache-2.0
/*
 * The rings that records go to the notary by: one for each producer, made once, held by the keeper, and handed again
 * to whichever role was started anew.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>

#include "user/notary/ring.h"
#include "user/role/sup.h"

#define RING_PARTS 3 /* the ring, what wakes the notary, what tells of its progress */

static int *ring_part(struct sup_ring *r, unsigned i)
{
	return i == 0 ? &r->ring : i == 1 ? &r->wake : &r->progress;
}

int sup_ring_take_back(struct supervisor *s, const char *key, int fd)
{
	unsigned producer, part;

	if (sscanf(key, "ring/%u/%u", &producer, &part) != 2)
		return -ENOENT;
	if (producer >= SUP_PRODUCERS_MAX || part >= RING_PARTS)
		return -EBADMSG;
	*ring_part(&s->rings[producer], part) = fd;
	return 0;
}

int sup_ring_make(struct supervisor *s, unsigned producer)
{
	struct sup_ring *r = &s->rings[producer];
	char key[MSG_KEY_MAX];

	if (r->ring < 0) {
		if (ring_create(RING_SIZE_DEFAULT, &r->ring) < 0)
			return -ENOMEM;
		s->rings_made = true;
	}
	if (r->wake < 0)
		r->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (r->progress < 0)
		r->progress = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	for (unsigned i = 0; i < RING_PARTS; i++) {
		int fd = *ring_part(r, i);

		if (fd < 0)
			return -EMFILE;
		(void)snprintf(key, sizeof(key), "ring/%u/%u", producer, i);
		sup_keep(s, key, fd);
	}
	return 0;
}

int sup_ring_tell_notary(struct supervisor *s, unsigned producer)
{
	struct sup_ring *r = &s->rings[producer];
	struct msg_ring m = { .producer = producer, .synced = s->setup.durability == RECORD_SYNCED };
	int fds[] = { r->ring, r->wake, r->progress };

	return ipc_send(s->notary, MSG_NOTARY_RING, 0, &m, sizeof(m), fds, 3);
}

void sup_ring_tell_proxy(struct supervisor *s, struct sup_proxy *p)
{
	struct sup_ring *r = &s->rings[p->index + 1];
	struct msg_recording m = { .instance = r->instance };
	struct msg_flag there = { .value = 1 };
	int fds[] = { r->ring, r->wake, r->progress };

	if (!p->channel || !r->instanced || !s->notary_there || sup_escrow_offer(s, p) < 0)
		return; /* without a recorder it denies */
	memcpy(m.public_key, s->notary_up.public_key, sizeof(m.public_key));
	if (ipc_send(p->channel, MSG_RING, 0, &m, sizeof(m), fds, 3) < 0 ||
	    ipc_send(p->channel, MSG_NOTARY, 0, &there, sizeof(there), NULL, 0) < 0)
		return;
	p->recording = true;
	sup_listen_tell_proxy(s, p);
	sup_check_ready(s);
}
