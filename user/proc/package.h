/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_PROC_PACKAGE_H
#define TOLLGATE_PROC_PACKAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "user/base/digest.h"

/*
 * One digest for a file or a whole directory: what a server is made of. It is SHA-256 over these lines, the
 * entries sorted by the bytes of their paths below the directory (the directory itself, or a file that is
 * measured alone, has the empty path and comes first):
 *
 *	tollgate-package-1
 *	d MODE N:PATH
 *	f MODE N:PATH SIZE SHA256-OF-CONTENT-IN-HEX
 *	l MODE N:PATH N:TARGET
 *
 * each ended by a newline; MODE is four octal digits (07777 of the mode), N the length in bytes of what follows
 * the colon, numbers are decimal. Owners, times, extended attributes and hard links are not covered. Links are
 * not followed. A FIFO, a socket or a device is refused, and so is another file system that is mounted inside.
 */
#define PACKAGE_ENTRIES_MAX 65536 /* the largest trees of packages in use have some 30,000 files */
#define PACKAGE_BYTES_MAX (512ull << 20) /* of all contents; hashing holds the caller up, about 0.5 s for this */
#define PACKAGE_PATH_MAX 1024 /* of one entry, below the directory */
#define PACKAGE_NAMES_MAX (8u << 20) /* bytes of all paths: what a walk may take of memory */
#define PACKAGE_DEPTH_MAX 40 /* components of a path; nested packages come to about twenty */

struct package {
	uint8_t digest[SHA256_SIZE];
	unsigned entries;
	uint64_t bytes; /* of all files */
	char at[PACKAGE_PATH_MAX]; /* after a failure: the entry that it was about, "" the root */
};

/*
 * Measures what path_fd (O_PATH) refers to. The tree is listed, read, and then looked at once more: whatever has
 * changed meanwhile, as far as its status shows (not twice in one tick of the clock, before Linux 6.13), makes the
 * answer -EBUSY.
 * 0; -EINVAL neither file, directory nor link, or a link alone; -EFBIG, -E2BIG (entries, names, depth),
 * -ENAMETOOLONG beyond a limit; -EXDEV another file system inside; -EBUSY; else -errno.
 *
 * cached: an answer of this process may be given again when nothing has changed by inode, size, mode, mtime and
 * ctime, for trees that belong to root, which nobody else may write, and that did not change just now. Only there
 * can a change not hide: who may write a file can keep it mapped, and what goes through the mapping later changes no
 * time stamp. The caller must not ask for it where the process in question has root's rights itself.
 */
int package_measure(int path_fd, bool cached, struct package *ret);

#endif
