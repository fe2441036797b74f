// SPDX-License-Identifier: Apache-2.0
/*
 * The kernel programs as one object: opened (loaded, or adopted from an earlier process), kept
 * alive by a heartbeat, closed without effect on what is in force, released on purpose. Runs in the
 * supervisor only.
 */
#include "user/kern/kern.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <dirent.h>
#include <errno.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "user/base/cleanup.h"
#include "user/base/clock.h"
#include "user/kern/internal.h"

DEFINE_CLEANUP(struct kern *, kern_close)

/* Programs name processes by the machine's ids; in a namespace with others, what they stop would never be found. */
#define INITIAL_PID_NAMESPACE 0xeffffffcu /* PROC_PID_INIT_INO of the kernel */

static bool in_pid_namespace(void)
{
	struct stat st;

	return stat("/proc/self/ns/pid", &st) == 0 && st.st_ino != INITIAL_PID_NAMESPACE;
}

int kern_supported(const char **ret_why)
{
	const struct bpf_insn pass[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .imm = 1 },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .expected_attach_type = BPF_CGROUP_INET4_CONNECT);
	int fd;

	if (in_pid_namespace()) {
		*ret_why = "in a pid namespace of its own: run on the machine itself, or with its pid namespace";
		return -EOPNOTSUPP;
	}
	if (access("/sys/kernel/btf/vmlinux", R_OK) < 0) {
		*ret_why = "the kernel has no BTF (CONFIG_DEBUG_INFO_BTF)";
		return -EOPNOTSUPP;
	}
	fd = bpf_prog_load(BPF_PROG_TYPE_CGROUP_SOCK_ADDR, "tollgate_probe", "GPL", pass,
			   ARRAY_SIZE(pass), &opts);
	if (fd < 0) {
		int r = -errno;

		*ret_why = r == -EPERM ? "loading BPF programs is not permitted" :
					 "the kernel does not load cgroup/connect4 programs";
		return r;
	}
	close(fd);
	*ret_why = NULL;
	return 0;
}

static int kern_new(const char *pin_dir, struct kern **ret)
{
	_cleanup_(kern_close_p) struct kern *k = calloc(1, sizeof(*k));
	int r;

	if (!k)
		return -ENOMEM;
	memset(k->map, 0xff, sizeof(k->map));
	memset(k->prog, 0xff, sizeof(k->prog));
	k->walk[0] = k->walk[1] = -1;
	r = pin_path(k->pin_dir, "%s", pin_dir);
	if (r == 0)
		r = pin_path(k->dir, "%s/v%d", pin_dir, TG_ABI_VERSION);
	if (r < 0)
		return r;
	*ret = take_ptr(k);
	return 0;
}

static bool is_version(const char *name)
{
	size_t n = strspn(name + 1, "0123456789");

	return name[0] == 'v' && n > 0 && name[n + 1] == '\0';
}

/* The folder with the pins in force, of whichever version: 1, 0 when there are none, or -errno. Not those that a crash
 * left half done. -ESTALE: there are several, so none is known to be in force. */
static int find_pins(const struct kern *k, char ret[static PATH_MAX])
{
	struct dirent *e;
	DIR *d = opendir(k->pin_dir);
	int r = 0, n = 0;

	if (!d)
		return -errno;
	while (r == 0 && (e = readdir(d)))
		if (is_version(e->d_name)) {
			n++;
			r = pin_path(ret, "%s/%s", k->pin_dir, e->d_name);
		}
	closedir(d);
	return r < 0 ? r : n > 1 ? -ESTALE : n;
}

static void drop_fds(struct kern *k)
{
	if (k->state)
		munmap(k->state, (size_t)sysconf(_SC_PAGESIZE));
	k->state = NULL;
	for (int i = 0; i < KM_MAX_; i++)
		cleanup_close(&k->map[i]);
	for (int i = 0; i < KP_MAX_; i++)
		cleanup_close(&k->prog[i]);
	memset(k->map, 0xff, sizeof(k->map));
	memset(k->prog, 0xff, sizeof(k->prog));
}

static int adopt(struct kern *k, const struct kern_config *cfg, const char *pins)
{
	int r = strcmp(pins, k->dir) == 0 ? load_adopt(k) : -ESTALE;

	k->adopted = true;
	renew_thaw(k); /* what a crash left */
	if (r != -ESTALE)
		return r;
	drop_fds(k);
	return renew(k, cfg, pins);
}

int kern_open(const struct kern_config *cfg, struct kern **ret)
{
	_cleanup_(kern_close_p) struct kern *k = NULL;
	char pins[PATH_MAX];
	bool mounted;
	int r;

	r = kern_new(cfg->pin_dir, &k);
	if (r < 0)
		return r;
	r = pin_mount(k->pin_dir, &mounted);
	if (r < 0)
		return r;
	r = find_pins(k, pins);
	if (r < 0)
		return r;
	if (r > 0) {
		r = adopt(k, cfg, pins);
	} else {
		r = load_and_pin(k, cfg, mounted);
		if (r < 0 && mounted)
			(void)umount2(k->pin_dir, MNT_DETACH);
	}
	if (r < 0)
		return r;
	*ret = take_ptr(k);
	return 0;
}

void kern_close(struct kern *k)
{
	if (!k)
		return;
	drop_fds(k);
	for (int i = 0; i < 2; i++)
		if (k->walk[i] >= 0)
			close(k->walk[i]);
	free(k);
}

int kern_release(struct kern *k)
{
	char pin_dir[PATH_MAX];

	memcpy(pin_dir, k->pin_dir, sizeof(pin_dir));
	kern_close(k);
	return kern_release_pins(pin_dir);
}

int kern_release_pins(const char *pin_dir)
{
	char path[PATH_MAX];
	bool mounted = false;
	struct dirent *e;
	DIR *d = opendir(pin_dir);
	int r = 0, q;

	if (!d)
		return -errno;
	while ((e = readdir(d))) {
		if (e->d_name[0] != 'v')
			continue;
		q = pin_path(path, "%s/%s", pin_dir, e->d_name);
		if (q == 0) {
			mounted = mounted || load_was_mounted(path);
			q = pin_remove_tree(path);
		}
		if (q < 0 && r == 0)
			r = q;
	}
	closedir(d);
	if (r == 0 && mounted && umount2(pin_dir, MNT_DETACH) < 0)
		r = -errno;
	return r;
}

bool kern_adopted(const struct kern *k)
{
	return k->adopted;
}

bool kern_renewed(const struct kern *k)
{
	return k->renewed;
}

int kern_heartbeat(struct kern *k)
{
	__atomic_store_n(&k->state->heartbeat, clock_mono_ns(), __ATOMIC_RELEASE);
	return 0;
}

int kern_state_flags(struct kern *k, uint32_t set, uint32_t clear)
{
	__atomic_fetch_or(&k->state->flags, set, __ATOMIC_ACQ_REL);
	__atomic_fetch_and(&k->state->flags, ~clear, __ATOMIC_ACQ_REL);
	return 0;
}

int kern_state_read(struct kern *k, struct tg_state *ret)
{
	*ret = *(volatile struct tg_state *)k->state;
	return 0;
}
