/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_PROC_FUSE_H
#define TOLLGATE_PROC_FUSE_H

#include <stdint.h>
#include <sys/types.h>

/* Whether a mount, by its id in statx(), is a FUSE file system in the mount namespace of process pid: its server may
 * answer each reader differently, or never. The mount table is asked, not the server. 1, 0 (also a mount that the
 * table does not have) or -errno.
 * LIMIT: a FUSE file system mounted with allow_other and then detached is not in the mount table. */
int proc_on_fuse(pid_t pid, uint64_t mount_id);

#endif
