/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What differs per architecture, x86-64: registers of a system call, its numbers, and how to tell a
 * 32-bit call. Included by vmlinux.h inside its preserve_access_index region.
 */
#ifndef TOLLGATE_ARCH_H
#define TOLLGATE_ARCH_H

struct pt_regs {
	unsigned long r10;
	unsigned long r8;
	unsigned long dx;
	unsigned long si;
	unsigned long di;
	unsigned long bx;
	unsigned long cx;
	unsigned long orig_ax;
};

struct thread_info {
	u32 status;
};

/* Arguments of a system call, at its entry and at its exit. */
#define ARCH_ARG1(r) ((r)->di)
#define ARCH_ARG2(r) ((r)->si)
#define ARCH_ARG3(r) ((r)->dx)
#define ARCH_ARG4(r) ((r)->r10)
/* Number of the call, at its exit. */
#define ARCH_NR(r) ((r)->orig_ax)

/* The arguments of a call by int 0x80 or the compat entry. */
#define ARCH_COMPAT_ARG1(r) ((r)->bx)
#define ARCH_COMPAT_ARG2(r) ((r)->cx)
#define ARCH_COMPAT_ARG3(r) ((r)->dx)

/* TS_COMPAT: this call came in by the 32-bit table, whatever the program is. */
#define ARCH_IS_COMPAT(ti) ((ti)->status & 0x2)

/* The x32 table shares the native one's numbers under this bit. */
#define ARCH_NR_MASK (~0x40000000l)

enum {
	NR_read = 0,
	NR_write = 1,
	NR_readv = 19,
	NR_writev = 20,
	NR_sendfile = 40,
	NR_socket = 41,
	NR_sendto = 44,
	NR_recvfrom = 45,
	NR_sendmsg = 46,
	NR_recvmsg = 47,
	NR_execve = 59,
	NR_splice = 275,
	NR_tee = 276,
	NR_vmsplice = 278,
	NR_recvmmsg = 299,
	NR_sendmmsg = 307,
	NR_execveat = 322,
	NR_pwritev2 = 328,
	NR_preadv2 = 327,
};

/* Of the 32-bit table: calls whose first argument is a descriptor to write to. */
#define ARCH_COMPAT_WRITES(nr) \
	((nr) == 4 || (nr) == 146 || (nr) == 187 || (nr) == 239 || (nr) == 316 || (nr) == 345 || \
	 (nr) == 369 || (nr) == 370 || (nr) == 379)
/* splice and tee: the descriptor to write to stands elsewhere. socketcall: it stands in memory. */
#define ARCH_COMPAT_SPLICE 313
#define ARCH_COMPAT_SPLICES(nr) ((nr) == ARCH_COMPAT_SPLICE || (nr) == 315)
#define ARCH_COMPAT_SOCKETCALL(nr) ((nr) == 102)
#define ARCH_COMPAT_SOCKET 359
#define ARCH_COMPAT_EXECS(nr) ((nr) == 11 || (nr) == 358)
/* Calls whose first argument is a descriptor to read from; read itself. */
#define ARCH_COMPAT_READ 3
#define ARCH_COMPAT_READS(nr) \
	((nr) == 3 || (nr) == 145 || (nr) == 313 || (nr) == 315 || (nr) == 333 || (nr) == 337 || \
	 (nr) == 371 || (nr) == 372 || (nr) == 378)

#endif
