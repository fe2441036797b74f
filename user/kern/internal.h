/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_KERN_INTERNAL_H
#define TOLLGATE_KERN_INTERNAL_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "user/kern/kern.h"
#include "user/kern/scope.h"

/* Shared maps, in the order of kern_map_table. */
enum kern_map {
	KM_STATE, KM_STATS, KM_EVENTS, KM_STDIO_EVENTS, KM_SEQUENCES, KM_LABELS, KM_LATE_LABELS,
	KM_SCOPE_CGROUPS, KM_ORIGINS, KM_FLOWS, KM_LISTENERS, KM_LISTENER_PORTS, KM_SELECTORS,
	KM_STOPPED, KM_STREAMS, KM_HEADS, KM_TAKENS, KM_READERS, KM_OURS, KM_SOUGHT,
	KM_CONTAINERS,
	KM_MAX_,
};

struct kern_map_spec {
	const char *name;
	uint32_t type, key_size, value_size;
	uint32_t entries; /* of a table; 0: as many as were wanted when it was made */
};
extern const struct kern_map_spec kern_map_table[KM_MAX_];

/* When a program is attached. */
enum kern_when {
	KW_ALWAYS, /* tracing, from the start */
	KW_STDIO, /* tracing, while kern_stdio_attach() is in force */
	KW_SCOPE, /* to each scope's cgroup */
	KW_DAEMON, /* to the daemon's cgroup */
	KW_FENCE, /* security hooks, from the start; loaded where the kernel has them, all or none */
	KW_FAMILY, /* tracing, while there is a scope; loaded where KW_FENCE is not */
	KW_RUN, /* called by user space */
};

enum kern_prog {
	KP_NEWTASK, KP_EXIT, KP_EXEC_GUARD, KP_SIGNAL_GUARD,
	KP_SYS_EXIT, KP_URING, KP_EXEC_CANDIDATE, KP_SYS_ENTER, /* in the order in which they are attached */
	KP_CONNECT4, KP_CONNECT6, KP_GETPEERNAME4, KP_GETPEERNAME6, KP_SOCKOPS_CLIENT,
	KP_SOCK_CREATE, KP_SENDMSG4, KP_SENDMSG6, KP_RECVMSG4, KP_RECVMSG6, KP_POST_BIND4, KP_POST_BIND6,
	KP_EGRESS, KP_DEVICE,
	KP_SOCKOPS_SERVER, KP_GETSOCKOPT,
	KP_LSM_SOCKET_CREATE, KP_LSM_SOCKET_CONNECT, KP_LSM_SOCKET_SENDMSG, KP_LSM_SOCKET_LISTEN,
	KP_LSM_FILE_PERMISSION, /* even there only where splice() to a socket passes no socket hook */
	KP_LSM_FILE_RECEIVE, KP_LSM_UNIX_STREAM, KP_LSM_UNIX_SEND, KP_LSM_PTRACE, KP_LSM_KILL,
	KP_LSM_FILE_OPEN, KP_LSM_BPF, KP_LSM_PERF, KP_LSM_KERNEL_READ, KP_LSM_KERNEL_LOAD, KP_LSM_MOUNT,
	KP_LSM_MOVE_MOUNT, KP_LSM_UMOUNT, KP_LSM_UNLINK, KP_LSM_RENAME,
	KP_FAMILY,
	KP_ITER_LABELS, KP_ITER_CANDIDATE, KP_ITER_SCOPE_HOLDERS, KP_ITER_HOLDERS, KP_STDIO_CONTROL,
	KP_MAX_,
};

struct kern_prog_spec {
	const char *name;
	enum kern_when when;
	int attach_type; /* enum bpf_attach_type, for cgroup programs */
};
extern const struct kern_prog_spec kern_prog_table[KP_MAX_];

struct kern {
	char dir[PATH_MAX]; /* <pin_dir>/v<N> */
	char pin_dir[PATH_MAX];
	int map[KM_MAX_];
	int prog[KP_MAX_]; /* -1: not loaded, of KW_FENCE and KW_FAMILY only */
	struct tg_state *state; /* the state map's only entry, shared with the programs */
	int walk[2]; /* links of the holder iterators: scopes, all; -1 before their first use */
	uint64_t canary; /* id of its cgroup; 0: none */
	bool adopted, renewed;
	uint32_t leaving[KP_MAX_]; /* ids of links that were unpinned and may still run; attach.c */
	unsigned nleaving;
	char broken[NAME_MAX + 1]; /* kern_verify()'s answer */
};

/* --- pin.c ------------------------------------------------------------------------------------ */

/* Makes sure that pin_dir lies on a bpffs of mode 0700, mounting one when needed. */
int pin_mount(const char *pin_dir, bool *ret_mounted);

/* snprintf into a path; -ENAMETOOLONG. */
int pin_path(char ret[static PATH_MAX], const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Unlinks a tree below a bpffs, deepest first. A missing one is fine. */
int pin_remove_tree(const char *dir);

/* Opens a pin; checks nothing. The descriptor or -errno. */
int pin_get(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* --- attach.c --------------------------------------------------------------------------------- */

/* Attaches one program (cgroup_fd -1 for tracing) and pins the link as <dir>/<program name>. */
int attach_pin(struct kern *k, enum kern_prog p, int cgroup_fd, const char *dir);

/* All programs of one kind that are loaded into a directory, atomically: <dir>_new, then renamed. */
int attach_all(struct kern *k, enum kern_when when, int cgroup_fd, const char *dir);

/* Undoes attach_all() of tracing programs. The kernel lets go of a link some time after its pin. */
int detach_all(struct kern *k, const char *dir);

/* Waits until what detach_all() unpinned has left, so that attaching anew does not make programs run twice for one
 * call. -ETIMEDOUT after LEAVE_LOOKS. */
int detach_wait(struct kern *k);

/* Whether all programs of a kind that are loaded have a live link in dir, each to the program it should be and,
 * when cgroup is not 0, to that cgroup. 0, or -ENOLINK with the name in k->broken. */
int attach_check(struct kern *k, enum kern_when when, uint64_t cgroup, const char *dir);

/* --- load.c ----------------------------------------------------------------------------------- */

/* Loads the programs into a fresh kern, attaches what is KW_ALWAYS, pins everything under
 * k->dir. */
int load_and_pin(struct kern *k, const struct kern_config *cfg, bool mounted);

/* The programs, over the maps that k has already and new ones for the others. 0 or -errno. */
int load_programs(struct kern *k, const struct kern_config *cfg);

/* Pins maps and programs below a new folder, in place of whatever has that name. 0 or -errno. */
int load_tree(const struct kern *k, const char *dir, bool mounted);

/* Opens the maps pinned below a version's folder. -ESTALE when one is missing or of another shape; with renew, those
 * that only tell are left out instead. */
int load_maps(struct kern *k, const char *dir, bool renew);

/* Opens the pins under k->dir. -ESTALE when they are not exactly ours. */
int load_adopt(struct kern *k);

/* Whether the pins under a v<N> directory say that kern_open() mounted the file system. */
bool load_was_mounted(const char *dir);

/* --- renew.c ---------------------------------------------------------------------------------- */

/* Puts this binary's programs in the place of those pinned below old, which may be k->dir: see there. -ESTALE, and
 * nothing is changed, when their maps are of another shape. */
int renew(struct kern *k, const struct kern_config *cfg, const char *old);

/* Thaws scopes that a renewal froze, if any. */
void renew_thaw(struct kern *k);

/* --- scope.c ---------------------------------------------------------------------------------- */

/* Runs a task iterator for one process (0: all) to its end; fn sees the lines of iter_labels. */
int iterate_tasks(struct kern *k, enum kern_prog p, pid_t pid, kern_scope_fn fn, void *arg);

/* KW_FAMILY programs are attached by the first scope and leave with the last. */
int family_attach(struct kern *k);
int family_check(struct kern *k);

/* --- health.c --------------------------------------------------------------------------------- */

/* One counter, summed over the CPUs. */
int stat_read(struct kern *k, enum tg_stat which, uint64_t *ret);

/* --- stopped.c -------------------------------------------------------------------------------- */

/* Field 22 of /proc/PID/stat of a process. */
int start_ticks_of(int pid, uint64_t *ret);

#endif
