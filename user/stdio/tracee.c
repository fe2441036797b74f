// SPDX-License-Identifier: Apache-2.0
/*
 * ptrace: stop, call, restore. Runs in the injector; the thread under it may be hostile, so what it
 * answers is checked again from outside by the caller (takeover.c).
 *
 * LIMIT: a thread stopped inside a restartable sequence (rseq) goes on without the kernel's abort; one
 * that ignores SIGTRAP finds it at its default afterwards; epoll_wait() and the other calls that
 * signal(7) lists as never restarted return EINTR, as after any SIGSTOP.
 */
#include "user/stdio/tracee.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "user/base/cleanup.h"
#include "user/base/clock.h"
#include "user/proc/file.h"
#include "user/proc/tree.h"

#define TIMER_AGAIN_US 5000 /* a signal that came just before a wait is followed by the next */
#define PAGE 4096u

#ifndef SYS_SECCOMP
#define SYS_SECCOMP 1 /* si_code of SIGSYS */
#endif

#ifndef PTRACE_GETSIGMASK
#define PTRACE_GETSIGMASK 0x420a
#define PTRACE_SETSIGMASK 0x420b
#endif

static const uint8_t instruction[] = ARCH_SYSCALL;

static void on_alarm(int signo)
{
	(void)signo;
}

int tracee_timer_start(struct tracee_timer *t, unsigned ms)
{
	struct sigaction sa = { .sa_handler = on_alarm }; /* no SA_RESTART: it must end a wait */
	struct itimerval it = { .it_interval.tv_usec = TIMER_AGAIN_US };
	sigset_t alarm;

	it.it_value.tv_sec = (time_t)(ms / 1000);
	it.it_value.tv_usec = (suseconds_t)(ms % 1000) * 1000;
	if (ms == 0)
		it.it_value.tv_usec = 1;
	sigemptyset(&alarm);
	sigaddset(&alarm, SIGALRM);
	t->deadline = clock_mono_ns() + (uint64_t)ms * 1000000u;
	if (sigaction(SIGALRM, &sa, &t->old_action) < 0)
		return -errno;
	if (sigprocmask(SIG_UNBLOCK, &alarm, &t->old_mask) < 0 ||
	    setitimer(ITIMER_REAL, &it, &t->old_timer) < 0) {
		int r = -errno;

		(void)sigaction(SIGALRM, &t->old_action, NULL);
		return r;
	}
	return 0;
}

void tracee_timer_stop(struct tracee_timer *t)
{
	(void)setitimer(ITIMER_REAL, &t->old_timer, NULL);
	(void)sigprocmask(SIG_SETMASK, &t->old_mask, NULL);
	(void)sigaction(SIGALRM, &t->old_action, NULL);
}

int tracee_seize(pid_t tid)
{
	struct proc_stat st;
	pid_t tracer;

	if (ptrace(PTRACE_SEIZE, tid, NULL, (void *)PTRACE_O_EXITKILL) < 0) {
		if (errno != EPERM)
			return -errno;
		if (proc_stat_read(tid, &st) < 0 || st.state == 'Z' || st.state == 'X')
			return -ESRCH;
		if (proc_tracer(tid, &tracer) == 0 && tracer != 0)
			return -EBUSY;
		return -EACCES;
	}
	return ptrace(PTRACE_INTERRUPT, tid, NULL, NULL) < 0 ? -errno : 0;
}

/* One wait status of a thread: 0, -ESRCH when it ended, -ETIMEDOUT. */
static int wait_status(pid_t tid, const struct tracee_timer *t, int *ret)
{
	int st;

	for (;;) {
		pid_t got;

		if (clock_mono_ns() >= t->deadline)
			return -ETIMEDOUT;
		got = waitpid(tid, &st, __WALL);
		if (got == tid)
			break;
		if (got < 0 && errno != EINTR)
			return -ESRCH;
	}
	if (!WIFSTOPPED(st))
		return -ESRCH;
	*ret = st;
	return 0;
}

static bool is_event_stop(int status)
{
	return status >> 16 == PTRACE_EVENT_STOP;
}

/* Sent by our kernel program (or by us), not by a process that wants the other stopped for its own ends. */
static bool is_our_stop(pid_t tid)
{
	siginfo_t si;

	if (ptrace(PTRACE_GETSIGINFO, tid, NULL, &si) < 0)
		return false;
	return si.si_code == SI_KERNEL || (si.si_code <= 0 && si.si_pid == getpid());
}

int tracee_wait_stop(pid_t tid, const struct tracee_timer *t, bool *ret_group_stop)
{
	for (;;) {
		int st, sig, r = wait_status(tid, t, &st);

		if (r < 0)
			return r;
		sig = WSTOPSIG(st);
		if (is_event_stop(st)) {
			*ret_group_stop = sig != SIGTRAP;
			return 0;
		}
		if (sig == SIGSTOP && is_our_stop(tid))
			sig = 0;
		/* Any stop takes back the one that was asked for: ask again. */
		if (ptrace(PTRACE_INTERRUPT, tid, NULL, NULL) < 0 ||
		    ptrace(PTRACE_CONT, tid, NULL, (void *)(uintptr_t)sig) < 0)
			return -ESRCH;
	}
}

void tracee_detach(pid_t tid)
{
	(void)ptrace(PTRACE_DETACH, tid, NULL, NULL);
}

/* Where in the vDSO the instruction is; the same in every 64-bit process of this kernel. */
static uint64_t vdso_offset(void)
{
	const uint8_t *v = (const uint8_t *)getauxval(AT_SYSINFO_EHDR);
	const Elf64_Ehdr *eh = (const Elf64_Ehdr *)v;
	const Elf64_Phdr *ph;
	uint64_t size = 0;

	if (!v)
		return 0;
	ph = (const Elf64_Phdr *)(v + eh->e_phoff);
	for (int i = 0; i < eh->e_phnum; i++)
		if (ph[i].p_type == PT_LOAD && ph[i].p_offset + ph[i].p_filesz > size)
			size = ph[i].p_offset + ph[i].p_filesz;
	for (uint64_t i = 0; i + sizeof(instruction) <= size; i += ARCH_SYSCALL_ALIGN)
		if (memcmp(v + i, instruction, sizeof(instruction)) == 0)
			return i;
	return 0;
}

static uint64_t vdso_base(pid_t pid)
{
	uint64_t aux[128];
	char raw[sizeof(aux) + 1];
	ssize_t n = proc_read(pid, "auxv", raw, sizeof(raw));

	if (n < 0)
		return 0;
	memcpy(aux, raw, (size_t)n);
	for (size_t i = 0; i + 1 < (size_t)n / sizeof(aux[0]); i += 2)
		if (aux[i] == AT_SYSINFO_EHDR)
			return aux[i + 1];
	return 0;
}

static int move_bytes(const struct tracee *t, uint64_t at, void *p, size_t n, bool in)
{
	struct iovec here = { p, n }, there = { (void *)(uintptr_t)at, n };
	ssize_t got = in ? process_vm_writev(t->pid, &here, 1, &there, 1, 0) :
			   process_vm_readv(t->pid, &here, 1, &there, 1, 0);

	return got == (ssize_t)n ? 0 : -EFAULT;
}

int tracee_read(const struct tracee *t, size_t at, void *p, size_t n)
{
	return at + n > TRACEE_SCRATCH ? -EFAULT : move_bytes(t, t->scratch + at, p, n, false);
}

int tracee_write(const struct tracee *t, size_t at, const void *p, size_t n)
{
	return at + n > TRACEE_SCRATCH ? -EFAULT :
					 move_bytes(t, t->scratch + at, (void *)(uintptr_t)p, n, true);
}

/* All but those that the kernel forces on a thread for what it does itself: a forced signal that is
 * blocked would lose its handler. */
static uint64_t quiet_mask(void)
{
	static const int forced[] = { SIGTRAP, SIGSYS, SIGSEGV, SIGBUS, SIGILL, SIGFPE };
	uint64_t mask = ~0ull;

	for (size_t i = 0; i < ARRAY_SIZE(forced); i++)
		mask &= ~(1ull << (forced[i] - 1));
	return mask;
}

int tracee_begin(struct tracee *t, pid_t pid, const struct tracee_timer *timer)
{
	uint64_t quiet = quiet_mask(), base = vdso_base(pid), offset = vdso_offset();
	uint8_t there[sizeof(instruction)];
	int r;

	*t = (struct tracee){ .pid = pid, .timer = timer };
	r = arch_regs_get(pid, &t->saved);
	if (r < 0)
		return r;
	t->gadget = base + offset;
	if (!base || !offset || move_bytes(t, t->gadget, there, sizeof(there), false) < 0 ||
	    memcmp(there, instruction, sizeof(there)) != 0)
		return -EOPNOTSUPP;
	/* Live memory, saved and put back: the bytes below a stack pointer need not belong to a stack (Go),
	 * nor be mapped. The page of the last pushed word is. */
	t->scratch = (arch_regs_sp(&t->saved) - 1) & ~(uint64_t)(PAGE - 1);
	if (move_bytes(t, t->scratch, t->kept, sizeof(t->kept), false) < 0)
		return -EFAULT;
	if (ptrace(PTRACE_GETSIGMASK, pid, (void *)sizeof(t->sigmask), &t->sigmask) < 0 ||
	    ptrace(PTRACE_SETSIGMASK, pid, (void *)sizeof(quiet), &quiet) < 0)
		return -errno;
	t->begun = true;
	return 0;
}

enum step {
	STEP_AGAIN,
	STEP_DONE,
	STEP_TRAPPED, /* by seccomp */
	STEP_LOST, /* something else was run */
};

static enum step look_at_stop(struct tracee *t, int status, long *ret)
{
	int sig = WSTOPSIG(status);
	struct arch_regs now;
	siginfo_t si;

	if (is_event_stop(status))
		return STEP_AGAIN;
	if (ptrace(PTRACE_GETSIGINFO, t->pid, NULL, &si) < 0 || arch_regs_get(t->pid, &now) < 0)
		return STEP_LOST;
	if (sig == SIGTRAP) {
		*ret = arch_regs_result(&now);
		if (arch_regs_pc(&now) == t->gadget + sizeof(instruction))
			return STEP_DONE;
		return arch_regs_pc(&now) == t->gadget ? STEP_AGAIN : STEP_LOST;
	}
	if (sig == SIGSYS && si.si_code == SYS_SECCOMP)
		return STEP_TRAPPED;
	if (sig == SIGSTOP) {
		t->stop_seen |= !is_our_stop(t->pid);
		return STEP_AGAIN;
	}
	if (si.si_code > 0)
		return STEP_LOST; /* a fault of its own */
	t->requeue |= 1ull << (sig - 1);
	return STEP_AGAIN;
}

long tracee_call(struct tracee *t, long nr, uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
	const uint64_t arg[6] = { a, b, c, d, 0, 0 };
	struct arch_regs regs = t->saved;
	int r, st;
	long result = -EFAULT;

	arch_regs_call(&regs, t->gadget, nr, arg);
	r = arch_regs_set(t->pid, &regs);
	if (r < 0)
		return r;
	t->steps++;
	for (;;) {
		if (ptrace(PTRACE_SINGLESTEP, t->pid, NULL, NULL) < 0)
			return -errno;
		r = wait_status(t->pid, t->timer, &st);
		if (r < 0)
			return r;
		switch (look_at_stop(t, st, &result)) {
		case STEP_DONE:
			return result;
		case STEP_TRAPPED:
			return -EPERM;
		case STEP_LOST:
			return -EFAULT;
		case STEP_AGAIN:
			break;
		}
	}
}

int tracee_end(struct tracee *t)
{
	int r;

	if (!t->begun)
		return 0;
	t->begun = false;
	r = move_bytes(t, t->scratch, t->kept, sizeof(t->kept), true);
	if (arch_regs_set(t->pid, &t->saved) < 0 ||
	    ptrace(PTRACE_SETSIGMASK, t->pid, (void *)sizeof(t->sigmask), &t->sigmask) < 0)
		r = -ESRCH;
	for (int sig = 1; sig <= 64; sig++)
		if (t->requeue >> (sig - 1) & 1)
			(void)syscall(SYS_tkill, t->pid, sig); /* traced, so its number is nobody else's */
	return r;
}
