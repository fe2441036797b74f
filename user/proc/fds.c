// SPDX-License-Identifier: Apache-2.0
/*
 * Who holds a pipe or socket. Only the links of /proc/PID/fd are read, never the files behind them: a
 * stat() of an agent's descriptor could wait for a file system that the agent itself serves.
 */
#include "user/proc/tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/kcmp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "user/base/cleanup.h"
#include "user/proc/file.h"

#define FDINFO_MAX 512 /* "flags:" is in the first lines */
#define LINK_MAX 64 /* longer ones are paths */
#define SINGLE_THREAD_LINKS 3 /* link count of /proc/PID/task is 2 and one per thread */

struct fd_scan {
	pid_t pid, tid;
	const struct proc_object *objects;
	unsigned n;
	bool first_only;
	struct proc_fd *v;
	size_t have, cap;
};

/* "pipe:[INO]" or "socket:[INO]". No path looks like this: paths begin with '/'. */
static bool parse_link(struct span s, mode_t *ret_type, uint64_t *ret_ino)
{
	static const struct {
		const char *prefix;
		mode_t type;
	} kinds[] = { { "pipe:[", S_IFIFO }, { "socket:[", S_IFSOCK } };

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		size_t len = strlen(kinds[i].prefix);

		if (s.n <= len || memcmp(s.p, kinds[i].prefix, len) != 0)
			continue;
		s.p += len;
		s.n -= len;
		if (!proc_number(&s, 10, ret_ino) || s.n != 1 || *s.p != ']')
			return false;
		*ret_type = kinds[i].type;
		return true;
	}
	return false;
}

static int read_flags(const struct fd_scan *scan, const char *name, int *ret)
{
	char path[80], text[FDINFO_MAX];
	struct span value;
	uint64_t v;
	ssize_t n;

	(void)snprintf(path, sizeof(path), "task/%d/fdinfo/%.10s", (int)scan->tid, name);
	n = proc_read(scan->pid, path, text, sizeof(text));
	if (n < 0)
		return (int)n;
	if (!proc_field((struct span){ text, (size_t)n }, "flags", &value) ||
	    !proc_number(&value, 8, &v) || v > INT32_MAX)
		return -EBADMSG;
	*ret = (int)v;
	return 0;
}

static bool access_fits(const struct proc_object *o, int flags)
{
	int mode = flags & O_ACCMODE;

	if (o->type == S_IFSOCK || o->access < 0 || mode == O_RDWR)
		return true;
	return mode == o->access;
}

static int add_fd(struct fd_scan *scan, int fd, unsigned which, int flags)
{
	if (scan->have == scan->cap) {
		size_t cap = scan->cap ? 2 * scan->cap : 8;
		struct proc_fd *v = reallocarray(scan->v, cap, sizeof(*v));

		if (!v)
			return -ENOMEM;
		scan->v = v;
		scan->cap = cap;
	}
	scan->v[scan->have++] = (struct proc_fd){ .fd = fd, .which = which, .flags = flags };
	return 0;
}

static int look_at_anon(struct fd_scan *scan, int fd, struct span kind)
{
	for (unsigned i = 0; i < scan->n; i++)
		if (scan->objects[i].type == 0 && scan->objects[i].anon &&
		    span_is(kind, scan->objects[i].anon))
			return add_fd(scan, fd, i, 0);
	return 0;
}

static int look_at(struct fd_scan *scan, int dir, const char *name)
{
	static const struct span anon = SPAN("anon_inode:");
	bool known = false;
	char link[LINK_MAX];
	int fd = atoi(name), flags = 0, r;
	uint64_t ino;
	mode_t type;
	ssize_t n;

	n = readlinkat(dir, name, link, sizeof(link));
	if (n > (ssize_t)anon.n && memcmp(link, anon.p, anon.n) == 0)
		return look_at_anon(scan, fd,
				    (struct span){ link + anon.n, (size_t)n - anon.n });
	if (n < 0) /* closed meanwhile, or a path beyond any buffer; else we cannot tell */
		return errno == ENOENT || errno == ENAMETOOLONG ? 0 : -errno;
	if (!parse_link((struct span){ link, (size_t)n }, &type, &ino))
		return 0;
	for (unsigned i = 0; i < scan->n; i++) {
		const struct proc_object *o = &scan->objects[i];

		if (o->type != type || o->ino != ino)
			continue;
		if (!known) {
			r = read_flags(scan, name, &flags);
			if (r < 0)
				return r == -ESRCH ? 0 : r;
			known = true;
		}
		if (access_fits(o, flags))
			return add_fd(scan, fd, i, flags);
	}
	return 0;
}

static int look_at_all(struct fd_scan *scan, int dir, const char *entries, size_t n, unsigned *seen)
{
	for (size_t at = 0; at + offsetof(struct dirent64, d_name) < n;) {
		const struct dirent64 *e = (const struct dirent64 *)(entries + at);
		int r;

		at += e->d_reclen;
		if (e->d_name[0] < '0' || e->d_name[0] > '9')
			continue;
		if (++*seen > PROC_FDS_MAX)
			return -E2BIG;
		r = look_at(scan, dir, e->d_name);
		if (r < 0)
			return r;
	}
	return 0;
}

/* getdents() itself: readdir() costs three more system calls a directory, and every process has one. */
static int run_scan(struct fd_scan *scan)
{
	char name[32], entries[4096] __attribute__((aligned(8)));
	_cleanup_close_ int dir = -1;
	unsigned seen = 0;
	int r = 0;

	(void)snprintf(name, sizeof(name), "task/%d/fd", (int)scan->tid);
	dir = proc_open(scan->pid, name, O_RDONLY | O_DIRECTORY);
	if (dir < 0)
		return dir;
	while (r == 0 && !(scan->first_only && scan->have > 0)) {
		ssize_t n = getdents64(dir, entries, sizeof(entries));

		if (n < 0)
			return errno == ENOENT ? -ESRCH : -errno;
		if (n == 0)
			break;
		r = look_at_all(scan, dir, entries, (size_t)n, &seen);
	}
	return r;
}

int proc_fds_find(pid_t pid, pid_t tid, const struct proc_object *objects, unsigned n,
		  struct proc_fd **ret, size_t *ret_n)
{
	struct fd_scan scan = { .pid = pid, .tid = tid, .objects = objects, .n = n };
	int r = run_scan(&scan);

	if (r < 0) {
		free(scan.v);
		return r;
	}
	*ret = scan.v;
	*ret_n = scan.have;
	return 0;
}

static int task_holds(pid_t pid, pid_t tid, const struct proc_object *objects, unsigned n)
{
	struct fd_scan scan = { .pid = pid, .tid = tid, .objects = objects, .n = n, .first_only = true };
	int r = run_scan(&scan);

	free(scan.v);
	return r < 0 ? r : scan.have > 0;
}

int proc_holds(pid_t pid, const struct proc_object *objects, unsigned n, bool *ret_split)
{
	_cleanup_pids_ struct proc_pids threads = { 0 };
	int r, held = task_holds(pid, pid, objects, n);
	struct stat st;
	char path[32];

	if (held < 0)
		return held;
	*ret_split = false;
	(void)snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	if (stat(path, &st) < 0)
		return -ESRCH;
	if (st.st_nlink <= SINGLE_THREAD_LINKS)
		return held;
	r = proc_threads(pid, &threads);
	for (size_t i = 0; r >= 0 && i < threads.n; i++) {
		/* Equal tables need no second look; any other answer does. */
		if (threads.v[i] == pid || syscall(SYS_kcmp, pid, threads.v[i], KCMP_FILES, 0, 0) == 0)
			continue;
		r = task_holds(pid, threads.v[i], objects, n);
		if (r > 0) {
			held = 1;
			*ret_split = true;
		} else if (r == -ESRCH) {
			r = 0;
		}
	}
	return r < 0 ? r : held;
}

static int compare_pids(const void *a, const void *b)
{
	pid_t x = *(const pid_t *)a, y = *(const pid_t *)b;

	return x < y ? -1 : x > y;
}

/* The threads of the kernel, sorted: most of a machine's processes, and none has descriptors. Programs that
 * the kernel itself starts (core dump handlers) count among them; those are the administrator's. */
static void kernel_threads(struct proc_pids *ret)
{
	struct proc_stat st;

	if (proc_stat_read(2, &st) < 0 || !st.kthread || proc_children(2, ret) < 0)
		ret->n = 0; /* not the first namespace: everyone is looked at */
	if (ret->n)
		qsort(ret->v, ret->n, sizeof(*ret->v), compare_pids);
}

int proc_holders(const struct proc_object *objects, unsigned n, struct proc_pids *ret)
{
	_cleanup_pids_ struct proc_pids kernel = { 0 };
	_cleanup_pids_ struct proc_pids all = { 0 };
	int r = proc_all(&all);
	bool split;

	kernel_threads(&kernel);
	for (size_t i = 0; r >= 0 && i < all.n; i++) {
		if (kernel.n && bsearch(&all.v[i], kernel.v, kernel.n, sizeof(*kernel.v), compare_pids))
			continue;
		r = proc_holds(all.v[i], objects, n, &split);
		if (r > 0)
			r = proc_pids_add(ret, all.v[i]);
		else if (r == -ESRCH || r == -EACCES)
			r = 0;
	}
	return r < 0 ? r : 0;
}
