// SPDX-License-Identifier: Apache-2.0
/*
 * How the log's key came to be what it is: hand-overs with their places in the tree, for whoever trusts an older
 * key. Runs in the query role; reads only.
 */
#include <errno.h>

#include "user/base/cleanup.h"
#include "user/base/hasher.h"
#include "user/notary/handover_list.h"
#include "user/notary/retention.h"
#include "user/notary/store.h"
#include "user/query/request.h"

struct telling {
	struct request *q;
	const struct checkpoint *cp;
	struct json_out *j;
	int tree_fd, line_fd;
	uint64_t segment;
	struct buf line;
};

static void telling_done(struct telling *t)
{
	cleanup_close(&t->line_fd);
	buf_done(&t->line);
}

/* What does not lead to the signed root is not given out. */
static int tell(struct telling *t, uint64_t leaf, struct span record)
{
	struct tree_hash path[TREE_PROOF_MAX];
	struct hasher *h = t->q->src->hasher;
	uint8_t hash[TREE_HASH];
	unsigned n = 0;
	int r = tree_prove_leaf(h, leaf, t->cp->size, store_tree_read, &t->tree_fd, path, &n);

	if (r < 0)
		return r;
	tree_leaf_hash(h, record, hash);
	r = tree_check_leaf(h, hash, leaf, t->cp->size, path, n, t->cp->root);
	if (r < 0)
		return r;
	json_out_object(t->j);
	json_out_member_int(t->j, "leaf", (int64_t)leaf);
	request_path(t->j, "path", path, n);
	json_out_key(t->j, "record");
	json_out_raw(t->j, record);
	json_out_object_end(t->j);
	return 0;
}

static int tell_place(void *arg, const struct index_place *p)
{
	struct telling *t = arg;
	uint8_t old_key[KEY_SIZE], new_key[KEY_SIZE];
	struct record_view v;
	int r = request_line(t->q->src->log_dirfd, p, &t->line_fd, &t->segment, &t->line, &v);

	if (r < 0)
		return r;
	if (handover_read(&v, t->cp->origin, old_key, new_key) != HANDOVER_SIGNED)
		return 0; /* whatever the index or a record claims */
	return tell(t, p->leaf, buf_span(&t->line));
}

static int tell_removed(struct telling *t, uint64_t from, uint64_t *ret_next)
{
	struct handover_list list = { .origin = t->cp->origin };
	_cleanup_buf_ struct buf text = { 0 };
	struct handover_kept k;
	struct tree removed;
	int r = retention_load(t->q->src->log_dirfd, &removed, &text);

	list.rest = buf_span(&text);
	while (r == 0 && (r = handover_list_next(&list, &k)) == 0)
		if (k.is == HANDOVER_SIGNED && k.leaf >= from)
			r = tell(t, k.leaf, k.record);
	if (r != -ENODATA)
		return r;
	*ret_next = removed.size > from ? removed.size : from;
	return 0;
}

int request_handovers(struct request *q, const struct checkpoint *cp, uint64_t from, int tree_fd, struct json_out *j)
{
	_cleanup_(telling_done) struct telling t = {
		.q = q, .cp = cp, .j = j, .tree_fd = tree_fd, .line_fd = -1,
	};
	uint64_t next = from;
	int r;

	json_out_key(j, "handovers");
	json_out_array(j);
	r = tell_removed(&t, from, &next);
	if (r == 0)
		r = index_handovers(q->src->index, next, cp->size, tell_place, &t);
	json_out_array_end(j);
	return r;
}
