// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The fence by security hooks, everything but sockets: other tasks, the cgroup tree, the kernel itself,
 * and our pins. What is in a scope reaches nothing outside through them. Loaded with
 * fence_socket.bpf.c, all or none.
 */
#include "bpf/fence.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#define CGROUP2_SUPER_MAGIC 0x63677270
#define BPF_FS_MAGIC 0xcafe4a11
#define FMODE_WRITE 2

static __always_inline int touch(struct task_struct *other, s64 what)
{
	struct tg_label *l = labelled(), *theirs;

	if (!l || other->tgid == (pid_t)(bpf_get_current_pid_tgid() >> 32))
		return 0;
	theirs = label_of(other);
	if (theirs && akin(l, theirs))
		return 0;
	return fence_refuse(TG_STAT_FENCE_TASK, l, what);
}

/* ptrace(), process_vm_writev(), pidfd_getfd(), /proc/PID/mem and everything else in /proc that asks it. */
SEC("lsm/ptrace_access_check")
int BPF_PROG(ptrace_fence, struct task_struct *child, unsigned int mode)
{
	return touch(child, 0);
}

/* Only what a user sent; the kernel's own signals do not come by here. LIMIT: a signal that a descriptor's owner is
 * sent when it is ready (F_SETOWN, F_SETSIG) is checked against the user alone. */
SEC("lsm/task_kill")
int BPF_PROG(task_kill_fence, struct task_struct *p, struct kernel_siginfo *info, int sig,
	     const struct cred *cred)
{
	return touch(p, sig);
}

/* Moving oneself, or somebody else, to another cgroup, and freezing or killing one. clone3() into a cgroup opens
 * nothing: its child has the label, and makes no IP socket there. */
SEC("lsm/file_open")
int BPF_PROG(file_open_fence, struct file *file)
{
	struct tg_label *l;

	if (!(file->f_mode & FMODE_WRITE) ||
	    file->f_inode->i_sb->s_magic != CGROUP2_SUPER_MAGIC)
		return 0;
	l = labelled();
	return l ? fence_refuse(TG_STAT_FENCE_CGROUP, l, 0) : 0;
}

static __always_inline int kernel_reach(void)
{
	struct tg_label *l = fenced();

	return l ? fence_refuse(TG_STAT_FENCE_KERNEL, l, 0) : 0;
}

SEC("lsm/bpf")
int BPF_PROG(bpf_fence)
{
	return kernel_reach();
}

SEC("lsm/perf_event_open")
int BPF_PROG(perf_fence)
{
	return kernel_reach();
}

/* The same numbers in both hooks' enums. */
enum { READING_MODULE = 2, READING_KEXEC_IMAGE = 3, READING_KEXEC_INITRAMFS = 4 };

static __always_inline int kernel_read(int id)
{
	return id >= READING_MODULE && id <= READING_KEXEC_INITRAMFS ? kernel_reach() : 0;
}

SEC("lsm/kernel_read_file")
int BPF_PROG(kernel_read_fence, struct file *file, int id)
{
	return kernel_read(id);
}

SEC("lsm/kernel_load_data")
int BPF_PROG(kernel_load_fence, int id)
{
	return kernel_read(id);
}

/* In a user namespace of its own a sandbox may mount what it likes: nobody else sees it. */
static __always_inline int mounts(void)
{
	struct tg_label *l = fenced();
	struct task_struct *t = bpf_get_current_task_btf();

	if (!l || BPF_CORE_READ(t, cred, user_ns, level) > 0)
		return 0;
	return fence_refuse(TG_STAT_FENCE_MOUNT, l, 0);
}

SEC("lsm/sb_mount")
int BPF_PROG(sb_mount_fence)
{
	return mounts();
}

SEC("lsm/move_mount")
int BPF_PROG(move_mount_fence)
{
	return mounts();
}

SEC("lsm/sb_umount")
int BPF_PROG(sb_umount_fence)
{
	return mounts();
}

/* A pin that is removed lets go of its link at once. */
static __always_inline int pins(struct inode *dir)
{
	struct tg_label *l;

	if (dir->i_sb->s_magic != BPF_FS_MAGIC)
		return 0;
	l = fenced();
	return l ? fence_refuse(TG_STAT_FENCE_PIN, l, 0) : 0;
}

SEC("lsm/inode_unlink")
int BPF_PROG(inode_unlink_fence, struct inode *dir, struct dentry *dentry)
{
	return pins(dir);
}

SEC("lsm/inode_rename")
int BPF_PROG(inode_rename_fence, struct inode *from, struct dentry *what, struct inode *to,
	     struct dentry *as)
{
	return pins(from);
}
