/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_PROC_FILE_H
#define TOLLGATE_PROC_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "user/base/span.h"

/* Opens /proc/PID/NAME with O_CLOEXEC and flags. The descriptor or -errno; a vanished process is -ESRCH. */
int proc_open(pid_t pid, const char *name, int flags);

/* Reads at most size-1 bytes of /proc/PID/NAME and terminates them. The number of bytes, or -errno; a
 * file that does not end within the room is cut. */
ssize_t proc_read(pid_t pid, const char *name, char *ret, size_t size);

/* The target of the link /proc/PID/NAME, terminated. -ENAMETOOLONG when it does not fit. */
int proc_readlink(pid_t pid, const char *name, char *ret, size_t size);

/* What descriptor fd of a process refers to. 0, -ESRCH (the process or the descriptor is gone) or -errno. */
int proc_fd_stat(pid_t pid, int fd, struct stat *ret);

/* The value of "Key:" in a text of such lines (/proc/PID/status), without leading blanks, up to the line's
 * end. Only at the start of a line. */
bool proc_field(struct span text, const char *key, struct span *ret);

/* Unsigned number in the given base at the start of s; the rest is left in s. False without a digit or
 * beyond 64 bits. */
bool proc_number(struct span *s, unsigned base, uint64_t *ret);

void proc_skip_blanks(struct span *s);

/* All digits, above 0 and within pid_t. */
bool proc_pid_of(const char *name, pid_t *ret);

#endif
