/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef TOLLGATE_WALK_BPF_H
#define TOLLGATE_WALK_BPF_H

/* Going over the bytes of a write call where they lie in the writer's memory: to search them, to
 * copy them. */
#include "bpf/scan.h"
#include "bpf/stream.bpf.h"

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
 * Goes over the first `left` bytes of a call's segments, a piece at a time. In a map, not on the
 * stack: of a map's contents the verifier knows nothing, so one round of a loop looks to it like
 * the next.
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

/* Not 0 when one of the eight bytes is a newline. */
static __always_inline u64 newlines(u64 word)
{
	u64 x = word ^ 0x0a0a0a0a0a0a0a0aull;

	return (x - 0x0101010101010101ull) & ~x & 0x8080808080808080ull;
}

/* Whether a chunk (with what an earlier piece left behind this one) is free of them: most of what
 * runs through pipes is not JSON and is passed over here. */
static __always_inline bool no_newline(const u8 *chunk)
{
	u64 found = 0;

#pragma unroll
	for (int i = 0; i < TG_CHUNK / 8; i++)
		found |= newlines(((const u64 *)chunk)[i]);
	return !found;
}

/* Which bytes of a chunk are there, as masks to be loaded: a comparison would be a branch per byte,
 * and more paths than the verifier walks. */
static const u8 there[2 * TG_CHUNK + 8] = { [0 ... TG_CHUNK - 1] = 0xff };

static long search_word(u32 i, struct step *p)
{
	struct walk *w = p->w;
	struct tg_scan s = w->scan;
	u32 at = (i * 8) & (TG_CHUNK - 8);
	const u8 *mask = there + ((TG_CHUNK - w->piece + at) & (2 * TG_CHUNK - 1));
	u8 *b = w->chunk + at;

	/* A line that is not JSON matters only for its end. Bytes behind the piece do no harm
	 * here. */
	if (s.state == SS_OTHER && !newlines(*(u64 *)b))
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
	if (w->scan.state == SS_OTHER && no_newline(w->chunk))
		return 0;
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

/* Copies the first n bytes of a call behind the `len` bytes that a head holds. Gives the new length; *gap is set
 * when it is not all that there was room for. */
static __always_inline u32 copy_bytes(struct tg_head *h, u32 len, struct call *c, u64 n, bool *gap)
{
	struct step p = { .c = c, .head = h };

	p.w = walk_begin(n);
	if (!p.w) {
		*gap = true;
		return len;
	}
	p.w->head_len = len;
	bpf_loop(TG_HEAD_BYTES / TG_CHUNK + 2 * TG_SEGMENTS, copy_piece, &p, 0);
	if (p.w->head_len < TG_HEAD_BYTES && (p.w->fault || p.w->left))
		*gap = true;
	return p.w->head_len;
}

/* The stream's entry of a map of heads, made when there is none. */
static __always_inline struct tg_head *head_get(void *map, u64 *key)
{
	struct tg_head *h = bpf_map_lookup_elem(map, key);
	u32 zero = 0;
	void *empty;

	if (h)
		return h;
	empty = bpf_map_lookup_elem(&empty_head, &zero);
	if (empty)
		bpf_map_update_elem(map, key, empty, BPF_NOEXIST);
	return bpf_map_lookup_elem(map, key);
}

/* Appends the n bytes that a call wrote to the head copy. */
static __always_inline void head_append(u64 key, struct tg_stream *s, struct call *c, u64 n)
{
	struct tg_head *h;
	bool gap = false;

	if (s->head_len >= TG_HEAD_BYTES || (s->flags & TG_STREAM_HEAD_GAP))
		return;
	h = head_get(&heads, &key);
	if (h)
		s->head_len = copy_bytes(h, s->head_len, c, n, &gap);
	if (!h || gap)
		stream_flag(s, TG_STREAM_HEAD_GAP);
}

#endif
