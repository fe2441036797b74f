// SPDX-License-Identifier: Apache-2.0
/*
 * Other programs in the place of those in force, without a moment in which neither are. Runs in the supervisor at its
 * start, when the pins that it finds are not of its own binary, or are not complete any more.
 *
 * The maps stay, and with them labels, scopes, listeners and connections under way. Links of cgroups are updated, which
 * the kernel does in one step. Tracing programs cannot be: the new ones are attached before the old go, and until then
 * both judge, which denies no less. Those that see stdio would count every byte twice, so scopes are frozen meanwhile.
 * The new pins appear under their name when they are complete; what a crash leaves half done is done again.
 */
#include "user/kern/internal.h"

#include <bpf/bpf.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "user/base/cleanup.h"
#include "user/kern/cgroup.h"
#include "user/kern/stdio.h"

/* --- links of cgroups --------------------------------------------------------------------------------- */

/* The link in force, now running the new program; -ENOLINK when there is none. */
static int update(struct kern *k, enum kern_prog p, uint64_t cgroup, const char *from)
{
	const struct kern_prog_spec *s = &kern_prog_table[p];
	_cleanup_close_ int fd = pin_get("%s/%s", from, s->name);
	struct bpf_link_info info = { 0 };
	uint32_t n = sizeof(info);

	if (fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &n) < 0 || info.type != BPF_LINK_TYPE_CGROUP ||
	    info.cgroup.cgroup_id != cgroup || (int)info.cgroup.attach_type != s->attach_type)
		return -ENOLINK;
	return bpf_link_update(fd, k->prog[p], NULL) < 0 ? -errno : take_fd(fd);
}

static int renew_link(struct kern *k, enum kern_prog p, uint64_t cgroup, const char *from, const char *to, int group)
{
	_cleanup_close_ int fd = update(k, p, cgroup, from);
	char path[PATH_MAX];
	int r;

	if (fd == -ENOLINK) /* detached since, or a program that the old ones had not */
		return attach_pin(k, p, group, to);
	if (fd < 0)
		return fd;
	r = pin_path(path, "%s/%s", to, kern_prog_table[p].name);
	return r < 0 ? r : bpf_obj_pin(fd, path) < 0 ? -errno : 0;
}

/* A cgroup that is gone needs no links. */
static int renew_group(struct kern *k, enum kern_when when, uint64_t cgroup, const char *from, const char *to)
{
	_cleanup_close_ int group = -1;
	char dir[PATH_MAX];
	int r = cgroup_of_id(cgroup, dir);

	if (r < 0)
		return r == -ENOENT ? 0 : r;
	group = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (group < 0)
		return errno == ENOENT ? 0 : -errno;
	if (mkdir(to, 0700) < 0)
		return -errno;
	for (int p = 0; p < KP_MAX_ && r == 0; p++)
		if (kern_prog_table[p].when == when && k->prog[p] >= 0)
			r = renew_link(k, p, cgroup, from, to, group);
	return r;
}

/* Folders that are named by cgroups' ids. */
static int renew_groups(struct kern *k, const char *from, const char *to)
{
	char old[PATH_MAX], new[PATH_MAX];
	struct dirent *e;
	DIR *d = opendir(from);
	int r = 0;

	if (!d)
		return errno == ENOENT ? 0 : -errno;
	if (mkdir(to, 0700) < 0 && errno != EEXIST)
		r = -errno;
	while (r == 0 && (e = readdir(d))) {
		char *end;
		uint64_t id = strtoull(e->d_name, &end, 16);

		if (e->d_name[0] == '.' || *end)
			continue;
		if ((r = pin_path(old, "%s/%s", from, e->d_name)) == 0 &&
		    (r = pin_path(new, "%s/%s", to, e->d_name)) == 0)
			r = renew_group(k, KW_SCOPE, id, old, new);
	}
	closedir(d);
	return r;
}

/* --- tracing programs ------------------------------------------------------------------------------------ */

/* Who is frozen is written down before, in folders beside the pins: a scope must not stay so after a crash. */
static int frozen_dir(const struct kern *k, char ret[static PATH_MAX])
{
	return pin_path(ret, "%s/frozen", k->pin_dir);
}

static void freeze(const char *all, uint64_t id)
{
	char note[PATH_MAX], dir[PATH_MAX];

	if (cgroup_of_id(id, dir) < 0 || pin_path(note, "%s/%" PRIx64, all, id) < 0 || mkdir(note, 0700) < 0)
		return;
	if (cgroup_freeze(dir) == -EALREADY)
		(void)rmdir(note);
}

void renew_thaw(struct kern *k)
{
	char all[PATH_MAX], dir[PATH_MAX];
	struct dirent *e;
	DIR *d;

	if (frozen_dir(k, all) < 0)
		return;
	d = opendir(all);
	while (d && (e = readdir(d)))
		if (e->d_name[0] != '.' && cgroup_of_id(strtoull(e->d_name, NULL, 16), dir) == 0)
			(void)cgroup_thaw(dir);
	if (d)
		closedir(d);
	(void)pin_remove_tree(all);
}

static int switch_stdio(struct kern *k, const char *from, const char *to)
{
	int r = attach_all(k, KW_STDIO, -1, to);

	if (r == 0)
		r = detach_all(k, from);
	return r < 0 ? r : detach_wait(k);
}

static int freeze_all(struct kern *k, const char *scopes)
{
	char all[PATH_MAX];
	struct dirent *e;
	int r = frozen_dir(k, all);
	DIR *d;

	if (r < 0)
		return r;
	if (mkdir(all, 0700) < 0)
		return -errno;
	d = opendir(scopes);
	if (!d)
		return -errno;
	while ((e = readdir(d)))
		if (e->d_name[0] != '.')
			freeze(all, strtoull(e->d_name, NULL, 16));
	closedir(d);
	return 0;
}

/* What does not freeze in time runs on, and some of its bytes may be counted twice; none goes by unseen. */
static int renew_stdio(struct kern *k, const char *old, const char *from, const char *to)
{
	char scopes[PATH_MAX];
	int r;

	if (access(from, F_OK) < 0)
		return 0;
	r = pin_path(scopes, "%s/scopes", old);
	if (r == 0)
		r = freeze_all(k, scopes);
	if (r == 0)
		r = switch_stdio(k, from, to);
	renew_thaw(k);
	return r;
}

static int renew_tracing(struct kern *k, enum kern_when when, const char *from, const char *to)
{
	return access(from, F_OK) < 0 ? 0 : attach_all(k, when, -1, to);
}

/* --- all of it ------------------------------------------------------------------------------------------- */

static int pair(char from[PATH_MAX], char to[PATH_MAX], const char *old, const char *tmp, const char *name)
{
	int r = pin_path(from, "%s/%s", old, name);

	return r < 0 ? r : pin_path(to, "%s/%s", tmp, name);
}

static int renew_all(struct kern *k, const char *old, const char *tmp)
{
	char from[PATH_MAX], to[PATH_MAX];
	int r;

	if ((r = pair(from, to, old, tmp, "links")) < 0 || (r = attach_all(k, KW_ALWAYS, -1, to)) < 0 ||
	    (r = pair(from, to, old, tmp, "fence")) < 0 || (r = attach_all(k, KW_FENCE, -1, to)) < 0 ||
	    (r = pair(from, to, old, tmp, "family")) < 0 || (r = renew_tracing(k, KW_FAMILY, from, to)) < 0 ||
	    (r = pair(from, to, old, tmp, "scopes")) < 0 || (r = renew_groups(k, from, to)) < 0 ||
	    (r = pair(from, to, old, tmp, "canary")) < 0 || (r = renew_groups(k, from, to)) < 0 ||
	    (r = pair(from, to, old, tmp, "daemon")) < 0)
		return r;
	if (k->state->daemon_cgroup)
		r = renew_group(k, KW_DAEMON, k->state->daemon_cgroup, from, to);
	if (r < 0 || (r = pair(from, to, old, tmp, "stdio")) < 0)
		return r;
	return renew_stdio(k, old, from, to);
}

/* Of the same name, both at once where the kernel can (5.17): then no crash finds neither. */
static int put_in_place(const struct kern *k, const char *old, const char *tmp)
{
	if (strcmp(old, k->dir) != 0)
		return rename(tmp, k->dir) < 0 ? -errno : pin_remove_tree(old);
	if (renameat2(AT_FDCWD, tmp, AT_FDCWD, k->dir, RENAME_EXCHANGE) == 0)
		return pin_remove_tree(tmp);
	return -errno;
}

int renew(struct kern *k, const struct kern_config *cfg, const char *old)
{
	bool mounted = load_was_mounted(old);
	char tmp[PATH_MAX];
	int r = pin_path(tmp, "%s_new", k->dir);

	if (r == 0)
		r = load_maps(k, old, true);
	if (r == 0)
		r = load_programs(k, cfg);
	if (r == 0)
		r = load_tree(k, tmp, mounted);
	if (r == 0)
		r = renew_all(k, old, tmp);
	if (r == 0)
		r = put_in_place(k, old, tmp);
	if (r < 0)
		(void)pin_remove_tree(tmp);
	else
		k->renewed = true;
	return r;
}
