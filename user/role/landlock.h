/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_ROLE_LANDLOCK_H
#define TOLLGATE_ROLE_LANDLOCK_H

#include <linux/landlock.h>
#include <stdint.h>

/* Landlock as the kernel defines it today (landlock(7)); the packaged header may be older. Of the members of
 * landlock_attr those that the running kernel does not know must be zero. */

struct landlock_attr {
	uint64_t handled_access_fs;
	uint64_t handled_access_net; /* ABI 4 */
	uint64_t scoped; /* ABI 6 */
};

#define FS_REFER (1ull << 13) /* ABI 2 */
#define FS_TRUNCATE (1ull << 14) /* ABI 3 */
#define FS_IOCTL_DEV (1ull << 15) /* ABI 5 */
#define FS_ABI1 ((1ull << 13) - 1)
#define NET_BIND_TCP (1ull << 0)
#define NET_CONNECT_TCP (1ull << 1)
#define SCOPE_ABSTRACT_UNIX (1ull << 0)
#define SCOPE_SIGNAL (1ull << 1)

#define FS_READ (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
/* The only rights that a rule on something other than a folder may name. */
#define FS_OF_FILE \
	(LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE | FS_TRUNCATE | \
	 FS_IOCTL_DEV)

/* All rights over files that a kernel of this ABI can withhold. */
static inline uint64_t landlock_fs_of_abi(int abi)
{
	return FS_ABI1 | (abi >= 2 ? FS_REFER : 0) | (abi >= 3 ? FS_TRUNCATE : 0) | (abi >= 5 ? FS_IOCTL_DEV : 0);
}

#endif
