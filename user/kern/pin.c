// SPDX-License-Identifier: Apache-2.0
/*
 * The private bpffs that keeps programs, maps and links in force when no process of ours lives.
 * Runs in the supervisor. A pin that is unlinked detaches at once: nothing here removes more than
 * it was told to.
 */
#include "user/kern/internal.h"

#include <bpf/bpf.h>
#include <dirent.h>
#include <errno.h>
#include <linux/magic.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "user/base/cleanup.h"

int pin_path(char ret[static PATH_MAX], const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(ret, PATH_MAX, fmt, ap);
	va_end(ap);
	return n < 0 || n >= PATH_MAX ? -ENAMETOOLONG : 0;
}

int pin_get(const char *fmt, ...)
{
	char path[PATH_MAX];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(path, sizeof(path), fmt, ap);
	va_end(ap);
	if (n < 0 || n >= PATH_MAX)
		return -ENAMETOOLONG;
	n = bpf_obj_get(path);
	return n < 0 ? -errno : n;
}

int pin_mount(const char *pin_dir, bool *ret_mounted)
{
	struct statfs fs;
	struct stat st;

	if (statfs(pin_dir, &fs) < 0)
		return -errno;
	if (fs.f_type == BPF_FS_MAGIC) {
		if (chmod(pin_dir, 0700) < 0)
			return -errno;
		*ret_mounted = false;
		return 0;
	}
	if (lstat(pin_dir, &st) < 0)
		return -errno;
	if (!S_ISDIR(st.st_mode) || st.st_uid != geteuid())
		return -EPERM;
	if (mount("bpf", pin_dir, "bpf", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0700") < 0)
		return -errno;
	/* Copies in other mount namespaces would keep the pins alive. */
	if (mount(NULL, pin_dir, NULL, MS_PRIVATE, NULL) < 0) {
		int r = -errno;

		(void)umount2(pin_dir, MNT_DETACH);
		return r;
	}
	*ret_mounted = true;
	return 0;
}

static void cleanup_closedir(DIR **d)
{
	if (*d)
		closedir(*d);
}

int pin_remove_tree(const char *dir)
{
	_cleanup_(cleanup_closedir) DIR *d = opendir(dir);
	struct dirent *e;
	int r = 0, q;

	if (!d)
		return errno == ENOENT ? 0 : -errno;
	while ((e = readdir(d))) {
		char path[PATH_MAX];

		if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, ".."))
			continue;
		q = pin_path(path, "%s/%s", dir, e->d_name);
		if (q == 0 && e->d_type == DT_DIR)
			q = pin_remove_tree(path);
		else if (q == 0 && unlink(path) < 0)
			q = -errno;
		if (q < 0 && r == 0)
			r = q;
	}
	if (rmdir(dir) < 0 && r == 0)
		r = -errno;
	return r;
}
