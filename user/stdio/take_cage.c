// SPDX-License-Identifier: Apache-2.0
/*
 * A takeover that also confines: the server, and what it has started already, whether or not that holds the
 * conversation. Wrappers above the server are the host's and stay as they are.
 *
 * LIMIT: what the server started before and has let go of (its parent ended) is nobody's child any more and is not
 * found. A server that is confined at its exec has no such before.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "user/stdio/confine.h"
#include "user/stdio/take.h"

static int stop_found(struct take *t, const struct proc_pids *below)
{
	int stopped = 0;

	for (size_t i = 0; i < below->n; i++) {
		int r;

		if (below->v[i] == getpid() || take_holder(t, below->v[i]))
			continue;
		r = take_add_holder(t, below->v[i], false);
		if (r < 0)
			return r;
		stopped += r;
	}
	return stopped;
}

int take_stop_below(struct take *t)
{
	int stopped = t->job->cage ? 1 : 0;

	/* Until it stands still itself, one of them may start another. */
	while (stopped > 0) {
		_cleanup_pids_ struct proc_pids below = { 0 };
		int r = proc_descendants(t->job->server, &below);

		if (r < 0)
			return take_fail_errno(t, r, "cannot look for what it has started", t->job->server);
		stopped = stop_found(t, &below);
	}
	return stopped;
}

static int confine_one(struct take *t, pid_t pid, uint64_t start, const struct stdio_cage *cage)
{
	struct holder *h = t->holders;
	struct proc_stat st;
	int r = proc_stat_read(pid, &st);

	if (r < 0 || st.start_ticks != start)
		return take_fail(t, STDIO_GONE, "process %d is gone", (int)pid);
	r = take_add_holder(t, pid, false);
	if (r <= 0)
		return r < 0 ? r : take_fail(t, STDIO_GONE, "process %d is gone", (int)pid);
	r = tracee_begin(&h->tracee, pid, &t->timer);
	if (r == 0)
		r = confine_holder(h, cage);
	if (r == 0)
		r = holder_restore(h);
	return r < 0 ? take_fail_errno(t, r, "it cannot be confined", pid) : 0;
}

enum stdio_reason stdio_confine(pid_t pid, uint64_t start, const struct stdio_cage *cage, unsigned timeout_ms,
				struct stdio_taken *ret)
{
	struct holder h = { .pidfd = -1 };
	struct take t = { .out = ret, .holders = &h };
	int r;

	*ret = (struct stdio_taken){ .orig_in = -1, .orig_out = -1, .to_server = -1, .from_server = -1 };
	r = tracee_timer_start(&t.timer, timeout_ms);
	if (r < 0) {
		(void)take_fail(&t, STDIO_FAULT, "cannot begin: %s", strerror(-r));
		return ret->reason;
	}
	r = confine_one(&t, pid, start, cage);
	ret->dirty = r < 0;
	if (t.n > 0) {
		ret->holders[ret->nholders++] = pid;
		(void)holder_restore(&h);
		if (!holder_release(&h)) {
			ret->dirty = true;
			(void)take_fail(&t, STDIO_FAULT, "a process could not be released");
		}
	}
	tracee_timer_stop(&t.timer);
	return ret->reason;
}

int take_confine(struct take *t)
{
	for (unsigned i = 0; t->job->cage && i < t->n; i++) {
		struct holder *h = &t->holders[i];
		int r;

		if (h->pid != t->job->server && !proc_is_below(h->pid, t->job->server))
			continue;
		t->touched = true; /* what is on some of its threads cannot be taken off */
		r = confine_holder(h, t->job->cage);
		if (r < 0)
			return take_fail(t, STDIO_REFUSED, "it cannot be confined: process %d: %s", (int)h->pid,
					 strerror(-r));
	}
	return 0;
}
