// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The fence where no security hook can be had: a system call cannot be refused, but its caller can be killed before it
 * comes back with the socket. Attached while there is a scope. LIMIT: a thread or a process that shares the descriptor
 * table, and runs on another processor, may use the socket for the instant before it dies; and io_uring makes
 * sockets without the call.
 */
#include "bpf/fence.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#define SYS_SOCKET 1 /* of the 32-bit socketcall */

/* Netlink is no way out for who is not root, and much opens it to look at the network. */
static __always_inline bool family_permitted(u32 family)
{
	return family == AF_UNIX || family == AF_INET || family == AF_INET6 || family == AF_NETLINK;
}

static __always_inline u32 socketcall_family(struct pt_regs *regs)
{
	u32 family = 0;

	if (ARCH_COMPAT_ARG1(regs) != SYS_SOCKET)
		return AF_UNIX;
	/* What cannot be read is no family: killed. */
	(void)bpf_probe_read_user(&family, sizeof(family), (void *)(u64)(u32)ARCH_COMPAT_ARG2(regs));
	return family;
}

SEC("tp_btf/sys_enter")
int BPF_PROG(sys_enter_fence, struct pt_regs *regs, long nr)
{
	struct task_struct *t = bpf_get_current_task_btf();
	struct tg_label *l;
	u32 family;

	if (ARCH_IS_COMPAT(&t->thread_info)) {
		if (nr == ARCH_COMPAT_SOCKET)
			family = ARCH_COMPAT_ARG1(regs);
		else if (ARCH_COMPAT_SOCKETCALL(nr))
			family = socketcall_family(regs);
		else
			return 0;
	} else if ((nr & ARCH_NR_MASK) == NR_socket) {
		family = ARCH_ARG1(regs);
	} else {
		return 0;
	}
	l = fenced();
	if (!l || family_permitted(family))
		return 0;
	if (!observing())
		bpf_send_signal(SIGKILL);
	fence_event(TG_STAT_FENCE_KILLED, l, family);
	return 0;
}
