/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_FILE_H
#define TOLLGATE_FILE_H

#include <stddef.h>
#include <sys/types.h>

#include "user/base/buf.h"

/* Reads a whole regular file (or anything readable to its end) of at most max bytes into an
 * initialised buffer. 0, -EFBIG beyond max, or the errno of open/read. */
int file_read(const char *path, size_t max, struct buf *ret);
int file_read_fd(int fd, size_t max, struct buf *ret);

/* Reads what a descriptor of a file or memfd holds from its start, without moving the offset that other
 * processes may share. 0, -EFBIG or -errno. */
int file_read_at_start(int fd, size_t max, struct buf *ret);

/* Writes all n bytes, going on after short writes and EINTR. 0 or -errno. */
int fd_write_all(int fd, const void *p, size_t n);

/* Writes path by way of a temporary neighbour, fsync() and rename(), so a reader sees the old or the
 * new whole. mode is the new file's. 0 or -errno. */
int file_replace(const char *path, const void *p, size_t n, mode_t mode);

int fd_nonblock(int fd);

/* A sealed memfd holding the n bytes: no one who gets it can change it. The descriptor or -errno. */
int memfd_sealed(const char *name, const void *p, size_t n);

#endif
