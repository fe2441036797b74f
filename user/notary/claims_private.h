/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_CLAIMS_PRIVATE_H
#define TOLLGATE_CLAIMS_PRIVATE_H

#include <uthash.h>

#include "user/notary/claims.h"

/* Shared by claims.c and claim_write.c only. */
struct claims_session {
	char id[40], next_id[40];
	struct claim_fold *fold;
	bool ended, lost;
	bool made; /* its last claim is written, and not yet in the log */
	uint64_t number; /* of the conversation's last claim; 0: there is none */
	char previous[SHA256_PREFIXED_SIZE];
	struct claims_session *next; /* that waits */
	UT_hash_handle hh;
};

struct claims {
	struct claims_config cfg;
	struct claims_session *all, *waiting, **waiting_tail;
	uint64_t waiting_n, skipped, leaf;
	struct segment_reader *reader;
	const char *own_id;
};

void claims_drop(struct claims *c, struct claims_session *s);

/* Makes the session's documents and their file; fills ret->hash. */
int claims_write(struct claims *c, struct claims_session *s, uint64_t now_ns, struct claim_made *ret);

#endif
