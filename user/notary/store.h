/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_STORE_H
#define TOLLGATE_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "user/base/span.h"
#include "user/notary/tree.h"
#include "user/notary/view.h"

/*
 * The notary's append-only log directory:
 *
 *	NNNNNNNNNNNNNNNN.jsonl   segments
 *	tree                     stored hashes of tree.h, 32 bytes each; derived, rebuilt when wrong
 *	checkpoint               the latest signed note, replaced whole
 *	checkpoints              every signed note, one after another
 *	log.vkey                 the verifier key's text
 *	cosign.vkey              of the key in the TPM that signs beside it, where there is one
 *	torn-N[.M]               a line that a crash cut off, moved aside; N is the leaf it would have been
 */
struct store;

#define STORE_FILE_TREE "tree"
#define STORE_FILE_CHECKPOINT "checkpoint"
#define STORE_FILE_CHECKPOINTS "checkpoints"
#define STORE_FILE_VKEY "log.vkey"
#define STORE_FILE_COSIGN "cosign.vkey"

struct store_recovery {
	uint64_t records; /* whole, valid records found */
	uint64_t torn_leaf; /* where a torn line was set aside */
	uint64_t torn_bytes; /* its length; 0: none */
};

/* Called for every record found on opening, in order; an error ends the opening with it. */
typedef int (*store_seen_fn)(void *arg, const struct record_view *v, uint64_t leaf);

/* Opens (making what is missing) and recovers: reads every record, recomputes its hash and the tree,
 * sets a torn last line aside, takes over stored hashes that agree and rewrites those that do not.
 * dirfd is borrowed. -EBADMSG when a record in the middle is damaged: the log then needs a human;
 * -EUCLEAN when the signed checkpoint covers more records than there are. */
int store_open(int dirfd, uint64_t segment_max, store_seen_fn seen, void *arg,
	       struct store_recovery *ret_recovery, struct store **ret);
void store_close(struct store *s);

/* Adds a line (no newline) as the next leaf to the batch in memory. 0, -ENOMEM or -ENOBUFS when the
 * batch is full: store_flush() first. */
int store_append(struct store *s, struct span line);

/* True when the batch may not take STORE_SLACK more records of any size: time to flush. */
#define STORE_SLACK 4
bool store_full(const struct store *s);

/* Drops the batch. */
void store_forget(struct store *s);

/* Writes the batch. 0, or -errno (-ENOSPC, -EFBIG, -EIO) after putting files and tree back to how they
 * were before the batch, which is then forgotten: the caller takes the records from the ring again. */
int store_flush(struct store *s);

/* fdatasync of what was flushed. An error here stays: what the kernel dropped cannot be had back. */
int store_sync(struct store *s);

/* Flushed leaves, their tree, and what was synced. */
uint64_t store_size(const struct store *s);
const struct tree *store_tree(const struct store *s);
uint64_t store_synced(const struct store *s);
uint64_t store_pending(const struct store *s); /* records in the batch */

/* Replaces a small file of the directory whole and synced (STORE_FILE_VKEY). */
int store_replace(struct store *s, const char *name, struct span text);

/* Replaces "checkpoint" and appends to "checkpoints". */
int store_checkpoint(struct store *s, struct span note);

/* Replaces a small file of what can be made again: nothing is synced, and after power loss it may be empty. */
int store_derive(struct store *s, const char *name, struct span text);

/* tree_read_fn over a "tree" file; arg is a pointer to its descriptor. */
int store_tree_read(void *arg, uint64_t index, uint8_t ret[TREE_HASH]);

#endif
