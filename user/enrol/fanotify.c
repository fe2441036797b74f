// SPDX-License-Identifier: Apache-2.0
/*
 * Holds the exec of watched files until the supervisor has decided. Runs in the supervisor. Marks lie on
 * inodes, so execs of other files are not slowed; a path whose file is replaced is marked anew. Between
 * the two, and when this process dies, the pinned exec guard is what stops an agent: nothing here may be
 * the only thing that does.
 *
 * It must never ptrace a held process, nor execute a watched file itself (it would wait for itself).
 */
#include "user/enrol/fanotify.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/fanotify.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "user/base/cleanup.h"
#include "user/base/loop.h"

#define RECHECK_NS 2000000000ull /* folders above the file may be replaced too, which inotify does not tell */
#define EVENTS_PER_ROUND 16 /* reads of the descriptor before other sources get their turn */
#define FOLDER_EVENTS (IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_MOVE_SELF | IN_DELETE_SELF)

struct watch {
	char *path;
	dev_t dev; /* of the file that path named at the last look */
	ino_t ino;
	bool marked;
};

struct held {
	uint64_t token;
	int fd;
};

struct fan {
	int fd, inotify_fd;
	struct loop_io *io, *inotify_io;
	struct loop_timer *timer;
	fan_fn fn;
	void *arg;
	pid_t self;
	bool pidfds;
	uint64_t next_token;
	struct watch *watches;
	unsigned nwatches;
	struct held *held;
	unsigned nheld;
	pid_t *exempt;
	unsigned nexempt;
	struct fan_stats stats;
};

/* --- marks -------------------------------------------------------------------------------------- */

/* The folder of path, watched for a change of its entries. A missing one is left to the timer. */
static void watch_folder(struct fan *f, const char *path)
{
	char copy[PATH_MAX];

	if (strlen(path) >= sizeof(copy))
		return;
	(void)strcpy(copy, path);
	(void)inotify_add_watch(f->inotify_fd, dirname(copy), FOLDER_EVENTS | IN_ONLYDIR);
}

/*
 * Marks the file that the path names now. The mark is set through a descriptor, so file and mark are of
 * one look-up. It is set again even where device and inode are the same: a new file may have got the number
 * of the one that was deleted, and with it no mark. Setting it twice changes nothing.
 */
static int mark(struct fan *f, struct watch *w, bool *ret_new)
{
	_cleanup_close_ int fd = open(w->path, O_PATH | O_CLOEXEC);
	_cleanup_free_ char *real = NULL;
	char link[32];
	struct stat st;

	*ret_new = false;
	if (fd < 0 || fstat(fd, &st) < 0) {
		w->marked = false;
		return errno == ENOENT || errno == ENOTDIR ? 0 : -errno;
	}
	if (!S_ISREG(st.st_mode)) {
		w->marked = false;
		return -EINVAL;
	}
	(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	if (fanotify_mark(f->fd, FAN_MARK_ADD, FAN_OPEN_EXEC_PERM, AT_FDCWD, link) < 0) {
		w->marked = false;
		return -errno;
	}
	*ret_new = !w->marked || w->dev != st.st_dev || w->ino != st.st_ino;
	if (*ret_new) {
		real = realpath(w->path, NULL);
		watch_folder(f, w->path);
		if (real)
			watch_folder(f, real);
	}
	w->dev = st.st_dev;
	w->ino = st.st_ino;
	w->marked = true;
	return 0;
}

int fan_recheck(struct fan *f)
{
	int n = 0, error = 0;

	for (unsigned i = 0; i < f->nwatches; i++) {
		bool is_new;
		int r = mark(f, &f->watches[i], &is_new);

		if (r < 0)
			error = r;
		else if (is_new)
			n++;
	}
	f->stats.remarked += (unsigned)n;
	return error ? error : n;
}

int fan_watch(struct fan *f, const char *path)
{
	struct watch *list, *w;
	bool is_new;
	int r;

	list = reallocarray(f->watches, f->nwatches + 1, sizeof(*list));
	if (!list)
		return -ENOMEM;
	f->watches = list;
	w = &list[f->nwatches];
	*w = (struct watch){ .path = strdup(path) };
	if (!w->path)
		return -ENOMEM;
	watch_folder(f, path);
	r = mark(f, w, &is_new);
	if (r < 0) {
		free(w->path);
		return r;
	}
	return (int)f->nwatches++;
}

bool fan_watching(const struct fan *f, int watch)
{
	return watch >= 0 && (unsigned)watch < f->nwatches && f->watches[watch].marked;
}

const char *fan_path(const struct fan *f, int watch)
{
	return watch >= 0 && (unsigned)watch < f->nwatches ? f->watches[watch].path : NULL;
}

static void folder_changed(struct loop_io *io, uint32_t events, void *arg)
{
	_Alignas(struct inotify_event) char buf[4096];
	struct fan *f = arg;
	ssize_t n;

	/* Which entry changed does not matter: looking at all is a handful of system calls. */
	do
		n = read(f->inotify_fd, buf, sizeof(buf));
	while (n > 0);
	(void)fan_recheck(f);
}

static void recheck_due(struct loop_timer *t, void *arg)
{
	(void)fan_recheck(arg);
}

/* --- answers ------------------------------------------------------------------------------------ */

static int respond(struct fan *f, int fd, bool allow)
{
	struct fanotify_response r = { .fd = fd, .response = allow ? FAN_ALLOW : FAN_DENY };

	if (allow)
		f->stats.allowed++;
	else
		f->stats.denied++;
	if (write(f->fd, &r, sizeof(r)) == (ssize_t)sizeof(r))
		return 0;
	/* The kernel has given the event up. */
	return errno == ENOENT ? 0 : -errno;
}

static int hold(struct fan *f, uint64_t token, int fd)
{
	struct held *list = reallocarray(f->held, f->nheld + 1, sizeof(*list));

	if (!list)
		return -ENOMEM;
	f->held = list;
	list[f->nheld++] = (struct held){ token, fd };
	f->stats.held = f->nheld;
	return 0;
}

int fan_answer(struct fan *f, uint64_t token, bool allow)
{
	for (unsigned i = 0; i < f->nheld; i++) {
		int fd = f->held[i].fd, r;

		if (f->held[i].token != token)
			continue;
		f->held[i] = f->held[--f->nheld];
		f->stats.held = f->nheld;
		r = respond(f, fd, allow);
		close(fd);
		return r;
	}
	return -ENOENT;
}

/* --- events ------------------------------------------------------------------------------------- */

static bool is_exempt(const struct fan *f, pid_t pid)
{
	if (pid == f->self)
		return true;
	for (unsigned i = 0; i < f->nexempt; i++)
		if (f->exempt[i] == pid)
			return true;
	return false;
}

static int which_watch(const struct fan *f, int fd)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -1;
	for (unsigned i = 0; i < f->nwatches; i++)
		if (f->watches[i].marked && f->watches[i].dev == st.st_dev &&
		    f->watches[i].ino == st.st_ino)
			return (int)i;
	return -1;
}

static int pidfd_of(const struct fanotify_event_metadata *m)
{
	size_t at = m->metadata_len;

	while (at + sizeof(struct fanotify_event_info_header) <= m->event_len) {
		const struct fanotify_event_info_header *h = (const void *)((const char *)m + at);

		if (h->len < sizeof(*h) || at + h->len > m->event_len)
			return -1;
		if (h->info_type == FAN_EVENT_INFO_TYPE_PIDFD &&
		    h->len >= sizeof(struct fanotify_event_info_pidfd))
			return ((const struct fanotify_event_info_pidfd *)h)->pidfd;
		at += h->len;
	}
	return -1;
}

/* Asks about one event. Takes its descriptors. */
static void ask(struct fan *f, int fd, int pidfd, pid_t pid)
{
	char link[32], path[PATH_MAX];
	struct fan_event e = { .token = ++f->next_token, .pid = pid, .pidfd = pidfd < 0 ? -1 : pidfd,
			       .fd = fd, .path = path };
	enum fan_verdict v = FAN_VERDICT_ALLOW;
	ssize_t n;

	(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, sizeof(path));
	path[n > 0 && (size_t)n < sizeof(path) ? n : 0] = '\0';
	f->stats.events++;
	if (!is_exempt(f, pid)) {
		e.watch = which_watch(f, fd);
		v = f->fn(&e, f->arg);
	}
	if (v == FAN_VERDICT_LATER && hold(f, e.token, fd) == 0) {
		fd = -1; /* the answer names it; it stays open until then */
	} else {
		(void)respond(f, fd, v == FAN_VERDICT_ALLOW);
	}
	if (fd >= 0)
		close(fd);
	if (pidfd >= 0)
		close(pidfd);
}

/* Reads once. Count of bytes, 0 when there is nothing. deny: no questions, all are refused. */
static ssize_t read_events(struct fan *f, bool deny)
{
	_Alignas(struct fanotify_event_metadata) char buf[4096];
	const struct fanotify_event_metadata *m = (const void *)buf;
	ssize_t len = read(f->fd, buf, sizeof(buf)), left = len;

	if (len < 0) {
		/* Without a free descriptor the kernel has refused the exec by itself. */
		f->stats.lost += errno == EMFILE || errno == ENFILE;
		return 0;
	}
	for (; FAN_EVENT_OK(m, left); m = FAN_EVENT_NEXT(m, left)) {
		int pidfd = f->pidfds ? pidfd_of(m) : -1;

		if (m->vers != FANOTIFY_METADATA_VERSION || m->fd < 0) {
			f->stats.lost++;
			if (pidfd >= 0)
				close(pidfd);
		} else if (deny) {
			(void)respond(f, m->fd, false);
			close(m->fd);
			if (pidfd >= 0)
				close(pidfd);
		} else {
			ask(f, m->fd, pidfd, m->pid);
		}
	}
	return len;
}

static void events_ready(struct loop_io *io, uint32_t events, void *arg)
{
	for (int i = 0; i < EVENTS_PER_ROUND; i++)
		if (read_events(arg, false) <= 0)
			return;
}

/* --- lifetime ----------------------------------------------------------------------------------- */

static int open_group(struct fan *f)
{
	/* CONTENT: before the file is read. Without limits, or an agent could exhaust the queue and run
	 * unheld (both need CAP_SYS_ADMIN, as permission events do). */
	unsigned flags = FAN_CLASS_CONTENT | FAN_CLOEXEC | FAN_NONBLOCK | FAN_UNLIMITED_QUEUE |
			 FAN_UNLIMITED_MARKS;
	unsigned file_flags = O_RDONLY | O_CLOEXEC | O_LARGEFILE;

	f->pidfds = true;
	f->fd = fanotify_init(flags | FAN_REPORT_PIDFD, file_flags);
	if (f->fd < 0 && errno == EINVAL) {
		f->pidfds = false;
		f->fd = fanotify_init(flags, file_flags);
	}
	if (f->fd < 0)
		return -errno;
	f->inotify_fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	return f->inotify_fd < 0 ? -errno : 0;
}

int fan_new(struct loop *l, fan_fn fn, void *arg, struct fan **ret)
{
	struct fan *f = calloc(1, sizeof(*f));
	int r;

	if (!f)
		return -ENOMEM;
	*f = (struct fan){ .fd = -1, .inotify_fd = -1, .fn = fn, .arg = arg, .self = getpid() };
	r = open_group(f);
	if (r == 0)
		r = loop_io_add(l, f->fd, EPOLLIN, events_ready, f, &f->io);
	if (r == 0)
		r = loop_io_add(l, f->inotify_fd, EPOLLIN, folder_changed, f, &f->inotify_io);
	if (r == 0)
		r = loop_timer_add(l, recheck_due, f, &f->timer);
	if (r == 0)
		r = loop_timer_arm(f->timer, RECHECK_NS, RECHECK_NS);
	if (r < 0) {
		fan_free(f);
		return r;
	}
	*ret = f;
	return 0;
}

void fan_free(struct fan *f)
{
	if (!f)
		return;
	loop_timer_remove(f->timer);
	loop_io_remove(f->io);
	loop_io_remove(f->inotify_io);
	if (f->fd >= 0) {
		/* Closing lets go of what waits, so first no more may come, then all that waits is refused. */
		(void)fanotify_mark(f->fd, FAN_MARK_FLUSH, 0, AT_FDCWD, NULL);
		while (f->nheld > 0)
			(void)fan_answer(f, f->held[0].token, false);
		while (read_events(f, true) > 0)
			;
		close(f->fd);
	}
	if (f->inotify_fd >= 0)
		close(f->inotify_fd);
	for (unsigned i = 0; i < f->nwatches; i++)
		free(f->watches[i].path);
	free(f->watches);
	free(f->held);
	free(f->exempt);
	free(f);
}

int fan_exempt(struct fan *f, pid_t pid)
{
	pid_t *list = reallocarray(f->exempt, f->nexempt + 1, sizeof(*list));

	if (!list)
		return -ENOMEM;
	f->exempt = list;
	list[f->nexempt++] = pid;
	return 0;
}

void fan_unexempt(struct fan *f, pid_t pid)
{
	for (unsigned i = 0; i < f->nexempt; i++)
		if (f->exempt[i] == pid) {
			f->exempt[i] = f->exempt[--f->nexempt];
			return;
		}
}

void fan_stats(const struct fan *f, struct fan_stats *ret)
{
	*ret = f->stats;
}
