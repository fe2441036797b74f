/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_CLAIM_FOLD_H
#define TOLLGATE_CLAIM_FOLD_H

#include <stdbool.h>
#include <stdint.h>

#include "user/base/digest.h"
#include "user/notary/record.h"
#include "user/notary/view.h"

/*
 * What a claim says of one log session, folded out of its records one after another as they stand on file.
 * Nothing comes from anywhere else, and a session whose records do not follow each other has no claim.
 * Memory is bounded: calls and tools beyond the limits are counted and hashed, and not named.
 */
struct claim_fold;

#define CLAIM_CALLS_MAX 4096 /* named one by one in a transcript: with their tools some 300 KiB of claim */
#define CLAIM_TOOLS_MAX 256 /* distinct names kept per session */
#define CLAIM_TEXT_SIZE 128 /* words and hashes of a first record */
#define CLAIM_NAME_SIZE 256 /* names of its manifest */

struct claim_fold_call {
	uint16_t tool; /* index of tools */
	uint8_t decision; /* enum record_decision, as claims have it */
};

/* Read by those who make the claim. */
struct claim_folded {
	char id[40], continues[40], continued_by[40]; /* sessions; "" when there is none */
	char root[SHA256_HEX_SIZE], tip[SHA256_HEX_SIZE];
	uint64_t length, calls, denied, faulted;
	enum record_durability weakest; /* of any record */
	bool ended, drift;
	const char *broken; /* why there can be no claim, or NULL */
	char policy_hash[CLAIM_TEXT_SIZE], catalog_hash[CLAIM_TEXT_SIZE], program_hash[CLAIM_TEXT_SIZE];
	char mode[CLAIM_TEXT_SIZE], data_class[CLAIM_TEXT_SIZE];
	struct { /* of the agent manifest; id "" when the agent is bound to none, or to one for other hashes */
		char id[CLAIM_NAME_SIZE], agent_id[CLAIM_NAME_SIZE], issuer[CLAIM_NAME_SIZE];
		char key_id[CLAIM_TEXT_SIZE];
	} manifest;
	char **tools; /* names as a JSON reader sees them */
	bool *passed; /* by tool: was let through at least once */
	unsigned tools_n;
	struct claim_fold_call *transcript; /* calls of them, unless unnamed */
	bool unnamed; /* too many calls or tools */
};

/* Begins with a session_start. -EINVAL when it is none; -ENOMEM. */
int claim_fold_new(const struct record_view *first, struct claim_fold **ret);
void claim_fold_free(struct claim_fold *f);

/* The session's next record. -ENOMEM leaves a session that has no claim. */
int claim_fold_take(struct claim_fold *f, const struct record_view *v);

struct claim_folded *claim_fold_state(struct claim_fold *f);

/* Digest of the canonical array of all records so far: what an audit bundle's signature is over. 0, -ENOMEM. */
int claim_fold_entries(const struct claim_fold *f, uint8_t ret[SHA256_SIZE]);

/* The text of a string member as a JSON reader sees it; -EMSGSIZE when it does not fit. */
int claim_text(struct span member, char *ret, size_t size);

#endif
