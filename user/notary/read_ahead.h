/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_READ_AHEAD_H
#define TOLLGATE_READ_AHEAD_H

#include "user/notary/segment.h"
#include "user/notary/tree.h"

/*
 * A log read in order, each line with its hash in the tree: a second thread computes these while the caller judges the
 * records before. Memory does not grow with the log. Used by the offline verifier.
 */
struct read_ahead;

struct read_ahead_line {
	struct span line;
	struct segment_at at;
	uint8_t leaf[TREE_HASH];
};

/* As segment_reader_open(); -EAGAIN or -ENOMEM when there is no thread to be had. */
int read_ahead_open(int dirfd, uint64_t leaf, struct read_ahead **ret);
void read_ahead_close(struct read_ahead *a);

/* The next line, valid until the next call. 0, or what segment_read() gives at the end, with line and at as there
 * and no hash. */
int read_ahead_next(struct read_ahead *a, const struct read_ahead_line **ret);

#endif
