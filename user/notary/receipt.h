/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_RECEIPT_H
#define TOLLGATE_RECEIPT_H

#include "user/base/buf.h"
#include "user/notary/checkpoint.h"

/*
 * COSE receipts, RFC 9942 with RFC9162_SHA256: the same tree and the same key as the checkpoints', for
 * those who read COSE. A receipt is a COSE_Sign1 whose payload, the root, is left out: protected are alg
 * (EdDSA), kid (the key ID of the verifier key), the kind of tree and, under the text label "tree-size", how
 * many records it has; unprotected is the path. It does not hold the record, and is always of the notary's
 * last head, since only the notary can sign.
 */
#define RECEIPT_MAX (TREE_PROOF_MAX * 40 + 512)

/* What the notary leaves behind with a checkpoint, so that anybody can put a receipt together. */
struct receipt_head {
	uint64_t size;
	uint8_t root[TREE_HASH];
	uint8_t signature[KEY_SIG_SIZE];
};

#define RECEIPT_FILE_HEAD "checkpoint.cose-head"

/* "<size> <base64 root> <base64 signature>\n" */
int receipt_head_sign(const struct checkpoint *cp, const struct verifier_key *vk, struct log_key *k,
		      struct buf *out);
int receipt_head_parse(struct span text, struct receipt_head *ret); /* 0 or -EBADMSG */

/* The receipt of a leaf under the head. */
int receipt_write(const struct receipt_head *head, const struct verifier_key *vk, uint64_t leaf,
		  const struct tree_hash *path, unsigned n, struct buf *out);

/* The record is a leaf of a tree whose root the key signed. 0 with its place and the size; -EBADMSG with
 * *ret_why a constant text. Total on any input. */
int receipt_check(struct span receipt, struct span record, const struct verifier_key *vk, uint64_t *ret_leaf,
		  uint64_t *ret_size, const char **ret_why);

#endif
