// SPDX-License-Identifier: Apache-2.0
/*
 * What the running kernel loads. Asked by `tollgate doctor`, in no role of the daemon.
 */
#include "user/kern/feature.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <stddef.h>
#include <unistd.h>

#include "user/base/cleanup.h"

/* A program by its type and attach type; target names what a tracing program is compiled against. map_type: a map. */
struct probe {
	const char *id, *part, *without;
	enum bpf_prog_type prog;
	enum bpf_attach_type attach;
	const char *target;
	int answer; /* what the program returns: what the verifier allows for its type */
	uint32_t flags;
	enum bpf_map_type map;
	bool required;
};

#define CGROUP_ADDR(name, type, uses, needed) \
	{ .id = "cgroup/" name, .prog = BPF_PROG_TYPE_CGROUP_SOCK_ADDR, .attach = (type), .answer = 1, \
	  .part = (uses), .required = (needed), \
	  .without = (needed) ? "TCP cannot be steered: use a kernel with CONFIG_CGROUP_BPF" : \
				"the fence has no hold on it: use a kernel with CONFIG_CGROUP_BPF" }

#define FENCE "the fence"
#define SEAL "fence and seal, also against root"
#define NO_LSM \
	"root in a scope is not held back: boot with bpf in lsm= (CONFIG_BPF_LSM), or run no agent as root"
#define NO_TRACING "execs and stdio cannot be seen: use a kernel with BTF and CONFIG_BPF_EVENTS"

static const struct probe probes[] = {
	CGROUP_ADDR("connect4", BPF_CGROUP_INET4_CONNECT, "steering of TCP", true),
	CGROUP_ADDR("connect6", BPF_CGROUP_INET6_CONNECT, "steering of TCP", true),
	CGROUP_ADDR("getpeername4", BPF_CGROUP_INET4_GETPEERNAME, "steering, unseen by the agent", true),
	CGROUP_ADDR("getpeername6", BPF_CGROUP_INET6_GETPEERNAME, "steering, unseen by the agent", true),
	{ .id = "sockops", .prog = BPF_PROG_TYPE_SOCK_OPS, .attach = BPF_CGROUP_SOCK_OPS, .answer = 1,
	  .part = "whose connection it is", .required = true,
	  .without = "a steered connection has no owner: use a kernel with CONFIG_CGROUP_BPF" },
	{ .id = "cgroup/getsockopt", .prog = BPF_PROG_TYPE_CGROUP_SOCKOPT, .attach = BPF_CGROUP_GETSOCKOPT,
	  .answer = 1, .part = "whose connection it is", .required = true,
	  .without = "a proxy cannot ask for the owner: use a kernel with CONFIG_CGROUP_BPF" },
	{ .id = "tp_btf", .prog = BPF_PROG_TYPE_TRACING, .attach = BPF_TRACE_RAW_TP,
	  .target = "sched_process_exec", .part = "exec guard, stdio detection", .required = true,
	  .without = NO_TRACING },
	{ .id = "iter/task_file", .prog = BPF_PROG_TYPE_TRACING, .attach = BPF_TRACE_ITER,
	  .target = "task_file", .part = "who holds a pipe, before a takeover", .required = true,
	  .without = NO_TRACING },
	{ .id = "syscall", .prog = BPF_PROG_TYPE_SYSCALL, .flags = BPF_F_SLEEPABLE,
	  .part = "orders to the stdio programs", .required = true,
	  .without = "stdio cannot be followed: use Linux 5.14 or later" },
	{ .id = "map/ringbuf", .map = BPF_MAP_TYPE_RINGBUF, .part = "events to the daemon", .required = true,
	  .without = "the daemon hears of nothing: use Linux 5.8 or later" },
	{ .id = "map/sk_storage", .map = BPF_MAP_TYPE_SK_STORAGE, .part = "whose connection it is",
	  .required = true, .without = "a steered connection has no owner: use Linux 5.2 or later" },
	{ .id = "map/task_storage", .map = BPF_MAP_TYPE_TASK_STORAGE, .part = "who is in scope",
	  .required = true, .without = "nobody can be in scope: use Linux 5.11 or later" },
	CGROUP_ADDR("sendmsg4", BPF_CGROUP_UDP4_SENDMSG, FENCE ", UDP", false),
	CGROUP_ADDR("bind4", BPF_CGROUP_INET4_BIND, FENCE ", our ports", false),
	{ .id = "cgroup/sock_create", .prog = BPF_PROG_TYPE_CGROUP_SOCK, .attach = BPF_CGROUP_INET_SOCK_CREATE,
	  .answer = 1, .part = FENCE ", raw sockets",
	  .without = "the fence has no hold on it: use a kernel with CONFIG_CGROUP_BPF" },
	{ .id = "cgroup_skb/egress", .prog = BPF_PROG_TYPE_CGROUP_SKB, .attach = BPF_CGROUP_INET_EGRESS,
	  .answer = 1, .part = FENCE ", backstop",
	  .without = "what no other hook sees leaves: use a kernel with CONFIG_CGROUP_BPF" },
	{ .id = "lsm", .prog = BPF_PROG_TYPE_LSM, .attach = BPF_LSM_MAC, .target = "socket_connect",
	  .part = SEAL, .without = NO_LSM },
	{ .id = "lsm_cgroup", .prog = BPF_PROG_TYPE_LSM, .attach = BPF_LSM_CGROUP, .target = "socket_connect",
	  .answer = 1, .part = FENCE ", sockets from outside", .without = NO_LSM },
	{ .id = "fentry", .prog = BPF_PROG_TYPE_TRACING, .attach = BPF_TRACE_FENTRY, .target = "tcp_v4_connect",
	  .part = "nothing yet" },
	{ .id = "kprobe", .prog = BPF_PROG_TYPE_KPROBE, .part = "keys of TLS libraries (uprobes)",
	  .without = "HTTPS can only be judged by a CA of its own: use a kernel with CONFIG_UPROBES" },
	{ .id = "tracepoint", .prog = BPF_PROG_TYPE_TRACEPOINT, .part = FENCE ", where there is no LSM",
	  .without = "families of sockets are not guarded without LSM: use a kernel with CONFIG_BPF_EVENTS" },
};

static int load(const struct probe *p)
{
	const struct bpf_insn program[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .imm = p->answer },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .expected_attach_type = p->attach, .prog_flags = p->flags);
	_cleanup_close_ int fd = -1;

	if (p->target) {
		int id = libbpf_find_vmlinux_btf_id(p->target, p->attach);

		if (id < 0)
			return id;
		opts.attach_btf_id = (uint32_t)id;
	}
	fd = bpf_prog_load(p->prog, "tollgate_probe", "GPL", program, ARRAY_SIZE(program), &opts);
	return fd < 0 ? -errno : 0;
}

/* Storage maps need types of their own, which libbpf's probe brings along; it gives no reason. */
static int make(const struct probe *p)
{
	int r = libbpf_probe_bpf_map_type(p->map, NULL);

	return r > 0 ? 0 : r < 0 ? r : geteuid() == 0 ? -EINVAL : -EPERM;
}

static int silent(enum libbpf_print_level level, const char *fmt, va_list ap)
{
	(void)level;
	(void)fmt;
	(void)ap;
	return 0;
}

unsigned kern_features(struct kern_feature *ret, unsigned max)
{
	libbpf_print_fn_t before = libbpf_set_print(silent);

	for (unsigned i = 0; i < ARRAY_SIZE(probes) && i < max; i++) {
		const struct probe *p = &probes[i];
		int r = p->map ? make(p) : load(p);

		ret[i] = (struct kern_feature){ .id = p->id, .part = p->part, .without = p->without,
						.required = p->required, .error = r };
		if (r == 0)
			ret[i].is = KERN_FEATURE_LOADS;
		else if (geteuid() != 0 && (r == -EPERM || r == -EACCES))
			ret[i].is = KERN_FEATURE_UNSEEN;
	}
	libbpf_set_print(before);
	return ARRAY_SIZE(probes);
}
