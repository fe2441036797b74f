// SPDX-License-Identifier: Apache-2.0
/*
 * Attaching programs and checking that they are attached. Links are pinned; a set of links appears
 * under its name only when it is complete.
 */
#include "user/kern/internal.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "user/base/cleanup.h"

#define LEAVE_LOOK_NS 500000
#define LEAVE_LOOKS 2000 /* a second and more; a grace period of the kernel is over in a tenth of it */

const struct kern_prog_spec kern_prog_table[KP_MAX_] = {
	[KP_NEWTASK] = { "newtask_label", KW_ALWAYS, 0 },
	[KP_EXIT] = { "exit_label", KW_ALWAYS, 0 },
	[KP_EXEC_GUARD] = { "exec_guard", KW_ALWAYS, 0 },
	[KP_SIGNAL_GUARD] = { "signal_guard", KW_ALWAYS, 0 },
	[KP_SYS_EXIT] = { "sys_exit_follow", KW_STDIO, 0 },
	[KP_URING] = { "uring_follow", KW_STDIO, 0 },
	[KP_EXEC_CANDIDATE] = { "exec_candidate", KW_STDIO, 0 },
	[KP_SYS_ENTER] = { "sys_enter_follow", KW_STDIO, 0 },
	[KP_CONNECT4] = { "connect4_steer", KW_SCOPE, BPF_CGROUP_INET4_CONNECT },
	[KP_CONNECT6] = { "connect6_steer", KW_SCOPE, BPF_CGROUP_INET6_CONNECT },
	[KP_GETPEERNAME4] = { "getpeername4_mask", KW_SCOPE, BPF_CGROUP_INET4_GETPEERNAME },
	[KP_GETPEERNAME6] = { "getpeername6_mask", KW_SCOPE, BPF_CGROUP_INET6_GETPEERNAME },
	[KP_SOCKOPS_CLIENT] = { "sockops_client", KW_SCOPE, BPF_CGROUP_SOCK_OPS },
	[KP_SOCK_CREATE] = { "sock_create_fence", KW_SCOPE, BPF_CGROUP_INET_SOCK_CREATE },
	[KP_SENDMSG4] = { "sendmsg4_fence", KW_SCOPE, BPF_CGROUP_UDP4_SENDMSG },
	[KP_SENDMSG6] = { "sendmsg6_fence", KW_SCOPE, BPF_CGROUP_UDP6_SENDMSG },
	[KP_RECVMSG4] = { "recvmsg4_mask", KW_SCOPE, BPF_CGROUP_UDP4_RECVMSG },
	[KP_RECVMSG6] = { "recvmsg6_mask", KW_SCOPE, BPF_CGROUP_UDP6_RECVMSG },
	[KP_POST_BIND4] = { "post_bind4_fence", KW_SCOPE, BPF_CGROUP_INET4_POST_BIND },
	[KP_POST_BIND6] = { "post_bind6_fence", KW_SCOPE, BPF_CGROUP_INET6_POST_BIND },
	[KP_EGRESS] = { "egress_fence", KW_SCOPE, BPF_CGROUP_INET_EGRESS },
	[KP_DEVICE] = { "device_fence", KW_SCOPE, BPF_CGROUP_DEVICE },
	[KP_SOCKOPS_SERVER] = { "sockops_server", KW_DAEMON, BPF_CGROUP_SOCK_OPS },
	[KP_GETSOCKOPT] = { "getsockopt_origin", KW_DAEMON, BPF_CGROUP_GETSOCKOPT },
	[KP_LSM_SOCKET_CREATE] = { "socket_create_fence", KW_FENCE, 0 },
	[KP_LSM_SOCKET_CONNECT] = { "socket_connect_fence", KW_FENCE, 0 },
	[KP_LSM_SOCKET_SENDMSG] = { "socket_sendmsg_fence", KW_FENCE, 0 },
	[KP_LSM_SOCKET_LISTEN] = { "socket_listen_fence", KW_FENCE, 0 },
	[KP_LSM_FILE_PERMISSION] = { "file_permission_fence", KW_FENCE, 0 },
	[KP_LSM_FILE_RECEIVE] = { "file_receive_fence", KW_FENCE, 0 },
	[KP_LSM_UNIX_STREAM] = { "unix_stream_connect_fence", KW_FENCE, 0 },
	[KP_LSM_UNIX_SEND] = { "unix_may_send_fence", KW_FENCE, 0 },
	[KP_LSM_PTRACE] = { "ptrace_fence", KW_FENCE, 0 },
	[KP_LSM_KILL] = { "task_kill_fence", KW_FENCE, 0 },
	[KP_LSM_FILE_OPEN] = { "file_open_fence", KW_FENCE, 0 },
	[KP_LSM_BPF] = { "bpf_fence", KW_FENCE, 0 },
	[KP_LSM_PERF] = { "perf_fence", KW_FENCE, 0 },
	[KP_LSM_KERNEL_READ] = { "kernel_read_fence", KW_FENCE, 0 },
	[KP_LSM_KERNEL_LOAD] = { "kernel_load_fence", KW_FENCE, 0 },
	[KP_LSM_MOUNT] = { "sb_mount_fence", KW_FENCE, 0 },
	[KP_LSM_MOVE_MOUNT] = { "move_mount_fence", KW_FENCE, 0 },
	[KP_LSM_UMOUNT] = { "sb_umount_fence", KW_FENCE, 0 },
	[KP_LSM_UNLINK] = { "inode_unlink_fence", KW_FENCE, 0 },
	[KP_LSM_RENAME] = { "inode_rename_fence", KW_FENCE, 0 },
	[KP_FAMILY] = { "sys_enter_fence", KW_FAMILY, 0 },
	[KP_ITER_LABELS] = { "iter_labels", KW_RUN, 0 },
	[KP_ITER_CANDIDATE] = { "iter_candidate", KW_RUN, 0 },
	[KP_ITER_SCOPE_HOLDERS] = { "iter_scope_holders", KW_RUN, 0 },
	[KP_ITER_HOLDERS] = { "iter_holders", KW_RUN, 0 },
	[KP_STDIO_CONTROL] = { "stdio_control", KW_RUN, 0 },
};

int attach_pin(struct kern *k, enum kern_prog p, int cgroup_fd, const char *dir)
{
	const struct kern_prog_spec *s = &kern_prog_table[p];
	_cleanup_close_ int fd = -1;
	char path[PATH_MAX];
	int r;

	r = pin_path(path, "%s/%s", dir, s->name);
	if (r < 0)
		return r;
	if (cgroup_fd < 0)
		fd = bpf_raw_tracepoint_open(NULL, k->prog[p]);
	else
		fd = bpf_link_create(k->prog[p], cgroup_fd, s->attach_type, NULL);
	if (fd < 0)
		return -errno;
	return bpf_obj_pin(fd, path) < 0 ? -errno : 0;
}

int attach_all(struct kern *k, enum kern_when when, int cgroup_fd, const char *dir)
{
	char tmp[PATH_MAX];
	int r;

	r = pin_path(tmp, "%s_new", dir);
	if (r < 0)
		return r;
	/* What a crash left half done. */
	r = pin_remove_tree(tmp);
	if (r < 0)
		return r;
	if (mkdir(tmp, 0700) < 0)
		return -errno;
	for (int p = 0; p < KP_MAX_ && r == 0; p++)
		if (kern_prog_table[p].when == when && k->prog[p] >= 0)
			r = attach_pin(k, p, cgroup_fd, tmp);
	if (r == 0 && rename(tmp, dir) < 0)
		r = -errno;
	if (r < 0)
		(void)pin_remove_tree(tmp);
	return r;
}

static int link_info(const char *dir, enum kern_prog p, struct bpf_link_info *ret)
{
	_cleanup_close_ int fd = pin_get("%s/%s", dir, kern_prog_table[p].name);
	uint32_t n = sizeof(*ret);

	return fd < 0 || bpf_obj_get_info_by_fd(fd, ret, &n) < 0 ? -ENOLINK : 0;
}

int detach_all(struct kern *k, const char *dir)
{
	struct bpf_link_info link;

	k->nleaving = 0;
	for (int p = 0; p < KP_MAX_; p++) {
		memset(&link, 0, sizeof(link));
		if (link_info(dir, p, &link) == 0)
			k->leaving[k->nleaving++] = link.id;
	}
	return pin_remove_tree(dir);
}

/* By number, since a link that nobody holds cannot be opened any more while it still waits to be taken down. */
static bool link_exists(uint32_t id)
{
	uint32_t next;

	return bpf_link_get_next_id(id - 1, &next) == 0 && next == id;
}

int detach_wait(struct kern *k)
{
	const struct timespec pause = { .tv_nsec = LEAVE_LOOK_NS };

	for (unsigned looks = 0; k->nleaving; looks++) {
		while (k->nleaving && !link_exists(k->leaving[k->nleaving - 1]))
			k->nleaving--;
		if (looks >= LEAVE_LOOKS)
			return -ETIMEDOUT;
		if (k->nleaving)
			(void)nanosleep(&pause, NULL);
	}
	return 0;
}

static int check_one(struct kern *k, enum kern_prog p, uint64_t cgroup, const char *dir)
{
	const struct kern_prog_spec *s = &kern_prog_table[p];
	struct bpf_prog_info prog = { 0 };
	struct bpf_link_info link = { 0 };
	uint32_t n = sizeof(prog);

	if (link_info(dir, p, &link) < 0)
		return -ENOLINK;
	if (bpf_obj_get_info_by_fd(k->prog[p], &prog, &n) < 0 || link.prog_id != prog.id)
		return -ENOLINK;
	if (s->when != KW_SCOPE && s->when != KW_DAEMON)
		return 0;
	/* A link whose cgroup was removed says cgroup 0. */
	if (link.type != BPF_LINK_TYPE_CGROUP || !link.cgroup.cgroup_id ||
	    (cgroup && link.cgroup.cgroup_id != cgroup) ||
	    (int)link.cgroup.attach_type != s->attach_type)
		return -ENOLINK;
	return 0;
}

int attach_check(struct kern *k, enum kern_when when, uint64_t cgroup, const char *dir)
{
	for (int p = 0; p < KP_MAX_; p++)
		if (kern_prog_table[p].when == when && k->prog[p] >= 0 &&
		    check_one(k, p, cgroup, dir) < 0) {
			snprintf(k->broken, sizeof(k->broken), "%s", kern_prog_table[p].name);
			return -ENOLINK;
		}
	return 0;
}
