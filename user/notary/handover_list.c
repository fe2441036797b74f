// SPDX-License-Identifier: Apache-2.0
/*
 * Lists of key changes. Written by the notary and by a witness; read by everybody, on hostile text.
 */
#include "user/notary/handover_list.h"

#include <errno.h>
#include <inttypes.h>

#include "user/base/hasher.h"
#include "user/notary/segment.h"
#include "user/notary/view.h"

#define LEAF_DIGITS 16 /* of SEGMENT_LEAF_MAX */

int handover_list_add(struct buf *list, uint64_t leaf, struct span record)
{
	if (buf_len(list) + record.n + LEAF_DIGITS + 2 > HANDOVER_LIST_MAX)
		return -EMSGSIZE;
	return buf_printf(list, "%" PRIu64 " %.*s\n", leaf, (int)record.n, record.p);
}

static bool cut_leaf(struct span *s, uint64_t *ret)
{
	uint64_t v = 0;
	size_t n = 0;

	while (n < s->n && n < LEAF_DIGITS && s->p[n] >= '0' && s->p[n] <= '9')
		v = v * 10 + (uint64_t)(s->p[n++] - '0');
	if (n == 0 || s->p[0] == '0' || n == s->n || s->p[n] != ' ')
		return false;
	s->p += n + 1;
	s->n -= n + 1;
	*ret = v;
	return true;
}

int handover_list_next(struct handover_list *l, struct handover_kept *ret)
{
	struct hasher *h = hasher_of_thread();
	struct handover_kept k;
	struct record_view v;

	if (!h)
		return -ENOMEM;
	if (l->rest.n == 0)
		return -ENODATA;
	if (!span_cut_line(&l->rest, &k.record) || !cut_leaf(&k.record, &k.leaf) || k.leaf < l->from ||
	    record_view_parse(k.record, &v, NULL) < 0 || record_view_hash(&v, h) < 0)
		return -EBADMSG;
	k.is = handover_read(&v, l->origin, k.old_key, k.new_key);
	if (k.is != HANDOVER_SIGNED && k.is != HANDOVER_GAP)
		return -EBADMSG;
	l->from = k.leaf + 1;
	*ret = k;
	return 0;
}
