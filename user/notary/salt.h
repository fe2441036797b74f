/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_SALT_H
#define TOLLGATE_SALT_H

#include <stdint.h>

#include "user/base/digest.h"
#include "user/base/span.h"

/*
 * Payloads stand in the log as commitments:
 *
 *	node key      32 random bytes in the state directory, the notary's (key.h)
 *	instance key  = SHA256("tollgate/salt/instance/v1" || 0x00 || node key || SHA256(epoch))
 *	session key   = SHA256("tollgate/salt/session/v1"  || 0x00 || instance key || SHA256(session id))
 *	salt          = SHA256("tollgate/salt/v1" || 0x00 || session key || u64 BE sequence || member byte)
 *	commitment    = "sha256:" hex SHA256(salt || SHA256(payload))
 *
 * A reader of the log has none of the keys, so a low-entropy payload cannot be guessed. The operator,
 * who has the node key, derives the salt of one record from session id, sequence and the salt_epoch in
 * the session's first record, and shows an auditor that salt: it proves that one payload and opens no
 * other. A proxy gets an instance key made for its life only.
 */
#define SALT_SIZE SHA256_SIZE

enum salt_member {
	SALT_REQUEST = 1,
	SALT_RESPONSE = 2,
	SALT_REQUEST_ID = 3,
};

struct chain;

void salt_instance_key(const uint8_t node_key[SALT_SIZE], struct span epoch, uint8_t ret[SALT_SIZE]);
void salt_session_key(const uint8_t instance_key[SALT_SIZE], struct span session_id,
		      uint8_t ret[SALT_SIZE]);
void salt_derive(const uint8_t session_key[SALT_SIZE], uint64_t sequence, enum salt_member m,
		 uint8_t ret[SALT_SIZE]);
/* Commitment to a payload of which the SHA-256 is given. */
void salt_commit(const uint8_t salt[SALT_SIZE], const uint8_t payload_digest[SHA256_SIZE],
		 char ret[SHA256_PREFIXED_SIZE]);

/* The commitment for a member of the chain's next record, to a payload of which the SHA-256 is given. */
void salt_commit_digest(const struct chain *c, enum salt_member m, const uint8_t payload_digest[SHA256_SIZE],
			char ret[SHA256_PREFIXED_SIZE]);
/* The same of a payload as it is. */
void salt_commit_next(const struct chain *c, enum salt_member m, struct span payload,
		      char ret[SHA256_PREFIXED_SIZE]);

#endif
