// SPDX-License-Identifier: Apache-2.0
/*
 * Scopes: which cgroups have the programs, whose a cgroup or a process is. Runs in the supervisor.
 */
#include "user/kern/scope.h"

#include <bpf/bpf.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "user/base/cleanup.h"
#include "user/kern/cgroup.h"
#include "user/kern/internal.h"

static int scope_pins(struct kern *k, uint64_t cgroup, char ret[static PATH_MAX])
{
	return pin_path(ret, "%s/scopes/%llx", k->dir, (unsigned long long)cgroup);
}

/* 1 when dir or a cgroup above it has links, 0, or -errno. */
static int attached_above(struct kern *k, const char *dir)
{
	char up[PATH_MAX], pins[PATH_MAX];
	int r = pin_path(up, "%s", dir);

	if (r < 0)
		return r;
	for (;;) {
		const char *rel = cgroup_relative(up);
		uint64_t id;

		if (!rel)
			return -EINVAL;
		if ((r = cgroup_id(up, &id)) < 0 || (r = scope_pins(k, id, pins)) < 0)
			return r;
		if (access(pins, F_OK) == 0)
			return 1;
		if (!strcmp(rel, "/"))
			return 0;
		*strrchr(up, '/') = 0;
	}
}

/* 1 when a cgroup below dir has links, 0, or -errno. */
static int attached_below(struct kern *k, const char *dir)
{
	_cleanup_free_ uint64_t *ids = NULL;
	size_t len = strlen(dir);
	char path[PATH_MAX];
	unsigned n, have;
	int r;

	r = kern_scope_attached(k, NULL, 0, &n);
	if (r < 0)
		return r;
	ids = calloc(n ? n : 1, sizeof(*ids));
	if (!ids)
		return -ENOMEM;
	r = kern_scope_attached(k, ids, n, &have);
	if (r < 0)
		return r;
	for (unsigned i = 0; i < (have < n ? have : n); i++) {
		r = cgroup_of_id(ids[i], path);
		if (r == -ENOENT)
			continue;
		if (r < 0)
			return r;
		if (strncmp(path, dir, len) == 0 && path[len] == '/')
			return 1;
	}
	return 0;
}

int family_attach(struct kern *k)
{
	char dir[PATH_MAX];
	int r = pin_path(dir, "%s/family", k->dir);

	if (r < 0 || access(dir, F_OK) == 0)
		return r;
	return attach_all(k, KW_FAMILY, -1, dir);
}

int family_check(struct kern *k)
{
	char dir[PATH_MAX];
	unsigned n;
	int r = kern_scope_attached(k, NULL, 0, &n);

	if (r < 0 || !n)
		return r;
	r = pin_path(dir, "%s/family", k->dir);
	return r < 0 ? r : attach_check(k, KW_FAMILY, 0, dir);
}

static int family_leave(struct kern *k)
{
	char dir[PATH_MAX];
	unsigned n;
	int r = kern_scope_attached(k, NULL, 0, &n);

	if (r < 0 || n)
		return r;
	r = pin_path(dir, "%s/family", k->dir);
	return r < 0 ? r : pin_remove_tree(dir);
}

int kern_scope_attach(struct kern *k, const char *dir)
{
	_cleanup_close_ int fd = -1;
	char pins[PATH_MAX];
	uint64_t id;
	int r;

	r = attached_above(k, dir);
	if (r != 0)
		return r > 0 ? -EEXIST : r;
	r = attached_below(k, dir);
	if (r != 0)
		return r > 0 ? -EBUSY : r;
	if ((r = cgroup_id(dir, &id)) < 0 || (r = scope_pins(k, id, pins)) < 0)
		return r;
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	r = family_attach(k);
	return r < 0 ? r : attach_all(k, KW_SCOPE, fd, pins);
}

int kern_scope_repair(struct kern *k, const char *dir)
{
	char pins[PATH_MAX];
	uint64_t id;
	int r;

	if ((r = cgroup_id(dir, &id)) < 0 || (r = scope_pins(k, id, pins)) < 0)
		return r;
	if (attach_check(k, KW_SCOPE, id, pins) == 0)
		return 0;
	r = pin_remove_tree(pins);
	if (r == 0)
		r = kern_scope_attach(k, dir);
	return r == -EEXIST ? 0 : r;
}

int kern_scope_detach(struct kern *k, uint64_t cgroup)
{
	char pins[PATH_MAX];
	int r = scope_pins(k, cgroup, pins);

	if (r < 0)
		return r;
	if (access(pins, F_OK) < 0)
		return -errno;
	(void)bpf_map_delete_elem(k->map[KM_SCOPE_CGROUPS], &cgroup);
	r = pin_remove_tree(pins);
	return r < 0 ? r : family_leave(k);
}

int kern_scope_attached(struct kern *k, uint64_t *ids, unsigned n, unsigned *ret_n)
{
	char dir[PATH_MAX];
	struct dirent *e;
	unsigned have = 0;
	DIR *d;
	int r = pin_path(dir, "%s/scopes", k->dir);

	if (r < 0)
		return r;
	d = opendir(dir);
	if (!d)
		return -errno;
	while ((e = readdir(d))) {
		char *end;
		uint64_t id = strtoull(e->d_name, &end, 16);

		if (e->d_name[0] == '.' || *end)
			continue;
		if (have < n)
			ids[have] = id;
		have++;
	}
	closedir(d);
	*ret_n = have;
	return 0;
}

int kern_scope_cgroup(struct kern *k, uint64_t cgroup, const struct tg_label *label)
{
	int fd = k->map[KM_SCOPE_CGROUPS];

	if (!label->agent)
		return bpf_map_delete_elem(fd, &cgroup) < 0 && errno != ENOENT ? -errno : 0;
	return bpf_map_update_elem(fd, &cgroup, label, BPF_ANY) < 0 ? -errno : 0;
}

int iterate_tasks(struct kern *k, enum kern_prog p, pid_t pid, kern_scope_fn fn, void *arg)
{
	union bpf_iter_link_info info = { .task.pid = (uint32_t)pid };
	LIBBPF_OPTS(bpf_link_create_opts, opts);
	_cleanup_close_ int link = -1, fd = -1;
	struct tg_scope_task batch[64];
	size_t have = 0;
	int r = 0;

	if (pid) {
		opts.iter_info = &info;
		opts.iter_info_len = sizeof(info);
	}
	link = bpf_link_create(k->prog[p], 0, BPF_TRACE_ITER, &opts);
	if (link < 0)
		return -errno;
	fd = bpf_iter_create(link);
	if (fd < 0)
		return -errno;
	while (r == 0) {
		ssize_t n = read(fd, (char *)batch + have, sizeof(batch) - have);
		size_t i, whole;

		if (n < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (n <= 0)
			return n < 0 ? -errno : 0;
		have += (size_t)n;
		whole = have / sizeof(batch[0]);
		for (i = 0; i < whole && r == 0 && fn; i++)
			r = fn(&batch[i], arg);
		have -= whole * sizeof(batch[0]);
		memmove(batch, &batch[whole], have);
	}
	return r;
}

int kern_scope_label(struct kern *k, pid_t pid, const struct tg_label *label)
{
	_cleanup_close_ int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);

	if (pidfd < 0)
		return -errno;
	if (bpf_map_update_elem(k->map[KM_LABELS], &pidfd, label, BPF_ANY) < 0)
		return errno == ENOENT ? -ESRCH : -errno;
	/* The pidfd names the leader; the walk hands the label to its other threads. */
	return iterate_tasks(k, KP_ITER_LABELS, pid, NULL, NULL);
}

int kern_scope_of(struct kern *k, pid_t pid, struct tg_label *ret)
{
	_cleanup_close_ int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	struct tg_label l;

	if (pidfd < 0)
		return -errno;
	if (bpf_map_lookup_elem(k->map[KM_LABELS], &pidfd, &l) < 0)
		return -errno;
	if (!l.agent)
		return -ENOENT;
	*ret = l;
	return 0;
}

int kern_scope_each(struct kern *k, kern_scope_fn fn, void *arg)
{
	return iterate_tasks(k, KP_ITER_LABELS, 0, fn, arg);
}

int kern_daemon_attach(struct kern *k, const char *dir)
{
	_cleanup_close_ int fd = -1;
	char pins[PATH_MAX];
	uint64_t id;
	int r;

	if ((r = cgroup_id(dir, &id)) < 0 || (r = pin_path(pins, "%s/daemon", k->dir)) < 0)
		return r;
	if (k->state->daemon_cgroup == id && attach_check(k, KW_DAEMON, id, pins) == 0)
		return 0;
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	r = pin_remove_tree(pins);
	if (r == 0)
		r = attach_all(k, KW_DAEMON, fd, pins);
	if (r == 0)
		__atomic_store_n(&k->state->daemon_cgroup, id, __ATOMIC_RELEASE);
	return r;
}

/* --- the canary --------------------------------------------------------------------------------------- */

static int canaries_forget(struct kern *k, const char *pins, uint64_t but)
{
	char path[PATH_MAX];
	struct dirent *e;
	DIR *d = opendir(pins);
	int r = 0;

	if (!d)
		return -errno;
	while (r == 0 && (e = readdir(d))) {
		char *end;
		uint64_t id = strtoull(e->d_name, &end, 16);

		if (e->d_name[0] == '.' || (!*end && id == but))
			continue;
		(void)bpf_map_delete_elem(k->map[KM_SCOPE_CGROUPS], &id);
		r = pin_path(path, "%s/%s", pins, e->d_name);
		if (r == 0)
			r = pin_remove_tree(path);
	}
	closedir(d);
	return r;
}

int kern_canary_attach(struct kern *k, const char *dir)
{
	static const struct tg_label label = { .agent = TG_AGENT_CANARY };
	_cleanup_close_ int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char all[PATH_MAX], pins[PATH_MAX];
	uint64_t id;
	int r;

	if (fd < 0)
		return -errno;
	if ((r = cgroup_id(dir, &id)) < 0 || (r = pin_path(all, "%s/canary", k->dir)) < 0 ||
	    (r = pin_path(pins, "%s/%llx", all, (unsigned long long)id)) < 0)
		return r;
	if (mkdir(all, 0700) < 0 && errno != EEXIST)
		return -errno;
	r = canaries_forget(k, all, id);
	if (r == 0 && attach_check(k, KW_SCOPE, id, pins) < 0) {
		r = pin_remove_tree(pins);
		if (r == 0)
			r = attach_all(k, KW_SCOPE, fd, pins);
	}
	if (r == 0)
		r = kern_scope_cgroup(k, id, &label);
	if (r == 0)
		k->canary = id;
	return r;
}
