/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_CHECKPOINT_H
#define TOLLGATE_CHECKPOINT_H

#include <stdbool.h>
#include <stdint.h>

#include "user/base/buf.h"
#include "user/notary/key.h"
#include "user/notary/tree.h"

/*
 * C2SP tlog-checkpoint in a C2SP signed-note. Other extension lines than ours are read over, other
 * signature lines ignored, as the formats ask. Ours, on a node with a TPM:
 *
 *	nv-counter VALUE SIZE
 *
 * The TPM's counter, which nothing can lower, was raised to VALUE when the log had SIZE records: a log
 * that states less than the TPM was rolled back. What came after SIZE is not covered until the next raise.
 */
#define CHECKPOINT_MAX 65536 /* a note with many co-signatures is far below */
#define CHECKPOINT_NAME_MAX 255

struct checkpoint {
	char origin[CHECKPOINT_NAME_MAX + 1];
	uint64_t size;
	uint8_t root[TREE_HASH];
	bool counted;
	uint64_t counter, counter_size; /* of the nv-counter line */
};

#define CHECKPOINT_EM_DASH "\xe2\x80\x94 " /* begins a signature line */
#define CHECKPOINT_SIG_MAX 8192 /* decoded bytes of one signature; the largest known kinds are below */

/* A verifier key: name+hex key ID+base64(0x01 || public key). */
struct verifier_key {
	char name[CHECKPOINT_NAME_MAX + 1];
	uint8_t id[4];
	uint8_t pub[KEY_SIZE];
};

/* True when the name may stand in a note: no space, plus sign or control character, not empty, ASCII. */
bool checkpoint_name_valid(const char *name);

/* Appends the signed note for cp to out; the key's name is the origin. */
int checkpoint_sign(const struct checkpoint *cp, struct log_key *k, struct buf *out);

/* Reads a checkpoint without judging its signatures. -EBADMSG when malformed. *ret_text_n: length of
 * the signed text, final newline included. */
int checkpoint_parse(struct span note, struct checkpoint *ret, size_t *ret_text_n);

/* Reads a checkpoint that must carry a good signature of vk, exactly one under its name and key ID, and
 * must be of the log of that name. -EBADMSG malformed, -EKEYREJECTED not signed by vk or bad. */
int checkpoint_verify(struct span note, const struct verifier_key *vk, struct checkpoint *ret);

/* Cuts the next line off the signatures of a note: whose it claims to be, and key ID and signature. 0 or
 * -EBADMSG. */
int checkpoint_next_signature(struct span *rest, struct span *ret_name, uint8_t ret_sig[CHECKPOINT_SIG_MAX],
			      size_t *ret_n);

/* Without white space at either end. */
struct span checkpoint_trim(struct span s);

void verifier_key_of(const char *name, const uint8_t pub[KEY_SIZE], struct verifier_key *ret);
int verifier_key_text(const struct verifier_key *vk, struct buf *out); /* no newline */
/* Surrounding white space is allowed; -EINVAL when malformed or the key ID is not the key's. */
int verifier_key_parse(struct span text, struct verifier_key *ret);

#endif
