/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_STDIO_ARCH_H
#define TOLLGATE_STDIO_ARCH_H

#include <elf.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>

/* The registers of a stopped thread and how to make it call the kernel: all that differs between machines. */

struct arch_regs {
	struct user_regs_struct r;
};

/* A write() that a stop ended before all was written. */
struct arch_write {
	int fd;
	uint64_t buf, n, done;
};

#if defined(__x86_64__)

#define ARCH_SYSCALL { 0x0f, 0x05 } /* syscall */
#define ARCH_SYSCALL_ALIGN 1

static inline void arch_regs_call(struct arch_regs *a, uint64_t pc, long nr, const uint64_t arg[6])
{
	a->r.rip = pc;
	a->r.rax = (unsigned long long)nr;
	/* No call is in progress: the kernel must not restart the one that the stop interrupted. */
	a->r.orig_rax = ~0ull;
	a->r.rdi = arg[0];
	a->r.rsi = arg[1];
	a->r.rdx = arg[2];
	a->r.r10 = arg[3];
	a->r.r8 = arg[4];
	a->r.r9 = arg[5];
}

static inline uint64_t arch_regs_pc(const struct arch_regs *a)
{
	return a->r.rip;
}

static inline uint64_t arch_regs_sp(const struct arch_regs *a)
{
	return a->r.rsp;
}

static inline long arch_regs_result(const struct arch_regs *a)
{
	return (long)a->r.rax;
}

static inline void arch_regs_set_result(struct arch_regs *a, long result)
{
	a->r.rax = (unsigned long long)result;
}

/* orig_rax names a call only while the thread is on its way out of it. */
static inline bool arch_regs_cut_write(const struct arch_regs *a, struct arch_write *ret)
{
	if (a->r.orig_rax != SYS_write || (long)a->r.rax <= 0 || a->r.rax >= a->r.rdx)
		return false;
	*ret = (struct arch_write){ (int)a->r.rdi, a->r.rsi, a->r.rdx, a->r.rax };
	return true;
}

#elif defined(__aarch64__)

/* LIMIT: written from the architecture's documents; not run on such a machine yet. */
#define ARCH_SYSCALL { 0x01, 0x00, 0x00, 0xd4 } /* svc #0 */
#define ARCH_SYSCALL_ALIGN 4

static inline void arch_regs_call(struct arch_regs *a, uint64_t pc, long nr, const uint64_t arg[6])
{
	/* An interrupted call was already wound back by the kernel before the stop was reported. */
	a->r.pc = pc;
	a->r.regs[8] = (unsigned long long)nr;
	for (int i = 0; i < 6; i++)
		a->r.regs[i] = arg[i];
}

static inline uint64_t arch_regs_pc(const struct arch_regs *a)
{
	return a->r.pc;
}

static inline uint64_t arch_regs_sp(const struct arch_regs *a)
{
	return a->r.sp;
}

static inline long arch_regs_result(const struct arch_regs *a)
{
	return (long)a->r.regs[0];
}

static inline void arch_regs_set_result(struct arch_regs *a, long result)
{
	a->r.regs[0] = (unsigned long long)result;
}

/* LIMIT: the result has replaced the first argument, so the descriptor is not known any more. */
static inline bool arch_regs_cut_write(const struct arch_regs *a, struct arch_write *ret)
{
	(void)a;
	(void)ret;
	return false;
}

#else
#error "no takeover for this machine"
#endif

/* 0, -ENOEXEC when the thread runs 32-bit code (the kernel then returns another set), or -errno. */
static inline int arch_regs_get(pid_t tid, struct arch_regs *ret)
{
	struct iovec v = { &ret->r, sizeof(ret->r) };

	if (ptrace(PTRACE_GETREGSET, tid, (void *)NT_PRSTATUS, &v) < 0)
		return -errno;
	return v.iov_len == sizeof(ret->r) ? 0 : -ENOEXEC;
}

static inline int arch_regs_set(pid_t tid, const struct arch_regs *a)
{
	struct iovec v = { (void *)(uintptr_t)&a->r, sizeof(a->r) };

	return ptrace(PTRACE_SETREGSET, tid, (void *)NT_PRSTATUS, &v) < 0 ? -errno : 0;
}

#endif
