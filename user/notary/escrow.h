/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_ESCROW_H
#define TOLLGATE_ESCROW_H

#include "user/base/buf.h"
#include "user/notary/hpke.h"
#include "user/notary/salt.h"

struct chain;
struct record_view;

/*
 * Payloads kept for one who is not the node: sealed to that recipient's public key, in files of entries one after
 * another, each
 *
 *	"tollgate-escrow\n" u32be 1 u32be n  session id (36 bytes)  u64be sequence  member byte  3 zero bytes
 *	n bytes of hpke_seal() over  salt (32 bytes) payload
 *
 * with the 72 bytes before the sealed ones as associated data and "tollgate/escrow/v1" as info: an entry is of the one
 * record that it names. The salt is that of the record's commitment (salt.h), so the recipient can hold the payload
 * against the log without asking the node. Whoever can write the file can add entries and take some away; none that
 * does not open its record's commitment passes.
 */
#define ESCROW_HEAD 72
#define ESCROW_FILE_PREFIX "escrow-"

struct escrow_entry {
	char session_id[37];
	uint64_t sequence;
	enum salt_member member;
	struct span head, sealed; /* point into the text */
};

/* Appends an entry for the chain's next record. 0 or -errno (hpke_seal()). */
int escrow_seal(const uint8_t recipient[HPKE_KEY], const struct chain *c, enum salt_member m, struct span payload,
		struct buf *out);

/* Where a producer keeps its payloads; NULL stands for a node without escrow. */
struct escrow {
	int fd; /* append-only */
	uint8_t recipient[HPKE_KEY];
};

/* The same, written to an append-only file in one piece. A piece that does not fit is -ENOSPC, and skipped by
 * readers. */
int escrow_put(const struct escrow *e, const struct chain *c, enum salt_member m, struct span payload);

/* The next entry of a file's text; what is none is passed over. False at the end. Total on any text. */
bool escrow_next(struct span *rest, struct escrow_entry *ret);

/* Decrypts an entry of the record and appends the payload. 0; -EBADMSG: sealed to another key, or changed;
 * -EUCLEAN: it is not what the record commits to; -ENOENT: it is of another record; -ENOMEM; -EIO. */
int escrow_open(const struct escrow_entry *e, const uint8_t key[HPKE_KEY], const struct record_view *v,
		struct buf *out);

#endif
