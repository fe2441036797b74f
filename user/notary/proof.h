/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_PROOF_H
#define TOLLGATE_PROOF_H

#include "user/base/buf.h"
#include "user/notary/checkpoint.h"
#include "user/notary/record.h"

/*
 * A receipt that stands alone: C2SP tlog-proof (index, inclusion path, checkpoint), preceded by the
 * record itself. The file is
 *
 *	c2sp.org/tlog-proof@v1
 *	extra <base64 of the record line>
 *	index <leaf>
 *	<base64 hash> ...
 *	<empty line>
 *	<checkpoint note>
 */
#define PROOF_MAX (RECORD_MAX * 2 + CHECKPOINT_MAX + 16384)

struct proof {
	struct span record; /* line, owned by storage */
	uint64_t leaf;
	struct tree_hash path[TREE_PROOF_MAX];
	unsigned path_n;
	struct span note; /* points into the text given */
	struct buf storage;
};

int proof_write(struct span record, uint64_t leaf, const struct tree_hash *path, unsigned n,
		struct span note, struct buf *out);
/* 0 or -EBADMSG. proof_done() in either case frees nothing that was not taken. */
int proof_parse(struct span text, struct proof *ret);
void proof_done(struct proof *p);
/* The record has a good entry_hash, is leaf of the tree and the checkpoint is signed by vk. 0;
 * -EBADMSG with *ret_why a constant text that says what is wrong. */
int proof_check(const struct proof *p, const struct verifier_key *vk, struct checkpoint *ret_cp,
		const char **ret_why);

#endif
