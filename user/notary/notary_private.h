/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_NOTARY_PRIVATE_H
#define TOLLGATE_NOTARY_PRIVATE_H

#include "user/base/hasher.h"
#include "user/notary/chain.h"
#include "user/notary/claims.h"
#include "user/notary/cosign.h"
#include "user/notary/key_source.h"
#include "user/notary/key_tpm.h"
#include "user/notary/notary.h"
#include "user/notary/ring.h"
#include "user/notary/sessions.h"

/* Shared by notary.c, drain.c, restore.c, retain.c and hardware.c only. */

#define LABEL_SIZE 64

struct notary_ring {
	struct ring *ring;
	char label[LABEL_SIZE];
	uint64_t replay_to; /* up to here records may be in the log already: we died before we said so */
	bool synced; /* the producer waits for the disk */
	bool failed; /* its producer broke the rules and was reported */
	bool fault_appended, fault_stored; /* the record that says so: in the batch, on file */
	bool deaf; /* its frames cannot be told apart any more */
	bool touched; /* gave records to the present batch */
};

/* Entry hashes of the log's last records, to know again what a ring still holds from before a crash. */
struct recent {
	struct tree_hash *all;
	size_t n, at, cap;
};

/* See hardware.h. */
struct notary_hw {
	struct cosign_key cosign;
	uint64_t counter, counter_size; /* the TPM's, and the log's size at its last raise */
	uint64_t stated; /* by the last checkpoint of our predecessor */
	uint64_t raised_at, cosigned_at, cosign_took; /* monotonic ns */
	bool counting, raising, behind, ahead;
	bool failing; /* already told */
};

/* Key changes in what retention removed. Only a list that a record of the log names is carried on. */
struct carried {
	struct buf list; /* handover_list.h */
	uint64_t to; /* the first leaf that is kept; 0: nothing was removed */
	bool named;
};

struct notary {
	struct notary_config cfg;
	char origin[CHECKPOINT_NAME_MAX + 1];
	struct store *store;
	struct log_key *key, *key_before;
	char key_lost[512]; /* why the key before ours could not sign for it */
	struct notary_hw hw;
	struct verifier_key vk;
	struct hasher *hasher;
	struct record_writer *writer;
	struct chain own, own_committed; /* our own session */
	struct session_table *sessions;
	struct recent recent;
	struct carried carried;
	struct notary_ring rings[NOTARY_RINGS_MAX];
	int rings_n, next_ring;
	int error; /* standing storage error, published to all rings */
	uint64_t signed_size, unsigned_since, unsynced_since, active_at; /* monotonic ns */
	uint8_t signed_root[TREE_HASH];
	uint64_t faults, rejected, replayed, checkpoints, torn_bytes;
	bool sign_failed; /* already told */
	struct claims *claims; /* NULL: none are made */
	bool claims_failed; /* already told */
	bool reports_failed; /* already told */
	uint64_t claims_rest_until, reports_rest_until; /* monotonic */
	char take[RECORD_MAX];
};

__attribute__((format(printf, 3, 4)))
void notary_alarm(struct notary *n, int ring, const char *fmt, ...);

/* Appends a record of our own session to the batch. */
int notary_append_own(struct notary *n, struct record *rec);
/* Appends a session_end of ours to another session's chain, and forgets the session. */
int notary_append_end(struct notary *n, const struct session_next *s, const char *why);
/* A fault record of our own session; names the ring when it is not -1. Counts it. */
int notary_append_fault(struct notary *n, int ring, const char *code, const char *reason,
			const struct record_kv *kv, unsigned kv_n);

/* Writes the batch: everything in it is then on file, or forgotten and to be taken again. */
int notary_flush(struct notary *n);
/* Drops the batch and takes everything back that came with it. */
void notary_forget_batch(struct notary *n);
/* Publishes a storage error, or that it is over, to all rings. */
void notary_publish_error(struct notary *n, int error);
int notary_sync_now(struct notary *n);

enum notary_signing {
	SIGN_DUE, /* records or time say so */
	SIGN_ASKED, /* with the TPM's signature whatever it costs */
	SIGN_RAISE, /* start and stop: the counter too */
};
int notary_sign(struct notary *n, enum notary_signing how);

/* claim_due.c; nothing here fails the log */
int notary_claims_open(struct notary *n);
void notary_claims_key(struct notary *n); /* the log key is another from here on */
void notary_claims_follow(struct notary *n);
/* Takes reports of sessions that have begun, and makes the claims of sessions that have ended, some at a time: with
 * every checkpoint, and between them when many wait, but never for more than half of the time, as the rings wait
 * meanwhile. */
void notary_claims_due(struct notary *n);
void notary_claims_relieve(struct notary *n, uint64_t now);
/* The same for the last time, and reports without regard to their share of the time. */
void notary_claims_close(struct notary *n);
/* Something of the above waits for its time. */
bool notary_claims_pending(const struct notary *n);

/* retain.c: what the log's beginning left, read at the start and held against the records that follow. */
int notary_carried_load(struct notary *n);
void notary_carried_seen(struct notary *n, const struct record_view *v);

/* restore.c */
int notary_write_vkey(struct notary *n);
int notary_restore(struct notary *n);
bool notary_recent_has(const struct recent *r, struct span entry_hash);

#endif
