// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Following a stream: each write call is searched at its entry, before the reader can have the
 * bytes, and counted and copied at its exit, when it is known how many were taken. LIMIT: a writer
 * that changes its buffer between the search and the kernel's copy shows us other bytes than it
 * sends: the read search at the other end finds them.
 */
#include "bpf/follow.bpf.h"
#include "bpf/walk.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

static __always_inline void trigger(u64 key, struct tg_stream *s, u32 why)
{
	u64 out_of = s->out_of;

	if (s->flags & TG_STREAM_INPUT)
		stream_trigger(key, why, 0);
	if (out_of)
		stream_trigger(out_of, why, 1);
}

/* Notes where the bytes of a call lie. Negative when not even that can be read. */
static __always_inline int segments(struct call *c, u32 form, u64 a, u64 n)
{
	struct user_msghdr m;
	struct iovec v;

	c->segments = 0;
	c->total = 0;
	c->beyond = 0;
	if (form == FORM_BUFFER) {
		c->seg[0].base = a;
		c->seg[0].len = n;
		c->segments = 1;
		c->total = n;
		return 0;
	}
	if (form == FORM_MESSAGE) {
		if (bpf_probe_read_user(&m, sizeof(m), (void *)a))
			return -1;
		a = (u64)m.msg_iov;
		n = m.msg_iovlen;
	}
	c->beyond = n > TG_SEGMENTS;
	for (u32 i = 0; i < TG_SEGMENTS; i++) {
		if (i >= n)
			break;
		if (bpf_probe_read_user(&v, sizeof(v), (void *)(a + i * sizeof(v))))
			return -1;
		c->seg[i].base = (u64)v.iov_base;
		c->seg[i].len = v.iov_len;
		c->total += v.iov_len;
		c->segments = i + 1;
	}
	return 0;
}

static __always_inline void follow_search(u64 key, struct tg_stream *s, struct call *c)
{
	struct tg_scan scan = {};
	u32 why;

	c->before = s->scan;
	if ((s->flags & TG_STREAM_TRIGGERED) || scan_found(&c->before))
		return;
	/* Whose bytes come first is not known: alone neither may begin a value that the other
	 * ends. */
	if (c->alone)
		scan = c->before;
	why = search(c, c->total, &scan);
	if (c->alone)
		s->scan = scan;
	else if (!why && (!scan_idle(&scan) || !scan_idle(&c->before)))
		why = TG_WHY_RACE;
	if (why)
		trigger(key, s, why);
}

/* Current, which has a label, is about to write to fd. */
__noinline int follow_enter(u64 fd, u32 form, u64 a, u64 n)
{
	struct task_struct *task = bpf_get_current_task_btf();
	u32 tgid = bpf_get_current_pid_tgid() >> 32;
	struct tg_stream *s;
	struct object o;
	struct call *c;
	u64 key;

	object_of(file_of(task, fd), &o);
	key = o.key;
	s = key ? bpf_map_lookup_elem(&streams, &key) : NULL;
	if (!s)
		return 0;
	if ((s->flags & TG_STREAM_INPUT) && tgid != s->server_tgid) {
		s->host_tgid = tgid;
		s->host_start = task_start(task);
	}
	c = bpf_task_storage_get(&calls, task, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (form >= FORM_OPAQUE || !c || segments(c, form, a, n)) {
		if (c)
			c->key = 0;
		stream_flag(s, TG_STREAM_HEAD_GAP | TG_STREAM_COUNT_GAP);
		trigger(key, s, form == FORM_COMPAT ? TG_WHY_COMPAT :
				form == FORM_OPAQUE ? TG_WHY_OPAQUE : TG_WHY_UNREADABLE);
		return 0;
	}
	c->key = key;
	c->id = s->id;
	c->alone = !__sync_fetch_and_add(&s->writers, 1);
	follow_search(key, s, c);
	return 0;
}

/* The call returned ret. */
__noinline int follow_exit(s64 ret)
{
	struct call *c = bpf_task_storage_get(&calls, bpf_get_current_task_btf(), 0, 0);
	u64 n = ret > 0 ? ret : 0, key;
	struct tg_scan scan;
	struct tg_stream *s;

	if (!c || !c->key)
		return 0;
	key = c->key;
	c->key = 0;
	s = bpf_map_lookup_elem(&streams, &key);
	if (!s || s->id != c->id)
		return 0;
	__sync_fetch_and_add(&s->written, n);
	if (!c->alone)
		stream_flag(s, TG_STREAM_HEAD_GAP);
	else if (n)
		head_append(key, s, c, n);
	/* What was not taken will be written again: the search stands where the bytes that were
	 * end. */
	if (c->alone && n < c->total && !(s->flags & TG_STREAM_TRIGGERED)) {
		scan = c->before;
		if (n)
			search(c, n, &scan);
		s->scan = scan;
	}
	__sync_fetch_and_add(&s->writers, -1);
	return 0;
}

__noinline int follow_opaque(u64 file)
{
	struct tg_stream *s;
	struct object o;
	u64 key;

	object_of((struct file *)file, &o);
	key = o.key;
	s = key ? bpf_map_lookup_elem(&streams, &key) : NULL;
	if (!s)
		return 0;
	stream_flag(s, TG_STREAM_HEAD_GAP | TG_STREAM_COUNT_GAP);
	trigger(key, s, TG_WHY_OPAQUE);
	return 0;
}

/* Searches what a reader got. Whatever way it came, this is the last place before its code sees it. 0, or the reason
 * to stop. */
static __always_inline u32 read_search(struct tg_stream *s, struct call *c, s64 ret, bool peek)
{
	struct tg_scan scan = s->read_scan;
	u32 why = search(c, ret, &scan);

	if (!peek)
		s->read_scan = scan;
	return why ? TG_WHY_READ : 0;
}

/* Keeps what readers have of a line under way: if it turns out to be a message, they have its beginning. */
static __always_inline void read_keep(u64 key, struct tg_stream *s, struct call *c, u32 form, s64 ret)
{
	struct tg_head *h = NULL;
	bool gap = false;
	u32 len = s->taken_len;
	u64 before = __sync_fetch_and_add(&s->taken, ret);

	/* Two reads at once: whose bytes come first is not known. */
	if (before != len && len < TG_HEAD_BYTES)
		stream_flag(s, TG_STREAM_TAKEN_GAP);
	if (c && form < FORM_OPAQUE && len < TG_HEAD_BYTES && !(s->flags & TG_STREAM_TAKEN_GAP))
		h = head_get(&takens, &key);
	if (h)
		s->taken_len = copy_bytes(h, len, c, ret, &gap);
	if (!h || gap)
		stream_flag(s, TG_STREAM_TAKEN_GAP);
}

__noinline int follow_read(u64 key, u32 form, u64 a, u64 n, s64 ret)
{
	struct tg_stream *s = bpf_map_lookup_elem(&streams, &key);
	struct call *c = bpf_task_storage_get(&calls, bpf_get_current_task_btf(), 0,
					      BPF_LOCAL_STORAGE_GET_F_CREATE);
	bool peek = form & FORM_PEEK, traced = form & FORM_TRACED, held;
	u32 why = 0;

	if (!s || ret <= 0)
		return 0;
	form &= FORM_PEEK - 1;
	held = s->flags & TG_STREAM_HELD;
	if (form < FORM_OPAQUE && (!c || segments(c, form, a, n)))
		form = FORM_OPAQUE;
	/* For what lay in it a traced reader would have to die. All that it reads is searched, as where nothing is
	 * held. */
	if (traced && form < FORM_OPAQUE && !(s->flags & TG_STREAM_CAUSE))
		held = false;
	/* LIMIT: what a server moves on by splice, or reads by 32-bit calls, is searched only when written. */
	if (form >= FORM_OPAQUE && !held)
		return 0;
	if (!held && scan_idle(&s->read_scan)) {
		s->taken = 0;
		s->taken_len = 0;
		__sync_fetch_and_and(&s->flags, ~TG_STREAM_TAKEN_GAP);
	}
	if (form == FORM_COMPAT)
		stream_flag(s, TG_STREAM_UNSEARCHED);
	if (form < FORM_OPAQUE && c && !scan_found(&s->read_scan))
		why = read_search(s, c, ret, peek);
	if (!held && !why && (peek || scan_idle(&s->read_scan)))
		return 0;
	if (!peek)
		read_keep(key, s, c, form, ret);
	if (held || !why)
		return held;
	count(TG_STAT_STDIO_READ_FOUND);
	stream_trigger(key, why, 0);
	return 1;
}
