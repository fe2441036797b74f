/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_PROC_MEASURE_H
#define TOLLGATE_PROC_MEASURE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "user/base/digest.h"

/* Hashing holds its caller up (about 0.5 s for this); what is larger is not measured. */
#define MEASURE_SIZE_MAX (512u << 20)

/*
 * SHA-256 of the regular file behind path_fd (an O_PATH descriptor), which process pid sees in its mount
 * namespace. 0; -EINVAL not a regular file; -EFBIG; -EOPNOTSUPP it lies on FUSE, whose server may answer
 * each reader differently or never; -EBUSY it changed while being read; else -errno.
 * Digests are cached by device, inode, size, mtime and ctime, except of files changed so lately that a
 * second change could carry the same time stamp.
 */
int measure_file(pid_t pid, int path_fd, uint8_t ret[SHA256_SIZE]);

/* Whether a file's last change is so long ago that another one will show in its time stamps. */
bool measure_is_settled(const struct stat *st);

#endif
