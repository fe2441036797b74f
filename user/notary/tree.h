/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_TREE_H
#define TOLLGATE_TREE_H

#include <stddef.h>
#include <stdint.h>

#include "user/base/hasher.h"

/*
 * Merkle tree of RFC 6962 section 2.1 over the node's log. The hash of every complete subtree is kept in
 * one sequence in the order in which appending completes them, so a leaf adds 1 + (its trailing one
 * bits) hashes and any proof needs O(log n) of them, found by tree_stored_index().
 */
#define TREE_HASH 32
#define TREE_LEVELS 64
#define TREE_PROOF_MAX 128 /* hashes in any proof over a tree of fewer than 2^64 leaves */

struct tree {
	uint64_t size; /* leaves */
	uint8_t peak[TREE_LEVELS][TREE_HASH]; /* [l]: root of the complete subtree of 2^l, if bit l of size */
};

struct tree_hash {
	uint8_t b[TREE_HASH];
};

/* Reads the stored hash at index. 0 or -errno. */
typedef int (*tree_read_fn)(void *arg, uint64_t index, uint8_t ret[TREE_HASH]);

void tree_leaf_hash(struct hasher *h, struct span entry, uint8_t ret[TREE_HASH]);
void tree_node_hash(struct hasher *h, const uint8_t l[TREE_HASH], const uint8_t r[TREE_HASH],
		    uint8_t ret[TREE_HASH]);

/* Appends a leaf hash; the hashes to store, in order, go to ret_stored (room for TREE_LEVELS + 1).
 * Returns how many. */
unsigned tree_append(struct hasher *h, struct tree *t, const uint8_t leaf[TREE_HASH],
		     struct tree_hash *ret_stored);

/* Root of the present tree; of the empty one it is SHA-256 of nothing. */
void tree_root(struct hasher *h, const struct tree *t, uint8_t ret[TREE_HASH]);

/* Place of the root of the n-th complete subtree of 2^level leaves; and how many are stored for size. */
uint64_t tree_stored_index(unsigned level, uint64_t n);
uint64_t tree_stored_count(uint64_t size);

/* The state of a tree of size leaves, from stored hashes. */
int tree_load(struct tree *t, uint64_t size, tree_read_fn read, void *arg);

/* RFC 6962 PATH(leaf, D[size]) and PROOF(from, D[size]), lowest hash first. -ERANGE when leaf >= size,
 * or from > size or 0. */
int tree_prove_leaf(struct hasher *h, uint64_t leaf, uint64_t size, tree_read_fn read, void *arg,
		    struct tree_hash ret[TREE_PROOF_MAX], unsigned *ret_n);
int tree_prove_growth(struct hasher *h, uint64_t from, uint64_t size, tree_read_fn read, void *arg,
		      struct tree_hash ret[TREE_PROOF_MAX], unsigned *ret_n);

/* The root to which a leaf's path leads. -EBADMSG when the path has another length than the place asks for. */
int tree_path_root(struct hasher *h, const uint8_t leaf_hash[TREE_HASH], uint64_t leaf, uint64_t size,
		   const struct tree_hash *proof, unsigned n, uint8_t ret[TREE_HASH]);

/* 0 when the proof holds, -EBADMSG when not. Total on any input. */
int tree_check_leaf(struct hasher *h, const uint8_t leaf_hash[TREE_HASH], uint64_t leaf, uint64_t size,
		    const struct tree_hash *proof, unsigned n, const uint8_t root[TREE_HASH]);
int tree_check_growth(struct hasher *h, uint64_t from, const uint8_t from_root[TREE_HASH], uint64_t size,
		      const uint8_t root[TREE_HASH], const struct tree_hash *proof, unsigned n);

#endif
