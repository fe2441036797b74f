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
