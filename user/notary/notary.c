// SPDX-License-Identifier: Apache-2.0
/*
 * The notary's life: open, rings, its own session, close. Runs in the notary only.
 */
#include "user/notary/notary.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "user/base/cleanup.h"
#include "user/base/clock.h"
#include "user/notary/key_handover.h"
#include "user/notary/notary_private.h"

#define CLOSE_ROUNDS 64 /* producers are told to stop before us; one that does not cannot hold us up */

static void notary_free(struct notary *n)
{
	for (int i = 0; i < n->rings_n; i++)
		ring_free(n->rings[i].ring);
	claims_free(n->claims);
	sessions_free(n->sessions);
	store_close(n->store);
	log_key_free(n->key);
	log_key_free(n->key_before);
	hasher_free(n->hasher);
	record_writer_free(n->writer);
	free(n->recent.all);
	buf_done(&n->carried.list);
	free(n);
}

DEFINE_CLEANUP(struct notary *, notary_free)

static int take_keys(struct notary *n)
{
	struct key_source *s = take_ptr(n->cfg.keys); /* borrowed for the call only */

	if (!s)
		return log_key_open(n->cfg.key_path, &n->key);
	n->key = take_ptr(s->key);
	n->key_before = take_ptr(s->before);
	memcpy(n->key_lost, s->why, sizeof(n->key_lost));
	return 0;
}

/* For another try: there is no other way to come by them again. */
static void give_back_keys(struct notary *n, struct key_source *s)
{
	if (!s)
		return;
	s->key = take_ptr(n->key);
	s->before = take_ptr(n->key_before);
}

int notary_open(const struct notary_config *c, struct notary **ret)
{
	_cleanup_(notary_free_p) struct notary *n = NULL;
	uint8_t pub[KEY_SIZE];
	int r;

	if (!c->origin || !checkpoint_name_valid(c->origin))
		return -EINVAL;
	n = calloc(1, sizeof(*n));
	if (!n)
		return -ENOMEM;
	n->cfg = *c;
	memcpy(n->origin, c->origin, strlen(c->origin));
	n->cfg.origin = n->origin;
	r = hasher_new(&n->hasher);
	if (r == 0)
		r = record_writer_new(&n->writer);
	if (r == 0)
		r = sessions_new(NOTARY_SESSIONS_MAX, &n->sessions);
	if (r == 0)
		r = take_keys(n);
	if (r < 0)
		return r;
	log_key_public(n->key, pub);
	verifier_key_of(n->origin, pub, &n->vk);
	r = notary_claims_open(n);
	if (r == 0)
		r = notary_restore(n);
	if (r < 0) {
		give_back_keys(n, c->keys);
		return r;
	}
	n->cfg.facts = NULL; /* borrowed for the call only */
	*ret = take_ptr(n);
	return 0;
}

void notary_close(struct notary *n)
{
	struct record rec;

	if (!n)
		return;
	for (int i = 0; i < CLOSE_ROUNDS && notary_drain(n, 65536) > 0; i++)
		;
	notary_claims_close(n);
	record_init(&rec, RECORD_SESSION_END, RECORD_NA);
	if (n->error == 0 && notary_record(n, &rec) == 0)
		(void)notary_sign(n, SIGN_RAISE); /* a failure was told through alarm */
	notary_free(n);
}

int notary_add_ring(struct notary *n, int ring_fd, int wake, bool synced, const char *label)
{
	struct notary_ring *nr;
	int r;

	if (n->rings_n == NOTARY_RINGS_MAX)
		return -ENOSPC;
	nr = &n->rings[n->rings_n];
	*nr = (struct notary_ring){ .synced = synced };
	r = ring_attach(ring_fd, RING_CONSUMER, wake, &nr->ring);
	if (r < 0)
		return r;
	(void)snprintf(nr->label, sizeof(nr->label), "%s", label ? label : "");
	nr->replay_to = ring_head(nr->ring);
	ring_fail(nr->ring, n->error);
	return n->rings_n++;
}

int notary_ring_restarted(struct notary *n, int ring)
{
	struct notary_ring *nr;
	struct session_next s;
	int r;

	if (ring < 0 || ring >= n->rings_n)
		return -EINVAL;
	nr = &n->rings[ring];
	while ((r = notary_drain(n, 4096)) > 0)
		;
	while (r == 0 && sessions_first(n->sessions, ring, &s)) {
		r = notary_append_end(n, &s, "the process that kept this session ended");
		if (r == 0 && store_full(n->store))
			r = notary_flush(n);
	}
	if (r == 0)
		r = notary_flush(n);
	if (r < 0) {
		notary_forget_batch(n);
		return r;
	}
	ring_reset(nr->ring);
	nr->failed = nr->deaf = nr->touched = false;
	nr->fault_appended = nr->fault_stored = false;
	nr->replay_to = 0;
	return 0;
}

int notary_record(struct notary *n, struct record *rec)
{
	int r = n->error ? n->error : notary_append_own(n, rec);

	if (r == 0)
		return notary_flush(n);
	notary_forget_batch(n);
	return r;
}

int notary_rotate(struct notary *n, struct log_key *next, int (*commit)(void *arg), void *arg)
{
	struct handover_record texts;
	struct record rec;
	uint8_t pub[KEY_SIZE];
	int r;

	log_key_public(next, pub);
	record_init(&rec, RECORD_NODE, RECORD_NA);
	r = handover_fill(&rec, &texts, n->origin, n->vk.pub, pub, n->key, "the log key hands over to its successor");
	if (r == 0)
		r = notary_record(n, &rec);
	if (r < 0)
		return r;
	/* From the record on the new key signs, or nobody could follow. While the record may still be lost with
	 * the power, the old key stays the one that the next start finds. */
	r = notary_sync_now(n);
	if (r == 0)
		r = commit(arg);
	if (r < 0)
		notary_alarm(n, -1, "log: keep the new key: %s: the next start tries again", strerrordesc_np(-r));
	log_key_free(n->key);
	n->key = next;
	verifier_key_of(n->origin, pub, &n->vk);
	notary_claims_key(n);
	r = notary_write_vkey(n);
	if (r == 0)
		r = notary_sign(n, SIGN_ASKED);
	if (r < 0) /* the next checkpoint tries again */
		notary_alarm(n, -1, "log: sign with the new key: %s", strerrordesc_np(-r));
	return 0;
}

void notary_status(const struct notary *n, struct notary_status *ret)
{
	*ret = (struct notary_status){
		.size = store_size(n->store),
		.synced = store_synced(n->store),
		.signed_size = n->signed_size,
		.sessions = sessions_count(n->sessions),
		.faults = n->faults,
		.rejected = n->rejected,
		.replayed = n->replayed,
		.checkpoints = n->checkpoints,
		.torn_bytes = n->torn_bytes,
		.error = n->error,
		.counter = n->hw.counter,
	};
	memcpy(ret->root, n->signed_root, TREE_HASH);
	memcpy(ret->session_id, n->own.session_id, CHAIN_ID_SIZE);
}

const struct verifier_key *notary_key(const struct notary *n)
{
	return &n->vk;
}
