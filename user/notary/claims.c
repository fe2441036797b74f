// SPDX-License-Identifier: Apache-2.0
/*
 * Which sessions want a claim. The table is a reading of the log and of nothing else: records are taken from
 * the segments after they were flushed, and that a claim was made is believed when the log says so.
 */
#include "user/notary/claims.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#define HASH_NONFATAL_OOM 1
#define uthash_nonfatal_oom(e) ((e)->lost = true)
#include <uthash.h>

#include "user/base/cleanup.h"
#include "user/notary/chain.h"
#include "user/notary/claims_private.h"
#include "user/notary/segment.h"

#define ID_SIZE (CHAIN_ID_SIZE - 1)

DEFINE_CLEANUP(struct claim_fold *, claim_fold_free)

int claims_new(const struct claims_config *config, struct claims **ret)
{
	struct claims *c = calloc(1, sizeof(*c));

	if (!c)
		return -ENOMEM;
	c->cfg = *config;
	c->waiting_tail = &c->waiting;
	c->unreported_tail = &c->unreported;
	*ret = c;
	return 0;
}

void claims_key(struct claims *c, const uint8_t public_key[ED25519_KEY_SIZE])
{
	struct claims_session *s, *tmp;

	memcpy(c->cfg.signer.public_key, public_key, ED25519_KEY_SIZE);
	HASH_ITER(hh, c->all, s, tmp)
		claims_want_report(c, s);
}

static struct claims_session *find(struct claims *c, const char *id)
{
	struct claims_session *s;

	HASH_FIND(hh, c->all, id, ID_SIZE, s);
	return s;
}

static void unqueue(struct claims *c, struct claims_session *s)
{
	struct claims_session **at = &c->waiting;

	while (*at && *at != s)
		at = &(*at)->next;
	if (!*at)
		return;
	*at = s->next;
	if (!*at)
		c->waiting_tail = at;
	c->waiting_n--;
}

void claims_drop(struct claims *c, struct claims_session *s)
{
	unqueue(c, s);
	claims_drop_report(c, s);
	HASH_DELETE(hh, c->all, s);
	claim_fold_free(s->fold);
	free(s);
}

void claims_free(struct claims *c)
{
	struct claims_session *s, *tmp;

	if (!c)
		return;
	HASH_ITER(hh, c->all, s, tmp) {
		HASH_DELETE(hh, c->all, s);
		claim_fold_free(s->fold);
		free(s);
	}
	segment_reader_close(c->reader);
	free(c);
}

/* --- reading ----------------------------------------------------------------------------------- */

/* A session of an agent. Those of the daemon's own roles have none, and no claim. */
static int begin(struct claims *c, const struct record_view *v)
{
	_cleanup_(claim_fold_free_p) struct claim_fold *fold = NULL;
	struct claims_session *s, *before;
	int r;

	if (!v->m[M_AGENT].p)
		return 0;
	r = claim_fold_new(v, &fold);
	if (r < 0)
		return r == -EINVAL ? 0 : r; /* its start is not in this log: a claim could not stand on it */
	s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	memcpy(s->id, v->session_id.p, ID_SIZE);
	HASH_ADD(hh, c->all, id, ID_SIZE, s);
	if (s->lost) {
		free(s);
		return -ENOMEM;
	}
	s->fold = take_ptr(fold);
	before = find(c, claim_fold_state(s->fold)->continues);
	if (before)
		memcpy(before->next_id, s->id, ID_SIZE);
	s->restored = !c->own_id;
	claims_want_report(c, s);
	return 0;
}

static void wait_for_claim(struct claims *c, struct claims_session *s)
{
	if (c->waiting_n >= CLAIMS_WAITING_MAX) {
		c->skipped++;
		claims_drop(c, s);
		return;
	}
	s->next = NULL;
	*c->waiting_tail = s;
	c->waiting_tail = &s->next;
	c->waiting_n++;
}

static const char *detail_text(const json_t *detail, const char *name)
{
	const char *s = json_string_value(json_object_get(detail, name));

	return s ? s : "";
}

/* The notary's own word that a claim was made. The sessions that come after stand on it. */
static int take_made(struct claims *c, const struct record_view *v)
{
	struct claims_session *s, *next;
	const char *hash;
	json_t *d;

	if (!span_is(record_view_text(v, M_REASON_CODE), CLAIMS_CODE) || !v->m[M_DETAIL].p)
		return 0;
	d = json_loadb(v->m[M_DETAIL].p, v->m[M_DETAIL].n, JSON_REJECT_DUPLICATES, NULL);
	if (!d)
		return -ENOMEM;
	hash = detail_text(d, "claim_hash");
	s = strlen(detail_text(d, "claimed_session")) == ID_SIZE ? find(c, detail_text(d, "claimed_session")) : NULL;
	if (s && strlen(hash) < sizeof(s->previous)) {
		s->number = (uint64_t)json_integer_value(json_object_get(d, "claim_number"));
		strcpy(s->previous, hash);
		next = *s->next_id ? find(c, s->next_id) : NULL;
		if (next && next->number < s->number) {
			next->number = s->number;
			memcpy(next->previous, s->previous, sizeof(next->previous));
		}
		if (claim_fold_state(s->fold)->ended)
			claims_drop(c, s);
	}
	json_decref(d);
	return 0;
}

int claims_seen(struct claims *c, const struct record_view *v, bool own)
{
	struct claims_session *s = find(c, v->session_id.p);
	int r;

	if (own)
		return take_made(c, v);
	if (!s)
		return begin(c, v);
	r = claim_fold_take(s->fold, v);
	if (claim_fold_state(s->fold)->ended && !s->ended) { /* may drop it */
		s->ended = true;
		wait_for_claim(c, s);
	}
	return r;
}

void claims_start(struct claims *c, uint64_t leaf, const char *own_id)
{
	c->own_id = own_id;
	c->leaf = leaf;
}

int claims_follow(struct claims *c)
{
	int r = c->reader ? 0 : segment_reader_open(c->cfg.log_dirfd, c->leaf, &c->reader);
	struct record_view v;
	struct span line;

	while (r == 0 && (r = segment_read(c->reader, &line, NULL)) == 0) {
		r = record_view_parse(line, &v, NULL);
		if (r == 0)
			r = claims_seen(c, &v, span_is(v.session_id, c->own_id));
	}
	return r == -ENODATA ? 0 : r;
}

/* --- making ------------------------------------------------------------------------------------ */

static int make(struct claims *c, struct claims_session *s, uint64_t now_ns, struct claim_made *ret,
		const char **ret_why)
{
	const struct claim_folded *f = claim_fold_state(s->fold);
	int r;

	*ret = (struct claim_made){ .number = s->number + 1, .length = f->length, .weakest = f->weakest };
	memcpy(ret->session, s->id, ID_SIZE);
	memcpy(ret->root, f->root, sizeof(ret->root));
	memcpy(ret->tip, f->tip, sizeof(ret->tip));
	*ret_why = f->broken;
	r = f->broken ? -EINVAL : claims_write(c, s, now_ns, ret);
	if (r == -EINVAL && !*ret_why)
		*ret_why = "its first record does not state what a claim must say";
	if (r == -EINVAL && s->ended)
		claims_drop(c, s);
	return r;
}

int claims_make_next(struct claims *c, uint64_t now_ns, struct claim_made *ret, const char **ret_why)
{
	struct claims_session *s = c->waiting;

	while (s && (s->made || s->unreported))
		/* Until the log says that it has its claim; until the hardware has been asked, which it is in the order
		 * in which sessions began: none overtakes the one that it continues. */
		s = s->next;
	return s ? make(c, s, now_ns, ret, ret_why) : -ENOENT;
}

int claims_make(struct claims *c, const char *id, uint64_t now_ns, struct claim_made *ret, const char **ret_why)
{
	struct claims_session *s = strlen(id) == ID_SIZE ? find(c, id) : NULL;

	if (!s)
		return -ENOENT;
	if (find(c, claim_fold_state(s->fold)->continues))
		return -EAGAIN;
	if (s->unreported)
		(void)claims_report(c, s); /* a claim without it says so */
	return make(c, s, now_ns, ret, ret_why);
}

void claims_unmade(struct claims *c)
{
	for (struct claims_session *s = c->waiting; s; s = s->next)
		s->made = false;
}

uint64_t claims_skipped(struct claims *c)
{
	uint64_t n = c->skipped;

	c->skipped = 0;
	return n;
}

uint64_t claims_waiting(const struct claims *c)
{
	return c->waiting_n;
}
