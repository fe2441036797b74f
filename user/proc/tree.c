// SPDX-License-Identifier: Apache-2.0
/*
 * Who lives below whom. Processes come and go while this reads: a vanished one is never an error of a
 * list, only of a question about itself.
 */
#include "user/proc/tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "user/base/buf.h"
#include "user/base/cleanup.h"
#include "user/base/file.h"
#include "user/proc/file.h"

#define PF_KTHREAD 0x00200000u /* include/linux/sched.h; as /proc shows it since ever */
#define STAT_LINE_MAX 2048 /* 52 numbers and a name of at most 64 bytes */
#define STATUS_MAX 8192
#define DEPTH_MAX 4096 /* parents between a process and the first one; beyond, something loops */
#define CHILDREN_TEXT_MAX (8u * PROC_PIDS_MAX) /* "4194304 " per child */

void proc_pids_done(struct proc_pids *l)
{
	free(l->v);
	*l = (struct proc_pids){ 0 };
}

int proc_pids_add(struct proc_pids *l, pid_t pid)
{
	if (l->n >= PROC_PIDS_MAX)
		return -E2BIG;
	if (l->n == l->cap) {
		size_t cap = l->cap ? 2 * l->cap : 32;
		pid_t *v = reallocarray(l->v, cap, sizeof(*v));

		if (!v)
			return -ENOMEM;
		l->v = v;
		l->cap = cap;
	}
	l->v[l->n++] = pid;
	return 0;
}

bool proc_pids_has(const struct proc_pids *l, pid_t pid)
{
	for (size_t i = 0; i < l->n; i++)
		if (l->v[i] == pid)
			return true;
	return false;
}

/* "PID (NAME) S PPID ... ": NAME may hold blanks, newlines and parentheses, what follows may not, so the
 * last ')' ends it. Field numbers are those of proc(5). */
int proc_stat_parse(const char *s, size_t n, struct proc_stat *ret)
{
	const char *close = memrchr(s, ')', n);
	struct proc_stat st;
	struct span at;
	uint64_t v;

	if (!close || n - (size_t)(close - s) < 4 || close[1] != ' ' || close[3] != ' ')
		return -EBADMSG;
	st.state = close[2];
	at = (struct span){ close + 4, n - (size_t)(close + 4 - s) };
	for (int field = 4; field <= 22; field++) {
		proc_skip_blanks(&at);
		if (at.n > 0 && *at.p == '-') {
			at.p++;
			at.n--;
		}
		if (!proc_number(&at, 10, &v))
			return -EBADMSG;
		if (field == 4) {
			if (v > INT32_MAX)
				return -EBADMSG;
			st.ppid = (pid_t)v;
		}
		if (field == 9)
			st.kthread = v & PF_KTHREAD;
	}
	st.start_ticks = v;
	*ret = st;
	return 0;
}

int proc_stat_read(pid_t pid, struct proc_stat *ret)
{
	char line[STAT_LINE_MAX];
	ssize_t n = proc_read(pid, "stat", line, sizeof(line));

	return n < 0 ? (int)n : proc_stat_parse(line, (size_t)n, ret);
}

int proc_tracer(pid_t pid, pid_t *ret)
{
	char text[STATUS_MAX];
	ssize_t n = proc_read(pid, "status", text, sizeof(text));
	struct span value;
	uint64_t v;

	if (n < 0)
		return (int)n;
	/* The kernel escapes newlines of the name in this file, so no name can forge a line. */
	if (!proc_field((struct span){ text, (size_t)n }, "TracerPid", &value) ||
	    !proc_number(&value, 10, &v) || v > INT32_MAX)
		return -EBADMSG;
	*ret = (pid_t)v;
	return 0;
}

static int list_numbers(const char *path, struct proc_pids *ret)
{
	DIR *d = opendir(path);
	struct dirent *e;
	int r = 0;
	pid_t pid;

	if (!d)
		return errno == ENOENT ? -ESRCH : -errno;
	while (r == 0 && (e = readdir(d)))
		if (proc_pid_of(e->d_name, &pid))
			r = proc_pids_add(ret, pid);
	closedir(d);
	return r;
}

int proc_all(struct proc_pids *ret)
{
	return list_numbers("/proc", ret);
}

int proc_threads(pid_t pid, struct proc_pids *ret)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	return list_numbers(path, ret);
}

/* Of a thread that cannot be looked at nothing is known; one that is gone does nothing any more. */
static bool thread_is(pid_t tid, const char *states)
{
	struct proc_stat st;
	int r = proc_stat_read(tid, &st);

	return r == -ESRCH || (r == 0 && strchr(states, st.state));
}

static bool threads_are(const struct proc_pids *threads, const char *states)
{
	for (size_t i = 0; i < threads->n; i++)
		if (!thread_is(threads->v[i], states))
			return false;
	return true;
}

int proc_stands(pid_t pid)
{
	_cleanup_pids_ struct proc_pids before = { 0 }, after = { 0 };
	int r = proc_threads(pid, &before);

	if (r < 0 || !threads_are(&before, "TtZX"))
		return r;
	/* One that had not stopped when the list was made may have added to it. */
	r = proc_threads(pid, &after);
	for (size_t i = 0; r == 0 && i < after.n; i++)
		if (!proc_pids_has(&before, after.v[i]))
			return 0;
	return r < 0 ? r : 1;
}

bool proc_ended(pid_t pid)
{
	_cleanup_pids_ struct proc_pids threads = { 0 };
	int r = proc_threads(pid, &threads);

	return r == -ESRCH || (r == 0 && threads_are(&threads, "ZX"));
}

/* For kernels without /proc/PID/task/TID/children. */
static int children_by_scan(pid_t pid, struct proc_pids *ret)
{
	_cleanup_pids_ struct proc_pids all = { 0 };
	struct proc_stat st;
	int r = proc_all(&all);

	for (size_t i = 0; r == 0 && i < all.n; i++)
		if (proc_stat_read(all.v[i], &st) == 0 && st.ppid == pid)
			r = proc_pids_add(ret, all.v[i]);
	return r;
}

static int children_of_thread(pid_t pid, pid_t tid, struct proc_pids *ret)
{
	_cleanup_buf_ struct buf text = { 0 };
	_cleanup_close_ int fd = -1;
	char name[48];
	struct span at;
	uint64_t v;
	int r;

	(void)snprintf(name, sizeof(name), "task/%d/children", (int)tid);
	fd = proc_open(pid, name, O_RDONLY);
	if (fd < 0)
		return fd;
	r = file_read_fd(fd, CHILDREN_TEXT_MAX, &text);
	if (r < 0)
		return r == -EFBIG ? -E2BIG : r;
	for (at = buf_span(&text); r == 0; proc_skip_blanks(&at)) {
		if (!proc_number(&at, 10, &v) || v == 0 || v > INT32_MAX)
			break;
		r = proc_pids_add(ret, (pid_t)v);
	}
	return r;
}

int proc_children(pid_t pid, struct proc_pids *ret)
{
	_cleanup_pids_ struct proc_pids threads = { 0 };
	int r;

	if (access("/proc/thread-self/children", F_OK) < 0)
		return children_by_scan(pid, ret);
	r = proc_threads(pid, &threads);
	for (size_t i = 0; r == 0 && i < threads.n; i++) {
		r = children_of_thread(pid, threads.v[i], ret);
		if (r == -ESRCH)
			r = 0;
	}
	return r;
}

int proc_descendants(pid_t root, struct proc_pids *ret)
{
	size_t at = ret->n;
	struct proc_stat st;
	int r = proc_stat_read(root, &st);

	if (r == 0)
		r = proc_pids_add(ret, root);
	for (; r == 0 && at < ret->n; at++) {
		r = proc_children(ret->v[at], ret);
		if (r == -ESRCH)
			r = 0;
	}
	return r;
}

int proc_depth(pid_t pid, pid_t root)
{
	struct proc_stat st;

	for (int i = 0; i < DEPTH_MAX && pid > 0; i++) {
		if (pid == root)
			return i;
		if (proc_stat_read(pid, &st) < 0)
			return -ESRCH;
		pid = st.ppid;
	}
	return -ENOENT;
}

bool proc_is_below(pid_t pid, pid_t root)
{
	return proc_depth(pid, root) >= 0;
}
