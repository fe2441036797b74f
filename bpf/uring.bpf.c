// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Writes by io_uring: no system call names their bytes, but every request passes here when it is submitted, by the
 * task itself or by the kernel thread that polls for it (which has the task's label and descriptors). A request that
 * may write to a followed stream makes it suspect. LIMIT: a server that reads its input by io_uring is guarded by
 * what is seen written, and cannot be taken over.
 */
#include "bpf/follow.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#define REQ_FIXED_FILE 1
#define FILE_FLAGS 7ul /* kept in the low bits of a registered file's address */

/* Requests that put nothing into a pipe or socket; what is not known here may. */
enum {
	OP_READV = 1,
	OP_READ_FIXED = 4,
	OP_POLL_ADD = 6,
	OP_RECVMSG = 10,
	OP_CLOSE = 19,
	OP_READ = 22,
	OP_RECV = 27,
	OP_SHUTDOWN = 34,
	OP_READ_MULTISHOT = 49,
};

struct io_cqe {
	int fd;
} __attribute__((preserve_access_index));

struct io_kiocb {
	u8 opcode;
	u32 flags;
	struct io_cqe cqe;
	struct io_ring_ctx *ctx;
} __attribute__((preserve_access_index));

/* Registered files up to 6.12. */
struct io_fixed_file {
	unsigned long file_ptr;
} __attribute__((preserve_access_index));

struct io_file_table___old {
	struct io_fixed_file *files;
} __attribute__((preserve_access_index));

struct io_ring_ctx___old {
	struct io_file_table___old file_table;
} __attribute__((preserve_access_index));

/* And since 6.13. */
struct io_rsrc_node {
	unsigned long file_ptr;
} __attribute__((preserve_access_index));

struct io_rsrc_data {
	struct io_rsrc_node **nodes;
} __attribute__((preserve_access_index));

struct io_file_table {
	struct io_rsrc_data data;
} __attribute__((preserve_access_index));

struct io_ring_ctx {
	struct io_file_table file_table;
} __attribute__((preserve_access_index));

static __always_inline u64 registered_file(struct io_kiocb *req, u32 slot)
{
	struct io_ring_ctx *ctx = BPF_CORE_READ(req, ctx);
	struct io_ring_ctx___old *old = (void *)ctx;
	struct io_rsrc_node **nodes, *node = NULL;
	struct io_fixed_file *files;
	u64 file = 0;

	if (bpf_core_field_exists(ctx->file_table.data.nodes)) {
		nodes = BPF_CORE_READ(ctx, file_table.data.nodes);
		if (!bpf_probe_read_kernel(&node, sizeof(node), nodes + slot) && node)
			file = BPF_CORE_READ(node, file_ptr);
	} else {
		files = BPF_CORE_READ(old, file_table.files);
		if (bpf_probe_read_kernel(&file, sizeof(file), (u64 *)files + slot))
			file = 0;
	}
	return file & ~FILE_FLAGS;
}

/* Before 6.3 io_uring_submit_sqe, set at load: the request is the first argument of either. */
SEC("tp_btf/io_uring_submit_req")
int BPF_PROG(uring_follow, struct io_kiocb *req)
{
	struct task_struct *t = bpf_get_current_task_btf();
	u32 fd;

	if (!label_of(t) && !label_late(t))
		return 0;
	switch (BPF_CORE_READ(req, opcode)) {
	case OP_READV:
	case OP_READ_FIXED:
	case OP_POLL_ADD:
	case OP_RECVMSG:
	case OP_CLOSE:
	case OP_READ:
	case OP_RECV:
	case OP_SHUTDOWN:
	case OP_READ_MULTISHOT:
		return 0;
	}
	fd = BPF_CORE_READ(req, cqe.fd);
	if (BPF_CORE_READ(req, flags) & REQ_FIXED_FILE)
		return follow_opaque(registered_file(req, fd));
	return follow_opaque((u64)file_of(t, fd));
}
