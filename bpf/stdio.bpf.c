// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * stdio sessions: which streams are followed (whoever executes with a pipe or socket as both fd 0
 * and fd 1 is a candidate server), which calls write to them, which read from them, and the stop of a
 * reader before its read returns. Attached only while a scope exists; a task without label leaves
 * at the first tests.
 */
#include "bpf/follow.bpf.h"
#include "bpf/stop.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#define MSG_PEEK 2
#define O_ACCMODE 3
#define O_WRONLY 1

static __always_inline bool labelled(struct task_struct *t)
{
	return label_of(t) || label_late(t);
}

static __always_inline void unfollowed_event(u64 key, const struct tg_label *l)
{
	struct tg_event *e;

	/* Before the reservation: kernel 6.1 forgets over a call that what was reserved is not NULL. */
	count(TG_STAT_STREAM_FULL);
	e = event_new_stdio(TG_EV_UNFOLLOWED);
	if (!e)
		return;
	e->stdio.key = key;
	e->stdio.server_tgid = e->tgid;
	e->stdio.server_start = e->start;
	e->stdio.agent = l->agent;
	e->stdio.outer = l->outer;
	bpf_ringbuf_submit(e, 0);
}

/* A new stream is filled in here, not on the stack: with the calls above it that would be too deep. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct tg_stream);
} fresh SEC(".maps");

/* The stream between a writer's and a reader's object; new ones start empty. */
static __always_inline struct tg_stream *stream_get(const struct object *writer,
						    const struct object *reader,
						    const struct tg_label *l)
{
	u64 key = writer->key;
	struct tg_stream *s = bpf_map_lookup_elem(&streams, &key);
	struct tg_state *st = state_get();
	struct tg_stream *new;
	u32 zero = 0;

	if (s || !st)
		return s;
	new = bpf_map_lookup_elem(&fresh, &zero);
	if (!new)
		return NULL;
	__builtin_memset(new, 0, sizeof(*new));
	new->inode = writer->inode;
	new->read_inode = reader->inode;
	new->read_key = reader->key;
	new->created = bpf_ktime_get_ns();
	new->id = __sync_fetch_and_add(&st->seq, 1) + 1;
	if (bpf_map_update_elem(&streams, &key, new, BPF_NOEXIST)) {
		streams_sweep(new->created);
		if (bpf_map_update_elem(&streams, &key, new, BPF_NOEXIST)) {
			unfollowed_event(key, l);
			return NULL;
		}
	}
	count(TG_STAT_STREAM_NEW);
	return bpf_map_lookup_elem(&streams, &key);
}

/* So that reads find the stream. */
static __always_inline void reader_add(const struct object *reader, const struct object *writer,
				       const struct tg_label *l)
{
	u64 at = reader->key, key = writer->key;
	u64 *is = bpf_map_lookup_elem(&readers, &at);
	struct tg_state *st = state_get();

	if (!is && st && !bpf_map_update_elem(&readers, &at, &key, BPF_NOEXIST))
		__sync_fetch_and_add(&st->readers, 1);
	else if (!is)
		unfollowed_event(key, l);
	else if (*is != key)
		*is = key; /* the number was another object's before */
}

/*
 * Makes p a candidate. Called at the entry of execve, because a host may write as soon as its
 * CLOEXEC error pipe closes, and again when the new image is in place: now it is known who the
 * server is.
 */
static __always_inline int candidate(struct task_struct *p)
{
	struct file *f0 = file_of(p, 0), *f1 = file_of(p, 1);
	struct object r0, w0, w1, r1; /* reader's and writer's of fd 0; the same of fd 1 */
	struct tg_stream *in, *out;
	struct tg_label *l = label_of(p);

	object_of(f0, &r0);
	object_of(f1, &w1);
	if (!l || !r0.key || !w1.key || bpf_map_lookup_elem(&ours, &r0.key) ||
	    bpf_map_lookup_elem(&ours, &w1.key))
		return 0;
	object_peer(f0, &r0, &w0);
	object_peer(f1, &w1, &r1);
	if (!w0.key)
		return 0;
	in = stream_get(&w0, &r0, l);
	if (!in)
		return 0;
	in->server_tgid = p->tgid;
	in->server_start = task_start(p);
	in->mode0 = r0.mode;
	in->mode1 = w1.mode;
	in->agent = l->agent;
	in->outer = l->outer;
	in->out_key = w1.key;
	if (!in->host_tgid) {
		in->host_tgid = BPF_CORE_READ(p, real_parent, tgid);
		in->host_start = BPF_CORE_READ(p, real_parent, group_leader, start_boottime);
	}
	stream_flag(in, TG_STREAM_INPUT);
	reader_add(&r0, &w0, l);
	out = stream_get(&w1, &r1, l);
	if (out)
		out->out_of = w0.key;
	if (!in->written && !in->writers && object_queued(f0, &r0))
		stream_trigger(w0.key, TG_WHY_PREFILLED, 0);
	return 0;
}

__noinline int candidate_now(void)
{
	return candidate(bpf_get_current_task_btf());
}

/* Read for one process that was in place before its scope was: its streams are followed from here on. */
SEC("iter/task")
int iter_candidate(struct bpf_iter__task *ctx)
{
	struct task_struct *t = ctx->task;

	if (t && t->pid == t->tgid)
		candidate(t);
	return 0;
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(exec_candidate, struct task_struct *p, pid_t old_pid, struct linux_binprm *bprm)
{
	return labelled(p) ? candidate(p) : 0;
}

/* 32-bit calls lay out their arguments otherwise; they are never searched, so they are suspect. */
static __always_inline int compat_enter(struct task_struct *t, struct pt_regs *regs, long nr)
{
	u64 fd = ARCH_COMPAT_ARG1(regs);
	u32 word = 0;

	if (!labelled(t))
		return 0;
	if (ARCH_COMPAT_EXECS(nr))
		return candidate_now();
	if (ARCH_COMPAT_SPLICES(nr)) {
		fd = nr == ARCH_COMPAT_SPLICE ? ARCH_COMPAT_ARG3(regs) : ARCH_COMPAT_ARG2(regs);
	} else if (ARCH_COMPAT_SOCKETCALL(nr)) {
		if (bpf_probe_read_user(&word, sizeof(word), (void *)ARCH_COMPAT_ARG2(regs)))
			return 0;
		fd = word;
	} else if (!ARCH_COMPAT_WRITES(nr)) {
		return 0;
	}
	count(TG_STAT_STDIO_COMPAT);
	return follow_enter((u32)fd, FORM_COMPAT, 0, 0);
}

/* System-wide, so the order is: registers, then the task's own storage, then the rest (since
 * 5.5). */
SEC("tp_btf/sys_enter")
int BPF_PROG(sys_enter_follow, struct pt_regs *regs, long nr)
{
	struct task_struct *t = bpf_get_current_task_btf();
	u64 fd = ARCH_ARG1(regs);
	u32 form;

	if (ARCH_IS_COMPAT(&t->thread_info))
		return compat_enter(t, regs, nr);
	switch (nr & ARCH_NR_MASK) {
	case NR_write:
	case NR_sendto:
		form = FORM_BUFFER;
		break;
	case NR_writev:
	case NR_pwritev2: /* with offset -1 it writes to a stream */
		form = FORM_VECTOR;
		break;
	case NR_sendmsg:
		form = FORM_MESSAGE;
		break;
	case NR_sendmmsg:
	case NR_vmsplice:
	case NR_sendfile:
		form = FORM_OPAQUE;
		break;
	case NR_tee:
		fd = ARCH_ARG2(regs);
		form = FORM_OPAQUE;
		break;
	case NR_splice:
		fd = ARCH_ARG3(regs);
		form = FORM_OPAQUE;
		break;
	case NR_execve:
	case NR_execveat:
		return labelled(t) ? candidate_now() : 0;
	default:
		return 0;
	}
	return labelled(t) ? follow_enter((u32)fd, form, ARCH_ARG2(regs), ARCH_ARG3(regs)) : 0;
}

/* A read has its bytes and its code has not seen them: when they must not be seen yet, the reader stops here. A
 * function of its own, as candidate_now() is: the programs that run at every system call need no stack for it. */
__noinline int read_done(u64 fd, u32 form, u64 a, u64 n, s64 ret)
{
	struct task_struct *t = bpf_get_current_task_btf();
	struct tg_stopped entry = { .kind = TG_STOP_STDIO };
	struct file *f = file_of(t, (u32)fd);
	struct tg_stream *s;
	struct object o;
	bool traced;
	u64 *key;

	object_of(f, &o);
	key = o.key ? bpf_map_lookup_elem(&readers, &o.key) : NULL;
	traced = traced_by_agent(t);
	/* vmsplice() on the writing end of a pipe is a write. */
	if (!key || (BPF_CORE_READ(f, f_flags) & O_ACCMODE) == O_WRONLY)
		return 0;
	entry.stream = *key;
	if (!follow_read(entry.stream, traced ? form | FORM_TRACED : form, a, n, ret))
		return 0;
	count(TG_STAT_STDIO_HELD_READ);
	if (traced) {
		s = bpf_map_lookup_elem(&streams, &entry.stream);
		if (s)
			stream_flag(s, TG_STREAM_TRACED);
	} else if (!stop_current(&entry)) {
		/* Nobody continues it when the stream was released meanwhile, nor has judged what it has. */
		stream_trigger(entry.stream, TG_WHY_READ, 0);
		return 0;
	}
	bpf_send_signal(SIGKILL);
	return 0;
}

static __always_inline int compat_exit(struct pt_regs *regs, long nr, long ret)
{
	u64 fd = ARCH_COMPAT_ARG1(regs);
	u32 word = 0;

	if (ARCH_COMPAT_SOCKETCALL(nr)) {
		if (bpf_probe_read_user(&word, sizeof(word), (void *)ARCH_COMPAT_ARG2(regs)))
			return 0;
		fd = word;
	} else if (!ARCH_COMPAT_READS(nr)) {
		return 0;
	}
	if (nr == ARCH_COMPAT_READ)
		return read_done(fd, FORM_BUFFER, (u32)ARCH_COMPAT_ARG2(regs), ret, ret);
	return read_done(fd, FORM_COMPAT, 0, 0, ret);
}

SEC("tp_btf/sys_exit")
int BPF_PROG(sys_exit_follow, struct pt_regs *regs, long ret)
{
	struct task_struct *t = bpf_get_current_task_btf();
	struct tg_state *st;
	u32 form;

	if (ARCH_IS_COMPAT(&t->thread_info)) {
		st = state_get();
		return st && st->readers && ret > 0 && labelled(t) ? compat_exit(regs, ARCH_NR(regs), ret) : 0;
	}
	switch (ARCH_NR(regs) & ARCH_NR_MASK) {
	case NR_write:
	case NR_writev:
	case NR_pwritev2:
	case NR_sendto:
	case NR_sendmsg:
		return label_of(t) ? follow_exit(ret) : 0;
	case NR_read:
		form = FORM_BUFFER;
		break;
	case NR_recvfrom:
		form = FORM_BUFFER | (ARCH_ARG4(regs) & MSG_PEEK ? FORM_PEEK : 0);
		break;
	case NR_readv:
	case NR_preadv2:
		form = FORM_VECTOR;
		break;
	case NR_recvmsg:
		form = FORM_MESSAGE | (ARCH_ARG3(regs) & MSG_PEEK ? FORM_PEEK : 0);
		break;
	case NR_recvmmsg:
	case NR_splice:
	case NR_vmsplice:
		form = FORM_OPAQUE;
		break;
	case NR_tee:
		form = FORM_OPAQUE | FORM_PEEK;
		break;
	default:
		return 0;
	}
	st = state_get();
	if (!st || !st->readers || ret <= 0 || !labelled(t))
		return 0;
	return read_done(ARCH_ARG1(regs), form, ARCH_ARG2(regs),
			 (form & ~FORM_PEEK) == FORM_BUFFER ? (u64)ret : ARCH_ARG3(regs), ret);
}
