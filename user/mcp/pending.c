// SPDX-License-Identifier: Apache-2.0
/*
 * Requests without an answer. Runs in the proxy; the other side decides how many there are, so both
 * the open and the cancelled ones are limited.
 */
#include "user/mcp/pending.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define BUCKETS 64

static struct pending_req **slot(struct pending *p, enum mcp_dir dir, uint32_t hash)
{
	return &p->bucket[dir][hash % BUCKETS];
}

struct pending_req *pending_find(struct pending *p, enum mcp_dir dir, struct span id_raw)
{
	uint32_t hash = jsonrpc_id_hash(id_raw);
	struct pending_req *r;

	for (r = *slot(p, dir, hash); r; r = r->chain)
		if (r->hash == hash && jsonrpc_id_eq(r->id, id_raw))
			return r;
	return NULL;
}

int pending_add(struct pending *p, enum mcp_dir dir, struct span id_raw, enum mcp_method method,
		struct span item, uint64_t epoch, uint64_t now_ns, struct pending_req **ret)
{
	size_t item_n = item.n < PENDING_ITEM_MAX ? item.n : PENDING_ITEM_MAX;
	struct pending_req *r, **at;
	char *text;

	if (!jsonrpc_id_valid(id_raw))
		return -EINVAL;
	if (pending_find(p, dir, id_raw))
		return -EEXIST;
	if (p->count[dir] - p->cancelled[dir] >= PENDING_MAX)
		return -ENOSPC;
	r = malloc(sizeof(*r) + id_raw.n + item_n);
	if (!r)
		return -ENOMEM;
	text = (char *)(r + 1);
	memcpy(text, id_raw.p, id_raw.n);
	if (item_n)
		memcpy(text + id_raw.n, item.p, item_n);
	*r = (struct pending_req){
		.dir = dir,
		.method = method,
		.epoch = epoch,
		.started_ns = now_ns,
		.id = { text, id_raw.n },
		.item = { text + id_raw.n, item_n },
		.hash = jsonrpc_id_hash(id_raw),
		.older = p->newest[dir],
	};
	at = slot(p, dir, r->hash);
	r->chain = *at;
	*at = r;
	if (r->older)
		r->older->newer = r;
	else
		p->oldest[dir] = r;
	p->newest[dir] = r;
	p->count[dir]++;
	if (ret)
		*ret = r;
	return 0;
}

void pending_remove(struct pending *p, struct pending_req *r)
{
	struct pending_req **at;

	if (!r)
		return;
	for (at = slot(p, r->dir, r->hash); *at != r; at = &(*at)->chain)
		;
	*at = r->chain;
	*(r->older ? &r->older->newer : &p->oldest[r->dir]) = r->newer;
	*(r->newer ? &r->newer->older : &p->newest[r->dir]) = r->older;
	p->count[r->dir]--;
	p->cancelled[r->dir] -= r->cancelled;
	free(r);
}

int pending_cancel(struct pending *p, enum mcp_dir dir, struct span id_raw)
{
	struct pending_req *r = pending_find(p, dir, id_raw);

	if (!r)
		return -ENOENT;
	if (r->cancelled)
		return 0;
	r->cancelled = true;
	p->cancelled[dir]++;
	if (p->cancelled[dir] > PENDING_CANCELLED_MAX) {
		for (r = p->oldest[dir]; !r->cancelled; r = r->newer)
			;
		pending_remove(p, r);
	}
	return 0;
}

struct pending_req *pending_first(struct pending *p, enum mcp_dir dir)
{
	return p->oldest[dir];
}

struct pending_req *pending_next(struct pending_req *r)
{
	return r->newer;
}

void pending_done(struct pending *p)
{
	for (unsigned d = 0; d < 2; d++)
		while (p->oldest[d])
			pending_remove(p, p->oldest[d]);
}
