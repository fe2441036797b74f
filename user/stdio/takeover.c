// SPDX-License-Identifier: Apache-2.0
/*
 * One takeover: stop every holder, make the new descriptors, bring them to every holder, replace, check,
 * leave everything stopped. Role injector, which decides nothing and ends after it.
 *
 * What can be refused (attach, creation, import) is done in all holders before anything is replaced in
 * any, so a refusal leaves the tree as it was. A failure after that makes the result dirty. The threads
 * under it may lie about every call; what counts is what /proc shows afterwards.
 */
#include "user/stdio/takeover.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "user/base/cleanup.h"
#include "user/stdio/take.h"

#define ODD_WALKS_MAX 2 /* passes in a row that show references without a holder */

static const char *const names[] = {
	[STDIO_DONE] = "done",
	[STDIO_GONE] = "gone",
	[STDIO_TRACED] = "traced",
	[STDIO_THIRTYTWO_BIT] = "thirtytwo-bit",
	[STDIO_UNKNOWN_HOLDER] = "unknown-holder",
	[STDIO_TIMEOUT] = "timeout",
	[STDIO_REFUSED] = "refused",
	[STDIO_UNSUPPORTED] = "unsupported",
	[STDIO_LIMIT] = "limit",
	[STDIO_FAULT] = "fault",
};

const char *stdio_reason_name(enum stdio_reason reason)
{
	return (unsigned)reason < ARRAY_SIZE(names) ? names[reason] : "unknown";
}

int take_fail(struct take *t, enum stdio_reason reason, const char *fmt, ...)
{
	va_list ap;

	t->out->reason = reason;
	va_start(ap, fmt);
	(void)vsnprintf(t->out->text, sizeof(t->out->text), fmt, ap);
	va_end(ap);
	return -1;
}

int take_fail_errno(struct take *t, int r, const char *what, pid_t pid)
{
	enum stdio_reason reason = STDIO_REFUSED;

	switch (-r) {
	case ESRCH:
		reason = STDIO_GONE;
		break;
	case EBUSY:
		reason = STDIO_TRACED;
		break;
	case ENOEXEC:
		reason = STDIO_THIRTYTWO_BIT;
		break;
	case ETIMEDOUT:
		reason = STDIO_TIMEOUT;
		break;
	case EOPNOTSUPP:
		reason = STDIO_UNSUPPORTED;
		break;
	case E2BIG:
		reason = STDIO_LIMIT;
		break;
	case ENOMEM:
		reason = STDIO_FAULT;
		break;
	}
	return take_fail(t, reason, "%s: process %d: %s", what, (int)pid, strerror(-r));
}

struct holder *take_holder(struct take *t, pid_t pid)
{
	for (unsigned i = 0; i < t->n; i++)
		if (t->holders[i].pid == pid)
			return &t->holders[i];
	return NULL;
}

static int next_walk(struct take *t, struct walk *ret)
{
	int r = t->job->walk(t->job->walk_arg, t->everywhere, ret);

	if (r == -E2BIG)
		return take_fail(t, STDIO_LIMIT, "its holders are too many, or keep changing");
	return r < 0 ? take_fail_errno(t, r, "cannot look for holders", 0) : 0;
}

int take_add_holder(struct take *t, pid_t pid, bool split)
{
	int r;

	if (split)
		return take_fail(t, STDIO_UNSUPPORTED, "process %d: a thread has descriptors of its own", pid);
	if (t->n == STDIO_HOLDERS_MAX)
		return take_fail(t, STDIO_LIMIT, "more than %d processes", STDIO_HOLDERS_MAX);
	r = holder_stop(&t->holders[t->n++], pid, &t->timer);
	if (r == -ESRCH) {
		/* Its threads, if any stopped, are let go at once. */
		(void)holder_release(&t->holders[--t->n]);
		return 0;
	}
	return r < 0 ? take_fail_errno(t, r, "cannot be stopped", pid) : 1;
}

struct newcomer {
	pid_t pid;
	int depth;
};

static int by_depth(const void *a, const void *b)
{
	const struct newcomer *x = a, *y = b;

	return x->depth != y->depth ? (x->depth < y->depth ? -1 : 1) : (x->pid > y->pid) - (x->pid < y->pid);
}

/* Holders that are not stopped yet, parents before children: a parent that waits in vfork() stands still only after
 * its child's exec. The number, or -1: who is outside the tree cannot be dealt with. */
static int newcomers(struct take *t, const struct walk *w, struct newcomer ret[STDIO_HOLDERS_MAX + 1])
{
	int n = 0;

	for (size_t i = 0; i < w->n; i++) {
		pid_t pid = (pid_t)w->v[i].tgid;
		int depth;

		if (pid == t->job->host || pid == getpid() || take_holder(t, pid) ||
		    (n > 0 && ret[n - 1].pid == pid))
			continue;
		depth = proc_depth(pid, t->job->root);
		if (depth == -ESRCH)
			continue; /* it ended, or its parent did: the next pass tells */
		if (depth < 0)
			return take_fail(t, STDIO_UNKNOWN_HOLDER, "process %d is outside the tree of %d", (int)pid,
					 (int)t->job->root);
		if (n > STDIO_HOLDERS_MAX)
			return take_fail(t, STDIO_LIMIT, "more than %d processes", STDIO_HOLDERS_MAX);
		ret[n++] = (struct newcomer){ pid, depth };
	}
	qsort(ret, (size_t)n, sizeof(*ret), by_depth);
	return n;
}

/* How many were stopped, or -1. */
static int stop_newcomers(struct take *t, const struct walk *w)
{
	struct newcomer fresh[STDIO_HOLDERS_MAX + 1];
	int n = newcomers(t, w, fresh), stopped = 0;
	bool split;

	if (n < 0)
		return n;
	for (int i = 0; i < n; i++) {
		int r;

		(void)walk_has(w, fresh[i].pid, &split);
		r = take_add_holder(t, fresh[i].pid, split);
		if (r < 0)
			return r;
		stopped += r;
	}
	return stopped;
}

/* Everything that holds an object stands still at the end of this, and accounts for every reference to it. The scopes
 * are searched first; who is not in one, as is all that ran before the node, is found by searching everywhere. */
static int stop_all(struct take *t)
{
	_cleanup_walk_ struct walk w = { 0 };
	int r, odd = 0;

	for (;;) {
		if (next_walk(t, &w) < 0)
			return -1;
		r = stop_newcomers(t, &w);
		if (r < 0)
			return r;
		if (r > 0)
			continue;
		if (w.n > 0 && walk_is_whole(&w))
			break;
		/* A call of the host's on a copy of its own takes a reference for its time. */
		if (t->everywhere && ++odd == ODD_WALKS_MAX)
			return w.n == 0 ? take_fail(t, STDIO_GONE, "nobody holds the descriptors") :
					  take_fail(t, STDIO_UNKNOWN_HOLDER,
						    "a message under way, or an io_uring, has a descriptor of it");
		t->everywhere = true;
	}
	if (!take_holder(t, t->job->server))
		return take_fail(t, STDIO_GONE, "process %d does not hold the descriptors",
				 (int)t->job->server);
	return 0;
}

static int check_job(struct take *t)
{
	const struct stdio_job *j = t->job;
	struct proc_stat st;
	int r;

	if (j->host <= 0 || j->root <= 0 || j->server <= 0 || j->server == j->host || !j->walk || j->ino0 == 0 ||
	    j->ino1 == 0 || j->server == getpid())
		return take_fail(t, STDIO_FAULT, "the job makes no sense");
	for (int i = 0; i < 2; i++) {
		mode_t type = (i ? j->mode1 : j->mode0) & S_IFMT;

		if (type != S_IFIFO && type != S_IFSOCK)
			return take_fail(t, STDIO_UNSUPPORTED, "neither pipe nor socket");
		t->old[i] = (struct proc_object){ .type = type,
						  .ino = i ? j->ino1 : j->ino0,
						  .access = i ? O_WRONLY : O_RDONLY };
	}
	t->nold = 2;
	if (t->old[0].type == t->old[1].type && j->ino0 == j->ino1) {
		if (t->old[0].type == S_IFIFO)
			return take_fail(t, STDIO_UNSUPPORTED, "one pipe for both directions");
		t->nold = 1;
	}
	r = proc_stat_read(j->server, &st);
	if (r < 0 || (j->server_start && st.start_ticks != j->server_start))
		return take_fail(t, STDIO_GONE, "process %d is gone", (int)j->server);
	return 0;
}

static int begin_all(struct take *t)
{
	for (unsigned i = 0; i < t->n; i++) {
		struct holder *h = &t->holders[i];
		int r = holder_inspect(h, t->old, t->nold, t->sdev);

		if (r < 0)
			return take_fail_errno(t, r, "its descriptors cannot be replaced", h->pid);
		for (unsigned k = 0; k < ENDS_MAX; k++)
			h->end_fd[k] = -1;
		r = tracee_begin(&h->tracee, h->pid, &t->timer);
		if (r < 0)
			return take_fail_errno(t, r, "cannot make calls in it", h->pid);
		t->out->nthreads += (unsigned)h->threads.n;
	}
	return 0;
}

static int import_all(struct take *t)
{
	for (unsigned i = 0; i < t->n; i++) {
		struct holder *h = &t->holders[i];
		int r = 0;

		for (size_t k = 0; r == 0 && k < h->nfds; k++)
			if (stdio_ends_find(&t->ends, h->fds[k].which, h->fds[k].flags) < 0)
				r = take_make_variant(t, &h->fds[k]);
		if (r < 0)
			return take_fail_errno(t, r, "its descriptors have flags that cannot be kept", h->pid);
	}
	for (unsigned i = 0; i < t->n; i++) {
		int r = holder_import(&t->holders[i], &t->ends);

		if (r < 0)
			return take_fail_errno(t, r, "cannot bring the new descriptors in", t->holders[i].pid);
	}
	return 0;
}

/* What a holder's calls returned proves nothing; the descriptor tables do. */
static int check_replaced(struct take *t)
{
	_cleanup_walk_ struct walk w = { 0 };

	if (next_walk(t, &w) < 0)
		return -1;
	for (size_t i = 0; i < w.n; i++) {
		pid_t pid = (pid_t)w.v[i].tgid;

		if (pid != t->job->host && pid != getpid())
			return take_fail(t, STDIO_REFUSED, "process %d still holds the old descriptors", (int)pid);
	}
	return 0;
}

static int replace_all(struct take *t)
{
	for (unsigned i = 0; i < t->n; i++) {
		int r = holder_replace(&t->holders[i], &t->ends, &t->touched);

		if (r < 0)
			return take_fail_errno(t, r, "cannot replace its descriptors", t->holders[i].pid);
	}
	for (unsigned i = 0; i < t->n; i++)
		holder_complete_writes(&t->holders[i], &t->ends);
	for (unsigned i = 0; i < t->n; i++) {
		int r = holder_restore(&t->holders[i]);

		if (r < 0)
			return take_fail_errno(t, r, "cannot be put back", t->holders[i].pid);
	}
	return check_replaced(t);
}

static int run(struct take *t)
{
	int r = check_job(t);

	if (r == 0)
		r = stop_all(t);
	if (r == 0)
		r = take_stop_below(t);
	if (r == 0)
		r = take_originals(t);
	if (r == 0)
		r = begin_all(t);
	if (r == 0)
		r = take_make_objects(t);
	if (r == 0)
		r = import_all(t);
	if (r == 0)
		r = take_confine(t);
	if (r == 0)
		r = replace_all(t);
	if (r == 0)
		take_count_unread(t);
	return r;
}

/* Undoes what is left to undo and lets the processes go into their stop. False when one cannot be. */
static bool release_all(struct take *t)
{
	struct stdio_taken *o = t->out;
	bool ok = true;

	/* Backwards: two holders may share memory (vfork), and each put its bytes back. */
	for (unsigned i = t->n; i-- > 0;)
		ok &= holder_restore(&t->holders[i]) == 0;
	for (unsigned i = 0; i < t->n; i++) {
		struct holder *h = &t->holders[i];

		bool seized = h->threads.n > 0;

		o->nsteps += h->tracee.steps;
		ok &= holder_release(h);
		if (seized && (!h->group_stop || h->pid == t->job->server))
			o->holders[o->nholders++] = h->pid;
	}
	for (unsigned i = 0; i < t->ends.n; i++)
		close(t->ends.v[i].fd);
	return ok;
}

enum stdio_reason stdio_take(const struct stdio_job *job, struct stdio_taken *ret)
{
	struct take t = { .job = job, .out = ret };
	int r;

	*ret = (struct stdio_taken){
		.orig_in = -1, .orig_out = -1, .to_server = -1, .from_server = -1
	};
	t.holders = calloc(STDIO_HOLDERS_MAX, sizeof(*t.holders));
	r = t.holders ? tracee_timer_start(&t.timer, job->timeout_ms ? job->timeout_ms :
								       STDIO_TIMEOUT_MS) :
			-ENOMEM;
	if (r < 0) {
		(void)take_fail(&t, STDIO_FAULT, "cannot begin: %s", strerror(-r));
		free(t.holders);
		return ret->reason;
	}
	r = run(&t);
	if (!release_all(&t)) {
		ret->dirty = true;
		if (r == 0)
			r = take_fail(&t, STDIO_FAULT, "a process could not be released");
	}
	tracee_timer_stop(&t.timer);
	free(t.holders);
	if (r < 0) {
		ret->dirty |= t.touched;
		stdio_taken_done(ret);
	}
	return ret->reason;
}

void stdio_resume(const pid_t *pids, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (pids[i] > 0)
			(void)kill(pids[i], SIGCONT);
}

void stdio_taken_done(struct stdio_taken *t)
{
	int *const fds[] = { &t->orig_in, &t->orig_out, &t->to_server, &t->from_server };

	for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
		if (*fds[i] >= 0)
			close(*fds[i]);
		*fds[i] = -1;
	}
}
