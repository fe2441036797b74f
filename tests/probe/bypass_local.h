/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_TESTS_PROBE_BYPASS_LOCAL_H
#define TOLLGATE_TESTS_PROBE_BYPASS_LOCAL_H

/* Ways out through somebody else on the machine, through the cgroup tree, and through the kernel. */
#include <linux/bpf.h>
#include <linux/perf_event.h>
#include <linux/sched.h>
#include <signal.h>
#include <stddef.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/un.h>

#include "tests/probe/bypass_ip.h"

/* --- UNIX sockets --------------------------------------------------------------------------------- */

static socklen_t unix_name(struct sockaddr_un *a, const char *name, int abstract)
{
	size_t n = strlen(name);

	memset(a, 0, sizeof(*a));
	a->sun_family = AF_UNIX;
	memcpy(a->sun_path + abstract, name, n);
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + (size_t)abstract + n + !abstract);
}

static enum bypass by_unix_path(const struct bypass_stage *s)
{
	struct sockaddr_un a;
	socklen_t n = unix_name(&a, s->path, 0);

	return connect(socket(AF_UNIX, SOCK_STREAM, 0), (void *)&a, n) < 0 ? bypass_failed("connect") : BYPASS_THROUGH;
}

static enum bypass by_unix_abstract(const struct bypass_stage *s)
{
	struct sockaddr_un a;
	socklen_t n = unix_name(&a, s->abstract, 1);

	return connect(socket(AF_UNIX, SOCK_STREAM, 0), (void *)&a, n) < 0 ? bypass_failed("connect") : BYPASS_THROUGH;
}

static enum bypass by_unix_dgram(const struct bypass_stage *s)
{
	struct sockaddr_un a;
	socklen_t n = unix_name(&a, s->dgram, 0);

	return sendto(socket(AF_UNIX, SOCK_DGRAM, 0), "x", 1, MSG_DONTWAIT, (void *)&a, n) < 0 ? bypass_failed("sendto") :
												 BYPASS_THROUGH;
}

/* The descriptor may come by a channel that is older than the scope: the inherited end of a pair. */
static enum bypass by_scm(const struct bypass_stage *s)
{
	char byte, room[CMSG_SPACE(sizeof(int))] = "";
	struct iovec v = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof(room) };
	struct cmsghdr *c;
	int fd;

	if (bypass_ask(s, BYPASS_SEND) < 0 || recvmsg(s->ask, &m, 0) < 0)
		return bypass_failed("recvmsg");
	c = CMSG_FIRSTHDR(&m);
	if (!c || c->cmsg_type != SCM_RIGHTS)
		return m.msg_flags & MSG_CTRUNC ? BYPASS_REFUSED : BYPASS_ODD;
	memcpy(&fd, CMSG_DATA(c), sizeof(fd));
	return write(fd, "x", 1) < 0 ? bypass_failed("write") : BYPASS_THROUGH;
}

/* --- the cgroup tree ------------------------------------------------------------------------------ */

static enum bypass by_cgroup_write(const struct bypass_stage *s)
{
	char path[4200];
	int fd;

	snprintf(path, sizeof(path), "%s/cgroup.procs", s->cgroup);
	fd = open(path, O_WRONLY);
	return fd < 0 || write(fd, "0", 1) < 0 ? bypass_failed("write cgroup.procs") : BYPASS_THROUGH;
}

static enum bypass by_cgroup_child(const struct bypass_stage *s)
{
	char path[4200];
	int fd;

	/* Where the tree cannot be written, there is no way to the child either. */
	snprintf(path, sizeof(path), "%s/cgroup.procs", s->below);
	fd = open(path, O_WRONLY);
	if (fd < 0 || write(fd, "0", 1) < 0)
		return bypass_failed("write cgroup.procs");
	return by_tcp4(s);
}

static enum bypass by_cgroup_clone(const struct bypass_stage *s)
{
	struct clone_args args = { .flags = CLONE_INTO_CGROUP, .exit_signal = SIGCHLD };
	int st, dir = open(s->cgroup, O_RDONLY | O_DIRECTORY);
	pid_t pid;

	args.cgroup = (uint64_t)dir;
	pid = (pid_t)syscall(SYS_clone3, &args, sizeof(args));
	if (pid == 0)
		_exit(by_tcp4(s));
	if (pid < 0 || waitpid(pid, &st, 0) != pid)
		return bypass_failed("clone3");
	return WIFEXITED(st) ? (enum bypass)WEXITSTATUS(st) : BYPASS_REFUSED;
}

/* Asks the outsider to be moved; it has root's rights over the tree. */
static int be_moved(const struct bypass_stage *s)
{
	char c;

	return bypass_ask(s, getpid()) == 0 && read(s->ask, &c, 1) == 1 ? 0 : -1;
}

static enum bypass by_cgroup_moved(const struct bypass_stage *s)
{
	return be_moved(s) < 0 ? bypass_failed("be moved") : by_tcp4(s);
}

static enum bypass by_cgroup_kept(const struct bypass_stage *s)
{
	struct sockaddr_in a = bypass_in(s->port);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (fd < 0 || be_moved(s) < 0)
		return bypass_failed("be moved");
	return connect(fd, (void *)&a, sizeof(a)) < 0 ? bypass_failed("connect") : bypass_sink(fd);
}

/* --- other tasks ---------------------------------------------------------------------------------- */

static enum bypass by_ptrace(const struct bypass_stage *s)
{
	if (ptrace(PTRACE_SEIZE, s->outsider, NULL, NULL) < 0)
		return bypass_failed("ptrace");
	return BYPASS_THROUGH;
}

static enum bypass by_vm_writev(const struct bypass_stage *s)
{
	char x = 'x';
	struct iovec from = { &x, 1 }, to = { (void *)s->word, 1 };

	return process_vm_writev(s->outsider, &from, 1, &to, 1, 0) < 0 ? bypass_failed("process_vm_writev") : BYPASS_THROUGH;
}

static enum bypass by_pidfd_getfd(const struct bypass_stage *s)
{
	int pidfd = (int)syscall(SYS_pidfd_open, s->outsider, 0);

	return syscall(SYS_pidfd_getfd, pidfd, 0, 0) < 0 ? bypass_failed("pidfd_getfd") : BYPASS_THROUGH;
}

static enum bypass by_proc_mem(const struct bypass_stage *s)
{
	char path[40];

	snprintf(path, sizeof(path), "/proc/%d/mem", (int)s->outsider);
	return open(path, O_RDWR) < 0 ? bypass_failed("open") : BYPASS_THROUGH;
}

static enum bypass by_kill(const struct bypass_stage *s)
{
	return kill(s->outsider, SIGCONT) < 0 ? bypass_failed("kill") : BYPASS_THROUGH;
}

/* --- the kernel ----------------------------------------------------------------------------------- */

static enum bypass by_bpf(const struct bypass_stage *s)
{
	struct bpf_insn text[] = { { .code = BPF_ALU64 | BPF_MOV | BPF_K }, { .code = BPF_JMP | BPF_EXIT } };
	union bpf_attr a = { .prog_type = BPF_PROG_TYPE_SOCKET_FILTER };

	(void)s;
	a.insns = (uintptr_t)text;
	a.insn_cnt = 2;
	a.license = (uintptr_t) "GPL";
	return syscall(SYS_bpf, BPF_PROG_LOAD, &a, sizeof(a)) < 0 ? bypass_failed("bpf") : BYPASS_THROUGH;
}

static enum bypass by_perf(const struct bypass_stage *s)
{
	struct perf_event_attr a = { .type = PERF_TYPE_SOFTWARE, .size = sizeof(a), .config = PERF_COUNT_SW_CPU_CLOCK };

	(void)s;
	return syscall(SYS_perf_event_open, &a, 0, -1, -1, 0) < 0 ? bypass_failed("perf_event_open") : BYPASS_THROUGH;
}

/* In a mount namespace of its own, so that the test leaves nothing; who may that, may without. */
static enum bypass by_mount(const struct bypass_stage *s)
{
	(void)s;
	if (unshare(CLONE_NEWNS) < 0)
		return bypass_failed("unshare");
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return bypass_failed("mount");
	return mount("probe", "/tmp", "tmpfs", 0, NULL) < 0 ? bypass_failed("mount") : BYPASS_THROUGH;
}

static enum bypass by_unlink(const struct bypass_stage *s)
{
	return unlink(s->pin) < 0 ? bypass_failed("unlink") : BYPASS_THROUGH;
}

/* A file that is no module gets as far as to be read: the kernel then says so. */
static enum bypass by_module(const struct bypass_stage *s)
{
	int fd = open("/proc/self/exe", O_RDONLY);

	(void)s;
	if (syscall(SYS_finit_module, fd, "", 0) < 0 && errno != ENOEXEC)
		return bypass_failed("finit_module");
	return BYPASS_THROUGH;
}

#endif
