/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef TOLLGATE_STOP_BPF_H
#define TOLLGATE_STOP_BPF_H

/* Stopping current's thread group: on the list first, then the signal. */
#include "bpf/common.bpf.h"

/* 0, or not 0 when the process could not be put on the list or stopped; the caller then kills. */
static __always_inline int stop_current(struct tg_stopped *entry)
{
	u32 tgid = bpf_get_current_pid_tgid() >> 32;
	int r;

	entry->start = task_start((struct task_struct *)bpf_get_current_task());
	entry->since = bpf_ktime_get_ns();
	r = bpf_map_update_elem(&stopped, &tgid, entry, BPF_ANY);
	if (r)
		return r;
	r = bpf_send_signal(SIGSTOP);
	if (r)
		bpf_map_delete_elem(&stopped, &tgid);
	return r;
}

#endif
