// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * What happens to a stream once it is suspected: its reader is held, user space is told, and user
 * space's answer is carried out. A stream is dropped only by user space's word or when its objects
 * are gone.
 */
#include "bpf/stream.bpf.h"

#include "bpf/scan.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* What a release takes back. */
#define SUSPECT_FLAGS \
	(TG_STREAM_TRIGGERED | TG_STREAM_HELD | TG_STREAM_PREFILLED | TG_STREAM_UNKNOWN | \
	 TG_STREAM_LOST | TG_STREAM_CAUSE)
#define SWEEP_EVERY_NS (100ull * 1000 * 1000) /* a full map must not cost every exec a walk */

/* Stops the server at once, so that it is not woken with the bytes. 0 or an errno: then only its
 * next read stops it. One that stands at its exec stays on the list as that: what releases the stream must not
 * let it go, and its first read stops it as well. */
static __always_inline u32 stop_server(const struct tg_stream *s, u64 key)
{
	struct tg_stopped entry = {
		.kind = TG_STOP_STDIO,
		.stream = key,
		.start = s->server_start,
		.agent = s->agent,
	};
	struct tg_stopped *stands;
	u32 tgid = s->server_tgid;
	int r;

	stands = bpf_map_lookup_elem(&stopped, &tgid);
	if (stands && stands->kind == TG_STOP_EXEC && stands->start == s->server_start)
		return 0;
	entry.since = bpf_ktime_get_ns();
	if (bpf_map_update_elem(&stopped, &tgid, &entry, BPF_ANY))
		return ENOSYS;
	r = tgid == bpf_get_current_pid_tgid() >> 32 ?
		    -bpf_send_signal(SIGSTOP) :
		    signal_process(tgid, s->server_start, SIGSTOP);
	if (r)
		bpf_map_delete_elem(&stopped, &tgid);
	return r;
}

static __always_inline u32 why_flag(u32 why)
{
	switch (why) {
	case TG_WHY_PREFILLED:
		return TG_STREAM_PREFILLED;
	case TG_WHY_UNREADABLE:
	case TG_WHY_OPAQUE:
	case TG_WHY_RACE:
	case TG_WHY_READ:
		return TG_STREAM_UNKNOWN;
	case TG_WHY_COMPAT:
		return TG_STREAM_UNKNOWN | TG_STREAM_COMPAT;
	}
	return 0;
}

static __always_inline void trigger_event(struct tg_stream *s, u64 key, u32 why, u32 from_server,
					  u32 stop_error)
{
	struct tg_event *e = event_new_stdio(TG_EV_TRIGGER);

	if (!e) {
		stream_flag(s, TG_STREAM_LOST); /* still held: user space finds it by walking */
		return;
	}
	e->stdio.key = key;
	e->stdio.id = s->id;
	e->stdio.why = why;
	e->stdio.from_server = from_server;
	e->stdio.server_tgid = s->server_tgid;
	e->stdio.host_tgid = s->host_tgid;
	e->stdio.server_start = s->server_start;
	e->stdio.agent = s->agent;
	e->stdio.outer = s->outer;
	e->stdio.stop_error = stop_error;
	bpf_ringbuf_submit(e, 0);
}

/* key names an input stream. Global, so that it is verified once for all its callers. */
__noinline int stream_trigger(u64 key, u32 why, u32 from_server)
{
	struct tg_stream *s = bpf_map_lookup_elem(&streams, &key);
	struct tg_state *st = state_get();
	u32 flags = TG_STREAM_TRIGGERED | TG_STREAM_HELD | why_flag(why), stop_error = 0;

	if (!s || !st)
		return 0;
	if (why != TG_WHY_PREFILLED)
		flags |= TG_STREAM_CAUSE;
	if (__sync_fetch_and_or(&s->flags, flags) & TG_STREAM_TRIGGERED)
		return 0;
	/* What waits at exec is met by the first read; stopping every pipeline at once would be
	 * felt. */
	if (why != TG_WHY_PREFILLED)
		stop_error = stop_server(s, key);
	count(TG_STAT_STDIO_TRIGGER);
	trigger_event(s, key, why, from_server, stop_error);
	return 1;
}

/* An inode's memory is reused for inodes only (slab, no constructor on free), so the number and the
 * count tell whether it is still the one. */
static __always_inline bool object_alive(u64 address, u64 key)
{
	struct inode *inode = (struct inode *)address;
	u64 mask = key & TG_KEY_NAMED ? TG_KEY_INO_MASK : ~0ull;

	return BPF_CORE_READ(inode, i_count.counter) > 0 &&
	       (BPF_CORE_READ(inode, i_ino) & mask) == (key & mask);
}

static long sweep_one(void *map, u64 *key, struct tg_stream *s, u32 *dropped)
{
	if (object_alive(s->inode, *key))
		return 0;
	/* A writer that closed after a message leaves it to be judged. */
	if ((s->flags & TG_STREAM_TRIGGERED) && object_alive(s->read_inode, s->read_key))
		return 0;
	stream_drop(*key, s->read_key);
	count(TG_STAT_STREAM_GONE);
	*dropped += 1;
	return 0;
}

static long sweep_ours(void *map, u64 *key, u64 *inode, u32 *dropped)
{
	if (!object_alive(*inode, *key))
		bpf_map_delete_elem(&ours, key);
	return 0;
}

/* now 0: whatever the clock says. */
__noinline int streams_sweep(u64 now)
{
	struct tg_state *st = state_get();
	u32 dropped = 0;

	if (!st || (now && now < st->swept + SWEEP_EVERY_NS))
		return 0;
	st->swept = bpf_ktime_get_ns();
	bpf_for_each_map_elem(&streams, sweep_one, &dropped, 0);
	bpf_for_each_map_elem(&ours, sweep_ours, &dropped, 0);
	return dropped;
}

static __always_inline void scan_restart(struct tg_scan *s)
{
	s->state = SS_START;
	s->depth = 0;
}

/* The search of what is written begins anew, whatever is under way: what is read is searched without a gap, and goes
 * on where the reader is, unless the very thing that was found has been judged. A read that is being counted at this
 * moment is seen by the second test, or finds the stream no longer held when it stops, and suspects it anew. */
static __always_inline s64 verb_release(u64 key, u64 taken, u64 *ret_at)
{
	struct tg_stream *s = bpf_map_lookup_elem(&streams, &key);
	struct tg_state *st = state_get();
	struct tg_scan read_scan;
	struct tg_stream *out;
	u64 out_key;
	u32 flags;

	if (!s || !st)
		return -ENOENT;
	if (s->taken != taken)
		return -EAGAIN;
	out_key = s->out_key;
	read_scan = s->read_scan;
	scan_restart(&s->scan);
	if (scan_found(&read_scan))
		scan_restart(&s->read_scan);
	out = out_key ? bpf_map_lookup_elem(&streams, &out_key) : NULL;
	if (out && out->out_of == key)
		scan_restart(&out->scan);
	flags = __sync_fetch_and_and(&s->flags, ~SUSPECT_FLAGS);
	*ret_at = bpf_ktime_get_ns();
	if (s->taken != taken) {
		s->read_scan = read_scan;
		stream_flag(s, flags & SUSPECT_FLAGS);
		return -EAGAIN;
	}
	if (scan_found(&read_scan) && __sync_val_compare_and_swap(&s->taken, taken, 0) == taken)
		s->taken_len = 0;
	return 0;
}

static __always_inline s64 verb_forget(u64 key)
{
	struct tg_stream *s = bpf_map_lookup_elem(&streams, &key), *out;
	u64 out_key, read_key, out_read;

	if (!s)
		return -ENOENT;
	out_key = s->out_key;
	read_key = s->read_key;
	stream_drop(key, read_key);
	out = out_key ? bpf_map_lookup_elem(&streams, &out_key) : NULL;
	if (!out || out->out_of != key)
		return 0;
	out->out_of = 0;
	out_read = out->read_key;
	if (!(out->flags & TG_STREAM_INPUT))
		stream_drop(out_key, out_read);
	return 0;
}

/* Runs as the caller's system call, so fd is the caller's: marks both ends of what lies behind
 * it. */
static __always_inline s64 verb_ours(u64 fd)
{
	struct file *f = file_of((struct task_struct *)bpf_get_current_task(), fd);
	struct object o, peer;

	object_of(f, &o);
	if (!o.key)
		return -EBADF;
	object_peer(f, &o, &peer);
	if (bpf_map_update_elem(&ours, &o.key, &o.inode, BPF_ANY) ||
	    (peer.key && bpf_map_update_elem(&ours, &peer.key, &peer.inode, BPF_ANY)))
		return -ENOSPC;
	return 0;
}

/* User space's verbs run here, so that they do not race with the programs' own updates. */
SEC("syscall")
int stdio_control(struct tg_ctl *c)
{
	u64 key = c->key, at = 0;

	switch (c->verb) {
	case TG_VERB_RELEASE:
		c->ret = verb_release(key, c->taken, &at);
		c->at = at;
		break;
	case TG_VERB_FORGET:
		c->ret = verb_forget(key);
		break;
	case TG_VERB_SWEEP:
		c->ret = streams_sweep(0);
		break;
	case TG_VERB_OURS:
		c->ret = verb_ours(key);
		break;
	case TG_VERB_HOLD:
		c->ret = bpf_map_lookup_elem(&streams, &key) ? 0 : -ENOENT;
		stream_trigger(key, TG_WHY_PREFILLED, 0);
		break;
	default:
		c->ret = -EINVAL;
	}
	return 0;
}
