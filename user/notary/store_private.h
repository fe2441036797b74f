/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_STORE_PRIVATE_H
#define TOLLGATE_STORE_PRIVATE_H

#include "user/base/buf.h"
#include "user/base/hasher.h"
#include "user/notary/store.h"

/* Shared by store.c and recovery.c only. */
struct store {
	int dirfd, fd, tree_fd; /* fd: the segment being written, -1 before the first */
	int error; /* standing */
	uint64_t segment_max, segment_bytes, synced;
	struct tree tree, ahead; /* as flushed; with the batch */
	struct buf lines; /* the batch */
	size_t batch_bytes;
	struct tree_hash *hashes;
	size_t hashes_n;
	uint64_t pending;
	struct hasher *hasher;
};

#endif
