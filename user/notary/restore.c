// SPDX-License-Identifier: Apache-2.0
/*
 * The notary's start: what it learns from the log of its predecessors, and what it writes first.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "user/base/cleanup.h"
#include "user/base/file.h"
#include "user/notary/hardware.h"
#include "user/notary/key_handover.h"
#include "user/notary/notary_private.h"
#include "user/notary/segment.h"

/* More than a batch can hold: a crash comes at most one batch after the last position published. */
#define RECENT_RECORDS 8192u

#define START_CODE "notary_start" /* reason_code of our own session's first record */

static void remember(struct recent *r, struct span entry_hash)
{
	uint8_t h[SHA256_SIZE];

	if (hex_decode(entry_hash.p, entry_hash.n, h, sizeof(h)) < 0)
		return;
	memcpy(r->all[r->at].b, h, sizeof(h));
	r->at = (r->at + 1) % r->cap;
	if (r->n < r->cap)
		r->n++;
}

static int hash_order(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct tree_hash));
}

bool notary_recent_has(const struct recent *r, struct span entry_hash)
{
	struct tree_hash h;

	return r->n && hex_decode(entry_hash.p, entry_hash.n, h.b, sizeof(h.b)) == 0 &&
	       bsearch(&h, r->all, r->n, sizeof(h), hash_order);
}

/* store_seen_fn. A break in an old log is for the verifier to name; here the session goes on from what
 * is there. */
static int seen(void *arg, const struct record_view *v, uint64_t leaf)
{
	struct notary *n = arg;
	struct session_next want;
	bool own = span_is(record_view_text(v, M_REASON_CODE), START_CODE) && v->sequence == 0;
	int r;

	remember(&n->recent, v->entry_hash);
	notary_carried_seen(n, v);
	r = sessions_see(n->sessions, v, own ? SESSION_OWNER_SELF : SESSION_OWNER_ANY, &want);
	own |= r == SESSION_FOREIGN; /* later records of a predecessor's own session */
	if (r == SESSION_FOREIGN)
		r = sessions_see(n->sessions, v, SESSION_OWNER_SELF, &want);
	sessions_commit(n->sessions);
	if (r >= 0 && n->claims)
		r = claims_seen(n->claims, v, own);
	return r < 0 ? r : 0;
}

/* The last checkpoint must be signed by the key that the log names, whether that is ours or was another's.
 * *ret_changed: it was another's. */
static int check_signer(struct notary *n, struct verifier_key *ret_before, bool *ret_changed)
{
	_cleanup_close_ int vkey_fd = segment_open(n->cfg.log_dirfd, STORE_FILE_VKEY);
	_cleanup_close_ int note_fd = segment_open(n->cfg.log_dirfd, STORE_FILE_CHECKPOINT);
	_cleanup_buf_ struct buf vkey = { 0 }, note = { 0 };
	struct checkpoint cp;
	int r;

	*ret_changed = false;
	if (vkey_fd < 0 || note_fd < 0)
		return 0;
	r = file_read_fd(vkey_fd, 4096, &vkey);
	if (r == 0)
		r = file_read_fd(note_fd, CHECKPOINT_MAX, &note);
	if (r < 0)
		return r;
	if (verifier_key_parse(buf_span(&vkey), ret_before) < 0) {
		notary_alarm(n, -1, "log: log.vkey is no key; this start signs as %s", n->vk.name);
		return 0;
	}
	if (strcmp(ret_before->name, n->vk.name) != 0)
		notary_alarm(n, -1, "log: the last checkpoint is of another name; this start signs as %s", n->vk.name);
	*ret_changed = memcmp(ret_before->pub, n->vk.pub, KEY_SIZE) != 0;
	if (*ret_changed || strcmp(ret_before->name, n->vk.name) != 0)
		return 0;
	return checkpoint_verify(buf_span(&note), &n->vk, &cp);
}

/* A log that another key signed gets a record of how ours came after it. */
static int record_key_change(struct notary *n, const struct verifier_key *before)
{
	const char *why = n->key_lost[0] ? n->key_lost :
			  "the key before this one is gone: it was of another boot, or its file is missing";
	struct log_key *signer = NULL;
	struct handover_record texts;
	struct record rec;
	uint8_t pub[KEY_SIZE];
	int r;

	if (n->key_before) {
		log_key_public(n->key_before, pub);
		if (memcmp(pub, before->pub, KEY_SIZE) == 0)
			signer = n->key_before;
	}
	record_init(&rec, RECORD_NODE, RECORD_NA);
	r = handover_fill(&rec, &texts, n->origin, before->pub, n->vk.pub, signer,
			  signer ? "the log key hands over to its successor" : why);
	if (r < 0)
		return r;
	if (!signer)
		notary_alarm(n, -1, "log: %s", why);
	return notary_append_own(n, &rec);
}

/* Room for one more record, flushing when the batch is full. */
static int room(struct notary *n)
{
	return store_full(n->store) ? notary_flush(n) : 0;
}

static int close_orphans(struct notary *n, int owner, const char *why)
{
	struct session_next s;

	while (sessions_first(n->sessions, owner, &s)) {
		int r = notary_append_end(n, &s, why);

		if (r == 0)
			r = room(n);
		if (r < 0)
			return r;
	}
	return 0;
}

static int begin_own_session(struct notary *n)
{
	struct record_kv kv[RECORD_DETAIL_MAX];
	static const uint8_t no_key[SHA256_SIZE]; /* our own records carry no payloads */
	struct record rec;
	int r = chain_start(&n->own, no_key);

	if (r < 0)
		return r;
	record_init(&rec, RECORD_SESSION_START, RECORD_NA);
	rec.reason_code = SPAN(START_CODE);
	if (n->cfg.facts) {
		rec.detail_n = record_facts_detail(n->cfg.facts, kv);
		rec.detail = kv;
	}
	n->own_committed = n->own;
	return notary_append_own(n, &rec);
}

int notary_write_vkey(struct notary *n)
{
	_cleanup_buf_ struct buf b = { 0 };
	int r = verifier_key_text(&n->vk, &b);

	if (r == 0)
		r = buf_append(&b, "\n", 1);
	return r < 0 ? r : store_replace(n->store, STORE_FILE_VKEY, buf_span(&b));
}

static int record_torn(struct notary *n, const struct store_recovery *found)
{
	const struct record_kv kv[] = {
		{ "torn_leaf", { NULL, 0 }, (int64_t)found->torn_leaf },
		{ "torn_bytes", { NULL, 0 }, (int64_t)found->torn_bytes },
	};

	n->torn_bytes = found->torn_bytes;
	if (found->torn_bytes == 0)
		return 0;
	notary_alarm(n, -1, "log: a torn end of %" PRIu64 " bytes at leaf %" PRIu64 " was set aside",
		     found->torn_bytes, found->torn_leaf);
	return notary_append_fault(n, -1, "torn_tail",
				   "the log ended in an unfinished record; it was set aside", kv, 2);
}

int notary_restore(struct notary *n)
{
	struct store_recovery found = { 0 };
	struct verifier_key before;
	bool changed;
	int r;

	n->recent.cap = RECENT_RECORDS;
	n->recent.all = calloc(n->recent.cap, sizeof(*n->recent.all));
	if (!n->recent.all)
		return -ENOMEM;
	r = check_signer(n, &before, &changed);
	if (r == 0)
		r = notary_carried_load(n);
	if (r == 0)
		r = store_open(n->cfg.log_dirfd, n->cfg.segment_max, seen, n, &found, &n->store);
	if (r < 0)
		return r;
	qsort(n->recent.all, n->recent.n, sizeof(*n->recent.all), hash_order);
	r = notary_hw_begin(n);
	if (r == 0)
		r = begin_own_session(n);
	if (r == 0 && n->claims)
		claims_start(n->claims, store_size(n->store), n->own.session_id);
	if (r == 0)
		r = record_torn(n, &found);
	if (r == 0)
		r = notary_hw_report(n);
	if (r == 0 && changed)
		r = record_key_change(n, &before);
	if (r == 0)
		r = close_orphans(n, SESSION_OWNER_SELF, "the notary ended without closing its session");
	if (r == 0 && n->cfg.producers_gone)
		r = close_orphans(n, SESSION_OWNER_ANY,
				  "the session was left open by a crash or power loss");
	if (r == 0)
		r = notary_flush(n);
	if (r == 0)
		r = notary_write_vkey(n);
	if (r < 0)
		return r;
	notary_claims_due(n);
	return notary_sign(n, SIGN_RAISE);
}
