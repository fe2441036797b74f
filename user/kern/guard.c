// SPDX-License-Identifier: Apache-2.0
/*
 * Selectors of the exec guard: how files are named in the kernel, and the set in force. Runs in the
 * supervisor.
 */
#include "user/kern/guard.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "user/base/cleanup.h"
#include "user/kern/internal.h"

#define SELECTORS_MAX 4096 /* half of the map: two sets exist while one replaces the other */

/* The super block's device of a mount, as the kernel keeps it. */
static int device_of_mount(uint64_t mount, uint32_t *ret)
{
	_cleanup_fclose_ FILE *f = fopen("/proc/self/mountinfo", "re");
	_cleanup_free_ char *line = NULL;
	size_t cap = 0;

	if (!f)
		return -errno;
	while (getline(&line, &cap, f) > 0) {
		unsigned long long id;
		unsigned major, minor;

		if (sscanf(line, "%llu %*u %u:%u ", &id, &major, &minor) == 3 && id == mount) {
			*ret = major << 20 | minor;
			return 0;
		}
	}
	return -ENOENT;
}

static int file_key(int fd, const char *path, int flags, struct tg_file_key *ret)
{
	struct tg_file_key k = { 0 };
	struct statx st;
	int r;

	if (statx(fd, path, flags, STATX_INO | STATX_MNT_ID, &st) < 0)
		return -errno;
	if (!(st.stx_mask & STATX_MNT_ID))
		return -EOPNOTSUPP;
	r = device_of_mount(st.stx_mnt_id, &k.dev);
	if (r < 0)
		return r;
	k.ino = st.stx_ino;
	*ret = k;
	return 0;
}

int kern_file_key(const char *path, struct tg_file_key *ret)
{
	return file_key(AT_FDCWD, path, 0, ret);
}

int kern_file_key_fd(int fd, struct tg_file_key *ret)
{
	return file_key(fd, "", AT_EMPTY_PATH, ret);
}

uint64_t kern_basename_hash(const char *arg)
{
	const char *slash = strrchr(arg, '/');
	uint64_t h = TG_FNV_BASIS;

	for (const char *p = slash ? slash + 1 : arg; *p; p++)
		h = (h ^ (uint8_t)*p) * TG_FNV_PRIME;
	return h;
}

static int put(struct kern *k, const struct tg_selector_key *key, uint32_t agent, uint32_t flags)
{
	struct tg_selector is = { 0 };

	(void)bpf_map_lookup_elem(k->map[KM_SELECTORS], key, &is);
	/* The first selector that names a thing has it; flags add up. */
	if (!is.agent)
		is.agent = agent;
	is.flags |= flags;
	return bpf_map_update_elem(k->map[KM_SELECTORS], key, &is, BPF_ANY) < 0 ? -errno : 0;
}

static int put_selector(struct kern *k, uint32_t epoch, const struct kern_selector *s)
{
	struct tg_selector_key key = { .epoch = epoch, .kind = s->kind };
	int r;

	if (!s->agent && s->kind != TG_SEL_SERVER)
		return -EINVAL;
	switch (s->kind) {
	case TG_SEL_EXE:
		key.a = s->exe.dev;
		key.b = s->exe.ino;
		break;
	case TG_SEL_SCRIPT:
		if (!s->script || !*s->script || strchr(s->script, '/'))
			return -EINVAL;
		key.a = s->exe.dev;
		key.b = s->exe.ino;
		key.kind = TG_SEL_EXE;
		r = put(k, &key, 0, TG_SELF_ARGS);
		if (r < 0)
			return r;
		key.kind = TG_SEL_SCRIPT;
		key.c = kern_basename_hash(s->script);
		break;
	case TG_SEL_NAME:
		if (!s->script || !*s->script || strchr(s->script, '/'))
			return -EINVAL;
		key.a = s->exe.dev;
		key.b = s->exe.ino;
		key.c = kern_basename_hash(s->script);
		break;
	case TG_SEL_UID:
		key.a = s->uid;
		break;
	case TG_SEL_CGROUP:
		key.a = s->cgroup;
		break;
	case TG_SEL_LOADER:
		key.kind = TG_SEL_EXE;
		key.a = s->exe.dev;
		key.b = s->exe.ino;
		return put(k, &key, 0, TG_SELF_LOADER);
	case TG_SEL_SERVER:
		key.a = s->exe.dev;
		key.b = s->exe.ino;
		return put(k, &key, 0, 0);
	case TG_SEL_SIZE:
		key.a = s->size;
		return put(k, &key, 0, 0);
	case TG_SEL_CONTAINER:
		return put(k, &key, 0, 0);
	default:
		return -EINVAL;
	}
	return put(k, &key, s->agent, 0);
}

/* Removes the entries of all epochs but one. */
static void drop_others(struct kern *k, uint32_t epoch)
{
	struct tg_selector_key key, next;
	void *at = NULL;

	while (bpf_map_get_next_key(k->map[KM_SELECTORS], at, &next) == 0) {
		if (at && key.epoch != epoch)
			(void)bpf_map_delete_elem(k->map[KM_SELECTORS], &key);
		key = next;
		at = &key;
	}
	if (at && key.epoch != epoch)
		(void)bpf_map_delete_elem(k->map[KM_SELECTORS], &key);
}

int kern_container_settle(struct kern *k, uint64_t cgroup)
{
	uint32_t there = 1;

	return bpf_map_update_elem(k->map[KM_CONTAINERS], &cgroup, &there, BPF_ANY) < 0 ? -errno : 0;
}

void kern_containers_forget(struct kern *k)
{
	uint64_t cgroup;

	while (bpf_map_get_next_key(k->map[KM_CONTAINERS], NULL, &cgroup) == 0)
		if (bpf_map_delete_elem(k->map[KM_CONTAINERS], &cgroup) < 0)
			return;
}

/* A script's selector marks its interpreter as well. */
static size_t entries_of(const struct kern_selector *sel, size_t n)
{
	size_t entries = n;

	for (size_t i = 0; i < n; i++)
		entries += sel[i].kind == TG_SEL_SCRIPT;
	return entries;
}

int kern_selectors_set(struct kern *k, const struct kern_selector *sel, size_t n)
{
	uint32_t old = k->state->epoch, epoch = old + 1 ? old + 1 : 1;
	int r = 0;

	if (n > SELECTORS_MAX || entries_of(sel, n) > SELECTORS_MAX)
		return -E2BIG;
	/* A crash may have left a set that never came in force. */
	drop_others(k, old);
	for (size_t i = 0; i < n && r == 0; i++)
		r = put_selector(k, epoch, &sel[i]);
	if (r < 0) {
		drop_others(k, old);
		return r;
	}
	__atomic_store_n(&k->state->epoch, epoch, __ATOMIC_RELEASE);
	drop_others(k, epoch);
	return 0;
}
