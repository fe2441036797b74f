// SPDX-License-Identifier: Apache-2.0
/*
 * Who a process is, from /proc. Runs in the supervisor, at exec and at takeover.
 *
 * LIMIT: arguments, environment and working directory are the process's own to change once it runs; only
 * what is read while its exec is held is what it was started with. Image and script are measured as
 * files: a script may have been replaced between the interpreter's reading and ours.
 */
#include "user/proc/identity.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "user/base/cleanup.h"
#include "user/proc/environ.h"
#include "user/proc/file.h"
#include "user/proc/measure.h"
#include "user/proc/script.h"
#include "user/proc/tree.h"

#define STATUS_MAX 8192
#define TRIES 3 /* an exec while reading is read anew */

static int read_ids(pid_t pid, struct proc_identity *id)
{
	char text[STATUS_MAX];
	ssize_t n = proc_read(pid, "status", text, sizeof(text));
	uint64_t real, effective;
	struct span all, v;

	if (n < 0)
		return (int)n;
	all = (struct span){ text, (size_t)n };
	if (!proc_field(all, "Uid", &v) || !proc_number(&v, 10, &real))
		return -EBADMSG;
	proc_skip_blanks(&v);
	if (!proc_number(&v, 10, &effective) || effective > UINT32_MAX)
		return -EBADMSG;
	id->uid = (uint32_t)effective;
	if (!proc_field(all, "Gid", &v) || !proc_number(&v, 10, &real))
		return -EBADMSG;
	proc_skip_blanks(&v);
	if (!proc_number(&v, 10, &effective) || effective > UINT32_MAX)
		return -EBADMSG;
	id->gid = (uint32_t)effective;
	return 0;
}

static void read_cgroup(pid_t pid, struct proc_identity *id)
{
	char text[PROC_PATH_MAX + 512]; /* lines of cgroup v1 may stand before ours */
	ssize_t n = proc_read(pid, "cgroup", text, sizeof(text));
	struct span path;

	/* "0::/path"; a line that fills the room may be cut and is not used. */
	if (n < 0 || n == (ssize_t)sizeof(text) - 1 ||
	    !proc_field((struct span){ text, (size_t)n }, "0", &path))
		return;
	if (path.n < 2 || path.p[0] != ':' || path.n > sizeof(id->cgroup))
		return;
	memcpy(id->cgroup, path.p + 1, path.n - 1);
	id->cgroup[path.n - 1] = '\0';
}

static int read_args(pid_t pid, struct proc_identity *id)
{
	ssize_t n = proc_read(pid, "cmdline", id->args, sizeof(id->args));

	if (n < 0)
		return (int)n;
	id->args_len = (uint32_t)n;
	if (n == (ssize_t)sizeof(id->args) - 1) {
		id->args_truncated = 1;
		id->args_len++;
	} else if (n > 0 && id->args[n - 1] != '\0') {
		id->args_len++; /* the process wrote over its arguments; proc_read() ended them */
	}
	return 0;
}

static uint64_t read_netns(pid_t pid)
{
	char path[48];
	struct stat st;

	(void)snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)pid);
	return stat(path, &st) < 0 ? 0 : (uint64_t)st.st_ino;
}

static void measure_exe(pid_t pid, int exe, struct proc_identity *id)
{
	if (proc_readlink(pid, "exe", id->exe, sizeof(id->exe)) < 0)
		id->exe[0] = '\0';
	else
		id->exe_measured = measure_file(pid, exe, id->exe_digest) == 0;
}

/* Strips the process's root directory from a path as we see it. */
static const char *below_root(const char *path, const char *root)
{
	size_t n = strlen(root);

	if (strcmp(root, "/") == 0)
		return path;
	if (strncmp(path, root, n) == 0 && path[n] == '/')
		return path + n;
	return NULL;
}

static int open_in_root(int root, const char *path)
{
	struct open_how how = { .flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT };
	long fd = syscall(SYS_openat2, root, path, &how, sizeof(how));

	return fd < 0 ? -errno : (int)fd;
}

/* Opens the script as the process would: below its root, from its working directory. */
static int open_script(pid_t pid, int root, const char *root_path, const char *arg, const char *suffix)
{
	char cwd[PROC_PATH_MAX], path[2 * PROC_PATH_MAX + PROC_ARGS_MAX];
	const char *from = "";
	int n, r;

	if (arg[0] != '/') {
		r = proc_readlink(pid, "cwd", cwd, sizeof(cwd));
		if (r < 0)
			return r;
		from = below_root(cwd, root_path);
		if (!from)
			return strcmp(cwd, root_path) == 0 ? open_in_root(root, arg) : -EXDEV;
	}
	n = snprintf(path, sizeof(path), "%s/%s%s", from, arg, suffix);
	if (n < 0 || (size_t)n >= sizeof(path))
		return -ENAMETOOLONG;
	return open_in_root(root, path);
}

static bool is_regular(int fd)
{
	struct statx sx;

	return statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE, &sx) == 0 &&
	       S_ISREG(sx.stx_mode);
}

static void measure_script(pid_t pid, struct proc_identity *id)
{
	size_t len = id->args_truncated ? id->args_len - 1 : id->args_len;
	char root_path[PROC_PATH_MAX], seen[PROC_PATH_MAX], self[32];
	_cleanup_close_ int root = -1;
	_cleanup_close_ int fd = -1;
	const char *arg, *path;

	if (!script_of_args(id->exe, id->args, len, &arg) ||
	    proc_readlink(pid, "root", root_path, sizeof(root_path)) < 0)
		return;
	root = proc_open(pid, "root", O_PATH | O_DIRECTORY);
	if (root < 0)
		return;
	fd = open_script(pid, root, root_path, arg, "");
	if ((fd < 0 || !is_regular(fd)) && script_adds_suffix(id->exe)) {
		int with = open_script(pid, root, root_path, arg, ".js");

		if (with >= 0) {
			if (fd >= 0)
				close(fd);
			fd = with;
		}
	}
	if (fd < 0 || !is_regular(fd))
		return;
	(void)snprintf(self, sizeof(self), "fd/%d", fd);
	if (proc_readlink(getpid(), self, seen, sizeof(seen)) < 0)
		return;
	path = below_root(seen, root_path);
	if (!path)
		return;
	memcpy(id->script, path, strlen(path) + 1);
	id->script_measured = measure_file(pid, fd, id->script_digest) == 0;
}

static bool same_file(int a, int b)
{
	struct statx x, y;

	/* DONT_SYNC: fstat() could wait for a FUSE server */
	return statx(a, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_INO, &x) == 0 &&
	       statx(b, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_INO, &y) == 0 &&
	       x.stx_ino == y.stx_ino && x.stx_dev_major == y.stx_dev_major &&
	       x.stx_dev_minor == y.stx_dev_minor;
}

static int read_once(pid_t pid, struct proc_identity *id)
{
	_cleanup_close_ int exe = proc_open(pid, "exe", O_PATH);
	_cleanup_close_ int again = -1;
	struct proc_stat first, last;
	int r;

	memset(id, 0, sizeof(*id));
	r = proc_stat_read(pid, &first);
	if (r < 0)
		return r;
	if (first.state == 'Z' || first.state == 'X' || exe < 0)
		return exe < 0 && exe != -ESRCH ? exe : -ESRCH;
	id->pid = pid;
	id->start_ticks = first.start_ticks;
	id->netns = read_netns(pid);
	r = read_ids(pid, id);
	if (r == 0)
		r = read_args(pid, id);
	if (r < 0)
		return r;
	read_cgroup(pid, id);
	measure_exe(pid, exe, id);
	measure_script(pid, id);
	environ_loader(pid, id->loader, sizeof(id->loader));
	again = proc_open(pid, "exe", O_PATH);
	r = proc_stat_read(pid, &last);
	if (r < 0)
		return r;
	if (last.start_ticks != first.start_ticks || again < 0)
		return -ESRCH;
	return same_file(exe, again) ? 0 : -EAGAIN;
}

int proc_identity_read(pid_t pid, struct proc_identity *ret)
{
	_cleanup_free_ struct proc_identity *id = calloc(1, sizeof(*id));
	int r = -EAGAIN;

	if (!id)
		return -ENOMEM;
	for (int i = 0; i < TRIES && r == -EAGAIN; i++)
		r = read_once(pid, id);
	if (r == 0)
		*ret = *id;
	return r;
}

static bool terminated(const char *s, size_t size)
{
	return memchr(s, '\0', size) != NULL;
}

bool proc_identity_valid(const struct proc_identity *id)
{
	return id->pid > 0 && id->args_len <= sizeof(id->args) &&
	       (id->args_len == 0 || id->args[id->args_len - 1] == '\0') &&
	       id->exe_measured <= 1 && id->script_measured <= 1 && id->args_truncated <= 1 &&
	       terminated(id->exe, sizeof(id->exe)) && terminated(id->script, sizeof(id->script)) &&
	       terminated(id->cgroup, sizeof(id->cgroup)) &&
	       terminated(id->loader, sizeof(id->loader));
}

const char *proc_identity_arg(const struct proc_identity *id, unsigned i)
{
	const char *at = id->args, *end = id->args + id->args_len;

	if (id->args_len > sizeof(id->args))
		return NULL;
	for (; at < end; i--) {
		const char *nul = memchr(at, '\0', (size_t)(end - at));

		if (!nul)
			return NULL;
		if (i == 0)
			return at;
		at = nul + 1;
	}
	return NULL;
}
