// SPDX-License-Identifier: Apache-2.0
/*
 * Which system calls each role may make: data only, applied by sandbox.c. A call is listed because
 * something the role does needs it; a name that is not listed kills the role. Grouped by purpose, so a
 * reader can see what a role was given. Names that an architecture does not have are skipped on it.
 */
#include "user/role/seccomp_tables.h"

#include <fcntl.h>
#include <linux/sched.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <termios.h>

#include "user/base/cleanup.h"

#define LOW32 0xffffffffu
#define TYPE_MASK 0xfu /* of a socket type: without SOCK_CLOEXEC and SOCK_NONBLOCK */

#define VALUES(v) (v), ARRAY_SIZE(v)
#define INT_IN(i, v) { .index = (i), .mask = LOW32, VALUES(v) }
#define BITS_IN(i, m, v) { .index = (i), .mask = (m), VALUES(v) }

static const uint64_t zero[] = { 0 };

/* --- every role but the keeper ------------------------------------------------------------------- */

/* The C library, memory, time, the event loop, reading and writing what is open. */
static const char *const names_base[] = {
	"brk", "munmap", "mremap", "madvise", "exit", "exit_group", "restart_syscall",
	"rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "rt_sigpending", "rt_sigtimedwait",
	"sigaltstack", "futex", "sched_yield", "membarrier", "getcpu", "rseq", "set_robust_list",
	"clock_gettime", "clock_getres", "clock_nanosleep", "nanosleep", "gettimeofday", "time",
	"getpid", "gettid", "getppid", "getuid", "geteuid", "getgid", "getegid", "getresuid",
	"getresgid", "getrandom", "uname", "sysinfo", "getrlimit", "getrusage", "umask",
	"read", "write", "readv", "writev", "pread64", "pwrite64", "preadv", "pwritev", "preadv2",
	"pwritev2", "lseek", "close", "close_range", "dup", "dup2", "dup3", "fstat",
	"epoll_create1", "epoll_ctl", "epoll_wait", "epoll_pwait", "epoll_pwait2", "poll", "ppoll",
	"select", "pselect6", "timerfd_create", "timerfd_settime", "timerfd_gettime", "eventfd2",
	"signalfd4", "memfd_create", "ftruncate",
	/* the channel to the other roles, and whoever connects */
	"sendmsg", "recvmsg", "sendto", "recvfrom", "getsockopt", "setsockopt", "getsockname",
	"getpeername", "shutdown", "accept4",
	NULL,
};

/* No role but the supervisor makes code: what is executable was so before the sandbox. */
static const uint64_t prot_data[] = { 0 };
static const uint64_t prctl_data[] = {
	PR_SET_NAME, PR_GET_NAME, PR_GET_DUMPABLE, PR_GET_PDEATHSIG, PR_GET_NO_NEW_PRIVS,
	0x53564d41, /* PR_SET_VMA: names of anonymous memory, tried by newer C libraries */
};
static const uint64_t fcntl_data[] = {
	F_DUPFD_CLOEXEC, F_GETFD, F_SETFD, F_GETFL, F_SETFL, F_ADD_SEALS, F_GET_SEALS, F_GETPIPE_SZ,
	F_SETPIPE_SZ,
};
/* What isatty() and the loops ask, and bytes in a queue; not TIOCSTI, nor any driver's own. */
static const uint64_t ioctl_data[] = { FIONREAD, TIOCOUTQ, FIONBIO, FIOCLEX, TCGETS, TIOCGWINSZ };
/* fstat() of newer C libraries. LIMIT: with a path it also tells that a file exists, and its size. */
static const uint64_t at_empty_path[] = { AT_EMPTY_PATH };

static const struct seccomp_rule rules_base[] = {
	{ "mmap", { BITS_IN(2, PROT_EXEC, prot_data) } },
	{ "mprotect", { BITS_IN(2, PROT_EXEC, prot_data) } },
	{ "prctl", { INT_IN(0, prctl_data) } },
	{ "fcntl", { INT_IN(1, fcntl_data) } },
	{ "ioctl", { INT_IN(1, ioctl_data) } },
	{ "newfstatat", { BITS_IN(3, AT_EMPTY_PATH, at_empty_path) } },
	{ "statx", { BITS_IN(2, AT_EMPTY_PATH, at_empty_path) } },
	/* reading limits, of itself; setting has a pointer */
	{ "prlimit64", { INT_IN(0, zero), BITS_IN(2, UINT64_MAX, zero) } },
	{ 0 },
};

/* The C library falls back to clone(), whose flags can be looked at. */
static const char *const names_absent[] = { "clone3", NULL };

/* Looked for by the C library and by OpenSSL when first needed (time zones, messages, number of cores,
 * configuration). They do without; dying of it would be an outage and keep nobody out. */
static const char *const names_no_files[] = {
	"open", "openat", "openat2", "access", "faccessat", "faccessat2", "readlink", "readlinkat",
	"getcwd", "stat", "lstat", "sched_getaffinity", NULL,
};

static const struct seccomp_rule rules_no_files[] = {
	{ "newfstatat", { BITS_IN(3, AT_EMPTY_PATH, zero) } },
	{ "statx", { BITS_IN(2, AT_EMPTY_PATH, zero) } },
	{ 0 },
};

/* --- proxy: the one that reads hostile bytes ---------------------------------------------------- */

static const char *const names_proxy[] = {
	"connect", "splice", "tee", "pipe2", NULL,
};

static const uint64_t domains_inet[] = { AF_INET, AF_INET6 };
/* Connections to servers, and questions to name servers. */
static const uint64_t types_proxy[] = { SOCK_STREAM, SOCK_DGRAM };

static const struct seccomp_rule rules_proxy[] = {
	{ "socket", { INT_IN(0, domains_inet), BITS_IN(1, TYPE_MASK, types_proxy) } },
	{ 0 },
};

/* --- canary: it connects, as the proxy does ------------------------------------------------------- */

static const char *const names_canary[] = { "connect", NULL };

/* --- notary and query: files below their folders, which Landlock names --------------------------- */

static const char *const names_files_read[] = {
	"open", "openat", "openat2", "access", "faccessat", "faccessat2", "newfstatat", "statx", "stat", "lstat",
	"getdents64", "readlink", "readlinkat", "getcwd", "fadvise64", "fstatfs", "statfs",
	NULL,
};

static const char *const names_files_write[] = {
	"fsync", "fdatasync", "sync_file_range", "fallocate", "flock", "rename", "renameat",
	"renameat2", "unlink", "unlinkat", "mkdir", "mkdirat", "fchmod", "fchown", "utimensat",
	NULL,
};

/* Moving the set-aside tail without ever overwriting. */
static const char *const names_notary[] = { "link", "linkat", "msync", NULL };

/* Following the log as it grows; sendfile is libmicrohttpd's. */
static const char *const names_query[] = {
	"inotify_init1", "inotify_add_watch", "inotify_rm_watch", "sendfile", "pipe2", "rmdir", NULL,
};

static const uint64_t fcntl_locks[] = {
	F_GETLK, F_SETLK, F_SETLKW, F_OFD_GETLK, F_OFD_SETLK, F_OFD_SETLKW,
};

static const struct seccomp_rule rules_locks[] = {
	{ "fcntl", { INT_IN(1, fcntl_locks) } },
	{ 0 },
};

static const char *const names_no_affinity[] = { "sched_getaffinity", NULL };

/* --- injector: one takeover --------------------------------------------------------------------- */

static const char *const names_injector[] = {
	"ptrace", "process_vm_readv", "process_vm_writev", "wait4", "waitid", "kill", "tkill", "tgkill",
	"pidfd_open", "pidfd_getfd", "pidfd_send_signal", "kcmp", "open", "openat", "openat2", "newfstatat",
	"statx", "stat", "lstat", "getdents64", "readlink", "readlinkat", "access", "faccessat", "faccessat2",
	"tee", "pipe2", "setitimer", "getitimer", "alarm", "fcntl",
	NULL,
};

static const uint64_t domains_unix[] = { AF_UNIX };

/* To hand descriptors into the tree it works on. */
static const struct seccomp_rule rules_injector[] = {
	{ "socketpair", { INT_IN(0, domains_unix) } },
	{ 0 },
};

/* --- supervisor ---------------------------------------------------------------------------------- */

/* Kernel programs, events, scopes. No ptrace (the injector's), no execve, no modules. */
static const char *const names_supervisor[] = {
	"bpf", "perf_event_open", "fanotify_init", "fanotify_mark", "inotify_init1",
	"inotify_add_watch", "inotify_rm_watch", "name_to_handle_at", "open_by_handle_at", "setns", "mount", "umount2",
	"kill", "tgkill", "pidfd_open", "pidfd_getfd", "pidfd_send_signal", "kcmp", "process_vm_readv",
	"wait4", "waitid", "capget", "sched_getaffinity", "sched_setaffinity",
	"prlimit64", "setrlimit", "mmap", "mprotect", "mlock", "fcntl", "ioctl", "tee", "pipe2",
	"socketpair", "bind", "listen", "connect", "chmod", "fchmodat", "chown", "fchownat", "rmdir",
	"symlinkat", "link", "linkat", "getxattr", "fgetxattr", "prctl",
	"landlock_create_ruleset", "landlock_add_rule", /* the cages of servers (cage.c) */
	NULL,
};

static const uint64_t domains_supervisor[] = { AF_UNIX, AF_INET, AF_INET6, AF_NETLINK };
/* A thread that enters a namespace (listener.c). A new process would have the supervisor's powers. */
static const uint64_t clone_thread[] = { CLONE_VM | CLONE_THREAD | CLONE_SIGHAND };

static const struct seccomp_rule rules_supervisor[] = {
	{ "socket", { INT_IN(0, domains_supervisor) } },
	{ "clone", { BITS_IN(0, CLONE_VM | CLONE_THREAD | CLONE_SIGHAND | CLONE_NEWUSER | CLONE_NEWNS,
			     clone_thread) } },
	{ 0 },
};

/* --- sanitizers ---------------------------------------------------------------------------------- */

/* What their run-time library does beyond the program; in no other build. */
#ifdef __SANITIZE_ADDRESS__
static const char *const names_sanitizer[] = { "tgkill", "mincore", NULL };
#define SANITIZER names_sanitizer
#else
#define SANITIZER NULL
#endif

/* --- keeper --------------------------------------------------------------------------------------- */

/* What no role needs, ever: changing the kernel or the machine under us, keyrings, and calls with a long
 * history of holes. The supervisor's own table is narrower still. */
const char *const seccomp_keeper_deny[] = {
	"init_module", "finit_module", "delete_module", "kexec_load", "kexec_file_load", "reboot",
	"swapon", "swapoff", "settimeofday", "clock_settime", "clock_adjtime", "adjtimex", "acct",
	"quotactl", "quotactl_fd", "iopl", "ioperm", "modify_ldt", "vm86", "vm86old", "lookup_dcookie",
	"nfsservctl", "uselib", "userfaultfd", "add_key", "request_key", "keyctl", "io_uring_setup",
	"io_uring_enter", "io_uring_register", "pivot_root", "chroot", "sethostname", "setdomainname",
	"syslog", "move_pages", "migrate_pages", "mbind", "set_mempolicy", "personality", "vhangup",
	"remap_file_pages", "mknod", "mknodat",
	NULL,
};

static const struct seccomp_table tables[ROLE_MAX_] = {
	[ROLE_SUPERVISOR] = { .allow = { names_base, names_files_read, names_files_write,
					 names_supervisor, SANITIZER },
			      .rules = { rules_supervisor },
			      .absent = names_absent },
	[ROLE_INJECTOR] = { .allow = { names_base, names_injector, SANITIZER },
			    .rules = { rules_base, rules_injector },
			    .absent = names_absent },
	[ROLE_PROXY] = { .allow = { names_base, names_proxy, SANITIZER },
			 .rules = { rules_base, rules_proxy },
			 .refuse = names_no_files,
			 .refuse_rules = rules_no_files,
			 .absent = names_absent },
	[ROLE_CANARY] = { .allow = { names_base, names_canary, SANITIZER },
			  .rules = { rules_base, rules_proxy },
			  .refuse = names_no_files,
			  .refuse_rules = rules_no_files,
			  .absent = names_absent },
	[ROLE_NOTARY] = { .allow = { names_base, names_files_read, names_files_write, names_notary,
				     SANITIZER },
			  .rules = { rules_base, rules_locks },
			  .refuse = names_no_affinity,
			  .absent = names_absent },
	[ROLE_QUERY] = { .allow = { names_base, names_files_read, names_files_write, names_query,
				    SANITIZER },
			 .rules = { rules_base, rules_locks },
			 .refuse = names_no_affinity,
			 .absent = names_absent },
};

const struct seccomp_table *seccomp_table_of(enum role role)
{
	return (unsigned)role < ROLE_MAX_ && role != ROLE_KEEPER ? &tables[role] : NULL;
}
