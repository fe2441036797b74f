/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_CHECKPOINT_H
#define TOLLGATE_CHECKPOINT_H

#include <stdbool.h>
#include <stdint.h>

#include "user/base/buf.h"
#include "user/notary/key.h"
#include "user/notary/tree.h"

/* C2SP tlog-checkpoint in a C2SP signed-note. Extension lines are read over, other signature lines
 * ignored, as the formats ask. */
#define CHECKPOINT_MAX 65536 /* a note with many co-signatures is far below */
#define CHECKPOINT_NAME_MAX 255

struct checkpoint {
	char origin[CHECKPOINT_NAME_MAX + 1];
	uint64_t size;
	uint8_t root[TREE_HASH];
};

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

void verifier_key_of(const char *name, const uint8_t pub[KEY_SIZE], struct verifier_key *ret);
int verifier_key_text(const struct verifier_key *vk, struct buf *out); /* no newline */
/* Surrounding white space is allowed; -EINVAL when malformed or the key ID is not the key's. */
int verifier_key_parse(struct span text, struct verifier_key *ret);

#endif
