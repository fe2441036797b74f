// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Following a stream: each write call is searched at its entry, before the reader can have the bytes, and
 * counted and copied at its exit, when it is known how many were taken. LIMIT: a writer that changes its buffer
 * between the search and the kernel's copy shows us other bytes than it sends; LIMIT: io_uring.
 */
#include "bpf/follow.bpf.h"
#include "bpf/scan.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#define PIECES (TG_SCAN_BYTES / TG_CHUNK + 2 * TG_SEGMENTS)

struct segment {
	u64 base;
	u64 len;
};

/* A write call under way. */
struct call {
	u64 key; /* of the stream; 0: none */
	u64 id;
	u64 total; /* bytes in the segments */
	u32 segments;
	u32 beyond; /* there was more than the segments hold */
	u32 alone; /* no other call on this stream was under way */
	struct tg_scan before;
	struct segment seg[TG_SEGMENTS];
};

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct call);
} calls SEC(".maps");

/*
 * Goes over the first `left` bytes of a call's segments, a piece at a time. In a map, not on the stack: of a
 * map's contents the verifier knows nothing, so one round of a loop looks to it like the next.
 */
struct walk {
	u64 left;
	u64 off; /* in the segment */
	u32 seg;
	u32 fault;
	struct tg_scan scan;
	u32 piece; /* bytes in the chunk */
	u32 head_len;
	u8 chunk[TG_CHUNK] __attribute__((aligned(8)));
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct walk);
} walks SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct tg_head);
} empty_head SEC(".maps");

struct step {
	struct walk *w;
	struct call *c;
	struct tg_head *head;
};

/* The next piece: its length (0: look again), or -1 at the end. */
static __always_inline long piece(struct step *p, u64 *ret_base)
{
	struct walk *w = p->w;
	struct segment *g;
	u64 n, off = w->off, left = w->left;

	if (w->seg >= TG_SEGMENTS || w->seg >= p->c->segments || !left)
		return -1;
	g = &p->c->seg[w->seg & (TG_SEGMENTS - 1)];
	if (off >= g->len) {
		w->seg++;
		w->off = 0;
		return 0;
	}
	n = g->len - off;
	if (n > left)
		n = left;
	if (n > TG_CHUNK)
		n = TG_CHUNK;
	*ret_base = g->base + off;
	w->off = off + n;
	w->left = left - n;
	return n;
}

static __always_inline struct walk *walk_begin(u64 n)
{
	u32 zero = 0;
	struct walk *w = bpf_map_lookup_elem(&walks, &zero);

	if (!w)
		return NULL;
	w->left = n;
	w->off = 0;
	w->seg = 0;
	w->fault = 0;
	return w;
}

static __always_inline bool has_newline(u64 word)
{
	u64 x = word ^ 0x0a0a0a0a0a0a0a0aull;

	return (x - 0x0101010101010101ull) & ~x & 0x8080808080808080ull;
}

/* Which bytes of a chunk are there, as masks to be loaded: a comparison would be a branch per byte, and more
 * paths than the verifier walks. */
static const u8 there[2 * TG_CHUNK + 8] = { [0 ... TG_CHUNK - 1] = 0xff };

static long search_word(u32 i, struct step *p)
{
	struct walk *w = p->w;
	struct tg_scan s = w->scan;
	u32 at = (i * 8) & (TG_CHUNK - 8);
	const u8 *mask = there + ((TG_CHUNK - w->piece + at) & (2 * TG_CHUNK - 1));
	u8 *b = w->chunk + at;

	/* A line that is not JSON matters only for its end. Bytes behind the piece do no harm here. */
	if (s.state == SS_OTHER && !has_newline(*(u64 *)b))
		return 0;
#pragma unroll
	for (int k = 0; k < 8; k++)
		scan_byte(&s, b[k], mask[k]);
	w->scan = s;
	return scan_found(&s);
}

static long search_piece(u32 i, struct step *p)
{
	struct walk *w = p->w;
	u64 base;
	long n = piece(p, &base);

	if (n <= 0)
		return n < 0;
	if (n > TG_CHUNK || bpf_probe_read_user(w->chunk, n, (void *)base)) {
		w->fault = 1;
		return 1;
	}
	w->piece = n;
	bpf_loop((n + 7) / 8, search_word, p, 0);
	return scan_found(&w->scan);
}

/* Searches the first n bytes. 0, or the reason to trigger. */
static __always_inline u32 search(struct call *c, u64 n, struct tg_scan *scan)
{
	u64 limit = n > TG_SCAN_BYTES ? TG_SCAN_BYTES : n;
	struct step p = { .w = walk_begin(limit), .c = c };

	if (!p.w)
		return TG_WHY_UNREADABLE;
	p.w->scan = *scan;
	bpf_loop(PIECES, search_piece, &p, 0);
	count_n(TG_STAT_STDIO_SCANNED_BYTES, limit - p.w->left);
	*scan = p.w->scan;
	if (scan->state == SS_KEYWORD)
		return TG_WHY_KEYWORD;
	if (scan->state == SS_ESCAPE)
		return TG_WHY_ESCAPE;
	return p.w->fault || n > TG_SCAN_BYTES || c->beyond ? TG_WHY_UNREADABLE : 0;
}

static long copy_piece(u32 i, struct step *p)
{
	struct walk *w = p->w;
	u32 at = w->head_len;
	u64 base;
	long n = piece(p, &base);

	if (n <= 0)
		return n < 0;
	if (at >= TG_HEAD_BYTES || n > TG_CHUNK)
		return 1;
	if (bpf_probe_read_user(p->head->data + at, n, (void *)base)) {
		w->fault = 1;
		return 1;
	}
	w->head_len = at + n > TG_HEAD_BYTES ? TG_HEAD_BYTES : at + n;
	return 0;
}

/* Appends the n bytes that a call wrote to the head copy. */
static __always_inline void head_append(u64 key, struct tg_stream *s, struct call *c, u64 n)
{
	struct step p = { .c = c };
	u32 zero = 0;
	void *empty;

	if (s->head_len >= TG_HEAD_BYTES || (s->flags & TG_STREAM_HEAD_GAP))
		return;
	p.head = bpf_map_lookup_elem(&heads, &key);
	if (!p.head) {
		empty = bpf_map_lookup_elem(&empty_head, &zero);
		if (empty)
			bpf_map_update_elem(&heads, &key, empty, BPF_NOEXIST);
		p.head = bpf_map_lookup_elem(&heads, &key);
	}
	p.w = walk_begin(n);
	if (!p.head || !p.w) {
		stream_flag(s, TG_STREAM_HEAD_GAP);
		return;
	}
	p.w->head_len = s->head_len;
	bpf_loop(TG_HEAD_BYTES / TG_CHUNK + 2 * TG_SEGMENTS, copy_piece, &p, 0);
	s->head_len = p.w->head_len;
	if (p.w->head_len < TG_HEAD_BYTES && (p.w->fault || p.w->left))
		stream_flag(s, TG_STREAM_HEAD_GAP);
}

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
	/* Whose bytes come first is not known: alone neither may begin a value that the other ends. */
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
	/* What was not taken will be written again: the search stands where the bytes that were end. */
	if (c->alone && n < c->total && !(s->flags & TG_STREAM_TRIGGERED)) {
		scan = c->before;
		if (n)
			search(c, n, &scan);
		s->scan = scan;
	}
	__sync_fetch_and_add(&s->writers, -1);
	return 0;
}
