// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Who holds the descriptors of a conversation, and how many references there are to what they refer to. A pass over
 * the tasks of the scopes is quick, and enough when their descriptors account for every reference: then nobody else
 * can have one, be it a process elsewhere, a message under way in a socket, or an io_uring. Otherwise a pass over all
 * tables of the machine tells who.
 */
#include "bpf/stream.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#define O_ACCMODE 3
#define O_WRONLY 1
#define O_RDWR 2
#define O_CLOEXEC 02000000
#define BITS_PER_LONG 64
/* Of a table beyond 1,048,576 descriptors (the default of fs.nr_open) the rest is not seen; the count then lacks
 * some. */
#define TABLE_WORDS (1048576 / BITS_PER_LONG)

/* The count is a plain one up to 6.12, and one less than the references since 6.13. */
struct file___count {
	struct {
		long counter;
	} f_count;
} __attribute__((preserve_access_index));

struct file___ref {
	struct {
		struct {
			int counter;
		} refcnt;
	} f_ref;
} __attribute__((preserve_access_index));

struct pass {
	struct seq_file *seq;
	struct tg_sought *what;
	struct fdtable *fdt;
	struct file **files;
	u64 table;
	u64 word;
	u32 base;
	u32 tgid, tid;
	u32 pad;
};

static __always_inline u64 references(struct file *f)
{
	struct file___count *old = (void *)f;
	struct file___ref *now = (void *)f;

	if (bpf_core_field_exists(now->f_ref))
		return (u64)(u32)BPF_CORE_READ(now, f_ref.refcnt.counter) + 1;
	return BPF_CORE_READ(old, f_count.counter);
}

static __always_inline u32 close_on_exec(struct fdtable *fdt, u32 fd)
{
	unsigned long *bits = BPF_CORE_READ(fdt, close_on_exec), word = 0;

	if (bpf_probe_read_kernel(&word, sizeof(word), bits + fd / BITS_PER_LONG))
		return 0;
	return word >> (fd % BITS_PER_LONG) & 1 ? O_CLOEXEC : 0;
}

/* own: references of the pass itself. */
static __always_inline void holding(const struct pass *p, struct file *f, u32 fd, u32 which, bool pipe, u32 own)
{
	struct pipe_inode_info *ends;
	struct tg_holding out = {
		.tgid = p->tgid,
		.tid = p->tid,
		.fd = fd,
		.which = which,
		.file = (u64)f,
		.table = p->table,
	};

	out.flags = BPF_CORE_READ(f, f_flags);
	if (pipe && (out.flags & O_ACCMODE) != O_RDWR && (out.flags & O_ACCMODE) != (which ? O_WRONLY : 0))
		return; /* the other end of the same pipe */
	out.flags |= close_on_exec(p->fdt, fd);
	if (pipe) {
		ends = BPF_CORE_READ(f, private_data);
		out.ends = which ? BPF_CORE_READ(ends, writers) : BPF_CORE_READ(ends, readers);
	}
	out.refs = references(f) - own;
	bpf_seq_write(p->seq, &out, sizeof(out));
}

static __always_inline void look_at(const struct pass *p, struct file *f, u32 fd, u32 own)
{
	struct inode *inode = BPF_CORE_READ(f, f_inode);
	struct tg_sought *s = p->what;
	u64 ino = BPF_CORE_READ(inode, i_ino);
	u32 type;

	if (ino != s->ino[0] && ino != s->ino[1])
		return;
	type = BPF_CORE_READ(inode, i_mode) & S_IFMT;
	/* Numbers are unique within the two kernel file systems only. */
	if (type == S_IFIFO && BPF_CORE_READ(inode, i_sb, s_magic) != PIPEFS_MAGIC)
		return;
	if (type == s->type[0] && ino == s->ino[0])
		holding(p, f, fd, 0, type == S_IFIFO, own);
	if (type == s->type[1] && ino == s->ino[1] && (ino != s->ino[0] || type == S_IFIFO))
		holding(p, f, fd, 1, type == S_IFIFO, own);
}

static long one_fd(u32 i, struct pass *p)
{
	struct file *f = NULL;
	u32 fd = p->base + i;

	if (!(p->word >> (i & (BITS_PER_LONG - 1)) & 1))
		return 0;
	if (!bpf_probe_read_kernel(&f, sizeof(f), p->files + fd) && f)
		look_at(p, f, fd, 0);
	return 0;
}

static long one_word(u32 i, struct pass *p)
{
	struct fdtable *fdt = p->fdt;
	unsigned long *bits = BPF_CORE_READ(fdt, open_fds);

	if (!bpf_probe_read_kernel(&p->word, sizeof(p->word), bits + i) && p->word) {
		p->base = i * BITS_PER_LONG;
		bpf_loop(BITS_PER_LONG, one_fd, p, 0);
	}
	return 0;
}

/* Tasks of the scopes. A thread that shares its leader's table adds nothing. */
SEC("iter/task")
int iter_scope_holders(struct bpf_iter__task *ctx)
{
	struct task_struct *t = ctx->task, *leader;
	struct files_struct *files;
	struct fdtable *fdt;
	struct pass p = {};
	u32 zero = 0, words;

	if (!t || !label_of(t))
		return 0;
	leader = t->group_leader;
	files = t->files;
	if (!leader || !files || (t->pid != t->tgid && leader->files == files))
		return 0;
	p.what = bpf_map_lookup_elem(&sought, &zero);
	if (!p.what)
		return 0;
	p.seq = ctx->meta->seq;
	fdt = BPF_CORE_READ(files, fdt);
	p.fdt = fdt;
	p.files = BPF_CORE_READ(fdt, fd);
	p.table = (u64)files;
	p.tgid = t->tgid;
	p.tid = t->pid;
	words = BPF_CORE_READ(fdt, max_fds) / BITS_PER_LONG;
	bpf_loop(words < TABLE_WORDS ? words : TABLE_WORDS, one_word, &p, 0);
	return 0;
}

/* Every task (since 5.8; the kernel passes over threads that share their leader's table). */
SEC("iter/task_file")
int iter_holders(struct bpf_iter__task_file *ctx)
{
	struct task_struct *t = ctx->task;
	struct file *f = ctx->file;
	struct pass p = {};
	u32 zero = 0;

	if (!t || !f)
		return 0;
	p.what = bpf_map_lookup_elem(&sought, &zero);
	if (!p.what)
		return 0;
	p.seq = ctx->meta->seq;
	p.fdt = BPF_CORE_READ(t, files, fdt);
	p.table = (u64)BPF_CORE_READ(t, files);
	p.tgid = t->tgid;
	p.tid = t->pid;
	look_at(&p, f, ctx->fd, 1);
	return 0;
}
