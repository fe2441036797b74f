/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_KERN_GUARD_H
#define TOLLGATE_KERN_GUARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "bpf/abi.h"

struct kern;

/* What an agent is recognised by at exec, in the kernel. A selector matches when any of its kind
 * does. */
struct kern_selector {
	enum tg_selector_kind kind;
	uint32_t agent; /* TG_SEL_SERVER: not used */
	/* TG_SEL_EXE, TG_SEL_SCRIPT (the interpreter), TG_SEL_LOADER (the loader), TG_SEL_SERVER */
	struct tg_file_key exe;
	/* TG_SEL_SCRIPT: base name of the script; TG_SEL_NAME: of the program, in the directory that exe names.
	 * Borrowed during the call. */
	const char *script;
	uint32_t uid; /* TG_SEL_UID */
	uint64_t cgroup; /* TG_SEL_CGROUP */
	uint64_t size; /* TG_SEL_SIZE: of the program */
};

/* The key under which programs know a file: st_dev is not it on btrfs and overlayfs, so the device
 * is taken from the mount that the path lies on. LIMIT: overlayfs may show another inode number
 * than it keeps; then the selector does not match in the kernel. */
int kern_file_key(const char *path, struct tg_file_key *ret);
int kern_file_key_fd(int fd, struct tg_file_key *ret);

/* FNV-1a 64 of the part of an argument behind its last '/'. */
uint64_t kern_basename_hash(const char *arg);

/* Replaces all selectors at once: programs see the old set or the new one. -E2BIG beyond the
 * map. */
int kern_selectors_set(struct kern *k, const struct kern_selector *sel, size_t n);

/* With a selector TG_SEL_CONTAINER every exec in a cgroup that is named like a container's is stopped, until that
 * cgroup is settled: whose it is is known, and does not change while it lives. cgroup: its id. 0 or -errno. */
int kern_container_settle(struct kern *k, uint64_t cgroup);

/* Every container is looked at again: the agents may be others. */
void kern_containers_forget(struct kern *k);

/* --- stopped processes ------------------------------------------------------------------------ */

/* A start time as the programs tell it (ns of the boot clock), in the unit of /proc/PID/stat. */
uint64_t kern_start_ticks(uint64_t start_ns);

/* Lets a process go on that our programs stopped: strikes it from the list and sends SIGCONT. A
 * SIGCONT from outside the daemon's cgroup kills it instead, as does one sent while no daemon
 * cgroup is set. -ENOENT when it is not on the list, -ESRCH when it is gone (then the entry is
 * removed too). */
int kern_stopped_continue(struct kern *k, pid_t pid);

/* The stopped process dies through its pidfd, and is struck from the list. */
int kern_stopped_kill(struct kern *k, pid_t pid);

/* Walks the list: what an event told, what was lost, and what an earlier daemon left. Entries of
 * processes that are gone are removed on the way. fn returns 0 to go on. */
typedef int (*kern_stopped_fn)(pid_t pid, const struct tg_stopped *s, void *arg);
int kern_stopped_each(struct kern *k, kern_stopped_fn fn, void *arg);

#endif
