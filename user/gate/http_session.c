// SPDX-License-Identifier: Apache-2.0
/*
 * The table of HTTP conversations of one proxy. Bounded by the gate's limit: when that is reached, the one
 * that has been idle longest makes room.
 */
#include "user/gate/http_session.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#include "user/gate/gate.h"

#define KEY_MAX (HTTP_SESSION_ID_MAX + CONV_ADDRESS_MAX + CONV_PATH_MAX + 64)

struct entry {
	UT_hash_handle hh;
	struct gate_conv *conv;
	unsigned holders;
	bool ended;
	size_t base_n; /* of the key, up to the session's id */
	char key[KEY_MAX];
};

struct http_sessions {
	struct gate *gate;
	struct entry *table;
};

int http_sessions_new(struct gate *g, struct http_sessions **ret)
{
	struct http_sessions *hs = calloc(1, sizeof(*hs));

	if (!hs)
		return -ENOMEM;
	hs->gate = g;
	*ret = hs;
	return 0;
}

static void drop(struct http_sessions *hs, struct entry *e, const char *why)
{
	HASH_DEL(hs->table, e);
	gate_conv_close(e->conv, why);
	free(e);
}

void http_sessions_free(struct http_sessions *hs)
{
	struct entry *e, *next;

	if (!hs)
		return;
	HASH_ITER(hh, hs->table, e, next)
		drop(hs, e, "the proxy ends");
	free(hs);
}

/* The id comes last, so that it cannot be mistaken for a part of the address. */
static int key_of(const struct gate_peers *p, struct span id, char key[KEY_MAX], size_t *ret_base)
{
	int n = snprintf(key, KEY_MAX, "%" PRIu32 "/%" PRId32 "/%s/%s:%u%s ", p->agent, p->agent_pid,
			 p->transport, p->host, p->port, p->path ? p->path : "");

	if (n < 0 || id.n > HTTP_SESSION_ID_MAX || (size_t)n + id.n >= KEY_MAX ||
	    (id.n && memchr(id.p, '\0', id.n)))
		return -EINVAL;
	if (id.n)
		memcpy(key + n, id.p, id.n);
	key[(size_t)n + id.n] = '\0';
	*ret_base = (size_t)n;
	return 0;
}

static bool make_room(struct http_sessions *hs)
{
	struct entry *e, *next, *oldest = NULL;

	HASH_ITER(hh, hs->table, e, next)
		if (e->holders == 0 && (!oldest || e->conv->last_ns < oldest->conv->last_ns))
			oldest = e;
	if (oldest)
		drop(hs, oldest, "made room for another");
	return oldest;
}

static int open_entry(struct http_sessions *hs, const struct gate_peers *p, const char *key,
		      size_t base, struct entry **ret)
{
	struct entry *e = calloc(1, sizeof(*e));
	int r;

	if (!e)
		return -ENOMEM;
	(void)snprintf(e->key, sizeof(e->key), "%s", key);
	e->base_n = base;
	r = gate_conv_open(hs->gate, p, &e->conv);
	if (r == -ENOSPC && make_room(hs))
		r = gate_conv_open(hs->gate, p, &e->conv);
	if (r < 0) {
		free(e);
		return r;
	}
	HASH_ADD_STR(hs->table, key, e);
	if (!e->hh.tbl) {
		gate_conv_close(e->conv, "not enough memory");
		free(e);
		return -ENOMEM;
	}
	e->conv->entry = e;
	*ret = e;
	return 0;
}

int http_session_get(struct http_sessions *hs, const struct gate_peers *p, struct span id,
		     struct gate_conv **ret)
{
	char key[KEY_MAX];
	struct entry *e;
	size_t base;
	int r = key_of(p, id, key, &base);

	if (r < 0)
		return r;
	HASH_FIND_STR(hs->table, key, e);
	if (!e)
		r = open_entry(hs, p, key, base, &e);
	if (r < 0)
		return r;
	e->holders++;
	*ret = e->conv;
	return 0;
}

void http_session_put(struct http_sessions *hs, struct gate_conv *c)
{
	struct entry *e = c->entry;

	if (!e)
		return;
	e->holders--;
	if (e->ended && e->holders == 0)
		drop(hs, e, "the host ended it");
}

void http_session_name(struct http_sessions *hs, struct gate_conv *c, struct span id)
{
	struct entry *e = c->entry, *taken;
	char key[KEY_MAX];

	if (!e || id.n == 0 || id.n > HTTP_SESSION_ID_MAX || e->base_n + id.n >= KEY_MAX ||
	    memchr(id.p, '\0', id.n))
		return;
	memcpy(key, e->key, e->base_n);
	memcpy(key + e->base_n, id.p, id.n);
	key[e->base_n + id.n] = '\0';
	HASH_FIND_STR(hs->table, key, taken);
	if (taken)
		return;
	HASH_DEL(hs->table, e);
	memcpy(e->key, key, sizeof(e->key));
	HASH_ADD_STR(hs->table, key, e);
}

void http_session_end(struct http_sessions *hs, struct gate_conv *c)
{
	struct entry *e = c->entry;

	if (e)
		e->ended = true;
}

void http_sessions_sweep(struct http_sessions *hs, uint64_t now_ns, uint64_t idle_ns)
{
	struct entry *e, *next;

	HASH_ITER(hh, hs->table, e, next)
		if (e->holders == 0 && now_ns - e->conv->last_ns > idle_ns)
			drop(hs, e, "idle");
}
