/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef TOLLGATE_COMMON_BPF_H
#define TOLLGATE_COMMON_BPF_H

/* What every program uses: counters, the state entry, events, facts about a task. */
#include "bpf/maps.bpf.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_tracing.h>

#define SIGKILL 9
#define SIGCONT 18
#define SIGSTOP 19
#define ESRCH 3
#define ENOSYS 38
#define ENOENT 2
#define EBADF 9
#define EAGAIN 11
#define EINVAL 22
#define ENOSPC 28

#define BPF_ANY 0
#define BPF_NOEXIST 1
#define BPF_LOCAL_STORAGE_GET_F_CREATE 1

/* bpf/stop.bpf.c: sends a signal to another process, if it is the one that started then. 0 or an
 * errno; ENOSYS when this kernel has no such function (before 6.13). Also with interrupts off. */
int signal_process(u32 tgid, u64 start, int sig);

static __always_inline void count_n(u32 stat, u64 n)
{
	u64 *v = bpf_map_lookup_elem(&stats, &stat);

	if (v)
		*v += n;
}

static __always_inline void count(u32 stat)
{
	count_n(stat, 1);
}

static __always_inline struct tg_state *state_get(void)
{
	u32 zero = 0;

	return bpf_map_lookup_elem(&state, &zero);
}

static __always_inline u64 next_sequence(u32 ring)
{
	u64 *v = bpf_map_lookup_elem(&sequences, &ring);

	return v ? __sync_fetch_and_add(v, 1) + 1 : 0;
}

static __always_inline u64 task_start(struct task_struct *t)
{
	return BPF_CORE_READ(t, group_leader, start_boottime);
}

/* A zeroed event with its header, or NULL when the ring is full: that is counted, never a reason to
 * allow. */
static __always_inline struct tg_event *event_new(void *ring, u32 which, u32 type)
{
	u64 seq = next_sequence(which);
	struct tg_event *e = bpf_ringbuf_reserve(ring, sizeof(*e), 0);

	if (!e) {
		count(which ? TG_STAT_STDIO_EVENT_LOST : TG_STAT_EVENT_LOST);
		return NULL;
	}
	__builtin_memset(e, 0, sizeof(*e));
	e->ts = bpf_ktime_get_ns();
	e->seq = seq;
	e->type = type;
	e->tgid = bpf_get_current_pid_tgid() >> 32;
	e->start = task_start((struct task_struct *)bpf_get_current_task());
	return e;
}

#define event_new_exec(type) event_new(&events, 0, (type))
#define event_new_stdio(type) event_new(&stdio_events, 1, (type))

static __always_inline void exe_key(struct task_struct *t, struct tg_file_key *ret)
{
	struct file *f = BPF_CORE_READ(t, mm, exe_file);

	ret->ino = 0;
	ret->dev = 0;
	ret->pad = 0;
	if (f) {
		ret->ino = BPF_CORE_READ(f, f_inode, i_ino);
		ret->dev = BPF_CORE_READ(f, f_inode, i_sb, s_dev);
	}
}

#endif
