// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Sticky scope: a label on each task, set by user space at enrolment, inherited by every thread and
 * child from its creator, so leaving a cgroup does not leave the scope.
 */
#include "bpf/scope.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* Fires in copy_process() when the child is complete and before it can run (since 3.5). */
SEC("tp_btf/task_newtask")
int BPF_PROG(newtask_label, struct task_struct *task, unsigned long clone_flags)
{
	struct task_struct *parent = bpf_get_current_task_btf();
	struct tg_label *mine = label_of(parent);
	struct tg_state *st;
	u32 tid;

	if (!mine)
		mine = label_late(parent);
	if (!mine)
		return 0;
	if (bpf_task_storage_get(&labels, task, mine, BPF_LOCAL_STORAGE_GET_F_CREATE)) {
		count(TG_STAT_LABEL_INHERITED);
		return 0;
	}
	tid = task->pid;
	st = state_get();
	if (st && !bpf_map_update_elem(&late_labels, &tid, mine, BPF_ANY)) {
		__sync_fetch_and_add(&st->unlabelled, 1);
		count(TG_STAT_LABEL_LATE);
		return 0;
	}
	/* No memory anywhere: the child must not run outside the scope. */
	count(TG_STAT_LABEL_LOST);
	signal_process(task->tgid, task_start(task), SIGKILL);
	return 0;
}

/* Thread ids are reused: what was kept for a task that dies unlabelled must not meet the next
 * one. */
SEC("tp_btf/sched_process_exit")
int BPF_PROG(exit_label, struct task_struct *task)
{
	struct tg_state *st = state_get();
	u32 tid;

	if (!st || !st->unlabelled)
		return 0;
	tid = task->pid;
	if (!bpf_map_delete_elem(&late_labels, &tid))
		__sync_fetch_and_add(&st->unlabelled, -1);
	return 0;
}

/* User space labels the group leader (a pidfd names no other thread); this walk gives the other
 * threads the same and lists the leaders. Read for one process after labelling, or for all. */
SEC("iter/task")
int iter_labels(struct bpf_iter__task *ctx)
{
	struct seq_file *seq = ctx->meta->seq;
	struct task_struct *task = ctx->task, *leader;
	struct tg_label *l, *own;
	struct tg_scope_task out = {};

	if (!task)
		return 0;
	leader = task->group_leader;
	if (!leader)
		return 0;
	l = bpf_task_storage_get(&labels, leader, 0, 0);
	if (!l)
		return 0;
	if (task->pid != task->tgid) {
		own = bpf_task_storage_get(&labels, task, l, BPF_LOCAL_STORAGE_GET_F_CREATE);
		if (own)
			*own = *l;
		else
			count(TG_STAT_LABEL_LOST);
		return 0;
	}
	if (!l->agent)
		return 0;
	out.tgid = task->tgid;
	out.ppid = BPF_CORE_READ(task, real_parent, tgid);
	out.start = task->start_boottime;
	out.label = *l;
	bpf_seq_write(seq, &out, sizeof(out));
	return 0;
}
