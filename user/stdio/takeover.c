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
#include <linux/sockios.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "user/base/cleanup.h"
#include "user/base/file.h"
#include "user/stdio/holder.h"

#define PROBE "tollgate" /* sent through a new socket pair to see that its ends belong together */

struct take {
	const struct stdio_job *job;
	struct stdio_taken *out;
	struct tracee_timer timer;
	struct holder *holders; /* STDIO_HOLDERS_MAX */
	unsigned n;
	struct proc_object old[2];
	unsigned nold; /* 1 when one socket serves both */
	uint64_t sdev[2];
	struct stdio_ends ends;
	bool touched; /* something was replaced */
};

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

__attribute__((format(printf, 3, 4))) static int fail(struct take *t, enum stdio_reason reason,
						      const char *fmt, ...)
{
	va_list ap;

	t->out->reason = reason;
	va_start(ap, fmt);
	(void)vsnprintf(t->out->text, sizeof(t->out->text), fmt, ap);
	va_end(ap);
	return -1;
}

/* The reason that an errno of the lower files stands for. */
static int fail_errno(struct take *t, int r, const char *what, pid_t pid)
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
	return fail(t, reason, "%s: process %d: %s", what, (int)pid, strerror(-r));
}

static struct holder *holder_of(struct take *t, pid_t pid)
{
	for (unsigned i = 0; i < t->n; i++)
		if (t->holders[i].pid == pid)
			return &t->holders[i];
	return NULL;
}

/* Stops the process when it holds one of the objects. 1 when it was added, 0, or -1. */
static int add_holder(struct take *t, pid_t pid)
{
	bool split;
	int r;

	if (pid == t->job->host || holder_of(t, pid))
		return 0;
	r = proc_holds(pid, t->old, t->nold, &split);
	if (r == 0 || r == -ESRCH)
		return 0;
	if (r < 0)
		return fail_errno(t, r, "cannot read its descriptors", pid);
	if (split)
		return fail(t, STDIO_UNSUPPORTED, "process %d: a thread has descriptors of its own", pid);
	if (t->n == STDIO_HOLDERS_MAX)
		return fail(t, STDIO_LIMIT, "more than %d processes", STDIO_HOLDERS_MAX);
	r = holder_stop(&t->holders[t->n++], pid, &t->timer);
	if (r == -ESRCH) {
		/* It ended meanwhile; its threads, if any stopped, are let go at once. */
		(void)holder_release(&t->holders[--t->n]);
		return 0;
	}
	return r < 0 ? fail_errno(t, r, "cannot be stopped", pid) : 1;
}

/* Parents before children: a parent that waits in vfork() stands still only after its child's exec. */
static int stop_tree(struct take *t)
{
	int added;

	do {
		_cleanup_pids_ struct proc_pids tree = { 0 };
		int r = proc_descendants(t->job->root, &tree);

		if (r < 0)
			return fail_errno(t, r, "cannot list the tree", t->job->root);
		added = 0;
		for (size_t i = 0; i < tree.n; i++) {
			r = add_holder(t, tree.v[i]);
			if (r < 0)
				return r;
			added |= r;
		}
	} while (added);
	return 0;
}

static bool is_ours(const struct take *t, pid_t pid)
{
	for (unsigned i = 0; i < t->job->nours; i++)
		if (t->job->ours[i] == pid)
			return true;
	return pid == getpid();
}

/* Everything that holds an object must be known by now; who is outside the tree cannot be dealt with. */
static int stop_all(struct take *t)
{
	bool again;

	do {
		_cleanup_pids_ struct proc_pids all = { 0 };
		int r = stop_tree(t);

		if (r < 0)
			return r;
		r = proc_holders(t->old, t->nold, &all);
		if (r < 0)
			return fail_errno(t, r, "cannot look through /proc", 0);
		again = false;
		for (size_t i = 0; i < all.n; i++) {
			pid_t pid = all.v[i];

			if (pid == t->job->host || holder_of(t, pid) || is_ours(t, pid))
				continue;
			if (!proc_is_below(pid, t->job->root))
				return fail(t, STDIO_UNKNOWN_HOLDER,
					    "process %d is outside the tree of %d", (int)pid,
					    (int)t->job->root);
			again = true;
		}
	} while (again);
	if (!holder_of(t, t->job->server))
		return fail(t, STDIO_GONE, "process %d does not hold the descriptors",
			    (int)t->job->server);
	return 0;
}

static int check_job(struct take *t)
{
	const struct stdio_job *j = t->job;
	struct proc_stat st;
	int r;

	if (j->host <= 0 || j->root <= 0 || j->server <= 0 || j->server == j->host || j->ino0 == 0 ||
	    j->ino1 == 0 || j->server == getpid())
		return fail(t, STDIO_FAULT, "the job makes no sense");
	for (int i = 0; i < 2; i++) {
		mode_t type = (i ? j->mode1 : j->mode0) & S_IFMT;

		if (type != S_IFIFO && type != S_IFSOCK)
			return fail(t, STDIO_UNSUPPORTED, "neither pipe nor socket");
		t->old[i] = (struct proc_object){ .type = type,
						  .ino = i ? j->ino1 : j->ino0,
						  .access = i ? O_WRONLY : O_RDONLY };
	}
	t->nold = 2;
	if (t->old[0].type == t->old[1].type && j->ino0 == j->ino1) {
		if (t->old[0].type == S_IFIFO)
			return fail(t, STDIO_UNSUPPORTED, "one pipe for both directions");
		t->nold = 1;
	}
	r = proc_stat_read(j->server, &st);
	if (r < 0 || (j->server_start && st.start_ticks != j->server_start))
		return fail(t, STDIO_GONE, "process %d is gone", (int)j->server);
	return 0;
}

/* The server's own descriptor of an object; -1 when it has none. */
static const struct proc_fd *server_fd(struct take *t, unsigned which)
{
	struct holder *h = holder_of(t, t->job->server);

	for (size_t i = 0; i < h->nfds; i++)
		if (h->fds[i].which == which)
			return &h->fds[i];
	return NULL;
}

static int check_socket(int fd)
{
	socklen_t len = sizeof(int);
	int domain, type;

	if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) < 0 ||
	    getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) < 0)
		return -errno;
	return domain == AF_UNIX && type == SOCK_STREAM ? 0 : -EOPNOTSUPP;
}

/* Takes the original ends and learns what fdinfo will call their device. */
static int take_originals(struct take *t)
{
	struct holder *h = holder_of(t, t->job->server);
	int *const to[2] = { &t->out->orig_in, &t->out->orig_out };
	int r = holder_inspect(h, t->old, t->nold, t->sdev);

	if (r < 0)
		return fail_errno(t, r, "cannot read its descriptors", h->pid);
	for (unsigned i = 0; i < 2; i++) {
		unsigned which = i < t->nold ? i : 0;
		const struct proc_fd *f = server_fd(t, which);
		struct stat st;
		int fd;

		if (!f)
			return fail(t, STDIO_GONE, "process %d does not hold both ends", (int)h->pid);
		fd = holder_getfd(h, f->fd);
		if (fd < 0)
			return fail_errno(t, fd, "cannot copy its descriptor", h->pid);
		*to[i] = fd;
		if (fstat(fd, &st) < 0 || (st.st_mode & S_IFMT) != t->old[which].type ||
		    st.st_ino != t->old[which].ino)
			return fail(t, STDIO_GONE, "process %d changed its descriptors", (int)h->pid);
		t->sdev[which] = (uint64_t)major(st.st_dev) << 20 | minor(st.st_dev);
		r = S_ISSOCK(st.st_mode) ? check_socket(fd) : 0;
		if (r < 0)
			return fail_errno(t, r, "not a stream socket of the UNIX family", h->pid);
	}
	return 0;
}

static int begin_all(struct take *t)
{
	for (unsigned i = 0; i < t->n; i++) {
		struct holder *h = &t->holders[i];
		int r = holder_inspect(h, t->old, t->nold, t->sdev);

		if (r < 0)
			return fail_errno(t, r, "its descriptors cannot be replaced", h->pid);
		for (unsigned k = 0; k < ENDS_MAX; k++)
			h->end_fd[k] = -1;
		r = tracee_begin(&h->tracee, h->pid, &t->timer);
		if (r < 0)
			return fail_errno(t, r, "cannot make calls in it", h->pid);
		t->out->nthreads += (unsigned)h->threads.n;
	}
	return 0;
}

/* Do the two ends belong together? Their numbers were read from the server's memory. */
static int check_pair(int near, int far, mode_t type)
{
	char got[sizeof(PROBE)];
	struct stat a, b;

	if (fstat(near, &a) < 0 || fstat(far, &b) < 0)
		return -errno;
	if ((a.st_mode & S_IFMT) != type || (b.st_mode & S_IFMT) != type)
		return -EFAULT;
	if (type == S_IFIFO)
		return a.st_ino == b.st_ino && a.st_dev == b.st_dev ? 0 : -EFAULT;
	if (check_socket(near) < 0 || check_socket(far) < 0 || a.st_ino == b.st_ino ||
	    send(far, PROBE, sizeof(got), MSG_DONTWAIT | MSG_NOSIGNAL) != (ssize_t)sizeof(got) ||
	    recv(near, got, sizeof(got), MSG_DONTWAIT) != (ssize_t)sizeof(got) ||
	    memcmp(got, PROBE, sizeof(got)) != 0)
		return -EFAULT;
	return 0;
}

/* A pipe's capacity follows the original's, so that what blocked before blocks now. Best effort. */
static void copy_capacity(int from, int to)
{
	int a = fcntl(from, F_GETPIPE_SZ), b = fcntl(to, F_GETPIPE_SZ);

	if (a > 0 && b > 0 && a != b)
		(void)fcntl(to, F_SETPIPE_SZ, a);
}

static int add_end(struct take *t, unsigned which, int flags, int fd)
{
	if (t->ends.n == ENDS_MAX)
		return -E2BIG;
	t->ends.v[t->ends.n++] = (struct stdio_end_fd){ .which = which, .flags = flags, .fd = fd };
	return 0;
}

/* Makes the new object number `which` in the server: the near end becomes an end to give out, the far end
 * is ours alone, so it can be made non-blocking. ret_* are set on success only. */
static int make_object(struct take *t, unsigned which, int *ret_far, uint32_t *ret_mode, uint64_t *ret_ino)
{
	struct holder *h = holder_of(t, t->job->server);
	int there[2], r, flags = server_fd(t, which)->flags & STDIO_END_FLAGS;
	_cleanup_close_ int near = -1;
	_cleanup_close_ int far = -1;
	struct stat st;
	mode_t type;

	r = holder_make_pair(h, t->old[which].type, there, &type);
	if (r < 0)
		return fail_errno(t, r, "cannot make new descriptors", h->pid);
	if (type != t->old[which].type && t->nold == 1)
		return fail(t, STDIO_REFUSED, "process %d may not make sockets", (int)h->pid);
	/* A pipe's first descriptor reads. The server reads object 0 and writes object 1. */
	near = holder_getfd(h, there[which]);
	far = holder_getfd(h, there[!which]);
	if (near < 0 || far < 0)
		r = near < 0 ? near : far;
	else
		r = check_pair(near, far, type);
	if (r == 0 && (fcntl(near, F_SETFL, flags & (O_NONBLOCK | O_APPEND)) < 0 || fstat(near, &st) < 0))
		r = -errno;
	if (r == 0)
		r = fd_nonblock(far);
	if (r < 0)
		return fail_errno(t, r, "the new descriptors are not usable", h->pid);
	if (t->old[which].type == S_IFIFO) {
		flags = (flags & ~O_ACCMODE) | (which ? O_WRONLY : O_RDONLY);
		copy_capacity(which ? t->out->orig_out : t->out->orig_in, far);
	}
	h->end_fd[t->ends.n] = there[which];
	(void)add_end(t, which, flags, take_fd(near)); /* the first two always fit */
	*ret_far = take_fd(far);
	*ret_mode = type;
	*ret_ino = st.st_ino;
	return 0;
}

static int make_objects(struct take *t)
{
	struct stdio_taken *o = t->out;
	int r = make_object(t, 0, &o->to_server, &o->new_mode0, &o->new_ino0);

	if (r < 0)
		return r;
	if (t->nold == 2)
		return make_object(t, 1, &o->from_server, &o->new_mode1, &o->new_ino1);
	o->new_mode1 = o->new_mode0;
	o->new_ino1 = o->new_ino0;
	o->from_server = fcntl(o->to_server, F_DUPFD_CLOEXEC, 0);
	return o->from_server < 0 ? fail_errno(t, -errno, "cannot copy a descriptor", getpid()) : 0;
}

/* Another description of the same new pipe, with the flags that an original description had. */
static int make_variant(struct take *t, const struct proc_fd *f)
{
	int base = -1, flags = f->flags & STDIO_END_FLAGS, r;
	_cleanup_close_ int fd = -1;
	char self[32];

	for (unsigned i = 0; i < t->ends.n && base < 0; i++)
		if (t->ends.v[i].which == f->which)
			base = t->ends.v[i].fd;
	if (t->old[f->which].type != S_IFIFO || base < 0)
		return -EOPNOTSUPP;
	(void)snprintf(self, sizeof(self), "/proc/self/fd/%d", base);
	fd = open(self, (flags & O_ACCMODE) | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 || fcntl(fd, F_SETFL, flags & (O_NONBLOCK | O_APPEND)) < 0)
		return -errno;
	r = add_end(t, f->which, flags, fd);
	if (r == 0)
		(void)take_fd(fd);
	return r;
}

static int import_all(struct take *t)
{
	for (unsigned i = 0; i < t->n; i++) {
		struct holder *h = &t->holders[i];
		int r = 0;

		for (size_t k = 0; r == 0 && k < h->nfds; k++)
			if (stdio_ends_find(&t->ends, h->fds[k].which, h->fds[k].flags) < 0)
				r = make_variant(t, &h->fds[k]);
		if (r < 0)
			return fail_errno(t, r, "its descriptors have flags that cannot be kept", h->pid);
	}
	for (unsigned i = 0; i < t->n; i++) {
		int r = holder_import(&t->holders[i], &t->ends);

		if (r < 0)
			return fail_errno(t, r, "cannot bring the new descriptors in", t->holders[i].pid);
	}
	return 0;
}

static int replace_all(struct take *t)
{
	for (unsigned i = 0; i < t->n; i++) {
		int r = holder_replace(&t->holders[i], &t->ends, &t->touched);

		if (r < 0)
			return fail_errno(t, r, "cannot replace its descriptors", t->holders[i].pid);
	}
	for (unsigned i = 0; i < t->n; i++)
		holder_complete_writes(&t->holders[i], &t->ends);
	for (unsigned i = 0; i < t->n; i++) {
		int r = holder_restore(&t->holders[i]);

		if (r < 0)
			return fail_errno(t, r, "cannot be put back", t->holders[i].pid);
	}
	/* What a holder's calls returned proves nothing; its descriptor table does. */
	for (unsigned i = 0; i < t->n; i++) {
		bool split;
		int r = proc_holds(t->holders[i].pid, t->old, t->nold, &split);

		if (r != 0)
			return r < 0 ? fail_errno(t, r, "cannot be checked", t->holders[i].pid) :
				       fail(t, STDIO_REFUSED, "process %d still holds the old descriptors",
					    (int)t->holders[i].pid);
	}
	return 0;
}

/* The original description of a pipe may be shared with the host: its flags stay, we open our own. */
static void reopen_pipe(int *fd, int access)
{
	char self[32];
	int own;

	(void)snprintf(self, sizeof(self), "/proc/self/fd/%d", *fd);
	own = open(self, access | O_NONBLOCK | O_CLOEXEC);
	if (own < 0)
		return;
	close(*fd);
	*fd = own;
}

static void count_unread(struct take *t)
{
	struct stdio_taken *o = t->out;
	bool pipe_out = t->old[t->nold - 1].type == S_IFIFO;
	int in = 0, out = 0;

	(void)ioctl(o->orig_in, FIONREAD, &in);
	(void)ioctl(o->orig_out, pipe_out ? FIONREAD : SIOCOUTQ, &out);
	o->unread_in = in > 0 ? (uint64_t)in : 0;
	o->unread_out = out > 0 ? (uint64_t)out : 0;
	if (t->old[0].type == S_IFIFO)
		reopen_pipe(&o->orig_in, O_RDONLY);
	if (pipe_out)
		reopen_pipe(&o->orig_out, O_WRONLY);
}

static int run(struct take *t)
{
	int r = check_job(t);

	if (r == 0)
		r = stop_all(t);
	if (r == 0)
		r = take_originals(t);
	if (r == 0)
		r = begin_all(t);
	if (r == 0)
		r = make_objects(t);
	if (r == 0)
		r = import_all(t);
	if (r == 0)
		r = replace_all(t);
	if (r == 0)
		count_unread(t);
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
		(void)fail(&t, STDIO_FAULT, "cannot begin: %s", strerror(-r));
		free(t.holders);
		return ret->reason;
	}
	r = run(&t);
	if (!release_all(&t)) {
		ret->dirty = true;
		if (r == 0)
			r = fail(&t, STDIO_FAULT, "a process could not be released");
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
