/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_MCP_PENDING_H
#define TOLLGATE_MCP_PENDING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "user/base/span.h"
#include "user/mcp/message.h"

/* Requests of one conversation that have no answer yet, by the direction in which the request went.
 * Ids of the two directions are separate name spaces. */
#define PENDING_MAX 1024 /* per direction; a host that has more in flight is refused */
#define PENDING_CANCELLED_MAX 128 /* cancelled and unanswered; beyond it the oldest is forgotten */
#define PENDING_ITEM_MAX 512 /* bytes kept of a tool name, prompt name or uri */

struct pending_req {
	enum mcp_dir dir;
	enum mcp_method method;
	uint64_t epoch; /* of the policy and catalog that judged it */
	uint64_t started_ns;
	uint64_t tag; /* the caller's own, 0 at first */
	bool cancelled; /* a late answer is legal and goes nowhere or through */
	struct span id; /* raw id as received, owned by the entry */
	struct span item; /* owned, cut to PENDING_ITEM_MAX */
	/* private */
	struct pending_req *chain, *older, *newer;
	uint32_t hash;
};

struct pending {
	struct pending_req *bucket[2][64];
	struct pending_req *oldest[2], *newest[2];
	unsigned count[2], cancelled[2];
};

/* Zero-initialised is empty. */
void pending_done(struct pending *p);

/* Notes a request. 0; -EEXIST: the id is in flight (or cancelled and unanswered); -ENOSPC:
 * PENDING_MAX; -EINVAL: not a usable id; -ENOMEM. */
int pending_add(struct pending *p, enum mcp_dir dir, struct span id_raw, enum mcp_method method,
		struct span item, uint64_t epoch, uint64_t now_ns, struct pending_req **ret);

/* The request that went in direction dir with this id, or NULL: an answer to nothing. */
struct pending_req *pending_find(struct pending *p, enum mcp_dir dir, struct span id_raw);
/* Forgets it; the answer came. NULL is fine. */
void pending_remove(struct pending *p, struct pending_req *r);

/* Marks it cancelled. 0, or -ENOENT: there is nothing to cancel (legal: the answer was on its
 * way). */
int pending_cancel(struct pending *p, enum mcp_dir dir, struct span id_raw);

/* Oldest first; for answering everything when the other side is gone. */
struct pending_req *pending_first(struct pending *p, enum mcp_dir dir);
struct pending_req *pending_next(struct pending_req *r);

#endif
