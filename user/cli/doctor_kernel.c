// SPDX-License-Identifier: Apache-2.0
/*
 * What the kernel offers: by its files, by system calls that are tried, by kernel programs that are loaded.
 */
#include "user/cli/doctor.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fanotify.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "user/base/cleanup.h"
#include "user/base/log.h"
#include "user/kern/cgroup.h"
#include "user/kern/feature.h"

#define KERNEL_MAJOR 6 /* the oldest that is tested: tests/vm */
#define KERNEL_MINOR 1
#define FEATURES_MAX 64

/* A refusal that an ordinary user gets tells nothing of the machine. */
static enum doctor_state refused(int error, enum doctor_state otherwise)
{
	return geteuid() != 0 && (error == -EPERM || error == -EACCES) ? DOCTOR_UNSEEN : otherwise;
}

/* --- files -------------------------------------------------------------------------------------------- */

static void look_at_version(struct doctor *d)
{
	unsigned major = 0, minor = 0;
	struct utsname u;
	bool old;

	if (uname(&u) < 0 || sscanf(u.release, "%u.%u", &major, &minor) != 2)
		return;
	old = major < KERNEL_MAJOR || (major == KERNEL_MAJOR && minor < KERNEL_MINOR);
	doctor_add(d, old ? DOCTOR_OPEN : DOCTOR_GOOD, "version", "everything",
		   "older than what Tollgate is tested on; what counts are the rows below", "%s", u.release);
}

static void look_at_btf(struct doctor *d)
{
	static const char path[] = "/sys/kernel/btf/vmlinux";
	bool there = doctor_has(d, path);

	doctor_add(d, there ? DOCTOR_GOOD : DOCTOR_MISSING, "BTF", "all kernel programs",
		   "boot a kernel with CONFIG_DEBUG_INFO_BTF=y; Debian's have it", "%s",
		   there ? path : "no /sys/kernel/btf/vmlinux");
}

static void look_at_cgroup2(struct doctor *d)
{
	char dir[PATH_MAX], controllers[128] = "";

	if (cgroup_root(dir) < 0) {
		doctor_add(d, DOCTOR_MISSING, "cgroup2", "every scope",
			   "mount it (systemd does, unless systemd.unified_cgroup_hierarchy=0 forbids it), "
			   "or: mount -t cgroup2 cgroup2 /sys/fs/cgroup", "not mounted");
		return;
	}
	doctor_add(d, DOCTOR_GOOD, "cgroup2", "every scope", NULL, "%s%s", dir,
		   strcmp(dir, "/sys/fs/cgroup") == 0 ? "" : " (a hybrid hierarchy)");
	(void)strncat(dir, "/cgroup.controllers", sizeof(dir) - strlen(dir) - 1);
	if (doctor_line(&(struct doctor){ .root = "" }, dir, controllers, sizeof(controllers)) == 0 &&
	    !strstr(controllers, "memory"))
		doctor_add(d, DOCTOR_OPEN, "cgroup2 controllers", "nothing of Tollgate's",
			   "cgroup v1 has them: limits of memory and tasks cannot be set for agents' scopes",
			   "%s", *controllers ? controllers : "none");
}

static void look_at_lsm(struct doctor *d)
{
	static const char path[] = "/sys/kernel/security/lsm";
	char list[128];
	int r = doctor_line(d, path, list, sizeof(list));

	if (r < 0) {
		doctor_add(d, refused(r, DOCTOR_OPEN), "security modules", "fence and seal",
			   "mount securityfs on /sys/kernel/security to see which are active", "%s: %s", path,
			   err_text(r));
		return;
	}
	/* Without its name in the list programs load, attach, and are never asked. */
	doctor_add(d, strstr(list, "bpf") ? DOCTOR_GOOD : DOCTOR_OPEN, "security modules", "fence and seal",
		   "root in a scope is not held back: add bpf to lsm= on the kernel's command line", "%s", list);
}

static void look_at_lockdown(struct doctor *d)
{
	char mode[128];

	if (doctor_line(d, "/sys/kernel/security/lockdown", mode, sizeof(mode)) < 0)
		return; /* a kernel without it hinders nothing */
	doctor_add(d, strstr(mode, "[confidentiality]") ? DOCTOR_OPEN : DOCTOR_GOOD, "lockdown",
		   "keys of TLS libraries (uprobes)",
		   "confidentiality forbids to read memory from probes: use lockdown=integrity", "%s", mode);
}

static void look_at_ptrace(struct doctor *d)
{
	char scope[16];

	if (doctor_line(d, "/proc/sys/kernel/yama/ptrace_scope", scope, sizeof(scope)) < 0)
		(void)snprintf(scope, sizeof(scope), "0");
	doctor_add(d, atoi(scope) >= 3 ? DOCTOR_MISSING : DOCTOR_GOOD, "ptrace", "takeover of stdio servers",
		   "no process may be attached to until a reboot: boot with kernel.yama.ptrace_scope below 3",
		   "yama.ptrace_scope %s", scope);
}

#define INITIAL_PID_NAMESPACE 0xeffffffcu /* PROC_PID_INIT_INO of the kernel */

/* Kernel programs see process ids of the machine; a daemon in a container would look for others by them. */
static void look_at_namespace(struct doctor *d)
{
	char path[4096];
	struct stat st;
	bool ours;

	if (snprintf(path, sizeof(path), "%s/proc/self/ns/pid", d->root) >= (int)sizeof(path) || stat(path, &st) < 0)
		return;
	ours = st.st_ino == INITIAL_PID_NAMESPACE;
	doctor_add(d, ours ? DOCTOR_GOOD : DOCTOR_MISSING, "process ids", "everything",
		   "run tollgated on the machine itself, or with its pid namespace (podman run --pid host)", "%s",
		   ours ? "the machine's own" : "those of a container");
}

void doctor_kernel(struct doctor *d)
{
	look_at_namespace(d);
	look_at_version(d);
	look_at_btf(d);
	look_at_cgroup2(d);
	look_at_lsm(d);
	look_at_lockdown(d);
	look_at_ptrace(d);
}

/* --- system calls ------------------------------------------------------------------------------------- */

/* On a file of our own, that nobody executes: nothing is held for it. */
static int try_fanotify(void)
{
	_cleanup_close_ int fd = fanotify_init(FAN_CLASS_CONTENT | FAN_CLOEXEC, O_RDONLY | O_CLOEXEC), file = -1;

	if (fd < 0)
		return -errno;
	file = memfd_create("tollgate-doctor", MFD_CLOEXEC);
	if (file < 0)
		return -errno;
	return fanotify_mark(fd, FAN_MARK_ADD, FAN_OPEN_EXEC_PERM, file, NULL) < 0 ? -errno : 0;
}

static void look_at_fanotify(struct doctor *d)
{
	int r = try_fanotify();

	doctor_add(d, r == 0 ? DOCTOR_GOOD : refused(r, DOCTOR_MISSING), "fanotify", "agents held before their exec",
		   "boot a kernel with CONFIG_FANOTIFY_ACCESS_PERMISSIONS=y; in a container, give CAP_SYS_ADMIN", "%s",
		   r == 0 ? "holds an exec until it is allowed" : err_text(r));
}

static void look_at_landlock(struct doctor *d)
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);

	if (abi > 0)
		doctor_add(d, DOCTOR_GOOD, "Landlock", "sandbox of proxy, notary, query", NULL, "ABI %ld", abi);
	else
		doctor_add(d, DOCTOR_MISSING, "Landlock", "sandbox of proxy, notary, query",
			   "add landlock to lsm= on the kernel's command line (CONFIG_SECURITY_LANDLOCK)", "%s",
			   err_text(errno));
}

static void look_at_seccomp(struct doctor *d)
{
	uint32_t kill = SECCOMP_RET_KILL_PROCESS;
	bool there = syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &kill) == 0;

	doctor_add(d, there ? DOCTOR_GOOD : DOCTOR_MISSING, "seccomp", "sandbox of every process",
		   "boot a kernel with CONFIG_SECCOMP_FILTER=y", "%s",
		   there ? "filters that kill" : err_text(errno));
}

static void look_at_pidfd(struct doctor *d)
{
	_cleanup_close_ int fd = (int)syscall(SYS_pidfd_open, getpid(), 0);

	doctor_add(d, fd >= 0 ? DOCTOR_GOOD : DOCTOR_MISSING, "pidfd", "killing the right process",
		   "use Linux 5.6 or later; a container's seccomp profile may forbid it", "%s",
		   fd >= 0 ? "opens" : err_text(errno));
}

void doctor_calls(struct doctor *d)
{
	look_at_fanotify(d);
	look_at_landlock(d);
	look_at_seccomp(d);
	look_at_pidfd(d);
}

/* --- kernel programs ---------------------------------------------------------------------------------- */

void doctor_programs(struct doctor *d)
{
	struct kern_feature all[FEATURES_MAX];
	unsigned n = kern_features(all, FEATURES_MAX);

	for (unsigned i = 0; i < n && i < FEATURES_MAX; i++) {
		const struct kern_feature *f = &all[i];
		enum doctor_state state = f->is == KERN_FEATURE_LOADS ? DOCTOR_GOOD :
					  f->is == KERN_FEATURE_UNSEEN ? DOCTOR_UNSEEN :
					  f->required ? DOCTOR_MISSING : DOCTOR_OPEN;

		doctor_add(d, state, f->id, f->part, f->without, "%s%s",
			   f->is == KERN_FEATURE_LOADS ? "loads" :
			   f->is == KERN_FEATURE_UNSEEN ? "only root may load it" : "refused: ",
			   f->is == KERN_FEATURE_REFUSED ? err_text(f->error) : "");
	}
}
