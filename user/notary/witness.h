/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_WITNESS_H
#define TOLLGATE_WITNESS_H

#include "user/base/span.h"
#include "user/notary/checkpoint.h"

/*
 * Somebody else's memory of a log: the last signed head of each log, kept where the node cannot reach it.
 * A new head is taken only when it is proven to have grown from the one that is kept.
 *
 *	DIR/ORIGIN/log.vkey      the key, as it was given or first seen
 *	DIR/ORIGIN/checkpoint    the last head, replaced whole
 *	DIR/ORIGIN/checkpoints   every head that was taken, one after another
 *	DIR/ORIGIN/refused       heads that carry the key's signature and do not fit: the proof of a fork
 *
 * Bytes of ORIGIN outside [A-Za-z0-9_-] and a dot inside it are %XX in the name.
 */
struct witness;

enum witness_answer {
	WITNESS_NEW = 0, /* the first head of this log */
	WITNESS_SAME, /* nothing new */
	WITNESS_GROWN, /* taken */
	WITNESS_UNSIGNED, /* refused: not the key's, or malformed */
	WITNESS_ROLLED_BACK, /* refused: signed, and smaller than the kept one */
	WITNESS_FORKED, /* refused: signed, and not grown from the kept one */
};

/* Opens DIR for the log of this key, making what is missing, and locks it. vk NULL: the key that was kept
 * for origin. -ENOKEY when there is none; -EKEYREJECTED when another one is kept; or -errno. */
int witness_open(int store_dirfd, const char *origin, const struct verifier_key *vk, struct witness **ret);
void witness_close(struct witness *w);

/* The size of the kept head: proofs must grow from it. 0: none. */
uint64_t witness_size(const struct witness *w);

/* Judges a head with the hashes that prove its growth from the kept one, and keeps it if it holds. An
 * answer of enum witness_answer, or -errno of storage, with nothing taken. */
int witness_take(struct witness *w, struct span note, const struct tree_hash *growth, unsigned growth_n);

#endif
