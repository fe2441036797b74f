/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_STDIO_WALK_H
#define TOLLGATE_STDIO_WALK_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "bpf/abi.h"

/* What one pass of the kernel's holder iterator (bpf/holder.bpf.c) found: every descriptor on the machine that refers
 * to the objects of a takeover. */

#define WALK_MAX 4096 /* descriptors: 64 processes with 64 duplicates each */

/* Zero-initialised is empty. */
struct walk {
	struct tg_holding *v;
	size_t n;
};

#define _cleanup_walk_ __attribute__((cleanup(walk_done)))
void walk_done(struct walk *w);

/* Reads one pass to its end. 0; -E2BIG beyond WALK_MAX; -EPROTO when what comes is no such list; -errno. */
int walk_read(int fd, struct walk *ret);

/* Whether the process holds anything, and whether a thread of it does by a descriptor table of its own. */
bool walk_has(const struct walk *w, pid_t pid, bool *ret_split);

/* Whether the descriptors account for every reference there is to what they refer to, and for every description of a
 * pipe's end. False also while some process is in the middle of a call on one of them: look again. */
bool walk_is_whole(const struct walk *w);

#endif
