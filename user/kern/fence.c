// SPDX-License-Identifier: Apache-2.0
/*
 * What the fence closes here: the rows of tests/probe/rows against the programs that are loaded, and whether security
 * hooks are to be had at all. Runs in the supervisor and where a machine is looked at before one starts.
 */
#include "user/kern/fence.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "user/base/cleanup.h"
#include "user/base/file.h"
#include "user/kern/internal.h"

enum {
	REQUIRED = 1 << 0,
	KILLED = 1 << 1, /* without the hook, KP_FAMILY kills who tries */
};

static const struct {
	const char *id, *what, *hook;
	enum kern_prog by; /* KP_MAX_: nothing closes it */
	unsigned flags;
} specs[] = {
	{ "tcp4", "connect() to an IPv4 address", "connect4", KP_CONNECT4, REQUIRED },
	{ "tcp6", "connect() to an IPv6 address", "connect6", KP_CONNECT6, REQUIRED },
	{ "tcp-mapped", "connect() to a mapped IPv4 address", "connect6", KP_CONNECT6, REQUIRED },
	{ "tfo4", "sendto() with MSG_FASTOPEN, IPv4", "connect4", KP_CONNECT4, REQUIRED },
	{ "tfo6", "sendto() with MSG_FASTOPEN, IPv6", "connect6", KP_CONNECT6, REQUIRED },
	{ "tfo-connect", "TCP_FASTOPEN_CONNECT, then write()", "connect4", KP_CONNECT4, REQUIRED },
	{ "mptcp", "connect() of an MPTCP socket", "connect4", KP_CONNECT4, REQUIRED },
	{ "uring-connect", "connect by io_uring", "connect4", KP_CONNECT4, REQUIRED },
	{ "uring-sqpoll", "connect by io_uring's polling thread",
	  "connect4", KP_CONNECT4, REQUIRED },
	{ "uring-socket", "socket and connect by io_uring", "connect4", KP_CONNECT4, REQUIRED },
	{ "udp-sendto", "sendto() of a datagram", "sendmsg4", KP_SENDMSG4, REQUIRED },
	{ "udp-sendto6", "sendto() of a datagram, IPv6", "sendmsg6", KP_SENDMSG6, REQUIRED },
	{ "udp-sendmmsg", "sendmmsg() of datagrams", "sendmsg4", KP_SENDMSG4, REQUIRED },
	{ "udp-connect", "connected datagrams", "connect4", KP_CONNECT4, REQUIRED },
	{ "udp-mapped", "datagrams to a mapped address", "sendmsg4", KP_SENDMSG4, REQUIRED },
	{ "udp-unspec", "connect, dissolve, sendto() elsewhere",
	  "sendmsg4", KP_SENDMSG4, REQUIRED },
	{ "uring-sendmsg", "sendmsg of a datagram by io_uring", "sendmsg4", KP_SENDMSG4, REQUIRED },
	{ "udplite", "a UDP-Lite socket", "sock_create", KP_SOCK_CREATE, REQUIRED },
	{ "sctp", "an SCTP socket", "sock_create", KP_SOCK_CREATE, REQUIRED },
	{ "raw-hdrincl", "a raw socket with headers of its own",
	  "sock_create", KP_SOCK_CREATE, REQUIRED },
	{ "raw-icmp", "a raw ICMP socket", "sock_create", KP_SOCK_CREATE, REQUIRED },
	{ "raw-connect", "connect() of a raw socket", "sock_create", KP_SOCK_CREATE, REQUIRED },
	{ "ping", "a ping socket", "sock_create", KP_SOCK_CREATE, REQUIRED },
	{ "source-route", "TCP with a source route, past the rewritten address",
	  "egress", KP_EGRESS, REQUIRED },
	{ "inbound", "an answer to a connection from another machine",
	  "egress", KP_EGRESS, REQUIRED },
	{ "tun", "a tun device", "device", KP_DEVICE, REQUIRED },
	{ "bind-port", "bind() to a port of ours", "post_bind4", KP_POST_BIND4, REQUIRED },
	{ "listen-unbound", "listen() without bind(), until the port is ours",
	  "lsm/socket_listen", KP_LSM_SOCKET_LISTEN, REQUIRED },
	{ "packet-dgram", "a packet socket",
	  "lsm/socket_create", KP_LSM_SOCKET_CREATE, KILLED | REQUIRED },
	{ "packet-raw", "a packet socket with frames of its own",
	  "lsm/socket_create", KP_LSM_SOCKET_CREATE, KILLED | REQUIRED },
	{ "vsock", "a vsock socket", "lsm/socket_create", KP_LSM_SOCKET_CREATE, KILLED | REQUIRED },
	{ "xdp", "an XDP socket", "lsm/socket_create", KP_LSM_SOCKET_CREATE, KILLED | REQUIRED },
	{ "key", "a PF_KEY socket", "lsm/socket_create", KP_LSM_SOCKET_CREATE, KILLED | REQUIRED },
	{ "families", "any other family: ALG, RDS, TIPC, BLUETOOTH, SMC, CAN, KCM",
	  "lsm/socket_create", KP_LSM_SOCKET_CREATE, KILLED | REQUIRED },
	{ "netlink", "netlink beyond ROUTE", "lsm/socket_create", KP_LSM_SOCKET_CREATE, REQUIRED },
	{ "uring-vsock", "a vsock socket by io_uring",
	  "lsm/socket_create", KP_LSM_SOCKET_CREATE, REQUIRED },
	{ "early-write", "write() to a connection older than the scope",
	  "lsm/socket_sendmsg", KP_LSM_SOCKET_SENDMSG, REQUIRED },
	{ "early-sendfile", "sendfile() to it",
	  "lsm/socket_sendmsg, lsm/file_permission", KP_LSM_SOCKET_SENDMSG, REQUIRED },
	{ "early-splice", "splice() to it",
	  "lsm/socket_sendmsg, lsm/file_permission", KP_LSM_SOCKET_SENDMSG, REQUIRED },
	{ "early-uring", "a write to it by io_uring",
	  "lsm/socket_sendmsg", KP_LSM_SOCKET_SENDMSG, REQUIRED },
	{ "early-udp", "a datagram from a socket older than the scope",
	  "lsm/socket_sendmsg", KP_LSM_SOCKET_SENDMSG, REQUIRED },
	{ "early-connect", "connect() of a socket older than the scope",
	  "lsm/socket_connect", KP_LSM_SOCKET_CONNECT, REQUIRED },
	{ "scm-rights", "a connection received from an outsider",
	  "lsm/file_receive", KP_LSM_FILE_RECEIVE, REQUIRED },
	{ "unix-path", "a UNIX socket of an outsider, by path",
	  "lsm/unix_stream_connect", KP_LSM_UNIX_STREAM, REQUIRED },
	{ "unix-abstract", "the same, by abstract name",
	  "lsm/unix_stream_connect", KP_LSM_UNIX_STREAM, REQUIRED },
	{ "unix-dgram", "a datagram to a UNIX socket of an outsider",
	  "lsm/unix_may_send", KP_LSM_UNIX_SEND, REQUIRED },
	{ "cgroup-write", "writing oneself into another cgroup",
	  "lsm/file_open", KP_LSM_FILE_OPEN, REQUIRED },
	{ "cgroup-clone", "clone3() into another cgroup, then connect()",
	  "lsm/socket_create", KP_LSM_SOCKET_CREATE, REQUIRED },
	{ "cgroup-moved", "moved out by an outsider, then socket() and connect()",
	  "lsm/socket_create", KP_LSM_SOCKET_CREATE, REQUIRED },
	{ "cgroup-child", "connect() from a cgroup below", "connect4", KP_CONNECT4, REQUIRED },
	{ "cgroup-kept", "moved out, connect() of a socket made inside",
	  "connect4", KP_CONNECT4, REQUIRED },
	{ "ptrace", "ptrace() of an outsider", "lsm/ptrace_access_check", KP_LSM_PTRACE, REQUIRED },
	{ "vm-writev", "process_vm_writev() into an outsider",
	  "lsm/ptrace_access_check", KP_LSM_PTRACE, REQUIRED },
	{ "pidfd-getfd", "pidfd_getfd() from an outsider",
	  "lsm/ptrace_access_check", KP_LSM_PTRACE, REQUIRED },
	{ "proc-mem", "/proc/PID/mem of an outsider",
	  "lsm/ptrace_access_check", KP_LSM_PTRACE, REQUIRED },
	{ "kill", "a signal to an outsider", "lsm/task_kill", KP_LSM_KILL, REQUIRED },
	{ "bpf", "loading a program of one's own", "lsm/bpf", KP_LSM_BPF, REQUIRED },
	{ "perf", "perf_event_open()", "lsm/perf_event_open", KP_LSM_PERF, REQUIRED },
	{ "mount", "a mount where the daemon sees it",
	  "lsm/sb_mount, lsm/move_mount", KP_LSM_MOUNT, REQUIRED },
	{ "unlink-pin", "removing a pinned link", "lsm/inode_unlink", KP_LSM_UNLINK, REQUIRED },
	{ "module", "loading a kernel module",
	  "lsm/kernel_read_file, lsm/kernel_load_data", KP_LSM_KERNEL_READ, REQUIRED },
	{ "netns", "a network namespace of one's own, then connect()",
	  "connect4", KP_CONNECT4, REQUIRED },
	{ "dns", "a datagram to port 53 of any address", "sendmsg4", KP_SENDMSG4, REQUIRED },
};
_Static_assert(ARRAY_SIZE(specs) <= KERN_FENCE_ROWS_MAX, "callers' arrays hold every row");

static bool switch_says(const char *path, char off)
{
	_cleanup_buf_ struct buf b = { .limit = 16 };

	return file_read(path, 16, &b) == 0 && buf_len(&b) && *(const char *)buf_span(&b).p == off;
}

/* What the configuration leaves open (names.resolve: agent). */
static bool left_open(const struct kern *k, const char *id)
{
	return k && strcmp(id, "dns") == 0 && (k->state->flags & (TG_STATE_UDP_DNS | TG_STATE_UDP_ANY));
}

/* Ways out that this kernel does not have, or that its operator closed for everybody. */
static bool not_needed(const char *id)
{
	if (strcmp(id, "module") == 0)
		return access("/proc/modules", F_OK) < 0 || switch_says("/proc/sys/kernel/modules_disabled", '1');
	if (strcmp(id, "perf") == 0)
		return access("/proc/sys/kernel/perf_event_paranoid", F_OK) < 0;
	if (strncmp(id, "uring-", 6) == 0 || strcmp(id, "early-uring") == 0)
		return switch_says("/proc/sys/kernel/io_uring_disabled", '2');
	return false;
}

static bool loaded(const struct kern *k, bool lsm, enum kern_prog p)
{
	if (p >= KP_MAX_)
		return false;
	if (k)
		return k->prog[p] >= 0;
	if (kern_prog_table[p].when == KW_FENCE)
		return lsm;
	return kern_prog_table[p].when != KW_FAMILY || !lsm;
}

unsigned kern_fence_rows(const struct kern *k, struct kern_fence_row ret[static KERN_FENCE_ROWS_MAX])
{
	const char *why;
	bool able = k || kern_supported(&why) == 0, lsm = !k && able && kern_fence_lsm_supported(&why) == 0;

	for (unsigned i = 0; i < ARRAY_SIZE(specs); i++) {
		struct kern_fence_row *r = &ret[i];

		*r = (struct kern_fence_row){
			.id = specs[i].id,
			.what = specs[i].what,
			.hook = specs[i].hook,
			.required = specs[i].flags & REQUIRED,
		};
		if (left_open(k, specs[i].id)) {
			r->state = KERN_ROW_OPEN;
		} else if (able && loaded(k, lsm, specs[i].by)) {
			r->state = KERN_ROW_CLOSED;
		} else if (able && (specs[i].flags & KILLED) && loaded(k, lsm, KP_FAMILY)) {
			r->state = KERN_ROW_CLOSED;
			r->hook = "sys_enter and SIGKILL";
			r->limit = "agents that are not root";
		} else if (not_needed(specs[i].id)) {
			r->state = KERN_ROW_NOT_NEEDED;
		}
	}
	return ARRAY_SIZE(specs);
}

const char *kern_row_state_text(enum kern_row_state state)
{
	return state == KERN_ROW_CLOSED	      ? "closed" :
	       state == KERN_ROW_NOT_NEEDED ? "not-needed" :
					      "open";
}

/* --- security hooks ------------------------------------------------------------------------------- */

/* No family has such a protocol, so nobody else asks for it while the probe is attached. */
#define PROBE_PROTOCOL 0x74670001

static int hook_btf_id(void)
{
	struct btf *btf = btf__load_vmlinux_btf();
	int id = btf ? btf__find_by_name_kind(btf, "bpf_lsm_socket_create", BTF_KIND_FUNC) : -errno;

	btf__free(btf);
	return id;
}

/* socket_create(family, type, protocol, kern): -EXDEV for the one protocol. */
static int load_probe(int btf_id)
{
	const struct bpf_insn text[] = {
		{ .code = BPF_LDX | BPF_MEM | BPF_DW, .dst_reg = 2, .src_reg = 1, .off = 16 },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .imm = 0 },
		{ .code = BPF_JMP | BPF_JNE | BPF_K, .dst_reg = 2, .off = 1, .imm = PROBE_PROTOCOL },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .imm = -EXDEV },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .expected_attach_type = BPF_LSM_MAC,
		    .attach_btf_id = (uint32_t)btf_id);
	int fd = bpf_prog_load(BPF_PROG_TYPE_LSM, "tollgate_probe", "GPL", text, ARRAY_SIZE(text), &opts);

	return fd < 0 ? -errno : fd;
}

int kern_fence_lsm_supported(const char **ret_why)
{
	_cleanup_close_ int prog = -1, link = -1, sock = -1;
	int id = hook_btf_id();

	*ret_why = "the kernel has no security hooks for BPF (CONFIG_BPF_LSM)";
	if (id <= 0)
		return -EOPNOTSUPP;
	prog = load_probe(id);
	*ret_why = "the kernel refuses to load programs for security hooks";
	if (prog < 0)
		return prog;
	link = bpf_raw_tracepoint_open(NULL, prog);
	*ret_why = "the kernel refuses to attach programs to security hooks";
	if (link < 0)
		return -errno;
	sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, PROBE_PROTOCOL);
	*ret_why = "BPF is not among the active security modules (lsm= of the kernel's command line)";
	if (sock >= 0 || errno != EXDEV)
		return -EOPNOTSUPP;
	*ret_why = NULL;
	return 0;
}
