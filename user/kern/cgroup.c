// SPDX-License-Identifier: Apache-2.0
/*
 * The cgroup2 hierarchy as files. Needs no libbpf and no privilege but the file system's.
 */
#include "user/kern/cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "user/base/cleanup.h"

#define FREEZE_LOOK_NS 500000
#define FREEZE_LOOKS 2000 /* a second and more; who waits for a disk that long does not stand */
#define HANDLE_KERNFS 0xfe /* FILEID_KERNFS of the kernel: the handle is the 64-bit id */

/* Undoes the octal escapes of mountinfo, in place. */
static void unescape(char *s)
{
	char *to = s;

	for (; *s; s++) {
		if (s[0] == '\\' && s[1] >= '0' && s[1] <= '3' && s[2] >= '0' && s[2] <= '7' &&
		    s[3] >= '0' && s[3] <= '7') {
			*to++ = (char)((s[1] - '0') << 6 | (s[2] - '0') << 3 | (s[3] - '0'));
			s += 3;
		} else {
			*to++ = *s;
		}
	}
	*to = 0;
}

/* A line is: id parent dev root mountpoint options [fields] - fstype source superoptions. */
static bool is_cgroup2_line(char *line, char **ret_root, char **ret_mountpoint)
{
	char *save, *field, *type = strstr(line, " - ");

	if (!type || strncmp(type + 3, "cgroup2 ", 8) != 0)
		return false;
	field = strtok_r(line, " ", &save);
	for (int i = 0; i < 3 && field; i++)
		field = strtok_r(NULL, " ", &save);
	if (!field)
		return false;
	*ret_root = field;
	*ret_mountpoint = strtok_r(NULL, " ", &save);
	return *ret_mountpoint != NULL;
}

int cgroup_root(char ret[static PATH_MAX])
{
	_cleanup_fclose_ FILE *f = fopen("/proc/self/mountinfo", "re");
	_cleanup_free_ char *line = NULL;
	size_t cap = 0;

	if (!f)
		return -errno;
	while (getline(&line, &cap, f) > 0) {
		char *root, *point;

		/* A bind mount of a part of the hierarchy is not its root. */
		if (!is_cgroup2_line(line, &root, &point) || strcmp(root, "/") != 0)
			continue;
		unescape(point);
		if (strlen(point) >= PATH_MAX)
			continue;
		memcpy(ret, point, strlen(point) + 1);
		return 0;
	}
	return -ENOENT;
}

int cgroup_of_pid(pid_t pid, char ret[static PATH_MAX])
{
	_cleanup_free_ char *line = NULL;
	_cleanup_fclose_ FILE *f = NULL;
	char path[64], root[PATH_MAX];
	size_t cap = 0;
	int r, n;

	r = cgroup_root(root);
	if (r < 0)
		return r;
	snprintf(path, sizeof(path), "/proc/%d/cgroup", (int)pid);
	f = fopen(path, "re");
	if (!f)
		return -errno;
	while (getline(&line, &cap, f) > 0) {
		if (strncmp(line, "0::", 3) != 0)
			continue;
		line[strcspn(line, "\n")] = 0;
		/* Outside our cgroup namespace, or removed under a zombie. */
		if (strncmp(line + 3, "/..", 3) == 0 || strstr(line, " (deleted)"))
			return -ENOENT;
		n = snprintf(ret, PATH_MAX, "%s%s", root, strcmp(line + 3, "/") ? line + 3 : "");
		return n < 0 || n >= PATH_MAX ? -ENAMETOOLONG : 0;
	}
	return -ENOENT;
}

const char *cgroup_relative(const char *dir)
{
	char root[PATH_MAX];
	size_t n;

	if (cgroup_root(root) < 0)
		return NULL;
	n = strlen(root);
	if (strncmp(dir, root, n) != 0 || (dir[n] != '/' && dir[n]))
		return NULL;
	return dir[n] ? dir + n : "/";
}

int cgroup_id(const char *dir, uint64_t *ret)
{
	union {
		struct file_handle h;
		char room[sizeof(struct file_handle) + sizeof(uint64_t)];
	} u = { .h.handle_bytes = sizeof(uint64_t) };
	int mount;

	if (name_to_handle_at(AT_FDCWD, dir, &u.h, &mount, 0) < 0)
		return -errno;
	if (u.h.handle_bytes != sizeof(uint64_t))
		return -EINVAL;
	memcpy(ret, u.h.f_handle, sizeof(*ret));
	return 0;
}

int cgroup_of_id(uint64_t id, char ret[static PATH_MAX])
{
	union {
		struct file_handle h;
		char room[sizeof(struct file_handle) + sizeof(uint64_t)];
	} u = { .h = { .handle_bytes = sizeof(uint64_t), .handle_type = HANDLE_KERNFS } };
	_cleanup_close_ int root = -1, fd = -1;
	char path[PATH_MAX], link[64];
	ssize_t n;
	int r;

	r = cgroup_root(path);
	if (r < 0)
		return r;
	root = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (root < 0)
		return -errno;
	memcpy(u.h.f_handle, &id, sizeof(id));
	fd = open_by_handle_at(root, &u.h, O_PATH | O_CLOEXEC);
	if (fd < 0)
		return errno == ESTALE ? -ENOENT : -errno;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, sizeof(path));
	if (n < 0)
		return -errno;
	if (n >= PATH_MAX)
		return -ENAMETOOLONG;
	memcpy(ret, path, (size_t)n);
	ret[n] = 0;
	return strstr(ret, " (deleted)") ? -ENOENT : 0;
}

int cgroup_create(const char *parent, const char *name, char ret[static PATH_MAX])
{
	char path[PATH_MAX];
	int n;

	if (!*name || strchr(name, '/') || !strcmp(name, ".") || !strcmp(name, ".."))
		return -EINVAL;
	n = snprintf(path, sizeof(path), "%s/%s", parent, name);
	if (n < 0 || n >= PATH_MAX)
		return -ENAMETOOLONG;
	if (mkdir(path, 0755) < 0 && errno != EEXIST)
		return -errno;
	memcpy(ret, path, (size_t)n + 1);
	return 0;
}

int cgroup_remove(const char *dir)
{
	return rmdir(dir) < 0 ? -errno : 0;
}

int cgroup_move(const char *dir, pid_t pid)
{
	_cleanup_close_ int fd = -1;
	char path[PATH_MAX], text[16];
	int n = snprintf(path, sizeof(path), "%s/cgroup.procs", dir);

	if (n < 0 || n >= PATH_MAX)
		return -ENAMETOOLONG;
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	n = snprintf(text, sizeof(text), "%d", (int)pid);
	return write(fd, text, (size_t)n) < 0 ? -errno : 0;
}

int cgroup_events_fd(const char *dir)
{
	char path[PATH_MAX];
	int fd, n = snprintf(path, sizeof(path), "%s/cgroup.events", dir);

	if (n < 0 || n >= PATH_MAX)
		return -ENAMETOOLONG;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* 1 when a file of the cgroup has that text, 0, or -errno. */
static int file_has(const char *dir, const char *name, const char *what)
{
	char path[PATH_MAX], text[256];
	_cleanup_close_ int fd = -1;
	ssize_t n;

	if (snprintf(path, sizeof(path), "%s/%s", dir, name) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	n = read(fd, text, sizeof(text) - 1);
	if (n < 0)
		return -errno;
	text[n] = 0;
	return strstr(text, what) != NULL;
}

int cgroup_populated(const char *dir)
{
	return file_has(dir, "cgroup.events", "populated 1");
}

static int set_freeze(const char *dir, const char *value)
{
	char path[PATH_MAX];
	_cleanup_close_ int fd = -1;

	if (snprintf(path, sizeof(path), "%s/cgroup.freeze", dir) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	fd = open(path, O_WRONLY | O_CLOEXEC);
	return fd < 0 || write(fd, value, 1) < 0 ? -errno : 0;
}

int cgroup_freeze(const char *dir)
{
	const struct timespec pause = { .tv_nsec = FREEZE_LOOK_NS };
	int r = file_has(dir, "cgroup.freeze", "1");

	if (r != 0)
		return r < 0 ? r : -EALREADY;
	r = set_freeze(dir, "1");
	for (unsigned looks = 0; r == 0 && looks < FREEZE_LOOKS; looks++) {
		r = file_has(dir, "cgroup.events", "frozen 1");
		if (r != 0)
			return r < 0 ? r : 0;
		(void)nanosleep(&pause, NULL);
	}
	return r < 0 ? r : -ETIMEDOUT;
}

int cgroup_thaw(const char *dir)
{
	return set_freeze(dir, "0");
}
