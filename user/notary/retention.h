/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_RETENTION_H
#define TOLLGATE_RETENTION_H

#include "user/base/buf.h"
#include "user/base/digest.h"
#include "user/notary/handover_list.h"
#include "user/notary/tree.h"
#include "user/notary/view.h"

/*
 * A log whose first segments were removed. Two things stand for what is gone:
 *
 * - a record of the notary's own session, reason_code "retention", whose detail says removed_from,
 *   removed_to (the first leaf that is kept) and removed_root, the root of the tree of everything before
 *   it. It is a leaf like any other, so the checkpoints that follow sign it. Where the log's key changed in
 *   what is gone, handovers_sha256 is the digest of the list of these changes.
 * - the file tombstone-NNNNNNNNNNNNNNNN, N the first leaf that is kept, with the roots of the complete
 *   subtrees before it: the verifier's tree goes on from them. Nobody signs it: with false hashes in it the
 *   tree does not come to the signed root. After them stands the list of key changes (handover_list.h), or
 *   whoever trusts an old key could not follow it over the gap: each is signed by the key that it is of, and
 *   the removal's record vouches for the whole.
 *
 *	tollgate tombstone
 *	<leaf>
 *	<base64 root of the largest complete subtree>
 *	...
 *	<leaf> <record of a key change>
 *	...
 */
#define RETENTION_CODE "retention"
#define RETENTION_NAME_SIZE 32

struct retention_removed {
	uint64_t from, to;
	char root[2 * TREE_HASH + 1]; /* lower-case hex */
	char handovers[SHA256_HEX_SIZE]; /* "": the key did not change in it */
};

void retention_name(uint64_t leaf, char ret[RETENTION_NAME_SIZE]);

int retention_format(const struct tree *t, struct span handovers, struct buf *out);
/* 0 or -EBADMSG. Total on any input. The list points into the text and is not judged. */
int retention_parse(struct span text, struct tree *ret, struct span *ret_handovers);
/* As a removal's record names a list: "" for an empty one. */
void retention_digest(struct span handovers, char ret[SHA256_HEX_SIZE]);

/* The tree of what was removed from the log in this directory, and the key changes in it, appended to an
 * initialised buffer and not judged: size 0 when it begins with its first leaf.
 * The smallest tombstone whose segment is there counts, so that a removal that a crash cut short has one
 * too. 0; -ENOENT when the first records are missing and no tombstone stands for them; -EBADMSG; or
 * -errno. */
int retention_load(int dirfd, struct tree *ret, struct buf *ret_handovers);

/* True for a tombstone record, which it reads. */
bool retention_read(const struct record_view *v, struct retention_removed *ret);

/* Removes the segments before the leaf, and the tombstones of other leaves. */
int retention_unlink(int dirfd, uint64_t leaf);

#endif
