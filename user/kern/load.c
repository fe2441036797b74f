// SPDX-License-Identifier: Apache-2.0
/*
 * The only file that sees the skeleton: loads the programs, pins them, and finds an earlier
 * process's pins again. What is adopted must be exactly what this binary would have loaded.
 */
#include "user/kern/internal.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bpf/tollgate.skel.h"
#include "user/base/cleanup.h"
#include "user/base/log.h"
#include "user/kern/fence.h"

DEFINE_CLEANUP(struct tollgate_bpf *, tollgate_bpf__destroy)

#define SPEC(m, t, k, v) { m, BPF_MAP_TYPE_##t, k, v, 0 }
#define TABLE(m, t, v, n) { m, BPF_MAP_TYPE_##t, 4, v, n }
const struct kern_map_spec kern_map_table[KM_MAX_] = {
	[KM_STATE] = TABLE("state", ARRAY, sizeof(struct tg_state), 1),
	[KM_STATS] = TABLE("stats", PERCPU_ARRAY, 8, TG_STAT_MAX_),
	[KM_EVENTS] = SPEC("events", RINGBUF, 0, 0),
	[KM_STDIO_EVENTS] = SPEC("stdio_events", RINGBUF, 0, 0),
	[KM_SEQUENCES] = TABLE("sequences", ARRAY, 8, 2),
	[KM_LABELS] = SPEC("labels", TASK_STORAGE, 4, sizeof(struct tg_label)),
	[KM_LATE_LABELS] = SPEC("late_labels", HASH, 4, sizeof(struct tg_label)),
	[KM_SCOPE_CGROUPS] = SPEC("scope_cgroups", HASH, 8, sizeof(struct tg_label)),
	[KM_ORIGINS] = SPEC("origins", SK_STORAGE, 4, sizeof(struct tg_origin)),
	[KM_FLOWS] = SPEC("flows", HASH, sizeof(struct tg_flow_key), sizeof(struct tg_origin)),
	[KM_LISTENERS] = SPEC("listeners", HASH, sizeof(struct tg_listener_key),
			      sizeof(struct tg_listener)),
	[KM_LISTENER_PORTS] = SPEC("listener_ports", HASH, sizeof(struct tg_port_key), 4),
	[KM_SELECTORS] = SPEC("selectors", HASH, sizeof(struct tg_selector_key),
			      sizeof(struct tg_selector)),
	[KM_STOPPED] = SPEC("stopped", HASH, 4, sizeof(struct tg_stopped)),
	[KM_STREAMS] = SPEC("streams", HASH, 8, sizeof(struct tg_stream)),
	[KM_HEADS] = SPEC("heads", HASH, 8, sizeof(struct tg_head)),
	[KM_TAKENS] = SPEC("takens", HASH, 8, sizeof(struct tg_head)),
	[KM_READERS] = SPEC("readers", HASH, 8, 8),
	[KM_OURS] = SPEC("ours", HASH, 8, 8),
	[KM_SOUGHT] = TABLE("sought", ARRAY, sizeof(struct tg_sought), 1),
	[KM_CONTAINERS] = SPEC("containers", LRU_HASH, 8, 4),
};

/* What was loaded, in a frozen map beside the pins. */
struct meta {
	uint32_t abi;
	uint32_t mounted; /* kern_open() mounted the file system */
	uint64_t loaded; /* bit by enum kern_prog */
	uint8_t object[SHA256_SIZE]; /* of the object file that this binary carries */
};
_Static_assert(KP_MAX_ <= 64, "one bit a program");

static void meta_fill(struct meta *m, bool mounted, uint64_t loaded)
{
	size_t n;
	const void *elf = tollgate_bpf__elf_bytes(&n);

	memset(m, 0, sizeof(*m));
	m->abi = TG_ABI_VERSION;
	m->mounted = mounted;
	m->loaded = loaded;
	sha256(elf, n, m->object);
}

static uint64_t loaded(const struct kern *k)
{
	uint64_t bits = 0;

	for (int p = 0; p < KP_MAX_; p++)
		if (k->prog[p] >= 0)
			bits |= 1ull << p;
	return bits;
}

static int meta_pin(const struct kern *k, const char *dir, bool mounted)
{
	_cleanup_close_ int fd = -1;
	char path[PATH_MAX];
	struct meta m;
	uint32_t zero = 0;
	int r;

	meta_fill(&m, mounted, loaded(k));
	r = pin_path(path, "%s/meta", dir);
	if (r < 0)
		return r;
	fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "tollgate_meta", 4, sizeof(m), 1, NULL);
	if (fd < 0)
		return -errno;
	if (bpf_map_update_elem(fd, &zero, &m, BPF_ANY) < 0 || bpf_map_freeze(fd) < 0 ||
	    bpf_obj_pin(fd, path) < 0)
		return -errno;
	return 0;
}

static int meta_read(const char *dir, struct meta *ret)
{
	struct bpf_map_info info = { 0 };
	_cleanup_close_ int fd = pin_get("%s/meta", dir);
	uint32_t n = sizeof(info), zero = 0;

	if (fd < 0)
		return fd;
	if (bpf_obj_get_info_by_fd(fd, &info, &n) < 0)
		return -errno;
	if (info.type != BPF_MAP_TYPE_ARRAY || info.value_size != sizeof(*ret))
		return -ESTALE;
	return bpf_map_lookup_elem(fd, &zero, ret) < 0 ? -errno : 0;
}

bool load_was_mounted(const char *dir)
{
	struct meta m;

	return meta_read(dir, &m) == 0 && m.mounted;
}

static int print(enum libbpf_print_level level, const char *fmt, va_list ap)
{
	char line[512];

	if (level == LIBBPF_DEBUG)
		return 0;
	vsnprintf(line, sizeof(line), fmt, ap);
	line[strcspn(line, "\n")] = 0;
	log_debug("kern: %s", line);
	return 0;
}

static int set_size(struct tollgate_bpf *skel, const char *name, uint32_t n)
{
	struct bpf_map *m = bpf_object__find_map_by_name(skel->obj, name);

	return m ? bpf_map__set_max_entries(m, n) : -ENOENT;
}

/* The tracepoint of submitted io_uring requests has had two names. */
static int target_uring(struct tollgate_bpf *skel)
{
	static const char *const names[] = { "io_uring_submit_req", "io_uring_submit_sqe" };
	struct btf *btf = btf__load_vmlinux_btf();
	char type[64];
	int r = -EOPNOTSUPP;

	for (unsigned i = 0; btf && i < ARRAY_SIZE(names) && r < 0; i++) {
		snprintf(type, sizeof(type), "btf_trace_%s", names[i]);
		if (btf__find_by_name_kind(btf, type, BTF_KIND_TYPEDEF) > 0)
			r = bpf_program__set_attach_target(skel->progs.uring_follow, 0, names[i]);
	}
	btf__free(btf);
	return r;
}

/* What a kernel may lack; user space finds out by loading. */
struct features {
	bool labels; /* task storage in cgroup hooks; else the scope is the cgroup's */
	bool lsm; /* security hooks; else the family guard */
	bool splice_hooked; /* splice() to a socket passes a socket hook: then file_permission need not ask */
};

static bool kernel_has_function(const char *name)
{
	struct btf *btf = btf__load_vmlinux_btf();
	bool has = btf && btf__find_by_name_kind(btf, name, BTF_KIND_FUNC) > 0;

	btf__free(btf);
	return has;
}

static bool wanted(enum kern_prog p, const struct features *f)
{
	switch (kern_prog_table[p].when) {
	case KW_FENCE:
		return f->lsm && !(p == KP_LSM_FILE_PERMISSION && f->splice_hooked);
	case KW_FAMILY:
		return !f->lsm;
	default:
		return true;
	}
}

static bool optional(enum kern_prog p)
{
	return kern_prog_table[p].when == KW_FENCE || kern_prog_table[p].when == KW_FAMILY;
}

static int choose(struct tollgate_bpf *skel, const struct features *f)
{
	int r = 0;

	for (int i = 0; i < KP_MAX_ && r == 0; i++) {
		struct bpf_program *p =
			bpf_object__find_program_by_name(skel->obj, kern_prog_table[i].name);

		r = p ? bpf_program__set_autoload(p, wanted(i, f)) : -ENOENT;
	}
	return r;
}

/* Maps that k has already are the programs' own; the others are new. */
static int reuse_maps(const struct kern *k, struct tollgate_bpf *skel)
{
	int r = 0;

	for (int i = 0; i < KM_MAX_ && r == 0; i++) {
		struct bpf_map *m = bpf_object__find_map_by_name(skel->obj, kern_map_table[i].name);

		if (k->map[i] >= 0)
			r = m ? bpf_map__reuse_fd(m, k->map[i]) : -ENOENT;
	}
	return r;
}

static int open_and_load(const struct kern *k, const struct kern_config *cfg, const struct features *f,
			 struct tollgate_bpf **ret)
{
	_cleanup_(tollgate_bpf__destroy_p) struct tollgate_bpf *skel = tollgate_bpf__open();
	uint32_t ring = cfg->ring_bytes ? cfg->ring_bytes : KERN_RING_BYTES;
	uint32_t streams = cfg->max_streams ? cfg->max_streams : KERN_MAX_STREAMS;
	int r;

	if (!skel)
		return -errno;
	skel->rodata->cfg_labels_in_cgroup_hooks = f->labels;
	r = target_uring(skel);
	if (r == 0)
		r = choose(skel, f);
	if (r < 0)
		return r;
	if ((r = set_size(skel, "events", ring)) < 0 ||
	    (r = set_size(skel, "stdio_events", ring)) < 0 ||
	    (r = set_size(skel, "streams", streams)) < 0 ||
	    (r = set_size(skel, "heads", streams)) < 0 ||
	    (r = set_size(skel, "takens", streams)) < 0 ||
	    (r = set_size(skel, "readers", streams)) < 0 ||
	    (r = set_size(skel, "flows", cfg->max_flows ? cfg->max_flows : KERN_MAX_FLOWS)) < 0)
		return r;
	r = reuse_maps(k, skel);
	if (r == 0)
		r = tollgate_bpf__load(skel);
	if (r < 0)
		return r;
	*ret = take_ptr(skel);
	return 0;
}

/* The most first. What the kernel refuses is left out, one thing after the other. */
static int load_most(const struct kern *k, const struct kern_config *cfg, struct tollgate_bpf **ret)
{
	struct features f = { .splice_hooked = kernel_has_function("splice_to_socket") };
	const char *why;
	bool lsm = kern_fence_lsm_supported(&why) == 0;
	int r = -EOPNOTSUPP;

	for (int i = lsm ? 0 : 2; i < 4 && r < 0; i++) {
		f.lsm = i < 2;
		f.labels = i % 2 == 0;
		r = open_and_load(k, cfg, &f, ret);
		if (r < 0 && i == 1)
			log_warn("kern: load security hooks: %s; doing without", strerror(-r));
	}
	return r;
}

static int keep_fd(int fd, int *ret)
{
	int copy = fd < 0 ? -1 : dup(fd);

	if (copy < 0)
		return fd < 0 ? -ENOENT : -errno;
	*ret = copy;
	return 0;
}

/* The descriptors outlive the skeleton, which is dropped: nothing of it is kept in memory. */
static int take_fds(struct kern *k, struct tollgate_bpf *skel)
{
	int r = 0;

	for (int i = 0; i < KM_MAX_ && r == 0; i++)
		if (k->map[i] < 0)
			r = keep_fd(bpf_object__find_map_fd_by_name(skel->obj, kern_map_table[i].name),
				    &k->map[i]);
	for (int i = 0; i < KP_MAX_ && r == 0; i++) {
		struct bpf_program *p =
			bpf_object__find_program_by_name(skel->obj, kern_prog_table[i].name);

		if (!p || bpf_program__autoload(p))
			r = keep_fd(p ? bpf_program__fd(p) : -1, &k->prog[i]);
	}
	return r;
}

static int pin_all(const struct kern *k, const char *dir)
{
	char path[PATH_MAX];
	int r;

	for (int i = 0; i < KM_MAX_; i++) {
		r = pin_path(path, "%s/maps/%s", dir, kern_map_table[i].name);
		if (r < 0)
			return r;
		if (bpf_obj_pin(k->map[i], path) < 0)
			return -errno;
	}
	for (int i = 0; i < KP_MAX_; i++) {
		if (k->prog[i] < 0)
			continue;
		r = pin_path(path, "%s/progs/%s", dir, kern_prog_table[i].name);
		if (r < 0)
			return r;
		if (bpf_obj_pin(k->prog[i], path) < 0)
			return -errno;
	}
	return 0;
}

static int make_dirs(const char *dir)
{
	static const char *const names[] = { "", "/maps", "/progs", "/scopes" };
	char path[PATH_MAX];
	int r;

	for (unsigned i = 0; i < ARRAY_SIZE(names); i++) {
		r = pin_path(path, "%s%s", dir, names[i]);
		if (r < 0)
			return r;
		if (mkdir(path, 0700) < 0)
			return -errno;
	}
	return 0;
}

static int map_state(struct kern *k)
{
	void *p = mmap(NULL, (size_t)sysconf(_SC_PAGESIZE), PROT_READ | PROT_WRITE, MAP_SHARED,
		       k->map[KM_STATE], 0);

	if (p == MAP_FAILED)
		return -errno;
	k->state = p;
	return 0;
}

int load_programs(struct kern *k, const struct kern_config *cfg)
{
	_cleanup_(tollgate_bpf__destroy_p) struct tollgate_bpf *skel = NULL;
	int r;

	libbpf_set_print(print);
	r = load_most(k, cfg, &skel);
	if (r == 0)
		r = take_fds(k, skel);
	return r < 0 ? r : map_state(k);
}

int load_tree(const struct kern *k, const char *dir, bool mounted)
{
	int r = pin_remove_tree(dir);

	if (r == 0)
		r = make_dirs(dir);
	if (r == 0)
		r = pin_all(k, dir);
	return r < 0 ? r : meta_pin(k, dir, mounted);
}

int load_and_pin(struct kern *k, const struct kern_config *cfg, bool mounted)
{
	char tmp[PATH_MAX], links[PATH_MAX], fence[PATH_MAX];
	int r = load_programs(k, cfg);

	if (r < 0)
		return r;
	if ((r = pin_path(tmp, "%s_new", k->dir)) < 0 || (r = pin_path(links, "%s/links", tmp)) < 0 ||
	    (r = pin_path(fence, "%s/fence", tmp)) < 0)
		return r;
	k->state->stale_ns = cfg->stale_ns ? cfg->stale_ns : KERN_STALE_NS;
	if ((r = load_tree(k, tmp, mounted)) < 0 || (r = attach_all(k, KW_ALWAYS, -1, links)) < 0 ||
	    (r = attach_all(k, KW_FENCE, -1, fence)) < 0)
		goto fail;
	if (rename(tmp, k->dir) < 0) {
		r = -errno;
		goto fail;
	}
	return 0;
fail:
	(void)pin_remove_tree(tmp);
	return r;
}

/* Whether a pinned map is as this binary's programs expect it. Tables of a fixed size must have that, too. */
static bool fits(const struct kern *k, unsigned i)
{
	const struct kern_map_spec *s = &kern_map_table[i];
	struct bpf_map_info info = { 0 };
	uint32_t n = sizeof(info);

	return bpf_obj_get_info_by_fd(k->map[i], &info, &n) == 0 && info.type == s->type &&
	       info.key_size == s->key_size && info.value_size == s->value_size &&
	       (!s->entries || info.max_entries == s->entries);
}

/* What only tells, or is found out again, and so may begin anew. */
static bool replaceable(unsigned i)
{
	return i == KM_STATS || i == KM_EVENTS || i == KM_STDIO_EVENTS || i == KM_SEQUENCES || i == KM_CONTAINERS;
}

int load_maps(struct kern *k, const char *dir, bool renew)
{
	for (unsigned i = 0; i < KM_MAX_; i++) {
		k->map[i] = pin_get("%s/maps/%s", dir, kern_map_table[i].name);
		if (k->map[i] < 0 && k->map[i] != -ENOENT)
			return k->map[i];
		if (k->map[i] >= 0 && fits(k, i))
			continue;
		cleanup_close(&k->map[i]);
		k->map[i] = -1;
		if (!renew || !replaceable(i))
			return -ESTALE;
	}
	return 0;
}

int load_adopt(struct kern *k)
{
	struct meta is, should;
	char links[PATH_MAX], fence[PATH_MAX];
	int r;

	libbpf_set_print(print);
	r = meta_read(k->dir, &is);
	if (r < 0)
		return r == -ENOENT ? -ESTALE : r;
	meta_fill(&should, is.mounted, is.loaded);
	if (memcmp(&is, &should, sizeof(is)) != 0)
		return -ESTALE;
	r = load_maps(k, k->dir, false);
	if (r < 0)
		return r;
	for (unsigned i = 0; i < KP_MAX_; i++) {
		if (!(is.loaded & 1ull << i) && optional(i))
			continue;
		k->prog[i] = pin_get("%s/progs/%s", k->dir, kern_prog_table[i].name);
		if (k->prog[i] < 0)
			return k->prog[i] == -ENOENT ? -ESTALE : k->prog[i];
	}
	if ((r = pin_path(links, "%s/links", k->dir)) < 0 ||
	    (r = pin_path(fence, "%s/fence", k->dir)) < 0)
		return r;
	if (attach_check(k, KW_ALWAYS, 0, links) < 0 || attach_check(k, KW_FENCE, 0, fence) < 0)
		return -ESTALE;
	return map_state(k);
}
