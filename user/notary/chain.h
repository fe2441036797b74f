/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_CHAIN_H
#define TOLLGATE_CHAIN_H

#include <stdint.h>

#include "user/base/digest.h"

struct record_line;

#define CHAIN_GENESIS "genesis"
#define CHAIN_ID_SIZE 37 /* UUID text and NUL */

/* The producer's end of one session's chain: what the next record will carry. Plain memory. */
struct chain {
	char session_id[CHAIN_ID_SIZE];
	uint64_t sequence; /* of the next record; 0 is session_start */
	char prev[SHA256_HEX_SIZE]; /* "genesis", then the last entry_hash in hex */
	uint64_t last_ns; /* time of the last record: time never runs backwards in a session */
	uint8_t salt_key[SHA256_SIZE]; /* secret of this session's payload commitments, salt.h */
};

/* A fresh session under a random UUID. instance_key as in salt.h. 0 or -errno of getrandom(). */
int chain_start(struct chain *c, const uint8_t instance_key[SHA256_SIZE]);

/* Moves on past the line that record_write() made for this chain; call it once the ring has taken it. */
void chain_advance(struct chain *c, const struct record_line *line);

/* Wipes the salt key. */
void chain_done(struct chain *c);

#endif
