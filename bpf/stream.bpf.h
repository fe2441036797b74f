/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef TOLLGATE_STREAM_BPF_H
#define TOLLGATE_STREAM_BPF_H

/* Pipes and sockets behind descriptors, and the streams that run through them. */
#include "bpf/scope.bpf.h"

#define S_IFMT 0170000
#define S_IFIFO 0010000
#define S_IFSOCK 0140000
#define PIPEFS_MAGIC 0x50495045
#define AF_UNIX 1
#define SOCK_STREAM 1

struct object {
	u64 key; /* 0: neither a pipe nor a UNIX stream socket */
	u64 inode; /* address */
	u32 mode;
	u32 pad;
};

/* bpf/hold.bpf.c */
int stream_trigger(u64 key, u32 why, u32 from_server);
int streams_sweep(u64 now);

static __always_inline struct file *file_of(struct task_struct *t, u64 fd)
{
	struct fdtable *fdt = BPF_CORE_READ(t, files, fdt);
	struct file **table = BPF_CORE_READ(fdt, fd);
	struct file *f = NULL;

	if (fd >= BPF_CORE_READ(fdt, max_fds))
		return NULL;
	if (bpf_probe_read_kernel(&f, sizeof(f), table + fd))
		return NULL;
	return f;
}

static __always_inline u64 inode_key(struct inode *inode, u32 mode)
{
	u64 ino = BPF_CORE_READ(inode, i_ino);

	if ((mode & S_IFMT) == S_IFIFO && BPF_CORE_READ(inode, i_sb, s_magic) != PIPEFS_MAGIC) {
		u64 dev = BPF_CORE_READ(inode, i_sb, s_dev);

		return TG_KEY_NAMED | (dev & 0x7fffff) << 40 | (ino & TG_KEY_INO_MASK);
	}
	return ino;
}

static __always_inline struct sock *unix_stream_of(struct file *f)
{
	struct socket *s = BPF_CORE_READ(f, private_data);
	struct sock *sk = BPF_CORE_READ(s, sk);

	if (!sk || BPF_CORE_READ(s, type) != SOCK_STREAM ||
	    BPF_CORE_READ(sk, __sk_common.skc_family) != AF_UNIX)
		return NULL;
	return sk;
}

static __always_inline void object_of(struct file *f, struct object *ret)
{
	struct inode *inode;

	__builtin_memset(ret, 0, sizeof(*ret));
	if (!f)
		return;
	inode = BPF_CORE_READ(f, f_inode);
	ret->mode = BPF_CORE_READ(inode, i_mode);
	if ((ret->mode & S_IFMT) != S_IFIFO &&
	    ((ret->mode & S_IFMT) != S_IFSOCK || !unix_stream_of(f)))
		return;
	ret->inode = (u64)inode;
	ret->key = inode_key(inode, ret->mode);
}

/* The other end: a pipe's is itself, a socket's is its peer; key 0 when there is none. */
static __always_inline void object_peer(struct file *f, const struct object *o, struct object *ret)
{
	struct sock *sk, *peer;
	struct socket *s;
	struct inode *inode;

	*ret = *o;
	if ((o->mode & S_IFMT) == S_IFIFO)
		return;
	ret->key = 0;
	sk = unix_stream_of(f);
	peer = sk ? BPF_CORE_READ((struct unix_sock *)sk, peer) : NULL;
	s = peer ? BPF_CORE_READ(peer, sk_socket) : NULL;
	if (!s)
		return;
	inode = &container_of(s, struct socket_alloc, socket)->vfs_inode;
	ret->inode = (u64)inode;
	ret->mode = BPF_CORE_READ(inode, i_mode);
	ret->key = BPF_CORE_READ(inode, i_ino);
}

/* Whether bytes wait for the reader of this object. */
static __always_inline bool object_queued(struct file *f, const struct object *o)
{
	struct pipe_inode_info *p;
	struct sock *sk;

	if ((o->mode & S_IFMT) == S_IFSOCK) {
		sk = unix_stream_of(f);
		return sk && BPF_CORE_READ(sk, sk_receive_queue.qlen);
	}
	p = BPF_CORE_READ(f, private_data);
	return BPF_CORE_READ(p, head) != BPF_CORE_READ(p, tail);
}

static __always_inline void stream_flag(struct tg_stream *s, u32 flag)
{
	__sync_fetch_and_or(&s->flags, flag);
}

/* Drops a stream with what hangs on it. The caller has copied what it needs. */
static __always_inline void stream_drop(u64 key, u64 read_key)
{
	struct tg_state *st = state_get();

	bpf_map_delete_elem(&heads, &key);
	bpf_map_delete_elem(&takens, &key);
	if (!bpf_map_delete_elem(&readers, &read_key) && st)
		__sync_fetch_and_add(&st->readers, -1);
	bpf_map_delete_elem(&streams, &key);
}

#endif
