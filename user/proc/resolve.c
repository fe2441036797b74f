// SPDX-License-Identifier: Apache-2.0
/*
 * Paths as another process sees them. Runs in the supervisor. The kernel's own look-up would answer for the caller:
 * /proc/self is who asks, and a look-up that is confined to a root refuses the links of /proc. So each component is
 * taken by hand, and nothing is looked up in a file system before it is known that no agent serves it.
 */
#include "user/proc/resolve.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "user/base/cleanup.h"
#include "user/proc/file.h"
#include "user/proc/fuse.h"

#define LINKS_MAX 40 /* the kernel's own limit (path_resolution(7)) */
#define PROC_ROOT_INO 1 /* of every procfs */

/* Where a walk stands. */
struct place {
	int fd;
	struct statx is;
	bool on_proc;
};

struct walk {
	struct proc_view *view;
	struct place at;
	char todo[2 * PATH_MAX]; /* what is left of the path, with the links that were met put in */
	unsigned links;
};

static void place_done(struct place *p)
{
	if (p->fd >= 0)
		close(p->fd);
	p->fd = -1;
}

/* Counts steps off. -E2BIG when the view has not as many left. */
static int spend(struct proc_view *v, unsigned steps)
{
	if (v->steps < steps) {
		v->steps = 0;
		return -E2BIG;
	}
	v->steps -= steps;
	return 0;
}

static int ask_mount(struct proc_view *v, int fd, uint64_t id, bool *ret_on_proc)
{
	unsigned slot = id & (PROC_VIEW_MOUNTS - 1);
	struct statfs fs;
	int r;

	if (v->mounts[slot].id != id) {
		r = spend(v, PROC_VIEW_MOUNT_STEPS);
		if (r == 0)
			r = proc_on_fuse(v->pid, id);
		if (r != 0)
			return r > 0 ? -EOPNOTSUPP : r;
		if (fstatfs(fd, &fs) < 0)
			return -errno;
		v->mounts[slot].id = id;
		v->mounts[slot].on_proc = fs.f_type == PROC_SUPER_MAGIC;
	}
	*ret_on_proc = v->mounts[slot].on_proc;
	return 0;
}

/* Takes fd, also when it fails. */
static int place_set(struct proc_view *v, int fd, struct place *ret)
{
	struct place p = { .fd = fd };
	int r;

	/* DONT_SYNC: a FUSE server is not asked for attributes. */
	if (statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_BASIC_STATS | STATX_MNT_ID, &p.is) < 0)
		r = -errno;
	else if (!(p.is.stx_mask & STATX_MNT_ID))
		r = -EOPNOTSUPP;
	else
		r = ask_mount(v, fd, p.is.stx_mnt_id, &p.on_proc);
	if (r < 0)
		place_done(&p);
	else
		*ret = p;
	return r;
}

/* Takes fd. */
static int move_to(struct walk *w, int fd)
{
	struct place next;
	int r;

	if (fd < 0)
		return fd;
	r = place_set(w->view, fd, &next);
	if (r < 0)
		return r;
	place_done(&w->at);
	w->at = next;
	return 0;
}

static int duplicate(int fd)
{
	int d = fcntl(fd, F_DUPFD_CLOEXEC, 0);

	return d < 0 ? -errno : d;
}

static bool at_root(const struct walk *w)
{
	struct statx sx;

	return statx(w->view->root, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_INO | STATX_MNT_ID, &sx) == 0 &&
	       sx.stx_ino == w->at.is.stx_ino && sx.stx_mnt_id == w->at.is.stx_mnt_id;
}

/* The next component is cut off todo. False at the end. */
static bool next_name(struct walk *w, char ret[NAME_MAX + 1], int *ret_error)
{
	size_t from = strspn(w->todo, "/");
	size_t n = strcspn(w->todo + from, "/");

	*ret_error = n > NAME_MAX ? -ENAMETOOLONG : 0;
	if (n == 0 || *ret_error)
		return false;
	memcpy(ret, w->todo + from, n);
	ret[n] = '\0';
	memmove(w->todo, w->todo + from + n, strlen(w->todo + from + n) + 1);
	return true;
}

static int follow(struct walk *w, const struct place *link)
{
	char target[PATH_MAX];
	ssize_t n = readlinkat(link->fd, "", target, sizeof(target));
	size_t left = strlen(w->todo);

	if (n < 0)
		return -errno;
	if (n == 0)
		return -ENOENT;
	if ((size_t)n + left >= sizeof(w->todo) || (size_t)n >= sizeof(target))
		return -E2BIG;
	memmove(w->todo + n, w->todo, left + 1);
	memcpy(w->todo, target, (size_t)n);
	return target[0] == '/' ? move_to(w, duplicate(w->view->root)) : 0;
}

/* The links at the top of a procfs that mean whoever asks. At its first instruction a process has one thread. */
static int own_entry(struct walk *w, const char *name)
{
	char path[32];

	if (!w->at.on_proc || w->at.is.stx_ino != PROC_ROOT_INO)
		return -ENOENT;
	if (strcmp(name, "self") == 0)
		return proc_open(w->view->pid, "", O_PATH | O_DIRECTORY);
	if (strcmp(name, "thread-self") != 0)
		return -ENOENT;
	(void)snprintf(path, sizeof(path), "task/%d", (int)w->view->pid);
	return proc_open(w->view->pid, path, O_PATH | O_DIRECTORY);
}

static int enter(struct walk *w, const char *name)
{
	struct place next;
	int fd = own_entry(w, name), r;

	if (fd != -ENOENT)
		return move_to(w, fd);
	fd = openat(w->at.fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	r = place_set(w->view, fd, &next);
	if (r < 0)
		return r;
	if (!S_ISLNK(next.is.stx_mode)) {
		place_done(&w->at);
		w->at = next;
		return 0;
	}
	if (++w->links > LINKS_MAX) {
		r = -ELOOP;
	} else if (w->at.on_proc && w->at.is.stx_ino != PROC_ROOT_INO) {
		/* Below a process's own folder they lead to an object, and their text is for people. */
		fd = openat(w->at.fd, name, O_PATH | O_CLOEXEC);
		r = move_to(w, fd < 0 ? -errno : fd);
	} else {
		r = follow(w, &next);
	}
	place_done(&next);
	return r;
}

static int step(struct walk *w, const char *name)
{
	int fd;

	if (strcmp(name, ".") == 0 || (strcmp(name, "..") == 0 && at_root(w)))
		return 0;
	if (strcmp(name, "..") != 0)
		return enter(w, name);
	fd = openat(w->at.fd, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
	return move_to(w, fd < 0 ? -errno : fd);
}

int proc_view_resolve(struct proc_view *v, const char *path)
{
	struct walk w = { .view = v, .at.fd = -1 };
	char name[NAME_MAX + 1];
	int r;

	if (strlen(path) >= PATH_MAX)
		return -ENAMETOOLONG;
	if (!*path)
		return -ENOENT;
	(void)strcpy(w.todo, path);
	r = duplicate(*path == '/' ? v->root : v->cwd);
	if (r >= 0)
		r = place_set(v, r, &w.at);
	while (r >= 0 && next_name(&w, name, &r)) {
		r = spend(v, 1);
		if (r == 0)
			r = step(&w, name);
	}
	if (r >= 0)
		return w.at.fd;
	place_done(&w.at);
	return r;
}

int proc_view_open(pid_t pid, struct proc_view *ret)
{
	struct proc_view v = { .pid = pid, .cwd = -1, .steps = PROC_VIEW_STEPS };
	int r;

	v.root = proc_open(pid, "root", O_PATH | O_DIRECTORY);
	if (v.root < 0)
		return v.root;
	v.cwd = proc_open(pid, "cwd", O_PATH | O_DIRECTORY);
	if (v.cwd < 0) {
		r = v.cwd;
		proc_view_done(&v);
		return r;
	}
	*ret = v;
	return 0;
}

void proc_view_done(struct proc_view *v)
{
	if (v->root >= 0)
		close(v->root);
	if (v->cwd >= 0)
		close(v->cwd);
	v->root = v->cwd = -1;
}
