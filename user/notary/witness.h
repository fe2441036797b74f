/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_WITNESS_H
#define TOLLGATE_WITNESS_H

#include "user/base/span.h"
#include "user/notary/checkpoint.h"

/*
 * Somebody else's memory of a log: the last signed head of each log, kept where the node cannot reach it.
 * A new head is taken only when it is proven to have grown from the one that is kept, and when the key that
 * signed it is the one that signed before, or one that this key handed over to by a record of the new head's tree.
 *
 *	DIR/ORIGIN/log.vkey      the first key, as it was given
 *	DIR/ORIGIN/handovers     the records by which later keys followed it (handover_list.h)
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
	WITNESS_UNSIGNED, /* refused: malformed, or of a key that nothing proves */
	WITNESS_ROLLED_BACK, /* refused: signed, and smaller than the kept one */
	WITNESS_FORKED, /* refused: signed, and not grown from the kept one, or by a key that had handed over */
};

/* A record by which one key followed another, and its place in the head's tree. */
struct witness_handover {
	uint64_t leaf;
	struct span record;
	const struct tree_hash *path;
	unsigned path_n;
};

/* What is shown with a head. */
struct witness_proof {
	const struct tree_hash *growth; /* from the kept head */
	unsigned growth_n;
	const struct witness_handover *handovers; /* all since the kept head, ascending */
	unsigned handovers_n;
};

#define WITNESS_HANDOVERS_MAX 256 /* between two visits: more is no rotation but an attempt to keep us busy */

/* Opens DIR for the log of this key, making what is missing, and locks it. vk NULL: the key that was kept
 * for origin; else the first one or the one in force. -ENOKEY when there is none; -EKEYREJECTED when another one
 * is kept; or -errno. */
int witness_open(int store_dirfd, const char *origin, const struct verifier_key *vk, struct witness **ret);
void witness_close(struct witness *w);

/* The size of the kept head: proofs must grow from it. 0: none. */
uint64_t witness_size(const struct witness *w);

/* The size from which the log must prove how it came to this head, by growth and hand-overs; 0 when the head is
 * judged without. */
uint64_t witness_wants(const struct witness *w, struct span note);

/* Judges a head with what was shown for it, and keeps it if it holds. An answer of enum witness_answer, or -errno
 * of storage, with nothing taken. */
int witness_take(struct witness *w, struct span note, const struct witness_proof *proof);

#endif
