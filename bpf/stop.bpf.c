// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * A process that we stopped stays stopped. SIGCONT may be sent by any process of the same user, and
 * the kernel itself sends it to orphaned process groups: a stopped process that someone other than
 * the daemon continues is killed. LIMIT: a tracer of the same user may still continue it; the LSM
 * guard denies that. LIMIT: where the kernel sends it for a dying parent (which has no memory any
 * more), the helper refuses to send ours; the event says so, and user space kills.
 */
#include "bpf/scope.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#define SI_USER 0

/* Here only: the static linker cannot merge references to one kfunc from two files. */
extern struct task_struct *bpf_task_from_pid(s32 pid) __ksym __weak;
extern void bpf_task_release(struct task_struct *p) __ksym __weak;
extern int bpf_send_signal_task(struct task_struct *task, int sig, enum pid_type type,
				u64 value) __ksym __weak;

__noinline int signal_process(u32 tgid, u64 start, int sig)
{
	struct task_struct *t;
	int r = ESRCH;

	if (!bpf_send_signal_task || !bpf_task_from_pid || !bpf_task_release)
		return ENOSYS;
	t = bpf_task_from_pid(tgid);
	if (!t)
		return r;
	if (task_start(t) == start)
		r = -bpf_send_signal_task(t, sig, PIDTYPE_TGID, 0);
	bpf_task_release(t);
	return r;
}

/* Only kill() and pidfd_send_signal() from the daemon's cgroup count. What the kernel sends (SIGIO
 * with F_SETSIG, timers, orphaned groups) arrives in anybody's context. */
static __always_inline bool sent_by_daemon(struct kernel_siginfo *info)
{
	struct tg_state *st = state_get();
	u64 address = (u64)info;
	int code;

	/* 0 and 1 are the kernel's own marks, not pointers. */
	if (!st || address <= 1 || bpf_core_read(&code, sizeof(code), &info->si_code) ||
	    code != SI_USER)
		return false;
	return current_below(st->daemon_cgroup);
}

/* Runs with the target's signal lock held and interrupts off: a signal sent from here is deferred
 * to right after (since 3.x; the kfunc since 6.13). LIMIT: without the kfunc the stranger's SIGCONT
 * works. */
SEC("tp_btf/signal_generate")
int BPF_PROG(signal_guard, int sig, struct kernel_siginfo *info, struct task_struct *task,
	     int group, int result)
{
	struct tg_stopped *s;
	u32 tgid, kind;
	struct tg_event *e;
	u64 start;
	int r;

	if (sig != SIGCONT)
		return 0;
	tgid = task->tgid;
	s = bpf_map_lookup_elem(&stopped, &tgid);
	if (!s || s->start != task_start(task))
		return 0;
	if (sent_by_daemon(info)) {
		bpf_map_delete_elem(&stopped, &tgid);
		return 0;
	}
	kind = s->kind;
	start = s->start;
	r = signal_process(tgid, start, SIGKILL);
	count(r ? TG_STAT_CONTINUED_ALIVE : TG_STAT_CONTINUED_KILLED);
	e = event_new_exec(TG_EV_EXEC);
	if (!e)
		return 0;
	e->exec.flags = TG_EXEC_CONTINUED | (r ? TG_EXEC_FAILED : TG_EXEC_KILLED);
	e->exec.ppid = e->tgid; /* who did it */
	e->exec.kind = kind;
	e->tgid = tgid;
	e->start = start;
	bpf_ringbuf_submit(e, 0);
	return 0;
}
