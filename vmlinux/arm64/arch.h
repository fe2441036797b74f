/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What differs per architecture, arm64: registers of a system call, its numbers, and how to tell a
 * 32-bit call. Included by vmlinux.h inside its preserve_access_index region.
 */
#ifndef TOLLGATE_ARCH_H
#define TOLLGATE_ARCH_H

struct user_pt_regs {
	u64 regs[31];
};

struct pt_regs {
	struct user_pt_regs user_regs;
	u64 orig_x0;
	int syscallno;
};

struct thread_info {
	unsigned long flags;
};

/* x0 is overwritten with the result; orig_x0 keeps the argument. */
#define ARCH_ARG1(r) ((r)->orig_x0)
#define ARCH_ARG2(r) ((r)->user_regs.regs[1])
#define ARCH_ARG3(r) ((r)->user_regs.regs[2])
#define ARCH_ARG4(r) ((r)->user_regs.regs[3])
/* Number of the call, at its exit. */
#define ARCH_NR(r) ((r)->syscallno)

#define ARCH_COMPAT_ARG1(r) ARCH_ARG1(r)
#define ARCH_COMPAT_ARG2(r) ARCH_ARG2(r)
#define ARCH_COMPAT_ARG3(r) ARCH_ARG3(r)

/* TIF_32BIT: an AArch32 task; arm64 has no 32-bit calls from 64-bit code. */
#define ARCH_IS_COMPAT(ti) ((ti)->flags & (1ul << 22))

#define ARCH_NR_MASK (~0l)

enum {
	NR_read = 63,
	NR_write = 64,
	NR_readv = 65,
	NR_writev = 66,
	NR_sendfile = 71,
	NR_vmsplice = 75,
	NR_splice = 76,
	NR_tee = 77,
	NR_socket = 198,
	NR_sendto = 206,
	NR_recvfrom = 207,
	NR_sendmsg = 211,
	NR_recvmsg = 212,
	NR_execve = 221,
	NR_recvmmsg = 243,
	NR_sendmmsg = 269,
	NR_execveat = 281,
	NR_preadv2 = 286,
	NR_pwritev2 = 287,
};

/* Of the AArch32 table: calls whose first argument is a descriptor to write to. */
#define ARCH_COMPAT_WRITES(nr) \
	((nr) == 4 || (nr) == 146 || (nr) == 187 || (nr) == 239 || (nr) == 289 || (nr) == 290 || \
	 (nr) == 296 || (nr) == 343 || (nr) == 374 || (nr) == 393)
#define ARCH_COMPAT_SPLICE 340
#define ARCH_COMPAT_SPLICES(nr) ((nr) == ARCH_COMPAT_SPLICE || (nr) == 342)
#define ARCH_COMPAT_SOCKETCALL(nr) ((nr) == 102)
#define ARCH_COMPAT_SOCKET 281
#define ARCH_COMPAT_EXECS(nr) ((nr) == 11 || (nr) == 387)
/* Calls whose first argument is a descriptor to read from; read itself. */
#define ARCH_COMPAT_READ 3
#define ARCH_COMPAT_READS(nr) \
	((nr) == 3 || (nr) == 145 || (nr) == 291 || (nr) == 292 || (nr) == 297 || (nr) == 340 || \
	 (nr) == 342 || (nr) == 361 || (nr) == 365 || (nr) == 392)

#endif
