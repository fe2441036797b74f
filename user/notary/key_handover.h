/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_KEY_HANDOVER_H
#define TOLLGATE_KEY_HANDOVER_H

#include "user/notary/key.h"
#include "user/notary/record.h"

struct record_view;

/*
 * How one log key follows another, as a record of the notary's own session. A hand-over is signed by the
 * old key, over
 *
 *	"tollgate/key-handover/v1" 0x00 u32be(length of origin) origin old-key new-key
 *
 * so whoever trusts the old key can trust the new one. Where the old key is lost there is a gap: the record
 * says so and proves nothing.
 */
#define HANDOVER_CODE "key_handover" /* reason_code */
#define HANDOVER_GAP_CODE "key_gap"
#define HANDOVER_DETAIL 3

enum handover {
	HANDOVER_NONE = 0, /* another record */
	HANDOVER_SIGNED,
	HANDOVER_GAP,
	HANDOVER_FALSE, /* claims to be signed and is not, or is malformed */
};

/* Texts that a record borrows. */
struct handover_record {
	char old_key[2 * KEY_SIZE + 1], new_key[2 * KEY_SIZE + 1], signature[2 * KEY_SIG_SIZE + 1];
	struct record_kv detail[HANDOVER_DETAIL];
};

/* Fills rec (initialised, RECORD_NODE). before: the old key itself, or NULL: a gap, of which why (ASCII)
 * says the reason. */
int handover_fill(struct record *rec, struct handover_record *texts, const char *origin,
		  const uint8_t old_key[KEY_SIZE], const uint8_t new_key[KEY_SIZE], struct log_key *before,
		  const char *why);

/* What a record of a log of that origin says; the keys are set for HANDOVER_SIGNED and HANDOVER_GAP. */
enum handover handover_read(const struct record_view *v, const char *origin, uint8_t ret_old[KEY_SIZE],
			    uint8_t ret_new[KEY_SIZE]);

#endif
