// SPDX-License-Identifier: Apache-2.0
/*
 * Whose files the supervisor trusts. Runs in the supervisor and in tollgate(1). What is read is the very
 * file that was checked: the check is on the open descriptor, never on a path that could be swapped.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "user/base/cleanup.h"
#include "user/conf/internal.h"

#define POLICY_FILES_MAX 4096

static int check_fd(int fd, const char *path, struct conf_error *e)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return conf_fail(e, -errno, path, 0, 0, "stat: %s", strerror(errno));
	if (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))
		return conf_fail(e, -EPERM, path, 0, 0, "is neither a file nor a folder");
	if (st.st_uid != 0 && st.st_uid != geteuid())
		return conf_fail(e, -EPERM, path, 0, 0,
				 "is owned by uid %u, who could change it; must be owned by root",
				 (unsigned)st.st_uid);
	if (st.st_mode & 022)
		return conf_fail(e, -EPERM, path, 0, 0,
				 "mode %04o lets %s change it; do: chmod go-w", st.st_mode & 07777,
				 st.st_mode & 02 ? "everybody" : "its group");
	return 0;
}

int conf_open_checked(const char *path, struct conf_error *ret_error)
{
	/* O_NONBLOCK: a FIFO in the file's place must not hang the start. */
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	int r;

	if (fd < 0)
		return conf_fail(ret_error, -errno, path, 0, 0, "open: %s", strerror(errno));
	r = check_fd(fd, path, ret_error);
	return r < 0 ? r : take_fd(fd);
}

int conf_check_file(const char *path, struct conf_error *ret_error)
{
	_cleanup_close_ int fd = conf_open_checked(path, ret_error);

	return fd < 0 ? fd : 0;
}

struct file_list {
	char **items;
	unsigned n;
};

static int add_file(struct file_list *l, const char *dir, const char *name)
{
	char **items = conf_grow(l->items, &l->n, sizeof(*items));
	char *path;

	if (!items)
		return -ENOMEM;
	l->items = items;
	if (dir ? asprintf(&path, "%s/%s", dir, name) < 0 : !(path = strdup(name)))
		return -ENOMEM;
	items[l->n - 1] = path;
	return 0;
}

static bool is_policy_name(const char *name)
{
	size_t n = strlen(name);

	return name[0] != '.' && n > 6 && strcmp(name + n - 6, ".cedar") == 0;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void cleanup_dir(DIR **d)
{
	if (*d)
		closedir(*d);
}

static int add_folder(struct file_list *l, const char *path, int fd, struct conf_error *e)
{
	__attribute__((cleanup(cleanup_dir))) DIR *d = fdopendir(fd);
	unsigned first = l->n;

	if (!d) {
		close(fd);
		return conf_fail(e, -errno, path, 0, 0, "read: %s", strerror(errno));
	}
	for (;;) {
		struct dirent *de;
		int r;

		errno = 0;
		de = readdir(d);
		if (!de && errno)
			return conf_fail(e, -errno, path, 0, 0, "read: %s", strerror(errno));
		if (!de)
			break;
		if (!is_policy_name(de->d_name))
			continue;
		if (l->n >= POLICY_FILES_MAX)
			return conf_fail(e, -E2BIG, path, 0, 0, "more than %d policy files",
					 POLICY_FILES_MAX);
		r = add_file(l, path, de->d_name);
		if (r == 0)
			r = conf_check_file(l->items[l->n - 1], e);
		if (r < 0)
			return r;
	}
	if (l->n > first)
		qsort(l->items + first, l->n - first, sizeof(*l->items), by_name);
	return 0;
}

static int add_entry(struct file_list *l, const char *path, struct conf_error *e)
{
	_cleanup_close_ int fd = conf_open_checked(path, e);
	struct stat st;

	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0)
		return conf_fail(e, -errno, path, 0, 0, "stat: %s", strerror(errno));
	if (S_ISDIR(st.st_mode))
		return add_folder(l, path, take_fd(fd), e);
	return add_file(l, NULL, path);
}

int conf_policy_files(const struct conf *c, char ***ret_files, unsigned *ret_n,
		      struct conf_error *ret_error)
{
	struct file_list l = { 0 };
	int r = 0;

	for (unsigned i = 0; r == 0 && i < c->npolicy; i++)
		r = add_entry(&l, c->policy[i], ret_error);
	if (r == -ENOMEM)
		(void)conf_fail(ret_error, r, c->file, 0, 0, "out of memory");
	if (r < 0) {
		conf_list_free(l.items, l.n);
		return r;
	}
	*ret_files = l.items;
	*ret_n = l.n;
	return 0;
}
