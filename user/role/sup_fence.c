// SPDX-License-Identifier: Apache-2.0
/*
 * The fence as the node's operator meets it: whether it may start, which ways out it signs as open, and what was
 * refused. Supervisor only.
 */
#include <errno.h>
#include <stdio.h>

#include "user/base/buf.h"
#include "user/base/cleanup.h"
#include "user/base/log.h"
#include "user/kern/fence.h"
#include "user/kern/kern.h"
#include "user/role/sup.h"

#define ROWS_TEXT_MAX 2048 /* every id and a blank */

int sup_fence_check(struct supervisor *s)
{
	struct kern_fence_row rows[KERN_FENCE_ROWS_MAX];
	unsigned n = kern_fence_rows(s->kern, rows), open = 0;

	if (s->conf.enforcement != CONF_ENFORCE)
		return 0;
	for (unsigned i = 0; i < n; i++) {
		if (rows[i].state != KERN_ROW_OPEN || !rows[i].required)
			continue;
		open++;
		log_warn("row %s is open: %s; %s would close it", rows[i].id, rows[i].what, rows[i].hook);
	}
	if (!open)
		return 0;
	return log_err(-EOPNOTSUPP, "start with enforcement enforce: %u rows are open on this kernel; boot it with bpf "
		       "among its security modules (lsm=), or accept the rows with enforcement: enforce-partial", open);
}

/* What was accepted by `enforce-partial` is signed: nobody says later that it was not known. */
void sup_fence_record(struct supervisor *s)
{
	struct kern_fence_row rows[KERN_FENCE_ROWS_MAX];
	unsigned n = kern_fence_rows(s->kern, rows);
	_cleanup_buf_ struct buf text = { .limit = ROWS_TEXT_MAX };
	int r = 0;

	for (unsigned i = 0; i < n && r >= 0; i++)
		if (rows[i].state == KERN_ROW_OPEN)
			r = buf_printf(&text, "%s%s", buf_len(&text) ? " " : "open rows: ", rows[i].id);
	if (r >= 0 && buf_len(&text) && buf_cstr(&text))
		sup_record_node(s, "rows_open", buf_cstr(&text));
}

bool sup_fence_tell(struct supervisor *s, char *ret, size_t size)
{
	struct kern_fence_row rows[KERN_FENCE_ROWS_MAX];
	unsigned n = kern_fence_rows(s->kern, rows), open = 0;

	for (unsigned i = 0; i < n; i++)
		open += rows[i].state == KERN_ROW_OPEN;
	(void)snprintf(ret, size, open ? "%u of %u are closed: `tollgate doctor` names the others" :
					 "%u of %u are closed", n - open, n);
	return !open;
}

/* An agent can be refused as often as it likes: one record a second and reason, the counters have the rest. */
void sup_fence_event(struct supervisor *s, const struct tg_event *e)
{
	uint64_t bit = e->fence.reason < 64 ? 1ull << e->fence.reason : 0;
	const char *name = kern_stat_name(e->fence.reason);
	char reason[128];

	if (!bit || !name || (s->fence_told & bit))
		return;
	s->fence_told |= bit;
	(void)snprintf(reason, sizeof(reason), "pid %u, uid %u, of agent %u: %s (%lld)", e->tgid, e->fence.uid,
		       e->fence.agent, name, (long long)e->fence.what);
	sup_record_node(s, "fence_refused", reason);
}
