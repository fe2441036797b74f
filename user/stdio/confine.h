/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_STDIO_CONFINE_H
#define TOLLGATE_STDIO_CONFINE_H

#include <linux/filter.h>
#include <stdbool.h>
#include <stddef.h>

#include "user/stdio/holder.h"

/* The cage of a server: no new privileges, a Landlock domain, a seccomp filter, and no variables but its own. What
 * is put on a process here it can never take off, and neither can what it starts. Role injector only. */

struct stdio_cage {
	int ruleset; /* Landlock's, made by who may open paths */
	bool network; /* false: no sockets but pairs, and no io_uring, which would make them past the filter */
	bool truncate; /* Landlock does not handle truncation (before its ABI 3): the filter does */
	const char *env; /* names that stay, each NUL-terminated */
	size_t env_n; /* bytes */
};

/*
 * Puts a stopped process, whose tracee has begun, into the cage with all its threads, and takes the variables that
 * it may not keep out of the memory that it was started with. Copies that it has made since are beyond that.
 * 0; -EOPNOTSUPP the kernel has not what it takes; -EPERM or another error of the injected calls; what was put on
 * some threads stays on them: the caller kills. LIMIT: a process that had a seccomp filter before which asks a
 * supervisor of its own (SECCOMP_RET_USER_NOTIF) can be told that a call was made which was not.
 */
int confine_holder(struct holder *h, const struct stdio_cage *c);

/* The filter's instructions. Room for CONFINE_FILTER_MAX; returns how many. */
#define CONFINE_FILTER_MAX 32
unsigned confine_filter(const struct stdio_cage *c, struct sock_filter *ret);

/* Overwrites with NULs what must not stay of a piece of an environment: entries up to the last NUL of p[0..n). Returns
 * how many bytes of it were whole entries; *ret_dirty when any of them was overwritten. Total on any bytes. */
size_t confine_scrub(char *p, size_t n, const char *keep, size_t keep_n, bool *ret_dirty);

#endif
