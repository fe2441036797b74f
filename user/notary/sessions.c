// SPDX-License-Identifier: Apache-2.0
/*
 * Table of open sessions. Runs in the notary, and in the verifier, which asks the same question.
 */
#include "user/notary/sessions.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define HASH_NONFATAL_OOM 1
#define uthash_nonfatal_oom(e) ((e)->lost = true)
#include <uthash.h>

#include "user/base/cleanup.h"
#include "user/notary/chain.h"
#include "user/notary/record.h"

#define ID_SIZE (CHAIN_ID_SIZE - 1)

struct state {
	uint64_t sequence;
	char prev[64];
	uint8_t prev_n;
	bool open;
};

struct session {
	char id[ID_SIZE];
	int owner;
	bool lost, touched;
	struct state now, committed; /* committed.open false: not on file yet */
	struct session *next_touched;
	UT_hash_handle hh;
};

struct session_table {
	struct session *all, *touched;
	unsigned max;
};

int sessions_new(unsigned max, struct session_table **ret)
{
	struct session_table *t = calloc(1, sizeof(*t));

	if (!t)
		return -ENOMEM;
	t->max = max;
	*ret = t;
	return 0;
}

static void drop(struct session_table *t, struct session *s)
{
	HASH_DELETE(hh, t->all, s);
	free(s);
}

void sessions_free(struct session_table *t)
{
	struct session *s, *tmp;

	if (!t)
		return;
	HASH_ITER(hh, t->all, s, tmp)
		drop(t, s);
	free(t);
}

static struct session *find(struct session_table *t, const char *id)
{
	struct session *s;

	HASH_FIND(hh, t->all, id, ID_SIZE, s);
	return s;
}

static int add(struct session_table *t, const char *id, int owner, struct session **ret)
{
	struct session *s;

	if (HASH_COUNT(t->all) >= t->max)
		return SESSION_TOO_MANY;
	s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	memcpy(s->id, id, ID_SIZE);
	s->owner = owner;
	s->now.prev_n = sizeof(CHAIN_GENESIS) - 1;
	memcpy(s->now.prev, CHAIN_GENESIS, s->now.prev_n);
	HASH_ADD(hh, t->all, id, ID_SIZE, s);
	if (s->lost) {
		free(s);
		return -ENOMEM;
	}
	*ret = s;
	return 0;
}

static void tell(const struct session *s, struct session_next *ret)
{
	*ret = (struct session_next){ .sequence = s->now.sequence };
	memcpy(ret->id, s->id, ID_SIZE);
	memcpy(ret->prev, s->now.prev, s->now.prev_n);
}

static void touch(struct session_table *t, struct session *s)
{
	if (s->touched)
		return;
	s->touched = true;
	s->next_touched = t->touched;
	t->touched = s;
}

int sessions_see(struct session_table *t, const struct record_view *v, int owner,
		 struct session_next *ret_expected)
{
	struct session *s = find(t, v->session_id.p);
	struct span type = record_view_text(v, M_ENTRY_TYPE);
	bool follows;
	int r;

	if (s && s->owner != SESSION_OWNER_ANY && s->owner != owner)
		return SESSION_FOREIGN;
	if (!s) {
		r = add(t, v->session_id.p, owner, &s);
		if (r != 0)
			return r;
	}
	/* A session begins with session_start, has no other, and nothing follows its end. */
	follows = s->now.sequence == v->sequence &&
		  span_eq(v->prev, (struct span){ s->now.prev, s->now.prev_n }) &&
		  (v->sequence == 0) == span_is(type, "session_start") &&
		  (s->now.open || s->now.sequence == 0);
	tell(s, ret_expected);
	if (owner != SESSION_OWNER_ANY)
		s->owner = owner;
	s->now.sequence = v->sequence + 1;
	memcpy(s->now.prev, v->entry_hash.p, sizeof(s->now.prev));
	s->now.prev_n = sizeof(s->now.prev);
	s->now.open = !span_is(type, "session_end");
	touch(t, s);
	return follows ? SESSION_FOLLOWS : SESSION_BREAKS;
}

bool sessions_known(struct session_table *t, const struct record_view *v)
{
	return find(t, v->session_id.p) != NULL;
}

static void settle(struct session_table *t, bool keep)
{
	struct session *s;

	while ((s = t->touched)) {
		t->touched = s->next_touched;
		s->touched = false;
		if (keep)
			s->committed = s->now;
		else
			s->now = s->committed;
		if (!s->now.open)
			drop(t, s);
	}
}

void sessions_commit(struct session_table *t)
{
	settle(t, true);
}

void sessions_rollback(struct session_table *t)
{
	settle(t, false);
}

bool sessions_first(struct session_table *t, int owner, struct session_next *ret)
{
	struct session *s, *tmp;

	HASH_ITER(hh, t->all, s, tmp)
		if (s->now.open && (owner == SESSION_OWNER_ANY || s->owner == owner)) {
			tell(s, ret);
			return true;
		}
	return false;
}

void sessions_end(struct session_table *t, const char *id)
{
	struct session *s = find(t, id);

	if (!s)
		return;
	s->now.open = false;
	touch(t, s);
}

uint64_t sessions_count(const struct session_table *t)
{
	return HASH_COUNT(t->all);
}
